/* Subnets for networks that have none, and addresses for containers: fixed pool, fixed order, so
 * that equal files give equal addresses.
 *
 * Order: static addresses are taken first; then each network hands out its free addresses from the
 * lowest, to containers by service name and replica. Gateways take the first address of a subnet
 * as Docker's do. */
#include <string.h>

#include "compose/read_parts.h"

/* The pool: 172.28.0.0/16 to 172.31.0.0/16, then 10.201.0.0/16 to 10.250.0.0/16. */
enum { POOL_FIRST = 4, POOL_SIZE = POOL_FIRST + 50 };

static struct compose_subnet pool_v4(size_t n)
{
    struct compose_subnet net = {.base = {.family = 4}, .prefix = 16};
    net.base.bytes[0] = n < POOL_FIRST ? 172 : 10;
    net.base.bytes[1] = (uint8_t)(n < POOL_FIRST ? 28 + n : 201 + n - POOL_FIRST);
    return net;
}

/* Unique local addresses (RFC 4193) with a fixed global id. */
static struct compose_subnet pool_v6(size_t n)
{
    struct compose_subnet net = {.base = {.family = 6}, .prefix = 64};
    static const uint8_t id[] = {0xfd, 0xe7, 0x65, 0x72, 0x65, 0x74};
    memcpy(net.base.bytes, id, sizeof id);
    net.base.bytes[7] = (uint8_t)n;
    return net;
}

static bool overlaps_any(const struct compose_project *p, const struct compose_subnet *net,
                         size_t except)
{
    for (size_t i = 0; i < p->network_count; i++) {
        const struct compose_network *n = &p->networks[i];
        if (i != except && ((n->v4.base.family && subnet_overlaps(&n->v4, net)) ||
                            (n->v6.base.family && subnet_overlaps(&n->v6, net)))) {
            return true;
        }
    }
    return false;
}

static int pick_subnet(struct reader *r, size_t index, int family)
{
    struct compose_project *p = r->project;
    struct compose_network *n = &p->networks[index];
    struct compose_subnet *slot = family == 4 ? &n->v4 : &n->v6;
    for (size_t i = 0; i < POOL_SIZE; i++) {
        struct compose_subnet net = family == 4 ? pool_v4(i) : pool_v6(i);
        if (!overlaps_any(p, &net, index)) {
            *slot = net;
            return 0;
        }
    }
    return diag_error(&r->diags, mark_at(r, n->line, n->col),
                      "give it one by `ipam: {config: [{subnet: ...}]}`",
                      "no subnet is left for network `%s`", n->key);
}

static int fill_subnets(struct reader *r, size_t index)
{
    struct compose_network *n = &r->project->networks[index];
    n->want_ipv6 |= n->v6.base.family == 6;
    if (n->no_ipv4 && !n->want_ipv6) {
        return diag_error(&r->diags, mark_at(r, n->line, n->col), "set enable_ipv6: true",
                          "network `%s` has neither IPv4 nor IPv6", n->key);
    }
    if (n->no_ipv4 && n->v4.base.family) {
        return diag_error(&r->diags, mark_at(r, n->line, n->col), NULL,
                          "network `%s` has an IPv4 subnet but enable_ipv4: false", n->key);
    }
    if (!n->no_ipv4 && !n->v4.base.family && pick_subnet(r, index, 4)) {
        return -1;
    }
    if (n->want_ipv6 && !n->v6.base.family && pick_subnet(r, index, 6)) {
        return -1;
    }
    if (n->v4.base.family && !n->gateway4.family) {
        n->gateway4 = subnet_nth(&n->v4, 1);
    }
    if (n->v6.base.family && !n->gateway6.family) {
        n->gateway6 = subnet_nth(&n->v6, 1);
    }
    return 0;
}

static int check_overlaps(struct reader *r)
{
    const struct compose_project *p = r->project;
    int rc = 0;
    for (size_t i = 0; i < p->network_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct compose_network *a = &p->networks[k], *b = &p->networks[i];
            if ((a->v4.base.family && b->v4.base.family && subnet_overlaps(&a->v4, &b->v4)) ||
                (a->v6.base.family && b->v6.base.family && subnet_overlaps(&a->v6, &b->v6))) {
                rc = diag_error(&r->diags, mark_at(r, b->line, b->col), NULL,
                                "the subnets of networks `%s` and `%s` overlap", a->key, b->key);
            }
        }
    }
    return rc;
}

/* ---- addresses ---- */

static const struct compose_subnet *subnet_of(const struct compose_network *n, int family)
{
    return family == 4 ? &n->v4 : &n->v6;
}

static struct compose_ip *slot_of(struct compose_endpoint *e, int family)
{
    return family == 4 ? &e->ipv4 : &e->ipv6;
}

/* What no container may have: the gateway, reserved ones, and for IPv4 the network's own and the
 * broadcast address (for IPv6 the subnet-router anycast address, RFC 4291 section 2.6.1). */
static const char *why_unusable(const struct compose_network *n, const struct compose_ip *ip)
{
    const struct compose_subnet *net = subnet_of(n, ip->family);
    const struct compose_ip *gateway = ip->family == 4 ? &n->gateway4 : &n->gateway6;
    if (ip_compare(ip, gateway) == 0) {
        return "is the gateway's";
    }
    if (ip_compare(ip, &net->base) == 0) {
        return "names the network itself";
    }
    struct compose_ip last = subnet_last(net);
    if (ip->family == 4 && net->prefix < 31 && ip_compare(ip, &last) == 0) {
        return "is the broadcast address";
    }
    for (size_t i = 0; i < n->reserved_count; i++) {
        if (ip_compare(ip, &n->reserved[i]) == 0) {
            return "is reserved by aux_addresses";
        }
    }
    return NULL;
}

