/* Life cycle of TCP sockets: creation, bind, connect, shutdown, close, tables. */
#include "kernel/net/tcp.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"
#include "kernel/node.h"
#include "kernel/task/task.h"

/* --- table ----------------------------------------------------------------------------------- */

static uint32_t key_slot(const struct endpoint *l, const struct endpoint *r)
{
    return ip_hash(&r->addr, (uint64_t)l->port << 16 | r->port) % TCP_HASH;
}

struct tcp_key *tcp_lookup(const struct netns *ns, const struct endpoint *l,
                           const struct endpoint *r)
{
    for (struct tcp_key *k = ns->established[key_slot(l, r)]; k; k = k->next) {
        if (k->local.port == l->port && k->remote.port == r->port &&
            ip_eq(&k->remote.addr, &r->addr) && ip_eq(&k->local.addr, &l->addr)) {
            return k;
        }
    }
    return NULL;
}

void tcp_key_insert(struct netns *ns, struct tcp_key *k)
{
    ASSERT(!k->hashed);
    struct tcp_key **head = &ns->established[key_slot(&k->local, &k->remote)];
    k->next = *head;
    *head = k;
    k->hashed = true;
}

void tcp_key_remove(struct netns *ns, struct tcp_key *k)
{
    if (!k->hashed) {
        return;
    }
    struct tcp_key **at = &ns->established[key_slot(&k->local, &k->remote)];
    while (*at != k) {
        at = &(*at)->next;
    }
    *at = k->next;
    k->hashed = false;
}

void tcp_hash(struct tcp_sock *tp)
{
    tp->key.local = tp->inet.local;
    tp->key.remote = tp->inet.remote;
    tcp_key_insert(tcp_sk(tp)->ns, &tp->key);
}

/* --- states ---------------------------------------------------------------------------------- */

const char *tcp_state_name(enum tcp_state s)
{
    static const char *const names[] = {"",           "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                        "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                        "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
    return names[s];
}

void tcp_unpair(struct tcp_sock *tp)
{
    if (tp->peer) {
        tp->peer->peer = NULL;
        tp->peer = NULL;
    }
}

void tcp_purge_queues(struct tcp_sock *tp)
{
    struct machine *m = tcp_sk(tp)->m;
    sock_purge(m, &tp->sndq);
    sock_purge(m, &tp->ooo);
    tp->send_hint = NULL;
    tp->ooo_bytes = 0;
}

void tcp_done(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (tp->state == TCPS_CLOSE && tp->dying) {
        return;
    }
    if (tp->state == TCPS_SYN_SENT || tp->state == TCPS_SYN_RECV) {
        sk->ns->mib.tcp_attempt_fails++;
    }
    tcp_unpair(tp);
    tcp_timers_off(tp);
    tcp_key_remove(sk->ns, &tp->key);
    tp->orphan = tp->orphan || tp->kernel;
    if (tp->listener && !tp->ready) { /* nobody will ever accept it */
        tcp_child_forget(tp);
        tp->orphan = true;
    }
    if (!tp->inet.port_by_user || tp->orphan) {
        port_release(&tp->inet.use);
    }
    tcp_purge_queues(tp);
    tp->state = TCPS_CLOSE;
    sk->shutdown = SOCK_SHUTDOWN_BOTH;
    if (tp->orphan) {
        if (!tp->dying) {
            tp->dying = true;
            list_add_tail(&sk->m->net->dead, &tp->dead_link);
        }
        return;
    }
    sock_wake_state(sk);
}

void tcp_fail(struct tcp_sock *tp, int err)
{
    tcp_sk(tp)->err = err;
    tcp_done(tp);
}

void tcp_reap(struct machine *m)
{
    while (!list_empty(&m->net->dead)) {
        struct tcp_sock *tp = list_first_entry(&m->net->dead, struct tcp_sock, dead_link);
        list_del(&tp->dead_link);
        list_del(&tp->dns_link);
        ASSERT(!tp->key.hashed);
        ASSERT(!tp->peer);
        kfree(m, tp->dns);
        inet_fini(&tp->inet);
        kfree(m, tp);
    }
}

uint32_t tcp_base_mss(const struct tcp_sock *tp)
{
    bool v4 = ip_is_v4(&tp->inet.remote.addr);
    uint32_t mss = tp->local ? (v4 ? 65483u : 65463u) : (v4 ? 1448u : 1428u);
    if (tp->user_mss && tp->user_mss < mss) {
        mss = tp->user_mss;
    }
    return mss;
}

/* tcp_finish_connect, tcp_init_buffer_space: buffers grow to what the path asks for. */
void tcp_set_established(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    tp->state = TCPS_ESTABLISHED;
    tp->ss = TCP_SS_CONNECTED;
    tp->cwnd = (uint64_t)TCP_INIT_CWND * tp->mss;
    tp->ssthresh = UINT64_MAX / 4;
    tp->quick_acks = 16;
    tp->last_rcv = machine_now(sk->m);
    tp->rcvq_time = tp->last_rcv;
    tp->rcvq_space = 14480;
    tp->rcvq_copied_seq = tp->rcv_read;
    sk->incoming_cpu = 0;
    if (!(sk->flags & SOCK_F_SNDBUF_LOCK)) {
        sk->sndbuf = tp->local ? TCP_WMEM_LO : TCP_WMEM_ETH;
    }
    tcp_arm_keepalive(tp);
}

/* --- creation -------------------------------------------------------------------------------- */

static int tcp_bind(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct tcp_sock *tp = tcp_of(sk);
    if (tp->state != TCPS_CLOSE) {
        return -EINVAL;
    }
    return inet_bind(t, &tp->inet, a, len, sk->ns->tcp_ports, true);
}

/* tcp_disconnect: connect(2) to AF_UNSPEC, and shutdown of a listener. */
static void tcp_disconnect(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (tp->state == TCPS_LISTEN) {
        tcp_listen_stop(tp);
    } else if (TCPS_BIT(tp->state) &
               (TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_SYN_RECV) | TCPS_BIT(TCPS_FIN_WAIT1) |
                TCPS_BIT(TCPS_FIN_WAIT2) | TCPS_BIT(TCPS_CLOSE_WAIT))) {
        tcp_send_reset(tp);
        sk->err = ECONNRESET;
    } else if (tp->state == TCPS_SYN_SENT) {
        sk->err = ECONNRESET;
    }
    tcp_done(tp);
    sock_purge(sk->m, &sk->rcvq);
    sk->rcvq_bytes = 0;
    sk->shutdown = 0;
    tp->fin_queued = tp->fin_received = false;
    tp->ss = TCP_SS_UNCONNECTED;
    tp->urg_state = TCP_URG_NONE;
    tp->inet.remote = (struct endpoint){.addr = tp->inet.remote.addr};
    if (!tp->inet.port_by_user) {
        port_release(&tp->inet.use);
        tp->inet.local.port = 0;
    }
    if (!tp->inet.local_by_user) {
        tp->inet.local.addr = sk->family == ABI_AF_INET ? ip_from_v4(0) : (struct ipaddr){0};
    }
}

