/* AF_UNIX: streams, messages, passed descriptors, cycles. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/net/netns.h"
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

static void pair(int type, int fds[2])
{
    assert_int_equal(
        world_try(&w, 0, sys_socketpair, FAKE_ARGS(ABI_AF_UNIX, (uint64_t)type, 0, w.opt.va)), 0);
    memcpy(fds, fake_ptr(w.opt), 2 * sizeof *fds);
}

static uint64_t abstract(const char *name)
{
    struct sockaddr_un un = {.sun_family = ABI_AF_UNIX};
    size_t n = strlen(name);
    memcpy(un.sun_path + 1, name, n);
    memcpy(fake_ptr(w.addr), &un, sizeof un);
    return 3 + n;
}

/* sendmsg of one byte with descriptors. */
static int64_t send_fds(int fd, const int *fds, uint32_t n)
{
    struct abi_iovec iov = {w.buf.va, 1};
    struct abi_cmsghdr c = {sizeof c + n * 4, SOL_SOCKET, ABI_SCM_RIGHTS};
    struct abi_msghdr h = {.iov = w.hdr.va + 64,
                           .iovlen = 1,
                           .control = w.hdr.va + 128,
                           .controllen = sizeof c + n * 4};
    memcpy(fake_ptr(gaddr_add(w.hdr, 64)), &iov, sizeof iov);
    memcpy(fake_ptr(gaddr_add(w.hdr, 128)), &c, sizeof c);
    memcpy(fake_ptr(gaddr_add(w.hdr, 144)), fds, n * sizeof *fds);
    memcpy(fake_ptr(w.hdr), &h, sizeof h);
    return world_try(&w, 0, sys_sendmsg, FAKE_ARGS((uint64_t)fd, w.hdr.va, ABI_MSG_DONTWAIT));
}

/* recvmsg with room for `room` bytes of control data; the header is left in *h. */
static int64_t recv_ctl(int fd, uint64_t room, uint32_t flags, struct abi_msghdr *h)
{
    struct abi_iovec iov = {w.buf.va, 64};
    *h = (struct abi_msghdr){
        .iov = w.hdr.va + 64, .iovlen = 1, .control = w.hdr.va + 128, .controllen = room};
    memcpy(fake_ptr(gaddr_add(w.hdr, 64)), &iov, sizeof iov);
    memcpy(fake_ptr(w.hdr), h, sizeof *h);
    int64_t n =
        world_try(&w, 0, sys_recvmsg, FAKE_ARGS((uint64_t)fd, w.hdr.va, flags | ABI_MSG_DONTWAIT));
    memcpy(h, fake_ptr(w.hdr), sizeof *h);
    return n;
}

static void test_stream(void **state)
{
    int fds[2];
    char buf[16] = {0};
    pair(ABI_SOCK_STREAM, fds);
    assert_int_equal(sock_write(&w, 0, fds[0], "one", 3, 0), 3);
    assert_int_equal(sock_write(&w, 0, fds[0], "two", 3, 0), 3);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 16, ABI_MSG_PEEK), 6);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 16, 0), 6);
    assert_memory_equal(buf, "onetwo", 6);
    assert_int_equal(sock_shut(&w, 0, fds[0], ABI_SHUT_WR), 0);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 16, 0), 0);
    assert_int_equal(sock_write(&w, 0, fds[0], "x", 1, 0), -EPIPE);
    assert_int_equal(w.fm->sigpipes, 1);
    sock_close(&w, 0, fds[0]);
    assert_int_equal(sock_write(&w, 0, fds[1], "x", 1, ABI_MSG_NOSIGNAL), -EPIPE);
    assert_true(sock_poll(&w, 0, fds[1]) & ABI_POLLHUP);
}

/* A sender is charged until its data is read. */
static void test_flow_control(void **state)
{
    int fds[2];
    static char big[100000];
    pair(ABI_SOCK_STREAM, fds);
    int64_t n, sent = 0, got = 0;
    while ((n = sock_write(&w, 0, fds[0], big, sizeof big, 0)) > 0) {
        sent += n;
    }
    assert_int_equal(n, -EAGAIN);
    assert_true(sent >= 200000 && sent < 300000);
    assert_false(sock_poll(&w, 0, fds[0]) & ABI_POLLOUT);
    while ((n = sock_read(&w, 0, fds[1], big, sizeof big, 0)) > 0) {
        got += n;
    }
    assert_int_equal(got, sent);
    assert_true(sock_poll(&w, 0, fds[0]) & ABI_POLLOUT);
}