/* The container before `limit` that holds `ip` on this network, or NULL. */
static const struct compose_container *holder(struct reader *r, size_t network,
                                              const struct compose_ip *ip, size_t limit)
{
    struct compose_project *p = r->project;
    for (size_t i = 0; i < limit; i++) {
        struct compose_container *c = &p->containers[i];
        for (size_t k = 0; k < c->endpoint_count; k++) {
            struct compose_endpoint *e = &c->endpoints[k];
            if (e->network == network && ip_compare(slot_of(e, ip->family), ip) == 0) {
                return c;
            }
        }
    }
    return NULL;
}

static int check_static(struct reader *r, size_t container, const struct compose_attachment *a,
                        struct compose_endpoint *e, int family)
{
    const struct compose_network *n = &r->project->networks[e->network];
    const struct compose_ip *ip = slot_of(e, family);
    const struct compose_subnet *net = subnet_of(n, family);
    struct mark at = mark_at(r, a->line, a->col);
    char text[IP_TEXT_MAX], subnet[IP_TEXT_MAX];
    if (!ip->family) {
        return 0;
    }
    ip_format(ip, text);
    if (!net->base.family) {
        return diag_error(&r->diags, at, NULL, "address %s: network `%s` has no IPv%d subnet", text,
                          n->key, family);
    }
    subnet_format(net, subnet);
    if (!subnet_contains(net, ip)) {
        return diag_error(&r->diags, at, NULL,
                          "address %s lies outside the subnet %s of network `%s`", text, subnet,
                          n->key);
    }
    const char *why = why_unusable(n, ip);
    if (why) {
        return diag_error(&r->diags, at, NULL, "address %s %s in network `%s`", text, why, n->key);
    }
    const struct compose_container *other = holder(r, e->network, ip, container);
    if (other) {
        return diag_error(&r->diags, at, NULL, "address %s is `%s`'s already", text, other->name);
    }
    return 0;
}

struct cursor {
    uint64_t next4, next6; /* offsets in the range, of the next candidate */
};

static int assign_one(struct reader *r, struct compose_container *c, struct compose_endpoint *e,
                      int family, struct cursor *cur)
{
    struct compose_project *p = r->project;
    struct compose_network *n = &p->networks[e->network];
    const struct compose_subnet *net = subnet_of(n, family);
    const struct compose_subnet *range = family == 4 ? &n->range4 : &n->range6;
    uint64_t *next = family == 4 ? &cur->next4 : &cur->next6;
    if (!net->base.family || slot_of(e, family)->family) {
        return 0;
    }
    range = range->base.family ? range : net;
    for (;;) {
        struct compose_ip ip = subnet_nth(range, (*next)++);
        if (!ip.family) {
            char text[IP_TEXT_MAX];
            subnet_format(range, text);
            return diag_error(&r->diags, mark_at(r, n->line, n->col), "take a larger subnet",
                              "no address is left in %s for `%s`", text, c->name);
        }
        if (!why_unusable(n, &ip) && !holder(r, e->network, &ip, p->container_count)) {
            *slot_of(e, family) = ip;
            return 0;
        }
    }
}

static int check_all_static(struct reader *r)
{
    struct compose_project *p = r->project;
    int rc = 0;
    for (size_t i = 0; i < p->container_count; i++) {
        struct compose_container *c = &p->containers[i];
        const struct compose_service *s = &p->services[c->service];
        for (size_t k = 0; k < c->endpoint_count; k++) {
            rc |= check_static(r, i, &s->attachments[k], &c->endpoints[k], 4);
            rc |= check_static(r, i, &s->attachments[k], &c->endpoints[k], 6);
        }
    }
    return rc ? -1 : 0;
}

/* host-gateway: the gateway of the first network, as the nearest thing to a host. */
static void resolve_host_gateways(struct compose_project *p)
{
    for (size_t i = 0; i < p->container_count; i++) {
        const struct compose_container *c = &p->containers[i];
        struct compose_service *s = &p->services[c->service];
        if (c->endpoint_count == 0) {
            continue;
        }
        const struct compose_network *n = &p->networks[c->endpoints[0].network];
        for (size_t k = 0; k < s->extra_host_count; k++) {
            if (s->extra_hosts[k].host_gateway) {
                s->extra_hosts[k].ip = n->gateway4.family ? n->gateway4 : n->gateway6;
            }
        }
    }
}

int assign_addresses(struct reader *r)
{
    struct compose_project *p = r->project;
    int rc = 0;
    /* The default network first, so that it has the first subnet of the pool. */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < p->network_count; i++) {
            if ((strcmp(p->networks[i].key, "default") == 0) == (pass == 0)) {
                rc |= fill_subnets(r, i);
            }
        }
    }
    if (rc || check_overlaps(r) || check_all_static(r)) {
        return -1;
    }
    struct cursor *cursors = pool_zalloc(r->pool, p->network_count * sizeof *cursors);
    for (size_t i = 0; i < p->container_count && !rc; i++) {
        struct compose_container *c = &p->containers[i];
        for (size_t k = 0; k < c->endpoint_count && !rc; k++) {
            struct cursor *cur = &cursors[c->endpoints[k].network];
            rc = assign_one(r, c, &c->endpoints[k], 4, cur) ||
                         assign_one(r, c, &c->endpoints[k], 6, cur)
                     ? -1
                     : 0;
        }
    }
    resolve_host_gateways(p);
    return rc;
}
