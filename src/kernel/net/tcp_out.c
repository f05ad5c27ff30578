/* Segments out: what may be sent now, retransmission, resets, probes, the window we advertise. */
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"

/* --- receive window -------------------------------------------------------------------------- */

/* Linux gives half of the buffer as window (tcp_adv_win_scale 1); the rest is bookkeeping. */
static uint32_t window_limit(const struct tcp_sock *tp)
{
    uint32_t limit = tp->inet.sk.rcvbuf / 2;
    if (tp->window_clamp > 0 && (uint32_t)tp->window_clamp < limit) {
        limit = (uint32_t)tp->window_clamp;
    }
    return limit;
}

uint32_t tcp_rcv_space(const struct tcp_sock *tp)
{
    uint32_t limit = window_limit(tp);
    uint64_t used = tp->inet.sk.rcvq_bytes;
    return used < limit ? limit - (uint32_t)used : 0;
}

uint32_t tcp_window(struct tcp_sock *tp)
{
    uint32_t space = tcp_rcv_space(tp), half = window_limit(tp) / 2;
    uint32_t least = tp->mss < half ? tp->mss : half;
    /* Silly window avoidance (RFC 9293 3.8.6.2.2): open in useful steps; never take back. */
    if (space >= least && tp->rcv_nxt + space > tp->rcv_edge) {
        tp->rcv_edge = tp->rcv_nxt + space;
    }
    return (uint32_t)(tp->rcv_edge > tp->rcv_nxt ? tp->rcv_edge - tp->rcv_nxt : 0);
}

/* --- building and sending -------------------------------------------------------------------- */

static void address(const struct inet_sock *is, struct skb *s)
{
    s->proto = IPPROTO_TCP;
    s->src = is->local;
    s->dst = is->remote;
    s->tos = (uint8_t)is->tos;
    s->ttl = is->ttl > 0 ? (uint8_t)is->ttl : 64;
}

static void transmit(struct tcp_sock *tp, struct skb *s, uint64_t seq, uint8_t flags)
{
    struct sock *sk = tcp_sk(tp);
    address(&tp->inet, s);
    s->tcp.seq = seq;
    s->tcp.flags = flags;
    s->tcp.ts = machine_now(sk->m);
    if (flags & TCP_F_ACK) {
        s->tcp.ack = tp->rcv_nxt;
        s->tcp.ts_echo = tp->ts_recent;
        s->tcp.wnd = tcp_window(tp);
        tp->rcv_last_acked = tp->rcv_nxt;
        tp->ack_now = false;
        if (tp->quick_acks) {
            tp->quick_acks--;
        }
        timer_disarm(sk->m, &tp->delack_timer);
    }
    if (tp->urg_out > seq && s->len) {
        s->tcp.flags |= TCP_F_URG;
        s->tcp.urg_seq = tp->urg_out - 1;
    }
    tp->segs_out++;
    tp->data_segs_out += s->len != 0;
    tp->bytes_sent += s->len;
    sk->ns->mib.tcp_out_segs++;
    ip_output(sk->ns, s, sk->bound_if, true);
}

void tcp_send_ack(struct tcp_sock *tp)
{
    transmit(tp, skb_alloc(tcp_sk(tp)->m, 0), tp->snd_max, TCP_F_ACK);
}

void tcp_send_syn(struct tcp_sock *tp)
{
    struct skb *s = skb_alloc(tcp_sk(tp)->m, 0);
    bool answer = tp->state == TCPS_SYN_RECV;
    s->tcp.mss = (uint16_t)tcp_base_mss(tp);
    tp->snd_nxt = tp->iss + 1;
    tp->snd_max = tp->snd_nxt;
    if (!answer) {
        s->tcp.wnd = window_limit(tp);
        tcp_arm_rtx(tp, TCP_RTX_RETRANS, tp->rto_ns << tp->backoff);
    }
    transmit(tp, s, tp->iss, answer ? TCP_F_SYN | TCP_F_ACK : TCP_F_SYN);
}

void tcp_send_reset(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    sk->ns->mib.tcp_out_rsts++;
    transmit(tp, skb_alloc(sk->m, 0), tp->snd_max, TCP_F_RST | TCP_F_ACK);
}

/* RFC 9293 3.10.7.1: a segment for a connection that does not exist. */
void tcp_reply_reset(struct netns *ns, const struct skb *in)
{
    if (in->tcp.flags & TCP_F_RST) {
        return;
    }
    struct skb *s = skb_alloc(ns->m, 0);
    s->proto = IPPROTO_TCP;
    s->src = in->dst;
    s->dst = in->src;
    if (in->tcp.flags & TCP_F_ACK) {
        s->tcp.seq = in->tcp.ack;
        s->tcp.flags = TCP_F_RST;
    } else {
        s->tcp.ack =
            in->tcp.seq + in->len + !!(in->tcp.flags & TCP_F_SYN) + !!(in->tcp.flags & TCP_F_FIN);
        s->tcp.flags = TCP_F_RST | TCP_F_ACK;
    }
    ns->mib.tcp_out_rsts++;
    ns->mib.tcp_out_segs++;
    ip_output(ns, s, 0, true);
}

/* --- data ------------------------------------------------------------------------------------ */

static uint64_t data_end(const struct tcp_sock *tp)
{
    return tp->fin_queued ? tp->fin_seq : tp->write_seq;
}

