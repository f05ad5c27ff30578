/* Interfaces, addresses and routes of a node, and who owns which address. */
#include "kernel/net/netns.h"

#include "abi/socket.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"

/* Open addressing; filled once at boot in plan order, never iterated. */
struct addr_entry {
    struct ipaddr addr;
    uint32_t network, node_plus_one;
};

static void addr_add(struct net *net, const struct ipaddr *a, uint32_t network, uint32_t node)
{
    uint32_t i = ip_hash(a, network) & (net->addr_cap - 1);
    while (net->addrs[i].node_plus_one) {
        i = (i + 1) & (net->addr_cap - 1);
    }
    net->addrs[i] = (struct addr_entry){*a, network, node + 1};
}

uint32_t net_addr_owner(const struct net *net, const struct ipaddr *a, uint32_t network)
{
    uint32_t i = ip_hash(a, network) & (net->addr_cap - 1);
    while (net->addrs[i].node_plus_one) {
        if (net->addrs[i].network == network && ip_eq(&net->addrs[i].addr, a)) {
            return net->addrs[i].node_plus_one - 1;
        }
        i = (i + 1) & (net->addr_cap - 1);
    }
    return NET_NO_NODE;
}

/* Docker derives the MAC from the IPv4 address; without one, from node and interface. */
static void mac_of(uint8_t mac[6], const struct plan_attach *at, uint32_t node, uint32_t ifindex)
{
    mac[0] = 0x02;
    mac[1] = 0x42;
    memcpy(mac + 2, at->addr4, 4);
    if (!(at->addr4[0] | at->addr4[1] | at->addr4[2] | at->addr4[3])) {
        mac[2] = 0xfe;
        mac[3] = (uint8_t)(node >> 8);
        mac[4] = (uint8_t)node;
        mac[5] = (uint8_t)ifindex;
    }
}

/* fe80::/64 with the modified EUI-64 identifier (RFC 4291 appendix A). */
static struct ipaddr link_local_of(const uint8_t mac[6])
{
    return (struct ipaddr){.b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff,
                                 0xfe, mac[3], mac[4], mac[5]}};
}

static bool bytes_zero(const uint8_t *b, unsigned n)
{
    uint8_t any = 0;
    for (unsigned i = 0; i < n; i++) {
        any |= b[i];
    }
    return any == 0;
}

static void netif_from_plan(struct netif *f, const struct plan *plan, const struct plan_attach *at,
                            uint32_t node, uint32_t index)
{
    const struct plan_network *nw = PLAN_AT(plan, plan->networks, struct plan_network, at->network);
    str_format(f->name, sizeof f->name, "eth%u", index - 2);
    f->index = index;
    f->mtu = NET_MTU_ETH;
    f->flags =
        ABI_IFF_UP | ABI_IFF_BROADCAST | ABI_IFF_RUNNING | ABI_IFF_MULTICAST | ABI_IFF_LOWER_UP;
    f->network = at->network;
    f->internal = nw->internal;
    mac_of(f->mac, at, node, index);
    if (nw->prefix4 && !bytes_zero(at->addr4, 4)) {
        f->has4 = true;
        f->addr4 = ip_from_bytes4(at->addr4);
        f->prefix4 = nw->prefix4;
        f->gateway4 = ip_from_bytes4(nw->gateway4);
    }
    if (nw->prefix6 && !bytes_zero(at->addr6, 16)) {
        f->has6 = true;
        f->addr6 = ip_from_bytes16(at->addr6);
        f->link6 = link_local_of(f->mac);
        f->prefix6 = nw->prefix6;
        f->gateway6 = ip_from_bytes16(nw->gateway6);
    }
}

