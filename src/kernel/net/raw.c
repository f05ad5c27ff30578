/* Raw sockets (raw(7)), ping sockets (icmp(7)), and the kernel's own answers to echo requests. */
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/trace/trace.h"

#define RAW_MAX_PAYLOAD 65515u
#define IP_HEADER       20u
#define ICMP_FILTER_OPT 1 /* at SOL_RAW: a mask of types to drop; at SOL_ICMPV6: 256 bits */

enum { ECHO_REPLY4 = 0, ECHO4 = 8, ECHO6 = 128, ECHO_REPLY6 = 129 };

/* What every ICMP message begins with. */
struct icmp_head {
    uint8_t type, code;
    uint16_t checksum;
    uint16_t id, sequence; /* of echo; network byte order */
};

struct raw_sock {
    struct inet_sock inet; /* first */
    struct list_head raw_link;
    bool ping; /* SOCK_DGRAM: id is the port, the kernel fills in id and checksum */
    uint32_t filter4;
    uint32_t filter6[8];
    int checksum_offset; /* IPV6_CHECKSUM */
};

static struct raw_sock *raw_of(struct sock *sk)
{
    return (struct raw_sock *)sk;
}

/* RFC 1071. */
static uint16_t checksum(const unsigned char *p, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i + 1 < n; i += 2) {
        sum += (uint32_t)p[i] | (uint32_t)p[i + 1] << 8;
    }
    if (n % 2) {
        sum += p[n - 1];
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* --- echo --------------------------------------------------------------------------------------
 */

static void echo_reply(struct netns *ns, const struct skb *s, uint8_t type)
{
    struct skb *r = skb_alloc(ns->m, s->len);
    memcpy(r->data, s->data, s->len);
    r->len = s->len;
    r->proto = s->proto;
    r->src = s->dst;
    r->dst = s->src;
    r->tos = s->tos;
    struct icmp_head *h = (struct icmp_head *)(void *)r->data;
    h->type = type;
    h->checksum = 0;
    h->checksum = checksum(r->data, r->len);
    ns->mib.icmp_out++;
    ip_output(ns, r, 0, false);
}

static bool wants(const struct raw_sock *rs, const struct skb *s)
{
    const struct inet_sock *is = &rs->inet;
    bool v4 = ip_is_v4(&s->src.addr);
    if (is->sk.protocol != s->proto || v4 != (is->sk.family == ABI_AF_INET)) {
        return false;
    }
    if (!ip_is_any(&is->local.addr) && !ip_eq(&is->local.addr, &s->dst.addr)) {
        return false;
    }
    if (is->remote.port && !ip_eq(&is->remote.addr, &s->src.addr)) {
        return false;
    }
    bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6;
    if (!icmp || s->len < sizeof(struct icmp_head)) {
        return !rs->ping;
    }
    const struct icmp_head *h = (const struct icmp_head *)(const void *)s->data;
    if (rs->ping) {
        return h->type == (v4 ? ECHO_REPLY4 : ECHO_REPLY6) && be16(h->id) == is->local.port;
    }
    if (v4) {
        return h->type >= 32 || !(rs->filter4 >> h->type & 1);
    }
    return !(rs->filter6[h->type / 32] >> (h->type % 32) & 1);
}

static void put_ip_header(unsigned char *p, const struct skb *s)
{
    uint16_t total = be16((uint16_t)(s->len + IP_HEADER));
    memset(p, 0, IP_HEADER);
    p[0] = 0x45;
    p[1] = s->tos;
    memcpy(p + 2, &total, 2);
    p[6] = 0x40; /* DF */
    p[8] = s->ttl;
    p[9] = s->proto;
    memcpy(p + 12, s->src.addr.b + 12, 4);
    memcpy(p + 16, s->dst.addr.b + 12, 4);
    uint16_t sum = checksum(p, IP_HEADER);
    memcpy(p + 10, &sum, 2);
}

static void raw_queue(struct raw_sock *rs, const struct skb *s)
{
    struct sock *sk = &rs->inet.sk;
    /* raw(7): IPv4 raw sockets see the header, IPv6 and ping sockets do not. */
    uint32_t head = sk->family == ABI_AF_INET && !rs->ping ? IP_HEADER : 0;
    if (sk->rcvq_bytes + skb_cost(s->len + head) > sk->rcvbuf) {
        sk->drops++;
        return;
    }
    struct skb *c = skb_alloc(sk->m, s->len + head);
    if (head) {
        put_ip_header(c->data, s);
    }
    memcpy(c->data + head, s->data, s->len);
    c->len = s->len + head;
    c->src = s->src;
    c->dst = s->dst;
    c->ifindex = s->ifindex;
    c->ttl = s->ttl;
    c->tos = s->tos;
    c->due = s->due;
    sk->rcvq_bytes += skb_cost(c->len);
    list_add_tail(&sk->rcvq, &c->link);
    sock_wake_readable(sk);
}

void raw_input(struct netns *ns, struct skb *s)
{
    struct raw_sock *rs;
    list_for_each_entry (rs, &ns->raws, raw_link) {
        if (wants(rs, s)) {
            raw_queue(rs, s);
        }
    }
    skb_free(ns->m, s);
}

void icmp_input(struct netns *ns, struct skb *s)
{
    ns->mib.icmp_in++;
    if (s->len >= sizeof(struct icmp_head) && netns_is_local(ns, &s->dst.addr)) {
        if (s->proto == IPPROTO_ICMP && s->data[0] == ECHO4) {
            echo_reply(ns, s, ECHO_REPLY4);
        } else if (s->proto == IPPROTO_ICMPV6 && s->data[0] == ECHO6) {
            echo_reply(ns, s, ECHO_REPLY6);
        }
    }
    raw_input(ns, s);
}

void raw_icmp_error(struct netns *ns, const struct skb *s)
{
    struct raw_sock *rs;
    list_for_each_entry (rs, &ns->raws, raw_link) {
        if (rs->inet.sk.protocol == s->icmp.inner_proto) {
            inet_icmp_error(&rs->inet, s);
        }
    }
}

/* --- calls -------------------------------------------------------------------------------------
 */

static bool ping_id_free(struct raw_sock *rs, uint16_t id)
{
    struct raw_sock *other;
    list_for_each_entry (other, &rs->inet.sk.ns->raws, raw_link) {
        if (other->ping && other != rs && other->inet.local.port == id) {
            return false;
        }
    }
    return true;
}

static void ping_autobind(struct raw_sock *rs)
{
    for (uint32_t id = 1; rs->ping && rs->inet.local.port == 0 && id < 65536; id++) {
        if (ping_id_free(rs, (uint16_t)id)) {
            rs->inet.local.port = (uint16_t)id;
        }
    }
}

static int raw_bind(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct raw_sock *rs = raw_of(sk);
    uint16_t old = rs->inet.local.port;
    rs->inet.local.port = 0;
    int err = inet_bind(t, &rs->inet, a, len, NULL, false);
    rs->inet.local.port = old;
    if (err || !rs->ping) {
        return err;
    }
    uint16_t id = be16(a->in.sin_port);
    if (id && !ping_id_free(rs, id)) {
        return -EADDRINUSE;
    }
    rs->inet.local.port = id;
    ping_autobind(rs);
    return 0;
}

static int raw_connect(struct task *t, struct sock *sk, const union abi_sockaddr *a, uint32_t len)
{
    struct inet_sock *is = inet_of(sk);
    struct endpoint e;
    struct route r;
    uint32_t scope;
    if (len < sizeof a->family) {
        return -EINVAL;
    }
    if (a->family == ABI_AF_UNSPEC) {
        is->remote.port = 0;
        return 0;
    }
    int err = inet_addr_parse(is, a, len, &e, &scope);
    err = err ? err : route_lookup(sk->ns, &e.addr, scope, &r);
    if (err) {
        return err;
    }
    is->remote = e;
    is->remote.port = e.port ? e.port : 1; /* marks it as connected */
    if (!is->local_by_user) {
        is->local.addr = r.src;
    }
    ping_autobind(raw_of(sk));
    return 0;
}

static int check_ping(struct raw_sock *rs, struct skb *s)
{
    struct icmp_head *h = (struct icmp_head *)(void *)s->data;
    bool v4 = rs->inet.sk.family == ABI_AF_INET;
    if (s->len < sizeof *h || h->type != (v4 ? ECHO4 : ECHO6) || h->code != 0) {
        return -EINVAL;
    }
    ping_autobind(rs);
    h->id = be16(rs->inet.local.port);
    h->checksum = 0;
    h->checksum = checksum(s->data, s->len);
    return 0;
}

static int64_t raw_send(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct raw_sock *rs = raw_of(sk);
    struct inet_sock *is = &rs->inet;
    struct endpoint e = is->remote;
    uint32_t scope = 0;
    struct route r;
    int err = 0;
    if (msg->uio->left > RAW_MAX_PAYLOAD) {
        return -EMSGSIZE;
    }
    if (msg->name && msg->name_len) {
        err = inet_addr_parse(is, msg->name, msg->name_len, &e, &scope);
    } else if (is->remote.port == 0) {
        err = -EDESTADDRREQ;
    }
    err = err ? err : route_lookup(sk->ns, &e.addr, scope ? scope : sk->bound_if, &r);
    if (!err && r.kind == ROUTE_BROADCAST && !(sk->flags & SOCK_F_BROADCAST)) {
        err = -EACCES;
    }
    if (err) {
        return err;
    }
    uint64_t n = msg->uio->left;
    struct skb *s = skb_alloc(sk->m, (uint32_t)n);
    int64_t got = n ? uio_copy_from(msg->uio, s->data, n) : 0;
    s->len = got > 0 ? (uint32_t)got : 0;
    err = s->len < n ? -EFAULT : rs->ping ? check_ping(rs, s) : 0;
    if (err) {
        skb_free(sk->m, s);
        return err;
    }
    s->proto = (uint8_t)sk->protocol;
    s->src.addr = ip_is_any(&is->local.addr) ? r.src : is->local.addr;
    s->dst.addr = e.addr;
    s->ttl = is->ttl > 0 ? (uint8_t)is->ttl : 64;
    s->tos = (uint8_t)is->tos;
    err = ip_output(sk->ns, s, scope ? scope : sk->bound_if, false);
    return err ? err : (int64_t)n;
}

static int raw_shutdown(struct sock *sk, uint32_t how)
{
    sk->shutdown |= how;
    sock_wake_state(sk);
    return inet_of(sk)->remote.port ? 0 : -ENOTCONN;
}

static uint32_t raw_poll(struct sock *sk)
{
    uint32_t mask = ABI_POLLOUT | ABI_POLLWRNORM;
    mask |= list_empty(&sk->rcvq) ? 0 : ABI_POLLIN | ABI_POLLRDNORM;
    return mask | (sk->err || !list_empty(&inet_of(sk)->errq) ? ABI_POLLERR : 0);
}

static int64_t raw_ioctl(struct task *t, struct sock *sk, uint32_t cmd, uint64_t arg)
{
    if (cmd == SIOCINQ || cmd == SIOCOUTQ) {
        uint32_t n = 0;
        if (cmd == SIOCINQ && !list_empty(&sk->rcvq)) {
            n = list_first_entry(&sk->rcvq, struct skb, link)->len;
        }
        return user_write_u32(t, gaddr_of(arg), n);
    }
    return inet_ioctl(t, sk, cmd, arg);
}

static int raw_setopt(struct task *t, struct sock *sk, int level, int name, gaddr val, uint32_t len)
{
    struct raw_sock *rs = raw_of(sk);
    if (level == ABI_SOL_RAW && name == ICMP_FILTER_OPT && sk->protocol == IPPROTO_ICMP) {
        return user_read(t, &rs->filter4, val, len < 4 ? len : 4);
    }
    if (level == ABI_SOL_ICMPV6 && name == ICMP_FILTER_OPT && sk->family == ABI_AF_INET6) {
        return user_read(t, rs->filter6, val, len < sizeof rs->filter6 ? len : sizeof rs->filter6);
    }
    if ((level == ABI_SOL_IPV6 || level == ABI_SOL_RAW) && name == IPV6_CHECKSUM &&
        sk->family == ABI_AF_INET6) {
        int err = sock_opt_int(t, val, len, &rs->checksum_offset);
        return err;
    }
    if (level == ABI_SOL_IP && name == IP_HDRINCL) {
        return sock_opt_unknown(t, level, name); /* headers are modelled, not parsed */
    }
    return inet_setopt(t, &rs->inet, level, name, val, len);
}

static int64_t raw_getopt(struct task *t, struct sock *sk, int level, int name, void *buf,
                          uint32_t cap)
{
    struct raw_sock *rs = raw_of(sk);
    if (level == ABI_SOL_RAW && name == ICMP_FILTER_OPT && sk->protocol == IPPROTO_ICMP) {
        return sock_opt_put(buf, cap, &rs->filter4, sizeof rs->filter4);
    }
    if (level == ABI_SOL_ICMPV6 && name == ICMP_FILTER_OPT && sk->family == ABI_AF_INET6) {
        return sock_opt_put(buf, cap, rs->filter6, sizeof rs->filter6);
    }
    return inet_getopt(t, &rs->inet, level, name, buf, cap);
}

static void raw_close(struct sock *sk)
{
    struct machine *m = sk->m;
    list_del(&raw_of(sk)->raw_link);
    inet_fini(inet_of(sk));
    kfree(m, sk);
}

static const struct sock_ops raw_ops = {
    .name = "RAW",
    .bind = raw_bind,
    .connect = raw_connect,
    .getname = inet_getname,
    .send = raw_send,
    .recv = inet_recv_message,
    .shutdown = raw_shutdown,
    .poll = raw_poll,
    .ioctl = raw_ioctl,
    .setopt = raw_setopt,
    .getopt = raw_getopt,
    .close = raw_close,
};

int raw_create(struct netns *ns, uint16_t family, uint16_t type, uint16_t protocol,
               struct sock **out)
{
    if (protocol == IPPROTO_RAW) { /* implies IP_HDRINCL */
        trace_unknown(ns->m->sched.current, "socket protocol", protocol, type, -EPROTONOSUPPORT);
        return -EPROTONOSUPPORT;
    }
    struct raw_sock *rs = KALLOC(ns->m, struct raw_sock);
    inet_init(&rs->inet, &raw_ops, ns, family, type, protocol);
    rs->inet.sk.flags |= SOCK_F_REUSEADDR;
    rs->ping = type == ABI_SOCK_DGRAM;
    if (!rs->ping) {
        rs->inet.local.port = protocol; /* as Linux shows it in /proc/net/raw */
    }
    list_add_tail(&ns->raws, &rs->raw_link);
    *out = &rs->inet.sk;
    return 0;
}
