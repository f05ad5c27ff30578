/* Sending and receiving on a connection: the queues, the way within a node, urgent data, readiness.
 */
#include <linux/tcp.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/cmsg.h"
#include "kernel/net/dns.h"
#include "kernel/net/netns.h"
#include "kernel/net/tcp_priv.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"

#define SMALL_CHUNK 2048u /* room given to a first small piece, so that more of them join it */

uint64_t tcp_send_room(const struct tcp_sock *tp)
{
    uint64_t queued = tp->write_seq - tp->snd_una;
    uint64_t room = tp->inet.sk.sndbuf;
    return queued < room ? room - queued : 0;
}

/* sk_stream_is_writeable: as much room as is in use, at least half of that. */
bool tcp_writable(const struct tcp_sock *tp)
{
    uint64_t queued = tp->write_seq - tp->snd_una;
    if (tp->notsent_lowat > 0 && tp->write_seq - tp->snd_nxt >= (uint64_t)tp->notsent_lowat) {
        return false;
    }
    return tcp_send_room(tp) >= max_u64(queued / 2, 1);
}

/* --- receive queue -----------------------------------------------------------------------------
 */

static void notify_urgent(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (sk->file && sk->file->owner > 0) {
        struct process *p = process_find(sk->ns->node, sk->file->owner);
        if (p) {
            signal_kernel(p, SIGNAL_URG);
        }
    }
    sock_wake(sk, ABI_POLLPRI);
}

void tcp_queue_in(struct tcp_sock *tp, struct skb *s)
{
    struct sock *sk = tcp_sk(tp);
    if (tp->urg_state == TCP_URG_WAITED && tp->urg_seq >= s->tcp.seq &&
        tp->urg_seq < s->tcp.seq + s->len) {
        tp->urg_byte = s->data[tp->urg_seq - s->tcp.seq];
        tp->urg_state = TCP_URG_VALID;
        notify_urgent(tp);
    }
    sk->rcvq_bytes += s->len;
    tp->bytes_received += s->len;
    list_add_tail(&sk->rcvq, &s->link);
    sock_wake_readable(sk);
}

/* Room behind the last piece of a queue, if it may grow. */
static struct skb *tail_with_room(const struct list_head *q)
{
    if (list_empty(q)) {
        return NULL;
    }
    struct skb *s = list_last_entry(q, struct skb, link);
    if (s->base) {
        return NULL;
    }
    uint64_t used = (uint64_t)(s->data - (unsigned char *)(s + 1)) + s->len;
    return used < s->cap ? s : NULL;
}

static uint32_t room_behind(const struct skb *s)
{
    return s->cap - (uint32_t)((uint64_t)(s->data - (const unsigned char *)(s + 1)) + s->len);
}

/* Copies up to n bytes onto the end of queue q, whose end is sequence number seq. Returns the
 * count or -EFAULT. */
static int64_t append(struct tcp_sock *tp, struct list_head *q, uint64_t seq, struct uio *from,
                      uint64_t n)
{
    struct machine *m = tcp_sk(tp)->m;
    struct skb *tail = tail_with_room(q);
    if (tail) {
        n = min_u64(n, room_behind(tail));
        int64_t got = uio_copy_from(from, tail->data + tail->len, n);
        if (got > 0) {
            tail->len += (uint32_t)got;
        }
        return got;
    }
    n = min_u64(n, SKB_CHUNK);
    struct skb *s = skb_alloc(m, (uint32_t)max_u64(n, SMALL_CHUNK));
    int64_t got = uio_copy_from(from, s->data, n);
    if (got <= 0) {
        skb_free(m, s);
        return got;
    }
    s->len = (uint32_t)got;
    s->tcp.seq = seq;
    list_add_tail(q, &s->link);
    return got;
}

/* --- send --------------------------------------------------------------------------------------
 */

/* Within a node, with nothing queued, payload goes straight into the peer's receive queue: the same
 * sequence numbers move as if a segment and its acknowledgement had passed. */
static bool may_shortcut(const struct tcp_sock *tp)
{
    const struct tcp_sock *p = tp->peer;
    return p && tp->state == TCPS_ESTABLISHED && p->state == TCPS_ESTABLISHED && !tp->cork &&
           tp->write_seq == tp->snd_una && p->rcv_nxt == tp->snd_una && list_empty(&p->ooo) &&
           !p->orphan && tp->urg_out <= tp->snd_una && !(p->inet.sk.shutdown & SOCK_RCV_SHUTDOWN) &&
           list_empty(&p->inet.sk.m->net->local);
}

