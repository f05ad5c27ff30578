/* TCP's timers: retransmission, zero-window probes, delayed acknowledgement, keep-alive. */
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"
#include "kernel/node.h"

static void arm(struct tcp_sock *tp, struct timer *t, uint64_t after,
                void (*fire)(struct machine *m, struct timer *t))
{
    struct sock *sk = tcp_sk(tp);
    timer_arm(sk->m, t, machine_now(sk->m) + after, sk->ns->node->index, fire);
}

/* How long retransmissions go on with `boundary` as the sysctl's count (retransmits_timed_out):
 * doubling from 200 ms up to 120 s, then linear. 15: 924.6 s. */
static uint64_t retries_ns(uint32_t boundary)
{
    const uint32_t doublings = 9; /* log2(RTO_MAX / RTO_MIN) */
    if (boundary <= doublings) {
        return ((2ull << boundary) - 1) * TCP_RTO_MIN;
    }
    return ((2ull << doublings) - 1) * TCP_RTO_MIN + (boundary - doublings) * TCP_RTO_MAX;
}

static void timed_out(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    sk->ns->mib.tcp_timeouts++;
    tcp_fail(tp, sk->err_soft ? sk->err_soft : ETIMEDOUT);
}

static uint64_t user_timeout_ns(const struct tcp_sock *tp)
{
    return (uint64_t)tp->user_timeout_ms * NSEC_PER_MSEC;
}

static uint64_t backed_off(const struct tcp_sock *tp)
{
    uint32_t shift = tp->backoff < 12 ? tp->backoff : 12;
    return min_u64(tp->rto_ns << shift, TCP_RTO_MAX);
}

static void syn_timeout(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    bool answer = tp->state == TCPS_SYN_RECV;
    uint32_t limit = answer            ? TCP_SYNACK_RETRIES
                     : tp->syn_cnt > 0 ? (uint32_t)tp->syn_cnt
                                       : TCP_SYN_RETRIES;
    uint64_t user = user_timeout_ns(tp);
    bool over = !answer && user && machine_now(sk->m) - tp->iss >= user;
    if (tp->retransmits >= limit || over) {
        if (answer && tp->listener) {
            tcp_done(tp);
        } else {
            timed_out(tp);
        }
        return;
    }
    tp->retransmits++;
    tp->backoff++;
    tp->total_retrans++;
    sk->ns->mib.tcp_retrans_segs++;
    tcp_send_syn(tp);
    if (answer) {
        tcp_arm_synack(tp);
    }
}

static void retransmit_timeout(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    vtime now = machine_now(sk->m);
    if (tp->snd_una >= tp->snd_max) {
        return;
    }
    if (tp->retrans_since) {
        uint64_t limit = retries_ns(tp->orphan ? TCP_ORPHAN_RETRIES : TCP_RETRIES2);
        uint64_t user = user_timeout_ns(tp);
        if (now - tp->retrans_since >= (user ? user : limit)) {
            timed_out(tp);
            return;
        }
    } else {
        tp->retrans_since = now;
    }
    tp->ssthresh = max_u64(tcp_in_flight(tp) / 2, 2ull * tp->mss);
    tp->cwnd = tp->mss;
    tp->in_recovery = false;
    tp->dupacks = 0;
    tp->recover = tp->snd_max;
    tp->snd_nxt = tp->snd_una; /* everything after it counts as lost */
    tp->send_hint = NULL;
    tp->retransmits++;
    tp->backoff++;
    tcp_retransmit_first(tp);
    uint64_t wait = backed_off(tp);
    uint64_t user = user_timeout_ns(tp);
    if (user) { /* do not sleep past the user's limit (tcp_clamp_rto_to_user_timeout) */
        uint64_t spent = now - tp->retrans_since;
        wait = min_u64(wait, user > spent ? user - spent : 1);
    }
    tcp_arm_rtx(tp, TCP_RTX_RETRANS, wait);
}

static void probe_timeout(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    vtime now = machine_now(sk->m);
    if (tp->snd_nxt >= tp->write_seq) {
        return;
    }
    if (tp->snd_wnd > 0) { /* not the window: Nagle's or CORK's piece has waited long enough */
        tp->push_seq = tp->write_seq;
        tcp_push(tp, true);
        return;
    }
    if (tp->probes_since == 0) {
        tp->probes_since = now;
    }
    uint64_t user = user_timeout_ns(tp);
    uint32_t limit = tp->orphan ? TCP_ORPHAN_RETRIES : TCP_RETRIES2;
    if ((user && now - tp->probes_since >= user) || tp->probes_out >= limit) {
        timed_out(tp);
        return;
    }
    tp->probes_out++;
    tp->backoff++;
    tcp_send_probe(tp, false);
    tcp_arm_rtx(tp, TCP_RTX_PROBE, backed_off(tp));
}

