/* Sockets as files: creation, reading and writing, readiness, errors (socket(7)). */
#include "kernel/net/sock.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/vfs.h"

#define CAP_NET_RAW 13

/* net.core.rmem_default and wmem_default. */
#define SOCK_BUF_DEFAULT 212992u

void sock_init(struct sock *sk, const struct sock_ops *ops, struct netns *ns, uint16_t family,
               uint16_t type, uint16_t protocol)
{
    sk->ops = ops;
    sk->m = ns->m;
    sk->ns = ns;
    sk->id = ++ns->m->next_file_id;
    sk->family = family;
    sk->type = type;
    sk->protocol = protocol;
    sk->sndbuf = sk->rcvbuf = SOCK_BUF_DEFAULT;
    sk->rcvlowat = 1;
    sk->rcvtimeo_ns = sk->sndtimeo_ns = VTIME_NEVER;
    sk->incoming_cpu = -1;
    sk->max_pacing_rate = UINT64_MAX;
    waitq_init(&sk->wq);
    list_init(&sk->rcvq);
    list_add_tail(&ns->socks, &sk->ns_link);
    struct task *t = ns->m->sched.current;
    sk->uid = t && t->node == ns->node ? t->cred.fsuid : 0;
}

void sock_purge(struct machine *m, struct list_head *q)
{
    while (!list_empty(q)) {
        struct skb *s = list_first_entry(q, struct skb, link);
        list_del(&s->link);
        skb_free(m, s);
    }
}

int64_t sock_copy_message(const struct skb *s, struct sock_msg *msg)
{
    uint64_t n = min_u64(s->len, msg->uio->left);
    int64_t got = n ? uio_copy_to(msg->uio, s->data, n) : 0;
    if (got < 0 || (uint64_t)got < n) {
        return -EFAULT;
    }
    if (s->len <= n) {
        return got;
    }
    msg->out_flags |= ABI_MSG_TRUNC;
    return msg->flags & ABI_MSG_TRUNC ? (int64_t)s->len : got;
}

int64_t sock_peek_message(struct sock *sk, struct sock_msg *msg, struct skb **out)
{
    *out = NULL;
    if (sk->err) {
        return sock_take_error(sk);
    }
    if (list_empty(&sk->rcvq)) {
        return sk->shutdown & SOCK_RCV_SHUTDOWN ? 0 : -EAGAIN;
    }
    *out = list_first_entry(&sk->rcvq, struct skb, link);
    return sock_copy_message(*out, msg);
}

void sock_drop_message(struct sock *sk, struct skb *s)
{
    list_del(&s->link);
    sk->rcvq_bytes -= skb_cost(s->len);
    skb_free(sk->m, s);
}

void sock_fini(struct sock *sk)
{
    list_del(&sk->ns_link);
    sock_purge(sk->m, &sk->rcvq);
    waitq_fini(sk->m, &sk->wq);
}

/* --- readiness ------------------------------------------------------------------------------- */

void sock_wake_readable(struct sock *sk)
{
    sock_wake(sk, ABI_POLLIN | ABI_POLLRDNORM);
}

void sock_wake_writable(struct sock *sk)
{
    sk->nospace = false;
    sock_wake(sk, ABI_POLLOUT | ABI_POLLWRNORM | ABI_POLLWRBAND);
}

void sock_wake_state(struct sock *sk)
{
    sk->nospace = false;
    uint32_t mask = ABI_POLLIN | ABI_POLLRDNORM | ABI_POLLOUT | ABI_POLLWRNORM | ABI_POLLRDHUP;
    if (sk->err) {
        mask |= ABI_POLLERR;
    }
    if (sk->shutdown == SOCK_SHUTDOWN_BOTH) {
        mask |= ABI_POLLHUP;
    }
    sock_wake(sk, mask);
}

void sock_set_error(struct sock *sk, int err)
{
    sk->err = err;
    sock_wake_state(sk);
}

int sock_take_error(struct sock *sk)
{
    int err = sk->err;
    sk->err = 0;
    return -err;
}

/* --- transfers ------------------------------------------------------------------------------- */

int64_t sock_send(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    int64_t n = sk->ops->send(t, sk, msg);
    /* A call that moved something already reports that; the next one learns of the end. */
    if (n == -EPIPE && sk->ops->stream && !(msg->flags & ABI_MSG_NOSIGNAL) &&
        t->call.progress == 0) {
        signal_pipe(t);
    }
    net_flush(sk->m);
    return n;
}

int64_t sock_recv(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    int64_t n = sk->ops->recv(t, sk, msg);
    net_flush(sk->m);
    return n;
}

static int64_t sock_file_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct sock_msg msg = {.uio = to};
    if (to->left == 0) {
        return 0; /* read(2) of nothing neither waits nor takes a message (sock_read_iter) */
    }
    return sock_recv(t, f->priv, &msg);
}

static int64_t sock_file_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct sock_msg msg = {.uio = from};
    return sock_send(t, f->priv, &msg);
}

