/* TCP at segment level (tcp(7), RFC 9293, 6298, 5681, 6582): state, windows, timers as on Linux,
 * but no bytes on a wire. Files: tcp.c life cycle and user calls, tcp_listen.c passive opens,
 * tcp_in.c segments in, tcp_ack.c acknowledgements, tcp_out.c segments out, tcp_timer.c timers,
 * tcp_data.c send and receive, tcp_tw.c TIME_WAIT, tcp_opts.c options. */
#ifndef EVERETT_KERNEL_NET_TCP_H
#define EVERETT_KERNEL_NET_TCP_H

#include "kernel/net/inet.h"
#include "kernel/net/skb.h"

/* Numbers of /proc/net/tcp and TCP_INFO. */
enum tcp_state {
    TCPS_ESTABLISHED = 1,
    TCPS_SYN_SENT,
    TCPS_SYN_RECV,
    TCPS_FIN_WAIT1,
    TCPS_FIN_WAIT2,
    TCPS_TIME_WAIT,
    TCPS_CLOSE,
    TCPS_CLOSE_WAIT,
    TCPS_LAST_ACK,
    TCPS_LISTEN,
    TCPS_CLOSING,
};
#define TCPS_BIT(s) (1u << (s))

/* A connection in the table of its node: a socket, or what TIME_WAIT remembers. */
struct tcp_key {
    struct tcp_key *next;
    struct endpoint local, remote;
    bool hashed, timewait;
};

enum tcp_pending { TCP_RTX_NONE, TCP_RTX_RETRANS, TCP_RTX_PROBE };

struct tcp_sock {
    struct inet_sock inet; /* first */
    struct tcp_key key;
    enum tcp_state state;
    enum { TCP_SS_UNCONNECTED, TCP_SS_CONNECTING, TCP_SS_CONNECTED } ss;
    bool orphan;           /* the file is gone (tcp_close) */
    bool local;            /* both ends on this node */
    bool kernel;           /* the resolver's: no file, never an orphan */
    bool dying;            /* on net->dead */
    struct tcp_sock *peer; /* local, established: the other end; both point or neither */

    /* Listener. */
    struct list_head listen_link;
    struct list_head acceptq, synq; /* struct tcp_sock queue_link */
    uint32_t accept_len, syn_len, backlog;
    /* Child not accepted yet. */
    struct tcp_sock *listener;
    bool ready; /* in acceptq, else in synq */
    struct list_head queue_link;
    struct list_head dead_link, dns_link;
    void *dns; /* kernel: the resolver's buffer */

    /* Sending. Sequence numbers have 64 bits and never wrap. */
    uint64_t iss, snd_una, snd_nxt, snd_max, write_seq, fin_seq;
    bool fin_queued;
    struct list_head sndq; /* struct skb owning [seq, seq + len), from snd_una to write_seq */
    struct skb *send_hint; /* the piece that holds snd_nxt, or NULL */
    uint32_t snd_wnd, max_wnd;
    uint64_t snd_wl1;
    uint64_t push_seq; /* MSG_MORE and CORK hold back only what comes after */
    uint32_t mss, user_mss;
    uint64_t cwnd, ssthresh, recover;
    uint32_t dupacks;
    bool in_recovery;
    uint64_t urg_out; /* sequence number behind the last urgent byte sent; 0 none */

    /* Receiving. */
    uint64_t irs, rcv_nxt, rcv_edge,
        rcv_read;         /* edge: right end of the window given; read: copied */
    struct list_head ooo; /* struct skb by seq, not overlapping rcv_nxt */
    uint64_t ooo_bytes;
    uint64_t ts_recent;
    uint64_t rcv_last_acked;
    bool ack_now, pingpong, fin_received;
    uint32_t quick_acks;
    uint64_t urg_seq; /* of the urgent byte; valid while urg_state */
    uint8_t urg_byte;
    enum { TCP_URG_NONE, TCP_URG_WAITED, TCP_URG_VALID, TCP_URG_READ } urg_state;
    uint64_t rcvq_space, rcvq_copied_seq; /* receive buffer auto-tuning */
    vtime rcvq_time;

    /* Round trips and timers. */
    uint64_t srtt_ns, mdev_ns, rto_ns, min_rtt_ns;
    struct timer rtx_timer, delack_timer, keep_timer;
    enum tcp_pending pending;
    uint32_t backoff, retransmits, probes_out, keep_probes, syn_retries_done;
    vtime retrans_since; /* first retransmission of the oldest unacknowledged data */
    vtime probes_since;
    vtime last_rcv, last_snd, last_ack_rcv;
    uint64_t total_retrans, bytes_acked, bytes_received, segs_in, segs_out, bytes_sent;
    uint64_t bytes_retrans, data_segs_in, data_segs_out;

    /* Options (tcp(7)). */
    bool nodelay, cork, inq, quickack_set, save_syn, thin_lto;
    int keep_idle_s, keep_intvl_s, keep_cnt, syn_cnt, linger2_s, defer_accept_s, window_clamp;
    int fastopen_qlen, fastopen_connect, notsent_lowat;
    uint32_t user_timeout_ms;
    uint64_t tx_delay;
    char congestion[16];
};

/* TIME_WAIT, or FIN_WAIT2 without an owner. */
struct tcp_tw {
    struct tcp_key key; /* first */
    struct netns *ns;
    struct list_head link; /* netns->timewaits */
    struct port_use use;
    struct timer timer;
    uint64_t snd_nxt, rcv_nxt, ts_recent;
    vtime since;
    bool fin_wait2;
    uint32_t rcv_wnd;
};

static inline struct tcp_sock *tcp_of(struct sock *sk)
{
    return (struct tcp_sock *)sk;
}

static inline struct sock *tcp_sk(struct tcp_sock *tp)
{
    return &tp->inet.sk;
}

/* A fresh socket in state CLOSE. */
struct tcp_sock *tcp_alloc(struct netns *ns, uint16_t family);
void tcp_close_file(struct sock *sk);
int tcp_listen(struct task *t, struct sock *sk, int backlog);
void tcp_reap(struct machine *m); /* frees the dead; end of net_flush */
/* Forgets everything about the node's connections: the container is gone. */
void tcp_netns_down(struct netns *ns);
/* The resolver's way to send and receive: kernel memory. */
uint32_t tcp_kernel_recv(struct tcp_sock *tp, void *dst, uint32_t cap);
void tcp_kernel_send(struct tcp_sock *tp, const void *src, uint32_t len);

#endif