static int64_t send_shortcut(struct tcp_sock *tp, struct uio *from)
{
    struct tcp_sock *p = tp->peer;
    struct sock *psk = tcp_sk(p);
    int64_t total = 0;
    while (from->left) {
        uint64_t n = min_u64(from->left, tcp_rcv_space(p));
        if (n == 0) {
            break;
        }
        int64_t got = append(p, &psk->rcvq, p->rcv_nxt, from, n);
        if (got <= 0) {
            total = total ? total : got;
            break;
        }
        uint64_t k = (uint64_t)got;
        psk->rcvq_bytes += k;
        p->bytes_received += k;
        tp->bytes_sent += k;
        tp->bytes_acked += k;
        p->rcv_nxt += k;
        p->rcv_last_acked = p->rcv_nxt;
        p->rcv_edge = max_u64(p->rcv_edge, p->rcv_nxt + tcp_rcv_space(p));
        tp->write_seq += k;
        tp->snd_una = tp->snd_nxt = tp->snd_max = tp->push_seq = tp->write_seq;
        tp->snd_wnd = tcp_rcv_space(p);
        total += got;
    }
    if (total > 0) {
        vtime now = machine_now(psk->m);
        p->last_rcv = now;
        tp->last_ack_rcv = tp->last_snd = now;
        tp->segs_out++;
        p->segs_in++;
        tp->data_segs_out++;
        p->data_segs_in++;
        psk->ns->mib.tcp_out_segs++;
        psk->ns->mib.tcp_in_segs++;
        sock_wake_readable(psk);
        if (p->kernel) {
            dns_tcp_ready(p);
        }
    }
    return total;
}

static int64_t send_queued(struct tcp_sock *tp, struct uio *from, uint32_t flags)
{
    struct sock *sk = tcp_sk(tp);
    int64_t total = 0, got = 0;
    while (from->left) {
        uint64_t room = tcp_send_room(tp);
        if (room == 0) {
            sk->nospace = true;
            break;
        }
        got = append(tp, &tp->sndq, tp->write_seq, from, min_u64(from->left, room));
        if (got <= 0) {
            break;
        }
        tp->write_seq += (uint64_t)got;
        total += got;
        if (!(flags & ABI_MSG_MORE) || from->left) {
            tp->push_seq = tp->write_seq;
        }
        tcp_push(tp, false);
    }
    if (total && (flags & ABI_MSG_OOB) && from->left == 0) {
        tp->urg_out = tp->write_seq;
    }
    tp->pingpong = true;
    tcp_push(tp, false);
    if (total) {
        return total;
    }
    return got < 0 ? got : -EAGAIN;
}

int64_t tcp_sendmsg(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct tcp_sock *tp = tcp_of(sk);
    if (msg->flags & ABI_MSG_FASTOPEN) {
        trace_unknown(t, "send flag", ABI_MSG_FASTOPEN, 0, -EOPNOTSUPP);
        return -EOPNOTSUPP;
    }
    if (tp->state != TCPS_ESTABLISHED && tp->state != TCPS_CLOSE_WAIT) {
        if (!sk->err && (tp->state == TCPS_SYN_SENT || tp->state == TCPS_SYN_RECV)) {
            sk->nospace = true;
            return -EAGAIN;
        }
        int err = sock_take_error(sk);
        return err ? err : -EPIPE;
    }
    if (sk->err) {
        return sock_take_error(sk);
    }
    if (sk->shutdown & SOCK_SEND_SHUTDOWN) {
        return -EPIPE;
    }
    if (msg->uio->left == 0) {
        return 0;
    }
    uint32_t special = ABI_MSG_OOB | ABI_MSG_MORE;
    int64_t done = 0;
    if (!(msg->flags & special) && may_shortcut(tp)) {
        done = send_shortcut(tp, msg->uio);
        if (done < 0 || msg->uio->left == 0) {
            return done;
        }
    }
    if (msg->flags & ABI_MSG_OOB) {
        /* The mark travels with the segment that carries the byte: queue first, then push. */
        tp->urg_out = tp->write_seq + min_u64(msg->uio->left, tcp_send_room(tp));
    }
    int64_t n = send_queued(tp, msg->uio, msg->flags);
    return n < 0 && done ? done : n < 0 ? n : done + n;
}

/* --- receive -----------------------------------------------------------------------------------
 */