/* --- connect(2) ------------------------------------------------------------------------------ */

/* Would local port `port` make this connection collide? (inet_hash_connect) */
static bool port_taken(struct inet_sock *is, uint16_t port)
{
    struct netns *ns = is->sk.ns;
    struct port_use *u;
    list_for_each_entry (u, &ns->tcp_ports[port % PORT_HASH], link) {
        if (u->port == port && (u->by_bind || u->listening)) {
            return true;
        }
    }
    struct endpoint l = {is->local.addr, port};
    struct tcp_key *k = tcp_lookup(ns, &l, &is->remote);
    if (!k) {
        return false;
    }
    /* net.ipv4.tcp_tw_reuse = 2: on loopback, after a second in TIME_WAIT. */
    struct tcp_tw *tw = (struct tcp_tw *)k;
    return !(k->timewait && ip_is_loopback(&is->remote.addr) &&
             machine_now(ns->m) - tw->since > NSEC_PER_SEC);
}

static int connect_route(struct tcp_sock *tp, struct endpoint *e, uint32_t scope)
{
    struct inet_sock *is = &tp->inet;
    struct sock *sk = tcp_sk(tp);
    struct route r;
    if (sk->family == ABI_AF_INET6 && is->v6only && ip_is_v4(&e->addr)) {
        return -ENETUNREACH;
    }
    if (ip_is_any(&e->addr)) { /* means this host */
        e->addr =
            ip_is_v4(&e->addr) ? ip_from_v4(be32(0x7f000001)) : (struct ipaddr){.b = {[15] = 1}};
        if (sk->family == ABI_AF_INET6 && is->local_by_user && ip_is_v4(&is->local.addr)) {
            e->addr = ip_from_v4(be32(0x7f000001));
        }
    }
    if (ip_is_multicast(&e->addr) || netns_is_broadcast(sk->ns, &e->addr)) {
        return -ENETUNREACH;
    }
    int err = route_lookup(sk->ns, &e->addr, scope ? scope : sk->bound_if, &r);
    if (err) {
        return err;
    }
    if (!is->local_by_user) {
        is->local.addr = r.src;
    } else if (ip_is_v4(&is->local.addr) != ip_is_v4(&e->addr)) {
        return -ENETUNREACH;
    }
    tp->local = r.kind == ROUTE_LOCAL;
    return 0;
}

