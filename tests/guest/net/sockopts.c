/* Socket options as programs use them: what can be set, and what is read back. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "../guest_test.h"

#ifndef TCP_INQ
#define TCP_INQ 36
#endif
#ifndef SO_INCOMING_NAPI_ID
#define SO_INCOMING_NAPI_ID 56
#endif

static int get(int fd, int level, int name)
{
    int v = -99;
    socklen_t len = sizeof v;
    return getsockopt(fd, level, name, &v, &len) < 0 ? -errno : v;
}

static int set(int fd, int level, int name, int v)
{
    return setsockopt(fd, level, name, &v, sizeof v) < 0 ? -errno : 0;
}

TEST(flags_read_back)
{
    static const int names[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE,
                                SO_REUSEPORT, SO_TIMESTAMP, SO_DONTROUTE};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        CHECK_EQ(get(fd, SOL_SOCKET, names[i]), 0);
        CHECK_EQ(set(fd, SOL_SOCKET, names[i], 7), 0);
        CHECK_EQ(get(fd, SOL_SOCKET, names[i]), 1);
        CHECK_EQ(set(fd, SOL_SOCKET, names[i], 0), 0);
        CHECK_EQ(get(fd, SOL_SOCKET, names[i]), 0);
    }
}

TEST(socket_values)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), v = 1;
    socklen_t len = 2;
    struct linger l = {1, 5};
    CHECK_EQ(get(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_ERROR), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_PRIORITY), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID), 0);
    CHECK_EQ(set(fd, SOL_SOCKET, SO_PRIORITY, 6), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_PRIORITY), 6);
    CHECK_EQ(set(fd, SOL_SOCKET, SO_RCVBUF, 8192), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_RCVBUF), 16384);
    CHECK_EQ(set(fd, SOL_SOCKET, SO_RCVBUF, 1), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_RCVBUF), 2304);
    CHECK_EQ(set(fd, SOL_SOCKET, SO_SNDBUF, 1), 0);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_SNDBUF), 4608);
    CHECK_EQ(set(fd, SOL_SOCKET, SO_TYPE, 1), -ENOPROTOOPT);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, 2), EINVAL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, NULL, 4), EFAULT);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, (socklen_t)-1), EINVAL);
    v = 0;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len), 0); /* cut to the room given */
    CHECK(len == 2 && v == SOCK_DGRAM);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
    memset(&l, 0, sizeof l);
    len = sizeof l;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len), 0);
    CHECK(l.l_onoff == 1 && l.l_linger == 5);
    CHECK_EQ(set(fd, SOL_SOCKET, 12345, 1), -ENOPROTOOPT);
    CHECK_EQ(get(fd, SOL_SOCKET, 12345), -ENOPROTOOPT);
    char name[16] = "x";
    len = sizeof name;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
    CHECK_EQ(len, 0);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nope0", 6), ENODEV);
}

TEST(tcp_values)
{
    static const struct {
        int name, initial, set, read;
    } rows[] = {
        {TCP_NODELAY, 0, 1, 1},      {TCP_CORK, 0, 1, 1},         {TCP_KEEPIDLE, 7200, 60, 60},
        {TCP_KEEPINTVL, 75, 10, 10}, {TCP_KEEPCNT, 9, 3, 3},      {TCP_SYNCNT, 6, 2, 2},
        {TCP_LINGER2, 60, 20, 20},   {TCP_DEFER_ACCEPT, 0, 1, 1}, {TCP_USER_TIMEOUT, 0, 5000, 5000},
        {TCP_INQ, 0, 1, 1},          {TCP_FASTOPEN, 0, 5, 5},     {TCP_MAXSEG, 536, 1000, -1},
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK_EQ(get(fd, IPPROTO_TCP, rows[i].name), rows[i].initial);
        CHECK_EQ(set(fd, IPPROTO_TCP, rows[i].name, rows[i].set), 0);
        if (rows[i].read >= 0) {
            CHECK_EQ(get(fd, IPPROTO_TCP, rows[i].name), rows[i].read);
        }
    }
    CHECK_EQ(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), -EINVAL);
    CHECK_EQ(set(fd, IPPROTO_TCP, TCP_KEEPCNT, 128), -EINVAL);
    CHECK_EQ(set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), -EINVAL);
    CHECK_EQ(get(fd, IPPROTO_TCP, 999), -ENOPROTOOPT);
    CHECK_EQ(set(fd, IPPROTO_UDP, UDP_CORK, 1), -ENOPROTOOPT);
    char cc[16] = {0};
    socklen_t len = sizeof cc;
    CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0); /* the one for everybody */
    CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, &len), 0);
    CHECK(strcmp(cc, "reno") == 0 && len == 16);
    CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), ENOENT);
}

