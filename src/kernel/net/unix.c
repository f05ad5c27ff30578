/* AF_UNIX: names, connections, life cycle (unix(7)). */
#include "kernel/net/unix.h"

#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"

#define SUN_PATH  offsetof(struct sockaddr_un, sun_path)
#define AT_FDCWD_ (-100)

/* --- names -------------------------------------------------------------------------------------
 */

/* Takes sun_path from an address: its length without the family; pathnames end with one NUL. */
static int take_name(const union abi_sockaddr *a, uint32_t len, uint8_t name[109], uint32_t *n)
{
    if (len <= SUN_PATH || len > sizeof a->un) {
        return -EINVAL;
    }
    if (a->family != ABI_AF_UNIX) {
        return -EINVAL;
    }
    *n = len - (uint32_t)SUN_PATH;
    memset(name, 0, 109);
    memcpy(name, a->un.sun_path, *n);
    if (name[0]) {
        *n = (uint32_t)str_nlen((const char *)name, *n) + 1; /* bytes after a NUL do not count */
    }
    return 0;
}

static struct unix_sock *find_abstract(const struct netns *ns, const uint8_t *name, uint32_t n)
{
    struct unix_sock *us;
    list_for_each_entry (us, &ns->abstract, abstract_link) {
        if (us->name_len == n && memcmp(us->name, name, n) == 0) {
            return us;
        }
    }
    return NULL;
}

static int find_path(struct task *t, const char *path, struct unix_sock **out)
{
    struct path p;
    int err = vfs_lookup(t, AT_FDCWD_, path, LOOKUP_FOLLOW, &p);
    if (err) {
        return err;
    }
    err = vfs_permission(t, &p, 2);
    struct inode *i = p.dentry->inode;
    if (!err && ((i->mode & ABI_S_IFMT) != ABI_S_IFSOCK || !i->socket)) {
        err = -ECONNREFUSED;
    }
    *out = err ? NULL : i->socket;
    path_put(&p);
    return err;
}

int unix_find(struct task *t, struct unix_sock *us, const union abi_sockaddr *a, uint32_t len,
              struct unix_sock **out)
{
    uint8_t name[109];
    uint32_t n;
    int err = take_name(a, len, name, &n);
    if (err) {
        return err;
    }
    if (name[0]) {
        err = find_path(t, (const char *)name, out);
    } else {
        *out = find_abstract(us->sk.ns, name, n);
        err = *out ? 0 : -ECONNREFUSED;
    }
    if (!err && (*out)->sk.type != us->sk.type) {
        err = -EPROTOTYPE;
    }
    return err;
}

static void set_name(struct unix_sock *us, const uint8_t *name, uint32_t n)
{
    memcpy(us->name, name, n < sizeof us->name ? n : sizeof us->name);
    us->name_len = n;
    us->abstract = name[0] == 0;
    if (us->abstract) {
        list_add_tail(&us->sk.ns->abstract, &us->abstract_link);
    }
}

static int bind_path(struct task *t, struct unix_sock *us, const char *path)
{
    struct walk *w = KALLOC(t->m, struct walk);
    struct path p;
    int err = walk_init(w, t, AT_FDCWD_, path, 0);
    if (!err) {
        err = tree_mknod(w, ABI_S_IFSOCK | 0777, 0, 0);
        walk_fini(w);
    }
    kfree(t->m, w);
    if (!err) {
        err = vfs_lookup(t, AT_FDCWD_, path, 0, &p);
    }
    if (err) {
        return err == -EEXIST ? -EADDRINUSE : err;
    }
    us->inode = inode_get(p.dentry->inode);
    us->inode->socket = us;
    path_put(&p);
    return 0;
}

/* unix(7): five hexadecimal digits in the abstract name space; the first free ones here. */
int unix_autobind(struct unix_sock *us)
{
    for (uint32_t i = 0; us->name_len == 0; i++) {
        char name[7] = {0};
        if (i > 0xfffff) {
            return -ENOSPC;
        }
        str_format(name + 1, sizeof name - 1, "%05x", i);
        if (!find_abstract(us->sk.ns, (const uint8_t *)name, 6)) {
            set_name(us, (const uint8_t *)name, 6);
        }
    }
    return 0;
}

