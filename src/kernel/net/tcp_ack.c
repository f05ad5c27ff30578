/* Acknowledgements: round-trip times (RFC 6298), the send queue, congestion control (RFC 5681) and
 * fast recovery (RFC 6582). */
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"

#define TCP_CWND_MAX (64ull << 20)

uint64_t tcp_in_flight(const struct tcp_sock *tp)
{
    return tp->snd_nxt - tp->snd_una;
}

/* tcp_rtt_estimator and __tcp_set_rto: Linux's floor of 200 ms is on the variance term. */
void tcp_rtt_sample(struct tcp_sock *tp, uint64_t rtt)
{
    if (tp->srtt_ns == 0) {
        tp->srtt_ns = rtt ? rtt : 1;
        tp->mdev_ns = rtt / 2;
    } else {
        uint64_t diff = rtt > tp->srtt_ns ? rtt - tp->srtt_ns : tp->srtt_ns - rtt;
        tp->mdev_ns = tp->mdev_ns - tp->mdev_ns / 4 + diff / 4;
        tp->srtt_ns = max_u64(tp->srtt_ns - tp->srtt_ns / 8 + rtt / 8, 1);
    }
    if (tp->min_rtt_ns == 0 || rtt < tp->min_rtt_ns) {
        tp->min_rtt_ns = rtt;
    }
    tp->rto_ns = min_u64(tp->srtt_ns + max_u64(4 * tp->mdev_ns, TCP_RTO_MIN), TCP_RTO_MAX);
}

static void grow_window(struct tcp_sock *tp, uint64_t acked)
{
    if (tp->cwnd < tp->ssthresh) {
        tp->cwnd += acked;
    } else {
        tp->cwnd += max_u64(acked * tp->mss / tp->cwnd, 1);
    }
    tp->cwnd = min_u64(tp->cwnd, TCP_CWND_MAX);
}

static void new_data_acked(struct tcp_sock *tp, uint64_t acked)
{
    if (!tp->in_recovery) {
        tp->dupacks = 0;
        grow_window(tp, acked);
        return;
    }
    if (tp->snd_una >= tp->recover) { /* full acknowledgement */
        tp->in_recovery = false;
        tp->dupacks = 0;
        tp->cwnd = max_u64(tp->ssthresh, 2ull * tp->mss);
        return;
    }
    /* Partial: the next hole. */
    tp->cwnd = tp->cwnd > acked + tp->mss ? tp->cwnd - acked + tp->mss : tp->mss;
    tcp_retransmit_first(tp);
}

static void duplicate(struct tcp_sock *tp)
{
    tp->dupacks++;
    if (tp->in_recovery) {
        tp->cwnd = min_u64(tp->cwnd + tp->mss, TCP_CWND_MAX);
        return;
    }
    if (tp->dupacks != 3 || tp->snd_una < tp->recover) {
        return;
    }
    tcp_sk(tp)->ns->mib.tcp_fast_retrans++;
    tp->in_recovery = true;
    tp->recover = tp->snd_max;
    tp->ssthresh = max_u64(tcp_in_flight(tp) / 2, 2ull * tp->mss);
    tp->cwnd = tp->ssthresh + 3ull * tp->mss;
    tcp_retransmit_first(tp);
    tcp_rearm(tp);
}

static void drop_acked(struct tcp_sock *tp)
{
    struct machine *m = tcp_sk(tp)->m;
    while (!list_empty(&tp->sndq)) {
        struct skb *p = list_first_entry(&tp->sndq, struct skb, link);
        if (p->tcp.seq + p->len > tp->snd_una) {
            break;
        }
        if (tp->send_hint == p) {
            tp->send_hint = NULL;
        }
        list_del(&p->link);
        skb_free(m, p);
    }
}

static void advance(struct tcp_sock *tp, const struct skb *s)
{
    struct sock *sk = tcp_sk(tp);
    uint64_t acked = s->tcp.ack - tp->snd_una;
    if (s->tcp.ts_echo) {
        tcp_rtt_sample(tp, machine_now(sk->m) - s->tcp.ts_echo);
    }
    tp->snd_una = s->tcp.ack;
    tp->snd_nxt = max_u64(tp->snd_nxt, tp->snd_una);
    tp->bytes_acked += acked;
    tp->backoff = tp->retransmits = 0;
    tp->retrans_since = 0;
    sk->err_soft = 0;
    drop_acked(tp);
    new_data_acked(tp, acked);
    tcp_rearm(tp);
    if (sk->nospace && tcp_writable(tp)) {
        sock_wake_writable(sk);
    }
}

bool tcp_ack(struct tcp_sock *tp, const struct skb *s)
{
    if (s->tcp.ack > tp->snd_max) {
        tcp_send_ack(tp); /* acknowledges what was never sent: RFC 9293 3.10.7.4 */
        return false;
    }
    tp->last_ack_rcv = machine_now(tcp_sk(tp)->m);
    tp->probes_out = 0;
    if (s->tcp.ack < tp->snd_una) {
        return true;
    }
    uint32_t old_wnd = tp->snd_wnd;
    tp->snd_wnd = s->tcp.wnd;
    tp->max_wnd = tp->snd_wnd > tp->max_wnd ? tp->snd_wnd : tp->max_wnd;
    if (s->tcp.ack > tp->snd_una) {
        advance(tp, s);
    } else if (s->len == 0 && !(s->tcp.flags & (TCP_F_FIN | TCP_F_SYN)) && old_wnd == tp->snd_wnd &&
               tp->snd_una < tp->snd_max) {
        duplicate(tp);
    }
    if (old_wnd == 0 && tp->snd_wnd) {
        tp->backoff = 0;
        tp->probes_since = 0;
        tcp_rearm(tp);
    }
    return true;
}
