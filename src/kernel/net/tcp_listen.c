/* Passive opens: listen(2), the queue of half-open connections, the accept queue, accept(2). */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"

int tcp_listen(struct task *t, struct sock *sk, int backlog)
{
    struct tcp_sock *tp = tcp_of(sk);
    uint32_t n = (uint32_t)backlog; /* a negative one is large, as on Linux */
    if (tp->ss != TCP_SS_UNCONNECTED || (tp->state != TCPS_CLOSE && tp->state != TCPS_LISTEN)) {
        return -EINVAL;
    }
    tp->backlog = n < ABI_SOMAXCONN ? n : ABI_SOMAXCONN;
    if (tp->state == TCPS_LISTEN) {
        return 0;
    }
    /* Checks again: two sockets with SO_REUSEADDR may be bound to a port, one may listen. */
    int err = port_bind(&tp->inet, sk->ns->tcp_ports, tp->inet.local.port, true);
    if (err) {
        return err;
    }
    tp->inet.use.listening = true;
    tp->state = TCPS_LISTEN;
    sk->listening = true;
    sk->shutdown = 0;
    list_add_tail(&sk->ns->listeners[tp->inet.local.port % LISTEN_HASH], &tp->listen_link);
    return 0;
}

/* compute_score of Linux: a specific address beats a wildcard, the own family beats IPv6's. 0: no.
 */
static int listener_score(const struct tcp_sock *tp, const struct endpoint *l)
{
    const struct inet_sock *is = &tp->inet;
    if (is->local.port != l->port) {
        return 0;
    }
    bool v4 = ip_is_v4(&l->addr);
    int score = (is->sk.family == ABI_AF_INET) == v4 ? 2 : 1;
    if (ip_is_any(&is->local.addr)) {
        if (v4 ? is->sk.family == ABI_AF_INET6 && (is->v6only || ip_is_v4(&is->local.addr))
               : is->sk.family == ABI_AF_INET) {
            return v4 && ip_is_v4(&is->local.addr) && !is->v6only ? score : 0;
        }
        return score;
    }
    return ip_eq(&is->local.addr, &l->addr) ? score + 2 : 0;
}

struct tcp_sock *tcp_find_listener(const struct netns *ns, const struct endpoint *l,
                                   const struct endpoint *r)
{
    const struct list_head *bucket = &ns->listeners[l->port % LISTEN_HASH];
    struct tcp_sock *best = NULL, *tp;
    int best_score = 0;
    uint32_t equals = 0;
    list_for_each_entry (tp, bucket, listen_link) {
        int score = listener_score(tp, l);
        if (score > best_score) {
            best_score = score;
            best = tp;
            equals = 1;
        } else if (score && score == best_score && (tcp_sk(tp)->flags & SOCK_F_REUSEPORT)) {
            equals++;
        }
    }
    if (equals < 2) {
        return best;
    }
    /* SO_REUSEPORT: spread by a hash of the connection. */
    uint32_t pick = ip_hash(&r->addr, (uint64_t)r->port << 16 | l->port) % equals;
    list_for_each_entry (tp, bucket, listen_link) {
        if (listener_score(tp, l) == best_score && pick-- == 0) {
            return tp;
        }
    }
    return best;
}

static void inherit(struct tcp_sock *c, const struct tcp_sock *lp)
{
    struct sock *sk = tcp_sk(c);
    const struct sock *from = &lp->inet.sk;
    sk->uid = from->uid;
    sk->flags = from->flags;
    sk->sndbuf = from->sndbuf;
    sk->rcvbuf = from->rcvbuf;
    sk->rcvlowat = from->rcvlowat;
    sk->rcvtimeo_ns = from->rcvtimeo_ns;
    sk->sndtimeo_ns = from->sndtimeo_ns;
    sk->linger_s = from->linger_s;
    sk->priority = from->priority;
    sk->mark = from->mark;
    sk->bound_if = from->bound_if;
    c->inet.v6only = lp->inet.v6only;
    c->inet.tos = lp->inet.tos;
    c->inet.tclass = lp->inet.tclass;
    c->inet.ttl = lp->inet.ttl;
    c->inet.hops = lp->inet.hops;
    c->nodelay = lp->nodelay;
    c->cork = lp->cork;
    c->inq = lp->inq;
    c->keep_idle_s = lp->keep_idle_s;
    c->keep_intvl_s = lp->keep_intvl_s;
    c->keep_cnt = lp->keep_cnt;
    c->linger2_s = lp->linger2_s;
    c->user_timeout_ms = lp->user_timeout_ms;
    c->user_mss = lp->user_mss;
    c->notsent_lowat = lp->notsent_lowat;
    memcpy(c->congestion, lp->congestion, sizeof c->congestion);
}