static int connect_start(struct tcp_sock *tp, struct endpoint *e, uint32_t scope)
{
    struct inet_sock *is = &tp->inet;
    struct sock *sk = tcp_sk(tp);
    int err = connect_route(tp, e, scope);
    if (err) {
        return err;
    }
    is->remote = *e;
    if (is->local.port == 0) {
        uint16_t port = port_ephemeral(is, port_taken);
        if (port == 0) {
            is->remote.port = 0;
            return -EADDRNOTAVAIL;
        }
        port_take(is, sk->ns->tcp_ports, port, false);
    }
    struct tcp_key *other = tcp_lookup(sk->ns, &is->local, &is->remote);
    if (other && other->timewait) {
        tcp_tw_free((struct tcp_tw *)other);
    } else if (other) {
        is->remote.port = 0;
        return -EADDRNOTAVAIL;
    }
    sk->err = 0;
    sk->shutdown = 0;
    tp->iss = machine_now(sk->m);
    tp->snd_una = tp->snd_nxt = tp->snd_max = tp->iss;
    tp->write_seq = tp->iss + 1;
    tp->mss = tcp_base_mss(tp);
    tp->state = TCPS_SYN_SENT;
    tp->ss = TCP_SS_CONNECTING;
    tp->rto_ns = TCP_RTO_INIT;
    tp->backoff = tp->retransmits = 0;
    tcp_hash(tp);
    sk->ns->mib.tcp_active_opens++;
    tcp_send_syn(tp);
    return -EINPROGRESS;
}

/* inet_stream_connect: what an attempt on a socket that has one under way or behind it means. */
static int connect_again(struct task *t, struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (tp->ss == TCP_SS_CONNECTED) {
        return t->call.retry ? 0 : -EISCONN;
    }
    if (tp->state == TCPS_SYN_SENT || tp->state == TCPS_SYN_RECV) {
        return -EALREADY;
    }
    int err = sock_take_error(sk);
    tp->ss = TCP_SS_UNCONNECTED;
    tcp_disconnect(tp);
    sk->err = 0;
    return err ? err : -ECONNABORTED;
}

static int tcp_connect(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct tcp_sock *tp = tcp_of(sk);
    struct endpoint e;
    uint32_t scope;
    if (len < sizeof a->family) {
        return -EINVAL;
    }
    if (a->family == ABI_AF_UNSPEC) {
        tcp_disconnect(tp);
        sk->err = 0;
        return 0;
    }
    if (tp->state == TCPS_LISTEN) {
        return -EISCONN;
    }
    if (tp->ss == TCP_SS_CONNECTING && tp->state != TCPS_SYN_SENT && tp->state != TCPS_SYN_RECV &&
        tp->state != TCPS_CLOSE) {
        tp->ss = TCP_SS_CONNECTED; /* the first call after the handshake reports success */
        return 0;
    }
    if (tp->ss != TCP_SS_UNCONNECTED) {
        return connect_again(t, tp);
    }
    int err = inet_addr_parse(&tp->inet, a, len, &e, &scope);
    if (err) {
        return err;
    }
    return connect_start(tp, &e, scope);
}

/* --- shutdown and close ---------------------------------------------------------------------- */

/* The states in which our FIN still has to be sent, and what follows (tcp_close_state). */
static bool fin_needed(struct tcp_sock *tp)
{
    switch (tp->state) {
    case TCPS_SYN_RECV:
    case TCPS_ESTABLISHED:
        tp->state = TCPS_FIN_WAIT1;
        return true;
    case TCPS_CLOSE_WAIT:
        tp->state = TCPS_LAST_ACK;
        return true;
    case TCPS_SYN_SENT:
    case TCPS_FIN_WAIT1:
    case TCPS_FIN_WAIT2:
    case TCPS_TIME_WAIT:
    case TCPS_CLOSE:
    case TCPS_LAST_ACK:
    case TCPS_LISTEN:
    case TCPS_CLOSING:
        break;
    }
    return false;
}

static int tcp_shutdown(struct sock *sk, uint32_t how)
{
    struct tcp_sock *tp = tcp_of(sk);
    switch (tp->state) {
    case TCPS_CLOSE:
        return -ENOTCONN;
    case TCPS_LISTEN:
        if (how & SOCK_RCV_SHUTDOWN) {
            tcp_disconnect(tp);
            sk->err = 0;
        }
        return 0;
    case TCPS_SYN_SENT:
        tcp_disconnect(tp);
        return 0;
    default:
        break;
    }
    sk->shutdown |= how;
    if ((how & SOCK_SEND_SHUTDOWN) && fin_needed(tp)) {
        tcp_queue_fin(tp);
    }
    sock_wake_state(sk);
    net_flush(sk->m);
    return 0;
}

