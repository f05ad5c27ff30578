/* SOL_SOCKET options (socket(7)), with the values Linux reads back. */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/sock.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/time/timer.h"
#include "kernel/trace/trace.h"

#define CAP_NET_ADMIN 12
#define CAP_NET_RAW   13

#define SOCK_BUF_MAX    212992 /* net.core.rmem_max, wmem_max */
#define SOCK_MIN_SNDBUF 4608
#define SOCK_MIN_RCVBUF 2304
#define OPT_MAX         512u

static const struct {
    int name;
    uint32_t flag;
} flag_options[] = {
    {SO_REUSEADDR, SOCK_F_REUSEADDR},
    {SO_REUSEPORT, SOCK_F_REUSEPORT},
    {SO_KEEPALIVE, SOCK_F_KEEPALIVE},
    {SO_BROADCAST, SOCK_F_BROADCAST},
    {SO_OOBINLINE, SOCK_F_OOBINLINE},
    {SO_PASSCRED, SOCK_F_PASSCRED},
    {SO_PASSSEC, SOCK_F_PASSSEC},
    {SO_TIMESTAMP_OLD, SOCK_F_TIMESTAMP},
    {SO_TIMESTAMP_NEW, SOCK_F_TIMESTAMP},
    {SO_TIMESTAMPNS_OLD, SOCK_F_TIMESTAMPNS},
    {SO_TIMESTAMPNS_NEW, SOCK_F_TIMESTAMPNS},
    {SO_DONTROUTE, SOCK_F_DONTROUTE},
    {SO_DEBUG, SOCK_F_DEBUG},
    {SO_RXQ_OVFL, SOCK_F_RXQ_OVFL},
    {SO_ZEROCOPY, SOCK_F_ZEROCOPY},
    {SO_NO_CHECK, SOCK_F_NO_CHECK},
    {SO_NOFCS, SOCK_F_NOFCS},
    {SO_WIFI_STATUS, SOCK_F_WIFI_STATUS},
    {SO_SELECT_ERR_QUEUE, SOCK_F_SELECT_ERR},
};

int sock_opt_int(struct task *t, gaddr val, uint32_t len, int *out)
{
    if (len < sizeof *out) {
        return -EINVAL;
    }
    return user_read(t, out, val, sizeof *out);
}

int64_t sock_opt_put(void *buf, uint32_t cap, const void *v, uint32_t len)
{
    uint32_t n = len < cap ? len : cap;
    memcpy(buf, v, n);
    return n;
}

int64_t sock_opt_put_int(void *buf, uint32_t cap, int v)
{
    return sock_opt_put(buf, cap, &v, sizeof v);
}

int sock_opt_unknown(struct task *t, int level, int name)
{
    trace_unknown(t, "socket option", (uint64_t)level, (uint64_t)name, -ENOPROTOOPT);
    return -ENOPROTOOPT;
}

static int set_timeout(struct task *t, gaddr val, uint32_t len, uint64_t *out)
{
    struct abi_timeval tv;
    if (len < sizeof tv) {
        return -EINVAL;
    }
    int err = user_read(t, &tv, val, sizeof tv);
    if (err) {
        return err;
    }
    if (tv.usec < 0 || tv.usec >= 1000000) {
        return -EDOM;
    }
    if (tv.sec < 0) {
        *out = 0; /* as Linux: do not wait at all */
    } else if (tv.sec == 0 && tv.usec == 0) {
        *out = VTIME_NEVER;
    } else if ((uint64_t)tv.sec >= VTIME_NEVER / NSEC_PER_SEC / 4) {
        *out = VTIME_NEVER;
    } else {
        *out = (uint64_t)tv.sec * NSEC_PER_SEC + (uint64_t)tv.usec * NSEC_PER_USEC;
    }
    return 0;
}

