/* rtnetlink(7): links, addresses, routes and neighbours as glibc, Go, iproute2 and BEAM ask for
 * them. */
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "abi/socket.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netlink.h"
#include "kernel/net/netns.h"
#include "kernel/node.h"

struct route_row {
    bool v4;
    struct ipaddr dst;
    uint32_t bits;
    bool has_gateway, has_src, has_dst;
    struct ipaddr gateway, src;
    uint32_t oif, metric;
    uint8_t table, scope, type, protocol;
};

static const unsigned char *addr_bytes(const struct ipaddr *a, bool v4)
{
    return v4 ? a->b + 12 : a->b;
}

static uint32_t addr_len(bool v4)
{
    return v4 ? 4 : 16;
}

static void put_u32(struct nl_reply *r, uint16_t type, uint32_t v)
{
    nl_attr(r, type, &v, sizeof v);
}

static void put_str(struct nl_reply *r, uint16_t type, const char *s)
{
    nl_attr(r, type, s, (uint32_t)str_len(s) + 1);
}

static void dump_done(struct nl_reply *r)
{
    int32_t *code = nl_begin(r, NLMSG_DONE, NLM_F_MULTI, sizeof *code);
    *code = 0;
}

/* --- links -------------------------------------------------------------------------------------
 */

static void put_link(struct nl_reply *r, const struct netif *f, uint16_t flags)
{
    bool lo = f->index == NET_LO;
    struct ifinfomsg *i = nl_begin(r, RTM_NEWLINK, flags, sizeof *i);
    i->ifi_family = ABI_AF_UNSPEC;
    i->ifi_type = lo ? ABI_ARPHRD_LOOPBACK : ABI_ARPHRD_ETHER;
    i->ifi_index = (int)f->index;
    i->ifi_flags = f->flags;
    put_str(r, IFLA_IFNAME, f->name);
    put_u32(r, IFLA_TXQLEN, lo ? 1000 : 0);
    uint8_t state = lo ? 0 : 6, mode = 0; /* IF_OPER_UNKNOWN, IF_OPER_UP */
    nl_attr(r, IFLA_OPERSTATE, &state, 1);
    nl_attr(r, IFLA_LINKMODE, &mode, 1);
    put_u32(r, IFLA_MTU, f->mtu);
    put_u32(r, IFLA_GROUP, 0);
    put_u32(r, IFLA_NUM_TX_QUEUES, 1);
    put_u32(r, IFLA_NUM_RX_QUEUES, 1);
    put_str(r, IFLA_QDISC, "noqueue");
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t none[6];
    nl_attr(r, IFLA_ADDRESS, f->mac, sizeof f->mac);
    nl_attr(r, IFLA_BROADCAST, lo ? none : broadcast, 6);
    struct rtnl_link_stats64 st = {0};
    st.rx_packets = f->rx_packets;
    st.rx_bytes = f->rx_bytes;
    st.tx_packets = f->tx_packets;
    st.tx_bytes = f->tx_bytes;
    nl_attr(r, IFLA_STATS64, &st, sizeof st);
}

static const char *find_attr(const unsigned char *p, uint32_t len, uint16_t type, uint32_t *alen)
{
    while (len >= sizeof(struct rtattr)) {
        struct rtattr a;
        memcpy(&a, p, sizeof a);
        if (a.rta_len < sizeof a || a.rta_len > len) {
            return NULL;
        }
        if ((a.rta_type & NLA_TYPE_MASK) == type) {
            *alen = a.rta_len - (uint32_t)sizeof a;
            return (const char *)p + sizeof a;
        }
        uint32_t step = RTA_ALIGN(a.rta_len);
        if (step > len) {
            return NULL;
        }
        p += step;
        len -= step;
    }
    return NULL;
}

static int get_link(struct nl_reply *r, bool dump, const unsigned char *body, uint32_t len)
{
    struct ifinfomsg want = {0};
    if (dump) {
        for (uint32_t i = 0; i < r->ns->if_count; i++) {
            put_link(r, &r->ns->ifs[i], NLM_F_MULTI);
        }
        dump_done(r);
        return 0;
    }
    if (len < sizeof want) {
        return -EINVAL;
    }
    memcpy(&want, body, sizeof want);
    const struct netif *f = netns_if(r->ns, want.ifi_index > 0 ? (uint32_t)want.ifi_index : 0);
    if (want.ifi_index == 0) {
        uint32_t n = 0;
        const char *name =
            find_attr(body + sizeof want, len - (uint32_t)sizeof want, IFLA_IFNAME, &n);
        char text[16] = {0};
        if (!name) {
            return -EINVAL;
        }
        memcpy(text, name, n < sizeof text - 1 ? n : sizeof text - 1);
        f = netns_if_by_name(r->ns, text);
    }
    if (!f) {
        return -ENODEV;
    }
    put_link(r, f, 0);
    return 0;
}

