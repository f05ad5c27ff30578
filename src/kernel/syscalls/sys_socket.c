/* socket(2), bind(2), listen(2), accept(2), connect(2), names, options, shutdown(2). */
#include "abi/socket.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/sock.h"
#include "kernel/net/unix.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/sock_args.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"

#define RLIMIT_NOFILE_ 7

int sock_arg(struct task *t, uint64_t fd, struct file **f, struct sock **sk)
{
    *f = fd_file_io(t, (int)fd);
    if (!*f) {
        return -EBADF;
    }
    *sk = sock_of_file(*f);
    return *sk ? 0 : -ENOTSOCK;
}

int sock_addr_in(struct task *t, uint64_t addr, uint64_t len, union abi_sockaddr *out)
{
    int n = (int)len;
    if (n < 0 || (size_t)n > sizeof *out) {
        return -EINVAL;
    }
    *out = (union abi_sockaddr){0};
    return n ? user_read(t, out, gaddr_of(addr), (size_t)n) : 0;
}

int sock_addr_out(struct task *t, uint64_t addr, uint64_t len_at, const union abi_sockaddr *a,
                  uint32_t len)
{
    uint32_t room;
    int err = user_read_u32(t, &room, gaddr_of(len_at));
    if (err) {
        return err;
    }
    if ((int)room < 0) {
        return -EINVAL;
    }
    uint32_t n = room < len ? room : len;
    err = n ? user_write(t, gaddr_of(addr), a, n) : 0;
    return err ? err : user_write_u32(t, gaddr_of(len_at), len);
}

struct sysret sock_wait(struct task *t, struct sock *sk, uint32_t mask, uint64_t timeout_ns,
                        int64_t otherwise)
{
    if (timeout_ns != VTIME_NEVER) {
        vtime end = task_call_deadline(t, timeout_ns);
        if (timeout_ns == 0 || machine_now(t->m) >= end) {
            return sys_done(otherwise);
        }
        task_wait_until(t, end);
    }
    task_wait_on(t, &sk->wq, mask | ABI_POLLERR | ABI_POLLHUP);
    if (t->call.progress) {
        return sys_block_or((int64_t)t->call.progress);
    }
    /* signal(7): calls on sockets with a timeout set are never restarted. */
    return timeout_ns != VTIME_NEVER ? sys_block_or(-EINTR) : sys_block();
}

/* --- creation ----------------------------------------------------------------------------------
 */

static int type_flags(uint64_t type)
{
    return (type & ~(uint64_t)(ABI_SOCK_TYPE_MASK | ABI_SOCK_CLOEXEC | ABI_SOCK_NONBLOCK)) &
                   UINT32_MAX
               ? -EINVAL
               : 0;
}

static int install(struct task *t, struct sock *sk, uint64_t flags)
{
    struct file *f = sock_file_create(sk, flags & ABI_SOCK_NONBLOCK ? O_NONBLOCK : 0);
    int fd = fd_install(t, f, 0, (flags & ABI_SOCK_CLOEXEC) != 0);
    if (fd < 0) {
        file_put(f);
    }
    return fd;
}

struct sysret sys_socket(struct task *t, const struct sysargs *a)
{
    struct sock *sk;
    int err = type_flags(a->a[1]);
    if (!err) {
        err = sock_create(t, (int)a->a[0], (int)(a->a[1] & ABI_SOCK_TYPE_MASK), (int)a->a[2], &sk);
    }
    return sys_done(err ? err : install(t, sk, a->a[1]));
}

static int pair(struct task *t, const struct sysargs *a, int fds[2])
{
    struct sock *s[2] = {NULL, NULL};
    int type = (int)(a->a[1] & ABI_SOCK_TYPE_MASK);
    for (int i = 0; i < 2; i++) {
        int err = sock_create(t, (int)a->a[0], type, (int)a->a[2], &s[i]);
        if (err) {
            return err; /* the second cannot fail where the first did not */
        }
    }
    if (!unix_socketpair(t, s[0], s[1])) {
        s[0]->ops->close(s[0]);
        s[1]->ops->close(s[1]);
        return -EOPNOTSUPP;
    }
    fds[0] = install(t, s[0], a->a[1]);
    if (fds[0] < 0) {
        s[1]->ops->close(s[1]);
        return fds[0];
    }
    fds[1] = install(t, s[1], a->a[1]);
    if (fds[1] < 0) {
        fd_close(t, fds[0]);
        return fds[1];
    }
    return 0;
}

struct sysret sys_socketpair(struct task *t, const struct sysargs *a)
{
    int fds[2], err = type_flags(a->a[1]);
    err = err ? err : pair(t, a, fds);
    if (err) {
        return sys_done(err);
    }
    err = user_write(t, gaddr_of(a->a[3]), fds, sizeof fds);
    if (err) {
        fd_close(t, fds[0]);
        fd_close(t, fds[1]);
    }
    return sys_done(err);
}

/* --- names and connections -----------------------------------------------------------------------
 */

struct sysret sys_bind(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    union abi_sockaddr addr;
    int err = sock_arg(t, a->a[0], &f, &sk);
    err = err ? err : sock_addr_in(t, a->a[1], a->a[2], &addr);
    return sys_done(err ? err : sk->ops->bind(t, sk, &addr, (uint32_t)a->a[2]));
}

