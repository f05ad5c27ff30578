/* What every socket has, and what a protocol provides (socket(7)). */
#ifndef EVERETT_KERNEL_NET_SOCK_H
#define EVERETT_KERNEL_NET_SOCK_H

#include "abi/socket.h"
#include "base/list.h"
#include "kernel/mm/usercopy.h"
#include "kernel/sched/wait.h"

struct cmsg_out;
struct file;
struct machine;
struct netns;
struct scm;
struct sock;
struct task;

enum sock_flag {
    SOCK_F_REUSEADDR = 1 << 0,
    SOCK_F_REUSEPORT = 1 << 1,
    SOCK_F_KEEPALIVE = 1 << 2,
    SOCK_F_BROADCAST = 1 << 3,
    SOCK_F_OOBINLINE = 1 << 4,
    SOCK_F_PASSCRED = 1 << 5,
    SOCK_F_PASSSEC = 1 << 6,
    SOCK_F_TIMESTAMP = 1 << 7,
    SOCK_F_TIMESTAMPNS = 1 << 8,
    SOCK_F_LINGER = 1 << 9,
    SOCK_F_DONTROUTE = 1 << 10,
    SOCK_F_DEBUG = 1 << 11,
    SOCK_F_RXQ_OVFL = 1 << 12,
    SOCK_F_ZEROCOPY = 1 << 13,
    SOCK_F_NO_CHECK = 1 << 14,
    SOCK_F_NOFCS = 1 << 15,
    SOCK_F_SNDBUF_LOCK = 1 << 16, /* set by the program: no auto-tuning */
    SOCK_F_RCVBUF_LOCK = 1 << 17,
    SOCK_F_WIFI_STATUS = 1 << 18,
    SOCK_F_SELECT_ERR = 1 << 19,
};

#define SOCK_RCV_SHUTDOWN  1u
#define SOCK_SEND_SHUTDOWN 2u
#define SOCK_SHUTDOWN_BOTH 3u

/* One transfer. `uio` counts what is left to move. */
struct skb;

struct sock_msg {
    struct uio *uio;
    uint32_t flags;           /* ABI_MSG_* of the caller */
    uint32_t out_flags;       /* receive: ABI_MSG_* to report */
    union abi_sockaddr *name; /* send: destination; receive: filled in; NULL: not wanted */
    uint32_t name_len;        /* 0: none */
    struct scm *scm;          /* send: owned by the caller; a protocol that takes it sets NULL */
    struct send_info *info;   /* send: IP-level control; NULL: none */
    struct cmsg_out *ctl;     /* receive: NULL: not wanted */
};

/* IP_PKTINFO, IP_TOS, IP_TTL and their IPv6 kin on sendmsg (ip(7), ipv6(7)). */
struct send_info {
    uint32_t ifindex;
    bool has_src;
    unsigned char src[16]; /* struct ipaddr */
    int tos, ttl;          /* -1: the socket's */
};

/* All required unless said. Results: 0 or more, or a negative errno. None sleeps: -EAGAIN means
 * wait on sk->wq and call again. */
struct sock_ops {
    const char *name;
    int (*bind)(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len);
    int (*listen)(struct task *t, struct sock *sk, int backlog); /* NULL: -EOPNOTSUPP */
    /* -EINPROGRESS or -EALREADY: wait for ABI_POLLOUT and call again (with call.retry set). */
    int (*connect)(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len);
    /* A new socket without a file in *out. NULL: -EOPNOTSUPP. */
    int (*accept)(struct task *t, struct sock *sk, struct sock **out);
    /* Length of the address put in *out. */
    int (*getname)(struct sock *sk, bool peer, union abi_sockaddr *out);
    int64_t (*send)(struct task *t, struct sock *sk, struct sock_msg *msg);
    int64_t (*recv)(struct task *t, struct sock *sk, struct sock_msg *msg);
    int (*shutdown)(struct sock *sk, uint32_t how); /* SOCK_*_SHUTDOWN bits */
    uint32_t (*poll)(struct sock *sk);
    int64_t (*ioctl)(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg);
    /* Levels other than SOL_SOCKET. getopt fills buf[cap] and returns the length it has. */
    int (*setopt)(struct task *t, struct sock *sk, int level, int name, gaddr val, uint32_t len);
    int64_t (*getopt)(struct task *t, struct sock *sk, int level, int name, void *buf,
                      uint32_t cap);
    /* A buffer size option changed (window, wake-ups). NULL: nothing. */
    void (*buffers_changed)(struct sock *sk);
    /* The file is gone: frees the socket or lets it finish as an orphan. */
    void (*close)(struct sock *sk);
    bool stream; /* bytes, not messages: partial transfers continue */
};

