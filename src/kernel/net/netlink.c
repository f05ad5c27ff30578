/* AF_NETLINK sockets (netlink(7)): framing, addresses, options. NETLINK_ROUTE is the only family.
 */
#include "kernel/net/netlink.h"

#include <linux/rtnetlink.h>

#include "abi/socket.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/cmsg.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/sock.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

#define NL_BATCH       8192u /* bytes of one datagram of a dump, as NLMSG_GOODSIZE allows */
#define NL_REQUEST_MAX 65536u
#define CAP_NET_ADMIN  12

struct nl_sock {
    struct sock sk; /* first */
    uint32_t portid, groups, peer_portid;
    bool broadcast_error, all_nsid;
    bool bound, strict, cap_ack, ext_ack, pktinfo, no_enobufs, connected;
};

static struct nl_sock *nl_of(struct sock *sk)
{
    return (struct nl_sock *)sk;
}

/* --- building answers --------------------------------------------------------------------------
 */

static struct nlmsghdr *current_head(struct nl_reply *r)
{
    return (struct nlmsghdr *)(void *)(r->cur->data + r->cur->nl.group);
}

void *nl_begin(struct nl_reply *r, uint16_t type, uint16_t flags, uint32_t payload)
{
    if (r->cur && r->cur->len + 2048 > r->cur->cap) {
        list_add_tail(r->queue, &r->cur->link);
        r->cur = NULL;
    }
    if (!r->cur) {
        r->cur = skb_alloc(r->m, NL_BATCH);
    }
    r->cur->nl.group = r->cur->len; /* start of the message being built */
    struct nlmsghdr *h = current_head(r);
    h->nlmsg_type = type;
    h->nlmsg_flags = flags;
    h->nlmsg_seq = r->seq;
    h->nlmsg_pid = r->portid;
    r->cur->len += NLMSG_ALIGN(NLMSG_LENGTH(payload));
    h->nlmsg_len = NLMSG_LENGTH(payload);
    return NLMSG_DATA(h);
}

void nl_attr(struct nl_reply *r, uint16_t type, const void *data, uint32_t len)
{
    ASSERT(r->cur->len + RTA_SPACE(len) <= r->cur->cap);
    struct rtattr *a = (struct rtattr *)(void *)(r->cur->data + r->cur->len);
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(a), data, len);
    r->cur->len += (uint32_t)RTA_SPACE(len);
    struct nlmsghdr *h = current_head(r);
    h->nlmsg_len = r->cur->len - r->cur->nl.group;
}

void nl_end(struct nl_reply *r)
{
    if (r->cur) {
        list_add_tail(r->queue, &r->cur->link);
        r->cur = NULL;
    }
}

void nl_error(struct nl_reply *r, const unsigned char *request, uint32_t len, int err)
{
    struct nlmsghdr h;
    memcpy(&h, request, sizeof h);
    /* The whole request follows an error, only its header an acknowledgement. */
    uint32_t echo = err ? (len < 1024 ? len : (uint32_t)sizeof h) : (uint32_t)sizeof h;
    uint32_t size = (uint32_t)sizeof(int32_t) + echo;
    int32_t *code = nl_begin(r, NLMSG_ERROR, 0, size);
    *code = err;
    memcpy(code + 1, request, echo);
    nl_end(r);
}

void netlink_request(struct nl_reply *r, const unsigned char *msg, uint32_t len, bool admin)
{
    while (len >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr h;
        memcpy(&h, msg, sizeof h);
        if (h.nlmsg_len < sizeof h || h.nlmsg_len > len) {
            return;
        }
        r->seq = h.nlmsg_seq;
        int err = 0;
        /* Only requests, and control messages below NLMSG_MIN_TYPE are ignored. */
        if ((h.nlmsg_flags & NLM_F_REQUEST) && h.nlmsg_type >= NLMSG_MIN_TYPE) {
            bool changes = (h.nlmsg_type - RTM_BASE) % 4 != 2;
            err = changes && !admin
                      ? -EPERM
                      : netlink_route_request(r, h.nlmsg_type, h.nlmsg_flags, msg + sizeof h,
                                              h.nlmsg_len - (uint32_t)sizeof h);
            if (err == -EOPNOTSUPP) {
                r->unknown = h.nlmsg_type;
            }
        }
        nl_end(r);
        if (err || (h.nlmsg_flags & NLM_F_ACK)) {
            nl_error(r, msg, h.nlmsg_len, err);
        }
        uint32_t step = NLMSG_ALIGN(h.nlmsg_len);
        if (step > len) {
            return;
        }
        msg += step;
        len -= step;
    }
}

