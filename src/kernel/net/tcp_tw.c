/* TIME_WAIT: what a connection leaves behind for 60 s (TCP_TIMEWAIT_LEN), and an orphan's
 * FIN_WAIT2. */
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"
#include "kernel/node.h"

void tcp_tw_free(struct tcp_tw *tw)
{
    struct netns *ns = tw->ns;
    timer_disarm(ns->m, &tw->timer);
    tcp_key_remove(ns, &tw->key);
    port_release(&tw->use);
    list_del(&tw->link);
    ns->tw_count--;
    kfree(ns->m, tw);
}

static void tw_fire(struct machine *m, struct timer *t)
{
    tcp_tw_free(container_of(t, struct tcp_tw, timer));
}

static void tw_restart(struct tcp_tw *tw)
{
    struct netns *ns = tw->ns;
    tw->since = machine_now(ns->m);
    timer_arm(ns->m, &tw->timer, tw->since + TCP_TIMEWAIT, ns->node->index, tw_fire);
}

void tcp_time_wait(struct tcp_sock *tp, bool fin_wait2)
{
    struct sock *sk = tcp_sk(tp);
    struct netns *ns = sk->ns;
    if (ns->tw_count >= TCP_MAX_TW) { /* "TCP: time wait bucket table overflow" */
        tcp_done(tp);
        return;
    }
    struct tcp_tw *tw = KALLOC(ns->m, struct tcp_tw);
    tw->ns = ns;
    tw->key.local = tp->key.local;
    tw->key.remote = tp->key.remote;
    tw->key.timewait = true;
    tw->snd_nxt = tp->snd_max;
    tw->rcv_nxt = tp->rcv_nxt;
    tw->ts_recent = tp->ts_recent;
    tw->fin_wait2 = fin_wait2;
    tw->rcv_wnd = fin_wait2 ? tcp_window(tp) : 0;
    list_init(&tw->use.link);
    struct port_use from = tp->inet.use;
    tcp_done(tp); /* leaves table and port */
    tw->use = from;
    tw->use.listening = false;
    tw->use.by_bind = false;
    list_init(&tw->use.link);
    list_add_tail(&ns->tcp_ports[from.port % PORT_HASH], &tw->use.link);
    tcp_key_insert(ns, &tw->key);
    list_add_tail(&ns->timewaits, &tw->link);
    ns->tw_count++;
    tw_restart(tw);
}

static void tw_ack(struct tcp_tw *tw, const struct skb *in)
{
    struct machine *m = tw->ns->m;
    struct skb *s = skb_alloc(m, 0);
    s->proto = IPPROTO_TCP;
    s->src = tw->key.local;
    s->dst = tw->key.remote;
    s->tcp.seq = tw->snd_nxt;
    s->tcp.ack = tw->rcv_nxt;
    s->tcp.flags = TCP_F_ACK;
    s->tcp.wnd = tw->rcv_wnd;
    s->tcp.ts = machine_now(m);
    s->tcp.ts_echo = in->tcp.ts;
    ip_output(tw->ns, s, 0, true);
}

static void in_fin_wait2(struct netns *ns, struct tcp_tw *tw, struct skb *s)
{
    uint64_t end = s->tcp.seq + s->len;
    if (end > tw->rcv_nxt && s->len) { /* data for nobody */
        tcp_reply_reset(ns, s);
        tcp_tw_free(tw);
        return;
    }
    if ((s->tcp.flags & TCP_F_FIN) && end == tw->rcv_nxt) {
        tw->rcv_nxt++;
        tw->fin_wait2 = false;
        tw_ack(tw, s);
        tw_restart(tw);
    }
}

void tcp_tw_input(struct netns *ns, struct tcp_tw *tw, struct skb *s)
{
    uint8_t flags = s->tcp.flags;
    if (flags & TCP_F_RST) {
        if (s->tcp.seq >= tw->rcv_nxt) {
            tcp_tw_free(tw); /* RFC 1337's protection is off by default */
        }
    } else if ((flags & TCP_F_SYN) && !(flags & TCP_F_ACK)) {
        struct tcp_sock *lp = tcp_find_listener(ns, &s->dst, &s->src);
        if (lp && s->tcp.seq > tw->rcv_nxt) { /* RFC 1122 4.2.2.13: a new incarnation */
            tcp_tw_free(tw);
            tcp_listen_input(lp, s);
            return;
        }
        tw_ack(tw, s);
    } else if (tw->fin_wait2) {
        in_fin_wait2(ns, tw, s);
    } else if (s->len || (flags & TCP_F_FIN)) {
        tw_ack(tw, s); /* our last acknowledgement was lost */
        tw_restart(tw);
    } else if (s->tcp.seq < tw->rcv_nxt) {
        tw_ack(tw, s);
    }
    skb_free(ns->m, s);
}
