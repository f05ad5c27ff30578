/* UDP (udp(7)): datagrams between sockets, to groups and broadcast addresses. */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <linux/udp.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/dns.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

#define UDP_MAX_PAYLOAD 65507u /* IPv4; with IPv6 20 more would fit */

struct udp_sock {
    struct inet_sock inet; /* first */
    bool corked;
    struct skb *cork; /* MSG_MORE and UDP_CORK: what is put together */
    struct endpoint cork_dst;
};

static struct udp_sock *udp_of(struct sock *sk)
{
    return (struct udp_sock *)sk;
}

/* --- bind and connect --------------------------------------------------------------------------
 */

static int udp_bind(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    return inet_bind(t, inet_of(sk), a, len, sk->ns->udp_ports, false);
}

static int udp_autobind(struct inet_sock *is)
{
    return is->local.port ? 0 : port_bind(is, is->sk.ns->udp_ports, 0, false) ? -EAGAIN : 0;
}

static void udp_disconnect(struct inet_sock *is)
{
    is->remote = (struct endpoint){.addr = is->remote.addr};
    if (!is->local_by_user) {
        is->local.addr = is->sk.family == ABI_AF_INET ? ip_from_v4(0) : (struct ipaddr){0};
        is->use.addr = is->local.addr;
    }
    if (!is->port_by_user) {
        port_release(&is->use);
        is->local.port = 0;
    }
}

/* The destination as the kernel means it, and the route there. */
static int resolve_dst(struct inet_sock *is, struct endpoint *e, uint32_t oif, struct route *r)
{
    if (is->sk.family == ABI_AF_INET6 && is->v6only && ip_is_v4(&e->addr)) {
        return -ENETUNREACH;
    }
    if (ip_is_any(&e->addr)) {
        e->addr =
            ip_is_v4(&e->addr) ? ip_from_v4(be32(0x7f000001)) : (struct ipaddr){.b = {[15] = 1}};
    }
    if (!oif) {
        oif = is->sk.bound_if ? is->sk.bound_if : ip_is_multicast(&e->addr) ? is->mcast_if : 0;
    }
    int err = route_lookup(is->sk.ns, &e->addr, oif, r);
    if (err) {
        return err;
    }
    bool all = r->kind == ROUTE_BROADCAST;
    return all && !(is->sk.flags & SOCK_F_BROADCAST) ? -EACCES : 0;
}

static int udp_connect(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct inet_sock *is = inet_of(sk);
    struct endpoint e;
    struct route r;
    uint32_t scope;
    if (len < sizeof a->family) {
        return -EINVAL;
    }
    if (a->family == ABI_AF_UNSPEC) {
        udp_disconnect(is);
        return 0;
    }
    int err = inet_addr_parse(is, a, len, &e, &scope);
    err = err ? err : udp_autobind(is);
    err = err ? err : resolve_dst(is, &e, scope, &r);
    if (err) {
        return err;
    }
    if (ip_is_any(&is->local.addr)) {
        is->local.addr = r.src;
        is->use.addr = r.src;
    }
    is->remote = e;
    return 0;
}

/* --- send --------------------------------------------------------------------------------------
 */

static int send_target(struct inet_sock *is, struct sock_msg *msg, struct endpoint *e,
                       uint32_t *scope)
{
    *scope = 0;
    if (!msg->name || msg->name_len == 0) {
        if (is->remote.port == 0) {
            return -EDESTADDRREQ;
        }
        *e = is->remote;
        return 0;
    }
    int err = inet_addr_parse(is, msg->name, msg->name_len, e, scope);
    if (err == -EAFNOSUPPORT && msg->name->family == ABI_AF_UNSPEC &&
        is->sk.family == ABI_AF_INET) { /* old programs */
        msg->name->family = ABI_AF_INET;
        err = inet_addr_parse(is, msg->name, msg->name_len, e, scope);
    }
    return err ? err : e->port == 0 ? -EINVAL : 0;
}

static struct ipaddr source_of(const struct inet_sock *is, const struct send_info *info,
                               const struct route *r)
{
    if (info && info->has_src) {
        return ip_from_bytes16(info->src);
    }
    bool usable = !ip_is_any(&is->local.addr) && !ip_is_multicast(&is->local.addr) &&
                  !netns_is_broadcast(is->sk.ns, &is->local.addr);
    return usable ? is->local.addr : r->src;
}

