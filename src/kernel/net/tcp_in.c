/* Segments in: the state machine of RFC 9293 3.10.7 as Linux runs it (tcp_rcv_state_process). */
#include "kernel/machine.h"
#include "kernel/net/dns.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"

#define OOO_MAX 4096u /* out-of-order pieces kept a connection; the window bounds their bytes */

/* --- in-order and out-of-order payload ---------------------------------------------------------
 */

static void ooo_insert(struct tcp_sock *tp, struct skb *s)
{
    struct list_head *at = tp->ooo.prev;
    while (at != &tp->ooo && list_entry(at, struct skb, link)->tcp.seq > s->tcp.seq) {
        at = at->prev;
    }
    if (at != &tp->ooo) {
        struct skb *before = list_entry(at, struct skb, link);
        if (before->tcp.seq == s->tcp.seq && before->len >= s->len) {
            before->tcp.flags |= s->tcp.flags & TCP_F_FIN;
            skb_free(tcp_sk(tp)->m, s);
            return;
        }
    }
    list_add(at, &s->link);
    tp->ooo_bytes += s->len;
}

/* Cuts what the receiver has already, and what lies beyond its window. */
static void trim(struct tcp_sock *tp, struct skb *s)
{
    if (s->tcp.seq < tp->rcv_nxt) {
        uint32_t cut = (uint32_t)min_u64(tp->rcv_nxt - s->tcp.seq, s->len);
        s->data += cut;
        s->len -= cut;
        s->tcp.seq += cut;
    }
    if (s->tcp.seq + s->len > tp->rcv_edge) {
        uint64_t keep = tp->rcv_edge > s->tcp.seq ? tp->rcv_edge - s->tcp.seq : 0;
        s->len = (uint32_t)keep;
        s->tcp.flags &= (uint8_t)~TCP_F_FIN;
    }
}

static void got_fin(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    tp->rcv_nxt++;
    tp->fin_received = true;
    tp->ack_now = true;
    sk->shutdown |= SOCK_RCV_SHUTDOWN;
    switch (tp->state) {
    case TCPS_SYN_RECV:
    case TCPS_ESTABLISHED:
        tp->state = TCPS_CLOSE_WAIT;
        break;
    case TCPS_FIN_WAIT1:
        tp->state = TCPS_CLOSING;
        break;
    case TCPS_FIN_WAIT2:
        tcp_send_ack(tp);
        tcp_time_wait(tp, false);
        return;
    default:
        break;
    }
    tcp_unpair(tp); /* what follows goes by segments */
    sock_wake_state(sk);
}

/* An in-order piece: takes s. */
static void accept_piece(struct tcp_sock *tp, struct skb *s)
{
    bool fin = s->tcp.flags & TCP_F_FIN;
    if (s->len) {
        tp->rcv_nxt = s->tcp.seq + s->len;
        tp->data_segs_in++;
        tcp_queue_in(tp, s);
    } else {
        skb_free(tcp_sk(tp)->m, s);
    }
    if (fin) {
        got_fin(tp);
    }
}

static void pull_ooo(struct tcp_sock *tp)
{
    while (!list_empty(&tp->ooo) && !tp->fin_received) {
        struct skb *s = list_first_entry(&tp->ooo, struct skb, link);
        if (s->tcp.seq > tp->rcv_nxt) {
            return;
        }
        list_del(&s->link);
        tp->ooo_bytes -= s->len;
        bool more = s->tcp.seq + s->len > tp->rcv_nxt || (s->tcp.flags & TCP_F_FIN);
        if (!more) {
            skb_free(tcp_sk(tp)->m, s);
            continue;
        }
        trim(tp, s);
        tp->ack_now = true;
        accept_piece(tp, s);
    }
}

/* Payload and FIN of an acceptable segment: takes s. */
static void receive(struct tcp_sock *tp, struct skb *s)
{
    struct machine *m = tcp_sk(tp)->m;
    const uint32_t may =
        TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_FIN_WAIT1) | TCPS_BIT(TCPS_FIN_WAIT2);
    bool payload = s->len || (s->tcp.flags & TCP_F_FIN);
    if (!payload || !(TCPS_BIT(tp->state) & may)) {
        skb_free(m, s);
        return;
    }
    if (s->tcp.flags & TCP_F_URG && tp->urg_state != TCP_URG_WAITED &&
        s->tcp.urg_seq >= tp->rcv_nxt) {
        tp->urg_seq = s->tcp.urg_seq;
        tp->urg_state = TCP_URG_WAITED;
    }
    trim(tp, s);
    if (s->len == 0 && !(s->tcp.flags & TCP_F_FIN)) { /* all of it known, or no room */
        tp->ack_now = true;
        skb_free(m, s);
        return;
    }
    if (s->tcp.seq > tp->rcv_nxt) {
        tp->ack_now = true; /* duplicate acknowledgement: tells of the hole */
        uint32_t held = 0;
        for (struct list_head *i = tp->ooo.next; i != &tp->ooo && held <= OOO_MAX; i = i->next) {
            held++;
        }
        if (held > OOO_MAX) {
            skb_free(m, s);
        } else {
            ooo_insert(tp, s);
        }
        return;
    }
    accept_piece(tp, s);
    pull_ooo(tp);
}