struct sock {
    const struct sock_ops *ops;
    struct machine *m;
    struct netns *ns;
    struct file *file; /* borrowed; NULL: not accepted yet, closed, or the kernel's own */
    uint64_t id;       /* creation order in the universe */
    uint64_t ino;      /* of its file; 0 without one */
    struct list_head ns_link;
    struct waitq wq;
    uint16_t family, type, protocol;
    uint32_t uid;
    int32_t err;       /* pending error, positive errno; read once (SO_ERROR) */
    int32_t err_soft;  /* ICMP's opinion while TCP keeps trying */
    uint32_t shutdown; /* SOCK_*_SHUTDOWN */
    bool listening;    /* SO_ACCEPTCONN */
    bool nospace;      /* a writer found no room: wake when there is */

    uint32_t flags; /* enum sock_flag */
    uint32_t sndbuf, rcvbuf, rcvlowat;
    uint64_t rcvtimeo_ns, sndtimeo_ns; /* VTIME_NEVER: none */
    int32_t linger_s;
    uint32_t priority, mark, bound_if, busy_poll, timestamping;
    int32_t incoming_cpu;
    uint64_t max_pacing_rate;

    struct list_head rcvq; /* struct skb, in order */
    uint64_t rcvq_bytes;   /* payload; messages: cost */
    uint32_t drops;
    vtime last_stamp; /* arrival of what was last received (SIOCGSTAMP) */
};

void sock_init(struct sock *sk, const struct sock_ops *ops, struct netns *ns, uint16_t family,
               uint16_t type, uint16_t protocol);
/* Unlinks, frees the receive queue, wakes whoever still waits. Not the memory itself. */
void sock_fini(struct sock *sk);
void sock_purge(struct machine *m, struct list_head *q);

/* A file around sk; NULL never. flags: O_NONBLOCK or 0. */
struct file *sock_file_create(struct sock *sk, uint32_t flags);
/* The socket behind a file, or NULL (-ENOTSOCK). */
struct sock *sock_of_file(const struct file *f);

/* Creates a socket of any family. 0 or a negative errno in socket(2)'s order. */
int sock_create(struct task *t, int family, int type, int protocol, struct sock **out);

static inline void sock_wake(struct sock *sk, uint32_t mask)
{
    waitq_wake(sk->m, &sk->wq, mask);
}

/* Data has come / room has come / the state changed. */
void sock_wake_readable(struct sock *sk);
void sock_wake_writable(struct sock *sk);
void sock_wake_state(struct sock *sk);
void sock_set_error(struct sock *sk, int err); /* positive; wakes */
/* Takes the pending error: 0 or negative. */
int sock_take_error(struct sock *sk);

/* One transfer with everything socket(7) says about errors and signals, without waiting. */
int64_t sock_send(struct task *t, struct sock *sk, struct sock_msg *msg);
int64_t sock_recv(struct task *t, struct sock *sk, struct sock_msg *msg);

/* For recv of whole messages: copies s as far as the caller has room. Bytes copied (the whole
 * length with MSG_TRUNC, which is also set in out_flags when the message was cut), or -EFAULT. */
int64_t sock_copy_message(const struct skb *s, struct sock_msg *msg);
/* The same of the first message, which stays queued: *out, with sock_copy_message's result; or NULL
 * and the pending error, 0 at the end, -EAGAIN. */
int64_t sock_peek_message(struct sock *sk, struct sock_msg *msg, struct skb **out);
/* The message was received: it leaves the receive queue and is freed. */
void sock_drop_message(struct sock *sk, struct skb *s);

/* SOL_SOCKET options, then the protocol's. */
int sock_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, int len);
int sock_getopt(struct task *t, struct sock *sk, int level, int name, gaddr val, gaddr len);
/* For setopt: an int argument, or -EINVAL / -EFAULT. */
int sock_opt_int(struct task *t, gaddr val, uint32_t len, int *out) must_check;
/* For getopt: stores v and returns its length. */
int64_t sock_opt_put(void *buf, uint32_t cap, const void *v, uint32_t len);
int64_t sock_opt_put_int(void *buf, uint32_t cap, int v);
/* Reports an option we lack and answers -ENOPROTOOPT. */
int sock_opt_unknown(struct task *t, int level, int name);
int64_t sock_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg);

#endif
