/* AF_UNIX: names, streams, messages, passed descriptors and credentials. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "../guest_test.h"

#ifndef SCM_CREDENTIALS
#define SCM_CREDENTIALS 2
#endif

struct credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

static struct sockaddr_un named(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    return a;
}

static int events_of(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    CHECK(poll(&p, 1, 0) >= 0);
    return p.revents;
}

TEST(path_names)
{
    struct sockaddr_un a = named("sock"), b;
    socklen_t len = sizeof b;
    struct stat st;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(events_of(c), POLLOUT | POLLHUP);
    CHECK_ERR(connect(c, (struct sockaddr *)&a, sizeof a), ENOENT);
    CHECK_ERR(listen(c, 1), EINVAL);
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(stat("sock", &st), 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_EQ(getsockname(l, (struct sockaddr *)&b, &len), 0);
    CHECK_EQ(len, 2 + 5);
    CHECK(strcmp(b.sun_path, "sock") == 0);
    CHECK_ERR(bind(l, (struct sockaddr *)&a, sizeof a), EADDRINUSE);
    b = named("other");
    CHECK_ERR(bind(l, (struct sockaddr *)&b, sizeof b), EINVAL);
    CHECK_ERR(access("other", F_OK), ENOENT);
    CHECK_ERR(bind(c, (struct sockaddr *)&a, sizeof a), EADDRINUSE);
    CHECK_ERR(connect(c, (struct sockaddr *)&a, sizeof a), ECONNREFUSED);
    CHECK_EQ(listen(l, 3), 0);
    CHECK_EQ(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_ERR(connect(c, (struct sockaddr *)&a, sizeof a), EISCONN);
    CHECK_EQ(events_of(l), POLLIN);
    len = sizeof b;
    int s = accept(l, (struct sockaddr *)&b, &len);
    CHECK_EQ(len, 2); /* the client has no name */
    len = sizeof b;
    CHECK_EQ(getpeername(c, (struct sockaddr *)&b, &len), 0);
    CHECK_EQ(len, 7);
    CHECK_EQ(write(s, "hi", 2), 2);
    CHECK_ERR(open("sock", O_RDWR), ENXIO);
    CHECK_EQ(unlink("sock"), 0);
    CHECK_EQ(read(c, &b, 2), 2);
    int d = socket(AF_UNIX, SOCK_DGRAM, 0);
    a = named("sock");
    CHECK_EQ(bind(d, (struct sockaddr *)&a, sizeof a), 0);
    int e = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(connect(e, (struct sockaddr *)&a, sizeof a), EPROTOTYPE);
    int f = open("plain", O_CREAT | O_RDWR, 0600);
    CHECK(f >= 0);
    a = named("plain");
    CHECK_ERR(connect(e, (struct sockaddr *)&a, sizeof a), ECONNREFUSED);
    CHECK_ERR(connect(e, (struct sockaddr *)&a, 2), EINVAL);
    a = named("no/such");
    CHECK_ERR(bind(e, (struct sockaddr *)&a, sizeof a), ENOENT);
}

TEST(abstract_names)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0everett"}, b;
    socklen_t len = 2 + 8;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), x = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(l, (struct sockaddr *)&a, len), 0);
    CHECK_ERR(bind(x, (struct sockaddr *)&a, len), EADDRINUSE);
    CHECK_EQ(listen(l, 1), 0);
    CHECK_EQ(connect(x, (struct sockaddr *)&a, len), 0);
    int y = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(connect(y, (struct sockaddr *)&a, len + 1), ECONNREFUSED); /* the length counts */
    CHECK_EQ(bind(y, (struct sockaddr *)&a, 2), 0);                      /* autobind */
    len = sizeof b;
    CHECK_EQ(getsockname(y, (struct sockaddr *)&b, &len), 0);
    CHECK(len == 2 + 6 && b.sun_path[0] == 0);
    close(l);
}