/* When to acknowledge (__tcp_ack_snd_check): at once out of order, for two segments, in quick-ack
 * mode and within a node; else with the next data or after 40 ms. */
static void acknowledge(struct tcp_sock *tp)
{
    if (tp->state == TCPS_CLOSE) {
        return;
    }
    uint64_t unacked = tp->rcv_nxt - tp->rcv_last_acked;
    if (tp->ack_now) {
        tcp_send_ack(tp);
    } else if (unacked) {
        bool quick = tp->local || tp->quickack_set || (tp->quick_acks && !tp->pingpong);
        if (quick || unacked > tp->mss) {
            tcp_send_ack(tp);
        } else {
            tcp_arm_delack(tp);
        }
    }
}

/* --- resets ------------------------------------------------------------------------------------
 */

/* tcp_reset: which error the program sees. */
static void got_reset(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (tp->state != TCPS_SYN_RECV) {
        sk->ns->mib.tcp_estab_resets++;
    }
    if (tp->state == TCPS_SYN_SENT) {
        tcp_fail(tp, ECONNREFUSED);
    } else if (tp->state == TCPS_CLOSE_WAIT) {
        tcp_fail(tp, EPIPE);
    } else {
        tcp_fail(tp, ECONNRESET);
    }
}

/* --- states ------------------------------------------------------------------------------------
 */

static void take_peer_syn(struct tcp_sock *tp, const struct skb *s)
{
    tp->irs = s->tcp.seq;
    tp->rcv_nxt = tp->rcv_read = tp->rcv_last_acked = tp->irs + 1;
    tp->rcv_edge = tp->rcv_nxt;
    tp->ts_recent = s->tcp.ts;
    tp->snd_wnd = tp->max_wnd = s->tcp.wnd;
    if (s->tcp.mss && s->tcp.mss < tp->mss) {
        tp->mss = s->tcp.mss;
    }
}

static void in_syn_sent(struct tcp_sock *tp, struct skb *s)
{
    struct sock *sk = tcp_sk(tp);
    uint8_t flags = s->tcp.flags;
    if ((flags & TCP_F_ACK) && (s->tcp.ack <= tp->iss || s->tcp.ack > tp->snd_max)) {
        tcp_reply_reset(sk->ns, s);
    } else if (flags & TCP_F_RST) {
        if (flags & TCP_F_ACK) {
            got_reset(tp);
        }
    } else if ((flags & TCP_F_SYN) && (flags & TCP_F_ACK)) {
        take_peer_syn(tp, s);
        tp->snd_una = s->tcp.ack;
        if (tp->retransmits == 0) {
            tcp_rtt_sample(tp, machine_now(sk->m) - s->tcp.ts_echo);
        }
        tp->backoff = tp->retransmits = 0;
        tcp_disarm_rtx(tp);
        tcp_set_established(tp);
        tp->ss = TCP_SS_CONNECTING; /* connect(2) has yet to say so */
        tcp_send_ack(tp);
        sock_wake_writable(sk);
        sock_wake_state(sk);
        tcp_push(tp, false);
    } else if (flags & TCP_F_SYN) { /* both ends open at once (RFC 9293 figure 8) */
        take_peer_syn(tp, s);
        tp->state = TCPS_SYN_RECV;
        tcp_send_syn(tp);
        tcp_arm_synack(tp);
    }
    skb_free(sk->m, s);
}

/* The acknowledgement of our SYN. False: stay. */
static bool leave_syn_recv(struct tcp_sock *tp, const struct skb *s)
{
    struct sock *sk = tcp_sk(tp);
    if (s->tcp.ack <= tp->iss || s->tcp.ack > tp->snd_max) {
        tcp_reply_reset(sk->ns, s);
        return false;
    }
    bool first_try = tp->retransmits == 0;
    if (tp->listener) {
        if (!tcp_child_ready(tp)) {
            return false; /* accept queue full: the SYN-ACK will be repeated */
        }
    } else {
        tcp_disarm_rtx(tp);
        tp->backoff = tp->retransmits = 0;
        tcp_set_established(tp);
        sock_wake_state(sk);
    }
    tp->snd_una = tp->iss + 1;
    tp->snd_wnd = tp->max_wnd = s->tcp.wnd;
    if (first_try && s->tcp.ts_echo) {
        tcp_rtt_sample(tp, machine_now(sk->m) - s->tcp.ts_echo);
    }
    return true;
}