static void rtx_fire(struct machine *m, struct timer *t)
{
    struct tcp_sock *tp = container_of(t, struct tcp_sock, rtx_timer);
    enum tcp_pending what = tp->pending;
    tp->pending = TCP_RTX_NONE;
    if (tp->state == TCPS_SYN_SENT || tp->state == TCPS_SYN_RECV) {
        syn_timeout(tp);
    } else if (what == TCP_RTX_RETRANS) {
        retransmit_timeout(tp);
    } else if (what == TCP_RTX_PROBE) {
        probe_timeout(tp);
    }
    net_flush(m);
}

void tcp_arm_rtx(struct tcp_sock *tp, enum tcp_pending what, uint64_t after_ns)
{
    tp->pending = what;
    arm(tp, &tp->rtx_timer, min_u64(after_ns, TCP_RTO_MAX), rtx_fire);
}

void tcp_disarm_rtx(struct tcp_sock *tp)
{
    tp->pending = TCP_RTX_NONE;
    timer_disarm(tcp_sk(tp)->m, &tp->rtx_timer);
}

void tcp_rearm(struct tcp_sock *tp)
{
    if (tp->snd_una < tp->snd_max) {
        tcp_arm_rtx(tp, TCP_RTX_RETRANS, backed_off(tp));
    } else if (tp->snd_nxt < tp->write_seq) {
        tcp_arm_rtx(tp, TCP_RTX_PROBE, max_u64(backed_off(tp), TCP_RTO_MIN));
    } else {
        tcp_disarm_rtx(tp);
    }
}

void tcp_arm_synack(struct tcp_sock *tp)
{
    tcp_arm_rtx(tp, TCP_RTX_RETRANS, TCP_RTO_INIT << tp->backoff);
}

static void delack_fire(struct machine *m, struct timer *t)
{
    struct tcp_sock *tp = container_of(t, struct tcp_sock, delack_timer);
    if (tp->rcv_nxt != tp->rcv_last_acked) {
        tcp_send_ack(tp);
    }
    net_flush(m);
}

void tcp_arm_delack(struct tcp_sock *tp)
{
    if (!timer_armed(&tp->delack_timer)) {
        arm(tp, &tp->delack_timer, TCP_DELACK, delack_fire);
    }
}

/* --- keep-alive (RFC 1122 4.2.3.6, tcp_keepalive_timer) ----------------------------------------
 */

static void keep_fire(struct machine *m, struct timer *t)
{
    struct tcp_sock *tp = container_of(t, struct tcp_sock, keep_timer);
    uint64_t idle = (uint64_t)tp->keep_idle_s * NSEC_PER_SEC;
    vtime last = max_u64(tp->last_rcv, tp->last_ack_rcv);
    uint64_t elapsed = machine_now(m) - last;
    uint64_t next;
    if (tp->snd_una < tp->snd_max || tp->snd_nxt < tp->write_seq) {
        next = idle; /* data under way does the same work */
    } else if (elapsed < idle) {
        next = idle - elapsed;
    } else {
        uint64_t user = user_timeout_ns(tp);
        bool over = user ? elapsed >= user && tp->keep_probes > 0
                         : tp->keep_probes >= (uint32_t)tp->keep_cnt;
        if (over) {
            tcp_send_reset(tp);
            timed_out(tp);
            net_flush(m);
            return;
        }
        tcp_send_probe(tp, true);
        tp->keep_probes++;
        next = (uint64_t)tp->keep_intvl_s * NSEC_PER_SEC;
    }
    arm(tp, &tp->keep_timer, next, keep_fire);
    net_flush(m);
}

void tcp_arm_keepalive(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    bool alive = TCPS_BIT(tp->state) & (TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT) |
                                        TCPS_BIT(TCPS_FIN_WAIT1) | TCPS_BIT(TCPS_FIN_WAIT2));
    if (!(sk->flags & SOCK_F_KEEPALIVE) || !alive) {
        timer_disarm(sk->m, &tp->keep_timer);
        return;
    }
    uint64_t idle = (uint64_t)tp->keep_idle_s * NSEC_PER_SEC;
    uint64_t elapsed = machine_now(sk->m) - max_u64(tp->last_rcv, tp->last_ack_rcv);
    arm(tp, &tp->keep_timer, elapsed < idle ? idle - elapsed : 0, keep_fire);
}

void tcp_timers_off(struct tcp_sock *tp)
{
    struct machine *m = tcp_sk(tp)->m;
    tcp_disarm_rtx(tp);
    timer_disarm(m, &tp->delack_timer);
    timer_disarm(m, &tp->keep_timer);
}
