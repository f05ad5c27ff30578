/* What datagrams bring along besides their payload: control messages and the error queue. */
#include <linux/in.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/cmsg.h"
#include "kernel/net/inet.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/node.h"
#include "kernel/time/clock.h"

#define ERRQ_MAX 128u /* queued errors: further ones are dropped */

static void put_timestamp(struct sock *sk, const struct skb *s, struct cmsg_out *ctl)
{
    if (!(sk->flags & (SOCK_F_TIMESTAMP | SOCK_F_TIMESTAMPNS))) {
        return;
    }
    /* The wall clock of the moment of arrival. */
    int64_t now = clock_realtime_ns(sk->ns->node);
    uint64_t ns = (uint64_t)(now - (int64_t)(machine_now(sk->m) - s->due));
    struct abi_timespec ts = timespec_of_ns(ns);
    if (sk->flags & SOCK_F_TIMESTAMPNS) {
        cmsg_put(ctl, SOL_SOCKET, SO_TIMESTAMPNS_OLD, &ts, sizeof ts);
    } else {
        struct abi_timeval tv = {ts.sec, ts.nsec / 1000};
        cmsg_put(ctl, SOL_SOCKET, SO_TIMESTAMP_OLD, &tv, sizeof tv);
    }
}

static void put_pktinfo4(struct inet_sock *is, const struct skb *s, struct cmsg_out *ctl)
{
    struct in_pktinfo pi = {0};
    pi.ipi_ifindex = (int)s->ifindex;
    pi.ipi_addr.s_addr = s->dst.addr.w[3];
    const struct netif *f = netns_if(is->sk.ns, s->ifindex);
    bool own = netns_is_local(is->sk.ns, &s->dst.addr);
    pi.ipi_spec_dst.s_addr = own || !f ? s->dst.addr.w[3] : f->addr4.w[3];
    cmsg_put(ctl, ABI_SOL_IP, IP_PKTINFO, &pi, sizeof pi);
}

static void put_pktinfo6(const struct skb *s, struct cmsg_out *ctl)
{
    struct {
        uint8_t addr[16];
        uint32_t ifindex;
    } pi;
    memcpy(pi.addr, s->dst.addr.b, 16);
    pi.ifindex = s->ifindex;
    cmsg_put(ctl, ABI_SOL_IPV6, IPV6_PKTINFO, &pi, sizeof pi);
}

