/* TCP over the loopback: handshake, backlog, half close, reset, buffers, non-blocking use. */
#include <netdb.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "net_test.h"

TEST(handshake_and_names)
{
    struct tcp_pair p = tcp_pair();
    struct sockaddr_in name, peer;
    socklen_t len = sizeof name;
    CHECK_EQ(getsockname(p.client, SA(&name), &len), 0);
    CHECK_EQ(len, sizeof name);
    CHECK_EQ(getpeername(p.server, SA(&peer), &len), 0);
    CHECK_EQ(name.sin_port, peer.sin_port);
    CHECK_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(getpeername(p.client, SA(&peer), &len), 0);
    CHECK_EQ(peer.sin_port, p.at.sin_port);
}

TEST(data_both_ways)
{
    struct tcp_pair p = tcp_pair();
    char buf[16] = "";
    CHECK_EQ(send(p.client, "ping", 4, 0), 4);
    CHECK_EQ(recv(p.server, buf, 2, 0), 2);
    CHECK_EQ(recv(p.server, buf + 2, 10, 0), 2);
    CHECK_EQ(strcmp(buf, "ping"), 0);
    CHECK_EQ(write(p.server, "pong!", 5), 5);
    CHECK_EQ(read(p.client, buf, sizeof buf), 5);
    CHECK_EQ(memcmp(buf, "pong!", 5), 0);
}

TEST(accept_fills_address)
{
    struct sockaddr_in at, from, own;
    int listener = tcp_listener(4, &at), client = tcp_connect(&at);
    socklen_t len = sizeof from, own_len = sizeof own;
    int server = accept4(listener, SA(&from), &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(server >= 0);
    CHECK_EQ(len, sizeof from);
    CHECK_EQ(getsockname(client, SA(&own), &own_len), 0);
    CHECK_EQ(from.sin_port, own.sin_port);
    CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(server, F_GETFL) & O_NONBLOCK);
    CHECK_ERR(syscall(SYS_accept4, listener, NULL, NULL, 0x1), EINVAL);
}

TEST(refused_without_listener)
{
    struct sockaddr_in at;
    int listener = tcp_listener(1, &at);
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(connect(fd, SA(&at), sizeof at), ECONNREFUSED);
}

