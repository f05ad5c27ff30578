/* TCP between nodes and within one: life cycle, loss, partitions, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/tcp.h>

#include "kernel/net/tcp.h"
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

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 131 + (i >> 8) * 7);
}

/* Sends `total` bytes from fds[0] at node a to fds[1] at node b while time runs, checks every byte.
 * Returns the virtual time it took. */
static vtime transfer(int a, int b, const int fds[2], size_t total)
{
    vtime start = w.m->clock.now;
    unsigned char *chunk = malloc(65536);
    size_t sent = 0, got = 0;
    while (got < total) {
        if (sent < total) {
            size_t n = total - sent < 65536 ? total - sent : 65536;
            for (size_t i = 0; i < n; i++) {
                chunk[i] = pattern(sent + i);
            }
            int64_t k = sock_write(&w, a, fds[0], chunk, n, 0);
            assert_true(k > 0 || k == -EAGAIN);
            sent += k > 0 ? (size_t)k : 0;
        }
        int64_t k = sock_read(&w, b, fds[1], chunk, 65536, 0);
        assert_true(k > 0 || k == -EAGAIN);
        for (int64_t i = 0; i < k; i++) {
            assert_int_equal(chunk[i], pattern(got + (size_t)i));
        }
        got += k > 0 ? (size_t)k : 0;
        if (k == -EAGAIN && got < total) {
            vtime next = timer_next(w.m);
            assert_true(next != VTIME_NEVER); /* nothing would ever come */
            world_run(&w, next > w.m->clock.now ? next - w.m->clock.now : 0);
        }
        assert_true(w.m->clock.now - start < 1000 * SEC);
    }
    free(chunk);
    return w.m->clock.now - start;
}

/* A handshake takes one round trip; both names are right. */
static void test_handshake(void **state)
{
    vtime start = w.m->clock.now;
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    assert_int_equal(w.m->clock.now - start,
                     3 * LATENCY); /* SYN, SYN-ACK, and the ACK for accept */
    assert_int_equal(transfer(0, 1, fds, 5), LATENCY);
    struct sockaddr_in in;
    uint32_t len = sizeof in;
    memcpy(fake_ptr(w.len), &len, sizeof len);
    assert_int_equal(
        world_try(&w, 1, sys_getpeername, FAKE_ARGS((uint64_t)fds[1], w.addr.va, w.len.va)), 0);
    memcpy(&in, fake_ptr(w.addr), sizeof in);
    assert_int_equal(be32(in.sin_addr.s_addr), 0x0a00000a);
    assert_true(be16(in.sin_port) >= 32768 && be16(in.sin_port) <= 60999);
    assert_int_equal(sock_get(&w, 0, fds[0], ABI_SOL_TCP, TCP_MAXSEG), 1448);
}

/* A closed port answers with a reset. */
static void test_refused(void **state)
{
    int fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM);
    assert_int_equal(sock_connect(&w, 0, fd, 1, 81), FAKE_BLOCKED);
    world_run(&w, SEC);
    assert_int_equal(sock_poll(&w, 0, fd) & (ABI_POLLERR | ABI_POLLHUP), ABI_POLLERR | ABI_POLLHUP);
    assert_int_equal(sock_get(&w, 0, fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    int same = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM);
    assert_int_equal(sock_connect(&w, 0, same, -1, 81), -ECONNREFUSED);
}

static void test_bulk(void **state)
{
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    vtime took = transfer(0, 1, fds, 3 << 20);
    assert_true(took < SEC);
    connect_pair(&w, 0, 0, 82, fds, NULL);
    assert_int_equal(transfer(0, 0, fds, 3 << 20), 0); /* within a node it takes no time */
}

/* Loss costs time, never data. */
static void test_loss(void **state)
{
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    struct link_policy p = {.loss_ppm = 50000, .jitter_ns = 200000};
    net_link_set(w.m, 0, 1, &p);
    net_link_set(w.m, 1, 0, &p);
    transfer(0, 1, fds, 1 << 20);
    assert_true(w.nodes[0]->net->mib.tcp_retrans_segs > 0);
    assert_true(w.nodes[0]->net->mib.tcp_fast_retrans > 0);
}

