/* Names and addresses: the resolver's messages, netlink dumps, routes, text forms. */
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/net/dns.h"
#include "world.h"

static struct world w;

static int up(void **state)
{
    world_up(&w, NSEC_PER_USEC, 0, 0);
    return 0;
}

static int down(void **state)
{
    world_down(&w);
    return 0;
}

/* A query for a dotted name; returns its length. */
static uint32_t query(unsigned char *q, const char *name, uint16_t type, uint16_t edns)
{
    static const unsigned char head[12] = {0xab, 0xcd, 1, 0, 0, 1};
    memcpy(q, head, sizeof head);
    uint32_t n = sizeof head;
    while (*name) {
        size_t label = strcspn(name, ".");
        q[n++] = (unsigned char)label;
        memcpy(q + n, name, label);
        n += (uint32_t)label;
        name += label + (name[label] == '.');
    }
    q[n++] = 0;
    q[n++] = (unsigned char)(type >> 8);
    q[n++] = (unsigned char)type;
    q[n++] = 0;
    q[n++] = 1;
    if (edns) {
        unsigned char opt[11] = {0, 0, 41, (unsigned char)(edns >> 8), (unsigned char)edns};
        q[11] = 1;
        memcpy(q + n, opt, sizeof opt);
        n += sizeof opt;
    }
    return n;
}

static unsigned char out[DNS_MSG_MAX];

/* Answers: the rcode in bits 0..3, the number of answers above. */
static int ask(int node, const char *name, uint16_t type)
{
    unsigned char q[512];
    uint32_t n = query(q, name, type, 0);
    uint32_t len = dns_answer(w.nodes[node]->net, q, n, out, sizeof out, true);
    assert_true(len >= n);
    assert_memory_equal(out, "\xab\xcd", 2);
    assert_true(out[2] & 0x80);
    assert_memory_equal(out + 12, q + 12, n - 12);
    return (out[3] & 15) | out[7] << 4;
}

static void test_names(void **state)
{
    unsigned char q[64];
    uint32_t n = query(q, "n1", 1, 0);
    assert_int_equal(ask(0, "n1", 1), 1 << 4);
    assert_memory_equal(out + n, "\xc0\x0c\0\1\0\1\0\0\x02\x58\0\4\x0a\0\0\x0b", 16);
    assert_int_equal(ask(0, "N1", 1), 1 << 4);
    assert_int_equal(ask(0, "host2", 1), 1 << 4);
    assert_int_equal(ask(0, "n1.backend", 1), 1 << 4);
    assert_int_equal(ask(0, "n1", 28), 1 << 4); /* AAAA */
    assert_int_equal(ask(0, "n1", 15), 0);      /* MX: no data */
    assert_int_equal(ask(0, "example.com", 1), 3);
    assert_int_equal(ask(0, "n1.frontend", 1), 3);
    assert_int_equal(ask(1, "leader", 1), 1 << 4);
    assert_int_equal(ask(0, "follower", 1), 2 << 4);
    assert_int_equal(ask(0, "store", 1), 3 << 4);
    assert_int_equal(ask(0, "11.0.0.10.in-addr.arpa", 12), 1 << 4);
    assert_int_equal(ask(0, "99.0.0.10.in-addr.arpa", 12), 3);
    net_node_down(w.nodes[1]);
    assert_int_equal(ask(0, "n1", 1), 3); /* a stopped container has no name */
    assert_int_equal(ask(0, "store", 1), 2 << 4);
    net_node_up(w.nodes[1]);
}

/* All replicas, in an order that the node's stream turns. */
static void test_rotation(void **state)
{
    unsigned char q[64];
    uint32_t n = query(q, "store", 1, 0);
    uint32_t firsts = 0;
    for (int i = 0; i < 32; i++) {
        ask(0, "store", 1);
        firsts |= 1u << (out[n + 15] - 10);
    }
    assert_int_equal(firsts, 7);
}

static void test_malformed(void **state)
{
    unsigned char q[512];
    struct netns *ns = w.nodes[0]->net;
    uint32_t n = query(q, "n1", 1, 0);
    for (uint32_t cut = 0; cut < n; cut++) {
        uint32_t len = dns_answer(ns, q, cut, out, sizeof out, true);
        assert_true(len == 0 || (out[3] & 15) == 1); /* dropped, or a format error */
    }
    q[2] |= 0x80; /* an answer is not a question */
    assert_int_equal(dns_answer(ns, q, n, out, sizeof out, true), 0);
    q[2] = 0x28; /* opcode UPDATE */
    assert_int_equal(dns_answer(ns, q, n, out, sizeof out, true), 12);
    assert_int_equal(out[3] & 15, 4);
    n = query(q, "n1", 1, 0);
    q[12] = 0xc0; /* a compressed question */
    dns_answer(ns, q, n, out, sizeof out, true);
    assert_int_equal(out[3] & 15, 1);
    n = query(q, "n1", 1, 1232);
    uint32_t len = dns_answer(ns, q, n, out, sizeof out, true);
    assert_int_equal(len, n + 16); /* the question, one address, and OPT answered by OPT */
    assert_int_equal(out[11], 1);
}

/* Over the socket, as glibc asks. */
static void test_over_udp(void **state)
{
    unsigned char q[64], got[128];
    uint32_t n = query(q, "n2", 1, 0);
    int fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    assert_int_equal(sock_connect(&w, 0, fd, (int)(0x7f00000bu - 0x0a00000au), 53), 0);
    assert_int_equal(sock_write(&w, 0, fd, q, n, 0), n);
    assert_int_equal(sock_read(&w, 0, fd, got, sizeof got, 0), n + 16);
    assert_memory_equal(got + n + 12, "\x0a\0\0\x0c", 4);
}

