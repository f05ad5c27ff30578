/* AF_UNIX: messages. Streams, datagrams and sequenced packets share one queue of skbs in the
 * receiver; the sender is charged until they are read, which is the only flow control (unix(7)). */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/cmsg.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/unix.h"
#include "kernel/task/task.h"

/* unix_writable: a quarter of the buffer at most is in use. */
static bool writable(const struct unix_sock *us)
{
    return us->wmem * 4 <= us->sk.sndbuf;
}

static void free_skb(struct unix_sock *us, struct skb *s)
{
    struct machine *m = us->sk.m;
    struct unix_sock *from = s->ux.sender;
    list_del(&s->link);
    us->rcvq_len--;
    from->wmem -= s->ux.charge;
    if (!from->dead && from->sk.nospace && writable(from)) {
        sock_wake_writable(&from->sk);
    }
    unix_put(from);
    scm_free(m, s->scm);
    s->scm = NULL;
    skb_free(m, s);
}

void unix_purge(struct unix_sock *us)
{
    while (!list_empty(&us->sk.rcvq)) {
        free_skb(us, list_first_entry(&us->sk.rcvq, struct skb, link));
    }
    us->stream_bytes = 0;
}

bool unix_queue_full(const struct unix_sock *to, const struct unix_sock *from)
{
    return to->peer != from && to->rcvq_len > UNIX_DGRAM_QLEN;
}

static struct skb *make_skb(struct task *t, struct unix_sock *us, uint32_t cap)
{
    struct skb *s = skb_alloc(us->sk.m, cap);
    s->ux.sender = unix_get(us);
    s->ux.pid = t->process->pid;
    s->ux.uid = t->cred.uid;
    s->ux.gid = t->cred.gid;
    return s;
}

static void discard(struct unix_sock *us, struct skb *s)
{
    unix_put(us);
    skb_free(us->sk.m, s);
}

static void attach(struct unix_sock *us, struct skb *s, struct sock_msg *msg)
{
    if (msg->scm) {
        if (msg->scm->has_creds) {
            s->ux.pid = msg->scm->creds.pid;
            s->ux.uid = msg->scm->creds.uid;
            s->ux.gid = msg->scm->creds.gid;
        }
        s->scm = msg->scm;
        msg->scm = NULL;
    }
}

static void enqueue(struct unix_sock *to, struct unix_sock *from, struct skb *s)
{
    s->ux.charge = skb_cost(s->len);
    s->due = machine_now(to->sk.m);
    from->wmem += s->ux.charge;
    to->stream_bytes += s->len;
    to->rcvq_len++;
    list_add_tail(&to->sk.rcvq, &s->link);
    sock_wake_readable(&to->sk);
}

/* --- streams -----------------------------------------------------------------------------------
 */

/* A piece that more bytes of the same sender may join: nothing separates them for the reader. */
static struct skb *joinable(const struct unix_sock *to, const struct unix_sock *us, struct task *t)
{
    if (list_empty(&to->sk.rcvq)) {
        return NULL;
    }
    struct skb *s = list_last_entry(&to->sk.rcvq, struct skb, link);
    uint64_t used = (uint64_t)(s->data - (unsigned char *)(s + 1)) + s->len;
    bool same = s->ux.sender == us && s->ux.pid == t->process->pid && s->ux.uid == t->cred.uid &&
                s->ux.gid == t->cred.gid;
    return same && !s->scm && used < s->cap ? s : NULL;
}

static int64_t send_piece(struct task *t, struct unix_sock *us, struct sock_msg *msg)
{
    struct unix_sock *to = us->peer;
    uint64_t room = us->sk.sndbuf > us->wmem ? us->sk.sndbuf - us->wmem : 0;
    uint64_t n = min_u64(min_u64(msg->uio->left, room), SKB_CHUNK);
    struct skb *s = msg->scm ? NULL : joinable(to, us, t);
    if (s) {
        uint64_t used = (uint64_t)(s->data - (unsigned char *)(s + 1)) + s->len;
        n = min_u64(n, s->cap - used);
        int64_t got = uio_copy_from(msg->uio, s->data + s->len, n);
        if (got > 0) {
            s->len += (uint32_t)got;
            s->ux.charge += (uint32_t)got;
            us->wmem += (uint64_t)got;
            to->stream_bytes += (uint64_t)got;
            sock_wake_readable(&to->sk);
        }
        return got;
    }
    s = make_skb(t, us, (uint32_t)max_u64(n, 512));
    int64_t got = uio_copy_from(msg->uio, s->data, n);
    if (got <= 0) {
        discard(us, s);
        return got;
    }
    s->len = (uint32_t)got;
    attach(us, s, msg);
    enqueue(to, us, s);
    return got;
}