/* Linux makes the file first and finds out then that the socket has a name. */
static int bound_twice(struct task *t, const char *path)
{
    struct path p;
    int err = vfs_lookup(t, AT_FDCWD_, path, 0, &p);
    if (err) {
        return err == -ENOENT ? -EINVAL : err;
    }
    path_put(&p);
    return -EADDRINUSE;
}

static int unix_bind(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct unix_sock *us = unix_of(sk);
    uint8_t name[109];
    uint32_t n;
    if (len == SUN_PATH && a->family == ABI_AF_UNIX) {
        return unix_autobind(us);
    }
    int err = take_name(a, len, name, &n);
    if (err) {
        return err;
    }
    if (us->name_len) {
        return name[0] ? bound_twice(t, (const char *)name) : -EINVAL;
    }
    if (name[0]) {
        err = bind_path(t, us, (const char *)name);
        if (err) {
            return err;
        }
    } else if (find_abstract(sk->ns, name, n)) {
        return -EADDRINUSE;
    }
    set_name(us, name, n);
    return 0;
}

int unix_name_format(const struct unix_sock *us, union abi_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    out->un.sun_family = ABI_AF_UNIX;
    memcpy(out->un.sun_path, us->name,
           us->name_len < sizeof out->un.sun_path ? us->name_len : sizeof out->un.sun_path);
    return (int)(SUN_PATH + us->name_len);
}

static int unix_getname(struct sock *sk, bool peer, union abi_sockaddr *out)
{
    struct unix_sock *us = unix_of(sk);
    if (peer && !us->peer) {
        return -ENOTCONN;
    }
    return unix_name_format(peer ? us->peer : us, out);
}

/* --- references --------------------------------------------------------------------------------
 */

void unix_put(struct unix_sock *us)
{
    ASSERT(us->refs > 0);
    if (--us->refs == 0) {
        ASSERT(us->dead);
        kfree(us->sk.m, us);
    }
}

void unix_disconnect(struct unix_sock *us)
{
    struct unix_sock *p = us->peer;
    if (p) {
        us->peer = NULL;
        list_del(&us->sender_link);
        unix_put(p);
    }
}

static void set_peer(struct unix_sock *us, struct unix_sock *peer)
{
    us->peer = unix_get(peer);
    if (us->sk.type == ABI_SOCK_DGRAM) {
        list_add_tail(&peer->senders, &us->sender_link);
    }
}

void unix_cred_of(struct task *t, struct abi_ucred *c)
{
    *c = (struct abi_ucred){t->process->pid, t->cred.euid, t->cred.egid};
}

/* --- connections ---------------------------------------------------------------------------------
 */

static int unix_listen(struct task *t, struct sock *sk, int backlog)
{
    struct unix_sock *us = unix_of(sk);
    if (sk->type == ABI_SOCK_DGRAM) {
        return -EOPNOTSUPP;
    }
    if (us->name_len == 0 || us->state == UNIX_CONNECTED) {
        return -EINVAL;
    }
    uint32_t n = (uint32_t)backlog;
    bool more = n > us->backlog;
    us->backlog = n < ABI_SOMAXCONN ? n : ABI_SOMAXCONN;
    us->state = UNIX_LISTEN;
    sk->listening = true;
    unix_cred_of(t, &us->cred);
    us->peer_cred = us->cred;
    us->has_peer_cred = true;
    if (more) {
        sock_wake_writable(sk);
    }
    return 0;
}

static struct unix_sock *unix_alloc(struct netns *ns, uint16_t type);

static int connect_stream(struct task *t, struct unix_sock *us, struct unix_sock *lp)
{
    if (us->state == UNIX_LISTEN) {
        return -EINVAL;
    }
    if (lp->state != UNIX_LISTEN || (lp->sk.shutdown & SOCK_RCV_SHUTDOWN)) {
        return -ECONNREFUSED;
    }
    if (lp->accept_len > lp->backlog) {
        task_wait_on(t, &lp->sk.wq, ABI_POLLOUT | ABI_POLLHUP);
        return -EAGAIN;
    }
    struct unix_sock *c = unix_alloc(lp->sk.ns, us->sk.type);
    c->sk.flags |= lp->sk.flags & SOCK_F_PASSCRED;
    c->sk.uid = lp->sk.uid;
    memcpy(c->name, lp->name, sizeof c->name);
    c->name_len = lp->name_len; /* getsockname of the accepted end shows the listener's name */
    c->state = us->state = UNIX_CONNECTED;
    unix_cred_of(t, &us->cred);
    c->peer_cred = us->cred;
    us->peer_cred = lp->cred;
    c->has_peer_cred = us->has_peer_cred = true;
    set_peer(c, us);
    set_peer(us, c);
    c->listener = lp;
    list_add_tail(&lp->acceptq, &c->queue_link);
    lp->accept_len++;
    sock_wake_readable(&lp->sk);
    return 0;
}

