/* SOL_IP and SOL_IPV6 options (ip(7), ipv6(7)). Most describe packets that have no wire form here:
 * they are kept and read back, and those a receiver can see are passed on. */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/task/task.h"

#define CAP_NET_ADMIN 12
#define CAP_NET_RAW   13
#define GROUPS_MAX    20u /* net.ipv4.igmp_max_memberships: ENOBUFS */

#define IPV6_MULTICAST_ALL_OPT 29

struct opt_row {
    int name;
    bool boolean;
    uint32_t offset; /* of a bool or an int in struct inet_sock */
    int min, max;    /* else -EINVAL */
};

#define B(name, field)                                                                             \
    {                                                                                              \
        name, true, offsetof(struct inet_sock, field), INT32_MIN, INT32_MAX                        \
    }
#define I(name, field, low, high)                                                                  \
    {                                                                                              \
        name, false, offsetof(struct inet_sock, field), low, high                                  \
    }

static const struct opt_row rows4[] = {
    I(IP_TOS, tos, 0, 255),
    I(IP_TTL, ttl, -1, 255),
    I(IP_MULTICAST_TTL, mcast_ttl, -1, 255),
    I(IP_MTU_DISCOVER, mtu_discover, 0, 5),
    I(IP_MINTTL, minttl, 0, 255),
    I(IP_UNICAST_IF, unicast_if, INT32_MIN, INT32_MAX),
    B(IP_RECVOPTS, kept[0]),
    B(IP_RETOPTS, kept[1]),
    B(IP_PASSSEC, kept[2]),
    B(IP_CHECKSUM, kept[3]),
    B(IP_RECVERR_RFC4884, kept[4]),
    B(IP_PKTINFO, pktinfo),
    B(IP_RECVERR, recverr),
    B(IP_RECVTTL, recvttl),
    B(IP_RECVTOS, recvtos),
    B(IP_RECVORIGDSTADDR, recvorigdst),
    B(IP_FREEBIND, freebind),
    B(IP_TRANSPARENT, transparent),
    B(IP_HDRINCL, hdrincl),
    B(IP_NODEFRAG, nodefrag),
    B(IP_BIND_ADDRESS_NO_PORT, bind_no_port),
    B(IP_MULTICAST_LOOP, mcast_loop),
    B(IP_MULTICAST_ALL, mcast_all),
};

static const struct opt_row rows6[] = {
    I(IPV6_TCLASS, tclass, -1, 255),
    I(IPV6_UNICAST_HOPS, hops, -1, 255),
    I(IPV6_MULTICAST_HOPS, mcast_hops, -1, 255),
    I(IPV6_MTU_DISCOVER, mtu_discover6, 0, 5),
    I(IPV6_MULTICAST_IF, mcast_if, 0, INT32_MAX),
    B(IPV6_RECVHOPOPTS, kept[0]),
    B(IPV6_RECVRTHDR, kept[1]),
    B(IPV6_RECVDSTOPTS, kept[2]),
    B(IPV6_RECVPATHMTU, kept[3]),
    B(IPV6_DONTFRAG, kept[4]),
    B(IPV6_FLOWINFO_SEND, kept[5]),
    B(IPV6_RECVPKTINFO, pktinfo6),
    B(IPV6_RECVERR, recverr6),
    B(IPV6_RECVTCLASS, recvtclass),
    B(IPV6_RECVHOPLIMIT, recvhoplimit),
    B(IPV6_FREEBIND, freebind),
    B(IPV6_TRANSPARENT, transparent),
    B(IPV6_MULTICAST_LOOP, mcast_loop),
    B(IPV6_MULTICAST_ALL_OPT, mcast_all),
    B(IPV6_AUTOFLOWLABEL, autoflowlabel),
};

static const struct opt_row *row_of(const struct opt_row *rows, size_t n, int name)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].name == name) {
            return &rows[i];
        }
    }
    return NULL;
}

static int row_set(struct inet_sock *is, const struct opt_row *r, int v)
{
    if (v < r->min || v > r->max) {
        return -EINVAL;
    }
    if (r->boolean) {
        *((bool *)((char *)is + r->offset)) = v != 0;
    } else {
        *((int *)((void *)((char *)is + r->offset))) = v;
    }
    return 0;
}

