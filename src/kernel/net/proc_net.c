/* /proc/net (proc(5)): interfaces and tables of sockets, column for column as Linux prints them. */
#include "kernel/vfs/special/proc_net.h"

#include <linux/in.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/tcp.h"
#include "kernel/net/unix.h"
#include "kernel/node.h"
#include "kernel/vfs/special/text.h"

/* Whether an AF_INET6 socket's row or an AF_INET socket's is wanted. */
static bool row_wanted(const struct sock *sk, uint16_t family, uint16_t protocol)
{
    return sk->family == family && sk->protocol == protocol;
}

static void put_endpoint(struct text *x, const struct endpoint *e, bool v6)
{
    for (unsigned i = v6 ? 0 : 3; i < 4; i++) {
        text_printf(x, "%08X", e->addr.w[i]);
    }
    text_printf(x, ":%04X", e->port);
}

static const char header4[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                              "retrnsmt   uid  timeout inode";
static const char header6[] =
    "  sl  local_address                         remote_address                        st tx_queue "
    "rx_queue tr tm->when retrnsmt   uid  timeout inode";

/* Hundredths of a second, as USER_HZ ticks. */
static uint64_t ticks(const struct machine *m, vtime when)
{
    vtime now = machine_now(m);
    return when > now ? (when - now) / (NSEC_PER_SEC / 100) : 0;
}

static void tcp_row(struct text *x, uint32_t i, const struct tcp_sock *tp, bool v6)
{
    const struct sock *sk = &tp->inet.sk;
    unsigned kind = 0;
    uint64_t when = 0;
    if (timer_armed(&tp->rtx_timer)) {
        kind = tp->pending == TCP_RTX_PROBE ? 4 : 1;
        when = ticks(sk->m, tp->rtx_timer.when);
    } else if (timer_armed(&tp->keep_timer)) {
        kind = 2;
        when = ticks(sk->m, tp->keep_timer.when);
    }
    uint64_t rx = tp->state == TCPS_LISTEN ? tp->accept_len : sk->rcvq_bytes;
    uint64_t tx = tp->state == TCPS_LISTEN ? 0 : tp->write_seq - tp->snd_una;
    text_printf(x, "%4u: ", i);
    put_endpoint(x, &tp->inet.local, v6);
    text_puts(x, " ");
    put_endpoint(x, &tp->inet.remote, v6);
    text_printf(x, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %016x %lu 4 %d %lu %d\n",
                (unsigned)tp->state, (unsigned)tx, (unsigned)rx, kind, (unsigned long)when,
                tp->retransmits, sk->uid, (int)tp->probes_out, (unsigned long)sk->ino, 1, 0u,
                (unsigned long)(tp->rto_ns / (NSEC_PER_SEC / 100)), 30,
                (unsigned long)(tp->cwnd && tp->mss ? tp->cwnd / tp->mss : 10), -1);
}

static void tw_row(struct text *x, uint32_t i, const struct tcp_tw *tw, bool v6)
{
    text_printf(x, "%4u: ", i);
    put_endpoint(x, &tw->key.local, v6);
    text_puts(x, " ");
    put_endpoint(x, &tw->key.remote, v6);
    text_printf(x, " %02X %08X:%08X %02X:%08lX %08X %5d %8d %d %d %016x\n",
                tw->fin_wait2 ? TCPS_FIN_WAIT2 : TCPS_TIME_WAIT, 0u, 0u, 3,
                (unsigned long)ticks(tw->ns->m, tw->timer.when), 0u, 0, 0, 0, 3, 0u);
}

static void tcp_table(struct text *x, const struct netns *ns, bool v6)
{
    uint32_t i = 0;
    uint16_t family = v6 ? ABI_AF_INET6 : ABI_AF_INET;
    struct sock *sk;
    text_printf(x, "%s\n", v6 ? header6 : header4);
    for (int listeners = 1; listeners >= 0; listeners--) { /* Linux lists them first */
        list_for_each_entry (sk, &ns->socks, ns_link) {
            if (!row_wanted(sk, family, IPPROTO_TCP) || sk->type != ABI_SOCK_STREAM) {
                continue;
            }
            const struct tcp_sock *tp = tcp_of(sk);
            if (tp->state != TCPS_CLOSE && !tp->kernel &&
                (tp->state == TCPS_LISTEN) == (listeners != 0)) {
                tcp_row(x, i++, tp, v6);
            }
        }
    }
    struct tcp_tw *tw;
    list_for_each_entry (tw, &ns->timewaits, link) {
        if ((tw->use.family == ABI_AF_INET6) == v6) {
            tw_row(x, i++, tw, v6);
        }
    }
}

static void datagram_table(struct text *x, const struct netns *ns, bool v6, uint16_t protocol)
{
    struct sock *sk;
    uint32_t i = 0;
    text_printf(x, "%s%s\n", v6 ? header6 : header4, " ref pointer drops");
    list_for_each_entry (sk, &ns->socks, ns_link) {
        bool raw = protocol == 0 && sk->type == ABI_SOCK_RAW;
        if (sk->family != (v6 ? ABI_AF_INET6 : ABI_AF_INET) || !(raw || sk->protocol == protocol) ||
            sk->type == ABI_SOCK_STREAM) {
            continue;
        }
        const struct inet_sock *is = (const struct inet_sock *)sk;
        if (is->local.port == 0) {
            continue; /* not in the table before it has a port */
        }
        text_printf(x, "%5u: ", i++);
        put_endpoint(x, &is->local, v6);
        text_puts(x, " ");
        put_endpoint(x, &is->remote, v6);
        text_printf(x, " %02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %016x %u\n",
                    is->remote.port ? 1u : 7u, 0u, (unsigned)sk->rcvq_bytes, 0u, 0ul, 0u, sk->uid,
                    0, (unsigned long)sk->ino, 2, 0u, sk->drops);
    }
}

void net_proc_tcp(struct text *x, struct node *n)
{
    tcp_table(x, n->net, false);
}

void net_proc_tcp6(struct text *x, struct node *n)
{
    tcp_table(x, n->net, true);
}

void net_proc_udp(struct text *x, struct node *n)
{
    datagram_table(x, n->net, false, IPPROTO_UDP);
}

void net_proc_udp6(struct text *x, struct node *n)
{
    datagram_table(x, n->net, true, IPPROTO_UDP);
}

void net_proc_raw(struct text *x, struct node *n)
{
    datagram_table(x, n->net, false, 0);
}

void net_proc_raw6(struct text *x, struct node *n)
{
    datagram_table(x, n->net, true, 0);
}

void net_proc_unix(struct text *x, struct node *n)
{
    struct sock *sk;
    text_puts(x, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    list_for_each_entry (sk, &n->net->socks, ns_link) {
        if (sk->family != ABI_AF_UNIX) {
            continue;
        }
        const struct unix_sock *us = (const struct unix_sock *)sk;
        bool linked = us->state == UNIX_CONNECTED;
        text_printf(x, "%016x: %08X %08X %08X %04X %02X %5lu", 0u, us->refs + 1, 0u,
                    us->state == UNIX_LISTEN ? 0x10000u : 0u, sk->type, linked ? 3u : 1u,
                    (unsigned long)sk->ino);
        if (us->name_len) {
            char shown[108];
            uint32_t len = us->abstract ? us->name_len : us->name_len - 1;
            for (uint32_t i = 0; i < len; i++) {
                shown[i] = us->name[i] ? (char)us->name[i] : '@';
            }
            text_puts(x, " ");
            text_append(x, shown, len);
        }
        text_puts(x, "\n");
    }
}

/* --- interfaces and routes -----------------------------------------------------------------------
 */

void net_proc_dev(struct text *x, struct node *n)
{
    text_puts(x,
              "Inter-|   Receive                                                |  Transmit\n"
              " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets "
              "errs drop fifo colls carrier compressed\n");
    for (uint32_t i = 0; i < n->net->if_count; i++) {
        const struct netif *f = &n->net->ifs[i];
        text_printf(x,
                    "%6s: %7lu %7lu    0    0    0     0          0         0 "
                    "%8lu %7lu    0    0    0     0       0          0\n",
                    f->name, (unsigned long)f->rx_bytes, (unsigned long)f->rx_packets,
                    (unsigned long)f->tx_bytes, (unsigned long)f->tx_packets);
    }
}

static void route_row(struct text *x, const char *name, uint32_t dst, uint32_t gateway,
                      unsigned flags, uint32_t mask)
{
    text_printf(x, "%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0", name, dst, gateway, flags, mask);
    text_puts(x,
              "                                                                               \n");
}

void net_proc_route(struct text *x, struct node *n)
{
    text_puts(x,
              "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
              "                                                       \n");
    for (uint32_t i = 1; i < n->net->if_count; i++) {
        const struct netif *f = &n->net->ifs[i];
        if (f->has4 && !f->internal && !ip_is_any(&f->gateway4)) {
            route_row(x, f->name, 0, f->gateway4.w[3], 3, 0); /* RTF_UP | RTF_GATEWAY */
            break;
        }
    }
    for (uint32_t i = 1; i < n->net->if_count; i++) {
        const struct netif *f = &n->net->ifs[i];
        if (f->has4) {
            uint32_t mask = f->prefix4 ? be32(0xffffffffu << (32 - f->prefix4)) : 0;
            route_row(x, f->name, f->addr4.w[3] & mask, 0, 1, mask);
        }
    }
}

static void put_hex(struct text *x, const struct ipaddr *a, uint32_t bits)
{
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t keep = bits > i * 8 ? bits - i * 8 : 0;
        text_printf(x, "%02x", a->b[i] & (keep >= 8 ? 0xff : 0xff00 >> keep & 0xff));
    }
}

void net_proc_ipv6_route(struct text *x, struct node *n)
{
    static const struct ipaddr none;
    for (uint32_t i = 0; i < n->net->if_count; i++) {
        const struct netif *f = &n->net->ifs[i];
        if (!f->has6) {
            continue;
        }
        put_hex(x, &f->addr6, f->prefix6);
        text_printf(x, " %02x ", f->prefix6);
        put_hex(x, &none, 128);
        text_puts(x, " 00 ");
        put_hex(x, &none, 128);
        text_printf(x, " %08x %08x %08x %08x %8s\n", 256, 1, 0, 1, f->name);
    }
}

static void inet6_row(struct text *x, const struct netif *f, const struct ipaddr *a, unsigned bits,
                      unsigned scope)
{
    put_hex(x, a, 128);
    text_printf(x, " %02x %02x %02x %02x %8s\n", f->index, bits, scope, 0x80, f->name);
}

void net_proc_if_inet6(struct text *x, struct node *n)
{
    for (uint32_t i = 0; i < n->net->if_count; i++) {
        const struct netif *f = &n->net->ifs[i];
        if (f->has6) {
            inet6_row(x, f, &f->addr6, f->prefix6, f->index == NET_LO ? 0x10 : 0);
            if (f->index != NET_LO) {
                inet6_row(x, f, &f->link6, 64, 0x20);
            }
        }
    }
}

void net_proc_arp(struct text *x, struct node *n)
{
    struct machine *m = n->m;
    text_puts(x,
              "IP address       HW type     Flags       HW address            Mask     Device\n");
    for (uint32_t i = 1; i < n->net->if_count; i++) {
        const struct netif *f = &n->net->ifs[i];
        for (uint32_t k = 0; k < m->node_count; k++) {
            const struct netns *o = m->nodes[k]->net;
            for (uint32_t j = 1; o && o != n->net && o->up && j < o->if_count; j++) {
                const struct netif *g = &o->ifs[j];
                char addr[48];
                if (g->network != f->network || !g->has4) {
                    continue;
                }
                ip_format(addr, sizeof addr, &g->addr4);
                text_printf(x,
                            "%-16s 0x1         0x2         %02x:%02x:%02x:%02x:%02x:%02x     *"
                            "        %s\n",
                            addr, g->mac[0], g->mac[1], g->mac[2], g->mac[3], g->mac[4], g->mac[5],
                            f->name);
            }
        }
    }
}

_Bool net_sys_interface(struct node *n, unsigned index, struct net_sys_if *out)
{
    if (!n->net || index >= n->net->if_count) {
        return false;
    }
    const struct netif *f = &n->net->ifs[index];
    *out = (struct net_sys_if){
        .ifindex = f->index,
        .mtu = f->mtu,
        .flags = f->flags & 0xffff,
        .type = f->index == NET_LO ? ABI_ARPHRD_LOOPBACK : ABI_ARPHRD_ETHER,
        .rx_bytes = f->rx_bytes,
        .tx_bytes = f->tx_bytes,
        .rx_packets = f->rx_packets,
        .tx_packets = f->tx_packets,
    };
    str_copy(out->name, sizeof out->name, f->name);
    memcpy(out->mac, f->mac, sizeof f->mac);
    return true;
}