TEST(ip_values)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
    unsigned char c = 9;
    socklen_t len = 1;
    CHECK_EQ(get(fd, IPPROTO_IP, IP_TOS), 0);
    CHECK_EQ(set(fd, IPPROTO_IP, IP_TOS, 0x10), 0);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_TOS), 0x10);
    CHECK_EQ(set(fd, IPPROTO_IP, IP_TOS, 0x13), 0);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_TOS) & 0xfc, 0x10);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_TTL), 64);
    CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_TTL, &c, 1), 0); /* a char will do */
    CHECK_EQ(get(fd, IPPROTO_IP, IP_TTL), 9);
    CHECK_EQ(getsockopt(fd, IPPROTO_IP, IP_TTL, &c, &len), 0);
    CHECK(c == 9 && len == 1);
    CHECK_EQ(set(fd, IPPROTO_IP, IP_TTL, 256), -EINVAL);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_MTU), -ENOTCONN);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_FREEBIND), 0);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_TRANSPARENT), 0);
    CHECK_EQ(set(fd, IPPROTO_IP, IP_RECVTTL, 1), 0);
    CHECK_EQ(set(fd, IPPROTO_IP, IP_RECVTOS, 1), 0);
    CHECK_EQ(get(fd, IPPROTO_IP, IP_RECVTOS), 1);
    len = sizeof c;
    CHECK_EQ(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, &c, &len), 0);
    CHECK_EQ(len, 0);
    CHECK_EQ(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), -ENOPROTOOPT);
    CHECK_EQ(get(six, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    CHECK_EQ(set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    CHECK_EQ(get(six, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    CHECK_EQ(get(six, IPPROTO_IPV6, IPV6_TCLASS), 0);
    CHECK_EQ(set(six, IPPROTO_IPV6, IPV6_TCLASS, 8), 0);
    CHECK_EQ(get(six, IPPROTO_IPV6, IPV6_TCLASS), 8);
    CHECK_EQ(get(six, IPPROTO_IPV6, IPV6_RECVTCLASS), 0);
    CHECK_EQ(get(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
    CHECK_EQ(set(six, IPPROTO_IP, IP_TOS, 4), 0);
}

/* TCP_INQ: how much is left comes along with what was read. */
TEST(inq)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), n = 0;
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(l, 1), 0);
    CHECK_EQ(getsockname(l, (struct sockaddr *)&a, &len), 0);
    CHECK_EQ(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    int s = accept(l, NULL, NULL);
    CHECK_EQ(get(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
    CHECK_EQ(set(s, IPPROTO_TCP, TCP_INQ, 1), 0);
    CHECK_EQ(write(c, "hello", 5), 5);
    char buf[2], ctl[64];
    struct iovec v = {buf, 2};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
    CHECK_EQ(recvmsg(s, &m, 0), 2);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_level == IPPROTO_TCP && h->cmsg_type == TCP_INQ);
    memcpy(&n, CMSG_DATA(h), sizeof n);
    CHECK_EQ(n, 3);
    struct tcp_info info;
    len = sizeof info;
    CHECK_EQ(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
    CHECK(info.tcpi_snd_cwnd > 0 && info.tcpi_rcv_space > 0);
    CHECK_EQ(get(s, SOL_SOCKET, SO_ERROR), 0);
}

/* A listener's options go on to its connections. */
TEST(inherited)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(set(l, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    CHECK_EQ(set(l, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    CHECK_EQ(set(l, IPPROTO_TCP, TCP_KEEPIDLE, 33), 0);
    CHECK_EQ(set(l, SOL_SOCKET, SO_RCVBUF, 20000), 0);
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(l, 1), 0);
    CHECK_EQ(getsockname(l, (struct sockaddr *)&a, &len), 0);
    CHECK_EQ(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    int s = accept(l, NULL, NULL);
    CHECK_EQ(get(s, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ(get(s, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(get(s, IPPROTO_TCP, TCP_KEEPIDLE), 33);
    CHECK_EQ(get(s, SOL_SOCKET, SO_RCVBUF), 40000);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(flags_read_back), ENTRY(socket_values), ENTRY(tcp_values),
        ENTRY(ip_values),       ENTRY(inq),           ENTRY(inherited),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