static int64_t get_timeout(void *buf, uint32_t cap, uint64_t ns)
{
    struct abi_timeval tv = {0, 0};
    if (ns != VTIME_NEVER) {
        tv.sec = (int64_t)(ns / NSEC_PER_SEC);
        tv.usec = (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
    }
    return sock_opt_put(buf, cap, &tv, sizeof tv);
}

static int set_linger(struct task *t, struct sock *sk, gaddr val, uint32_t len)
{
    struct abi_linger l;
    if (len < sizeof l) {
        return -EINVAL;
    }
    int err = user_read(t, &l, val, sizeof l);
    if (err) {
        return err;
    }
    if (!l.onoff) {
        sk->flags &= ~(uint32_t)SOCK_F_LINGER;
        return 0;
    }
    sk->flags |= SOCK_F_LINGER;
    sk->linger_s = l.seconds < 0 ? INT32_MAX : l.seconds;
    return 0;
}

static int set_device(struct task *t, struct sock *sk, gaddr val, uint32_t len)
{
    char name[16] = {0};
    if (sk->bound_if && !task_capable(t, CAP_NET_RAW)) {
        return -EPERM;
    }
    uint32_t n = len < sizeof name - 1 ? len : (uint32_t)sizeof name - 1;
    int err = user_read(t, name, val, n);
    if (err) {
        return err;
    }
    if (!name[0]) {
        sk->bound_if = 0;
        return 0;
    }
    const struct netif *f = netns_if_by_name(sk->ns, name);
    if (!f) {
        return -ENODEV;
    }
    sk->bound_if = f->index;
    return 0;
}

static void set_buffer(struct sock *sk, bool send, int v, bool force)
{
    uint64_t n = (uint64_t)(uint32_t)v;
    if (!force && n > SOCK_BUF_MAX) {
        n = SOCK_BUF_MAX;
    }
    n = min_u64(n, INT32_MAX / 2) * 2;
    if (send) {
        sk->flags |= SOCK_F_SNDBUF_LOCK;
        sk->sndbuf = (uint32_t)max_u64(n, SOCK_MIN_SNDBUF);
    } else {
        sk->flags |= SOCK_F_RCVBUF_LOCK;
        sk->rcvbuf = (uint32_t)max_u64(n, SOCK_MIN_RCVBUF);
    }
    if (sk->ops->buffers_changed) {
        sk->ops->buffers_changed(sk);
    }
}

static bool is_inet(const struct sock *sk)
{
    return sk->family == ABI_AF_INET || sk->family == ABI_AF_INET6;
}

static int set_flag(struct sock *sk, uint32_t flag, int v)
{
    if (flag == SOCK_F_ZEROCOPY) {
        if (!is_inet(sk) || sk->type == ABI_SOCK_RAW) {
            return -EOPNOTSUPP;
        }
        if (v < 0 || v > 1) {
            return -EINVAL;
        }
    }
    if (flag == SOCK_F_REUSEPORT && v && !is_inet(sk)) {
        return -EOPNOTSUPP;
    }
    if (v) {
        sk->flags |= flag;
    } else {
        sk->flags &= ~flag;
    }
    if (is_inet(sk)) { /* counts for a port that is bound already */
        inet_of(sk)->use.reuse = (sk->flags & SOCK_F_REUSEADDR) != 0;
        inet_of(sk)->use.reuseport = (sk->flags & SOCK_F_REUSEPORT) != 0;
    }
    if (flag == SOCK_F_KEEPALIVE && sk->ops->buffers_changed) {
        sk->ops->buffers_changed(sk);
    }
    return 0;
}

static int peek_offset_unknown(struct task *t)
{
    trace_unknown(t, "socket option", SOL_SOCKET, SO_PEEK_OFF, -EOPNOTSUPP);
    return -EOPNOTSUPP;
}

static int set_rare(struct task *t, struct sock *sk, int name, int v)
{
    switch (name) {
    case SO_BINDTOIFINDEX:
        if (v < 0) {
            return -EINVAL;
        }
        if (v && !netns_if(sk->ns, (uint32_t)v)) {
            return -ENODEV;
        }
        sk->bound_if = (uint32_t)v;
        return 0;
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
        sk->timestamping = (uint32_t)v;
        return 0;
    case SO_MAX_PACING_RATE:
        sk->max_pacing_rate = (uint32_t)v == UINT32_MAX ? UINT64_MAX : (uint32_t)v;
        return 0;
    case SO_DETACH_FILTER:
        return -ENOENT;
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR:
    case SO_SNDLOWAT: /* not changeable on Linux */
        return -ENOPROTOOPT;
    default:
        return sock_opt_unknown(t, SOL_SOCKET, name);
    }
}

static int set_int(struct task *t, struct sock *sk, int name, int v)
{
    switch (name) {
    case SO_SNDBUF:
    case SO_RCVBUF:
        set_buffer(sk, name == SO_SNDBUF, v, false);
        return 0;
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
        if (!task_capable(t, CAP_NET_ADMIN)) {
            return -EPERM;
        }
        set_buffer(sk, name == SO_SNDBUFFORCE, v < 0 ? 0 : v, true);
        return 0;
    case SO_RCVLOWAT:
        sk->rcvlowat = v < 0 ? INT32_MAX : v ? (uint32_t)v : 1;
        return 0;
    case SO_PRIORITY:
        if ((v < 0 || v > 6) && !task_capable(t, CAP_NET_ADMIN)) {
            return -EPERM;
        }
        sk->priority = (uint32_t)v;
        return 0;
    case SO_MARK:
        if (!task_capable(t, CAP_NET_ADMIN)) {
            return -EPERM;
        }
        sk->mark = (uint32_t)v;
        return 0;
    case SO_BUSY_POLL:
        if (v < 0) {
            return -EINVAL;
        }
        sk->busy_poll = (uint32_t)v;
        return 0;
    case SO_INCOMING_CPU:
        sk->incoming_cpu = v;
        return 0;
    case SO_PEEK_OFF:
        return v < 0 ? 0 : peek_offset_unknown(t);
    case SO_BSDCOMPAT: /* obsolete: accepted, without effect */
        return 0;
    case SO_BUF_LOCK:
        if (v & ~3) {
            return -EINVAL;
        }
        sk->flags &= ~(uint32_t)(SOCK_F_SNDBUF_LOCK | SOCK_F_RCVBUF_LOCK);
        sk->flags |= (v & 1 ? SOCK_F_SNDBUF_LOCK : 0) | (v & 2 ? SOCK_F_RCVBUF_LOCK : 0);
        return 0;
    default:
        return set_rare(t, sk, name, v);
    }
}

static int setopt_socket(struct task *t, struct sock *sk, int name, gaddr val, uint32_t len)
{
    switch (name) {
    case SO_BINDTODEVICE:
        return set_device(t, sk, val, len);
    case SO_LINGER:
        return set_linger(t, sk, val, len);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return set_timeout(t, val, len, &sk->rcvtimeo_ns);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return set_timeout(t, val, len, &sk->sndtimeo_ns);
    default:
        break;
    }
    int v, err = sock_opt_int(t, val, len, &v);
    if (err) {
        return err;
    }
    for (unsigned i = 0; i < ARRAY_LEN(flag_options); i++) {
        if (flag_options[i].name == name) {
            return set_flag(sk, flag_options[i].flag, v);
        }
    }
    return set_int(t, sk, name, v);
}

static int64_t get_device(const struct sock *sk, void *buf, uint32_t cap)
{
    const struct netif *f = netns_if(sk->ns, sk->bound_if);
    if (!f) {
        return 0;
    }
    uint32_t n = (uint32_t)str_len(f->name) + 1;
    return n > cap ? -EINVAL : sock_opt_put(buf, cap, f->name, n);
}

static int64_t get_meminfo(const struct sock *sk, void *buf, uint32_t cap)
{
    uint32_t info[9] = {[0] = (uint32_t)sk->rcvq_bytes,
                        [1] = sk->rcvbuf,
                        [3] = sk->sndbuf,
                        [8] = sk->drops}; /* SK_MEMINFO_*
                                           */
    return sock_opt_put(buf, cap, info, sizeof info);
}

static int64_t get_socket_int(struct task *t, struct sock *sk, int name, void *buf, uint32_t cap)
{
    switch (name) {
    case SO_TYPE:
        return sock_opt_put_int(buf, cap, sk->type);
    case SO_PROTOCOL:
        return sock_opt_put_int(buf, cap, sk->protocol);
    case SO_DOMAIN:
        return sock_opt_put_int(buf, cap, sk->family);
    case SO_ERROR: {
        int err = sk->err ? sk->err : sk->err_soft;
        sk->err = 0;
        sk->err_soft = 0;
        return sock_opt_put_int(buf, cap, err);
    }
    case SO_ACCEPTCONN:
        return sock_opt_put_int(buf, cap, sk->listening);
    case SO_SNDBUF:
        return sock_opt_put_int(buf, cap, (int)sk->sndbuf);
    case SO_RCVBUF:
        return sock_opt_put_int(buf, cap, (int)sk->rcvbuf);
    case SO_RCVLOWAT:
        return sock_opt_put_int(buf, cap, (int)sk->rcvlowat);
    case SO_SNDLOWAT:
        return sock_opt_put_int(buf, cap, 1);
    case SO_PRIORITY:
        return sock_opt_put_int(buf, cap, (int)sk->priority);
    case SO_MARK:
        return sock_opt_put_int(buf, cap, (int)sk->mark);
    case SO_BUSY_POLL:
        return sock_opt_put_int(buf, cap, (int)sk->busy_poll);
    case SO_INCOMING_CPU:
        return sock_opt_put_int(buf, cap, sk->incoming_cpu);
    case SO_INCOMING_NAPI_ID: /* loopback and veth have none */
        return sock_opt_put_int(buf, cap, 0);
    case SO_PEEK_OFF:
        return sock_opt_put_int(buf, cap, -1);
    case SO_BSDCOMPAT:
        return sock_opt_put_int(buf, cap, 0);
    case SO_BUF_LOCK:
        return sock_opt_put_int(buf, cap,
                                (sk->flags & SOCK_F_SNDBUF_LOCK ? 1 : 0) |
                                    (sk->flags & SOCK_F_RCVBUF_LOCK ? 2 : 0));
    case SO_BINDTOIFINDEX:
        return sock_opt_put_int(buf, cap, (int)sk->bound_if);
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW: {
        uint32_t v[2] = {sk->timestamping, 0}; /* struct so_timestamping: flags, bind_phc */
        return sock_opt_put(buf, cap, v, sizeof v);
    }
    case SO_LOCK_FILTER:
        return sock_opt_put_int(buf, cap, 0);
    case SO_BPF_EXTENSIONS:
        return sock_opt_put_int(buf, cap, 64);
    default:
        return sock_opt_unknown(t, SOL_SOCKET, name);
    }
}

static int64_t getopt_socket(struct task *t, struct sock *sk, int name, void *buf, uint32_t cap)
{
    for (unsigned i = 0; i < ARRAY_LEN(flag_options); i++) {
        if (flag_options[i].name == name) {
            return sock_opt_put_int(buf, cap, (sk->flags & flag_options[i].flag) != 0);
        }
    }
    switch (name) {
    case SO_LINGER: {
        struct abi_linger l = {(sk->flags & SOCK_F_LINGER) != 0, sk->linger_s};
        return sock_opt_put(buf, cap, &l, sizeof l);
    }
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return get_timeout(buf, cap, sk->rcvtimeo_ns);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return get_timeout(buf, cap, sk->sndtimeo_ns);
    case SO_BINDTODEVICE:
        return get_device(sk, buf, cap);
    case SO_MEMINFO:
        return get_meminfo(sk, buf, cap);
    case SO_COOKIE:
        return cap < 8 ? -EINVAL : sock_opt_put(buf, cap, &sk->id, sizeof sk->id);
    case SO_NETNS_COOKIE: {
        uint64_t cookie = sk->ns->node->index + 1;
        return cap < 8 ? -EINVAL : sock_opt_put(buf, cap, &cookie, sizeof cookie);
    }
    case SO_MAX_PACING_RATE:
        return cap >= 8 ? sock_opt_put(buf, cap, &sk->max_pacing_rate, 8)
                        : sock_opt_put_int(buf, cap, (int)min_u64(sk->max_pacing_rate, UINT32_MAX));
    case SO_PEERSEC:
        return -ENOPROTOOPT;
    case SO_PEERNAME: {
        union abi_sockaddr a = {0};
        int n = sk->ops->getname(sk, true, &a);
        if (n < 0) {
            return -ENOTCONN;
        }
        return (uint32_t)n < cap ? -EINVAL : sock_opt_put(buf, cap, &a, (uint32_t)n);
    }
    case SO_PEERCRED:
        if (sk->family != ABI_AF_UNIX) {
            struct abi_ucred none = {0, UINT32_MAX, UINT32_MAX};
            return sock_opt_put(buf, cap, &none, sizeof none);
        }
        return sk->ops->getopt(t, sk, SOL_SOCKET, name, buf, cap);
    case SO_PEERGROUPS:
        return sk->family == ABI_AF_UNIX ? sk->ops->getopt(t, sk, SOL_SOCKET, name, buf, cap)
                                         : -ENODATA;
    default:
        return get_socket_int(t, sk, name, buf, cap);
    }
}

int sock_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, int len)
{
    if (len < 0) {
        return -EINVAL;
    }
    int err = level == SOL_SOCKET ? setopt_socket(t, sk, name, val, (uint32_t)len)
                                  : sk->ops->setopt(t, sk, level, name, val, (uint32_t)len);
    net_flush(sk->m);
    return err;
}

int sock_getopt(struct task *t, struct sock *sk, int level, int name, gaddr val, gaddr len)
{
    unsigned char buf[OPT_MAX] = {0};
    int32_t cap;
    int err = user_read(t, &cap, len, sizeof cap);
    if (err) {
        return err;
    }
    if (cap < 0) {
        return -EINVAL;
    }
    uint32_t room = cap < (int)OPT_MAX ? (uint32_t)cap : OPT_MAX;
    int64_t n = level == SOL_SOCKET ? getopt_socket(t, sk, name, buf, room)
                                    : sk->ops->getopt(t, sk, level, name, buf, room);
    if (n < 0) {
        return (int)n;
    }
    err = user_write(t, val, buf, (size_t)n);
    return err ? err : user_write_u32(t, len, (uint32_t)n);
}