/* --- socket operations ---------------------------------------------------------------------------
 */

static bool portid_taken(const struct nl_sock *ns, uint32_t portid)
{
    struct sock *sk;
    list_for_each_entry (sk, &ns->sk.ns->socks, ns_link) {
        if (sk->family == ABI_AF_NETLINK && sk->protocol == ns->sk.protocol && nl_of(sk) != ns &&
            nl_of(sk)->bound && nl_of(sk)->portid == portid) {
            return true;
        }
    }
    return false;
}

/* The process id, or when that is taken numbers from the top downwards (netlink_autobind). */
static void autobind(struct task *t, struct nl_sock *ns)
{
    uint32_t portid = (uint32_t)t->process->pid;
    uint32_t rover = (uint32_t)-4096;
    while (portid_taken(ns, portid)) {
        portid = rover--;
    }
    ns->portid = portid;
    ns->bound = true;
}

static int nl_bind(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct nl_sock *ns = nl_of(sk);
    if (len < sizeof a->nl || a->family != ABI_AF_NETLINK) {
        return -EINVAL;
    }
    if (ns->bound) {
        if (a->nl.nl_pid != ns->portid) {
            return -EINVAL;
        }
    } else if (a->nl.nl_pid == 0) {
        autobind(t, ns);
    } else {
        if (portid_taken(ns, a->nl.nl_pid)) {
            return -EADDRINUSE;
        }
        ns->portid = a->nl.nl_pid;
        ns->bound = true;
    }
    ns->groups = a->nl.nl_groups; /* nothing ever changes: no notification comes */
    return 0;
}

static int nl_connect(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct nl_sock *ns = nl_of(sk);
    if (len < sizeof a->family) {
        return -EINVAL;
    }
    if (a->family == ABI_AF_UNSPEC) {
        ns->connected = false;
        return 0;
    }
    if (a->family != ABI_AF_NETLINK || len < sizeof a->nl) {
        return -EINVAL;
    }
    if (!ns->bound) {
        autobind(t, ns);
    }
    ns->connected = true;
    ns->peer_portid = a->nl.nl_pid;
    return 0;
}

static int nl_getname(struct sock *sk, bool peer, union abi_sockaddr *out)
{
    struct nl_sock *ns = nl_of(sk);
    memset(out, 0, sizeof *out);
    out->nl.nl_family = ABI_AF_NETLINK;
    out->nl.nl_pid = peer ? ns->peer_portid : ns->portid;
    out->nl.nl_groups = peer ? 0 : ns->groups;
    return sizeof out->nl;
}

static void queue_answers(struct nl_sock *ns, struct list_head *answers)
{
    while (!list_empty(answers)) {
        struct skb *s = list_first_entry(answers, struct skb, link);
        list_del(&s->link);
        s->nl.portid = 0;
        s->nl.group = 0;
        ns->sk.rcvq_bytes += skb_cost(s->len);
        list_add_tail(&ns->sk.rcvq, &s->link);
        sock_wake_readable(&ns->sk);
    }
}

int netlink_check(const struct file *f)
{
    const struct sock *sk = sock_of_file(f);
    if (!sk) {
        return -ENOTSOCK;
    }
    return sk->family == ABI_AF_NETLINK ? 0 : -EINVAL;
}

void netlink_deliver(struct file *f, const void *data, uint32_t len)
{
    struct nl_sock *ns = nl_of(sock_of_file(f));
    struct list_head one;
    struct skb *s = skb_alloc(ns->sk.m, len);
    memcpy(s->data, data, len);
    s->len = len;
    list_init(&one);
    list_add_tail(&s->link, &one);
    queue_answers(ns, &one);
}

static int64_t nl_send(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct nl_sock *ns = nl_of(sk);
    uint64_t n = msg->uio->left;
    uint32_t to = ns->peer_portid;
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    if (msg->name && msg->name_len) {
        if (msg->name_len < sizeof msg->name->nl || msg->name->family != ABI_AF_NETLINK) {
            return -EINVAL;
        }
        to = msg->name->nl.nl_pid;
    }
    if (!ns->bound) {
        autobind(t, ns);
    }
    if (n > sk->sndbuf - 32 || n > NL_REQUEST_MAX) {
        return -EMSGSIZE;
    }
    if (to != 0) {
        return -ECONNREFUSED; /* only the kernel listens */
    }
    if (sk->rcvq_bytes > sk->rcvbuf) {
        return -ENOBUFS;
    }
    unsigned char *buf = kalloc(sk->m, n ? n : 1);
    int64_t got = n ? uio_copy_from(msg->uio, buf, n) : 0;
    if (got < 0 || (uint64_t)got < n) {
        kfree(sk->m, buf);
        return -EFAULT;
    }
    struct list_head answers;
    list_init(&answers);
    struct nl_reply r = {
        .m = sk->m, .ns = sk->ns, .portid = ns->portid, .strict = ns->strict, .queue = &answers};
    netlink_request(&r, buf, (uint32_t)n, task_capable(t, CAP_NET_ADMIN));
    kfree(sk->m, buf);
    if (r.unknown) {
        trace_unknown(t, "netlink message", r.unknown, 0, -EOPNOTSUPP);
    }
    queue_answers(ns, &answers);
    return (int64_t)n;
}

