/* DNS messages (RFC 1035, 6891): one question in, one answer out. */
#include "kernel/net/dns.h"

#include <linux/in.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/net/netns.h"
#include "kernel/net/skb.h"
#include "kernel/net/tcp.h"

#define DNS_TTL    600u /* as Docker's resolver */
#define DNS_HEADER 12u
#define DNS_ADDRS  64u

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, TYPE_ANY = 255 };
enum { RCODE_OK = 0, RCODE_FORMAT = 1, RCODE_NAME = 3, RCODE_NOTIMPL = 4 };

struct query {
    const unsigned char *msg;
    uint32_t len;
    uint16_t id, flags;
    char name[DNS_NAME_MAX + 1]; /* dotted, no dot at the end */
    uint16_t type, class;
    uint32_t question_end;
    uint32_t udp_size; /* from the OPT record; 0 without EDNS */
};

struct answer {
    unsigned char *out;
    uint32_t len, cap;
    uint16_t count;
    bool full;
};

static uint16_t get16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

/* --- parsing -----------------------------------------------------------------------------------
 */

/* Labels of a question, which are never compressed. Returns the position behind, or 0. */
static uint32_t parse_name(const struct query *q, uint32_t at, char *name)
{
    uint32_t n = 0;
    while (at < q->len && q->msg[at]) {
        uint32_t label = q->msg[at++];
        if (label > 63 || label > q->len - at || n + label + 1 > DNS_NAME_MAX) {
            return 0;
        }
        if (n) {
            name[n++] = '.';
        }
        for (uint32_t i = 0; i < label; i++) {
            if (q->msg[at + i] == 0 || q->msg[at + i] == '.') {
                return 0; /* cannot be one of our names, and would be mistaken for others */
            }
            name[n++] = (char)q->msg[at + i];
        }
        at += label;
    }
    name[n] = 0;
    return at < q->len ? at + 1 : 0;
}

/* An OPT record right behind the question: the only additional one that queries carry. */
static void parse_edns(struct query *q)
{
    uint32_t at = q->question_end;
    if (get16(q->msg + 10) == 0 || q->len < at + 11 || q->msg[at] != 0 ||
        get16(q->msg + at + 1) != TYPE_OPT) {
        return;
    }
    q->udp_size = get16(q->msg + at + 3);
    q->udp_size = q->udp_size < DNS_UDP_MAX ? DNS_UDP_MAX : q->udp_size;
}

/* RCODE_*, or -1: not a query at all. */
static int parse(struct query *q, const unsigned char *msg, uint32_t len)
{
    q->msg = msg;
    q->len = len;
    if (len < DNS_HEADER || (msg[2] & 0x80)) {
        return -1;
    }
    q->id = get16(msg);
    q->flags = get16(msg + 2);
    q->question_end = DNS_HEADER;
    if ((q->flags >> 11 & 0xf) != 0) {
        return RCODE_NOTIMPL;
    }
    if (get16(msg + 4) != 1) {
        return RCODE_FORMAT;
    }
    uint32_t at = parse_name(q, DNS_HEADER, q->name);
    if (at == 0 || len - at < 4) {
        return RCODE_FORMAT;
    }
    q->type = get16(msg + at);
    q->class = get16(msg + at + 2);
    q->question_end = at + 4;
    parse_edns(q);
    return RCODE_OK;
}

/* --- answering ---------------------------------------------------------------------------------
 */

/* One record whose name is the question's (a pointer to byte 12). */
static void add_record(struct answer *a, uint16_t type, const unsigned char *data, uint32_t n)
{
    if (a->full || a->cap - a->len < 12 + n) {
        a->full = true;
        return;
    }
    unsigned char *p = a->out + a->len;
    put16(p, 0xc000 | DNS_HEADER);
    put16(p + 2, type);
    put16(p + 4, 1);
    put16(p + 6, DNS_TTL >> 16);
    put16(p + 8, DNS_TTL & 0xffff);
    put16(p + 10, n);
    memcpy(p + 12, data, n);
    a->len += 12 + n;
    a->count++;
}

static int answer_address(const struct netns *ns, const struct query *q, struct answer *a)
{
    struct ipaddr list[DNS_ADDRS];
    bool v6 = q->type == TYPE_AAAA, known;
    uint32_t n = dns_lookup(ns, q->name, v6, list, DNS_ADDRS, &known);
    for (uint32_t i = 0; i < n; i++) {
        add_record(a, q->type, v6 ? list[i].b : list[i].b + 12, v6 ? 16 : 4);
    }
    return known ? RCODE_OK : RCODE_NAME;
}

