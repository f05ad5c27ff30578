/* SOL_TCP options and TCP's ioctls (tcp(7)). */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"
#include "kernel/task/task.h"

#define CAP_NET_ADMIN 12

#define TCPF_CONNECTED                                                                             \
    (TCPS_BIT(TCPS_ESTABLISHED) | TCPS_BIT(TCPS_CLOSE_WAIT) | TCPS_BIT(TCPS_FIN_WAIT1) |           \
     TCPS_BIT(TCPS_FIN_WAIT2))

struct range_row {
    int name;
    uint32_t offset; /* of an int in struct tcp_sock */
    int min, max;
};

#define R(opt, field, low, high)                                                                   \
    {                                                                                              \
        opt, offsetof(struct tcp_sock, field), low, high                                           \
    }

/* Options that are an int with limits; beyond them -EINVAL (do_tcp_setsockopt). */
static const struct range_row ranges[] = {
    R(TCP_KEEPIDLE, keep_idle_s, 1, 32767),
    R(TCP_KEEPINTVL, keep_intvl_s, 1, 32767),
    R(TCP_KEEPCNT, keep_cnt, 1, 127),
    R(TCP_SYNCNT, syn_cnt, 1, 127),
    R(TCP_DEFER_ACCEPT, defer_accept_s, INT32_MIN, INT32_MAX),
    R(TCP_FASTOPEN, fastopen_qlen, 0, INT32_MAX),
    R(TCP_FASTOPEN_CONNECT, fastopen_connect, 0, 1),
    R(TCP_NOTSENT_LOWAT, notsent_lowat, INT32_MIN, INT32_MAX),
    R(TCP_WINDOW_CLAMP, window_clamp, 0, INT32_MAX),
};

static int *range_field(struct tcp_sock *tp, int name, const struct range_row **row)
{
    for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
        if (ranges[i].name == name) {
            *row = &ranges[i];
            return (int *)(void *)((char *)tp + ranges[i].offset);
        }
    }
    return NULL;
}

static const char *const algorithms[] = {"reno", "cubic"};

static int set_congestion(struct task *t, struct tcp_sock *tp, gaddr val, uint32_t len)
{
    char name[16] = {0};
    if (len < 1) {
        return -EINVAL;
    }
    int err = user_read(t, name, val, len < sizeof name - 1 ? len : sizeof name - 1);
    if (err) {
        return err;
    }
    for (unsigned i = 0; i < ARRAY_LEN(algorithms); i++) {
        if (str_eq(name, algorithms[i])) {
            memcpy(tp->congestion, name, sizeof name);
            return 0;
        }
    }
    return -ENOENT;
}

static int set_flag(struct task *t, struct tcp_sock *tp, int name, int v)
{
    switch (name) {
    case TCP_NODELAY:
        tp->nodelay = v != 0;
        if (v) {
            tcp_push(tp, true);
        }
        return 0;
    case TCP_CORK:
        tp->cork = v != 0;
        if (!v) {
            tp->push_seq = tp->write_seq;
            tcp_push(tp, tp->nodelay);
        }
        return 0;
    case TCP_QUICKACK:
        tp->quickack_set = v != 0;
        tp->pingpong = v == 0;
        if (v && tp->rcv_nxt != tp->rcv_last_acked && (TCPS_BIT(tp->state) & TCPF_CONNECTED)) {
            tcp_send_ack(tp);
        }
        return 0;
    case TCP_INQ:
        if (v < 0 || v > 1) {
            return -EINVAL;
        }
        tp->inq = v != 0;
        return 0;
    case TCP_SAVE_SYN: /* there are no header bytes to save: TCP_SAVED_SYN answers none */
        tp->save_syn = v != 0;
        return 0;
    case TCP_THIN_LINEAR_TIMEOUTS:
    case TCP_THIN_DUPACK:
        tp->thin_lto = v != 0;
        return v < 0 || v > 1 ? -EINVAL : 0;
    default:
        return sock_opt_unknown(t, ABI_SOL_TCP, name);
    }
}

