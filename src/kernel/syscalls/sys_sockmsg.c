/* send(2) and recv(2) in all their forms. call.progress counts the bytes of the message at hand
 * that earlier attempts moved, call.scratch[0] the messages sendmmsg and recvmmsg have done. */
#include "abi/socket.h"
#include "kernel/machine.h"
#include "kernel/net/cmsg.h"
#include "kernel/net/netns.h"
#include "kernel/net/sock.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/syscalls/sock_args.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/file.h"

#define MMSG_MAX 1024u /* UIO_MAXIOV: longer vectors are cut */

static void uio_advance(struct uio *u, uint64_t n)
{
    n = min_u64(n, u->left);
    u->left -= n;
    while (n) {
        uint64_t k = min_u64(n, u->segs[u->seg].len - u->off);
        u->off += k;
        n -= k;
        if (u->off == u->segs[u->seg].len) {
            u->seg++;
            u->off = 0;
        }
    }
}

/* --- sending -----------------------------------------------------------------------------------
 */

static struct sysret send_loop(struct task *t, struct file *f, struct sock *sk,
                               struct sock_msg *msg)
{
    bool nonblock = (msg->flags & ABI_MSG_DONTWAIT) || (f->flags & O_NONBLOCK);
    uio_advance(msg->uio, t->call.progress);
    for (;;) {
        int64_t n = sock_send(t, sk, msg);
        if (n == -EAGAIN && !nonblock) {
            int64_t late = t->call.progress ? (int64_t)t->call.progress : -EAGAIN;
            return sock_wait(t, sk, ABI_POLLOUT, sk->sndtimeo_ns, late);
        }
        if (n < 0) {
            return sys_done(t->call.progress ? (int64_t)t->call.progress : n);
        }
        t->call.progress += (uint64_t)n;
        if (!sk->ops->stream || nonblock || n == 0 || msg->uio->left == 0) {
            return sys_done((int64_t)t->call.progress);
        }
    }
}

struct sysret sys_sendto(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    struct uio u;
    union abi_sockaddr addr;
    struct sock_msg msg = {.uio = &u, .flags = (uint32_t)a->a[3]};
    if (!gaddr_range_ok(gaddr_of(a->a[1]), min_u64(a->a[2], LIMIT_IO_BYTES)) && a->a[2]) {
        return sys_done(-EFAULT);
    }
    int err = sock_arg(t, a->a[0], &f, &sk);
    if (!err && a->a[4]) {
        err = sock_addr_in(t, a->a[4], a->a[5], &addr);
        msg.name = &addr;
        msg.name_len = (uint32_t)a->a[5];
    }
    if (err) {
        return sys_done(err);
    }
    uio_init_user(&u, t, gaddr_of(a->a[1]), min_u64(a->a[2], LIMIT_IO_BYTES));
    return send_loop(t, f, sk, &msg);
}

/* Reads a msghdr's address and vector. *segs is the caller's to free. */
static int load_header(struct task *t, gaddr at, struct abi_msghdr *h, struct uio_seg **segs,
                       struct uio *u)
{
    *segs = NULL;
    int err = user_read(t, h, at, sizeof *h);
    if (err) {
        return err;
    }
    if ((int)h->namelen < 0) {
        return -EINVAL;
    }
    if (!h->name) {
        h->namelen = 0;
    }
    if (h->iovlen > LIMIT_IOV) {
        return -EMSGSIZE;
    }
    err = uio_read_iovec(t, gaddr_of(h->iov), h->iovlen, segs);
    if (err) {
        return err;
    }
    uio_init_segs(u, t, *segs, (uint32_t)h->iovlen);
    return 0;
}

static struct sysret send_one(struct task *t, struct file *f, struct sock *sk, gaddr at,
                              uint32_t flags)
{
    struct abi_msghdr h;
    struct uio_seg *segs;
    struct uio u;
    union abi_sockaddr addr;
    struct send_info info;
    struct sock_msg msg = {.uio = &u, .flags = flags, .info = &info};
    int err = load_header(t, at, &h, &segs, &u);
    if (!err && h.namelen) {
        h.namelen = h.namelen > sizeof addr ? (uint32_t)sizeof addr : h.namelen;
        err = sock_addr_in(t, h.name, h.namelen, &addr);
        msg.name = &addr;
        msg.name_len = h.namelen;
    }
    if (!err && h.controllen > INT32_MAX) {
        err = -ENOBUFS;
    }
    /* What an earlier attempt sent took the descriptors along. */
    uint64_t control = t->call.progress ? 0 : h.controllen;
    err = err ? err : cmsg_parse(t, sk, gaddr_of(h.control), control, &msg.scm, &info);
    struct sysret r = err ? sys_done(err) : send_loop(t, f, sk, &msg);
    scm_free(t->m, msg.scm);
    kfree(t->m, segs);
    return r;
}

