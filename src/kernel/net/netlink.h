/* NETLINK_ROUTE requests as rtnetlink(7) defines them: parsing and answers. */
#ifndef EVERETT_KERNEL_NET_NETLINK_H
#define EVERETT_KERNEL_NET_NETLINK_H

#include "base/base.h"
#include "base/list.h"

struct file;
struct machine;
struct netns;

/* Where answers go: a list of skbs, each one datagram for the reader. */
struct nl_reply {
    struct machine *m;
    const struct netns *ns;
    uint32_t seq, portid; /* of the request */
    bool strict;          /* NETLINK_GET_STRICT_CHK */
    struct list_head *queue;
    struct skb *cur;  /* being filled */
    uint32_t unknown; /* message type that is not supported; 0 none */
};

/* Answers every request in msg[0..len). `admin`: the sender may change things (which is refused all
 * the same). Malformed messages end the walk, as netlink_rcv_skb does. */
void netlink_request(struct nl_reply *r, const unsigned char *msg, uint32_t len, bool admin);

/* A message of the kernel itself to a netlink socket, as mq_notify(2) sends. */
void netlink_deliver(struct file *f, const void *data, uint32_t len);
/* Is it a netlink socket? 0, -ENOTSOCK or -EINVAL. */
int netlink_check(const struct file *f);

/* For netlink_route.c: appends a message; attributes follow with nl_attr. */
void *nl_begin(struct nl_reply *r, uint16_t type, uint16_t flags, uint32_t payload);
void nl_attr(struct nl_reply *r, uint16_t type, const void *data, uint32_t len);
void nl_end(struct nl_reply *r);
void nl_error(struct nl_reply *r, const unsigned char *request, uint32_t len, int err);

/* One request. 0: answered; 1: acknowledge; negative errno. */
int netlink_route_request(struct nl_reply *r, uint16_t type, uint16_t flags,
                          const unsigned char *body, uint32_t len);

#endif