void tcp_close_file(struct sock *sk)
{
    struct tcp_sock *tp = tcp_of(sk);
    bool unread = !list_empty(&sk->rcvq);
    sock_purge(sk->m, &sk->rcvq);
    sk->rcvq_bytes = 0;
    sk->shutdown = SOCK_SHUTDOWN_BOTH;
    if (tp->state == TCPS_LISTEN) {
        tcp_listen_stop(tp);
        tp->orphan = true;
        tcp_done(tp);
        return;
    }
    tp->orphan = true;
    bool abort = (sk->flags & SOCK_F_LINGER) && sk->linger_s == 0;
    if (tp->state == TCPS_CLOSE || tp->state == TCPS_SYN_SENT) {
        tcp_done(tp);
    } else if (unread || abort) {
        /* RFC 2525 2.17: the peer must learn that data was lost. */
        sk->ns->mib.tcp_estab_resets++;
        tcp_send_reset(tp);
        tcp_done(tp);
    } else if (fin_needed(tp)) {
        tcp_queue_fin(tp);
    } else if (tp->state == TCPS_FIN_WAIT2) {
        tcp_time_wait(tp, true);
    }
}

void tcp_netns_down(struct netns *ns)
{
    struct sock *sk, *tmp;
    list_for_each_entry_safe (sk, tmp, &ns->socks, ns_link) {
        if (sk->protocol != IPPROTO_TCP || sk->family == ABI_AF_UNIX ||
            sk->family == ABI_AF_NETLINK) {
            continue;
        }
        struct tcp_sock *tp = tcp_of(sk);
        if (tp->state == TCPS_LISTEN) {
            tcp_listen_stop(tp);
        }
        tp->orphan = sk->file == NULL;
        tcp_fail(tp, ENETDOWN);
    }
    while (!list_empty(&ns->timewaits)) {
        tcp_tw_free(list_first_entry(&ns->timewaits, struct tcp_tw, link));
    }
}

/* --- the table of operations ----------------------------------------------------------------- */

static int tcp_getname(struct sock *sk, bool peer, union abi_sockaddr *out)
{
    struct tcp_sock *tp = tcp_of(sk);
    if (peer && (tp->state == TCPS_CLOSE || tp->state == TCPS_SYN_SENT)) {
        return -ENOTCONN;
    }
    return inet_getname(sk, peer, out);
}

static void tcp_buffers_changed(struct sock *sk)
{
    struct tcp_sock *tp = tcp_of(sk);
    tcp_arm_keepalive(tp);
    if (sk->nospace && tcp_writable(tp)) {
        sock_wake_writable(sk);
    }
}

static const struct sock_ops tcp_ops = {
    .name = "TCP",
    .bind = tcp_bind,
    .listen = tcp_listen,
    .connect = tcp_connect,
    .accept = tcp_accept,
    .getname = tcp_getname,
    .send = tcp_sendmsg,
    .recv = tcp_recvmsg,
    .shutdown = tcp_shutdown,
    .poll = tcp_poll,
    .ioctl = tcp_ioctl,
    .setopt = tcp_setopt,
    .getopt = tcp_getopt,
    .buffers_changed = tcp_buffers_changed,
    .close = tcp_close_file,
    .stream = true,
};

struct tcp_sock *tcp_alloc(struct netns *ns, uint16_t family)
{
    struct tcp_sock *tp = KALLOC(ns->m, struct tcp_sock);
    inet_init(&tp->inet, &tcp_ops, ns, family, ABI_SOCK_STREAM, IPPROTO_TCP);
    tp->inet.sk.rcvbuf = TCP_RMEM_DEFAULT;
    tp->inet.sk.sndbuf = TCP_WMEM_DEFAULT;
    tp->state = TCPS_CLOSE;
    tp->mss = 536;
    tp->rto_ns = TCP_RTO_INIT;
    tp->keep_idle_s = 7200;
    tp->keep_intvl_s = 75;
    tp->keep_cnt = 9;
    str_copy(tp->congestion, sizeof tp->congestion, "cubic");
    list_init(&tp->listen_link);
    list_init(&tp->acceptq);
    list_init(&tp->synq);
    list_init(&tp->queue_link);
    list_init(&tp->dead_link);
    list_init(&tp->dns_link);
    list_init(&tp->sndq);
    list_init(&tp->ooo);
    return tp;
}

int tcp_create(struct netns *ns, uint16_t family, uint16_t type, uint16_t protocol,
               struct sock **out)
{
    *out = tcp_sk(tcp_alloc(ns, family));
    return 0;
}
