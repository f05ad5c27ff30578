/* The network's life: the universe's at boot, a container's as it comes and goes. */
#include "kernel/net/net.h"

#include "abi/socket.h"
#include "kernel/machine.h"
#include "kernel/net/dns.h"
#include "kernel/net/link.h"
#include "kernel/net/netns.h"
#include "kernel/net/sock.h"
#include "kernel/net/tcp.h"
#include "kernel/net/unix.h"
#include "kernel/node.h"

void net_boot(struct machine *m)
{
    struct net *net = KALLOC(m, struct net);
    m->net = net;
    list_init(&net->local);
    list_init(&net->dead);
    list_init(&net->dns);
    list_init(&net->unix_socks);
    link_boot(m);
    net_addrs_boot(m, net);
}

void net_node_up(struct node *n)
{
    if (!n->net) {
        n->net = netns_create(n->m, n);
    }
    struct netns *ns = n->net;
    ASSERT(!ns->up);
    ns->up = true;
    ns->mib = (struct net_counters){0};
    for (uint32_t i = 0; i < ns->if_count; i++) {
        struct netif *f = &ns->ifs[i];
        f->rx_packets = f->rx_bytes = f->tx_packets = f->tx_bytes = 0;
    }
    dns_tcp_listen(ns);
    hosts_write(ns);
}

void net_node_down(struct node *n)
{
    struct netns *ns = n->net;
    if (!ns || !ns->up) {
        return;
    }
    ns->up = false;
    tcp_netns_down(ns);
    unix_gc(n->m);
    net_flush(n->m);
    struct sock *sk, *tmp;
    list_for_each_entry_safe (sk, tmp, &ns->socks, ns_link) {
        if (sk->family == ABI_AF_INET || sk->family == ABI_AF_INET6) {
            sock_set_error(sk, ENETDOWN); /* held open by something that outlives the container */
        }
    }
}

void net_fini(struct machine *m)
{
    for (uint32_t i = 0; i < m->node_count; i++) {
        struct node *n = m->nodes[i];
        net_node_down(n);
        if (n->net) {
            ASSERT(list_empty(&n->net->socks));
            kfree(m, n->net->ifs);
            kfree(m, n->net);
            n->net = NULL;
        }
    }
    net_link_fini(m);
    kfree(m, m->net->addrs);
    kfree(m, m->net);
    m->net = NULL;
}