TEST(stream)
{
    int fds[2], n = 0;
    char buf[16];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(events_of(fds[0]), POLLOUT);
    CHECK_EQ(write(fds[0], "abc", 3), 3);
    CHECK_EQ(write(fds[0], "def", 3), 3);
    CHECK_EQ(ioctl(fds[1], FIONREAD, &n), 0);
    CHECK_EQ(n, 6);
    CHECK_EQ(recv(fds[1], buf, 16, MSG_PEEK), 6);
    CHECK_EQ(recv(fds[1], buf, 4, 0), 4);
    CHECK_EQ(recv(fds[1], buf, 4, 0), 2);
    CHECK_ERR(recv(fds[1], buf, 4, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
    CHECK_EQ(events_of(fds[1]), POLLIN | POLLOUT | POLLRDHUP);
    CHECK_EQ(read(fds[1], buf, 4), 0);
    CHECK_ERR(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(write(fds[1], "back", 4), 4);
    close(fds[1]);
    CHECK_EQ(read(fds[0], buf, 4), 4);
    CHECK_EQ(events_of(fds[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    CHECK_EQ(read(fds[0], buf, 4), 0);
}

TEST(unread_at_close)
{
    int fds[2];
    char c;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_EQ(write(fds[0], "x", 1), 1);
    close(fds[1]);
    CHECK_ERR(read(fds[0], &c, 1), ECONNRESET);
    CHECK_EQ(read(fds[0], &c, 1), 0);
}

TEST(flow)
{
    int fds[2];
    static char big[1 << 20];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        size_t got = 0;
        for (ssize_t n; (n = read(fds[1], big, 10000)) > 0;) {
            got += (size_t)n;
        }
        _exit(got != sizeof big);
    }
    close(fds[1]);
    CHECK_EQ(write(fds[0], big, sizeof big), sizeof big);
    close(fds[0]);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ssize_t n, sent = 0;
    while ((n = write(fds[0], big, sizeof big)) > 0) {
        sent += n;
    }
    CHECK(errno == EAGAIN && sent > 65536);
    CHECK_EQ(events_of(fds[0]), 0);
}

TEST(datagrams)
{
    struct sockaddr_un a = named("log"), from;
    socklen_t len = sizeof from;
    char buf[8];
    int r = socket(AF_UNIX, SOCK_DGRAM, 0), s = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_ERR(send(s, "x", 1, 0), ENOTCONN);
    CHECK_EQ(bind(r, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(sendto(s, "line", 4, 0, (struct sockaddr *)&a, sizeof a), 4);
    CHECK_EQ(recvfrom(r, buf, 2, MSG_TRUNC, (struct sockaddr *)&from, &len), 4);
    CHECK_EQ(len, 0);
    CHECK_EQ(connect(s, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(send(s, "", 0, 0), 0);
    CHECK_EQ(events_of(r), POLLIN | POLLOUT);
    CHECK_EQ(recv(r, buf, 8, 0), 0);
    CHECK_ERR(recv(r, buf, 8, MSG_DONTWAIT), EAGAIN);
    close(r);
    CHECK_ERR(send(s, "x", 1, 0), ECONNREFUSED);
    CHECK_ERR(send(s, "x", 1, 0), ENOTCONN);
    CHECK_ERR(listen(s, 1), EOPNOTSUPP);
}

TEST(seqpacket)
{
    int fds[2];
    char buf[8];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    CHECK_EQ(write(fds[0], "abc", 3), 3);
    CHECK_EQ(write(fds[0], "de", 2), 2);
    struct iovec v = {buf, 2};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    CHECK_EQ(recvmsg(fds[1], &m, 0), 2);
    CHECK(m.msg_flags & MSG_TRUNC);
    CHECK_EQ(read(fds[1], buf, 8), 2);
    close(fds[0]);
    CHECK_EQ(read(fds[1], buf, 8), 0);
    CHECK_ERR(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

static ssize_t send_fds(int fd, const int *fds, size_t n)
{
    static char ctl[CMSG_SPACE(256 * sizeof(int))];
    struct iovec v = {(void *)"p", 1};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = ctl,
                       .msg_controllen = CMSG_SPACE(n * sizeof *fds)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(n * sizeof *fds);
    memcpy(CMSG_DATA(h), fds, n * sizeof *fds);
    return syscall(SYS_sendmsg, fd, &m, 0);
}

static int recv_fds(int fd, int *fds, size_t room, int flags, int *msg_flags)
{
    char ctl[256], c;
    struct iovec v = {&c, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = room};
    CHECK_EQ(recvmsg(fd, &m, flags), 1);
    *msg_flags = m.msg_flags;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    if (!h) {
        return 0;
    }
    CHECK(h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS);
    size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    memcpy(fds, CMSG_DATA(h), n * sizeof *fds);
    return (int)n;
}

TEST(rights)
{
    int s[2], p[2], got[8], flags;
    char c;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(send_fds(s[0], p, 2), 1);
    close(p[0]);
    close(p[1]);
    CHECK_EQ(recv_fds(s[1], got, 256, MSG_CMSG_CLOEXEC, &flags), 2);
    CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(got[1], "z", 1), 1);
    CHECK_EQ(read(got[0], &c, 1), 1);
    CHECK_EQ(send_fds(s[0], got, 2), 1);
    int more[8];
    CHECK_EQ(recv_fds(s[1], more, CMSG_LEN(sizeof(int)), 0, &flags), 1);
    CHECK_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
    CHECK_EQ(send_fds(s[0], got, 1), 1);
    CHECK_EQ(recv_fds(s[1], more, 0, 0, &flags), 0);
    CHECK_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
    int bad = 12345, many[254];
    CHECK_ERR(send_fds(s[0], &bad, 1), EBADF);
    for (int i = 0; i < 254; i++) {
        many[i] = got[0];
    }
    CHECK_ERR(send_fds(s[0], many, 254), EINVAL);
    /* A read ends at a message that carries descriptors, and before the next one. */
    char buf[8];
    CHECK_EQ(write(s[0], "ab", 2), 2);
    CHECK_EQ(send_fds(s[0], got, 1), 1);
    CHECK_EQ(write(s[0], "cd", 2), 2);
    CHECK_EQ(read(s[1], buf, 8), 3);
    CHECK_EQ(read(s[1], buf, 8), 2);
}

TEST(rights_keep_peer_alive)
{
    int s[2], t[2], got[1], flags;
    char c;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, t), 0);
    CHECK_EQ(send_fds(s[0], t, 1), 1);
    close(t[0]);
    CHECK_ERR(recv(t[1], &c, 1, MSG_DONTWAIT), EAGAIN); /* open, though only under way */
    CHECK_EQ(recv_fds(s[1], got, 256, 0, &flags), 1);
    CHECK_EQ(write(got[0], "k", 1), 1);
    CHECK_EQ(read(t[1], &c, 1), 1);
    CHECK_EQ(send_fds(s[0], got, 1), 1);
    close(got[0]);
    close(s[0]);
    close(s[1]); /* the message goes with the queue */
    CHECK_EQ(read(t[1], &c, 1), 0);
}

TEST(credentials)
{
    int s[2], on = 1;
    char c, ctl[256];
    struct credentials cred;
    socklen_t len = sizeof cred;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
    CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    CHECK(cred.pid == getpid() && cred.uid == geteuid());
    CHECK_EQ(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(write(s[0], "c", 1) != 1);
    }
    struct iovec v = {&c, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof ctl};
    CHECK_EQ(recvmsg(s[1], &m, 0), 1);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_type == SCM_CREDENTIALS && h->cmsg_len == CMSG_LEN(sizeof cred));
    memcpy(&cred, CMSG_DATA(h), sizeof cred);
    CHECK_EQ(cred.pid, pid);
    CHECK_EXIT(pid, 0);
}

TEST(accept_queue)
{
    struct sockaddr_un a = named("q");
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c[3];
    CHECK_EQ(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    CHECK_EQ(listen(l, 1), 0);
    for (int i = 0; i < 3; i++) {
        c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int r = connect(c[i], (struct sockaddr *)&a, sizeof a);
        CHECK(i < 2 ? r == 0 : r < 0 && errno == EAGAIN);
    }
    pid_t pid = fork();
    if (pid == 0) {
        int b = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(connect(b, (struct sockaddr *)&a, sizeof a) != 0); /* waits for room */
    }
    guest_nap(GUEST_NAP_MS);
    CHECK(accept(l, NULL, NULL) >= 0);
    CHECK_EXIT(pid, 0);
    char x;
    close(l);
    CHECK_ERR(read(c[1], &x, 1), ECONNRESET);
}

TEST(options)
{
    int s[2], v = 0, one = 1;
    socklen_t len = sizeof v;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_ERR(setsockopt(s[0], 0, 1, &one, sizeof one), EOPNOTSUPP);
    CHECK_ERR(setsockopt(s[0], 6, 1, &one, sizeof one), EOPNOTSUPP);
    CHECK_ERR(getsockopt(s[0], 6, 1, &v, &len), EOPNOTSUPP);
    CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len), 0);
    CHECK_EQ(v, SOCK_STREAM);
    CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &v, &len), 0);
    CHECK_EQ(v, AF_UNIX);
    CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 99), EPROTONOSUPPORT);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(path_names),      ENTRY(abstract_names), ENTRY(stream),
        ENTRY(unread_at_close), ENTRY(flow),           ENTRY(datagrams),
        ENTRY(seqpacket),       ENTRY(rights),         ENTRY(rights_keep_peer_alive),
        ENTRY(credentials),     ENTRY(accept_queue),   ENTRY(options),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