static int row_get(const struct inet_sock *is, const struct opt_row *r)
{
    const char *at = (const char *)is + r->offset;
    return r->boolean ? *(const bool *)at : *(const int *)(const void *)at;
}

/* --- groups ---------------------------------------------------------------------------------- */

static int group_change(struct inet_sock *is, const struct ipaddr *group, uint32_t ifindex,
                        bool join)
{
    struct machine *m = is->sk.m;
    if (!ip_is_multicast(group)) {
        return -EINVAL;
    }
    if (ifindex && !netns_if(is->sk.ns, ifindex)) {
        return -ENODEV;
    }
    for (uint32_t i = 0; i < is->group_count; i++) {
        if (!ip_eq(&is->groups[i], group) || (ifindex && is->group_ifs[i] != ifindex)) {
            continue;
        }
        if (join) {
            return -EADDRINUSE;
        }
        uint32_t last = --is->group_count;
        memmove(&is->groups[i], &is->groups[i + 1], (last - i) * sizeof *is->groups);
        memmove(&is->group_ifs[i], &is->group_ifs[i + 1], (last - i) * sizeof *is->group_ifs);
        return 0;
    }
    if (!join) {
        return -EADDRNOTAVAIL;
    }
    if (is->group_count == GROUPS_MAX) {
        return -ENOBUFS;
    }
    struct route r;
    if (ifindex == 0) {
        int err = route_lookup(is->sk.ns, group, is->mcast_if, &r);
        if (err) {
            return -ENODEV;
        }
        ifindex = r.ifindex;
    }
    is->groups = krealloc(m, is->groups, (is->group_count + 1) * sizeof *is->groups);
    is->group_ifs = krealloc(m, is->group_ifs, (is->group_count + 1) * sizeof *is->group_ifs);
    is->groups[is->group_count] = *group;
    is->group_ifs[is->group_count++] = ifindex;
    return 0;
}

static uint32_t if_by_addr(const struct netns *ns, uint32_t addr)
{
    struct ipaddr a = ip_from_v4(addr);
    const struct netif *f = addr ? netns_if_of_addr(ns, &a) : NULL;
    return f ? f->index : 0;
}

/* struct ip_mreq, ip_mreqn (ip(7)) and ipv6_mreq. */
static int membership(struct task *t, struct inet_sock *is, gaddr val, uint32_t len, bool join)
{
    struct ip_mreqn mr = {0};
    if (len < sizeof(struct ip_mreq)) {
        return -EINVAL;
    }
    int err = user_read(t, &mr, val, len < sizeof mr ? sizeof(struct ip_mreq) : sizeof mr);
    if (err) {
        return err;
    }
    struct ipaddr group = ip_from_v4(mr.imr_multiaddr.s_addr);
    uint32_t ifindex = mr.imr_ifindex > 0 ? (uint32_t)mr.imr_ifindex
                                          : if_by_addr(is->sk.ns, mr.imr_address.s_addr);
    return group_change(is, &group, ifindex, join);
}

static int membership6(struct task *t, struct inet_sock *is, gaddr val, uint32_t len, bool join)
{
    struct ipv6_mreq mr;
    if (len < sizeof mr) {
        return -EINVAL;
    }
    int err = user_read(t, &mr, val, sizeof mr);
    if (err) {
        return err;
    }
    struct ipaddr group = ip_from_bytes16(mr.ipv6mr_multiaddr.s6_addr);
    return group_change(is, &group, (uint32_t)mr.ipv6mr_ifindex, join);
}

/* struct group_req: interface, then a sockaddr_storage. */
static int membership_any(struct task *t, struct inet_sock *is, gaddr val, uint32_t len, bool join)
{
    struct {
        uint32_t ifindex, pad;
        union abi_sockaddr group;
    } gr;
    if (len < sizeof gr) {
        return -EINVAL;
    }
    int err = user_read(t, &gr, val, sizeof gr);
    if (err) {
        return err;
    }
    struct ipaddr group = gr.group.family == ABI_AF_INET6
                              ? ip_from_bytes16(gr.group.in6.sin6_addr.s6_addr)
                              : ip_from_v4(gr.group.in.sin_addr.s_addr);
    return group_change(is, &group, gr.ifindex, join);
}