/* --- addresses ---------------------------------------------------------------------------------
 */

static void put_addr(struct nl_reply *r, const struct netif *f, const struct ipaddr *a,
                     uint32_t bits)
{
    bool v4 = ip_is_v4(a), lo = f->index == NET_LO;
    struct ifaddrmsg *m = nl_begin(r, RTM_NEWADDR, NLM_F_MULTI, sizeof *m);
    m->ifa_family = v4 ? ABI_AF_INET : ABI_AF_INET6;
    m->ifa_prefixlen = (uint8_t)bits;
    m->ifa_flags = IFA_F_PERMANENT;
    m->ifa_scope = lo ? RT_SCOPE_HOST : ip_is_link_local(a) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    m->ifa_index = f->index;
    nl_attr(r, IFA_ADDRESS, addr_bytes(a, v4), addr_len(v4));
    if (v4) {
        nl_attr(r, IFA_LOCAL, addr_bytes(a, v4), 4);
        if (!lo) {
            uint32_t broadcast = a->w[3] | be32(bits < 32 ? 0xffffffffu >> bits : 0);
            nl_attr(r, IFA_BROADCAST, &broadcast, 4);
        }
        put_str(r, IFA_LABEL, f->name);
    }
    put_u32(r, IFA_FLAGS, IFA_F_PERMANENT);
    struct ifa_cacheinfo ci = {UINT32_MAX, UINT32_MAX, 0, 0};
    nl_attr(r, IFA_CACHEINFO, &ci, sizeof ci);
}

static int get_addr(struct nl_reply *r, bool dump, uint8_t family, const unsigned char *body,
                    uint32_t len)
{
    uint32_t only = 0;
    if (!dump) {
        return -EOPNOTSUPP;
    }
    if (r->strict && len >= sizeof(struct ifaddrmsg)) {
        struct ifaddrmsg want;
        memcpy(&want, body, sizeof want);
        only = want.ifa_index;
    }
    for (uint32_t pass = 0; pass < 2; pass++) { /* Linux lists a family at a time */
        uint8_t fam = pass == 0 ? ABI_AF_INET : ABI_AF_INET6;
        for (uint32_t i = 0; i < r->ns->if_count && (family == ABI_AF_UNSPEC || family == fam);
             i++) {
            const struct netif *f = &r->ns->ifs[i];
            if (only && only != f->index) {
                continue;
            }
            if (fam == ABI_AF_INET && f->has4) {
                put_addr(r, f, &f->addr4, f->prefix4);
            }
            if (fam == ABI_AF_INET6 && f->has6) {
                put_addr(r, f, &f->addr6, f->prefix6);
                if (f->index != NET_LO) {
                    put_addr(r, f, &f->link6, 64);
                }
            }
        }
    }
    dump_done(r);
    return 0;
}

/* --- routes ------------------------------------------------------------------------------------
 */

static void put_route(struct nl_reply *r, const struct route_row *row, uint16_t flags)
{
    struct rtmsg *m = nl_begin(r, RTM_NEWROUTE, flags, sizeof *m);
    m->rtm_family = row->v4 ? ABI_AF_INET : ABI_AF_INET6;
    m->rtm_dst_len = (uint8_t)row->bits;
    m->rtm_table = row->table;
    m->rtm_protocol = row->protocol;
    m->rtm_scope = row->scope;
    m->rtm_type = row->type;
    put_u32(r, RTA_TABLE, row->table);
    if (row->has_dst) {
        nl_attr(r, RTA_DST, addr_bytes(&row->dst, row->v4), addr_len(row->v4));
    }
    if (row->metric) {
        put_u32(r, RTA_PRIORITY, row->metric);
    }
    if (row->has_src) {
        nl_attr(r, RTA_PREFSRC, addr_bytes(&row->src, row->v4), addr_len(row->v4));
    }
    if (row->has_gateway) {
        nl_attr(r, RTA_GATEWAY, addr_bytes(&row->gateway, row->v4), addr_len(row->v4));
    }
    put_u32(r, RTA_OIF, row->oif);
}