struct sysret sys_sendmsg(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int err = sock_arg(t, a->a[0], &f, &sk);
    return err ? sys_done(err) : send_one(t, f, sk, gaddr_of(a->a[1]), (uint32_t)a->a[2]);
}

struct sysret sys_sendmmsg(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int err = sock_arg(t, a->a[0], &f, &sk);
    uint64_t n = min_u64(a->a[2] & UINT32_MAX, MMSG_MAX);
    uint64_t *done = &t->call.scratch[0];
    while (!err && *done < n) {
        gaddr at = gaddr_of(a->a[1] + *done * sizeof(struct abi_mmsghdr));
        struct sysret r = send_one(t, f, sk, at, (uint32_t)a->a[3]);
        if (r.kind == SYSRET_BLOCK) {
            return *done ? sys_block_or((int64_t)*done) : r;
        }
        if (r.value < 0) {
            err = (int)r.value;
            break;
        }
        t->call.progress = 0;
        t->call.deadline = 0;
        err =
            user_write_u32(t, gaddr_add(at, offsetof(struct abi_mmsghdr, len)), (uint32_t)r.value);
        *done += err ? 0 : 1;
    }
    return sys_done(*done ? (int64_t)*done : err);
}

/* --- receiving ---------------------------------------------------------------------------------
 */

/* Streams go on until MSG_WAITALL or SO_RCVLOWAT is satisfied. Messages end with the first. */
static struct sysret recv_loop(struct task *t, struct file *f, struct sock *sk,
                               struct sock_msg *msg)
{
    bool nonblock = (msg->flags & ABI_MSG_DONTWAIT) || (f->flags & O_NONBLOCK);
    bool peek = msg->flags & ABI_MSG_PEEK;
    uint64_t total = msg->uio->left, before = t->call.progress;
    uint64_t target = msg->flags & ABI_MSG_WAITALL ? total : min_u64(sk->rcvlowat, total);
    uio_advance(msg->uio, before);
    for (;;) {
        if (t->call.progress && (sk->err || msg->uio->left == 0)) {
            return sys_done((int64_t)t->call.progress);
        }
        int64_t n = sock_recv(t, sk, msg);
        if (n == -EAGAIN && !nonblock && !(msg->flags & ABI_MSG_ERRQUEUE)) {
            int64_t late = t->call.progress ? (int64_t)t->call.progress : -EAGAIN;
            return sock_wait(t, sk, ABI_POLLIN, sk->rcvtimeo_ns, late);
        }
        if (n < 0) {
            return sys_done(t->call.progress ? (int64_t)t->call.progress : n);
        }
        if (!sk->ops->stream || peek) {
            return sys_done(n);
        }
        t->call.progress += (uint64_t)n;
        if (n == 0 || nonblock || t->call.progress >= target) {
            return sys_done((int64_t)t->call.progress);
        }
    }
}

struct sysret sys_recvfrom(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    struct uio u;
    union abi_sockaddr addr;
    struct sock_msg msg = {.uio = &u, .flags = (uint32_t)a->a[3]};
    if (!gaddr_range_ok(gaddr_of(a->a[1]), min_u64(a->a[2], LIMIT_IO_BYTES)) && a->a[2]) {
        return sys_done(-EFAULT);
    }
    int err = sock_arg(t, a->a[0], &f, &sk);
    if (err) {
        return sys_done(err);
    }
    msg.name = a->a[4] ? &addr : NULL;
    uio_init_user(&u, t, gaddr_of(a->a[1]), min_u64(a->a[2], LIMIT_IO_BYTES));
    struct sysret r = recv_loop(t, f, sk, &msg);
    if (r.kind == SYSRET_DONE && r.value >= 0 && a->a[4]) {
        err = sock_addr_out(t, a->a[4], a->a[5], &addr, msg.name_len);
        r = err ? sys_done(err) : r;
    }
    return r;
}