void net_addrs_boot(struct machine *m, struct net *net)
{
    const struct plan *plan = m->plan;
    uint32_t total = 0;
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        total += PLAN_AT(plan, plan->nodes, struct plan_node, i)->attaches.count * 3;
    }
    net->addr_cap = 16;
    while (net->addr_cap < total * 2) {
        net->addr_cap *= 2;
    }
    net->addrs = kalloc(m, net->addr_cap * sizeof *net->addrs);
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        const struct plan_node *pn = PLAN_AT(plan, plan->nodes, struct plan_node, i);
        for (uint32_t k = 0; k < pn->attaches.count; k++) {
            struct netif f = {0};
            netif_from_plan(&f, plan, PLAN_AT(plan, pn->attaches, struct plan_attach, k), i, k + 2);
            if (f.has4) {
                addr_add(net, &f.addr4, f.network, i);
            }
            if (f.has6) {
                addr_add(net, &f.addr6, f.network, i);
                addr_add(net, &f.link6, f.network, i);
            }
        }
    }
}

static void netif_lo(struct netif *f)
{
    str_copy(f->name, sizeof f->name, "lo");
    f->index = NET_LO;
    f->mtu = NET_MTU_LO;
    f->flags = ABI_IFF_UP | ABI_IFF_LOOPBACK | ABI_IFF_RUNNING | ABI_IFF_LOWER_UP;
    f->network = NET_NO_NODE;
    f->has4 = f->has6 = true;
    f->addr4 = ip_from_v4(be32(0x7f000001));
    f->prefix4 = 8;
    f->addr6 = (struct ipaddr){.b = {[15] = 1}};
    f->prefix6 = 128;
    f->internal = true;
}

struct netns *netns_create(struct machine *m, struct node *n)
{
    struct netns *ns = KALLOC(m, struct netns);
    ns->m = m;
    ns->node = n;
    list_init(&ns->socks);
    list_init(&ns->abstract);
    list_init(&ns->raws);
    list_init(&ns->timewaits);
    for (unsigned i = 0; i < LISTEN_HASH; i++) {
        list_init(&ns->listeners[i]);
    }
    for (unsigned i = 0; i < PORT_HASH; i++) {
        list_init(&ns->tcp_ports[i]);
        list_init(&ns->udp_ports[i]);
    }
    uint32_t attaches = n->plan ? n->plan->attaches.count : 0;
    ns->if_count = attaches + 1;
    ns->ifs = kalloc(m, ns->if_count * sizeof *ns->ifs);
    netif_lo(&ns->ifs[0]);
    for (uint32_t k = 0; k < attaches; k++) {
        netif_from_plan(&ns->ifs[k + 1], m->plan,
                        PLAN_AT(m->plan, n->plan->attaches, struct plan_attach, k), n->index,
                        k + 2);
    }
    return ns;
}

struct netif *netns_if(const struct netns *ns, uint32_t index)
{
    return index >= 1 && index <= ns->if_count ? &ns->ifs[index - 1] : NULL;
}

struct netif *netns_if_by_name(const struct netns *ns, const char *name)
{
    for (uint32_t i = 0; i < ns->if_count; i++) {
        if (str_eq(ns->ifs[i].name, name)) {
            return &ns->ifs[i];
        }
    }
    return NULL;
}

static bool if_has(const struct netif *f, const struct ipaddr *a)
{
    if (ip_is_v4(a)) {
        return f->has4 && ip_eq(a, &f->addr4);
    }
    return f->has6 && (ip_eq(a, &f->addr6) || (f->network != NET_NO_NODE && ip_eq(a, &f->link6)));
}

const struct netif *netns_if_of_addr(const struct netns *ns, const struct ipaddr *a)
{
    if (ip_is_loopback(a)) {
        return &ns->ifs[0];
    }
    for (uint32_t i = 1; i < ns->if_count; i++) {
        if (if_has(&ns->ifs[i], a)) {
            return &ns->ifs[i];
        }
    }
    return NULL;
}

bool netns_is_local(const struct netns *ns, const struct ipaddr *a)
{
    return netns_if_of_addr(ns, a) != NULL;
}

static bool on_network(const struct netif *f, const struct ipaddr *a)
{
    if (ip_is_v4(a)) {
        return f->has4 && ip_prefix_eq(a, &f->addr4, 96 + f->prefix4);
    }
    return f->has6 && (ip_prefix_eq(a, &f->addr6, f->prefix6) || ip_is_link_local(a));
}

