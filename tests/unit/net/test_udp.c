/* UDP, ICMP and multicast between nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define LATENCY (100 * NSEC_PER_USEC)
#define SEC     NSEC_PER_SEC

static struct world w;

static int up(void **state)
{
    world_up(&w, LATENCY, 0, 0);
    return 0;
}

static int down(void **state)
{
    world_down(&w);
    return 0;
}

static int bound(int node, uint16_t port)
{
    int fd = sock_new(&w, node, ABI_AF_INET, ABI_SOCK_DGRAM);
    assert_int_equal(sock_bind(&w, node, fd, -2, port), 0);
    return fd;
}

/* Datagrams keep their boundaries; the rest of a longer one is cut off and reported. */
static void test_boundaries(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM), b = bound(1, 53);
    char buf[16] = {0};
    assert_int_equal(sock_sendto(&w, 0, a, "hello", 5, 1, 53), 5);
    assert_int_equal(sock_sendto(&w, 0, a, "", 0, 1, 53), 0);
    assert_int_equal(sock_read(&w, 1, b, buf, 16, 0), -EAGAIN);
    world_run(&w, LATENCY);
    assert_int_equal(sock_read(&w, 1, b, buf, 2, ABI_MSG_PEEK | ABI_MSG_TRUNC), 5);
    assert_int_equal(sock_read(&w, 1, b, buf, 2, 0), 2);
    assert_int_equal(sock_read(&w, 1, b, buf, 16, 0), 0);
    assert_int_equal(sock_read(&w, 1, b, buf, 16, 0), -EAGAIN);
}

/* A port nobody has: a connected socket hears of it once. */
static void test_port_unreachable(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    char c;
    assert_int_equal(sock_connect(&w, 0, a, 1, 9), 0);
    assert_int_equal(sock_write(&w, 0, a, "x", 1, 0), 1);
    world_run(&w, 2 * LATENCY);
    assert_true(sock_poll(&w, 0, a) & ABI_POLLERR);
    assert_int_equal(sock_read(&w, 0, a, &c, 1, 0), -ECONNREFUSED);
    assert_int_equal(sock_read(&w, 0, a, &c, 1, 0), -EAGAIN);
    int u = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    assert_int_equal(sock_sendto(&w, 0, u, "x", 1, 1, 9), 1);
    world_run(&w, 2 * LATENCY);
    assert_int_equal(sock_read(&w, 0, u, &c, 1, 0), -EAGAIN);
}

/* The loss of a link is drawn: about as many as asked for, and the same ones again. */
static uint32_t lost_pattern(void)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM), b = bound(1, 7);
    struct link_policy p = {.loss_ppm = 300000};
    net_link_set(w.m, 0, 1, &p);
    uint32_t seen = 0;
    for (unsigned char i = 0; i < 32; i++) {
        sock_sendto(&w, 0, a, &i, 1, 1, 7);
    }
    world_run(&w, SEC);
    unsigned char c;
    while (sock_read(&w, 1, b, &c, 1, 0) == 1) {
        seen |= 1u << c;
    }
    return seen;
}

static void test_loss(void **state)
{
    uint32_t first = lost_pattern();
    int got = __builtin_popcount(first);
    assert_true(got > 12 && got < 31);
    world_down(&w);
    world_up(&w, LATENCY, 0, 0);
    assert_int_equal(lost_pattern(), first);
}

/* Jitter may reorder datagrams; none is lost or doubled. */
static void test_reorder(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM), b = bound(1, 7);
    struct link_policy p = {.jitter_ns = 10 * NSEC_PER_MSEC};
    net_link_set(w.m, 0, 1, &p);
    for (unsigned char i = 0; i < 32; i++) {
        sock_sendto(&w, 0, a, &i, 1, 1, 7);
    }
    world_run(&w, SEC);
    uint32_t seen = 0;
    unsigned char c, last = 0;
    bool swapped = false;
    while (sock_read(&w, 1, b, &c, 1, 0) == 1) {
        assert_false(seen & 1u << c);
        seen |= 1u << c;
        swapped = swapped || c < last;
        last = c;
    }
    assert_int_equal(seen, UINT32_MAX);
    assert_true(swapped);
}

/* STOPPED drops for good, also what is under way. */
static void test_stopped(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM), b = bound(1, 7);
    struct link_policy p = {.mode = LINK_STOPPED};
    char c;
    sock_sendto(&w, 0, a, "a", 1, 1, 7);
    net_link_set(w.m, 0, 1, &p);
    sock_sendto(&w, 0, a, "b", 1, 1, 7);
    world_run(&w, SEC);
    net_link_restore_all(w.m);
    world_run(&w, SEC);
    assert_int_equal(sock_read(&w, 1, b, &c, 1, 0), -EAGAIN);
    /* The other direction never was disturbed, nor loopback. */
    int d = bound(0, 8);
    sock_sendto(&w, 0, a, "l", 1, -1, 8);
    assert_int_equal(sock_read(&w, 0, d, &c, 1, 0), 1);
}