static struct ipaddr network_of(const struct ipaddr *a, uint32_t bits)
{
    struct ipaddr n = *a;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t keep = bits > i * 8 ? bits - i * 8 : 0;
        n.b[i] &= keep >= 8 ? 0xff : (uint8_t)(0xff00u >> keep);
    }
    return n;
}

static const struct netif *gateway_if(const struct netns *ns, bool v4)
{
    for (uint32_t i = 1; i < ns->if_count; i++) {
        const struct netif *f = &ns->ifs[i];
        if (!f->internal &&
            (v4 ? f->has4 && !ip_is_any(&f->gateway4) : f->has6 && !ip_is_any(&f->gateway6))) {
            return f;
        }
    }
    return NULL;
}

static void dump_local(struct nl_reply *r, bool v4)
{
    for (uint32_t i = 0; i < r->ns->if_count; i++) {
        const struct netif *f = &r->ns->ifs[i];
        struct route_row row = {.v4 = v4,
                                .oif = f->index,
                                .table = RT_TABLE_LOCAL,
                                .scope = v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
                                .type = RTN_LOCAL,
                                .protocol = RTPROT_KERNEL,
                                .has_dst = true,
                                .has_src = v4};
        if (v4 ? !f->has4 : !f->has6) {
            continue;
        }
        row.dst = row.src = v4 ? f->addr4 : f->addr6;
        if (v4 && f->index == NET_LO) {
            row.dst = network_of(&f->addr4, 96 + 8);
            row.bits = 8;
            put_route(r, &row, NLM_F_MULTI);
            row.dst = f->addr4;
        }
        row.bits = v4 ? 32 : 128;
        put_route(r, &row, NLM_F_MULTI);
    }
}

static void dump_main(struct nl_reply *r, bool v4)
{
    const struct netns *ns = r->ns;
    const struct netif *gw = gateway_if(ns, v4);
    struct route_row row = {.v4 = v4, .table = RT_TABLE_MAIN, .type = RTN_UNICAST};
    if (gw) {
        row.has_gateway = true;
        row.gateway = v4 ? gw->gateway4 : gw->gateway6;
        row.oif = gw->index;
        row.protocol = RTPROT_BOOT;
        row.metric = v4 ? 0 : 1024;
        put_route(r, &row, NLM_F_MULTI);
    }
    for (uint32_t i = 1; i < ns->if_count; i++) {
        const struct netif *f = &ns->ifs[i];
        if (v4 ? !f->has4 : !f->has6) {
            continue;
        }
        row = (struct route_row){.v4 = v4,
                                 .table = RT_TABLE_MAIN,
                                 .type = RTN_UNICAST,
                                 .protocol = RTPROT_KERNEL,
                                 .oif = f->index,
                                 .has_dst = true,
                                 .scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE};
        row.bits = v4 ? f->prefix4 : f->prefix6;
        row.has_src = v4;
        row.src = f->addr4;
        row.metric = v4 ? 0 : 256;
        row.dst = network_of(v4 ? &f->addr4 : &f->addr6, v4 ? 96 + row.bits : row.bits);
        put_route(r, &row, NLM_F_MULTI);
        if (!v4) {
            row.dst = network_of(&f->link6, 64);
            row.bits = 64;
            put_route(r, &row, NLM_F_MULTI);
        }
    }
}