/* --- netlink
 * --------------------------------------------------------------------------------------- */

struct request {
    struct nlmsghdr h;
    union {
        struct rtgenmsg gen;
        struct ifinfomsg link;
        struct rtmsg route;
    };
};

/* Sends a request and counts messages of `want` until NLMSG_DONE; negative: NLMSG_ERROR's code. */
static int dump(int fd, uint16_t type, uint8_t family, uint16_t want)
{
    struct request r = {.h = {sizeof(struct nlmsghdr) + sizeof(struct ifinfomsg), type,
                              NLM_F_REQUEST | NLM_F_DUMP, 42, 0}};
    static unsigned char buf[32768];
    r.gen.rtgen_family = family;
    assert_int_equal(sock_write(&w, 0, fd, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
    int count = 0;
    for (;;) {
        int64_t n = sock_read(&w, 0, fd, buf, sizeof buf, 0);
        assert_true(n > 0);
        int left = (int)n;
        for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, (unsigned)left);
             h = NLMSG_NEXT(h, left)) {
            assert_int_equal(h->nlmsg_seq, 42);
            if (h->nlmsg_type == NLMSG_DONE) {
                assert_int_equal(sock_read(&w, 0, fd, buf, 1, 0), -EAGAIN);
                return count;
            }
            if (h->nlmsg_type == NLMSG_ERROR) {
                return *(int *)NLMSG_DATA(h);
            }
            count += h->nlmsg_type == want;
        }
    }
}

static void test_netlink(void **state)
{
    int fd = sock_new(&w, 0, ABI_AF_NETLINK, ABI_SOCK_RAW);
    assert_int_equal(dump(fd, RTM_GETLINK, 0, RTM_NEWLINK), 2);
    assert_int_equal(dump(fd, RTM_GETADDR, 0, RTM_NEWADDR), 5);
    assert_int_equal(dump(fd, RTM_GETADDR, ABI_AF_INET, RTM_NEWADDR), 2);
    assert_true(dump(fd, RTM_GETROUTE, ABI_AF_INET, RTM_NEWROUTE) >= 4);
    assert_int_equal(dump(fd, RTM_GETNEIGH, ABI_AF_INET, RTM_NEWNEIGH), 2);
    uint32_t before = w.fm->unknowns;
    assert_int_equal(dump(fd, RTM_GETQDISC, 0, RTM_NEWQDISC), -EOPNOTSUPP);
    assert_int_equal(w.fm->unknowns, before + 1);
    assert_int_equal(dump(fd, RTM_NEWADDR, 0, 0), -EOPNOTSUPP);
    fake_become(w.tasks[0], 1000, 1000);
    assert_int_equal(dump(fd, RTM_NEWADDR, 0, 0), -EPERM);
    assert_int_equal(world_try(&w, 0, sys_socket, FAKE_ARGS(ABI_AF_NETLINK, ABI_SOCK_RAW, 9)),
                     -EPROTONOSUPPORT); /* NETLINK_AUDIT */
}

static void test_text(void **state)
{
    static const struct {
        uint8_t b[16];
        const char *text;
    } rows[] = {
        {{0}, "::"},
        {{[15] = 1}, "::1"},
        {{0xfd, [15] = 0x10}, "fd00::10"},
        {{0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, "2001:db8:0:1::1"},
        {{0x20, 1, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6}, "2001:0:1:2:3:4:5:6"},
        {{0xfe, 0x80}, "fe80::"},
        {{[10] = 0xff, 0xff, 10, 0, 0, 7}, "10.0.0.7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[48];
        struct ipaddr a = ip_from_bytes16(rows[i].b);
        assert_int_equal(ip_format(text, sizeof text, &a), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

static void test_routes(void **state)
{
    struct route r;
    struct netns *ns = w.nodes[0]->net;
    struct ipaddr a = ip_from_v4(be32(0x0a00000b));
    assert_int_equal(route_lookup(ns, &a, 0, &r), 0);
    assert_int_equal(r.kind, ROUTE_NODE);
    assert_int_equal(r.node, 1);
    a = ip_from_v4(be32(0x0a00000a));
    assert_int_equal(route_lookup(ns, &a, 0, &r), 0);
    assert_int_equal(r.kind, ROUTE_LOCAL);
    assert_true(ip_eq(&r.src, &a));
    a = ip_from_v4(be32(0x0a0000ff));
    assert_int_equal(route_lookup(ns, &a, 0, &r), 0);
    assert_int_equal(r.kind, ROUTE_BROADCAST);
    a = ip_from_v4(be32(0x08080808));
    assert_int_equal(route_lookup(ns, &a, 0, &r), 0);
    assert_int_equal(r.kind, ROUTE_OUTSIDE);
    assert_int_equal(route_lookup(ns, &a, NET_LO, &r), -ENETUNREACH);
    a = w.nodes[2]->net->ifs[1].link6;
    assert_int_equal(route_lookup(ns, &a, 2, &r), 0);
    assert_int_equal(r.kind, ROUTE_NODE);
    assert_int_equal(r.node, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(test_names),   T(test_rotation), T(test_malformed), T(test_over_udp),
        T(test_netlink), T(test_text),     T(test_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