/* A full receive buffer drops what comes, as on Linux. */
static void test_overflow(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM), b = bound(0, 7);
    static char big[1000], got[1000];
    sock_set(&w, 0, b, SOL_SOCKET, SO_RCVBUF, 8192);
    assert_int_equal(sock_get(&w, 0, b, SOL_SOCKET, SO_RCVBUF), 16384);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sock_sendto(&w, 0, a, big, sizeof big, -1, 7), sizeof big);
    }
    int n = 0;
    while (sock_read(&w, 0, b, got, sizeof got, 0) > 0) {
        n++;
    }
    assert_true(n > 5 && n < 20);
    assert_int_equal(w.nodes[0]->net->mib.udp_rcvbuf_errors, 100 - n);
}

/* 10.0.0.255 reaches everybody who listens, if SO_BROADCAST is set. */
static void test_broadcast(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    int b = bound(1, 7), c = bound(2, 7);
    char x;
    assert_int_equal(sock_sendto(&w, 0, a, "x", 1, 245, 7), -EACCES);
    sock_set(&w, 0, a, SOL_SOCKET, SO_BROADCAST, 1);
    assert_int_equal(sock_sendto(&w, 0, a, "x", 1, 245, 7), 1);
    world_run(&w, LATENCY);
    assert_int_equal(sock_read(&w, 1, b, &x, 1, 0), 1);
    assert_int_equal(sock_read(&w, 2, c, &x, 1, 0), 1);
}

/* A multicast group reaches its members only. */
static void test_multicast(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    int b = bound(1, 7), c = bound(2, 7);
    struct ip_mreq mr = {{be32(0xe0000005)}, {0}};
    char x;
    memcpy(fake_ptr(w.opt), &mr, sizeof mr);
    assert_int_equal(world_try(&w, 1, sys_setsockopt,
                               FAKE_ARGS((uint64_t)b, ABI_SOL_IP, IP_ADD_MEMBERSHIP, w.opt.va, 8)),
                     0);
    sock_sendto(&w, 0, a, "x", 1, (int)(0xe0000005u - 0x0a00000au), 7);
    world_run(&w, LATENCY);
    assert_int_equal(sock_read(&w, 1, b, &x, 1, 0), 1);
    assert_int_equal(sock_read(&w, 2, c, &x, 1, 0), -EAGAIN);
}