/* What recvmsg reports besides the bytes (____sys_recvmsg). */
static int store_header(struct task *t, gaddr at, const struct abi_msghdr *h,
                        const struct sock_msg *msg, const struct cmsg_out *ctl)
{
    uint32_t flags = msg->out_flags | (ctl->truncated ? ABI_MSG_CTRUNC : 0) |
                     (msg->flags & ABI_MSG_CMSG_CLOEXEC);
    int err = 0;
    if (msg->name) {
        err = sock_addr_out(t, h->name, at.va + offsetof(struct abi_msghdr, namelen), msg->name,
                            msg->name_len);
    }
    err = err ? err : user_write_u32(t, gaddr_add(at, offsetof(struct abi_msghdr, flags)), flags);
    return err ? err
               : user_write_u64(t, gaddr_add(at, offsetof(struct abi_msghdr, controllen)),
                                ctl->used);
}

static struct sysret recv_one(struct task *t, struct file *f, struct sock *sk, gaddr at,
                              uint32_t flags)
{
    struct abi_msghdr h;
    struct uio_seg *segs;
    struct uio u;
    union abi_sockaddr addr;
    int err = load_header(t, at, &h, &segs, &u);
    if (err) {
        kfree(t->m, segs);
        return sys_done(err);
    }
    struct cmsg_out ctl = {
        .task = t, .at = gaddr_of(h.control), .cap = h.control ? h.controllen : 0};
    struct sock_msg msg = {.uio = &u, .flags = flags, .ctl = &ctl, .name = h.name ? &addr : NULL};
    struct sysret r = recv_loop(t, f, sk, &msg);
    if (r.kind == SYSRET_DONE && r.value >= 0) {
        err = store_header(t, at, &h, &msg, &ctl);
        r = err ? sys_done(err) : r;
    }
    kfree(t->m, segs);
    return r;
}

struct sysret sys_recvmsg(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    int err = sock_arg(t, a->a[0], &f, &sk);
    return err ? sys_done(err) : recv_one(t, f, sk, gaddr_of(a->a[1]), (uint32_t)a->a[2]);
}

/* The time-out is looked at after each message only, as on Linux (recvmmsg(2), BUGS). */
static int mmsg_deadline(struct task *t, uint64_t at)
{
    struct abi_timespec ts;
    if (!at || t->call.scratch[1]) {
        return 0;
    }
    int err = user_read(t, &ts, gaddr_of(at), sizeof ts);
    if (err) {
        return err;
    }
    if (!timespec_valid(&ts)) {
        return -EINVAL;
    }
    t->call.scratch[1] = max_u64(machine_now(t->m) + timespec_ns(&ts), 1);
    return 0;
}

static int mmsg_time_left(struct task *t, uint64_t at)
{
    if (!at) {
        return 0;
    }
    vtime now = machine_now(t->m), end = t->call.scratch[1];
    struct abi_timespec ts = timespec_of_ns(end > now ? end - now : 0);
    return user_write(t, gaddr_of(at), &ts, sizeof ts);
}

struct sysret sys_recvmmsg(struct task *t, const struct sysargs *a)
{
    struct file *f;
    struct sock *sk;
    uint64_t n = min_u64(a->a[2] & UINT32_MAX, MMSG_MAX);
    uint64_t *done = &t->call.scratch[0];
    uint32_t flags = (uint32_t)a->a[3];
    int err = mmsg_deadline(t, a->a[4]);
    err = err ? err : sock_arg(t, a->a[0], &f, &sk);
    while (!err && *done < n) {
        gaddr at = gaddr_of(a->a[1] + *done * sizeof(struct abi_mmsghdr));
        uint32_t now_flags =
            *done && (flags & ABI_MSG_WAITFORONE) ? flags | ABI_MSG_DONTWAIT : flags;
        struct sysret r = recv_one(t, f, sk, at, now_flags & ~ABI_MSG_WAITFORONE);
        if (r.kind == SYSRET_BLOCK) {
            return *done ? sys_block_or((int64_t)*done) : r;
        }
        if (r.value < 0) {
            err = (int)r.value;
            break;
        }
        t->call.progress = 0;
        err =
            user_write_u32(t, gaddr_add(at, offsetof(struct abi_mmsghdr, len)), (uint32_t)r.value);
        *done += err ? 0 : 1;
        if (t->call.scratch[1] && machine_now(t->m) >= t->call.scratch[1]) {
            break;
        }
    }
    if (*done && mmsg_time_left(t, a->a[4])) {
        return sys_done(-EFAULT);
    }
    return sys_done(*done ? (int64_t)*done : err);
}
