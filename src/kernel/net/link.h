/* Directed links between nodes: queues of timed deliveries with a policy. */
#ifndef EVERETT_KERNEL_NET_LINK_H
#define EVERETT_KERNEL_NET_LINK_H

#include "base/base.h"
#include "kernel/time/timer.h"

struct machine;
struct skb;

/* Takes the skb. It arrives after the link's latency and jitter, or never (loss, STOPPED).
 * `ordered`: not before any earlier ordered packet of this link. */
void link_send(struct machine *m, uint32_t from, uint32_t to, struct skb *s, bool ordered);
/* Delivers at `when` without the link's policy: what the sender's own host makes (ARP failure). */
void link_send_at(struct machine *m, uint32_t node, struct skb *s, vtime when);
void link_boot(struct machine *m);
/* Frees every link with what is on it. */
void net_link_fini(struct machine *m);

#endif