/* Our FIN may just have been acknowledged. False: the connection is over. */
static bool fin_acked(struct tcp_sock *tp)
{
    if (!tp->fin_queued || tp->snd_una <= tp->fin_seq) {
        return true;
    }
    switch (tp->state) {
    case TCPS_FIN_WAIT1:
        tp->state = TCPS_FIN_WAIT2;
        sock_wake_state(tcp_sk(tp));
        return true;
    case TCPS_CLOSING:
        tcp_time_wait(tp, false);
        return false;
    case TCPS_LAST_ACK:
        tcp_done(tp);
        return false;
    default:
        return true;
    }
}

/* Sequence check of RFC 9293 3.10.7.4. False: answered and to be dropped. */
static bool acceptable(struct tcp_sock *tp, const struct skb *s)
{
    uint64_t len = s->len + !!(s->tcp.flags & TCP_F_FIN) + !!(s->tcp.flags & TCP_F_SYN);
    uint64_t end = s->tcp.seq + len;
    uint64_t edge = max_u64(tp->rcv_edge, tp->rcv_nxt);
    bool old = len ? end <= tp->rcv_nxt : s->tcp.seq < tp->rcv_nxt;
    if (!old && s->tcp.seq <= edge) {
        return true;
    }
    if (!(s->tcp.flags & TCP_F_RST)) {
        if (tp->state == TCPS_SYN_RECV && (s->tcp.flags & TCP_F_SYN)) {
            tcp_send_syn(tp);
        } else {
            tcp_send_ack(tp);
        }
    }
    return false;
}

/* In the states with a known peer: takes s. */
static void in_synchronized(struct tcp_sock *tp, struct skb *s)
{
    struct sock *sk = tcp_sk(tp);
    bool go_on = acceptable(tp, s);
    if (go_on && (s->tcp.flags & TCP_F_RST)) {
        got_reset(tp);
        go_on = false;
    } else if (go_on && (s->tcp.flags & TCP_F_SYN)) {
        tcp_send_ack(tp); /* challenge (RFC 5961 4) */
        go_on = false;
    } else if (go_on && !(s->tcp.flags & TCP_F_ACK)) {
        go_on = false;
    }
    if (go_on && tp->state == TCPS_SYN_RECV) {
        go_on = leave_syn_recv(tp, s);
    }
    if (!go_on || !tcp_ack(tp, s) || !fin_acked(tp)) {
        skb_free(sk->m, s);
        return;
    }
    uint64_t end = s->tcp.seq + s->len;
    if (s->len && end > tp->rcv_nxt && (sk->shutdown & SOCK_RCV_SHUTDOWN) &&
        (tp->state == TCPS_FIN_WAIT1 || tp->state == TCPS_FIN_WAIT2)) {
        tcp_send_reset(tp); /* nobody will read it */
        tcp_fail(tp, ECONNRESET);
        skb_free(sk->m, s);
        return;
    }
    if (s->tcp.seq <= tp->rcv_nxt && s->tcp.ts > tp->ts_recent) {
        tp->ts_recent = s->tcp.ts;
    }
    receive(tp, s);
    if (tp->state == TCPS_FIN_WAIT2 && tp->orphan) {
        acknowledge(tp);
        tcp_time_wait(tp, true);
        return;
    }
    acknowledge(tp);
    tcp_push(tp, false);
    if (tp->kernel) {
        dns_tcp_ready(tp);
    }
}

static void tcp_segment(struct tcp_sock *tp, struct skb *s)
{
    struct sock *sk = tcp_sk(tp);
    tp->segs_in++;
    tp->last_rcv = machine_now(sk->m);
    tp->keep_probes = 0;
    if (tp->state == TCPS_SYN_SENT) {
        in_syn_sent(tp, s);
    } else if (tp->state == TCPS_CLOSE || tp->state == TCPS_LISTEN) {
        skb_free(sk->m, s);
    } else {
        in_synchronized(tp, s);
    }
}

void tcp_input(struct netns *ns, struct skb *s)
{
    ns->mib.tcp_in_segs++;
    struct tcp_key *k = tcp_lookup(ns, &s->dst, &s->src);
    if (k && k->timewait) {
        tcp_tw_input(ns, (struct tcp_tw *)k, s);
        return;
    }
    if (k) {
        tcp_segment(container_of(k, struct tcp_sock, key), s);
        return;
    }
    struct tcp_sock *lp = tcp_find_listener(ns, &s->dst, &s->src);
    if (lp) {
        tcp_listen_input(lp, s);
        return;
    }
    tcp_reply_reset(ns, s);
    skb_free(ns->m, s);
}

/* tcp_v4_err: while connecting an unreachable peer is an error, later only an opinion. */
void tcp_icmp_error(struct netns *ns, const struct skb *s)
{
    struct tcp_key *k = tcp_lookup(ns, &s->icmp.inner_src, &s->icmp.inner_dst);
    if (!k || k->timewait) {
        return;
    }
    struct tcp_sock *tp = container_of(k, struct tcp_sock, key);
    if (tp->state == TCPS_SYN_SENT) {
        tcp_fail(tp, s->icmp.error);
    } else if (tp->state == TCPS_SYN_RECV) {
        return;
    } else {
        tcp_sk(tp)->err_soft = s->icmp.error;
    }
}
