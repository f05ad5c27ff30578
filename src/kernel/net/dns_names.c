/* Which names mean which containers. A name is a container's name, its service, its host name or
 * one of its aliases on a network both share; containers that are down have none, as with Docker.
 */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/dns.h"
#include "kernel/net/netns.h"
#include "kernel/node.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

/* `name` may be qualified with the network: "etcd0.backend". */
static bool name_on_network(const char *name, const char *label, const char *network)
{
    if (same_name(name, label)) {
        return true;
    }
    size_t n = str_len(label);
    size_t total = str_len(name);
    if (total <= n + 1 || name[n] != '.') {
        return false;
    }
    char head[DNS_NAME_MAX + 1];
    if (n > DNS_NAME_MAX) {
        return false;
    }
    memcpy(head, name, n);
    head[n] = 0;
    return same_name(head, label) && same_name(name + n + 1, network);
}

static bool attach_answers(const struct plan *plan, const struct plan_node *pn,
                           const struct plan_attach *at, const char *name)
{
    const struct plan_network *nw = PLAN_AT(plan, plan->networks, struct plan_network, at->network);
    const char *network = PLAN_STR(plan, nw->name);
    const plan_str own[] = {pn->name, pn->service, pn->hostname};
    for (unsigned i = 0; i < ARRAY_LEN(own); i++) {
        if (own[i] && name_on_network(name, PLAN_STR(plan, own[i]), network)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < at->aliases.count; i++) {
        plan_str alias = *PLAN_AT(plan, at->aliases, plan_str, i);
        if (alias && name_on_network(name, PLAN_STR(plan, alias), network)) {
            return true;
        }
    }
    return false;
}

static bool on_own_network(const struct netns *ns, uint32_t network)
{
    for (uint32_t i = 1; i < ns->if_count; i++) {
        if (ns->ifs[i].network == network) {
            return true;
        }
    }
    return false;
}

/* The address of that attachment, taken from the live interface. */
static bool live_address(const struct netns *other, uint32_t network, bool v6, struct ipaddr *out)
{
    for (uint32_t i = 1; i < other->if_count; i++) {
        const struct netif *f = &other->ifs[i];
        if (f->network == network && (v6 ? f->has6 : f->has4)) {
            *out = v6 ? f->addr6 : f->addr4;
            return true;
        }
    }
    return false;
}

/* Docker shuffles the answers; here the querying node's `net` stream turns them. */
static void rotate(const struct netns *ns, struct ipaddr *a, uint32_t n)
{
    uint32_t by = (uint32_t)stream_below(&ns->node->streams[STREAM_NET], n);
    for (uint32_t i = 0; i < by; i++) {
        struct ipaddr first = a[0];
        memmove(a, a + 1, (n - 1) * sizeof *a);
        a[n - 1] = first;
    }
}

static bool has_address(const struct ipaddr *list, uint32_t n, const struct ipaddr *a)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ip_eq(&list[i], a)) {
            return true;
        }
    }
    return false;
}

uint32_t dns_lookup(const struct netns *ns, const char *name, bool v6, struct ipaddr *out,
                    uint32_t cap, bool *known)
{
    struct machine *m = ns->m;
    const struct plan *plan = m->plan;
    uint32_t n = 0;
    *known = false;
    for (uint32_t i = 0; i < m->node_count; i++) {
        const struct netns *other = m->nodes[i]->net;
        const struct plan_node *pn = m->nodes[i]->plan;
        if (!other || !other->up || !pn) {
            continue;
        }
        for (uint32_t k = 0; k < pn->attaches.count; k++) {
            const struct plan_attach *at = PLAN_AT(plan, pn->attaches, struct plan_attach, k);
            struct ipaddr a;
            if (!on_own_network(ns, at->network) || !attach_answers(plan, pn, at, name)) {
                continue;
            }
            *known = true;
            if (n < cap && live_address(other, at->network, v6, &a) && !has_address(out, n, &a)) {
                out[n++] = a;
            }
        }
    }
    if (n > 1) {
        rotate(ns, out, n);
    }
    return n;
}

uint32_t dns_reverse(const struct netns *ns, const struct ipaddr *a, char *out, uint32_t cap)
{
    struct machine *m = ns->m;
    for (uint32_t i = 1; i < ns->if_count; i++) {
        uint32_t network = ns->ifs[i].network;
        uint32_t owner = net_addr_owner(m->net, a, network);
        if (owner == NET_NO_NODE || !m->nodes[owner]->net || !m->nodes[owner]->net->up) {
            continue;
        }
        const struct plan_network *nw =
            PLAN_AT(m->plan, m->plan->networks, struct plan_network, network);
        size_t n =
            str_format(out, cap, "%s.%s", m->nodes[owner]->name, PLAN_STR(m->plan, nw->name));
        return n < cap ? (uint32_t)n : 0;
    }
    return 0;
}
