/* Packets in and out of a node: routing, ICMP errors, and the queue within a node. */
#include "kernel/net/ip.h"

#include <linux/in.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/dns.h"
#include "kernel/net/inet.h"
#include "kernel/net/link.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/tcp.h"
#include "kernel/node.h"

/* Neighbour discovery gives up after three probes a second apart (net.ipv4.neigh.*.mcast_solicit,
 * retrans_time_ms). */
#define NEIGH_FAIL_NS (3 * NSEC_PER_SEC)

#define ICMP_UNREACH  3
#define ICMP6_UNREACH 1

static struct skb *error_about(struct machine *m, const struct skb *s, uint8_t code, int error)
{
    struct skb *e = skb_alloc(m, 0);
    e->proto = PROTO_ICMP_ERROR;
    e->dst = s->src;
    e->src = s->dst;
    e->src.port = e->dst.port = 0;
    e->icmp.type = ip_is_v4(&s->src.addr) ? ICMP_UNREACH : ICMP6_UNREACH;
    e->icmp.code = code;
    e->icmp.inner_proto = s->proto;
    e->icmp.inner_src = s->src;
    e->icmp.inner_dst = s->dst;
    e->icmp.inner_seq = s->proto == IPPROTO_TCP ? s->tcp.seq : 0;
    e->icmp.error = error;
    return e;
}

/* No errors about errors (RFC 1122 3.2.2), nor about what went to many. */
static bool may_answer(const struct skb *s)
{
    return s->proto != PROTO_ICMP_ERROR && !ip_is_multicast(&s->dst.addr) &&
           !ip_is_limited_broadcast(&s->dst.addr) && !ip_is_any(&s->src.addr);
}

/* icmp(7) codes to errnos as Linux's icmp_err_convert and icmpv6_err_convert. */
static int errno_of(bool v4, uint8_t code)
{
    if (v4) {
        return code == 0   ? ENETUNREACH
               : code == 1 ? EHOSTUNREACH
               : code == 2 ? ENOPROTOOPT
                           : ECONNREFUSED;
    }
    return code == 0 ? ENETUNREACH : code == 4 ? ECONNREFUSED : EHOSTUNREACH;
}

void icmp_send_error(struct netns *ns, const struct skb *about, uint8_t type, uint8_t code)
{
    (void)type;
    if (!may_answer(about) || !netns_is_local(ns, &about->dst.addr)) {
        return;
    }
    bool v4 = ip_is_v4(&about->src.addr);
    ns->mib.icmp_out++;
    ip_output(ns, error_about(ns->m, about, code, errno_of(v4, code)), 0, false);
}

static void unreachable_later(struct netns *ns, const struct skb *s, uint8_t code, uint64_t after)
{
    if (!may_answer(s)) {
        return;
    }
    struct machine *m = ns->m;
    int error = code == 0 ? ENETUNREACH : EHOSTUNREACH;
    link_send_at(m, ns->node->index, error_about(m, s, code, error), machine_now(m) + after);
}

static uint32_t ifindex_on(const struct netns *ns, uint32_t network)
{
    for (uint32_t i = 1; i < ns->if_count; i++) {
        if (ns->ifs[i].network == network) {
            return ns->ifs[i].index;
        }
    }
    return 0;
}

static struct skb *copy_of(struct machine *m, struct skb *s)
{
    struct skb *c = skb_share(m, s, 0, s->len);
    c->proto = s->proto;
    c->tos = s->tos;
    c->ttl = s->ttl;
    c->src = s->src;
    c->dst = s->dst;
    c->icmp = s->icmp;
    return c;
}

static void loop_back(struct netns *ns, struct skb *s)
{
    s->ns = ns;
    list_add_tail(&ns->m->net->local, &s->link);
}