/* A lost SYN is sent again after 1, 2, 4 ... s and given up after 127 s (tcp_syn_retries). */
static void test_syn_timeout(void **state)
{
    struct link_policy p = {.mode = LINK_STOPPED};
    net_link_set(w.m, 0, 1, &p);
    int fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM | ABI_SOCK_NONBLOCK);
    assert_int_equal(sock_connect(&w, 0, fd, 1, 80), -EINPROGRESS);
    assert_int_equal(sock_connect(&w, 0, fd, 1, 80), -EALREADY);
    world_run(&w, 126900 * NSEC_PER_MSEC);
    assert_int_equal(sock_get(&w, 0, fd, SOL_SOCKET, SO_ERROR), 0);
    world_run(&w, 200 * NSEC_PER_MSEC);
    assert_int_equal(sock_get(&w, 0, fd, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
}

/* The SYN that gets through after the partition connects at the next retry. */
static void test_syn_retry(void **state)
{
    struct link_policy p = {.mode = LINK_STOPPED};
    int l = sock_new(&w, 1, ABI_AF_INET, ABI_SOCK_STREAM);
    sock_bind(&w, 1, l, -2, 80);
    sock_listen(&w, 1, l, 1);
    net_link_set(w.m, 0, 1, &p);
    int fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM | ABI_SOCK_NONBLOCK);
    assert_int_equal(sock_connect(&w, 0, fd, 1, 80), -EINPROGRESS);
    world_run(&w, 2 * SEC);
    net_link_restore_all(w.m);
    world_run(&w, 999 * NSEC_PER_MSEC);
    assert_int_equal(sock_poll(&w, 0, fd), 0);
    world_run(&w, 2 * NSEC_PER_MSEC);
    assert_int_equal(sock_poll(&w, 0, fd), ABI_POLLOUT | ABI_POLLWRNORM);
    assert_int_equal(sock_connect(&w, 0, fd, 1, 80), 0);
    assert_int_equal(sock_connect(&w, 0, fd, 1, 80), -EISCONN);
}

/* Unacknowledged data dies after about 924 s (tcp_retries2 = 15), or at TCP_USER_TIMEOUT. */
static void test_partition(void **state)
{
    struct link_policy p = {.mode = LINK_STOPPED};
    int fds[2], user[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    connect_pair(&w, 0, 1, 81, user, NULL);
    assert_int_equal(sock_set(&w, 0, user[0], ABI_SOL_TCP, TCP_USER_TIMEOUT, 20000), 0);
    net_link_set(w.m, 0, 1, &p);
    sock_write(&w, 0, fds[0], "x", 1, 0);
    sock_write(&w, 0, user[0], "x", 1, 0);
    world_run(&w, 19 * SEC);
    assert_int_equal(sock_get(&w, 0, user[0], SOL_SOCKET, SO_ERROR), 0);
    world_run(&w, 2 * SEC);
    assert_int_equal(sock_get(&w, 0, user[0], SOL_SOCKET, SO_ERROR), ETIMEDOUT);
    world_run(&w, 880 * SEC);
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_ERROR), 0);
    world_run(&w, 60 * SEC);
    char c;
    assert_int_equal(sock_read(&w, 0, fds[0], &c, 1, 0), -ETIMEDOUT);
    assert_int_equal(sock_read(&w, 0, fds[0], &c, 1, 0), 0);
    assert_int_equal(sock_write(&w, 0, fds[0], "x", 1, 0), -EPIPE);
    assert_int_equal(w.fm->sigpipes, 1);
    assert_int_equal(sock_write(&w, 0, fds[0], "x", 1, ABI_MSG_NOSIGNAL), -EPIPE);
    assert_int_equal(w.fm->sigpipes, 1);
}