/* Unread data at close is an error for the peer. */
static void test_close_unread(void **state)
{
    int fds[2];
    char c;
    pair(ABI_SOCK_STREAM, fds);
    sock_write(&w, 0, fds[0], "x", 1, 0);
    sock_close(&w, 0, fds[1]);
    assert_int_equal(sock_read(&w, 0, fds[0], &c, 1, 0), -ECONNRESET);
    assert_int_equal(sock_read(&w, 0, fds[0], &c, 1, 0), 0);
}

static void test_connect(void **state)
{
    int l = sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_STREAM);
    int c[3];
    uint64_t n = abstract("srv");
    assert_int_equal(world_try(&w, 0, sys_bind, FAKE_ARGS((uint64_t)l, w.addr.va, n)), 0);
    for (int i = 0; i < 3; i++) {
        c[i] = sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_STREAM);
    }
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)c[0], w.addr.va, n)),
                     -ECONNREFUSED);
    assert_int_equal(sock_listen(&w, 0, l, 1), 0);
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)c[0], w.addr.va, n)), 0);
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)c[1], w.addr.va, n)), 0);
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)c[2], w.addr.va, n)),
                     FAKE_BLOCKED);
    sock_write(&w, 0, c[0], "early", 5, 0);
    int s = (int)sock_accept(&w, 0, l);
    char buf[8];
    assert_int_equal(sock_read(&w, 0, s, buf, 8, 0), 5);
    assert_int_equal(sock_get(&w, 0, c[0], SOL_SOCKET, SO_PEERCRED), 1); /* first word: the pid */
    sock_close(&w, 0, l);
    assert_int_equal(sock_read(&w, 0, c[1], buf, 8, 0), -ECONNRESET); /* was never accepted */
    /* Other nodes have a name space of their own. */
    int other = sock_new(&w, 1, ABI_AF_UNIX, ABI_SOCK_STREAM);
    assert_int_equal(world_try(&w, 1, sys_bind, FAKE_ARGS((uint64_t)other, w.addr.va, n)), 0);
}

static void test_dgram(void **state)
{
    int a = sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_DGRAM);
    int b = sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_DGRAM);
    char buf[16];
    uint64_t n = abstract("log");
    assert_int_equal(world_try(&w, 0, sys_bind, FAKE_ARGS((uint64_t)b, w.addr.va, n)), 0);
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)a, w.addr.va, n)), 0);
    int sent = 0;
    while (sock_write(&w, 0, a, "line", 4, 0) == 4) {
        sent++;
    }
    assert_int_equal(sent, 11); /* net.unix.max_dgram_qlen + 1 */
    assert_false(sock_poll(&w, 0, a) & ABI_POLLOUT);
    assert_int_equal(sock_read(&w, 0, b, buf, 2, ABI_MSG_TRUNC), 4);
    assert_true(sock_poll(&w, 0, a) & ABI_POLLOUT);
    sock_close(&w, 0, b);
    assert_int_equal(sock_write(&w, 0, a, "x", 1, 0), -ECONNREFUSED);
    assert_int_equal(sock_write(&w, 0, a, "x", 1, 0), -ENOTCONN);
    int s = sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_STREAM);
    n = abstract("other");
    world_try(&w, 0, sys_bind, FAKE_ARGS((uint64_t)s, w.addr.va, n));
    assert_int_equal(world_try(&w, 0, sys_connect, FAKE_ARGS((uint64_t)a, w.addr.va, n)),
                     -EPROTOTYPE);
}

static void test_seqpacket(void **state)
{
    int fds[2];
    char buf[8];
    pair(ABI_SOCK_SEQPACKET, fds);
    sock_write(&w, 0, fds[0], "abc", 3, 0);
    sock_write(&w, 0, fds[0], "de", 2, 0);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 8, 0), 3);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 1, 0), 1);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 8, 0), -EAGAIN);
    sock_close(&w, 0, fds[0]);
    assert_int_equal(sock_read(&w, 0, fds[1], buf, 8, 0), 0);
}