/* To every other node on the network, in node order, and to this node itself. */
static void send_to_all(struct netns *ns, struct skb *s, const struct netif *f)
{
    struct machine *m = ns->m;
    for (uint32_t i = 0; f->index != NET_LO && i < m->node_count; i++) {
        struct netns *to = m->nodes[i]->net;
        uint32_t ifindex = to && to->up && to != ns ? ifindex_on(to, f->network) : 0;
        if (ifindex) {
            struct skb *c = copy_of(m, s);
            c->ifindex = ifindex;
            link_send(m, ns->node->index, i, c, false);
        }
    }
    s->ifindex = f->index;
    loop_back(ns, s);
}

static void send_to_node(struct netns *ns, struct skb *s, const struct route *r, bool ordered)
{
    struct machine *m = ns->m;
    struct netif *f = netns_if(ns, r->ifindex);
    struct netns *to = m->nodes[r->node]->net;
    f->tx_packets++;
    f->tx_bytes += s->len + 40;
    s->ifindex = to && to->up ? ifindex_on(to, f->network) : 0;
    if (!s->ifindex) { /* the container is down: nobody answers ARP */
        unreachable_later(ns, s, ip_is_v4(&s->dst.addr) ? 1 : 3, NEIGH_FAIL_NS);
        skb_free(m, s);
        return;
    }
    link_send(m, ns->node->index, r->node, s, ordered);
}

int ip_output(struct netns *ns, struct skb *s, uint32_t oif, bool ordered)
{
    struct machine *m = ns->m;
    struct route r;
    int err = ns->up ? route_lookup(ns, &s->dst.addr, oif, &r) : -ENETUNREACH;
    if (err) {
        skb_free(m, s);
        return err;
    }
    switch (r.kind) {
    case ROUTE_LOCAL:
        s->ifindex = NET_LO;
        ns->ifs[0].tx_packets++;
        ns->ifs[0].tx_bytes += s->len + 40;
        loop_back(ns, s);
        break;
    case ROUTE_NODE:
        send_to_node(ns, s, &r, ordered);
        break;
    case ROUTE_BROADCAST:
    case ROUTE_MULTICAST:
        send_to_all(ns, s, netns_if(ns, r.ifindex));
        break;
    case ROUTE_ABSENT:
        unreachable_later(ns, s, ip_is_v4(&s->dst.addr) ? 1 : 3, NEIGH_FAIL_NS);
        skb_free(m, s);
        break;
    case ROUTE_OUTSIDE:
        unreachable_later(ns, s, 0, m->plan->link.latency_ns);
        skb_free(m, s);
        break;
    }
    return 0;
}

static void error_input(struct netns *ns, struct skb *s)
{
    if (s->icmp.inner_proto == IPPROTO_TCP) {
        tcp_icmp_error(ns, s);
    } else if (s->icmp.inner_proto == IPPROTO_UDP) {
        udp_icmp_error(ns, s);
    } else {
        raw_icmp_error(ns, s);
    }
    skb_free(ns->m, s);
}

void ip_input(struct netns *ns, struct skb *s)
{
    struct netif *f = netns_if(ns, s->ifindex);
    if (f) {
        f->rx_packets++;
        f->rx_bytes += s->len + 40;
    }
    s->due = machine_now(ns->m);
    switch (s->proto) {
    case IPPROTO_TCP:
        tcp_input(ns, s);
        break;
    case IPPROTO_UDP:
        udp_input(ns, s);
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        icmp_input(ns, s);
        break;
    case PROTO_ICMP_ERROR:
        error_input(ns, s);
        break;
    default:
        raw_input(ns, s);
        break;
    }
}

void net_flush(struct machine *m)
{
    struct net *net = m->net;
    if (net->flushing) {
        return;
    }
    net->flushing = true;
    for (;;) {
        if (!list_empty(&net->local)) {
            struct skb *s = list_first_entry(&net->local, struct skb, link);
            list_del(&s->link);
            struct netns *ns = s->ns;
            if (ns->up) {
                ip_input(ns, s);
            } else {
                skb_free(m, s);
            }
        } else if (!list_empty(&net->dns)) {
            dns_tcp_run(m);
        } else {
            break;
        }
    }
    tcp_reap(m);
    net->flushing = false;
}