/* Data sent during a short partition arrives after it. */
static void test_partition_heals(void **state)
{
    struct link_policy p = {.mode = LINK_STOPPED};
    int fds[2];
    char c = 0;
    connect_pair(&w, 0, 1, 80, fds, NULL);
    net_link_set(w.m, 0, 1, &p);
    assert_int_equal(sock_write(&w, 0, fds[0], "y", 1, 0), 1);
    world_run(&w, 5 * SEC);
    assert_int_equal(sock_read(&w, 1, fds[1], &c, 1, 0), -EAGAIN);
    net_link_restore_all(w.m);
    world_run(&w, 7 * SEC);
    assert_int_equal(sock_read(&w, 1, fds[1], &c, 1, 0), 1);
    assert_int_equal(c, 'y');
}

/* JAMMED: held packets arrive at once and in order when the jam ends. */
static void test_jammed(void **state)
{
    struct link_policy p = {.mode = LINK_JAMMED};
    int fds[2];
    char b[8] = {0};
    connect_pair(&w, 0, 1, 80, fds, NULL);
    sock_set(&w, 0, fds[0], ABI_SOL_TCP, TCP_NODELAY, 1);
    net_link_set(w.m, 0, 1, &p);
    for (int i = 0; i < 5; i++) {
        sock_write(&w, 0, fds[0], &"abcde"[i], 1, 0);
    }
    world_run(&w, 50 * NSEC_PER_MSEC);
    assert_int_equal(sock_read(&w, 1, fds[1], b, 8, 0), -EAGAIN);
    vtime before = w.m->clock.now;
    net_link_restore_all(w.m);
    world_run(&w, 0);
    assert_int_equal(w.m->clock.now, before);
    assert_int_equal(sock_read(&w, 1, fds[1], b, 8, 0), 5);
    assert_string_equal(b, "abcde");
}

static void half_close(int a, int b)
{
    int fds[2];
    char buf[8] = {0};
    connect_pair(&w, a, b, 80, fds, NULL);
    sock_write(&w, a, fds[0], "req", 3, 0);
    assert_int_equal(sock_shut(&w, a, fds[0], ABI_SHUT_WR), 0);
    assert_int_equal(sock_write(&w, a, fds[0], "x", 1, ABI_MSG_NOSIGNAL), -EPIPE);
    world_run(&w, SEC / 100);
    assert_true(sock_poll(&w, b, fds[1]) & ABI_POLLRDHUP);
    assert_int_equal(sock_read(&w, b, fds[1], buf, 8, 0), 3);
    assert_int_equal(sock_read(&w, b, fds[1], buf, 8, 0), 0);
    assert_int_equal(sock_write(&w, b, fds[1], "answer", 6, 0), 6);
    world_run(&w, SEC / 100);
    assert_int_equal(sock_read(&w, a, fds[0], buf, 8, 0), 6);
    sock_close(&w, b, fds[1]);
    world_run(&w, SEC / 100);
    assert_int_equal(sock_read(&w, a, fds[0], buf, 8, 0), 0);
    assert_int_equal(w.nodes[a]->net->tw_count, 1); /* the side that closed first waits */
    sock_close(&w, a, fds[0]);
    world_run(&w, 59 * SEC);
    assert_int_equal(w.nodes[a]->net->tw_count, 1);
    world_run(&w, 2 * SEC);
    assert_int_equal(w.nodes[a]->net->tw_count, 0);
}

static void test_half_close(void **state)
{
    half_close(0, 1);
    half_close(2, 2);
}