static int set_int(struct task *t, struct tcp_sock *tp, int name, int v)
{
    const struct range_row *row;
    int *field = range_field(tp, name, &row);
    if (field) {
        if (v < row->min || v > row->max) {
            return -EINVAL;
        }
        if (name == TCP_FASTOPEN && tp->state != TCPS_CLOSE && tp->state != TCPS_LISTEN) {
            return -EINVAL;
        }
        /* A clamp has a floor: half of the smallest receive buffer. */
        *field = name == TCP_WINDOW_CLAMP && v && v < 1152 ? 1152 : v;
        if (name == TCP_KEEPIDLE || name == TCP_KEEPINTVL) {
            tcp_arm_keepalive(tp);
        }
        return 0;
    }
    switch (name) {
    case TCP_MAXSEG:
        if (v && (v < 88 || v > 32767)) {
            return -EINVAL;
        }
        tp->user_mss = (uint32_t)v;
        return 0;
    case TCP_USER_TIMEOUT:
        if (v < 0) {
            return -EINVAL;
        }
        tp->user_timeout_ms = (uint32_t)v;
        return 0;
    case TCP_LINGER2:
        tp->linger2_s = v < 0 ? -1 : v > 120 ? 0 : v;
        return 0;
    default:
        return set_flag(t, tp, name, v);
    }
}

int tcp_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, uint32_t len)
{
    struct tcp_sock *tp = tcp_of(sk);
    if (level != ABI_SOL_TCP) {
        return inet_setopt(t, &tp->inet, level, name, val, len);
    }
    switch (name) {
    case TCP_CONGESTION:
        return set_congestion(t, tp, val, len);
    case TCP_ULP: /* kernel TLS: libraries fall back to their own (ENOENT: no such module) */
        return -ENOENT;
    case TCP_REPAIR:
        if (!task_capable(t, CAP_NET_ADMIN)) {
            return -EPERM;
        }
        return sock_opt_unknown(t, level, name);
    case TCP_MD5SIG:
    case TCP_FASTOPEN_KEY:
        return sock_opt_unknown(t, level, name);
    default:
        break;
    }
    int v, err = sock_opt_int(t, val, len, &v);
    return err ? err : set_int(t, tp, name, v);
}

/* --- get ---------------------------------------------------------------------------------------
 */

static uint32_t us(uint64_t ns)
{
    return (uint32_t)min_u64(ns / NSEC_PER_USEC, UINT32_MAX);
}

static uint32_t ms_since(const struct tcp_sock *tp, vtime then)
{
    return (uint32_t)((machine_now(tp->inet.sk.m) - then) / NSEC_PER_MSEC);
}

static void fill_info(struct tcp_sock *tp, struct tcp_info *i)
{
    memset(i, 0, sizeof *i);
    i->tcpi_state = (uint8_t)tp->state;
    i->tcpi_retransmits = (uint8_t)tp->retransmits;
    i->tcpi_probes = (uint8_t)tp->probes_out;
    i->tcpi_backoff = (uint8_t)tp->backoff;
    if (tp->state == TCPS_CLOSE || tp->state == TCPS_LISTEN) {
        i->tcpi_unacked = tp->accept_len;
        i->tcpi_sacked = tp->backlog;
        return;
    }
    i->tcpi_options = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE;
    i->tcpi_snd_wscale = i->tcpi_rcv_wscale = 7;
    i->tcpi_snd_mss = i->tcpi_rcv_mss = tp->mss;
    i->tcpi_advmss = i->tcpi_snd_mss;
    i->tcpi_pmtu = tp->local ? NET_MTU_LO : NET_MTU_ETH;
    i->tcpi_rto = us(tp->rto_ns);
    i->tcpi_ato = us(TCP_DELACK);
    i->tcpi_unacked = (uint32_t)((tcp_in_flight(tp) + tp->mss - 1) / tp->mss);
    i->tcpi_last_data_sent = ms_since(tp, tp->last_snd);
    i->tcpi_last_data_recv = ms_since(tp, tp->last_rcv);
    i->tcpi_last_ack_recv = ms_since(tp, tp->last_ack_rcv);
    i->tcpi_rtt = us(tp->srtt_ns);
    i->tcpi_rttvar = us(tp->mdev_ns);
    i->tcpi_min_rtt = us(tp->min_rtt_ns);
    i->tcpi_snd_ssthresh = (uint32_t)min_u64(tp->ssthresh / tp->mss, INT32_MAX);
    i->tcpi_snd_cwnd = (uint32_t)(tp->cwnd / tp->mss);
    i->tcpi_reordering = 3;
    i->tcpi_rcv_space = (uint32_t)tp->rcvq_space;
    i->tcpi_total_retrans = (uint32_t)tp->total_retrans;
    i->tcpi_bytes_acked = tp->bytes_acked;
    i->tcpi_bytes_received = tp->bytes_received;
    i->tcpi_bytes_sent = tp->bytes_sent;
    i->tcpi_bytes_retrans = tp->bytes_retrans;
    i->tcpi_segs_out = (uint32_t)tp->segs_out;
    i->tcpi_segs_in = (uint32_t)tp->segs_in;
    i->tcpi_data_segs_in = (uint32_t)tp->data_segs_in;
    i->tcpi_data_segs_out = (uint32_t)tp->data_segs_out;
    i->tcpi_notsent_bytes = (uint32_t)(tp->write_seq - tp->snd_nxt);
}

