/* What the rest of the kernel and the director ask of the network. */
#ifndef EVERETT_KERNEL_NET_NET_H
#define EVERETT_KERNEL_NET_NET_H

#include "base/base.h"

struct machine;
struct node;

void net_boot(struct machine *m); /* m->net: networks, links, names of the plan */
/* Interfaces, addresses, routes of the container come up; sockets are gone after net_node_down.
 * Writes /etc/hosts, /etc/resolv.conf and /etc/hostname into the node's tree. */
void net_node_up(struct node *n);
void net_node_down(struct node *n);
/* Frees everything; every socket must be closed. For tests that prove nothing is left behind. */
void net_fini(struct machine *m);

enum link_mode {
    LINK_NORMAL = 0,
    LINK_STOPPED = 1, /* drop everything */
    LINK_JAMMED = 2,  /* queue; delivered at once when the mode changes */
};

/* Extra disruption of one direction between two nodes, on top of the plan's base link. */
struct link_policy {
    enum link_mode mode;
    uint64_t latency_ns; /* added */
    uint64_t jitter_ns;  /* added, uniform in [0, jitter_ns], drawn from the `net` stream */
    uint32_t loss_ppm;   /* added */
};

/* Replaces the disruption of from -> to. Loopback within a node is never disrupted. */
void net_link_set(struct machine *m, uint32_t from, uint32_t to, const struct link_policy *p);
/* Ends all disruption and releases what was queued, in order. */
void net_link_restore_all(struct machine *m);

#endif