/* "4.3.2.1.in-addr.arpa" */
static bool reverse4(const char *name, struct ipaddr *a)
{
    uint8_t b[4];
    for (int i = 3; i >= 0; i--) {
        const char *dot = str_chr(name, '.', str_len(name));
        uint64_t v;
        if (!dot || !str_to_u64(name, (size_t)(dot - name), 10, &v) || v > 255) {
            return false;
        }
        b[i] = (uint8_t)v;
        name = dot + 1;
    }
    *a = ip_from_bytes4(b);
    return str_eq(name, "in-addr.arpa");
}

/* 32 nibbles and "ip6.arpa". */
static bool reverse6(const char *name, struct ipaddr *a)
{
    *a = (struct ipaddr){0};
    for (int i = 31; i >= 0; i--) {
        uint64_t v;
        if (!name[0] || name[1] != '.' || !str_to_u64(name, 1, 16, &v)) {
            return false;
        }
        a->b[i / 2] |= (uint8_t)(v << (i % 2 ? 0 : 4));
        name += 2;
    }
    return str_eq(name, "ip6.arpa");
}

static uint32_t encode_name(const char *name, unsigned char *out)
{
    uint32_t n = 0;
    while (*name) {
        size_t left = str_len(name);
        const char *dot = str_chr(name, '.', left);
        size_t label = dot ? (size_t)(dot - name) : left;
        if (label == 0 || label > 63 || n + label + 2 > DNS_NAME_MAX) {
            return 0;
        }
        out[n++] = (unsigned char)label;
        memcpy(out + n, name, label);
        n += (uint32_t)label;
        name += label + (dot ? 1 : 0);
    }
    out[n++] = 0;
    return n;
}

static int answer_pointer(const struct netns *ns, const struct query *q, struct answer *a)
{
    char lower[DNS_NAME_MAX + 1], host[DNS_NAME_MAX + 1];
    unsigned char wire[DNS_NAME_MAX + 1];
    struct ipaddr ip;
    uint32_t n = 0;
    do {
        lower[n] = q->name[n] >= 'A' && q->name[n] <= 'Z' ? (char)(q->name[n] + 32) : q->name[n];
    } while (q->name[n++]);
    if (!reverse4(lower, &ip) && !reverse6(lower, &ip)) {
        return RCODE_NAME;
    }
    if (dns_reverse(ns, &ip, host, sizeof host) == 0) {
        return RCODE_NAME;
    }
    uint32_t len = encode_name(host, wire);
    if (len) {
        add_record(a, TYPE_PTR, wire, len);
    }
    return RCODE_OK;
}

static int answer_question(const struct netns *ns, const struct query *q, struct answer *a)
{
    if (q->class != 1) {
        return RCODE_NAME;
    }
    if (q->type == TYPE_A || q->type == TYPE_AAAA) {
        return answer_address(ns, q, a);
    }
    if (q->type == TYPE_PTR) {
        return answer_pointer(ns, q, a);
    }
    /* Other types: a name we know has none of them, others do not exist. */
    struct ipaddr one;
    bool known;
    dns_lookup(ns, q->name, false, &one, 1, &known);
    return known ? RCODE_OK : RCODE_NAME;
}

uint32_t dns_answer(const struct netns *ns, const unsigned char *msg, uint32_t len,
                    unsigned char *out, uint32_t cap, bool udp)
{
    struct query q = {0};
    int rcode = parse(&q, msg, len);
    if (rcode < 0) {
        return 0;
    }
    uint32_t limit = udp ? (q.udp_size ? q.udp_size : DNS_UDP_MAX) : cap;
    limit = limit < cap ? limit : cap;
    uint32_t opt = q.udp_size ? 11 : 0;
    uint32_t head = rcode == RCODE_OK ? q.question_end : DNS_HEADER;
    if (limit < head + opt) {
        return 0;
    }
    memset(out, 0, head);
    memcpy(out + DNS_HEADER, msg + DNS_HEADER, head - DNS_HEADER);
    struct answer a = {out, head, limit - opt, 0, false};
    if (rcode == RCODE_OK) {
        rcode = answer_question(ns, &q, &a);
    }
    put16(out, q.id);
    /* QR, opcode and RD of the query, RA, TC when records are missing. */
    put16(out + 2, 0x8080u | (q.flags & 0x7900u) | (a.full ? 0x0200u : 0) | (uint32_t)rcode);
    put16(out + 4, head > DNS_HEADER ? 1 : 0);
    put16(out + 6, a.count);
    if (opt) {
        unsigned char *p = out + a.len;
        memset(p, 0, opt);
        put16(p + 1, TYPE_OPT);
        put16(p + 3, DNS_MSG_MAX);
        put16(out + 10, 1);
        a.len += opt;
    }
    return a.len;
}