static bool if_broadcast(const struct netif *f, const struct ipaddr *a)
{
    if (f->network == NET_NO_NODE || !f->has4 || !ip_is_v4(a) || f->prefix4 >= 31) {
        return false;
    }
    uint32_t host = 0xffffffffu >> f->prefix4;
    return on_network(f, a) && (be32(a->w[3]) & host) == host;
}

bool netns_is_broadcast(const struct netns *ns, const struct ipaddr *a)
{
    if (ip_is_limited_broadcast(a)) {
        return true;
    }
    for (uint32_t i = 1; i < ns->if_count; i++) {
        if (if_broadcast(&ns->ifs[i], a)) {
            return true;
        }
    }
    return false;
}

/* The source address for a destination: of the same scope where possible (RFC 6724 rule 2). */
static struct ipaddr source_on(const struct netif *f, const struct ipaddr *dst)
{
    if (ip_is_v4(dst)) {
        return f->addr4;
    }
    return ip_is_link_local(dst) && f->network != NET_NO_NODE ? f->link6 : f->addr6;
}

/* The first interface for traffic that names none: multicast, limited broadcast, default route. */
static const struct netif *default_if(const struct netns *ns, bool v4, uint32_t oif, bool gateway)
{
    for (uint32_t i = 1; i < ns->if_count; i++) {
        const struct netif *f = &ns->ifs[i];
        if ((oif == 0 || oif == f->index) && (v4 ? f->has4 : f->has6) &&
            !(gateway && (f->internal || ip_is_any(v4 ? &f->gateway4 : &f->gateway6)))) {
            return f;
        }
    }
    return NULL;
}

static void route_neighbour(const struct netns *ns, const struct netif *f, const struct ipaddr *dst,
                            struct route *r)
{
    uint32_t owner = net_addr_owner(ns->m->net, dst, f->network);
    r->kind = owner == NET_NO_NODE ? ROUTE_ABSENT : ROUTE_NODE;
    r->node = owner;
    r->ifindex = f->index;
    r->src = source_on(f, dst);
    bool v4 = ip_is_v4(dst);
    if (owner == NET_NO_NODE && !f->internal && ip_eq(dst, v4 ? &f->gateway4 : &f->gateway6)) {
        r->kind = ROUTE_OUTSIDE;
    }
}

int route_lookup(const struct netns *ns, const struct ipaddr *dst, uint32_t oif, struct route *r)
{
    const struct netif *own = netns_if_of_addr(ns, dst);
    bool v4 = ip_is_v4(dst);
    *r = (struct route){.kind = ROUTE_LOCAL, .node = ns->node->index, .ifindex = NET_LO};
    if (own) {
        r->src = own->index == NET_LO ? (v4 ? own->addr4 : own->addr6) : *dst;
        return 0;
    }
    if (ip_is_multicast(dst) || ip_is_limited_broadcast(dst)) {
        const struct netif *f = oif == NET_LO ? &ns->ifs[0] : default_if(ns, v4, oif, false);
        if (!f) {
            return -ENETUNREACH;
        }
        r->kind = ip_is_multicast(dst) ? ROUTE_MULTICAST : ROUTE_BROADCAST;
        r->ifindex = f->index;
        r->src = source_on(f, dst);
        return 0;
    }
    for (uint32_t i = 1; i < ns->if_count; i++) {
        const struct netif *f = &ns->ifs[i];
        if ((oif && oif != f->index) || !on_network(f, dst)) {
            continue;
        }
        if (if_broadcast(f, dst)) {
            r->kind = ROUTE_BROADCAST;
            r->ifindex = f->index;
            r->src = f->addr4;
            return 0;
        }
        route_neighbour(ns, f, dst, r);
        return 0;
    }
    const struct netif *gw = default_if(ns, v4, oif, true);
    if (!gw) {
        return -ENETUNREACH;
    }
    r->kind = ROUTE_OUTSIDE;
    r->ifindex = gw->index;
    r->src = source_on(gw, dst);
    return 0;
}