struct sysret sys_listen(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int err = sock_arg(t, a->a[0], &f, &sk);
    if (!err) {
        err = sk->ops->listen ? sk->ops->listen(t, sk, (int)a->a[1]) : -EOPNOTSUPP;
    }
    return sys_done(err);
}

struct sysret sys_connect(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    union abi_sockaddr addr;
    int err = sock_arg(t, a->a[0], &f, &sk);
    err = err ? err : sock_addr_in(t, a->a[1], a->a[2], &addr);
    if (err) {
        return sys_done(err);
    }
    err = sk->ops->connect(t, sk, &addr, (uint32_t)a->a[2]);
    net_flush(t->m);
    bool started = err == -EINPROGRESS;
    /* Within a node the handshake is over by now, which only those who wait may learn here: Linux
     * takes the answer off the backlog after connect has decided what it returns. */
    if (started && !(f->flags & O_NONBLOCK)) {
        err = sk->ops->connect(t, sk, &addr, (uint32_t)a->a[2]);
    }
    bool wait = err == -EINPROGRESS || err == -EALREADY || err == -EAGAIN;
    if (!wait || (f->flags & O_NONBLOCK)) {
        return sys_done(err);
    }
    int64_t late = err == -EAGAIN ? -EAGAIN : t->call.retry || started ? -EINPROGRESS : err;
    return sock_wait(t, sk, ABI_POLLOUT, sk->sndtimeo_ns, late);
}

/* A descriptor is reserved before a connection is taken off the queue: EMFILE loses none. */
static bool fd_available(struct task *t)
{
    const struct fd_table *ft = t->fds;
    uint64_t limit = rlimit_soft(t->process, RLIMIT_NOFILE_);
    uint32_t fd = ft->next_free;
    while (fd < ft->cap && ft->slots[fd].file) {
        fd++;
    }
    return fd < limit;
}

static struct sysret do_accept(struct task *t, const struct sysargs *a, uint64_t flags)
{
    struct file *f;
    struct sock *sk, *child;
    int err = flags & ~(uint64_t)(ABI_SOCK_CLOEXEC | ABI_SOCK_NONBLOCK)
                  ? -EINVAL
                  : sock_arg(t, a->a[0], &f, &sk);
    if (!err && !fd_available(t)) {
        err = -EMFILE;
    }
    if (!err) {
        err = sk->ops->accept ? sk->ops->accept(t, sk, &child) : -EOPNOTSUPP;
    }
    if (err == -EAGAIN && !(f->flags & O_NONBLOCK)) {
        return sock_wait(t, sk, ABI_POLLIN, sk->rcvtimeo_ns, -EAGAIN);
    }
    if (err) {
        return sys_done(err);
    }
    int fd = install(t, child, flags);
    if (fd >= 0 && a->a[1]) {
        union abi_sockaddr addr;
        struct sock *peer_of = sock_of_file(fd_file(t, fd));
        int len = peer_of->ops->getname(peer_of, true, &addr);
        err = len < 0 ? -ECONNABORTED : sock_addr_out(t, a->a[1], a->a[2], &addr, (uint32_t)len);
        if (err) {
            fd_close(t, fd);
            fd = err;
        }
    }
    net_flush(t->m);
    return sys_done(fd);
}

struct sysret sys_accept(struct task *t, const struct sysargs *a)
{
    return do_accept(t, a, 0);
}

struct sysret sys_accept4(struct task *t, const struct sysargs *a)
{
    return do_accept(t, a, a->a[3] & UINT32_MAX);
}

static struct sysret get_name(struct task *t, const struct sysargs *a, bool peer)
{
    struct file *f;
    struct sock *sk;
    union abi_sockaddr addr;
    int err = sock_arg(t, a->a[0], &f, &sk);
    if (err) {
        return sys_done(err);
    }
    int len = sk->ops->getname(sk, peer, &addr);
    return sys_done(len < 0 ? len : sock_addr_out(t, a->a[1], a->a[2], &addr, (uint32_t)len));
}

struct sysret sys_getsockname(struct task *t, const struct sysargs *a)
{
    return get_name(t, a, false);
}

struct sysret sys_getpeername(struct task *t, const struct sysargs *a)
{
    return get_name(t, a, true);
}

struct sysret sys_shutdown(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int how = (int)a->a[1];
    int err = sock_arg(t, a->a[0], &f, &sk);
    if (!err && (how < ABI_SHUT_RD || how > ABI_SHUT_RDWR)) {
        err = -EINVAL;
    }
    err = err ? err : sk->ops->shutdown(sk, (uint32_t)how + 1);
    net_flush(t->m);
    return sys_done(err);
}

/* --- options -----------------------------------------------------------------------------------
 */

struct sysret sys_setsockopt(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int err = sock_arg(t, a->a[0], &f, &sk);
    return sys_done(
        err ? err
            : sock_setopt(t, sk, (int)a->a[1], (int)a->a[2], gaddr_of(a->a[3]), (int)a->a[4]));
}

struct sysret sys_getsockopt(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int err = sock_arg(t, a->a[0], &f, &sk);
    return sys_done(
        err ? err
            : sock_getopt(t, sk, (int)a->a[1], (int)a->a[2], gaddr_of(a->a[3]), gaddr_of(a->a[4])));
}