static int64_t get_maxseg(struct tcp_sock *tp, void *buf, uint32_t cap)
{
    int v = (int)tp->mss;
    if (tp->user_mss && (tp->state == TCPS_CLOSE || tp->state == TCPS_LISTEN)) {
        v = (int)tp->user_mss;
    }
    return sock_opt_put_int(buf, cap, v);
}

static int64_t get_flag(struct task *t, struct tcp_sock *tp, int name, void *buf, uint32_t cap)
{
    switch (name) {
    case TCP_NODELAY:
        return sock_opt_put_int(buf, cap, tp->nodelay);
    case TCP_CORK:
        return sock_opt_put_int(buf, cap, tp->cork);
    case TCP_QUICKACK:
        return sock_opt_put_int(buf, cap, !tp->pingpong);
    case TCP_INQ:
        return sock_opt_put_int(buf, cap, tp->inq);
    case TCP_SAVE_SYN:
        return sock_opt_put_int(buf, cap, tp->save_syn);
    case TCP_SAVED_SYN:
        return 0;
    case TCP_THIN_LINEAR_TIMEOUTS:
        return sock_opt_put_int(buf, cap, tp->thin_lto);
    case TCP_THIN_DUPACK:
    case TCP_REPAIR:
    case TCP_FASTOPEN_NO_COOKIE:
        return sock_opt_put_int(buf, cap, 0);
    case TCP_MAXSEG:
        return get_maxseg(tp, buf, cap);
    case TCP_USER_TIMEOUT:
        return sock_opt_put_int(buf, cap, (int)tp->user_timeout_ms);
    case TCP_LINGER2:
        return sock_opt_put_int(buf, cap, tp->linger2_s ? tp->linger2_s : 60);
    case TCP_TIMESTAMP:
        return sock_opt_put_int(buf, cap, (int)(machine_now(tp->inet.sk.m) / NSEC_PER_MSEC));
    default:
        return sock_opt_unknown(t, ABI_SOL_TCP, name);
    }
}

int64_t tcp_getopt(struct task *t, struct sock *sk, int level, int name, void *buf, uint32_t cap)
{
    struct tcp_sock *tp = tcp_of(sk);
    const struct range_row *row;
    if (level != ABI_SOL_TCP) {
        return inet_getopt(t, &tp->inet, level, name, buf, cap);
    }
    if (name == TCP_SYNCNT) {
        return sock_opt_put_int(buf, cap, tp->syn_cnt ? tp->syn_cnt : TCP_SYN_RETRIES);
    }
    const int *field = range_field(tp, name, &row);
    if (field) {
        return sock_opt_put_int(buf, cap, *field);
    }
    if (name == TCP_INFO) {
        struct tcp_info info;
        fill_info(tp, &info);
        return sock_opt_put(buf, cap, &info, sizeof info);
    }
    if (name == TCP_CONGESTION) {
        return sock_opt_put(buf, cap, tp->congestion, sizeof tp->congestion);
    }
    if (name == TCP_ULP) {
        return 0;
    }
    return get_flag(t, tp, name, buf, cap);
}

/* --- ioctls (tcp(7)) -----------------------------------------------------------------------------
 */

int64_t tcp_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    struct tcp_sock *tp = tcp_of(sk);
    uint64_t v;
    switch (cmd) {
    case SIOCINQ: /* FIONREAD */
        if (tp->state == TCPS_LISTEN) {
            return -EINVAL;
        }
        v = sk->rcvq_bytes;
        break;
    case SIOCATMARK:
        v = tp->urg_state != TCP_URG_NONE && tp->urg_seq == tp->rcv_read;
        break;
    case SIOCOUTQ:
    case SIOCOUTQNSD:
        if (tp->state == TCPS_LISTEN) {
            return -EINVAL;
        }
        v = tp->state == TCPS_SYN_SENT || tp->state == TCPS_SYN_RECV || tp->state == TCPS_CLOSE
                ? 0
                : tp->write_seq - (cmd == SIOCOUTQ ? tp->snd_una : tp->snd_nxt);
        break;
    default:
        return inet_ioctl(t, sk, cmd, arg);
    }
    return user_write_u32(t, gaddr_of(arg), (uint32_t)v);
}