/* Tells the sender of a window that has opened by half of the buffer or more (tcp_cleanup_rbuf). */
static void after_read(struct tcp_sock *tp)
{
    if (tp->state == TCPS_CLOSE || tp->state == TCPS_LISTEN || tp->fin_received) {
        return;
    }
    uint64_t given = tp->rcv_edge > tp->rcv_nxt ? tp->rcv_edge - tp->rcv_nxt : 0;
    uint32_t space = tcp_rcv_space(tp);
    if (tp->peer && tp->peer->write_seq == tp->peer->snd_una) {
        /* Nothing waits at the other end; it looks at our space itself. */
        tp->peer->snd_wnd = space;
        return;
    }
    if (space >= 2 * given && space > given) {
        tcp_send_ack(tp);
    }
}

/* tcp_rcv_space_adjust: the buffer follows what the program reads a round trip. */
static void tune_buffer(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    vtime now = machine_now(sk->m);
    if (now - tp->rcvq_time < max_u64(tp->srtt_ns, NSEC_PER_MSEC)) {
        return;
    }
    uint64_t copied = tp->rcv_read - tp->rcvq_copied_seq;
    if (copied > tp->rcvq_space) {
        tp->rcvq_space = copied;
        if (!(sk->flags & SOCK_F_RCVBUF_LOCK)) {
            uint64_t want = min_u64(2 * (2 * copied + 16ull * tp->mss), TCP_RMEM_MAX);
            sk->rcvbuf = (uint32_t)max_u64(sk->rcvbuf, want);
        }
    }
    tp->rcvq_copied_seq = tp->rcv_read;
    tp->rcvq_time = now;
}

/* Bytes of the piece [seq, seq + n) to hand out before the urgent mark; *skip: its first is it. */
static uint64_t before_urgent(struct tcp_sock *tp, uint64_t seq, uint64_t n, bool *skip)
{
    *skip = false;
    bool marked = tp->urg_state == TCP_URG_VALID || tp->urg_state == TCP_URG_READ;
    if (!marked || (tcp_sk(tp)->flags & SOCK_F_OOBINLINE) || tp->urg_seq < seq ||
        tp->urg_seq >= seq + n) {
        return n;
    }
    *skip = tp->urg_seq == seq;
    return tp->urg_seq - seq;
}

static void consume(struct tcp_sock *tp, struct skb *s, uint32_t n)
{
    struct sock *sk = tcp_sk(tp);
    s->data += n;
    s->len -= n;
    s->tcp.seq += n;
    sk->rcvq_bytes -= n;
    tp->rcv_read = s->tcp.seq;
    if (tp->urg_state > TCP_URG_WAITED && tp->rcv_read > tp->urg_seq) {
        tp->urg_state = TCP_URG_NONE;
    }
    if (s->len == 0) {
        list_del(&s->link);
        skb_free(sk->m, s);
    }
}

/* Copies from one piece. *used: bytes of it that are done with, the skipped mark included. Returns
 * the bytes copied or -EFAULT; *stop: end the call here. */
static int64_t copy_piece(struct tcp_sock *tp, const struct skb *s, struct sock_msg *msg,
                          bool first, uint64_t *used, bool *stop)
{
    int64_t total = 0;
    while (*used < s->len && msg->uio->left && !*stop) {
        bool skip;
        uint64_t n = min_u64(s->len - *used, msg->uio->left);
        n = before_urgent(tp, s->tcp.seq + *used, n, &skip);
        if (skip) {
            if (total || !first) {
                *stop = true; /* the next read begins behind the mark */
            } else {
                (*used)++;
            }
            continue;
        }
        int64_t got = (int64_t)n;
        if (msg->flags & ABI_MSG_TRUNC) { /* tcp(7): thrown away */
            msg->uio->left -= n;
        } else {
            got = uio_copy_to(msg->uio, s->data + *used, n);
        }
        if (got < 0) {
            *stop = true;
            return total ? total : got;
        }
        *stop = (uint64_t)got < n;
        total += got;
        *used += (uint64_t)got;
    }
    return total;
}

static int64_t copy_queue(struct tcp_sock *tp, struct sock_msg *msg)
{
    int64_t total = 0;
    bool stop = false;
    struct skb *s, *tmp;
    list_for_each_entry_safe (s, tmp, &tcp_sk(tp)->rcvq, link) {
        uint64_t used = 0;
        int64_t got = copy_piece(tp, s, msg, total == 0, &used, &stop);
        if (got < 0) {
            return total ? total : got;
        }
        total += got;
        if (used && !(msg->flags & ABI_MSG_PEEK)) {
            consume(tp, s, (uint32_t)used);
        }
        if (stop || msg->uio->left == 0) {
            break;
        }
    }
    return total;
}