/* Unread data at close, and SO_LINGER with zero seconds, end in a reset. */
static void reset_cases(int a, int b)
{
    int fds[2];
    char c;
    connect_pair(&w, a, b, 80, fds, NULL);
    sock_write(&w, a, fds[0], "unread", 6, 0);
    world_run(&w, SEC / 100);
    sock_close(&w, b, fds[1]);
    world_run(&w, SEC / 100);
    assert_int_equal(sock_read(&w, a, fds[0], &c, 1, 0), -ECONNRESET);
    assert_int_equal(sock_read(&w, a, fds[0], &c, 1, 0), 0);
    connect_pair(&w, a, b, 80, fds, NULL);
    struct abi_linger l = {1, 0};
    memcpy(fake_ptr(w.opt), &l, sizeof l);
    assert_int_equal(
        world_try(&w, b, sys_setsockopt,
                  FAKE_ARGS((uint64_t)fds[1], SOL_SOCKET, SO_LINGER, w.opt.va, sizeof l)),
        0);
    sock_close(&w, b, fds[1]);
    world_run(&w, SEC / 100);
    assert_int_equal(sock_write(&w, a, fds[0], "x", 1, ABI_MSG_NOSIGNAL), -ECONNRESET);
}

static void test_reset(void **state)
{
    reset_cases(0, 1);
    reset_cases(2, 2);
}

/* Data for a closed socket: first write succeeds, then RST, then EPIPE. */
static void test_write_after_close(void **state)
{
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    sock_close(&w, 1, fds[1]);
    world_run(&w, SEC / 100);
    assert_int_equal(sock_write(&w, 0, fds[0], "x", 1, ABI_MSG_NOSIGNAL), 1);
    world_run(&w, SEC / 100);
    assert_int_equal(sock_write(&w, 0, fds[0], "x", 1, ABI_MSG_NOSIGNAL), -EPIPE);
}

/* listen(1): two connections are accepted, the third waits for the accept queue. */
static void test_backlog(void **state)
{
    int l = sock_new(&w, 1, ABI_AF_INET, ABI_SOCK_STREAM), fds[4];
    sock_bind(&w, 1, l, -2, 80);
    sock_listen(&w, 1, l, 1);
    for (int i = 0; i < 4; i++) {
        fds[i] = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM | ABI_SOCK_NONBLOCK);
        assert_int_equal(sock_connect(&w, 0, fds[i], 1, 80), -EINPROGRESS);
        world_run(&w, SEC / 100);
    }
    assert_true(sock_poll(&w, 0, fds[1]) & ABI_POLLOUT);
    assert_false(sock_poll(&w, 0, fds[3]) & ABI_POLLOUT);
    assert_true(w.nodes[1]->net->mib.listen_overflows > 0);
    for (int i = 0; i < 4; i++) {
        assert_true(world_call(&w, 1, sys_accept, FAKE_ARGS((uint64_t)l, 0, 0), 60 * SEC) >= 0);
    }
    world_run(&w, SEC);
    assert_true(sock_poll(&w, 0, fds[3]) & ABI_POLLOUT);
}

/* Flow control: a writer fills both buffers and goes on when the reader reads. */
static void flow(int a, int b)
{
    int fds[2];
    size_t sent = 0, got = 0;
    static char big[65536];
    connect_pair(&w, a, b, 80, fds, NULL);
    for (;;) {
        int64_t n = sock_write(&w, a, fds[0], big, sizeof big, 0);
        if (n < 0) {
            assert_int_equal(n, -EAGAIN);
            vtime t = w.m->clock.now;
            world_run(&w, SEC / 10);
            if (sock_write(&w, a, fds[0], big, 1, 0) < 0) {
                break;
            }
            sent++;
            assert_true(w.m->clock.now > t);
            continue;
        }
        sent += (size_t)n;
        assert_true(sent < 64u << 20);
    }
    assert_false(sock_poll(&w, a, fds[0]) & ABI_POLLOUT);
    world_run(&w, 100 * SEC); /* zero-window probes keep the connection */
    while (got < sent) {
        int64_t n = sock_read(&w, b, fds[1], big, sizeof big, 0);
        if (n > 0) {
            got += (size_t)n;
        } else {
            assert_int_equal(n, -EAGAIN);
            world_run(&w, SEC / 1000);
        }
    }
    assert_true(sock_poll(&w, a, fds[0]) & ABI_POLLOUT);
    assert_int_equal(got, sent);
}