static uint64_t sock_file_timeout(struct file *f, bool write)
{
    struct sock *sk = f->priv;
    uint64_t ns = write ? sk->sndtimeo_ns : sk->rcvtimeo_ns;
    return ns == VTIME_NEVER ? 0 : max_u64(ns, 1);
}

static uint32_t sock_file_poll(struct file *f)
{
    struct sock *sk = f->priv;
    return sk->ops->poll(sk);
}

static int64_t sock_file_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    return sock_ioctl(t, f->priv, cmd, arg);
}

static void sock_file_release(struct machine *m, struct file *f)
{
    struct sock *sk = f->priv;
    if (sk) {
        sk->file = NULL;
        sk->ino = 0;
        f->priv = NULL;
        f->wq = NULL;
        sk->ops->close(sk);
        net_flush(m);
    }
}

static const struct file_ops sock_file_ops = {
    .name = "socket",
    .read = sock_file_read,
    .write = sock_file_write,
    .poll = sock_file_poll,
    .ioctl = sock_file_ioctl,
    .release = sock_file_release,
    .io_timeout_ns = sock_file_timeout,
};

struct file *sock_file_create(struct sock *sk, uint32_t flags)
{
    struct file *f = file_create(sk->m, &sock_file_ops, O_RDWR | flags);
    f->inode = anon_inode_create(sk->m, "socket", ABI_S_IFSOCK | 0777);
    f->priv = sk;
    f->wq = &sk->wq;
    sk->file = f;
    sk->ino = f->inode->ino;
    return f;
}

struct sock *sock_of_file(const struct file *f)
{
    return f->ops == &sock_file_ops ? f->priv : NULL;
}

/* --- socket(2) ------------------------------------------------------------------------------- */

static int inet_create(struct task *t, uint16_t family, int type, int protocol, struct sock **out)
{
    struct netns *ns = t->node->net;
    int icmp = family == ABI_AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    uint16_t fam = family;
    if (protocol < 0 || protocol >= IPPROTO_MAX) {
        return -EINVAL;
    }
    switch (type) {
    case ABI_SOCK_STREAM:
        if (protocol == 0 || protocol == IPPROTO_TCP) {
            return tcp_create(ns, fam, ABI_SOCK_STREAM, IPPROTO_TCP, out);
        }
        break;
    case ABI_SOCK_DGRAM:
        if (protocol == 0 || protocol == IPPROTO_UDP) {
            return udp_create(ns, fam, ABI_SOCK_DGRAM, IPPROTO_UDP, out);
        }
        if (protocol == icmp) {
            return raw_create(ns, fam, ABI_SOCK_DGRAM, (uint16_t)protocol, out);
        }
        break;
    case ABI_SOCK_RAW:
        if (protocol == 0) {
            return -EPROTONOSUPPORT;
        }
        if (!task_capable(t, CAP_NET_RAW)) {
            return -EPERM;
        }
        return raw_create(ns, fam, ABI_SOCK_RAW, (uint16_t)protocol, out);
    default:
        return -ESOCKTNOSUPPORT;
    }
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != icmp) {
        trace_unknown(t, "socket protocol", (uint64_t)protocol, (uint64_t)type, -EPROTONOSUPPORT);
    }
    return -EPROTONOSUPPORT;
}

static int netlink_family_create(struct task *t, int type, int protocol, struct sock **out)
{
    if (type != ABI_SOCK_RAW && type != ABI_SOCK_DGRAM) {
        return -ESOCKTNOSUPPORT;
    }
    if (protocol != NETLINK_ROUTE) {
        trace_unknown(t, "netlink family", (uint64_t)protocol, 0, -EPROTONOSUPPORT);
        return -EPROTONOSUPPORT;
    }
    return netlink_create(t->node->net, (uint16_t)type, (uint16_t)protocol, out);
}

int sock_create(struct task *t, int family, int type, int protocol, struct sock **out)
{
    if (family < 0 || family >= ABI_AF_MAX) {
        return -EAFNOSUPPORT;
    }
    if (type < 0 || type > ABI_SOCK_PACKET) {
        return -EINVAL;
    }
    switch (family) {
    case ABI_AF_UNIX:
        if (protocol && protocol != ABI_AF_UNIX) {
            return -EPROTONOSUPPORT;
        }
        /* unix(7): SOCK_RAW is another name of SOCK_DGRAM. */
        type = type == ABI_SOCK_RAW ? ABI_SOCK_DGRAM : type;
        if (type != ABI_SOCK_STREAM && type != ABI_SOCK_DGRAM && type != ABI_SOCK_SEQPACKET) {
            return -ESOCKTNOSUPPORT;
        }
        return unix_create(t->node->net, (uint16_t)type, out);
    case ABI_AF_INET:
    case ABI_AF_INET6:
        return inet_create(t, (uint16_t)family, type, protocol, out);
    case ABI_AF_NETLINK:
        return netlink_family_create(t, type, protocol, out);
    case ABI_AF_PACKET:
        if (!task_capable(t, CAP_NET_RAW)) {
            return -EPERM;
        }
        break;
    default:
        break;
    }
    trace_unknown(t, "socket family", (uint64_t)family, (uint64_t)type, -EAFNOSUPPORT);
    return -EAFNOSUPPORT;
}