static void test_rights(void **state)
{
    int fds[2], pass[2];
    struct abi_msghdr h;
    pair(ABI_SOCK_STREAM, fds);
    pair(ABI_SOCK_STREAM, pass);
    assert_int_equal(send_fds(fds[0], pass, 2), 1);
    sock_close(&w, 0, pass[0]);
    assert_int_equal(recv_ctl(fds[1], 256, ABI_MSG_CMSG_CLOEXEC, &h), 1);
    assert_int_equal(h.controllen, 24);
    int got[2];
    memcpy(got, fake_ptr(gaddr_add(w.hdr, 144)), sizeof got);
    char c = 0;
    sock_write(&w, 0, got[0], "!", 1, 0);
    assert_int_equal(sock_read(&w, 0, pass[1], &c, 1, 0), 1);
    assert_int_equal(c, '!');
    /* Room for one only: the other is closed and the cut is reported. */
    assert_int_equal(send_fds(fds[0], got, 2), 1);
    assert_int_equal(recv_ctl(fds[1], 20, 0, &h), 1);
    assert_true(h.flags & ABI_MSG_CTRUNC);
    assert_int_equal(send_fds(fds[0], (int[]){999}, 1), -EBADF);
    /* A plain read drops what came along. */
    assert_int_equal(send_fds(fds[0], got, 1), 1);
    assert_int_equal(sock_read(&w, 0, fds[1], &c, 1, 0), 1);
    assert_int_equal(w.m->net->inflight_files, 0);
}

/* As on Linux, the end of any socket of the family looks for garbage. */
static void collect(void)
{
    sock_close(&w, 0, sock_new(&w, 0, ABI_AF_UNIX, ABI_SOCK_STREAM));
}

/* Sockets that exist only in each other's queues are found and freed. */
static void test_cycles(void **state)
{
    int a[2], b[2];
    pair(ABI_SOCK_STREAM, a);
    assert_int_equal(send_fds(a[0], a, 2), 1); /* both ends inside their own pair */
    sock_close(&w, 0, a[0]);
    sock_close(&w, 0, a[1]);
    collect();
    assert_int_equal(w.m->net->inflight_files, 0);
    pair(ABI_SOCK_STREAM, a);
    pair(ABI_SOCK_STREAM, b);
    send_fds(a[0], (int[]){b[0]}, 1);
    sock_close(&w, 0, b[0]);
    collect();
    assert_int_equal(w.m->net->inflight_files, 1); /* whoever reads a[1] still gets it */
    send_fds(b[1], (int[]){a[1]}, 1);
    sock_close(&w, 0, a[1]);
    collect();
    assert_int_equal(w.m->net->inflight_files, 0); /* now each is only in the other's queue */
    char c;
    assert_int_equal(sock_read(&w, 0, a[0], &c, 1, 0), 0);
}

static void test_credentials(void **state)
{
    int fds[2];
    struct abi_msghdr h;
    pair(ABI_SOCK_DGRAM, fds);
    sock_set(&w, 0, fds[1], SOL_SOCKET, SO_PASSCRED, 1);
    sock_write(&w, 0, fds[0], "x", 1, 0);
    assert_int_equal(recv_ctl(fds[1], 256, 0, &h), 1);
    struct abi_ucred c;
    memcpy(&c, fake_ptr(gaddr_add(w.hdr, 144)), sizeof c);
    assert_int_equal(h.controllen, 32);
    assert_int_equal(c.pid, 1);
    assert_int_equal(c.uid, 0);
}

static void test_options(void **state)
{
    int fds[2];
    pair(ABI_SOCK_STREAM, fds);
    assert_int_equal(sock_set(&w, 0, fds[0], ABI_SOL_IP, IP_TOS, 8), -EOPNOTSUPP);
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_TYPE), ABI_SOCK_STREAM);
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_SNDBUF), 212992);
    assert_int_equal(sock_set(&w, 0, fds[0], SOL_SOCKET, SO_SNDBUF, 1 << 30), 0);
    assert_int_equal(sock_get(&w, 0, fds[0], SOL_SOCKET, SO_SNDBUF), 425984);
    assert_int_equal(sock_set(&w, 0, fds[0], SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
    const struct CMUnitTest tests[] = {
        T(test_stream),      T(test_flow_control), T(test_close_unread), T(test_connect),
        T(test_dgram),       T(test_seqpacket),    T(test_rights),       T(test_cycles),
        T(test_credentials), T(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