TEST(bind_errors)
{
    struct sockaddr_in at, other = loopback(0);
    int listener = tcp_listener(1, &at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(bind(fd, SA(&at), sizeof at), EADDRINUSE);
    CHECK_ERR(bind(fd, SA(&at), 4), EINVAL);
    other.sin_addr.s_addr = htonl(0x08080808);
    CHECK_ERR(bind(fd, SA(&other), sizeof other), EADDRNOTAVAIL);
    other = loopback(0);
    CHECK_EQ(bind(fd, SA(&other), sizeof other), 0);
    CHECK_ERR(bind(fd, SA(&other), sizeof other), EINVAL);
    CHECK_ERR(bind(99, SA(&at), sizeof at), EBADF);
    CHECK_ERR(bind(0, SA(&at), sizeof at), ENOTSOCK);
    CHECK_ERR(bind(listener, (struct sockaddr *)16, sizeof at), EFAULT);
}

TEST(socket_errors)
{
    CHECK_ERR(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(AF_INET, 77, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char c;
    CHECK_ERR(recv(fd, &c, 1, 0), ENOTCONN);
    CHECK_ERR(send(fd, &c, 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERR(getpeername(fd, SA(&c), &(socklen_t){1}), ENOTCONN);
    CHECK_ERR(shutdown(fd, SHUT_WR), ENOTCONN);
    CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
    struct tcp_pair p = tcp_pair();
    CHECK_ERR(connect(p.client, SA(&p.at), sizeof p.at), EISCONN);
    CHECK_ERR(shutdown(p.client, 9), EINVAL);
    CHECK_ERR(send(p.client, (void *)16, 4, 0), EFAULT);
}

TEST(end_of_stream)
{
    struct tcp_pair p = tcp_pair();
    char buf[8];
    CHECK_EQ(send(p.client, "bye", 3, 0), 3);
    CHECK_EQ(close(p.client), 0);
    CHECK_EQ(recv(p.server, buf, 8, 0), 3);
    CHECK_EQ(recv(p.server, buf, 8, 0), 0);
    CHECK_EQ(recv(p.server, buf, 8, 0), 0);
}

TEST(half_close)
{
    struct tcp_pair p = tcp_pair();
    char buf[8];
    CHECK_EQ(shutdown(p.client, SHUT_WR), 0);
    CHECK_EQ(recv(p.server, buf, 8, 0), 0);
    CHECK_EQ(send(p.server, "still", 5, 0), 5);
    CHECK_EQ(recv(p.client, buf, 8, 0), 5);
    CHECK_ERR(send(p.client, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(poll_one(p.server, POLLIN | POLLRDHUP) & (POLLIN | POLLRDHUP | POLLHUP),
             POLLIN | POLLRDHUP);
}

TEST(shutdown_read)
{
    struct tcp_pair p = tcp_pair();
    char c;
    CHECK_EQ(shutdown(p.client, SHUT_RD), 0);
    CHECK_EQ(recv(p.client, &c, 1, 0), 0);
}

TEST(reset_by_unread_data)
{
    struct tcp_pair p = tcp_pair();
    char c;
    CHECK_EQ(send(p.client, "unread", 6, 0), 6);
    CHECK_EQ(poll_one(p.server, POLLIN), POLLIN);
    CHECK_EQ(close(p.server), 0);
    CHECK_EQ(poll_one(p.client, POLLIN) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    CHECK_ERR(recv(p.client, &c, 1, 0), ECONNRESET);
    CHECK_EQ(recv(p.client, &c, 1, 0), 0); /* told once */
}

TEST(reset_by_linger)
{
    struct tcp_pair p = tcp_pair();
    struct linger now = {1, 0};
    char c;
    CHECK_EQ(setsockopt(p.server, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    CHECK_EQ(close(p.server), 0);
    CHECK_ERR(recv(p.client, &c, 1, 0), ECONNRESET);
    CHECK_ERR(send(p.client, &c, 1, MSG_NOSIGNAL), EPIPE);
}

TEST(broken_pipe_raises_signal)
{
    struct tcp_pair p = tcp_pair();
    CHECK_EQ(shutdown(p.client, SHUT_WR), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(p.client, "x", 1);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERR(write(p.client, "x", 1), EPIPE);
}

TEST(write_to_closed_peer)
{
    struct tcp_pair p = tcp_pair();
    CHECK_EQ(close(p.server), 0);
    CHECK_EQ(poll_one(p.client, POLLIN), POLLIN);
    CHECK_EQ(send(p.client, "x", 1, MSG_NOSIGNAL), 1); /* answered by a reset */
    CHECK(poll_one(p.client, POLLERR) & POLLHUP);
    CHECK_ERR(send(p.client, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(nonblocking)
{
    struct tcp_pair p = tcp_pair();
    char c;
    CHECK_ERR(recv(p.client, &c, 1, MSG_DONTWAIT), EAGAIN);
    set_nonblocking(p.client);
    set_nonblocking(p.listener);
    CHECK_ERR(read(p.client, &c, 1), EAGAIN);
    CHECK_ERR(accept(p.listener, NULL, NULL), EAGAIN);
    CHECK_EQ(poll_one(p.client, POLLOUT), POLLOUT);
}

TEST(send_buffer_fills)
{
    struct tcp_pair p = tcp_pair();
    set_nonblocking(p.client);
    static char chunk[65536];
    long long sent = 0, got = 0;
    ssize_t n;
    while ((n = send(p.client, chunk, sizeof chunk, 0)) > 0) {
        sent += n;
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK(sent > 10000);
    struct pollfd full = {.fd = p.client, .events = POLLOUT};
    CHECK_EQ(poll(&full, 1, 0), 0);
    set_nonblocking(p.server);
    while (got < sent) {
        CHECK_EQ(poll_one(p.server, POLLIN), POLLIN);
        n = recv(p.server, chunk, sizeof chunk, 0);
        CHECK(n > 0);
        got += n;
    }
    CHECK_EQ(poll_one(p.client, POLLOUT), POLLOUT);
    CHECK_EQ(got, sent);
}

TEST(large_transfer_between_processes)
{
    enum { TOTAL = 3 << 20 };
    struct tcp_pair p = tcp_pair();
    pid_t pid = fork();
    if (pid == 0) {
        unsigned char out[5000];
        for (int at = 0; at < TOTAL;) {
            int len = TOTAL - at < (int)sizeof out ? TOTAL - at : (int)sizeof out;
            for (int i = 0; i < len; i++) {
                out[i] = (unsigned char)((at + i) * 7 >> 3);
            }
            ssize_t n = send(p.client, out, (size_t)len, 0);
            CHECK(n > 0);
            at += (int)n;
        }
        _exit(0);
    }
    close(p.client);
    unsigned char in[8192];
    int at = 0;
    for (ssize_t n; (n = recv(p.server, in, sizeof in, 0)) > 0; at += (int)n) {
        for (int i = 0; i < n; i++) {
            CHECK_EQ(in[i], (unsigned char)((at + i) * 7 >> 3));
        }
    }
    CHECK_EQ(at, TOTAL);
    CHECK_EXIT(pid, 0);
}

TEST(nonblocking_connect)
{
    struct sockaddr_in at;
    int listener = tcp_listener(4, &at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_ERR(connect(fd, SA(&at), sizeof at), EINPROGRESS); /* even over the loopback */
    CHECK_EQ(poll_one(fd, POLLOUT), POLLOUT);
    int err = -1;
    socklen_t len = sizeof err;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
    CHECK_EQ(err, 0);
    CHECK_EQ(connect(fd, SA(&at), sizeof at), 0); /* the first call after the handshake */
    CHECK_ERR(connect(fd, SA(&at), sizeof at), EISCONN);
    close(listener);
}

TEST(nonblocking_connect_refused)
{
    struct sockaddr_in at;
    close(tcp_listener(4, &at));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_ERR(connect(fd, SA(&at), sizeof at), EINPROGRESS);
    CHECK(poll_one(fd, POLLOUT) & POLLERR);
    int err = -1;
    socklen_t len = sizeof err;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
    CHECK_EQ(err, ECONNREFUSED);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
    CHECK_EQ(err, 0); /* told once */
}

TEST(backlog_holds_connections)
{
    struct sockaddr_in at;
    int listener = tcp_listener(16, &at), clients[10];
    for (size_t i = 0; i < COUNT(clients); i++) {
        clients[i] = tcp_connect(&at);
        char c = (char)('a' + i);
        CHECK_EQ(send(clients[i], &c, 1, 0), 1);
    }
    for (size_t i = 0; i < COUNT(clients); i++) {
        int fd = accept(listener, NULL, NULL);
        char c = 0;
        CHECK_EQ(recv(fd, &c, 1, 0), 1);
        CHECK_EQ(c, 'a' + (int)i); /* accepted in order of arrival */
        close(fd);
    }
}

TEST(closing_listener_resets_waiting)
{
    struct sockaddr_in at;
    int listener = tcp_listener(4, &at), client = tcp_connect(&at);
    char c;
    CHECK_EQ(close(listener), 0);
    CHECK_ERR(recv(client, &c, 1, 0), ECONNRESET);
}

TEST(peek_and_waitall)
{
    struct tcp_pair p = tcp_pair();
    char buf[8] = "";
    CHECK_EQ(send(p.client, "abcd", 4, 0), 4);
    CHECK_EQ(recv(p.server, buf, 3, MSG_PEEK), 3);
    CHECK_EQ(memcmp(buf, "abc", 3), 0);
    int queued = 0;
    CHECK_EQ(ioctl(p.server, FIONREAD, &queued), 0);
    CHECK_EQ(queued, 4);
    pid_t pid = fork();
    if (pid == 0) {
        guest_nap(GUEST_NAP_MS);
        CHECK_EQ(send(p.client, "efgh", 4, 0), 4);
        _exit(0);
    }
    CHECK_EQ(recv(p.server, buf, 8, MSG_WAITALL), 8);
    CHECK_EQ(memcmp(buf, "abcdefgh", 8), 0);
    CHECK_EXIT(pid, 0);
}

TEST(scatter_and_gather)
{
    struct tcp_pair p = tcp_pair();
    char one[] = "one", two[] = "two", a[4] = "", b[4] = "";
    struct iovec out[] = {{one, 3}, {two, 3}}, in[] = {{a, 2}, {b, 4}};
    CHECK_EQ(writev(p.client, out, 2), 6);
    CHECK_EQ(readv(p.server, in, 2), 6);
    CHECK_EQ(memcmp(a, "on", 2), 0);
    CHECK_EQ(memcmp(b, "etwo", 4), 0);
    CHECK_EQ(poll_one(p.client, POLLOUT), POLLOUT);
}

TEST(urgent_data)
{
    struct tcp_pair p = tcp_pair();
    char c = 0;
    CHECK_EQ(send(p.client, "ab", 2, 0), 2);
    CHECK_EQ(send(p.client, "!", 1, MSG_OOB), 1);
    CHECK_EQ(poll_one(p.server, POLLPRI), POLLPRI);
    CHECK_EQ(recv(p.server, &c, 1, MSG_OOB), 1);
    CHECK_EQ(c, '!');
}

TEST(receive_timeout)
{
    struct tcp_pair p = tcp_pair();
    struct timeval tv = {0, 30000};
    CHECK_EQ(setsockopt(p.client, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
    char c;
    long long before = guest_now_ns();
    CHECK_ERR(recv(p.client, &c, 1, 0), EAGAIN);
    CHECK(guest_now_ns() - before >= 29000000);
}

TEST(ephemeral_ports_differ)
{
    struct sockaddr_in at;
    int listener = tcp_listener(16, &at), ports[8];
    for (size_t i = 0; i < COUNT(ports); i++) {
        struct sockaddr_in own;
        socklen_t len = sizeof own;
        CHECK_EQ(getsockname(tcp_connect(&at), SA(&own), &len), 0);
        ports[i] = ntohs(own.sin_port);
        CHECK(ports[i] >= 1024);
        for (size_t j = 0; j < i; j++) {
            CHECK(ports[j] != ports[i]);
        }
    }
    close(listener);
}

/* Binds again after the server closed first and keeps TIME_WAIT: allowed only when both the old and
 * the new socket said SO_REUSEADDR. */
static int bind_again(int reuse_before)
{
    struct sockaddr_in at;
    int listener = tcp_listener(4, &at), on = 1;
    CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse_before, sizeof on), 0);
    int client = tcp_connect(&at), server = accept(listener, NULL, NULL);
    close(server);
    close(client);
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    return bind(fd, SA(&at), sizeof at);
}

TEST(reuse_after_close)
{
    CHECK_EQ(bind_again(1), 0);
    CHECK_ERR(bind_again(0), EADDRINUSE);
}

TEST(port_shared_by_reuseport)
{
    int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    CHECK_EQ(setsockopt(b, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof at;
    CHECK_EQ(bind(a, SA(&at), sizeof at), 0);
    CHECK_EQ(getsockname(a, SA(&at), &len), 0);
    CHECK_EQ(bind(b, SA(&at), sizeof at), 0);
    CHECK_EQ(listen(a, 1), 0);
    CHECK_EQ(listen(b, 1), 0);
}

TEST(ipv6_loopback)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int listener = socket(AF_INET6, SOCK_STREAM, 0);
    if (bind(listener, SA(&at), sizeof at) < 0 && errno == EADDRNOTAVAIL) {
        SKIP("no IPv6 here");
    }
    CHECK_EQ(listen(listener, 1), 0);
    socklen_t len = sizeof at;
    CHECK_EQ(getsockname(listener, SA(&at), &len), 0);
    int client = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK_EQ(connect(client, SA(&at), sizeof at), 0);
    int server = accept(listener, NULL, NULL);
    CHECK_EQ(send(client, "6", 1, 0), 1);
    char c;
    CHECK_EQ(recv(server, &c, 1, 0), 1);
}

TEST(mapped_address)
{
    int listener = socket(AF_INET6, SOCK_STREAM, 0), on = 0;
    if (listener < 0) {
        SKIP("no IPv6 here");
    }
    CHECK_EQ(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}, from;
    CHECK_EQ(bind(listener, SA(&at), sizeof at), 0);
    CHECK_EQ(listen(listener, 1), 0);
    socklen_t len = sizeof at;
    CHECK_EQ(getsockname(listener, SA(&at), &len), 0);
    struct sockaddr_in to = loopback(ntohs(at.sin6_port));
    tcp_connect(&to);
    len = sizeof from;
    CHECK(accept(listener, SA(&from), &len) >= 0);
    CHECK_EQ(len, sizeof from);
    CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
    CHECK_EQ(from.sin6_addr.s6_addr[12], 127);
}

static const struct guest_test tests[] = {
    ENTRY(handshake_and_names),
    ENTRY(data_both_ways),
    ENTRY(accept_fills_address),
    ENTRY(refused_without_listener),
    ENTRY(bind_errors),
    ENTRY(socket_errors),
    ENTRY(end_of_stream),
    ENTRY(half_close),
    ENTRY(shutdown_read),
    ENTRY(reset_by_unread_data),
    ENTRY(reset_by_linger),
    ENTRY(broken_pipe_raises_signal),
    ENTRY(write_to_closed_peer),
    ENTRY(nonblocking),
    ENTRY(send_buffer_fills),
    ENTRY(large_transfer_between_processes),
    ENTRY(nonblocking_connect),
    ENTRY(nonblocking_connect_refused),
    ENTRY(backlog_holds_connections),
    ENTRY(closing_listener_resets_waiting),
    ENTRY(peek_and_waitall),
    ENTRY(scatter_and_gather),
    ENTRY(urgent_data),
    ENTRY(receive_timeout),
    ENTRY(ephemeral_ports_differ),
    ENTRY(reuse_after_close),
    ENTRY(port_shared_by_reuseport),
    ENTRY(ipv6_loopback),
    ENTRY(mapped_address),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