static int64_t udp_transmit(struct inet_sock *is, struct skb *s, const struct endpoint *dst,
                            const struct send_info *info, uint32_t scope)
{
    struct route r;
    struct endpoint e = *dst;
    uint32_t oif = info && info->ifindex ? info->ifindex : scope;
    int err = resolve_dst(is, &e, oif, &r);
    if (err) {
        skb_free(is->sk.m, s);
        return err;
    }
    int64_t n = s->len;
    s->proto = IPPROTO_UDP;
    s->src = (struct endpoint){source_of(is, info, &r), is->local.port};
    s->dst = e;
    int ttl = info && info->ttl >= 0 ? info->ttl : ip_is_v4(&e.addr) ? is->ttl : is->hops;
    int tos = info && info->tos >= 0 ? info->tos : ip_is_v4(&e.addr) ? is->tos : is->tclass;
    s->ttl = ttl > 0 ? (uint8_t)ttl : 64;
    s->tos = tos > 0 ? (uint8_t)tos : 0;
    is->sk.ns->mib.udp_out++;
    err = ip_output(is->sk.ns, s, oif ? oif : r.ifindex, false);
    return err ? err : n;
}

/* Puts the payload behind what is corked, or into a fresh skb. */
static int64_t gather(struct udp_sock *us, struct uio *from, struct skb **out)
{
    struct machine *m = us->inet.sk.m;
    uint32_t have = us->cork ? us->cork->len : 0;
    uint64_t n = from->left;
    if (have + n > UDP_MAX_PAYLOAD) {
        return -EMSGSIZE;
    }
    struct skb *s = skb_alloc(m, (uint32_t)(have + n));
    if (have) {
        memcpy(s->data, us->cork->data, have);
    }
    int64_t got = n ? uio_copy_from(from, s->data + have, n) : 0;
    if (got < 0 || (uint64_t)got < n) {
        skb_free(m, s);
        return -EFAULT;
    }
    s->len = have + (uint32_t)n;
    skb_free(m, us->cork);
    us->cork = NULL;
    *out = s;
    return got;
}

static int64_t udp_send(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct udp_sock *us = udp_of(sk);
    struct inet_sock *is = &us->inet;
    struct endpoint e;
    uint32_t scope;
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    if (msg->uio->left > UDP_MAX_PAYLOAD + 20) {
        return -EMSGSIZE;
    }
    int err = send_target(is, msg, &e, &scope);
    err = err ? err : sk->err ? sock_take_error(sk) : 0;
    err = err ? err : sk->shutdown & SOCK_SEND_SHUTDOWN ? -EPIPE : udp_autobind(is);
    if (err) {
        return err;
    }
    if (us->cork) {
        e = us->cork_dst;
    }
    struct skb *s;
    int64_t n = gather(us, msg->uio, &s);
    if (n < 0) {
        return n;
    }
    if (us->corked || (msg->flags & ABI_MSG_MORE)) {
        us->cork = s;
        us->cork_dst = e;
        return n;
    }
    int64_t sent = udp_transmit(is, s, &e, msg->info, scope);
    return sent < 0 ? sent : n;
}

/* --- receive -----------------------------------------------------------------------------------
 */

static bool receives(const struct inet_sock *is, const struct skb *s, int *score)
{
    if (is->local.port != s->dst.port || is->sk.shutdown == SOCK_SHUTDOWN_BOTH) {
        return false;
    }
    bool v4 = ip_is_v4(&s->dst.addr);
    if (v4 ? is->v6only : is->sk.family == ABI_AF_INET) {
        return false;
    }
    *score = (is->sk.family == ABI_AF_INET) == v4 ? 2 : 1;
    if (is->sk.bound_if && is->sk.bound_if != s->ifindex && s->ifindex != NET_LO) {
        return false;
    }
    if (!ip_is_any(&is->local.addr)) {
        if (!ip_eq(&is->local.addr, &s->dst.addr)) {
            return false;
        }
        *score += 4;
    } else if (!v4 && ip_is_v4(&is->local.addr)) {
        return false;
    }
    if (is->remote.port) {
        if (is->remote.port != s->src.port || !ip_eq(&is->remote.addr, &s->src.addr)) {
            return false;
        }
        *score += 4;
    }
    return true;
}