/* IPv6 wildcard sockets take IPv4 datagrams unless IPV6_V6ONLY. */
static void test_dual_stack(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    int b = sock_new(&w, 1, ABI_AF_INET6, ABI_SOCK_DGRAM);
    struct sockaddr_in6 in6 = {.sin6_family = ABI_AF_INET6, .sin6_port = be16(7)};
    char x;
    memcpy(fake_ptr(w.addr), &in6, sizeof in6);
    assert_int_equal(world_try(&w, 1, sys_bind, FAKE_ARGS((uint64_t)b, w.addr.va, sizeof in6)), 0);
    int other = sock_new(&w, 1, ABI_AF_INET, ABI_SOCK_DGRAM);
    assert_int_equal(sock_bind(&w, 1, other, -2, 7), -EADDRINUSE);
    sock_sendto(&w, 0, a, "x", 1, 1, 7);
    world_run(&w, LATENCY);
    uint32_t len = 28;
    memcpy(fake_ptr(w.len), &len, sizeof len);
    assert_int_equal(
        world_try(&w, 1, sys_recvfrom, FAKE_ARGS((uint64_t)b, w.buf.va, 8, 0, w.addr.va, w.len.va)),
        1);
    memcpy(&in6, fake_ptr(w.addr), sizeof in6);
    assert_memory_equal(in6.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x0a", 16);
    int only = sock_new(&w, 2, ABI_AF_INET6, ABI_SOCK_DGRAM);
    sock_set(&w, 2, only, ABI_SOL_IPV6, IPV6_V6ONLY, 1);
    in6 = (struct sockaddr_in6){.sin6_family = ABI_AF_INET6, .sin6_port = be16(7)};
    memcpy(fake_ptr(w.addr), &in6, sizeof in6);
    world_try(&w, 2, sys_bind, FAKE_ARGS((uint64_t)only, w.addr.va, sizeof in6));
    sock_sendto(&w, 0, a, "x", 1, 2, 7);
    world_run(&w, LATENCY);
    assert_int_equal(sock_read(&w, 2, only, &x, 1, 0), -EAGAIN);
    assert_true(bound(2, 7) >= 0);
}

/* An echo request is answered by the kernel of the other node. */
static void test_ping(void **state)
{
    static const unsigned char echo[12] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g'};
    unsigned char buf[64];
    int raw = (int)world_try(&w, 0, sys_socket, FAKE_ARGS(ABI_AF_INET, ABI_SOCK_RAW, IPPROTO_ICMP));
    assert_true(raw >= 0);
    assert_int_equal(sock_sendto(&w, 0, raw, echo, sizeof echo, 1, 0), 12);
    world_run(&w, 2 * LATENCY);
    assert_int_equal(sock_read(&w, 0, raw, buf, sizeof buf, 0), 32);
    assert_int_equal(buf[9], IPPROTO_ICMP);
    assert_memory_equal(buf + 12, "\x0a\0\0\x0b", 4);
    assert_int_equal(buf[20], 0);
    assert_memory_equal(buf + 24, "\x12\x34\0\1ping", 8);
    int ping =
        (int)world_try(&w, 0, sys_socket, FAKE_ARGS(ABI_AF_INET, ABI_SOCK_DGRAM, IPPROTO_ICMP));
    assert_int_equal(sock_sendto(&w, 0, ping, echo, sizeof echo, 2, 0), 12);
    world_run(&w, 2 * LATENCY);
    assert_int_equal(sock_read(&w, 0, ping, buf, sizeof buf, 0), 12);
    fake_become(w.tasks[1], 1000, 1000);
    assert_int_equal(
        world_try(&w, 1, sys_socket, FAKE_ARGS(ABI_AF_INET, ABI_SOCK_RAW, IPPROTO_ICMP)), -EPERM);
}

/* IP_RECVERR: the error queue tells who refused. */
static void test_error_queue(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_DGRAM);
    sock_set(&w, 0, a, ABI_SOL_IP, IP_RECVERR, 1);
    sock_sendto(&w, 0, a, "x", 1, 1, 9);
    world_run(&w, 2 * LATENCY);
    struct abi_iovec iov = {w.buf.va, 16};
    struct abi_msghdr h = {.name = w.addr.va,
                           .namelen = 16,
                           .iov = w.hdr.va + 64,
                           .iovlen = 1,
                           .control = w.hdr.va + 128,
                           .controllen = 256};
    memcpy(fake_ptr(gaddr_add(w.hdr, 64)), &iov, sizeof iov);
    memcpy(fake_ptr(w.hdr), &h, sizeof h);
    assert_int_equal(
        world_try(&w, 0, sys_recvmsg, FAKE_ARGS((uint64_t)a, w.hdr.va, ABI_MSG_ERRQUEUE)), 0);
    memcpy(&h, fake_ptr(w.hdr), sizeof h);
    assert_true(h.flags & ABI_MSG_ERRQUEUE);
    struct abi_sock_extended_err ee;
    memcpy(&ee, fake_ptr(gaddr_add(w.hdr, 128 + 16)), sizeof ee);
    assert_int_equal(ee.error, ECONNREFUSED);
    assert_int_equal(ee.origin, ABI_SO_EE_ORIGIN_ICMP);
    assert_int_equal(sock_get(&w, 0, a, SOL_SOCKET, SO_ERROR), 0);
}

/* Families that are not there are refused by name. */
static void test_families(void **state)
{
    uint32_t before = w.fm->unknowns;
    assert_int_equal(sock_new(&w, 0, 40, ABI_SOCK_STREAM), -EAFNOSUPPORT); /* AF_VSOCK */
    assert_int_equal(sock_new(&w, 0, ABI_AF_PACKET, ABI_SOCK_RAW), -EAFNOSUPPORT);
    assert_int_equal(sock_new(&w, 0, 38, ABI_SOCK_SEQPACKET), -EAFNOSUPPORT); /* AF_ALG */
    assert_int_equal(w.fm->unknowns, before + 3);
    assert_int_equal(sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_SEQPACKET), -ESOCKTNOSUPPORT);
    assert_int_equal(sock_new(&w, 0, 999, ABI_SOCK_STREAM), -EAFNOSUPPORT);
    assert_int_equal(sock_new(&w, 0, ABI_AF_INET, 77), -EINVAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(test_boundaries), T(test_port_unreachable), T(test_loss),
        T(test_reorder),    T(test_stopped),          T(test_overflow),
        T(test_broadcast),  T(test_multicast),        T(test_dual_stack),
        T(test_ping),       T(test_error_queue),      T(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