static int multicast_if(struct task *t, struct inet_sock *is, gaddr val, uint32_t len)
{
    struct ip_mreqn mr = {0};
    if (len < sizeof mr.imr_address) {
        return -EINVAL;
    }
    uint32_t n = len >= sizeof mr                ? sizeof mr
                 : len >= sizeof(struct ip_mreq) ? sizeof(struct ip_mreq)
                                                 : 4;
    void *dst = n == 4 ? (void *)&mr.imr_address : (void *)&mr;
    int err = user_read(t, dst, val, n);
    if (err) {
        return err;
    }
    uint32_t ifindex = mr.imr_ifindex > 0 ? (uint32_t)mr.imr_ifindex
                                          : if_by_addr(is->sk.ns, mr.imr_address.s_addr);
    if (mr.imr_address.s_addr && ifindex == 0) {
        return -EADDRNOTAVAIL;
    }
    is->mcast_if = ifindex;
    return 0;
}

/* --- set ------------------------------------------------------------------------------------- */

static int setopt4(struct task *t, struct inet_sock *is, int name, gaddr val, uint32_t len)
{
    switch (name) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
        if (is->sk.type == ABI_SOCK_STREAM) {
            return -EPROTO;
        }
        return membership(t, is, val, len, name == IP_ADD_MEMBERSHIP);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
        return membership_any(t, is, val, len, name == MCAST_JOIN_GROUP);
    case IP_MULTICAST_IF:
        return multicast_if(t, is, val, len);
    case IP_OPTIONS: /* options make no difference to modelled packets; none is what programs set */
        return len == 0 ? 0 : sock_opt_unknown(t, ABI_SOL_IP, name);
    default:
        break;
    }
    int v = 0, err;
    if (len >= sizeof v) {
        err = user_read(t, &v, val, sizeof v);
    } else if (len >= 1) { /* ip(7): these options take a char as well */
        unsigned char c;
        err = user_read(t, &c, val, 1);
        v = c;
    } else {
        err = -EINVAL;
    }
    if (err) {
        return err;
    }
    const struct opt_row *r = row_of(rows4, ARRAY_LEN(rows4), name);
    if (!r) {
        return sock_opt_unknown(t, ABI_SOL_IP, name);
    }
    if (name == IP_TRANSPARENT && v && !task_capable(t, CAP_NET_RAW) &&
        !task_capable(t, CAP_NET_ADMIN)) {
        return -EPERM;
    }
    if (name == IP_HDRINCL && is->sk.type != ABI_SOCK_RAW) {
        return -ENOPROTOOPT;
    }
    if (name == IP_TTL && v == 0) {
        return -EINVAL;
    }
    bool stream = is->sk.type == ABI_SOCK_STREAM;
    if (name == IP_TOS) { /* the ECN bits of a connection are not the program's */
        return row_set(is, r, v & (stream ? 0xfc : 0xff));
    }
    if ((name == IP_MULTICAST_TTL && stream) ||
        (name == IP_NODEFRAG && is->sk.type != ABI_SOCK_RAW)) {
        return name == IP_NODEFRAG ? -ENOPROTOOPT : -EINVAL;
    }
    return row_set(is, r, v);
}

static int setopt6(struct task *t, struct inet_sock *is, int name, gaddr val, uint32_t len)
{
    int v, err;
    switch (name) {
    case IPV6_ADD_MEMBERSHIP:
    case IPV6_DROP_MEMBERSHIP:
        return membership6(t, is, val, len, name == IPV6_ADD_MEMBERSHIP);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
        return membership_any(t, is, val, len, name == MCAST_JOIN_GROUP);
    default:
        break;
    }
    err = sock_opt_int(t, val, len, &v);
    if (err) {
        return err;
    }
    if (name == IPV6_V6ONLY) {
        if (is->local.port || is->remote.port) {
            return -EINVAL; /* only before bind */
        }
        is->v6only = v != 0;
        return 0;
    }
    const struct opt_row *r = row_of(rows6, ARRAY_LEN(rows6), name);
    return r ? row_set(is, r, v) : sock_opt_unknown(t, ABI_SOL_IPV6, name);
}

