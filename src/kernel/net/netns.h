/* A node's network name space: interfaces, addresses, routes and the tables of its sockets. */
#ifndef EVERETT_KERNEL_NET_NETNS_H
#define EVERETT_KERNEL_NET_NETNS_H

#include "base/list.h"
#include "kernel/net/ip.h"
#include "kernel/net/net.h"
#include "kernel/time/timer.h"

struct machine;
struct node;
struct skb;
struct tcp_key;
struct tcp_sock;

#define NET_MTU_ETH 1500u
#define NET_MTU_LO  65536u
#define NET_LO      1u /* interface index of lo; eth0 has 2 */
#define NET_NO_NODE 0xffffffffu

struct netif {
    char name[16];
    uint32_t index, mtu, flags; /* ABI_IFF_* */
    uint8_t mac[6];
    uint32_t network; /* index in the plan; NET_NO_NODE for lo */
    bool has4, has6;
    struct ipaddr addr4, addr6, link6;
    uint32_t prefix4, prefix6; /* bits of the respective family */
    bool internal;             /* no gateway */
    struct ipaddr gateway4, gateway6;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

#define TCP_HASH    256u
#define PORT_HASH   256u
#define LISTEN_HASH 64u

/* MIB counters shown in /proc/net/snmp and netstat, and read by programs that watch themselves. */
struct net_counters {
    uint64_t tcp_active_opens, tcp_passive_opens, tcp_attempt_fails, tcp_estab_resets;
    uint64_t tcp_in_segs, tcp_out_segs, tcp_retrans_segs, tcp_out_rsts;
    uint64_t udp_in, udp_no_ports, udp_in_errors, udp_out, udp_rcvbuf_errors;
    uint64_t listen_overflows, listen_drops, tcp_timeouts, tcp_fast_retrans;
    uint64_t icmp_in, icmp_out;
};

struct netns {
    struct machine *m;
    struct node *node;
    bool up;
    struct netif *ifs; /* [0] is lo */
    uint32_t if_count;
    struct list_head socks;    /* struct sock ns_link, every family, by creation */
    struct list_head abstract; /* struct unix_name, by creation */
    struct tcp_key *established[TCP_HASH];
    struct list_head listeners[LISTEN_HASH]; /* struct tcp_sock listen_link */
    struct list_head tcp_ports[PORT_HASH];   /* struct port_use link */
    struct list_head udp_ports[PORT_HASH];
    struct list_head raws;      /* struct raw_sock raw_link */
    struct list_head timewaits; /* struct tcp_tw link, by creation */
    uint32_t tw_count;
    struct net_counters mib;
};

/* The network of the universe. */
struct net {
    struct link **links; /* [from * node_count + to]; NULL until used */
    struct addr_entry *addrs;
    uint32_t addr_cap;      /* power of two */
    struct list_head local; /* struct skb: packets within a node, delivered by net_flush */
    struct list_head dead;  /* struct tcp_sock dead_link, freed by net_flush */
    struct list_head dns;   /* kernel-owned TCP sockets of the resolver with something to do */
    bool flushing, collecting;
    uint64_t inflight_files;     /* SCM_RIGHTS messages hold that many references to sockets */
    struct list_head unix_socks; /* struct unix_sock all_link: the cycle collector's universe */
};

enum route_kind {
    ROUTE_LOCAL,     /* this node */
    ROUTE_NODE,      /* `node` on the network of `ifindex` */
    ROUTE_ABSENT,    /* on a network of ours, but nobody has that address */
    ROUTE_OUTSIDE,   /* through a gateway that leads nowhere */
    ROUTE_BROADCAST, /* everybody on the network of `ifindex` */
    ROUTE_MULTICAST,
};

struct route {
    enum route_kind kind;
    uint32_t node;     /* ROUTE_NODE */
    uint32_t ifindex;  /* going out */
    struct ipaddr src; /* the address the kernel would choose */
};

/* 0 or -ENETUNREACH. `oif` restricts to an interface (SO_BINDTODEVICE, scope id); 0 any. */
int route_lookup(const struct netns *ns, const struct ipaddr *dst, uint32_t oif, struct route *r);
/* The interface that has the address (loopback: lo), or NULL. */
const struct netif *netns_if_of_addr(const struct netns *ns, const struct ipaddr *a);
struct netif *netns_if(const struct netns *ns, uint32_t index);
struct netif *netns_if_by_name(const struct netns *ns, const char *name);
/* True if `a` is an address sockets of this node may be bound to (not any, not multicast). */
bool netns_is_local(const struct netns *ns, const struct ipaddr *a);
/* True for the broadcast address of one of our networks and for 255.255.255.255. */
bool netns_is_broadcast(const struct netns *ns, const struct ipaddr *a);

struct netns *netns_create(struct machine *m, struct node *n);
/* Node index of whoever has the address on that network of the plan, or NET_NO_NODE. */
uint32_t net_addr_owner(const struct net *net, const struct ipaddr *a, uint32_t network);
void net_addrs_boot(struct machine *m, struct net *net);

/* Sends a packet: routes it, then over the loopback queue or a link. Takes the skb. `ordered`:
 * never overtaken on its link (TCP). 0 or a negative errno (the skb is gone either way). */
int ip_output(struct netns *ns, struct skb *s, uint32_t oif, bool ordered);
/* A packet has arrived at the node. Takes the skb. */
void ip_input(struct netns *ns, struct skb *s);
/* Answers `about` with an ICMP error from this node. Borrows. */
void icmp_send_error(struct netns *ns, const struct skb *about, uint8_t type, uint8_t code);

/* Ends every entry into the network (call, timer, delivery): hands out packets within nodes, runs
 * the resolver, frees what died. Idempotent and not recursive. */
void net_flush(struct machine *m);

#endif