/* --- over UDP ----------------------------------------------------------------------------------
 */

bool dns_is_server(const struct endpoint *e)
{
    return e->port == DNS_PORT && ip_is_v4(&e->addr) && e->addr.w[3] == be32(0x7f00000b);
}

void dns_udp_input(struct netns *ns, struct skb *s)
{
    struct skb *r = skb_alloc(ns->m, DNS_MSG_MAX);
    r->len = dns_answer(ns, s->data, s->len, r->data, DNS_MSG_MAX, true);
    r->proto = IPPROTO_UDP;
    r->src = s->dst;
    r->dst = s->src;
    if (r->len) {
        ip_output(ns, r, 0, false);
    } else {
        skb_free(ns->m, r);
    }
    skb_free(ns->m, s);
}

/* --- over TCP: two bytes of length, then the message (RFC 1035 4.2.2)
 * ----------------------------- */

struct dns_buffer {
    uint32_t len;
    unsigned char in[2 + DNS_MSG_MAX], out[2 + DNS_MSG_MAX];
};

void dns_tcp_listen(struct netns *ns)
{
    struct tcp_sock *tp = tcp_alloc(ns, ABI_AF_INET);
    tp->kernel = true;
    tp->inet.local.addr = ip_from_v4(be32(0x7f00000b));
    port_take(&tp->inet, ns->tcp_ports, DNS_PORT, true);
    int err = tcp_listen(NULL, tcp_sk(tp), 128);
    ASSERT(err == 0);
}

void dns_tcp_ready(struct tcp_sock *tp)
{
    if (tp->state != TCPS_LISTEN && list_empty(&tp->dns_link)) {
        list_add_tail(&tcp_sk(tp)->m->net->dns, &tp->dns_link);
    }
}

/* One whole query at the front of the buffer. True if there was one. */
static bool serve_one(struct tcp_sock *tp, struct dns_buffer *b)
{
    uint32_t want = b->len >= 2 ? get16(b->in) : DNS_MSG_MAX + 1;
    if (b->len < 2 || b->len - 2 < want) {
        return false;
    }
    uint32_t n = dns_answer(tcp_sk(tp)->ns, b->in + 2, want, b->out + 2, DNS_MSG_MAX, false);
    if (n) {
        put16(b->out, n);
        tcp_kernel_send(tp, b->out, n + 2);
    }
    b->len -= want + 2;
    memmove(b->in, b->in + 2 + want, b->len);
    return true;
}

static void serve(struct tcp_sock *tp)
{
    struct sock *sk = tcp_sk(tp);
    if (!tp->dns) {
        tp->dns = KALLOC(sk->m, struct dns_buffer);
    }
    struct dns_buffer *b = tp->dns;
    bool more = true;
    while (more) {
        uint32_t got = tcp_kernel_recv(tp, b->in + b->len, (uint32_t)sizeof b->in - b->len);
        b->len += got;
        bool served = serve_one(tp, b);
        bool stuck = !served && b->len == sizeof b->in; /* longer than any query */
        more = served || (got && !stuck);
        if (stuck) {
            b->len = 0;
        }
    }
    if (tp->fin_received || tp->state == TCPS_CLOSE || (sk->shutdown & SOCK_RCV_SHUTDOWN)) {
        tp->kernel = false;
        tcp_close_file(sk);
    }
}

void dns_tcp_run(struct machine *m)
{
    while (!list_empty(&m->net->dns)) {
        struct tcp_sock *tp = list_first_entry(&m->net->dns, struct tcp_sock, dns_link);
        list_del(&tp->dns_link);
        if (!tp->dying) {
            serve(tp);
        }
    }
}