static void test_flow_control(void **state)
{
    flow(0, 1);
    flow(2, 2);
}

/* A blocking write of more than both buffers hold ends when everything is queued. */
static void test_blocking_write(void **state)
{
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    memset(fake_ptr(w.buf), 'z', 1 << 20);
    uint64_t args[6] = {(uint64_t)fds[0], w.buf.va, 1 << 20};
    struct task *t = w.tasks[0];
    struct sysargs sa = {.a = {args[0], args[1], args[2]}};
    size_t got = 0;
    for (;;) {
        fake_task_switch(w.fm, t);
        struct sysret r = sys_sendto(t, &sa);
        if (r.kind == SYSRET_DONE) {
            assert_int_equal(r.value, 1 << 20);
            break;
        }
        assert_true(t->call.progress == 0 || r.value == (int64_t)t->call.progress);
        t->call.retry = true;
        world_run(&w, SEC / 1000);
        static char sink[65536];
        int64_t n = sock_read(&w, 1, fds[1], sink, sizeof sink, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    memset(&t->call, 0, sizeof t->call);
    assert_true(got > 0);
}

/* Keep-alive notices a dead peer after idle + count * interval. */
static void test_keepalive(void **state)
{
    struct link_policy p = {.mode = LINK_STOPPED};
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    sock_set(&w, 0, fds[0], ABI_SOL_TCP, TCP_KEEPIDLE, 10);
    sock_set(&w, 0, fds[0], ABI_SOL_TCP, TCP_KEEPINTVL, 2);
    sock_set(&w, 0, fds[0], ABI_SOL_TCP, TCP_KEEPCNT, 3);
    sock_set(&w, 0, fds[0], SOL_SOCKET, SO_KEEPALIVE, 1);
    world_run(&w, 100 * SEC);
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_ERROR), 0);
    net_link_set(w.m, 0, 1, &p);
    world_run(&w, 25 * SEC);
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_ERROR), ETIMEDOUT);
}

