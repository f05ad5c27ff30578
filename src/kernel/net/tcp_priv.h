/* What the files of TCP ask of each other, and Linux's constants. */
#ifndef EVERETT_KERNEL_NET_TCP_PRIV_H
#define EVERETT_KERNEL_NET_TCP_PRIV_H

#include "kernel/net/tcp.h"

#define TCP_RTO_MIN        (200 * NSEC_PER_MSEC)
#define TCP_RTO_MAX        (120 * NSEC_PER_SEC)
#define TCP_RTO_INIT       (1 * NSEC_PER_SEC)
#define TCP_DELACK         (40 * NSEC_PER_MSEC)
#define TCP_TIMEWAIT       (60 * NSEC_PER_SEC) /* also tcp_fin_timeout */
#define TCP_SYN_RETRIES    6
#define TCP_SYNACK_RETRIES 5
#define TCP_RETRIES2       15
#define TCP_ORPHAN_RETRIES 8
#define TCP_RMEM_DEFAULT   131072u
#define TCP_RMEM_MAX       6291456u
#define TCP_WMEM_DEFAULT   16384u
#define TCP_WMEM_ETH       87040u /* what Linux grows it to at establishment */
#define TCP_WMEM_LO        2626560u
#define TCP_WMEM_MAX       4194304u
#define TCP_SYN_BACKLOG    4096u  /* half-open connections of a listener; more SYNs are dropped */
#define TCP_MAX_TW         16384u /* tcp_max_tw_buckets: more are closed at once */
#define TCP_INIT_CWND      10u

/* --- tcp.c ----------------------------------------------------------------------------------- */
/* The connection is over: state CLOSE, timers off, out of the tables; an orphan will be freed. */
void tcp_done(struct tcp_sock *tp);
void tcp_fail(struct tcp_sock *tp, int err); /* tcp_done with SO_ERROR = err */
void tcp_purge_queues(struct tcp_sock *tp);
struct tcp_key *tcp_lookup(const struct netns *ns, const struct endpoint *l,
                           const struct endpoint *r);
void tcp_hash(struct tcp_sock *tp);
void tcp_key_insert(struct netns *ns, struct tcp_key *k);
void tcp_key_remove(struct netns *ns, struct tcp_key *k);
void tcp_set_established(struct tcp_sock *tp);
void tcp_unpair(struct tcp_sock *tp);
uint32_t tcp_base_mss(const struct tcp_sock *tp);
const char *tcp_state_name(enum tcp_state s);

/* --- tcp_listen.c ---------------------------------------------------------------------------- */
int tcp_accept(struct task *t, struct sock *sk, struct sock **out);
struct tcp_sock *tcp_find_listener(const struct netns *ns, const struct endpoint *l,
                                   const struct endpoint *r);
void tcp_listen_input(struct tcp_sock *lp, struct skb *s); /* takes s */
/* The third segment came: into the accept queue. False if there is no room. */
bool tcp_child_ready(struct tcp_sock *tp);
void tcp_child_forget(struct tcp_sock *tp); /* leaves its listener's queues */
void tcp_listen_stop(struct tcp_sock *lp);

/* --- tcp_out.c ------------------------------------------------------------------------------- */
void tcp_send_ack(struct tcp_sock *tp);
void tcp_send_syn(struct tcp_sock *tp); /* SYN or SYN-ACK by state; also again */
void tcp_send_reset(struct tcp_sock *tp);
void tcp_reply_reset(struct netns *ns, const struct skb *s);
/* Sends what windows and Nagle allow; `force`: also a piece less than a segment. */
void tcp_push(struct tcp_sock *tp, bool force);
void tcp_retransmit_first(struct tcp_sock *tp);
void tcp_send_probe(struct tcp_sock *tp, bool keepalive);
void tcp_queue_fin(struct tcp_sock *tp);
uint32_t tcp_window(struct tcp_sock *tp); /* to advertise; moves rcv_edge */
uint32_t tcp_rcv_space(const struct tcp_sock *tp);

/* --- tcp_ack.c ------------------------------------------------------------------------------- */
/* False: the segment is not acceptable and was answered. */
bool tcp_ack(struct tcp_sock *tp, const struct skb *s);
void tcp_rtt_sample(struct tcp_sock *tp, uint64_t rtt_ns);
uint64_t tcp_in_flight(const struct tcp_sock *tp);

/* --- tcp_timer.c ----------------------------------------------------------------------------- */
void tcp_arm_rtx(struct tcp_sock *tp, enum tcp_pending what, uint64_t after_ns);
void tcp_disarm_rtx(struct tcp_sock *tp);
/* Arms the retransmission, probe or no timer, as the queue asks. */
void tcp_rearm(struct tcp_sock *tp);
void tcp_arm_delack(struct tcp_sock *tp);
void tcp_arm_keepalive(struct tcp_sock *tp);
void tcp_arm_synack(struct tcp_sock *tp);
void tcp_timers_off(struct tcp_sock *tp);

/* --- tcp_data.c ------------------------------------------------------------------------------ */
int64_t tcp_sendmsg(struct task *t, struct sock *sk, struct sock_msg *msg);
int64_t tcp_recvmsg(struct task *t, struct sock *sk, struct sock_msg *msg);
uint32_t tcp_poll(struct sock *sk);
uint64_t tcp_send_room(const struct tcp_sock *tp);
bool tcp_writable(const struct tcp_sock *tp);
/* Payload arrived in order: takes s into the receive queue. */
void tcp_queue_in(struct tcp_sock *tp, struct skb *s);

/* --- tcp_tw.c -------------------------------------------------------------------------------- */
void tcp_time_wait(struct tcp_sock *tp, bool fin_wait2);               /* ends in tcp_done */
void tcp_tw_input(struct netns *ns, struct tcp_tw *tw, struct skb *s); /* takes s */
void tcp_tw_free(struct tcp_tw *tw);

/* --- tcp_opts.c ------------------------------------------------------------------------------ */
int tcp_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, uint32_t len);
int64_t tcp_getopt(struct task *t, struct sock *sk, int level, int name, void *buf, uint32_t cap);
int64_t tcp_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg);

#endif