static int64_t nl_recv(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct nl_sock *ns = nl_of(sk);
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    struct skb *s;
    int64_t result = sock_peek_message(sk, msg, &s);
    if (!s) {
        return result;
    }
    if (result >= 0) {
        if (msg->name) {
            msg->name_len = (uint32_t)nl_getname(sk, true, msg->name);
            msg->name->nl.nl_pid = 0; /* the kernel */
        }
        if (ns->pktinfo && msg->ctl) {
            uint32_t group = 0;
            cmsg_put(msg->ctl, ABI_SOL_NETLINK, NETLINK_PKTINFO, &group, sizeof group);
        }
    }
    if (!(msg->flags & ABI_MSG_PEEK)) {
        sock_drop_message(sk, s);
    }
    return result;
}

static int nl_shutdown(struct sock *sk, uint32_t how)
{
    return -EOPNOTSUPP;
}

static uint32_t nl_poll(struct sock *sk)
{
    uint32_t mask = ABI_POLLOUT | ABI_POLLWRNORM | ABI_POLLWRBAND;
    return list_empty(&sk->rcvq) ? mask : mask | ABI_POLLIN | ABI_POLLRDNORM;
}

static int64_t nl_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    return -ENOIOCTLCMD;
}

static bool *flag_of(struct nl_sock *ns, int name)
{
    switch (name) {
    case NETLINK_PKTINFO:
        return &ns->pktinfo;
    case NETLINK_BROADCAST_ERROR:
        return &ns->broadcast_error;
    case NETLINK_LISTEN_ALL_NSID:
        return &ns->all_nsid;
    case NETLINK_NO_ENOBUFS:
        return &ns->no_enobufs;
    case NETLINK_CAP_ACK:
        return &ns->cap_ack;
    case NETLINK_EXT_ACK:
        return &ns->ext_ack;
    case NETLINK_GET_STRICT_CHK:
        return &ns->strict;
    default:
        return NULL;
    }
}

static int nl_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, uint32_t len)
{
    if (level != ABI_SOL_NETLINK) {
        return -ENOPROTOOPT;
    }
    int v, err = sock_opt_int(t, val, len, &v);
    if (err) {
        return err;
    }
    if (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP) {
        return v > 0 && v < 40 ? 0 : -EINVAL;
    }
    bool *flag = flag_of(nl_of(sk), name);
    if (!flag) {
        return sock_opt_unknown(t, level, name);
    }
    *flag = v != 0;
    return 0;
}

static int64_t nl_getopt(struct task *t, struct sock *sk, int level, int name, void *buf,
                         uint32_t cap)
{
    if (level != ABI_SOL_NETLINK) {
        return -ENOPROTOOPT;
    }
    bool *flag = flag_of(nl_of(sk), name);
    return flag ? sock_opt_put_int(buf, cap, *flag) : sock_opt_unknown(t, level, name);
}

static void nl_close(struct sock *sk)
{
    struct machine *m = sk->m;
    sock_fini(sk);
    kfree(m, sk);
}

static const struct sock_ops netlink_ops = {
    .name = "NETLINK",
    .bind = nl_bind,
    .connect = nl_connect,
    .getname = nl_getname,
    .send = nl_send,
    .recv = nl_recv,
    .shutdown = nl_shutdown,
    .poll = nl_poll,
    .ioctl = nl_ioctl,
    .setopt = nl_setopt,
    .getopt = nl_getopt,
    .close = nl_close,
};

int netlink_create(struct netns *ns, uint16_t type, uint16_t protocol, struct sock **out)
{
    struct nl_sock *nl = KALLOC(ns->m, struct nl_sock);
    sock_init(&nl->sk, &netlink_ops, ns, ABI_AF_NETLINK, type, protocol);
    *out = &nl->sk;
    return 0;
}
