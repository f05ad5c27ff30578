/* Shared by the socket tests: loopback addresses and connected pairs. */
#ifndef EVERETT_TESTS_GUEST_NET_TEST_H
#define EVERETT_TESTS_GUEST_NET_TEST_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest_test.h"

#define SA(addr) ((struct sockaddr *)(addr))

struct tcp_pair {
    int listener, client, server;
    struct sockaddr_in at;
};

UNUSED static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* A listening socket on a port that the kernel chooses; *at says which. */
UNUSED static int tcp_listener(int backlog, struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    *at = loopback(0);
    CHECK_EQ(bind(fd, SA(at), sizeof *at), 0);
    CHECK_EQ(listen(fd, backlog), 0);
    socklen_t len = sizeof *at;
    CHECK_EQ(getsockname(fd, SA(at), &len), 0);
    CHECK(at->sin_port != 0);
    return fd;
}

UNUSED static int tcp_connect(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, (const struct sockaddr *)to, sizeof *to), 0);
    return fd;
}

UNUSED static struct tcp_pair tcp_pair(void)
{
    struct tcp_pair p;
    p.listener = tcp_listener(8, &p.at);
    p.client = tcp_connect(&p.at);
    p.server = accept(p.listener, NULL, NULL);
    CHECK(p.server >= 0);
    return p;
}

/* What poll says within two seconds. */
UNUSED static int poll_one(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, 2000);
    return n < 0 ? -1 : p.revents;
}

UNUSED static void set_nonblocking(int fd)
{
    CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

#endif
