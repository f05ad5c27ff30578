/* Endpoints and ports of AF_INET and AF_INET6 sockets (ip(7), ipv6(7)). */
#include "kernel/net/inet.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"

/* net.ipv4.ip_local_port_range. Ports below 1024 need no capability: Docker sets
 * net.ipv4.ip_unprivileged_port_start to 0. */
#define PORT_LOW  32768u
#define PORT_HIGH 60999u

#define SIN6_LEN_RFC2133 24u

static struct ipaddr any_of(uint16_t family)
{
    return family == ABI_AF_INET ? ip_from_v4(0) : (struct ipaddr){0};
}

void inet_init(struct inet_sock *is, const struct sock_ops *ops, struct netns *ns, uint16_t family,
               uint16_t type, uint16_t protocol)
{
    sock_init(&is->sk, ops, ns, family, type, protocol);
    is->local.addr = is->remote.addr = any_of(family);
    is->ttl = -1;
    is->hops = -1;
    is->mcast_ttl = 1;
    is->mcast_hops = 1;
    is->mcast_loop = true;
    is->mcast_all = true;
    is->mtu_discover = 1; /* IP_PMTUDISC_WANT */
    is->mtu_discover6 = 1;
    is->autoflowlabel = true;
    list_init(&is->errq);
    port_use_init(&is->use);
}

void inet_fini(struct inet_sock *is)
{
    port_release(&is->use);
    sock_purge(is->sk.m, &is->errq);
    kfree(is->sk.m, is->groups);
    kfree(is->sk.m, is->group_ifs);
    sock_fini(&is->sk);
}

/* --- addresses ------------------------------------------------------------------------------- */

int inet_addr_parse(const struct inet_sock *is, const union abi_sockaddr *a, uint32_t len,
                    struct endpoint *out, uint32_t *scope)
{
    *scope = 0;
    bool v6 = is->sk.family == ABI_AF_INET6;
    if (len < sizeof a->family) {
        return -EINVAL;
    }
    if (v6 && a->family == ABI_AF_INET6) {
        if (len < SIN6_LEN_RFC2133) {
            return -EINVAL;
        }
        out->addr = ip_from_bytes16(a->in6.sin6_addr.s6_addr);
        out->port = be16(a->in6.sin6_port);
        if (ip_is_link_local(&out->addr) && len >= sizeof a->in6) {
            *scope = a->in6.sin6_scope_id;
        }
        return 0;
    }
    if (len < sizeof a->in) {
        return -EINVAL;
    }
    /* Datagrams of a dual-stack socket may name an IPv4 address (udpv6_sendmsg). */
    bool dual = v6 && is->sk.type != ABI_SOCK_STREAM && !is->v6only;
    if (a->family != ABI_AF_INET || (v6 && !dual)) {
        return -EAFNOSUPPORT;
    }
    out->addr = ip_from_v4(a->in.sin_addr.s_addr);
    out->port = be16(a->in.sin_port);
    return 0;
}

int inet_addr_format(const struct inet_sock *is, const struct endpoint *e, union abi_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    if (is->sk.family == ABI_AF_INET) {
        out->in.sin_family = ABI_AF_INET;
        out->in.sin_port = be16(e->port);
        out->in.sin_addr.s_addr = e->addr.w[3];
        return sizeof out->in;
    }
    out->in6.sin6_family = ABI_AF_INET6;
    out->in6.sin6_port = be16(e->port);
    memcpy(out->in6.sin6_addr.s6_addr, e->addr.b, 16);
    if (ip_is_link_local(&e->addr)) {
        const struct netif *f = netns_if_of_addr(is->sk.ns, &is->local.addr);
        out->in6.sin6_scope_id = is->sk.bound_if ? is->sk.bound_if : f ? f->index : 2;
    }
    return sizeof out->in6;
}

int inet_getname(struct sock *sk, bool peer, union abi_sockaddr *out)
{
    struct inet_sock *is = inet_of(sk);
    if (peer && is->remote.port == 0) {
        return -ENOTCONN;
    }
    return inet_addr_format(is, peer ? &is->remote : &is->local, out);
}

/* --- ports ----------------------------------------------------------------------------------- */

void port_use_init(struct port_use *u)
{
    *u = (struct port_use){0};
    list_init(&u->link);
}

void port_release(struct port_use *u)
{
    list_del(&u->link);
    u->port = 0;
}

/* Do two wildcard-or-specific addresses receive the same packets? (inet_rcv_saddr_equal) */
static bool addrs_overlap(const struct port_use *a, const struct port_use *b)
{
    bool any_a = ip_is_any(&a->addr), any_b = ip_is_any(&b->addr);
    bool v4_a = ip_is_v4(&a->addr), v4_b = ip_is_v4(&b->addr);
    if (!any_a && !any_b) {
        return ip_eq(&a->addr, &b->addr);
    }
    if (v4_a != v4_b) { /* one is IPv6's wildcard, or an IPv6 address against 0.0.0.0 */
        const struct port_use *v6 = v4_a ? b : a;
        return ip_is_any(&v6->addr) && !v6->v6only;
    }
    return true;
}

static bool ports_conflict(const struct port_use *u, const struct port_use *other, bool tcp)
{
    if (other->port != u->port || !addrs_overlap(u, other)) {
        return false;
    }
    if (u->bound_if && other->bound_if && u->bound_if != other->bound_if) {
        return false;
    }
    if (u->reuseport && other->reuseport && u->uid == other->uid) {
        return false;
    }
    if (u->reuse && other->reuse) {
        return tcp && other->listening;
    }
    return true;
}

