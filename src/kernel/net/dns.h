/* The resolver every container finds at 127.0.0.11:53, as Docker's: names of containers, services
 * and hosts that share a network (RFC 1035). */
#ifndef EVERETT_KERNEL_NET_DNS_H
#define EVERETT_KERNEL_NET_DNS_H

#include "base/base.h"
#include "kernel/net/ip.h"

struct machine;
struct netns;
struct skb;
struct tcp_sock;

#define DNS_PORT     53
#define DNS_MSG_MAX  4096u /* answers over UDP with EDNS, and over TCP */
#define DNS_UDP_MAX  512u  /* without EDNS: truncated beyond (TC) */
#define DNS_NAME_MAX 255u

bool dns_is_server(const struct endpoint *e);
/* Answers one query; *out has cap bytes. Returns the answer's length, 0: drop it. `udp`: obey the
 * size limit of the query. */
uint32_t dns_answer(const struct netns *ns, const unsigned char *query, uint32_t len,
                    unsigned char *out, uint32_t cap, bool udp);

void dns_udp_input(struct netns *ns, struct skb *s); /* takes s */
/* A listening socket of the kernel's on TCP port 53. */
void dns_tcp_listen(struct netns *ns);
/* A connection to it has news; dns_tcp_run serves them (from net_flush). */
void dns_tcp_ready(struct tcp_sock *tp);
void dns_tcp_run(struct machine *m);

/* Addresses that `name` (dots inside, none at the end) means to ns: at most cap, IPv4 (v4-mapped)
 * or IPv6, rotated per query. *known: the name exists even if it has no address of that kind. */
uint32_t dns_lookup(const struct netns *ns, const char *name, bool v6, struct ipaddr *out,
                    uint32_t cap, bool *known);
/* The name of whoever has the address on a network of ns: container.network. Length or 0. */
uint32_t dns_reverse(const struct netns *ns, const struct ipaddr *a, char *out, uint32_t cap);

/* /etc/hosts, /etc/resolv.conf, /etc/hostname of a container that starts. */
void hosts_write(struct netns *ns);

#endif