static void child_create(struct tcp_sock *lp, const struct skb *s)
{
    struct netns *ns = tcp_sk(lp)->ns;
    struct tcp_sock *c = tcp_alloc(ns, tcp_sk(lp)->family);
    inherit(c, lp);
    c->inet.local = s->dst;
    c->inet.remote = s->src;
    c->inet.local_by_user = true;
    c->local = netns_is_local(ns, &s->src.addr);
    port_take(&c->inet, ns->tcp_ports, s->dst.port, false);
    c->state = TCPS_SYN_RECV;
    c->ss = TCP_SS_CONNECTED;
    c->irs = s->tcp.seq;
    c->rcv_nxt = c->rcv_read = c->rcv_last_acked = c->irs + 1;
    c->rcv_edge = c->rcv_nxt;
    c->ts_recent = s->tcp.ts;
    c->iss = machine_now(ns->m);
    c->snd_una = c->snd_nxt = c->snd_max = c->iss;
    c->write_seq = c->iss + 1;
    c->mss = tcp_base_mss(c);
    if (s->tcp.mss && s->tcp.mss < c->mss) {
        c->mss = s->tcp.mss;
    }
    c->snd_wnd = c->max_wnd = s->tcp.wnd;
    c->listener = lp;
    list_add_tail(&lp->synq, &c->queue_link);
    lp->syn_len++;
    tcp_hash(c);
    tcp_send_syn(c);
    tcp_arm_synack(c);
}

void tcp_listen_input(struct tcp_sock *lp, struct skb *s)
{
    struct netns *ns = tcp_sk(lp)->ns;
    uint8_t flags = s->tcp.flags;
    if (!(flags & TCP_F_RST)) {
        if (flags & TCP_F_ACK) {
            tcp_reply_reset(ns, s);
        } else if (flags & TCP_F_SYN) {
            /* sk_acceptq_is_full; then the SYN is dropped and the client tries again. */
            if (lp->accept_len > lp->backlog) {
                ns->mib.listen_overflows++;
                ns->mib.listen_drops++;
            } else if (lp->syn_len >= TCP_SYN_BACKLOG) {
                ns->mib.listen_drops++;
            } else {
                child_create(lp, s);
            }
        }
    }
    skb_free(ns->m, s);
}

static void pair_up(struct tcp_sock *tp)
{
    struct tcp_key *k = tcp_lookup(tcp_sk(tp)->ns, &tp->inet.remote, &tp->inet.local);
    if (!k || k->timewait) {
        return;
    }
    struct tcp_sock *other = container_of(k, struct tcp_sock, key);
    if (other != tp && other->state == TCPS_ESTABLISHED && !other->peer) {
        tp->peer = other;
        other->peer = tp;
    }
}

bool tcp_child_ready(struct tcp_sock *tp)
{
    struct tcp_sock *lp = tp->listener;
    struct netns *ns = tcp_sk(tp)->ns;
    if (lp->accept_len > lp->backlog) {
        ns->mib.listen_overflows++;
        ns->mib.listen_drops++;
        return false;
    }
    ns->mib.tcp_passive_opens++;
    tcp_timers_off(tp);
    tp->retransmits = tp->backoff = 0;
    tp->rto_ns = TCP_RTO_INIT;
    tcp_set_established(tp);
    if (tp->local) {
        pair_up(tp);
    }
    if (lp->kernel) {
        tcp_child_forget(tp);
        tp->kernel = true;
        return true;
    }
    list_del(&tp->queue_link);
    list_add_tail(&lp->acceptq, &tp->queue_link);
    lp->syn_len--;
    lp->accept_len++;
    tp->ready = true;
    sock_wake_readable(tcp_sk(lp));
    return true;
}

void tcp_child_forget(struct tcp_sock *tp)
{
    struct tcp_sock *lp = tp->listener;
    if (!lp) {
        return;
    }
    list_del(&tp->queue_link);
    if (tp->ready) {
        lp->accept_len--;
    } else {
        lp->syn_len--;
    }
    tp->ready = false;
    tp->listener = NULL;
}

int tcp_accept(struct task *t, struct sock *sk, struct sock **out)
{
    struct tcp_sock *lp = tcp_of(sk);
    if (lp->state != TCPS_LISTEN) {
        return -EINVAL;
    }
    if (list_empty(&lp->acceptq)) {
        return -EAGAIN;
    }
    struct tcp_sock *tp = list_first_entry(&lp->acceptq, struct tcp_sock, queue_link);
    tcp_child_forget(tp);
    *out = tcp_sk(tp);
    return 0;
}

/* inet_csk_listen_stop: connections nobody accepted are reset. */
void tcp_listen_stop(struct tcp_sock *lp)
{
    struct list_head *queues[] = {&lp->acceptq, &lp->synq};
    for (unsigned i = 0; i < ARRAY_LEN(queues); i++) {
        while (!list_empty(queues[i])) {
            struct tcp_sock *c = list_first_entry(queues[i], struct tcp_sock, queue_link);
            tcp_child_forget(c);
            c->orphan = true;
            if (c->state != TCPS_CLOSE) {
                tcp_send_reset(c);
            }
            tcp_done(c);
        }
    }
    list_del(&lp->listen_link);
    lp->inet.use.listening = false;
    tcp_sk(lp)->listening = false;
}