/* `u` is a draft for the socket whose current use is `own`. */
static bool port_free(const struct port_use *u, const struct port_use *own, struct list_head *table,
                      bool tcp)
{
    struct list_head *bucket = &table[u->port % PORT_HASH];
    struct port_use *other;
    list_for_each_entry (other, bucket, link) {
        if (other != own && ports_conflict(u, other, tcp)) {
            return false;
        }
    }
    return true;
}

static void use_from_sock(struct inet_sock *is, struct port_use *u)
{
    u->addr = is->local.addr;
    u->family = is->sk.family;
    u->uid = is->sk.uid;
    u->bound_if = is->sk.bound_if;
    u->v6only = is->v6only || (is->sk.family == ABI_AF_INET6 && !ip_is_any(&is->local.addr) &&
                               !ip_is_v4(&is->local.addr));
    u->reuse = (is->sk.flags & SOCK_F_REUSEADDR) != 0;
    u->reuseport = (is->sk.flags & SOCK_F_REUSEPORT) != 0;
}

void port_take(struct inet_sock *is, struct list_head *table, uint16_t port, bool by_bind)
{
    use_from_sock(is, &is->use);
    is->use.port = port;
    is->use.by_bind = by_bind;
    is->local.port = port;
    list_del(&is->use.link);
    list_add_tail(&table[port % PORT_HASH], &is->use.link);
}

/* Linux starts at a random place of the range; here the node's `net` stream says where. */
static uint32_t port_start(struct inet_sock *is)
{
    struct stream *s = &is->sk.ns->node->streams[STREAM_NET];
    return (uint32_t)stream_below(s, PORT_HIGH - PORT_LOW + 1);
}

int port_bind(struct inet_sock *is, struct list_head *table, uint16_t port, bool tcp)
{
    struct port_use probe = is->use;
    use_from_sock(is, &probe);
    if (port) {
        probe.port = port;
        if (!port_free(&probe, &is->use, table, tcp)) {
            return -EADDRINUSE;
        }
        port_take(is, table, port, true);
        return 0;
    }
    const uint32_t range = PORT_HIGH - PORT_LOW + 1;
    uint32_t start = port_start(is);
    for (uint32_t i = 0; i < range; i++) {
        probe.port = (uint16_t)(PORT_LOW + (start + i) % range);
        if (port_free(&probe, &is->use, table, tcp)) {
            port_take(is, table, probe.port, true);
            return 0;
        }
    }
    return -EADDRINUSE;
}

uint16_t port_ephemeral(struct inet_sock *is, bool (*taken)(struct inet_sock *is, uint16_t port))
{
    const uint32_t range = PORT_HIGH - PORT_LOW + 1;
    uint32_t start = port_start(is);
    for (uint32_t i = 0; i < range; i++) {
        uint16_t port = (uint16_t)(PORT_LOW + (start + i) % range);
        if (!taken(is, port)) {
            return port;
        }
    }
    return 0;
}

/* --- bind(2) --------------------------------------------------------------------------------- */

static int bind_addr_check(const struct inet_sock *is, const struct ipaddr *a, uint32_t scope)
{
    const struct netns *ns = is->sk.ns;
    if (is->sk.family == ABI_AF_INET6 && ip_is_v4(a) && is->v6only) {
        return -EINVAL;
    }
    if (ip_is_any(a) || ip_is_multicast(a) || netns_is_broadcast(ns, a)) {
        return 0;
    }
    if (ip_is_link_local(a)) {
        const struct netif *f = netns_if(ns, scope ? scope : is->sk.bound_if);
        if (!f) {
            return -EINVAL; /* ipv6(7): a link-local address needs a scope */
        }
    }
    if (!netns_is_local(ns, a) && !is->freebind && !is->transparent) {
        return -EADDRNOTAVAIL;
    }
    return 0;
}

int inet_bind(struct task *t, struct inet_sock *is, const union abi_sockaddr *a, uint32_t len,
              struct list_head *table, bool tcp)
{
    struct endpoint e;
    uint32_t scope;
    uint32_t need = is->sk.family == ABI_AF_INET ? sizeof a->in : SIN6_LEN_RFC2133;
    if (len < need) {
        return -EINVAL;
    }
    union abi_sockaddr fixed = *a;
    /* Old programs leave sin_family zero: accepted for INADDR_ANY (inet_bind). */
    if (is->sk.family == ABI_AF_INET && a->family == ABI_AF_UNSPEC && a->in.sin_addr.s_addr == 0) {
        fixed.family = ABI_AF_INET;
    }
    if (fixed.family != is->sk.family) {
        return -EAFNOSUPPORT;
    }
    int err = inet_addr_parse(is, &fixed, len, &e, &scope);
    err = err ? err : bind_addr_check(is, &e.addr, scope);
    if (err) {
        return err;
    }
    if (is->local.port || is->remote.port) {
        return -EINVAL;
    }
    if (scope) {
        is->sk.bound_if = scope;
    }
    struct ipaddr before = is->local.addr;
    is->local.addr = e.addr;
    if (table && (e.port || !is->bind_no_port)) {
        err = port_bind(is, table, e.port, tcp);
        if (err) {
            is->local.addr = before;
            return err;
        }
    }
    is->local_by_user = !ip_is_any(&e.addr);
    is->port_by_user = e.port != 0;
    return 0;
}

bool inet_in_group(const struct inet_sock *is, const struct ipaddr *group, uint32_t ifindex)
{
    for (uint32_t i = 0; i < is->group_count; i++) {
        if (ip_eq(&is->groups[i], group) &&
            (is->group_ifs[i] == 0 || is->group_ifs[i] == ifindex || ifindex == NET_LO)) {
            return true;
        }
    }
    return is->mcast_all && ip_is_v4(group) && is->group_count == 0 && ifindex == NET_LO;
}