static int64_t send_stream(struct task *t, struct unix_sock *us, struct sock_msg *msg)
{
    struct sock *sk = &us->sk;
    int64_t total = 0;
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    if (msg->name_len) {
        return us->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    }
    if (!us->peer) {
        return -ENOTCONN;
    }
    if ((sk->shutdown & SOCK_SEND_SHUTDOWN) || us->peer->dead ||
        (us->peer->sk.shutdown & SOCK_RCV_SHUTDOWN)) {
        return -EPIPE;
    }
    while (msg->uio->left) {
        if (us->wmem >= sk->sndbuf) {
            sk->nospace = true;
            return total ? total : -EAGAIN;
        }
        int64_t got = send_piece(t, us, msg);
        if (got <= 0) {
            return total ? total : got;
        }
        total += got;
    }
    return total;
}

static void put_creds(struct unix_sock *us, const struct skb *s, struct sock_msg *msg)
{
    if (msg->ctl && (us->sk.flags & SOCK_F_PASSCRED)) {
        struct abi_ucred c = {s->ux.pid, s->ux.uid, s->ux.gid};
        cmsg_put(msg->ctl, SOL_SOCKET, ABI_SCM_CREDENTIALS, &c, sizeof c);
    }
}

static void give_files(struct task *t, struct skb *s, struct sock_msg *msg)
{
    bool peek = msg->flags & ABI_MSG_PEEK;
    struct scm *scm = s->scm;
    if (!scm) {
        return;
    }
    if (!peek) {
        s->scm = NULL;
    }
    scm_deliver(t, scm, msg->ctl, msg->flags & ABI_MSG_CMSG_CLOEXEC, peek);
}

static int64_t recv_empty(struct unix_sock *us)
{
    if (us->sk.err) {
        return sock_take_error(&us->sk);
    }
    return us->sk.shutdown & SOCK_RCV_SHUTDOWN ? 0 : -EAGAIN;
}

/* May a read that began in `first` go on into `s`? Not across credentials when the reader asked for
 * them. (It ends behind descriptors: the caller sees to that.) */
static bool continues(const struct unix_sock *us, const struct skb *first, const struct skb *s)
{
    return !(us->sk.flags & SOCK_F_PASSCRED) ||
           (s->ux.pid == first->ux.pid && s->ux.uid == first->ux.uid && s->ux.gid == first->ux.gid);
}

