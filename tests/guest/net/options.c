/* Options of sockets: programs set them and read them back; errors; what getsockopt tells. */
#include <ifaddrs.h>
#include <net/if.h>

#include "net_test.h"

static int read_back(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    CHECK_EQ(getsockopt(fd, level, name, &value, &len), 0);
    CHECK_EQ(len, sizeof value);
    return value;
}

static void set_and_read(int fd, int level, int name, int value)
{
    CHECK_EQ(setsockopt(fd, level, name, &value, sizeof value), 0);
    CHECK_EQ(read_back(fd, level, name), value);
}

TEST(tcp_options_read_back)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(read_back(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    set_and_read(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_and_read(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_and_read(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    set_and_read(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_and_read(fd, IPPROTO_TCP, TCP_KEEPIDLE, 33);
    set_and_read(fd, IPPROTO_TCP, TCP_KEEPINTVL, 7);
    set_and_read(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set_and_read(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
    set_and_read(fd, SOL_SOCKET, SO_BROADCAST, 1);
    set_and_read(fd, IPPROTO_IP, IP_TTL, 30);
    set_and_read(fd, IPPROTO_IP, IP_TOS, 16);
}

TEST(what_a_socket_is)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_ERROR), 0);
    CHECK_EQ(read_back(udp, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(read_back(udp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
    CHECK_EQ(read_back(socket(AF_UNIX, SOCK_DGRAM, 0), SOL_SOCKET, SO_DOMAIN), AF_UNIX);
}

TEST(buffer_sizes_double)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), value = 20000;
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof value), 0);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_RCVBUF), 40000);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value), 0);
    CHECK_EQ(read_back(fd, SOL_SOCKET, SO_SNDBUF), 40000);
}

TEST(option_errors)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), value = 1;
    socklen_t len = sizeof value;
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2), EINVAL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, (void *)16, 4), EFAULT);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, 9999, &value, len), ENOPROTOOPT);
    CHECK_ERR(setsockopt(fd, IPPROTO_TCP, 9999, &value, len), ENOPROTOOPT);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &value, &len), ENOPROTOOPT);
    CHECK_ERR(setsockopt(99, SOL_SOCKET, SO_KEEPALIVE, &value, len), EBADF);
    CHECK_ERR(setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &value, len), ENOTSOCK);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, len), ENOPROTOOPT);
    CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){0}, len), EINVAL);
}

TEST(option_short_read)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    unsigned char value[4] = {9, 9, 9, 9};
    socklen_t len = 1;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, value, &len), 0);
    CHECK_EQ(len, 1);
    CHECK_EQ(value[0], SOCK_STREAM);
    CHECK_EQ(value[1], 9);
}

TEST(linger_read_back)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct linger in = {1, 12}, out = {0, 0};
    socklen_t len = sizeof out;
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &in, sizeof in), 0);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &out, &len), 0);
    CHECK(out.l_onoff == 1 && out.l_linger == 12);
}

TEST(timeouts_read_back)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval in = {3, 500000}, out = {0, 0};
    socklen_t len = sizeof out;
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in), 0);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &out, &len), 0);
    CHECK(out.tv_sec == 3 && out.tv_usec == 500000);
    in.tv_usec = 1000000;
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in), EDOM);
}

TEST(states_in_tcp_info)
{
    struct tcp_pair p = tcp_pair();
    struct tcp_info info;
    socklen_t len = sizeof info;
    CHECK_EQ(getsockopt(p.client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
    len = sizeof info;
    CHECK_EQ(getsockopt(p.listener, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    CHECK_EQ(info.tcpi_state, TCP_LISTEN);
    CHECK_EQ(read_back(p.listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST(accepted_sockets_inherit)
{
    struct sockaddr_in at;
    int listener = tcp_listener(4, &at), on = 1;
    CHECK_EQ(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on), 0);
    tcp_connect(&at);
    set_nonblocking(listener);
    CHECK_EQ(poll_one(listener, POLLIN), POLLIN);
    int server = accept(listener, NULL, NULL);
    CHECK_EQ(read_back(server, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ(read_back(server, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(fcntl(server, F_GETFL) & O_NONBLOCK, 0); /* the flag of the file is not inherited */
}

TEST(loopback_interface)
{
    struct ifaddrs *list;
    CHECK_EQ(getifaddrs(&list), 0);
    bool found = false;
    for (struct ifaddrs *i = list; i; i = i->ifa_next) {
        found |= i->ifa_addr && i->ifa_addr->sa_family == AF_INET && strcmp(i->ifa_name, "lo") == 0;
    }
    freeifaddrs(list);
    CHECK(found);
    CHECK(if_nametoindex("lo") > 0);
    CHECK_EQ(if_nametoindex("nosuch"), 0);
}

static const struct guest_test tests[] = {
    ENTRY(tcp_options_read_back), ENTRY(what_a_socket_is),   ENTRY(buffer_sizes_double),
    ENTRY(option_errors),         ENTRY(option_short_read),  ENTRY(linger_read_back),
    ENTRY(timeouts_read_back),    ENTRY(states_in_tcp_info), ENTRY(accepted_sockets_inherit),
    ENTRY(loopback_interface),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
