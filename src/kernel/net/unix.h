/* AF_UNIX sockets (unix(7)). Files: unix.c names, life cycle, connections; unix_data.c send and
 * receive; unix_gc.c descriptors that only messages under way refer to. */
#ifndef EVERETT_KERNEL_NET_UNIX_H
#define EVERETT_KERNEL_NET_UNIX_H

#include "kernel/net/sock.h"

struct inode;
struct skb;

enum unix_state { UNIX_CLOSE, UNIX_LISTEN, UNIX_CONNECTED };

#define UNIX_DGRAM_QLEN 10u /* net.unix.max_dgram_qlen */

/* Counted: the file (or the accept queue), messages it sent that are not read, and sockets
 * connected to it each hold a reference. The struct outlives `dead`. */
struct unix_sock {
    struct sock sk; /* first */
    uint32_t refs;
    enum unix_state state;
    bool dead;
    uint8_t name[108]; /* sun_path as bound; abstract ones begin with a zero byte */
    uint32_t name_len; /* 0: unnamed; pathnames include their NUL */
    bool abstract;
    struct list_head abstract_link; /* netns->abstract */
    struct inode *inode;            /* pathname: holds a reference; its ->socket points back */
    struct unix_sock *peer;         /* holds a reference */
    struct list_head senders; /* unix_sock sender_link: datagram sockets connected to this one */
    struct list_head sender_link;
    struct unix_sock *listener; /* in whose acceptq it waits; not counted */
    struct list_head acceptq, queue_link;
    uint32_t accept_len, backlog;
    uint64_t wmem; /* charged for messages not read yet */
    uint64_t stream_bytes;
    uint32_t rcvq_len;
    bool has_peer_cred;
    struct abi_ucred cred, peer_cred;
    /* Cycle collector. */
    struct list_head all_link; /* net->unix_socks */
    uint32_t inflight;         /* references to our file held by messages */
    uint32_t gc_external;      /* of them not from candidates */
    bool gc_candidate, gc_kept;
};

static inline struct unix_sock *unix_of(struct sock *sk)
{
    return (struct unix_sock *)sk;
}

void unix_put(struct unix_sock *us);
static inline struct unix_sock *unix_get(struct unix_sock *us)
{
    us->refs++;
    return us;
}

/* The socket a name means: 0 with a borrowed socket in *out, or -ECONNREFUSED, -ENOENT, ... */
int unix_find(struct task *t, struct unix_sock *us, const union abi_sockaddr *a, uint32_t len,
              struct unix_sock **out);
int unix_autobind(struct unix_sock *us);
int unix_name_format(const struct unix_sock *us, union abi_sockaddr *out);
void unix_disconnect(struct unix_sock *us);
void unix_cred_of(struct task *t, struct abi_ucred *c);
bool unix_socketpair(struct task *t, struct sock *a, struct sock *b);

int64_t unix_send(struct task *t, struct sock *sk, struct sock_msg *msg);
int64_t unix_recv(struct task *t, struct sock *sk, struct sock_msg *msg);
uint32_t unix_poll(struct sock *sk);
bool unix_queue_full(const struct unix_sock *to, const struct unix_sock *from);
/* Empties the receive queue; senders get their room back, descriptors under way are closed. */
void unix_purge(struct unix_sock *us);

/* A message now holds (or no longer holds) a reference to f. */
void unix_inflight(struct machine *m, struct file *f, int delta);
/* Frees what only cycles of messages keep alive. Cheap when nothing is under way. */
void unix_gc(struct machine *m);

#endif
