/* Packets and queued data: a header that never exists as bytes, and a slice of payload.
 *
 * An skb owns its payload (it follows the struct in the same block) or shares that of `base`, to
 * which it holds a reference. The send queue of TCP owns; segments on a link and in the peer's
 * receive queue share. So payload is copied in once and out once. */
#ifndef EVERETT_KERNEL_NET_SKB_H
#define EVERETT_KERNEL_NET_SKB_H

#include "base/list.h"
#include "kernel/net/ip.h"
#include "kernel/time/timer.h"

struct machine;
struct netns;
struct scm;
struct unix_sock;

enum {
    TCP_F_FIN = 1,
    TCP_F_SYN = 2,
    TCP_F_RST = 4,
    TCP_F_PSH = 8,
    TCP_F_ACK = 16,
    TCP_F_URG = 32,
};

/* Protocol of an skb that carries an ICMP error about another packet, either family. */
#define PROTO_ICMP_ERROR 0xff

struct skb {
    struct list_head link;
    struct skb *base;    /* shares its payload; NULL: own */
    unsigned char *data; /* first byte of the slice */
    uint32_t refs;       /* of an owner: itself and those that share */
    uint32_t len, cap;   /* slice; room behind `data` for an owner */
    uint8_t proto;       /* IPPROTO_* or PROTO_ICMP_ERROR */
    uint8_t tos, ttl;
    uint32_t ifindex; /* of the interface it came in by */
    struct netns *ns; /* on the queue within a node: whose */
    struct endpoint src, dst;
    vtime due; /* on a link: time of arrival; received: time it came */
    union {
        struct {
            uint64_t seq, ack;    /* never wrap: 64 bits, no wire form */
            uint64_t ts, ts_echo; /* RFC 7323 time stamps in nanoseconds */
            uint32_t wnd;
            uint16_t mss; /* of a SYN; 0 otherwise */
            uint8_t flags;
            uint64_t urg_seq; /* TCP_F_URG: sequence number of the urgent byte */
        } tcp;
        struct {
            uint8_t type, code;
            uint8_t inner_proto; /* PROTO_ICMP_ERROR: about a packet from inner_src ... */
            struct endpoint inner_src, inner_dst;
            uint64_t inner_seq;
            int32_t error; /* errno it stands for */
        } icmp;
        struct {
            struct unix_sock *sender; /* holds a reference; charged for this skb */
            uint32_t charge;          /* against the sender's SO_SNDBUF */
            int32_t pid;              /* credentials of the sender */
            uint32_t uid, gid;
        } ux;
        struct {
            uint32_t portid, group;
        } nl;
    };
    struct scm *scm; /* AF_UNIX: passed descriptors; owned */
};

/* Payload bytes of one queued piece: what fits a 16 KiB block. */
#define SKB_CHUNK 15872u

/* A fresh skb with room for `cap` bytes and length 0. */
struct skb *skb_alloc(struct machine *m, uint32_t cap);
/* Shares bytes [off, off + len) of `s`. */
struct skb *skb_share(struct machine *m, struct skb *s, uint32_t off, uint32_t len);
void skb_free(struct machine *m, struct skb *s); /* accepts NULL; scm must have been taken off */

/* What an skb of that payload costs against a socket buffer. */
static inline uint32_t skb_cost(uint32_t len)
{
    return len + 256;
}

#endif
