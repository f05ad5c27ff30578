/* Counters under /proc/net: snmp, netstat, sockstat. Those the model has; the others stay zero. */
#include <linux/in.h>

#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/tcp.h"
#include "kernel/node.h"
#include "kernel/vfs/special/proc_net.h"
#include "kernel/vfs/special/text.h"

struct tally {
    uint32_t all, tcp, tcp_orphan, udp, raw;
};

static struct tally count(const struct netns *ns, uint16_t family)
{
    struct tally c = {0};
    struct sock *sk;
    list_for_each_entry (sk, &ns->socks, ns_link) {
        c.all += sk->file != NULL;
        if (sk->family != family) {
            continue;
        }
        if (sk->type == ABI_SOCK_STREAM) {
            const struct tcp_sock *tp = tcp_of(sk);
            c.tcp += tp->state != TCPS_CLOSE && !tp->kernel;
            c.tcp_orphan += tp->orphan;
        } else {
            c.udp += sk->protocol == IPPROTO_UDP && inet_of(sk)->local.port;
            c.raw += sk->type == ABI_SOCK_RAW;
        }
    }
    return c;
}

static unsigned long established(const struct netns *ns)
{
    unsigned long n = 0;
    struct sock *sk;
    list_for_each_entry (sk, &ns->socks, ns_link) {
        bool inet = sk->family == ABI_AF_INET || sk->family == ABI_AF_INET6;
        if (inet && sk->type == ABI_SOCK_STREAM) {
            n += tcp_of(sk)->state == TCPS_ESTABLISHED || tcp_of(sk)->state == TCPS_CLOSE_WAIT;
        }
    }
    return n;
}

static void packets(const struct netns *ns, unsigned long *in, unsigned long *out)
{
    *in = *out = 0;
    for (uint32_t i = 0; i < ns->if_count; i++) {
        *in += (unsigned long)ns->ifs[i].rx_packets;
        *out += (unsigned long)ns->ifs[i].tx_packets;
    }
}

void net_proc_snmp(struct text *x, struct node *n)
{
    const struct net_counters *c = &n->net->mib;
    unsigned long in, out;
    packets(n->net, &in, &out);
    text_puts(x, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams "
                 "InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
                 "ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n");
    text_printf(x, "Ip: 2 64 %lu 0 0 0 0 0 %lu %lu 0 0 0 0 0 0 0 0 0\n", in, in, out);
    text_puts(x, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs "
                 "InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps "
                 "InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost "
                 "OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos "
                 "OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n");
    text_printf(x, "Icmp: %lu 0 0 0 0 0 0 0 0 0 0 0 0 0 %lu 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                (unsigned long)c->icmp_in, (unsigned long)c->icmp_out);
    text_puts(x, "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails "
                 "EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n");
    text_printf(x, "Tcp: 1 200 120000 -1 %lu %lu %lu %lu %lu %lu %lu %lu 0 %lu 0\n",
                (unsigned long)c->tcp_active_opens, (unsigned long)c->tcp_passive_opens,
                (unsigned long)c->tcp_attempt_fails, (unsigned long)c->tcp_estab_resets,
                established(n->net), (unsigned long)c->tcp_in_segs, (unsigned long)c->tcp_out_segs,
                (unsigned long)c->tcp_retrans_segs, (unsigned long)c->tcp_out_rsts);
    text_puts(x, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
                 "InCsumErrors IgnoredMulti MemErrors\n");
    text_printf(x, "Udp: %lu %lu %lu %lu %lu 0 0 0 0\n", (unsigned long)c->udp_in,
                (unsigned long)c->udp_no_ports, (unsigned long)c->udp_in_errors,
                (unsigned long)c->udp_out, (unsigned long)c->udp_rcvbuf_errors);
    text_puts(x, "UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors "
                 "InCsumErrors IgnoredMulti MemErrors\nUdpLite: 0 0 0 0 0 0 0 0 0\n");
}

void net_proc_snmp6(struct text *x, struct node *n)
{
    unsigned long in, out;
    packets(n->net, &in, &out);
    text_printf(x, "%-32s\t%lu\n%-32s\t%lu\n%-32s\t%lu\n", "Ip6InReceives", in, "Ip6InDelivers", in,
                "Ip6OutRequests", out);
}

void net_proc_netstat(struct text *x, struct node *n)
{
    const struct net_counters *c = &n->net->mib;
    text_puts(x, "TcpExt: ListenOverflows ListenDrops TCPTimeouts TCPFastRetrans TW\n");
    text_printf(x, "TcpExt: %lu %lu %lu %lu %lu\n", (unsigned long)c->listen_overflows,
                (unsigned long)c->listen_drops, (unsigned long)c->tcp_timeouts,
                (unsigned long)c->tcp_fast_retrans, (unsigned long)n->net->tw_count);
    text_puts(x, "IpExt: InOctets OutOctets\nIpExt: 0 0\n");
}

void net_proc_sockstat(struct text *x, struct node *n)
{
    struct tally c = count(n->net, ABI_AF_INET);
    text_printf(x, "sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem 0\n", c.all, c.tcp,
                c.tcp_orphan, n->net->tw_count, c.tcp);
    text_printf(x, "UDP: inuse %u mem 0\nUDPLITE: inuse 0\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
                c.udp, c.raw);
}

void net_proc_sockstat6(struct text *x, struct node *n)
{
    struct tally c = count(n->net, ABI_AF_INET6);
    text_printf(x,
                "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse %u\n"
                "FRAG6: inuse 0 memory 0\n",
                c.tcp, c.udp, c.raw);
}