static int64_t recv_stream(struct task *t, struct unix_sock *us, struct sock_msg *msg)
{
    struct sock *sk = &us->sk;
    int64_t total = 0;
    struct skb key = {0}, *s, *tmp;
    if (us->state != UNIX_CONNECTED) {
        return -EINVAL;
    }
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    if (list_empty(&sk->rcvq)) {
        return recv_empty(us);
    }
    list_for_each_entry_safe (s, tmp, &sk->rcvq, link) {
        if (total && !continues(us, &key, s)) {
            break;
        }
        bool had_files = s->scm != NULL;
        key.ux = s->ux;
        uint64_t n = min_u64(s->len, msg->uio->left);
        int64_t got = n ? uio_copy_to(msg->uio, s->data, n) : 0;
        if (got < 0) {
            return total ? total : got;
        }
        if (total == 0) {
            put_creds(us, s, msg);
        }
        give_files(t, s, msg);
        total += got;
        bool short_copy = (uint64_t)got < n;
        if (!(msg->flags & ABI_MSG_PEEK)) {
            s->data += got;
            s->len -= (uint32_t)got;
            us->stream_bytes -= (uint64_t)got;
            if (s->len == 0) {
                free_skb(us, s);
            }
        }
        if (had_files || short_copy || msg->uio->left == 0) {
            break;
        }
    }
    return total;
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* Whom a datagram goes to. */
static int target_of(struct task *t, struct unix_sock *us, struct sock_msg *msg,
                     struct unix_sock **out)
{
    if (us->sk.type == ABI_SOCK_SEQPACKET || msg->name_len == 0 || !msg->name) {
        if (us->sk.type == ABI_SOCK_SEQPACKET && us->state != UNIX_CONNECTED) {
            return -ENOTCONN;
        }
        if (!us->peer) {
            return -ENOTCONN;
        }
        *out = us->peer;
        if (us->sk.type == ABI_SOCK_DGRAM && us->peer->dead) {
            unix_disconnect(us);
            us->state = UNIX_CLOSE;
            return -ECONNREFUSED;
        }
        return us->peer->dead ? -EPIPE : 0;
    }
    return unix_find(t, us, msg->name, msg->name_len, out);
}

static int64_t send_message(struct task *t, struct unix_sock *us, struct sock_msg *msg)
{
    struct sock *sk = &us->sk;
    struct unix_sock *to;
    uint64_t n = msg->uio->left;
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    if ((sk->flags & SOCK_F_PASSCRED) && us->name_len == 0) {
        int err = unix_autobind(us);
        if (err) {
            return err;
        }
    }
    int err = target_of(t, us, msg, &to);
    if (err) {
        return err;
    }
    if (n > sk->sndbuf - 32) {
        return -EMSGSIZE;
    }
    if (sk->err) {
        return sock_take_error(sk);
    }
    if ((sk->shutdown & SOCK_SEND_SHUTDOWN) || (to->sk.shutdown & SOCK_RCV_SHUTDOWN)) {
        return -EPIPE;
    }
    if (to->peer && to->peer != us && sk->type == ABI_SOCK_DGRAM) {
        return -EPERM; /* it talks to somebody else only */
    }
    if (us->wmem + skb_cost(0) > sk->sndbuf || unix_queue_full(to, us)) {
        sk->nospace = true;
        task_wait_on(t, &to->sk.wq, ABI_POLLOUT | ABI_POLLHUP);
        return -EAGAIN;
    }
    struct skb *s = make_skb(t, us, (uint32_t)n);
    int64_t got = n ? uio_copy_from(msg->uio, s->data, n) : 0;
    if (got < 0 || (uint64_t)got < n) {
        discard(us, s);
        return -EFAULT;
    }
    s->len = (uint32_t)n;
    attach(us, s, msg);
    enqueue(to, us, s);
    return (int64_t)n;
}

/* Room in the queue: for connected senders and for whoever waits in sendto. */
static void wake_senders(struct unix_sock *us)
{
    struct unix_sock *s, *tmp;
    list_for_each_entry_safe (s, tmp, &us->senders, sender_link) {
        if (s->sk.nospace) {
            sock_wake_writable(&s->sk);
        }
    }
    sock_wake(&us->sk, ABI_POLLOUT);
}

static int64_t recv_message(struct task *t, struct unix_sock *us, struct sock_msg *msg)
{
    struct sock *sk = &us->sk;
    if (sk->type == ABI_SOCK_SEQPACKET && us->state != UNIX_CONNECTED) {
        return -ENOTCONN;
    }
    if (msg->flags & ABI_MSG_OOB) {
        return -EOPNOTSUPP;
    }
    if (list_empty(&sk->rcvq)) {
        return recv_empty(us);
    }
    struct skb *s = list_first_entry(&sk->rcvq, struct skb, link);
    bool was_full = us->rcvq_len > UNIX_DGRAM_QLEN;
    int64_t result = sock_copy_message(s, msg);
    if (result >= 0) {
        if (sk->type == ABI_SOCK_SEQPACKET) {
            msg->out_flags |= ABI_MSG_EOR;
        }
        if (msg->name) {
            msg->name_len =
                s->ux.sender->name_len ? (uint32_t)unix_name_format(s->ux.sender, msg->name) : 0;
        }
        put_creds(us, s, msg);
        give_files(t, s, msg);
    }
    if (!(msg->flags & ABI_MSG_PEEK)) {
        us->stream_bytes -= s->len;
        free_skb(us, s);
        if (was_full) {
            wake_senders(us);
        }
    }
    return result;
}

int64_t unix_send(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct unix_sock *us = unix_of(sk);
    return sk->type == ABI_SOCK_STREAM ? send_stream(t, us, msg) : send_message(t, us, msg);
}

int64_t unix_recv(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct unix_sock *us = unix_of(sk);
    if (msg->flags & ABI_MSG_ERRQUEUE) {
        return -EAGAIN;
    }
    return sk->type == ABI_SOCK_STREAM ? recv_stream(t, us, msg) : recv_message(t, us, msg);
}

uint32_t unix_poll(struct sock *sk)
{
    struct unix_sock *us = unix_of(sk);
    uint32_t mask = sk->err ? ABI_POLLERR : 0;
    if (sk->shutdown == SOCK_SHUTDOWN_BOTH) {
        mask |= ABI_POLLHUP;
    }
    if (sk->shutdown & SOCK_RCV_SHUTDOWN) {
        mask |= ABI_POLLRDHUP | ABI_POLLIN | ABI_POLLRDNORM;
    }
    if (!list_empty(&sk->rcvq) || !list_empty(&us->acceptq)) {
        mask |= ABI_POLLIN | ABI_POLLRDNORM;
    }
    if (sk->type != ABI_SOCK_DGRAM && us->state == UNIX_CLOSE) {
        mask |= ABI_POLLHUP;
    }
    bool room = writable(us) && us->state != UNIX_LISTEN;
    if (sk->type == ABI_SOCK_DGRAM && us->peer && !us->peer->dead) {
        room = room && !unix_queue_full(us->peer, us);
    }
    if (room) {
        mask |= ABI_POLLOUT | ABI_POLLWRNORM | ABI_POLLWRBAND;
    } else {
        sk->nospace = true;
    }
    return mask;
}