static int64_t recv_urgent(struct tcp_sock *tp, struct sock_msg *msg)
{
    struct sock *sk = tcp_sk(tp);
    if ((sk->flags & SOCK_F_OOBINLINE) || tp->urg_state == TCP_URG_NONE ||
        tp->urg_state == TCP_URG_READ) {
        return -EINVAL;
    }
    if (tp->state == TCPS_CLOSE) {
        return -ENOTCONN;
    }
    if (tp->urg_state != TCP_URG_VALID) {
        return -EAGAIN;
    }
    int64_t n = msg->uio->left ? uio_copy_to(msg->uio, &tp->urg_byte, 1) : 0;
    if (n == 1 && !(msg->flags & ABI_MSG_PEEK)) {
        tp->urg_state = TCP_URG_READ;
    }
    msg->out_flags |= ABI_MSG_OOB;
    return n;
}

static int64_t nothing_to_read(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (tp->fin_received) {
        return 0;
    }
    if (sk->err) {
        return sock_take_error(sk);
    }
    if (sk->shutdown & SOCK_RCV_SHUTDOWN) {
        return 0;
    }
    return tp->state == TCPS_CLOSE ? -ENOTCONN : -EAGAIN;
}

int64_t tcp_recvmsg(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct tcp_sock *tp = tcp_of(sk);
    if (tp->state == TCPS_LISTEN) {
        return -ENOTCONN;
    }
    if (msg->flags & ABI_MSG_ERRQUEUE) {
        return -EAGAIN;
    }
    if (msg->flags & ABI_MSG_OOB) {
        return recv_urgent(tp, msg);
    }
    if (msg->uio->left == 0 && sk->rcvq_bytes) {
        return 0; /* without data even an empty request waits */
    }
    int64_t n = copy_queue(tp, msg);
    if (n == 0) {
        n = nothing_to_read(tp);
    }
    if (n > 0 && !(msg->flags & ABI_MSG_PEEK)) {
        tune_buffer(tp);
        after_read(tp);
    }
    if (n >= 0 && tp->inq && msg->ctl) {
        int inq = (int)min_u64(sk->rcvq_bytes, INT32_MAX);
        inq = inq == 0 && tp->fin_received ? 1 : inq; /* end of file counts as one byte */
        cmsg_put(msg->ctl, ABI_SOL_TCP, ABI_TCP_CM_INQ, &inq, sizeof inq);
    }
    return n;
}

/* --- readiness (tcp_poll) ------------------------------------------------------------------------
 */

uint32_t tcp_poll(struct sock *sk)
{
    struct tcp_sock *tp = tcp_of(sk);
    uint32_t mask = 0;
    if (tp->state == TCPS_LISTEN) {
        return list_empty(&tp->acceptq) ? 0 : ABI_POLLIN | ABI_POLLRDNORM;
    }
    if (sk->shutdown == SOCK_SHUTDOWN_BOTH || tp->state == TCPS_CLOSE) {
        mask |= ABI_POLLHUP;
    }
    if (sk->shutdown & SOCK_RCV_SHUTDOWN) {
        mask |= ABI_POLLIN | ABI_POLLRDNORM | ABI_POLLRDHUP;
    }
    if (tp->state != TCPS_SYN_SENT && tp->state != TCPS_SYN_RECV) {
        if (sk->rcvq_bytes >= sk->rcvlowat || tp->fin_received) {
            mask |= ABI_POLLIN | ABI_POLLRDNORM;
        }
        if ((sk->shutdown & SOCK_SEND_SHUTDOWN) || tcp_writable(tp)) {
            mask |= ABI_POLLOUT | ABI_POLLWRNORM;
        } else {
            sk->nospace = true;
        }
        if (tp->urg_state == TCP_URG_VALID) {
            mask |= ABI_POLLPRI;
        }
    }
    if (sk->err) {
        mask |= ABI_POLLERR;
    }
    return mask;
}

/* --- the resolver's side
 * --------------------------------------------------------------------------- */

uint32_t tcp_kernel_recv(struct tcp_sock *tp, void *dst, uint32_t cap)
{
    struct uio to;
    uio_init_kernel(&to, dst, cap);
    struct sock_msg msg = {.uio = &to};
    int64_t n = cap ? copy_queue(tp, &msg) : 0;
    if (n > 0) {
        after_read(tp);
    }
    return n > 0 ? (uint32_t)n : 0;
}

void tcp_kernel_send(struct tcp_sock *tp, const void *src, uint32_t len)
{
    struct uio from;
    union {
        const void *in;
        void *out; /* only read from */
    } base = {src};
    uio_init_kernel(&from, base.out, len);
    if (tp->state == TCPS_ESTABLISHED || tp->state == TCPS_CLOSE_WAIT) {
        send_queued(tp, &from, 0);
    }
}
