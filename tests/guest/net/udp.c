/* UDP, raw and ping sockets on loopback, multicast, netlink, interface ioctls, refused families. */
#include <time.h> /* before linux/errqueue.h, which needs it */

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../guest_test.h"

static struct sockaddr_in loopback(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return a;
}

static int bound(struct sockaddr_in *a)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t len = sizeof *a;
    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)a, sizeof *a), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)a, &len), 0);
    return fd;
}

static int events_of(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    CHECK(poll(&p, 1, 0) >= 0);
    return p.revents;
}

TEST(datagrams)
{
    struct sockaddr_in a = loopback(), from;
    socklen_t len = sizeof from;
    char buf[16];
    int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0), n = -1;
    CHECK_EQ(events_of(r), POLLOUT);
    CHECK_ERR(send(s, "x", 1, 0), EDESTADDRREQ);
    CHECK_EQ(sendto(s, "hello", 5, 0, (struct sockaddr *)&a, sizeof a), 5);
    CHECK_EQ(sendto(s, "", 0, 0, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(events_of(r), POLLIN | POLLOUT);
    CHECK_EQ(ioctl(r, FIONREAD, &n), 0);
    CHECK_EQ(n, 5);
    CHECK_EQ(recvfrom(r, buf, 2, MSG_PEEK | MSG_TRUNC, (struct sockaddr *)&from, &len), 5);
    CHECK(len == sizeof from && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK_EQ(recv(r, buf, 2, 0), 2);
    CHECK_EQ(recv(r, buf, 16, 0), 0);
    CHECK_ERR(recv(r, buf, 16, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(connect(s, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(send(s, "again", 5, 0), 5);
    CHECK_EQ(recv(r, buf, 16, 0), 5);
    static char big[70000];
    CHECK_ERR(sendto(s, big, sizeof big, 0, NULL, 0), EMSGSIZE);
    CHECK_ERR(listen(s, 1), EOPNOTSUPP);
    CHECK_ERR(accept(s, NULL, NULL), EOPNOTSUPP);
    CHECK_ERR(recv(r, buf, 1, MSG_OOB | MSG_DONTWAIT), EAGAIN);
}

TEST(connected)
{
    struct sockaddr_in a = loopback(), b = loopback();
    char buf[4];
    int x = bound(&a), y = bound(&b), z = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(connect(x, (struct sockaddr *)&b, sizeof b), 0);
    CHECK_EQ(sendto(z, "no", 2, 0, (struct sockaddr *)&a, sizeof a), 2); /* not its peer */
    CHECK_EQ(sendto(y, "yes", 3, 0, (struct sockaddr *)&a, sizeof a), 3);
    CHECK_EQ(recv(x, buf, 4, 0), 3);
    CHECK_ERR(recv(x, buf, 4, MSG_DONTWAIT), EAGAIN);
    struct sockaddr un = {.sa_family = AF_UNSPEC};
    CHECK_EQ(connect(x, &un, sizeof un), 0);
    socklen_t len = sizeof b;
    CHECK_EQ(getsockname(x, (struct sockaddr *)&b, &len), 0);
    CHECK_EQ(b.sin_port, 0); /* bind had not asked for a certain one */
    CHECK_ERR(shutdown(z, SHUT_RD), ENOTCONN);
    CHECK_EQ(connect(z, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(shutdown(z, SHUT_RD), 0);
    CHECK_EQ(recv(z, buf, 1, 0), 0);
    CHECK_EQ(events_of(z), POLLIN | POLLOUT | POLLRDHUP);
}

TEST(port_unreachable)
{
    struct sockaddr_in a = loopback();
    int gone = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    char buf[512], c;
    close(gone);
    CHECK_EQ(connect(s, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(send(s, "x", 1, 0), 1);
    CHECK_EQ(events_of(s) & POLLERR, POLLERR);
    CHECK_ERR(recv(s, &c, 1, MSG_DONTWAIT), ECONNREFUSED);
    CHECK_ERR(recv(s, &c, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(s, "x", 1, 0), 1);
    CHECK_ERR(send(s, "x", 1, 0), ECONNREFUSED);
    int q = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(setsockopt(q, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    CHECK_EQ(sendto(q, "err", 3, 0, (struct sockaddr *)&a, sizeof a), 3);
    struct iovec v = {&c, 1};
    struct sockaddr_in name;
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = buf,
                       .msg_controllen = sizeof buf,
                       .msg_name = &name,
                       .msg_namelen = sizeof name};
    CHECK(recvmsg(q, &m, MSG_ERRQUEUE) >= 0);
    CHECK(m.msg_flags & MSG_ERRQUEUE);
    CHECK(name.sin_port == a.sin_port);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    struct sock_extended_err ee;
    CHECK(h && h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_RECVERR);
    memcpy(&ee, CMSG_DATA(h), sizeof ee);
    CHECK(ee.ee_errno == ECONNREFUSED && ee.ee_origin == SO_EE_ORIGIN_ICMP && ee.ee_type == 3 &&
          ee.ee_code == 3);
    CHECK_ERR(recvmsg(q, &m, MSG_ERRQUEUE), EAGAIN);
}

TEST(packet_info)
{
    struct sockaddr_in a = loopback();
    int on = 1, r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
    char buf[256], c;
    CHECK_EQ(setsockopt(r, IPPROTO_IP, IP_PKTINFO, &on, sizeof on), 0);
    CHECK_EQ(setsockopt(r, IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
    CHECK_EQ(setsockopt(r, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on), 0);
    CHECK_EQ(sendto(s, "i", 1, 0, (struct sockaddr *)&a, sizeof a), 1);
    struct iovec v = {&c, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof buf};
    CHECK_EQ(recvmsg(r, &m, 0), 1);
    int seen = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_TIMESTAMP) {
            seen |= 1;
        }
        if (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo pi;
            memcpy(&pi, CMSG_DATA(h), sizeof pi);
            CHECK(pi.ipi_ifindex == 1 && pi.ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
            seen |= 2;
        }
        if (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_TTL) {
            int ttl;
            memcpy(&ttl, CMSG_DATA(h), sizeof ttl);
            CHECK_EQ(ttl, 64);
            seen |= 4;
        }
    }
    CHECK_EQ(seen, 7);
    m.msg_controllen = 8;
    CHECK_EQ(sendto(s, "i", 1, 0, (struct sockaddr *)&a, sizeof a), 1);
    CHECK_EQ(recvmsg(r, &m, 0), 1);
    CHECK(m.msg_flags & MSG_CTRUNC);
}

TEST(corked)
{
    struct sockaddr_in a = loopback();
    char buf[16];
    int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(connect(s, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(send(s, "one", 3, MSG_MORE), 3);
    CHECK_ERR(recv(r, buf, 16, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(s, "two", 3, 0), 3);
    CHECK_EQ(recv(r, buf, 16, 0), 6);
    CHECK(memcmp(buf, "onetwo", 6) == 0);
}

TEST(many)
{
    struct sockaddr_in a = loopback();
    char out[3][4] = {"ab", "cde", "f"}, in[4][8];
    int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
    struct iovec vo[3], vi[4];
    struct mmsghdr mo[3] = {0}, mi[4] = {0};
    for (int i = 0; i < 3; i++) {
        vo[i] = (struct iovec){out[i], strlen(out[i])};
        mo[i].msg_hdr = (struct msghdr){
            .msg_iov = &vo[i], .msg_iovlen = 1, .msg_name = &a, .msg_namelen = sizeof a};
    }
    for (int i = 0; i < 4; i++) {
        vi[i] = (struct iovec){in[i], sizeof in[i]};
        mi[i].msg_hdr = (struct msghdr){.msg_iov = &vi[i], .msg_iovlen = 1};
    }
    CHECK_EQ(sendmmsg(s, mo, 3, 0), 3);
    CHECK_EQ(mo[1].msg_len, 3);
    CHECK_EQ(recvmmsg(r, mi, 4, MSG_WAITFORONE, NULL), 3);
    CHECK(mi[0].msg_len == 2 && mi[1].msg_len == 3 && mi[2].msg_len == 1);
    CHECK(memcmp(in[1], "cde", 3) == 0);
    CHECK_ERR(recvmmsg(r, mi, 4, MSG_DONTWAIT, NULL), EAGAIN);
}

TEST(port_sharing)
{
    struct sockaddr_in a = loopback();
    int one = 1, x = bound(&a), y = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERR(bind(y, (struct sockaddr *)&a, sizeof a), EADDRINUSE);
    CHECK_EQ(setsockopt(x, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    CHECK_EQ(setsockopt(y, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    CHECK_EQ(bind(y, (struct sockaddr *)&a, sizeof a), 0);
}

TEST(multicast)
{
    struct sockaddr_in a = {.sin_family = AF_INET}, to;
    char c;
    int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ip_mreq mr = {{htonl(0xe0000105)}, {htonl(INADDR_LOOPBACK)}};
    struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    CHECK_EQ(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof mr), 0);
    CHECK_ERR(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof mr), EADDRINUSE);
    CHECK_EQ(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo), 0);
    to = a;
    to.sin_addr = mr.imr_multiaddr;
    CHECK_EQ(sendto(s, "m", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
    struct pollfd p = {r, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 1000), 1);
    CHECK_EQ(recv(r, &c, 1, 0), 1);
    CHECK_EQ(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mr, sizeof mr), 0);
    CHECK_ERR(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mr, sizeof mr), EADDRNOTAVAIL);
    mr.imr_multiaddr.s_addr = htonl(0x0a000001);
    CHECK_ERR(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof mr), EINVAL);
}

TEST(ping)
{
    unsigned char echo[12] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g'}, buf[64];
    struct sockaddr_in a = loopback();
    unsigned sum = 0;
    for (int i = 0; i < 12; i += 2) {
        sum += (unsigned)(echo[i] << 8 | echo[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    echo[2] = (unsigned char)(~sum >> 8);
    echo[3] = (unsigned char)~sum;
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0 && errno == EPERM) {
        SKIP("raw sockets need CAP_NET_RAW");
    }
    CHECK(fd >= 0);
    uint32_t filter = ~1u; /* echo replies only */
    CHECK_EQ(setsockopt(fd, SOL_RAW, 1, &filter, sizeof filter), 0);
    CHECK_EQ(sendto(fd, echo, sizeof echo, 0, (struct sockaddr *)&a, sizeof a), 12);
    CHECK_EQ(recv(fd, buf, sizeof buf, 0), 32);
    CHECK(buf[0] == 0x45 && buf[9] == IPPROTO_ICMP && buf[20] == 0);
    CHECK(memcmp(buf + 24, echo + 4, 8) == 0);
    CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
}

TEST(interfaces)
{
    struct ifreq r[8];
    struct ifconf c = {.ifc_len = sizeof r, .ifc_ifcu.ifcu_req = r};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(ioctl(fd, SIOCGIFCONF, &c), 0);
    CHECK(c.ifc_len >= (int)sizeof r[0]);
    CHECK(strcmp(r[0].ifr_name, "lo") == 0);
    struct ifreq q = {.ifr_name = "lo"};
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &q), 0);
    CHECK_EQ(q.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING),
             IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
    CHECK_EQ(ioctl(fd, SIOCGIFMTU, &q), 0);
    CHECK_EQ(q.ifr_mtu, 65536);
    CHECK_EQ(ioctl(fd, SIOCGIFHWADDR, &q), 0);
    CHECK_EQ(q.ifr_hwaddr.sa_family, 772);
    CHECK_EQ(ioctl(fd, SIOCGIFINDEX, &q), 0);
    CHECK_EQ(q.ifr_ifindex, 1);
    CHECK_EQ(ioctl(fd, SIOCGIFNETMASK, &q), 0);
    CHECK_EQ(((struct sockaddr_in *)&q.ifr_netmask)->sin_addr.s_addr, htonl(0xff000000));
    strcpy(q.ifr_name, "nope0");
    CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, &q), ENODEV);
    CHECK_EQ(if_nametoindex("lo"), 1);
}

static int dump(int fd, int type, int want)
{
    struct {
        struct nlmsghdr h;
        struct ifinfomsg body;
    } q = {{sizeof q, (uint16_t)type, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}, {0}};
    static char buf[65536];
    int count = 0;
    CHECK_EQ(send(fd, &q, sizeof q, 0), sizeof q);
    for (;;) {
        int n = (int)recv(fd, buf, sizeof buf, 0);
        CHECK(n > 0);
        for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, (unsigned)n);
             h = NLMSG_NEXT(h, n)) {
            CHECK_EQ(h->nlmsg_seq, 7);
            if (h->nlmsg_type == NLMSG_DONE) {
                return count;
            }
            CHECK(h->nlmsg_type != NLMSG_ERROR);
            count += h->nlmsg_type == want;
        }
    }
}

TEST(netlink)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK};
    socklen_t len = sizeof a;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    CHECK(len == sizeof a && a.nl_pid == (unsigned)getpid());
    CHECK(dump(fd, RTM_GETLINK, RTM_NEWLINK) >= 1);
    CHECK(dump(fd, RTM_GETADDR, RTM_NEWADDR) >= 1);
    CHECK(dump(fd, RTM_GETROUTE, RTM_NEWROUTE) >= 1);
    CHECK_ERR(recv(fd, &a, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(datagrams), ENTRY(connected),  ENTRY(port_unreachable), ENTRY(packet_info),
        ENTRY(corked),    ENTRY(many),       ENTRY(port_sharing),     ENTRY(multicast),
        ENTRY(ping),      ENTRY(interfaces), ENTRY(netlink),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