static int connect_dgram(struct task *t, struct unix_sock *us, const union abi_sockaddr *a,
                         uint32_t len)
{
    struct unix_sock *to;
    if (a->family == ABI_AF_UNSPEC) {
        unix_disconnect(us);
        us->state = UNIX_CLOSE;
        return 0;
    }
    if ((us->sk.flags & SOCK_F_PASSCRED) && us->name_len == 0) {
        int err = unix_autobind(us);
        if (err) {
            return err;
        }
    }
    int err = unix_find(t, us, a, len, &to);
    if (err) {
        return err;
    }
    if (to->peer && to->peer != us) {
        return -EPERM; /* unix_may_send */
    }
    unix_disconnect(us);
    set_peer(us, to);
    us->state = UNIX_CONNECTED;
    return 0;
}

static int unix_connect(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct unix_sock *us = unix_of(sk), *lp;
    if (len < sizeof a->family) {
        return -EINVAL;
    }
    if (sk->type == ABI_SOCK_DGRAM) {
        return connect_dgram(t, us, a, len);
    }
    if (us->state == UNIX_CONNECTED) {
        return -EISCONN;
    }
    if ((sk->flags & SOCK_F_PASSCRED) && us->name_len == 0) {
        int err = unix_autobind(us);
        if (err) {
            return err;
        }
    }
    int err = unix_find(t, us, a, len, &lp);
    return err ? err : connect_stream(t, us, lp);
}

static int unix_accept(struct task *t, struct sock *sk, struct sock **out)
{
    struct unix_sock *lp = unix_of(sk);
    if (lp->state != UNIX_LISTEN) {
        return -EINVAL;
    }
    if (list_empty(&lp->acceptq)) {
        return sk->shutdown & SOCK_RCV_SHUTDOWN ? -EINVAL : -EAGAIN;
    }
    struct unix_sock *c = list_first_entry(&lp->acceptq, struct unix_sock, queue_link);
    list_del(&c->queue_link);
    c->listener = NULL;
    lp->accept_len--;
    sock_wake_writable(sk); /* somebody may connect now */
    *out = &c->sk;
    return 0;
}

bool unix_socketpair(struct task *t, struct sock *a, struct sock *b)
{
    if (a->family != ABI_AF_UNIX) {
        return false;
    }
    struct unix_sock *x = unix_of(a), *y = unix_of(b);
    unix_cred_of(t, &x->cred);
    y->cred = x->peer_cred = y->peer_cred = x->cred;
    x->has_peer_cred = y->has_peer_cred = true;
    set_peer(x, y);
    set_peer(y, x);
    x->state = y->state = UNIX_CONNECTED;
    return true;
}

static int unix_shutdown(struct sock *sk, uint32_t how)
{
    struct unix_sock *us = unix_of(sk), *p = us->peer;
    if (us->state != UNIX_CONNECTED && sk->type != ABI_SOCK_DGRAM && us->state != UNIX_LISTEN) {
        return 0; /* Linux does not mind (unix_shutdown) */
    }
    sk->shutdown |= how;
    if (p && sk->type != ABI_SOCK_DGRAM) {
        uint32_t theirs = (how & SOCK_SEND_SHUTDOWN ? SOCK_RCV_SHUTDOWN : 0) |
                          (how & SOCK_RCV_SHUTDOWN ? SOCK_SEND_SHUTDOWN : 0);
        p->sk.shutdown |= theirs;
        sock_wake_state(&p->sk);
    }
    sock_wake_state(sk);
    return 0;
}

/* --- end -----------------------------------------------------------------------------------------
 */

static void unix_close(struct sock *sk);

static void close_listener(struct unix_sock *us)
{
    while (!list_empty(&us->acceptq)) {
        struct unix_sock *c = list_first_entry(&us->acceptq, struct unix_sock, queue_link);
        list_del(&c->queue_link);
        c->listener = NULL;
        us->accept_len--;
        if (c->peer) {
            c->peer->sk.err = ECONNRESET; /* nobody took the connection */
        }
        unix_close(&c->sk);
    }
}