static void udp_queue(struct inet_sock *is, struct skb *s)
{
    struct sock *sk = &is->sk;
    uint32_t cost = skb_cost(s->len);
    if (sk->rcvq_bytes + cost > sk->rcvbuf) {
        sk->drops++;
        sk->ns->mib.udp_rcvbuf_errors++;
        sk->ns->mib.udp_in_errors++;
        skb_free(sk->m, s);
        return;
    }
    sk->ns->mib.udp_in++;
    sk->rcvq_bytes += cost;
    list_add_tail(&sk->rcvq, &s->link);
    sock_wake_readable(sk);
}

/* One copy for every socket that listens to the group or the broadcast. */
static void deliver_many(struct netns *ns, struct skb *s)
{
    struct port_use *u, *tmp;
    list_for_each_entry_safe (u, tmp, &ns->udp_ports[s->dst.port % PORT_HASH], link) {
        struct inet_sock *is = container_of(u, struct inet_sock, use);
        int score;
        if (!receives(is, s, &score)) {
            continue;
        }
        if (ip_is_multicast(&s->dst.addr) && !inet_in_group(is, &s->dst.addr, s->ifindex)) {
            continue;
        }
        struct skb *c = skb_share(ns->m, s, 0, s->len);
        c->proto = s->proto;
        c->src = s->src;
        c->dst = s->dst;
        c->ifindex = s->ifindex;
        c->ttl = s->ttl;
        c->tos = s->tos;
        c->due = s->due;
        udp_queue(is, c);
    }
    skb_free(ns->m, s);
}

static struct inet_sock *udp_find(struct netns *ns, const struct skb *s)
{
    struct inet_sock *best = NULL;
    int best_score = 0;
    uint32_t equals = 0;
    struct port_use *u;
    list_for_each_entry (u, &ns->udp_ports[s->dst.port % PORT_HASH], link) {
        struct inet_sock *is = container_of(u, struct inet_sock, use);
        int score;
        if (!receives(is, s, &score)) {
            continue;
        }
        bool group = best && score == best_score && (is->sk.flags & SOCK_F_REUSEPORT);
        equals = group ? equals + 1 : 1;
        /* SO_REUSEPORT: a hash of the flow picks; otherwise the latest of equals, as on Linux. */
        uint32_t hash = ip_hash(&s->src.addr, (uint64_t)s->src.port << 16 | s->dst.port);
        if (score > best_score || (score == best_score && (!group || hash % equals == 0))) {
            best = is;
            best_score = score;
        }
    }
    return best;
}

void udp_input(struct netns *ns, struct skb *s)
{
    if (ip_is_multicast(&s->dst.addr) || netns_is_broadcast(ns, &s->dst.addr)) {
        deliver_many(ns, s);
        return;
    }
    struct inet_sock *is = udp_find(ns, s);
    if (is) {
        udp_queue(is, s);
        return;
    }
    if (dns_is_server(&s->dst)) {
        dns_udp_input(ns, s);
        return;
    }
    ns->mib.udp_no_ports++;
    icmp_send_error(ns, s, 3, ip_is_v4(&s->dst.addr) ? 3 : 4); /* port unreachable */
    skb_free(ns->m, s);
}