static struct skb *piece_at(struct tcp_sock *tp, uint64_t seq)
{
    struct skb *p = tp->send_hint;
    if (!p || p->tcp.seq > seq) {
        p = list_first_entry(&tp->sndq, struct skb, link);
    }
    while (p->tcp.seq + p->len <= seq) {
        p = list_entry(p->link.next, struct skb, link);
    }
    ASSERT(&p->link != &tp->sndq);
    ASSERT(p->tcp.seq <= seq);
    tp->send_hint = p;
    return p;
}

/* Several segments travel as one, as with segmentation offload: more of them the wider the path is
 * open, so that loss detection keeps working at small windows. */
static uint32_t burst_limit(const struct tcp_sock *tp)
{
    uint64_t segs = tp->cwnd / ((uint64_t)tp->mss * 8);
    segs = segs < 1 ? 1 : segs > 44 ? 44 : segs;
    return (uint32_t)min_u64(segs * tp->mss, SKB_CHUNK);
}

/* Sends [seq, seq + len) of the queue, with the FIN if it follows at once. Returns the next seq. */
static uint64_t send_piece(struct tcp_sock *tp, uint64_t seq, uint32_t len)
{
    struct machine *m = tcp_sk(tp)->m;
    uint8_t flags = TCP_F_ACK;
    struct skb *s;
    if (len) {
        struct skb *p = piece_at(tp, seq);
        s = skb_share(m, p, (uint32_t)(seq - p->tcp.seq), len);
        flags |= TCP_F_PSH;
    } else {
        s = skb_alloc(m, 0);
    }
    uint64_t next = seq + len;
    if (tp->fin_queued && next == tp->fin_seq) {
        flags |= TCP_F_FIN;
        next++;
    }
    tp->last_snd = machine_now(m);
    transmit(tp, s, seq, flags);
    return next;
}

/* Nagle (RFC 1122 4.2.3.4), TCP_CORK and MSG_MORE: hold a last piece shorter than a segment? */
static bool hold_back(const struct tcp_sock *tp, uint32_t len, uint64_t flight)
{
    if (len >= tp->mss || tp->fin_queued) {
        return false;
    }
    if (tp->cork || tp->push_seq < tp->write_seq) {
        return true;
    }
    return !tp->nodelay && flight > 0;
}

static void sent_up_to(struct tcp_sock *tp, uint64_t next)
{
    tp->snd_nxt = next;
    tp->snd_max = max_u64(tp->snd_max, next);
}

void tcp_push(struct tcp_sock *tp, bool force)
{
    const uint32_t may = TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT) |
                         TCPS_BIT(TCPS_FIN_WAIT1) | TCPS_BIT(TCPS_LAST_ACK) |
                         TCPS_BIT(TCPS_CLOSING);
    if (!(TCPS_BIT(tp->state) & may)) {
        return;
    }
    while (tp->snd_nxt < data_end(tp)) {
        uint64_t unsent = data_end(tp) - tp->snd_nxt, flight = tp->snd_nxt - tp->snd_una;
        uint64_t wnd = tp->snd_wnd > flight ? tp->snd_wnd - flight : 0;
        uint64_t cwnd = tp->cwnd > flight ? tp->cwnd - flight : 0;
        uint64_t room = min_u64(wnd, cwnd);
        struct skb *p = piece_at(tp, tp->snd_nxt);
        uint64_t in_piece = p->tcp.seq + p->len - tp->snd_nxt;
        uint32_t want = (uint32_t)min_u64(min_u64(unsent, in_piece), burst_limit(tp));
        uint32_t len = (uint32_t)min_u64(want, room);
        if (len == 0 || (len < want && len < tp->mss && flight > 0)) {
            break; /* sender's silly window avoidance */
        }
        if (!force && len == unsent && hold_back(tp, len, flight)) {
            break;
        }
        sent_up_to(tp, send_piece(tp, tp->snd_nxt, len));
    }
    if (tp->fin_queued && tp->snd_nxt == tp->fin_seq) {
        sent_up_to(tp, send_piece(tp, tp->snd_nxt, 0));
    }
    if (!timer_armed(&tp->rtx_timer) ||
        (tp->pending == TCP_RTX_PROBE && tp->snd_nxt > tp->snd_una)) {
        tcp_rearm(tp);
    }
}

void tcp_retransmit_first(struct tcp_sock *tp)
{
    uint32_t len = 0;
    if (tp->snd_una < data_end(tp)) {
        struct skb *p = list_first_entry(&tp->sndq, struct skb, link);
        uint64_t left = min_u64(p->tcp.seq + p->len, tp->snd_max) - tp->snd_una;
        len = (uint32_t)min_u64(left, burst_limit(tp));
        tp->send_hint = p;
    } else if (!tp->fin_queued) {
        return;
    }
    tp->total_retrans++;
    tp->bytes_retrans += len;
    tcp_sk(tp)->ns->mib.tcp_retrans_segs++;
    uint64_t next = send_piece(tp, tp->snd_una, len);
    if (tp->snd_nxt < next) {
        sent_up_to(tp, next);
    }
}

/* A segment just below the window makes the peer answer with its window (tcp_xmit_probe_skb). */
void tcp_send_probe(struct tcp_sock *tp, bool keepalive)
{
    transmit(tp, skb_alloc(tcp_sk(tp)->m, 0), tp->snd_una - 1, TCP_F_ACK);
}

void tcp_queue_fin(struct tcp_sock *tp)
{
    ASSERT(!tp->fin_queued);
    tp->fin_queued = true;
    tp->fin_seq = tp->write_seq++;
    tcp_push(tp, true);
}