static void unix_close(struct sock *sk)
{
    struct unix_sock *us = unix_of(sk), *p = us->peer;
    struct machine *m = sk->m;
    us->dead = true;
    close_listener(us);
    us->state = UNIX_CLOSE;
    sk->listening = false;
    if (us->inode) {
        us->inode->socket = NULL;
        inode_put(us->inode);
        us->inode = NULL;
    }
    list_del(&us->abstract_link);
    bool unread = !list_empty(&sk->rcvq);
    if (p && sk->type != ABI_SOCK_DGRAM) {
        p->sk.shutdown = SOCK_SHUTDOWN_BOTH;
        if (unread) {
            p->sk.err = ECONNRESET;
        }
        sock_wake_state(&p->sk);
    }
    struct unix_sock *s, *tmp;
    list_for_each_entry_safe (s, tmp, &us->senders, sender_link) {
        list_del(&s->sender_link); /* keeps its reference: its next send finds out */
        sock_wake_writable(&s->sk);
    }
    unix_disconnect(us);
    unix_purge(us);
    list_del(&us->all_link);
    list_del(&us->sk.ns_link);
    waitq_fini(m, &sk->wq);
    unix_put(us);
    unix_gc(m);
}

/* --- options and ioctls --------------------------------------------------------------------------
 */

static int unix_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val,
                       uint32_t len)
{
    return -EOPNOTSUPP;
}

static int64_t unix_getopt(struct task *t, struct sock *sk, int level, int name, void *buf,
                           uint32_t cap)
{
    struct unix_sock *us = unix_of(sk);
    if (level != SOL_SOCKET) {
        return -EOPNOTSUPP;
    }
    if (name == SO_PEERCRED) {
        struct abi_ucred none = {0, UINT32_MAX, UINT32_MAX};
        return sock_opt_put(buf, cap, us->has_peer_cred ? &us->peer_cred : &none, sizeof none);
    }
    return us->has_peer_cred ? 0 : -ENODATA; /* SO_PEERGROUPS: no supplementary groups kept */
}

static int64_t unix_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    struct unix_sock *us = unix_of(sk);
    uint64_t v;
    switch (cmd) {
    case SIOCOUTQ:
        v = us->wmem;
        break;
    case SIOCINQ:
        if (us->state == UNIX_LISTEN) {
            return -EINVAL;
        }
        v = us->stream_bytes;
        if (sk->type != ABI_SOCK_STREAM) {
            v = list_empty(&sk->rcvq) ? 0 : list_first_entry(&sk->rcvq, struct skb, link)->len;
        }
        break;
    default:
        return -ENOIOCTLCMD;
    }
    return user_write_u32(t, gaddr_of(arg), (uint32_t)v);
}

static const struct sock_ops unix_stream_ops = {
    .name = "UNIX-STREAM",
    .bind = unix_bind,
    .listen = unix_listen,
    .connect = unix_connect,
    .accept = unix_accept,
    .getname = unix_getname,
    .send = unix_send,
    .recv = unix_recv,
    .shutdown = unix_shutdown,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .setopt = unix_setopt,
    .getopt = unix_getopt,
    .close = unix_close,
    .stream = true,
};

static const struct sock_ops unix_message_ops = {
    .name = "UNIX",
    .bind = unix_bind,
    .listen = unix_listen,
    .connect = unix_connect,
    .accept = unix_accept,
    .getname = unix_getname,
    .send = unix_send,
    .recv = unix_recv,
    .shutdown = unix_shutdown,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .setopt = unix_setopt,
    .getopt = unix_getopt,
    .close = unix_close,
};

static struct unix_sock *unix_alloc(struct netns *ns, uint16_t type)
{
    struct unix_sock *us = KALLOC(ns->m, struct unix_sock);
    sock_init(&us->sk, type == ABI_SOCK_STREAM ? &unix_stream_ops : &unix_message_ops, ns,
              ABI_AF_UNIX, type, 0);
    us->refs = 1;
    list_init(&us->abstract_link);
    list_init(&us->senders);
    list_init(&us->sender_link);
    list_init(&us->acceptq);
    list_init(&us->queue_link);
    list_add_tail(&ns->m->net->unix_socks, &us->all_link);
    return us;
}

int unix_create(struct netns *ns, uint16_t type, struct sock **out)
{
    *out = &unix_alloc(ns, type)->sk;
    return 0;
}