int inet_setopt(struct task *t, struct inet_sock *is, int level, int name, gaddr val, uint32_t len)
{
    if (level == ABI_SOL_IP) {
        return setopt4(t, is, name, val, len);
    }
    if (level == ABI_SOL_IPV6 && is->sk.family == ABI_AF_INET6) {
        return setopt6(t, is, name, val, len);
    }
    return -ENOPROTOOPT; /* a level of another protocol */
}

/* --- get ------------------------------------------------------------------------------------- */

static int mtu_of(const struct inet_sock *is)
{
    const struct netif *f = netns_if_of_addr(is->sk.ns, &is->remote.addr);
    /* A packet's length has 16 bits: that bounds loopback (IP_MAX_MTU). */
    return f ? ip_is_v4(&is->remote.addr) ? 65535 : (int)NET_MTU_LO : (int)NET_MTU_ETH;
}

static int64_t put_ip_int(void *buf, uint32_t cap, int v)
{
    if (cap > 0 && cap < sizeof v && v >= 0 && v <= 255) {
        unsigned char c = (unsigned char)v;
        return sock_opt_put(buf, cap, &c, 1);
    }
    return sock_opt_put_int(buf, cap, v);
}

static int64_t getopt4(struct task *t, struct inet_sock *is, int name, void *buf, uint32_t cap)
{
    switch (name) {
    case IP_OPTIONS:
        return 0;
    case IP_MTU:
        return is->remote.port ? put_ip_int(buf, cap, mtu_of(is)) : -ENOTCONN;
    case IP_TTL:
        return put_ip_int(buf, cap, is->ttl < 0 ? 64 : is->ttl);
    case IP_MULTICAST_TTL:
        return put_ip_int(buf, cap, is->mcast_ttl < 0 ? 1 : is->mcast_ttl);
    case IP_MULTICAST_IF: {
        const struct netif *f = netns_if(is->sk.ns, is->mcast_if);
        uint32_t a = f ? f->addr4.w[3] : 0;
        return sock_opt_put(buf, cap, &a, sizeof a);
    }
    default:
        break;
    }
    const struct opt_row *r = row_of(rows4, ARRAY_LEN(rows4), name);
    return r ? put_ip_int(buf, cap, row_get(is, r)) : sock_opt_unknown(t, ABI_SOL_IP, name);
}

static int64_t getopt6(struct task *t, struct inet_sock *is, int name, void *buf, uint32_t cap)
{
    switch (name) {
    case IPV6_V6ONLY:
        return sock_opt_put_int(buf, cap, is->v6only);
    case IPV6_MTU:
        return is->remote.port ? sock_opt_put_int(buf, cap, mtu_of(is)) : -ENOTCONN;
    case IPV6_UNICAST_HOPS:
        return sock_opt_put_int(buf, cap, is->hops < 0 ? 64 : is->hops);
    case IPV6_TCLASS:
        return sock_opt_put_int(buf, cap, is->tclass < 0 ? 0 : is->tclass);
    default:
        break;
    }
    const struct opt_row *r = row_of(rows6, ARRAY_LEN(rows6), name);
    return r ? sock_opt_put_int(buf, cap, row_get(is, r)) : sock_opt_unknown(t, ABI_SOL_IPV6, name);
}

int64_t inet_getopt(struct task *t, struct inet_sock *is, int level, int name, void *buf,
                    uint32_t cap)
{
    if (level == ABI_SOL_IP) {
        return getopt4(t, is, name, buf, cap);
    }
    if (level == ABI_SOL_IPV6 && is->sk.family == ABI_AF_INET6) {
        return getopt6(t, is, name, buf, cap);
    }
    return is->sk.family == ABI_AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT;
}