void inet_put_cmsgs(struct inet_sock *is, const struct skb *s, struct sock_msg *msg)
{
    struct cmsg_out *ctl = msg->ctl;
    is->sk.last_stamp = s->due;
    if (!ctl) {
        return;
    }
    put_timestamp(&is->sk, s, ctl);
    if (is->sk.flags & SOCK_F_RXQ_OVFL) {
        cmsg_put(ctl, SOL_SOCKET, SO_RXQ_OVFL, &is->sk.drops, sizeof is->sk.drops);
    }
    bool v4 = ip_is_v4(&s->src.addr);
    int ttl = s->ttl, tos = s->tos;
    if (v4 && is->pktinfo) {
        put_pktinfo4(is, s, ctl);
    }
    if (v4 && is->recvttl) {
        cmsg_put(ctl, ABI_SOL_IP, IP_TTL, &ttl, sizeof ttl);
    }
    if (v4 && is->recvtos) {
        cmsg_put(ctl, ABI_SOL_IP, IP_TOS, &s->tos, 1);
    }
    if (v4 && is->recvorigdst) {
        struct sockaddr_in sin = {.sin_family = ABI_AF_INET, .sin_port = be16(s->dst.port)};
        sin.sin_addr.s_addr = s->dst.addr.w[3];
        cmsg_put(ctl, ABI_SOL_IP, IP_ORIGDSTADDR, &sin, sizeof sin);
    }
    if (is->sk.family == ABI_AF_INET6 && is->pktinfo6) {
        put_pktinfo6(s, ctl);
    }
    if (!v4 && is->recvhoplimit) {
        cmsg_put(ctl, ABI_SOL_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
    }
    if (!v4 && is->recvtclass) {
        cmsg_put(ctl, ABI_SOL_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    }
}

void inet_icmp_error(struct inet_sock *is, const struct skb *s)
{
    bool v4 = ip_is_v4(&s->icmp.inner_dst.addr);
    bool wanted = v4 ? is->recverr : is->recverr6;
    if (wanted) {
        uint32_t queued = 0;
        for (struct list_head *i = is->errq.next; i != &is->errq; i = i->next) {
            queued++;
        }
        if (queued < ERRQ_MAX) {
            struct skb *e = skb_alloc(is->sk.m, 0);
            e->src = s->src;
            e->dst = s->icmp.inner_dst;
            e->icmp = s->icmp;
            e->ifindex = s->ifindex;
            list_add_tail(&is->errq, &e->link);
        }
    }
    /* udp(7): without RECVERR only a connected socket hears of it, and only of hard errors; a
     * connected one takes network and host unreachable as soft (udp_err). */
    bool hard = s->icmp.error == ECONNREFUSED || s->icmp.error == ENOPROTOOPT;
    if (wanted || (hard && is->remote.port)) {
        sock_set_error(&is->sk, s->icmp.error);
    }
}

int64_t inet_recv_error(struct task *t, struct inet_sock *is, struct sock_msg *msg)
{
    if (list_empty(&is->errq)) {
        return -EAGAIN;
    }
    struct skb *e = list_first_entry(&is->errq, struct skb, link);
    bool v4 = ip_is_v4(&e->icmp.inner_dst.addr);
    struct {
        struct abi_sock_extended_err ee;
        union {
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } offender;
    } err = {.ee = {.error = (uint32_t)e->icmp.error,
                    .origin = v4 ? ABI_SO_EE_ORIGIN_ICMP : ABI_SO_EE_ORIGIN_ICMP6,
                    .type = e->icmp.type,
                    .code = e->icmp.code}};
    if (v4) {
        err.offender.in.sin_family = ABI_AF_INET;
        err.offender.in.sin_addr.s_addr = e->src.addr.w[3];
    } else {
        err.offender.in6.sin6_family = ABI_AF_INET6;
        memcpy(err.offender.in6.sin6_addr.s6_addr, e->src.addr.b, 16);
    }
    if (msg->name) {
        msg->name_len = (uint32_t)inet_addr_format(is, &e->icmp.inner_dst, msg->name);
    }
    if (msg->ctl) {
        uint32_t len =
            (uint32_t)(sizeof err.ee + (v4 ? sizeof err.offender.in : sizeof err.offender.in6));
        cmsg_put(msg->ctl, v4 ? ABI_SOL_IP : ABI_SOL_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &err,
                 len);
    }
    msg->out_flags |= ABI_MSG_ERRQUEUE;
    if (!(msg->flags & ABI_MSG_PEEK)) {
        list_del(&e->link);
        skb_free(is->sk.m, e);
        is->sk.err =
            list_empty(&is->errq) ? 0 : list_first_entry(&is->errq, struct skb, link)->icmp.error;
    }
    return 0;
}

int64_t inet_recv_message(struct task *t, struct sock *sk, struct sock_msg *msg)
{
    struct inet_sock *is = inet_of(sk);
    if (msg->flags & ABI_MSG_ERRQUEUE) {
        return inet_recv_error(t, is, msg);
    }
    struct skb *s;
    int64_t result = sock_peek_message(sk, msg, &s);
    if (!s) {
        return result;
    }
    if (result >= 0) {
        if (msg->name) {
            msg->name_len = (uint32_t)inet_addr_format(is, &s->src, msg->name);
        }
        inet_put_cmsgs(is, s, msg);
    }
    if (!(msg->flags & ABI_MSG_PEEK)) {
        sock_drop_message(sk, s);
    }
    return result;
}