void udp_icmp_error(struct netns *ns, const struct skb *s)
{
    struct port_use *u, *tmp;
    uint16_t port = s->icmp.inner_src.port;
    list_for_each_entry_safe (u, tmp, &ns->udp_ports[port % PORT_HASH], link) {
        struct inet_sock *is = container_of(u, struct inet_sock, use);
        bool peer = is->remote.port == 0 || (is->remote.port == s->icmp.inner_dst.port &&
                                             ip_eq(&is->remote.addr, &s->icmp.inner_dst.addr));
        if (u->port == port && peer &&
            (ip_is_any(&is->local.addr) || ip_eq(&is->local.addr, &s->icmp.inner_src.addr))) {
            inet_icmp_error(is, s);
            return;
        }
    }
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static int udp_shutdown(struct sock *sk, uint32_t how)
{
    sk->shutdown |= how; /* effective even when it is not connected, which is an error too */
    sock_wake_state(sk);
    return inet_of(sk)->remote.port ? 0 : -ENOTCONN;
}

static uint32_t udp_poll(struct sock *sk)
{
    struct inet_sock *is = inet_of(sk);
    uint32_t mask = ABI_POLLOUT | ABI_POLLWRNORM | ABI_POLLWRBAND;
    if (sk->err || !list_empty(&is->errq)) {
        mask |= ABI_POLLERR | (sk->flags & SOCK_F_SELECT_ERR ? ABI_POLLPRI : 0);
    }
    if (sk->shutdown & SOCK_RCV_SHUTDOWN) {
        mask |= ABI_POLLRDHUP | ABI_POLLIN | ABI_POLLRDNORM;
    }
    if (sk->shutdown == SOCK_SHUTDOWN_BOTH) {
        mask |= ABI_POLLHUP;
    }
    if (!list_empty(&sk->rcvq)) {
        mask |= ABI_POLLIN | ABI_POLLRDNORM;
    }
    return mask;
}

static int64_t udp_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    if (cmd == SIOCINQ) {
        uint32_t n = 0;
        if (!list_empty(&sk->rcvq)) {
            n = list_first_entry(&sk->rcvq, struct skb, link)->len;
        }
        return user_write_u32(t, gaddr_of(arg), n);
    }
    if (cmd == SIOCOUTQ) { /* a datagram never waits in its sender's queue */
        return user_write_u32(t, gaddr_of(arg), 0);
    }
    return inet_ioctl(t, sk, cmd, arg);
}

static int udp_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, uint32_t len)
{
    struct udp_sock *us = udp_of(sk);
    if (level != ABI_SOL_UDP) {
        return inet_setopt(t, &us->inet, level, name, val, len);
    }
    int v, err = sock_opt_int(t, val, len, &v);
    if (err) {
        return err;
    }
    switch (name) {
    case UDP_CORK:
        us->corked = v != 0;
        if (!v && us->cork) {
            struct skb *s = us->cork;
            us->cork = NULL;
            udp_transmit(&us->inet, s, &us->cork_dst, NULL, 0);
        }
        return 0;
    case UDP_NO_CHECK6_TX:
    case UDP_NO_CHECK6_RX:
        return 0;
    default: /* UDP_SEGMENT, UDP_GRO: programs fall back to one datagram a call */
        return sock_opt_unknown(t, level, name);
    }
}

static int64_t udp_getopt(struct task *t, struct sock *sk, int level, int name, void *buf,
                          uint32_t cap)
{
    struct udp_sock *us = udp_of(sk);
    if (level != ABI_SOL_UDP) {
        return inet_getopt(t, &us->inet, level, name, buf, cap);
    }
    switch (name) {
    case UDP_CORK:
        return sock_opt_put_int(buf, cap, us->corked);
    case UDP_NO_CHECK6_TX:
    case UDP_NO_CHECK6_RX:
        return sock_opt_put_int(buf, cap, 0);
    default:
        return sock_opt_unknown(t, level, name);
    }
}

static void udp_close(struct sock *sk)
{
    struct machine *m = sk->m;
    skb_free(m, udp_of(sk)->cork);
    inet_fini(inet_of(sk));
    kfree(m, sk);
}

static const struct sock_ops udp_ops = {
    .name = "UDP",
    .bind = udp_bind,
    .connect = udp_connect,
    .getname = inet_getname,
    .send = udp_send,
    .recv = inet_recv_message,
    .shutdown = udp_shutdown,
    .poll = udp_poll,
    .ioctl = udp_ioctl,
    .setopt = udp_setopt,
    .getopt = udp_getopt,
    .close = udp_close,
};

int udp_create(struct netns *ns, uint16_t family, uint16_t type, uint16_t protocol,
               struct sock **out)
{
    struct udp_sock *us = KALLOC(ns->m, struct udp_sock);
    inet_init(&us->inet, &udp_ops, ns, family, type, protocol);
    *out = &us->inet.sk;
    return 0;
}