/* SO_REUSEADDR decides whether a port in TIME_WAIT may be bound. */
static void test_time_wait_bind(void **state)
{
    int fds[2], l;
    connect_pair(&w, 0, 1, 80, fds, &l);
    sock_close(&w, 1, fds[1]); /* the server closes first */
    world_run(&w, SEC / 100);
    sock_close(&w, 0, fds[0]);
    sock_close(&w, 1, l);
    world_run(&w, SEC / 100);
    assert_int_equal(w.nodes[1]->net->tw_count, 1);
    int fd = sock_new(&w, 1, ABI_AF_INET, ABI_SOCK_STREAM);
    assert_int_equal(sock_bind(&w, 1, fd, -2, 80), -EADDRINUSE);
    sock_set(&w, 1, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(sock_bind(&w, 1, fd, -2, 80), 0);
    assert_int_equal(sock_listen(&w, 1, fd, 1), 0);
    int other = sock_new(&w, 1, ABI_AF_INET, ABI_SOCK_STREAM);
    sock_set(&w, 1, other, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(sock_bind(&w, 1, other, -2, 80), -EADDRINUSE);
}

/* Nobody has the address: EHOSTUNREACH after neighbour discovery; beyond the gateway ENETUNREACH.
 */
static void test_unreachable(void **state)
{
    int fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM | ABI_SOCK_NONBLOCK);
    assert_int_equal(sock_connect(&w, 0, fd, 50, 80), -EINPROGRESS);
    world_run(&w, 2900 * NSEC_PER_MSEC);
    assert_int_equal(sock_get(&w, 0, fd, SOL_SOCKET, SO_ERROR), 0);
    world_run(&w, 200 * NSEC_PER_MSEC);
    assert_int_equal(sock_get(&w, 0, fd, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
    fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM | ABI_SOCK_NONBLOCK);
    assert_int_equal(sock_connect(&w, 0, fd, 0x10000, 80), -EINPROGRESS);
    world_run(&w, SEC);
    assert_int_equal(sock_get(&w, 0, fd, SOL_SOCKET, SO_ERROR), ENETUNREACH);
}

/* One urgent byte: out of the stream, readable by itself, with a mark. */
static void urgent(int a, int b)
{
    int fds[2];
    char buf[8] = {0};
    connect_pair(&w, a, b, 80, fds, NULL);
    assert_int_equal(sock_write(&w, a, fds[0], "abX", 3, ABI_MSG_OOB), 3);
    assert_int_equal(sock_write(&w, a, fds[0], "cd", 2, 0), 2);
    world_run(&w, SEC / 10);
    assert_true(sock_poll(&w, b, fds[1]) & ABI_POLLPRI);
    assert_int_equal(sock_read(&w, b, fds[1], buf, 8, 0), 2);
    assert_memory_equal(buf, "ab", 2);
    assert_int_equal(sock_read(&w, b, fds[1], buf, 1, ABI_MSG_OOB), 1);
    assert_int_equal(buf[0], 'X');
    assert_int_equal(sock_read(&w, b, fds[1], buf, 8, 0), 2);
    assert_memory_equal(buf, "cd", 2);
}

static void test_urgent(void **state)
{
    urgent(0, 1);
    urgent(2, 2);
}

/* The container dies: its peers learn by timers only; a later life starts afresh. */
static void test_node_down(void **state)
{
    int fds[2];
    connect_pair(&w, 0, 1, 80, fds, NULL);
    net_node_down(w.nodes[1]);
    assert_int_equal(sock_write(&w, 0, fds[0], "x", 1, 0), 1);
    world_run(&w, 10 * SEC);
    assert_int_equal(sock_poll(&w, 0, fds[0]) & ABI_POLLERR, 0);
    net_node_up(w.nodes[1]);
    world_run(&w, 30 * SEC); /* the next retransmission meets a kernel that knows nothing */
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
}

/* The resolver over TCP: length, query, answer. */
static void test_dns_over_tcp(void **state)
{
    static const unsigned char query[] = {0, 20, 0x12, 0x34, 1,   0,   0, 1, 0, 0, 0,
                                          0, 0,  0,    2,    'n', '1', 0, 0, 1, 0, 1};
    unsigned char out[128];
    int fd = sock_new(&w, 0, ABI_AF_INET, ABI_SOCK_STREAM);
    struct sockaddr_in in = {.sin_family = ABI_AF_INET, .sin_port = be16(53)};
    in.sin_addr.s_addr = be32(0x7f00000b);
    memcpy(fake_ptr(w.addr), &in, sizeof in);
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)fd, w.addr.va, 16)), 0);
    assert_int_equal(sock_write(&w, 0, fd, query, 9, 0), 9);
    assert_int_equal(sock_read(&w, 0, fd, out, sizeof out, 0), -EAGAIN);
    assert_int_equal(sock_write(&w, 0, fd, query + 9, sizeof query - 9, 0), sizeof query - 9);
    assert_int_equal(sock_read(&w, 0, fd, out, sizeof out, 0), 2 + 20 + 16);
    assert_int_equal(out[9], 1); /* one answer */
    assert_memory_equal(out + 2 + 20 + 12, "\x0a\0\0\x0b", 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(test_handshake),  T(test_refused),         T(test_bulk),
        T(test_loss),       T(test_syn_timeout),     T(test_syn_retry),
        T(test_partition),  T(test_partition_heals), T(test_jammed),
        T(test_half_close), T(test_reset),           T(test_write_after_close),
        T(test_backlog),    T(test_flow_control),    T(test_blocking_write),
        T(test_keepalive),  T(test_time_wait_bind),  T(test_unreachable),
        T(test_urgent),     T(test_node_down),       T(test_dns_over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