/* RTM_GETROUTE without NLM_F_DUMP: which way to one destination (`ip route get`). */
static int get_one_route(struct nl_reply *r, uint8_t family, const unsigned char *body,
                         uint32_t len)
{
    uint32_t n = 0;
    bool v4 = family == ABI_AF_INET;
    if (len < sizeof(struct rtmsg) || (!v4 && family != ABI_AF_INET6)) {
        return -EINVAL;
    }
    const char *dst =
        find_attr(body + sizeof(struct rtmsg), len - (uint32_t)sizeof(struct rtmsg), RTA_DST, &n);
    struct ipaddr a = v4 ? ip_from_v4(be32(0x7f000001)) : (struct ipaddr){.b = {[15] = 1}};
    if (dst && n == addr_len(v4)) {
        memcpy(v4 ? a.b + 12 : a.b, dst, n);
    } else if (dst) {
        return -EINVAL;
    }
    struct route way;
    int err = route_lookup(r->ns, &a, 0, &way);
    if (err) {
        return err;
    }
    const struct netif *f = netns_if(r->ns, way.ifindex);
    bool local = way.kind == ROUTE_LOCAL;
    struct route_row row = {.v4 = v4,
                            .dst = a,
                            .has_dst = true,
                            .bits = v4 ? 32 : 128,
                            .has_src = true,
                            .src = way.src,
                            .oif = way.ifindex,
                            .table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
                            .type = local ? RTN_LOCAL : RTN_UNICAST};
    if (way.kind == ROUTE_OUTSIDE) {
        row.has_gateway = true;
        row.gateway = v4 ? f->gateway4 : f->gateway6;
    }
    put_route(r, &row, 0);
    return 0;
}

static int get_route(struct nl_reply *r, bool dump, uint8_t family, const unsigned char *body,
                     uint32_t len)
{
    if (!dump) {
        return get_one_route(r, family, body, len);
    }
    uint8_t table = 0;
    if (r->strict && len >= sizeof(struct rtmsg)) {
        struct rtmsg want;
        memcpy(&want, body, sizeof want);
        table = want.rtm_table;
    }
    for (uint32_t pass = 0; pass < 2; pass++) {
        bool v4 = pass == 0;
        if (family != ABI_AF_UNSPEC && family != (v4 ? ABI_AF_INET : ABI_AF_INET6)) {
            continue;
        }
        if (table == 0 || table == RT_TABLE_MAIN) {
            dump_main(r, v4);
        }
        if (table == 0 || table == RT_TABLE_LOCAL) {
            dump_local(r, v4);
        }
    }
    dump_done(r);
    return 0;
}

/* --- neighbours: everybody on our networks is known and reachable while up
 * ------------------------ */

static void put_neighbour(struct nl_reply *r, const struct netif *f, const struct netif *other,
                          uint8_t family)
{
    bool v4 = family == ABI_AF_INET;
    if (v4 ? !f->has4 || !other->has4 : !f->has6 || !other->has6) {
        return;
    }
    struct ndmsg *m = nl_begin(r, RTM_NEWNEIGH, NLM_F_MULTI, sizeof *m);
    m->ndm_family = family;
    m->ndm_ifindex = (int)f->index;
    m->ndm_state = NUD_REACHABLE;
    m->ndm_type = RTN_UNICAST;
    const struct ipaddr *a = v4 ? &other->addr4 : &other->addr6;
    nl_attr(r, NDA_DST, addr_bytes(a, v4), addr_len(v4));
    nl_attr(r, NDA_LLADDR, other->mac, sizeof other->mac);
}

static int get_neigh(struct nl_reply *r, bool dump, uint8_t family)
{
    struct machine *m = r->m;
    if (!dump) {
        return -EOPNOTSUPP;
    }
    for (uint32_t i = 1; i < r->ns->if_count; i++) {
        const struct netif *f = &r->ns->ifs[i];
        for (uint32_t n = 0; n < m->node_count; n++) {
            const struct netns *o = m->nodes[n]->net;
            for (uint32_t k = 1; o && o != r->ns && o->up && k < o->if_count; k++) {
                if (o->ifs[k].network != f->network) {
                    continue;
                }
                if (family != ABI_AF_INET6) {
                    put_neighbour(r, f, &o->ifs[k], ABI_AF_INET);
                }
                if (family != ABI_AF_INET) {
                    put_neighbour(r, f, &o->ifs[k], ABI_AF_INET6);
                }
            }
        }
    }
    dump_done(r);
    return 0;
}

int netlink_route_request(struct nl_reply *r, uint16_t type, uint16_t flags,
                          const unsigned char *body, uint32_t len)
{
    bool dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
    uint8_t family = len ? body[0] : ABI_AF_UNSPEC; /* struct rtgenmsg at least */
    switch (type) {
    case RTM_GETLINK:
        return get_link(r, dump, body, len);
    case RTM_GETADDR:
        return get_addr(r, dump, family, body, len);
    case RTM_GETROUTE:
        return get_route(r, dump, family, body, len);
    case RTM_GETNEIGH:
        return get_neigh(r, dump, family);
    default:
        return -EOPNOTSUPP;
    }
}
