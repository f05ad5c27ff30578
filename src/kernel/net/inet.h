/* What AF_INET and AF_INET6 sockets of every protocol share: endpoints, ports, ip(7) options. */
#ifndef EVERETT_KERNEL_NET_INET_H
#define EVERETT_KERNEL_NET_INET_H

#include "kernel/net/ip.h"
#include "kernel/net/sock.h"

struct skb;

/* Occupies a port of a name space. Embedded in the socket or the TIME_WAIT remnant. */
struct port_use {
    struct list_head link;
    struct ipaddr addr; /* any: wildcard */
    uint16_t port;      /* 0: none */
    uint16_t family;
    uint32_t uid, bound_if;
    bool v6only, reuse, reuseport, listening;
    bool by_bind; /* by bind(2), not chosen by connect(2) */
};

#define IP_OPT_MAX 40u

struct inet_sock {
    struct sock sk;                /* first */
    struct endpoint local, remote; /* remote.port 0: not connected */
    struct port_use use;
    bool local_by_user; /* bind gave an address */
    bool port_by_user;  /* bind gave a port */
    bool v6only, freebind, transparent, recverr, recverr6, hdrincl;
    bool pktinfo, pktinfo6, recvtos, recvttl, recvtclass, recvhoplimit, recvorigdst;
    bool kept[6]; /* options about headers that are not modelled: only read back */
    bool bind_no_port, mcast_loop, mcast_all, autoflowlabel, nodefrag;
    int tos, tclass, ttl, hops, mcast_ttl, mcast_hops, mtu_discover, mtu_discover6, minttl;
    uint32_t mcast_if, unicast_if;
    struct ipaddr *groups; /* joined; kalloc'ed pairs with group_ifs */
    uint32_t *group_ifs;
    uint32_t group_count;
    struct list_head errq; /* struct skb: IP_RECVERR */
};

static inline struct inet_sock *inet_of(struct sock *sk)
{
    return (struct inet_sock *)sk;
}

void inet_init(struct inet_sock *is, const struct sock_ops *ops, struct netns *ns, uint16_t family,
               uint16_t type, uint16_t protocol);
void inet_fini(struct inet_sock *is);

/* bind(2), connect(2), sendto(2) addresses. 0, -EINVAL (short), -EAFNOSUPPORT. *scope gets the
 * interface of a link-local address or 0. */
int inet_addr_parse(const struct inet_sock *is, const union abi_sockaddr *a, uint32_t len,
                    struct endpoint *out, uint32_t *scope);
/* In the form of the socket's family; returns the length. */
int inet_addr_format(const struct inet_sock *is, const struct endpoint *e, union abi_sockaddr *out);
int inet_getname(struct sock *sk, bool peer, union abi_sockaddr *out);

/* Checks and takes a port: the given one, or an ephemeral one for 0. `head` is the protocol's
 * table. 0, -EADDRINUSE, -EACCES. */
int port_bind(struct inet_sock *is, struct list_head *table, uint16_t port, bool tcp);
void port_release(struct port_use *u);
/* An ephemeral port for connect: `taken` says whether the choice would collide. 0 if none is free.
 */
uint16_t port_ephemeral(struct inet_sock *is, bool (*taken)(struct inet_sock *is, uint16_t port));
void port_use_init(struct port_use *u);
/* Records a port that needs no check (accepted children, connect's choice). */
void port_take(struct inet_sock *is, struct list_head *table, uint16_t port, bool by_bind);

/* bind(2) for TCP, UDP and raw: address check and port. */
int inet_bind(struct task *t, struct inet_sock *is, const union abi_sockaddr *a, uint32_t len,
              struct list_head *table, bool tcp);

int inet_setopt(struct task *t, struct inet_sock *is, int level, int name, gaddr val, uint32_t len);
int64_t inet_getopt(struct task *t, struct inet_sock *is, int level, int name, void *buf,
                    uint32_t cap);
/* Interface ioctls of netdevice(7) and routing; -ENOIOCTLCMD if cmd is none of them. */
#define ENOIOCTLCMD 515
int64_t inet_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg);

/* Control messages a received datagram brings along. */
void inet_put_cmsgs(struct inet_sock *is, const struct skb *s, struct sock_msg *msg);
/* recvmsg(MSG_ERRQUEUE): bytes, or -EAGAIN. */
int64_t inet_recv_error(struct task *t, struct inet_sock *is, struct sock_msg *msg);
/* sock_ops.recv of sockets that receive whole messages (UDP, raw). */
int64_t inet_recv_message(struct task *t, struct sock *sk, struct sock_msg *msg);
/* An ICMP error about a datagram of ours. */
void inet_icmp_error(struct inet_sock *is, const struct skb *s);

/* True if the socket joined the group (on that interface). */
bool inet_in_group(const struct inet_sock *is, const struct ipaddr *group, uint32_t ifindex);

int tcp_create(struct netns *ns, uint16_t family, uint16_t type, uint16_t protocol,
               struct sock **out);
int udp_create(struct netns *ns, uint16_t family, uint16_t type, uint16_t protocol,
               struct sock **out);
int raw_create(struct netns *ns, uint16_t family, uint16_t type, uint16_t protocol,
               struct sock **out);
int unix_create(struct netns *ns, uint16_t type, struct sock **out);
int netlink_create(struct netns *ns, uint16_t type, uint16_t protocol, struct sock **out);

/* Packets for the transport protocols. They take the skb. */
void tcp_input(struct netns *ns, struct skb *s);
void udp_input(struct netns *ns, struct skb *s);
void raw_input(struct netns *ns, struct skb *s);
void icmp_input(struct netns *ns, struct skb *s);
/* An ICMP error about a packet of ours. They borrow. */
void tcp_icmp_error(struct netns *ns, const struct skb *s);
void udp_icmp_error(struct netns *ns, const struct skb *s);
void raw_icmp_error(struct netns *ns, const struct skb *s);

#endif
