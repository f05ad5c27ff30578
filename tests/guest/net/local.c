/* UNIX sockets: streams, datagrams, names, passing of descriptors and credentials. */
#include <stddef.h>

#include "net_test.h"

static struct sockaddr_un named(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    return a;
}

TEST(pair_is_a_stream)
{
    int s[2];
    char buf[8] = "";
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(write(s[0], "ab", 2), 2);
    CHECK_EQ(write(s[0], "cd", 2), 2);
    CHECK_EQ(read(s[1], buf, 8), 4);
    CHECK_EQ(write(s[1], "x", 1), 1);
    CHECK_EQ(read(s[0], buf, 8), 1);
    CHECK_EQ(close(s[0]), 0);
    CHECK_EQ(read(s[1], buf, 8), 0);
    CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(pair_of_datagrams)
{
    int s[2];
    char buf[8];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
    CHECK_EQ(send(s[0], "first", 5, 0), 5);
    CHECK_EQ(send(s[0], "", 0, 0), 0);
    CHECK_EQ(send(s[0], "third", 5, 0), 5);
    CHECK_EQ(recv(s[1], buf, 3, MSG_TRUNC), 5); /* the rest is lost, its length told */
    CHECK_EQ(recv(s[1], buf, 8, 0), 0);
    CHECK_EQ(recv(s[1], buf, 8, 0), 5);
}

TEST(pair_of_packets)
{
    int s[2];
    char buf[8];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    CHECK_EQ(send(s[0], "one", 3, 0), 3);
    CHECK_EQ(send(s[0], "two!", 4, 0), 4);
    CHECK_EQ(recv(s[1], buf, 8, 0), 3);
    CHECK_EQ(recv(s[1], buf, 8, 0), 4);
    close(s[0]);
    CHECK_EQ(recv(s[1], buf, 8, 0), 0);
}

TEST(named_stream)
{
    struct sockaddr_un at = named("sock"), got;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(connect(client, SA(&at), sizeof at), ENOENT);
    CHECK_EQ(bind(listener, SA(&at), sizeof at), 0);
    CHECK_ERR(connect(client, SA(&at), sizeof at), ECONNREFUSED);
    CHECK_EQ(listen(listener, 2), 0);
    CHECK_EQ(connect(client, SA(&at), sizeof at), 0);
    int server = accept(listener, NULL, NULL);
    CHECK_EQ(write(client, "hi", 2), 2);
    char buf[4];
    CHECK_EQ(read(server, buf, 4), 2);
    socklen_t len = sizeof got;
    CHECK_EQ(getpeername(client, SA(&got), &len), 0);
    CHECK_EQ(strcmp(got.sun_path, "sock"), 0);
    CHECK_EQ(len, offsetof(struct sockaddr_un, sun_path) + 5);
    len = sizeof got;
    CHECK_EQ(getsockname(client, SA(&got), &len), 0);
    CHECK_EQ(len, sizeof(sa_family_t)); /* unnamed */
    struct stat st;
    CHECK_EQ(stat("sock", &st), 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_ERR(open("sock", O_RDONLY), ENXIO);
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(bind(other, SA(&at), sizeof at), EADDRINUSE);
    CHECK_EQ(unlink("sock"), 0);
    CHECK_EQ(bind(other, SA(&at), sizeof at), 0);
}

TEST(abstract_name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path + 1, 60, "everett-guest-%d", (int)getpid());
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, SA(&at), len), 0);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(connect(client, SA(&at), len), 0);
    CHECK_ERR(connect(socket(AF_UNIX, SOCK_STREAM, 0), SA(&at), len - 1), ECONNREFUSED);
    close(listener);
    CHECK_ERR(connect(socket(AF_UNIX, SOCK_STREAM, 0), SA(&at), len), ECONNREFUSED);
}

TEST(named_datagrams)
{
    struct sockaddr_un at = named("dgram"), mine = named("mine"), from;
    int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(server, SA(&at), sizeof at), 0);
    CHECK_EQ(bind(client, SA(&mine), sizeof mine), 0);
    CHECK_EQ(sendto(client, "msg", 3, 0, SA(&at), sizeof at), 3);
    char buf[8];
    socklen_t len = sizeof from;
    CHECK_EQ(recvfrom(server, buf, 8, 0, SA(&from), &len), 3);
    CHECK_EQ(strcmp(from.sun_path, "mine"), 0);
    CHECK_EQ(sendto(server, "back", 4, 0, SA(&from), len), 4);
    CHECK_EQ(recv(client, buf, 8, 0), 4);
    close(server);
    CHECK_ERR(sendto(client, "msg", 3, 0, SA(&at), sizeof at), ECONNREFUSED);
}

static void send_descriptors(int over, const int *fds, size_t count)
{
    char control[CMSG_SPACE(4 * sizeof(int))] = "", byte = 'f';
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    CHECK_EQ(sendmsg(over, &msg, 0), 1);
}

static size_t receive_descriptors(int from, int *fds, int flags, int *msg_flags)
{
    char control[CMSG_SPACE(4 * sizeof(int))], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(from, &msg, flags), 1);
    *msg_flags = msg.msg_flags;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (!c) {
        return 0;
    }
    CHECK_EQ(c->cmsg_type, SCM_RIGHTS);
    size_t len = c->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(c), len);
    return len / sizeof(int);
}

TEST(descriptors_are_passed)
{
    int s[2], pipes[2], got[4], flags;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        close(pipes[1]);
        CHECK_EQ(receive_descriptors(s[1], got, MSG_CMSG_CLOEXEC, &flags), 2);
        CHECK_EQ(fcntl(got[1], F_GETFD), FD_CLOEXEC);
        CHECK_EQ(write(got[1], "through", 7), 7);
        _exit(0);
    }
    send_descriptors(s[0], pipes, 2);
    char buf[8];
    CHECK_EQ(read(pipes[0], buf, 8), 7);
    CHECK_EXIT(pid, 0);
}

TEST(passed_descriptor_keeps_file_alive)
{
    int s[2], p[2], got[4], flags;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
    CHECK_EQ(pipe(p), 0);
    send_descriptors(s[0], &p[1], 1);
    CHECK_EQ(close(p[1]), 0);
    set_nonblocking(p[0]);
    char c;
    CHECK_ERR(read(p[0], &c, 1), EAGAIN); /* the message in flight holds the writer */
    CHECK_EQ(receive_descriptors(s[1], got, 0, &flags), 1);
    CHECK_EQ(close(got[0]), 0);
    CHECK_EQ(read(p[0], &c, 1), 0);
}

TEST(dropped_descriptors_are_closed)
{
    int s[2], p[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(pipe(p), 0);
    send_descriptors(s[0], &p[1], 1);
    CHECK_EQ(close(p[1]), 0);
    CHECK_EQ(close(s[0]), 0);
    CHECK_EQ(close(s[1]), 0);
    char c;
    CHECK_EQ(read(p[0], &c, 1), 0);
}

TEST(control_truncated)
{
    int s[2], p[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(pipe(p), 0);
    send_descriptors(s[0], p, 2);
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    CHECK_EQ(recvmsg(s[1], &msg, 0), 1);
    CHECK_EQ(msg.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
    CHECK_EQ(msg.msg_controllen, 0);
}

TEST(bad_descriptor_is_not_sent)
{
    int s[2], bad = 99;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    char control[CMSG_SPACE(sizeof(int))] = "", byte = 'f';
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &bad, sizeof bad);
    CHECK_ERR(sendmsg(s[0], &msg, 0), EBADF);
}

TEST(peer_credentials)
{
    int s[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    struct ucred cred;
    socklen_t len = sizeof cred;
    CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
    CHECK_EQ(cred.pid, getpid());
    CHECK_EQ(cred.uid, getuid());
    CHECK_EQ(cred.gid, getgid());
}

TEST(credentials_in_messages)
{
    int s[2], on = 1;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
    CHECK_EQ(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    CHECK_EQ(send(s[0], "x", 1, 0), 1);
    char control[CMSG_SPACE(sizeof(struct ucred))], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(s[1], &msg, 0), 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
    struct ucred cred;
    memcpy(&cred, CMSG_DATA(c), sizeof cred);
    CHECK_EQ(cred.pid, getpid());
}

TEST(nonblocking_and_full)
{
    int s[2];
    static char chunk[4096];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    set_nonblocking(s[0]);
    long total = 0;
    ssize_t n;
    while ((n = write(s[0], chunk, sizeof chunk)) > 0) {
        total += n;
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK(total >= 4096);
    struct pollfd full = {.fd = s[0], .events = POLLOUT};
    CHECK_EQ(poll(&full, 1, 0), 0);
    while (total > 0) {
        n = read(s[1], chunk, sizeof chunk);
        CHECK(n > 0);
        total -= n;
    }
    CHECK_EQ(poll_one(s[0], POLLOUT), POLLOUT);
}

TEST(shutdown_of_pair)
{
    int s[2];
    char c;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    CHECK_EQ(write(s[0], "x", 1), 1);
    CHECK_EQ(shutdown(s[0], SHUT_WR), 0);
    CHECK_EQ(read(s[1], &c, 1), 1);
    CHECK_EQ(read(s[1], &c, 1), 0);
    CHECK_EQ(write(s[1], "y", 1), 1);
    CHECK_EQ(read(s[0], &c, 1), 1);
    CHECK_EQ(shutdown(s[1], SHUT_RDWR), 0);
    CHECK_EQ(poll_one(s[0], POLLIN) & POLLHUP, POLLHUP);
}

TEST(autobind)
{
    struct sockaddr_un got;
    sa_family_t family = AF_UNIX;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(fd, (const struct sockaddr *)(const void *)&family, sizeof family), 0);
    socklen_t len = sizeof got;
    CHECK_EQ(getsockname(fd, SA(&got), &len), 0);
    CHECK_EQ(len, offsetof(struct sockaddr_un, sun_path) + 6);
    CHECK_EQ(got.sun_path[0], 0);
}

TEST(datagram_boundaries_with_mmsg)
{
    int s[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
    char a[] = "aa", b[] = "bbb", x[8], y[8];
    struct iovec out[2] = {{a, 2}, {b, 3}}, in[2] = {{x, 8}, {y, 8}};
    struct mmsghdr sent[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}},
                              {.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};
    struct mmsghdr got[2] = {{.msg_hdr = {.msg_iov = &in[0], .msg_iovlen = 1}},
                             {.msg_hdr = {.msg_iov = &in[1], .msg_iovlen = 1}}};
    CHECK_EQ(sendmmsg(s[0], sent, 2, 0), 2);
    CHECK_EQ(sent[1].msg_len, 3);
    CHECK_EQ(recvmmsg(s[1], got, 2, MSG_DONTWAIT, NULL), 2);
    CHECK_EQ(got[0].msg_len, 2);
    CHECK_EQ(got[1].msg_len, 3);
}

TEST(type_mismatch)
{
    struct sockaddr_un at = named("sock");
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, SA(&at), sizeof at), 0);
    CHECK_EQ(listen(listener, 1), 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_ERR(connect(fd, SA(&at), sizeof at), EPROTOTYPE);
    close(guest_file_with("plain", ""));
    at = named("plain");
    CHECK_ERR(connect(fd, SA(&at), sizeof at), ECONNREFUSED);
}

static const struct guest_test tests[] = {
    ENTRY(pair_is_a_stream),
    ENTRY(pair_of_datagrams),
    ENTRY(pair_of_packets),
    ENTRY(named_stream),
    ENTRY(abstract_name),
    ENTRY(named_datagrams),
    ENTRY(descriptors_are_passed),
    ENTRY(passed_descriptor_keeps_file_alive),
    ENTRY(dropped_descriptors_are_closed),
    ENTRY(control_truncated),
    ENTRY(bad_descriptor_is_not_sent),
    ENTRY(peer_credentials),
    ENTRY(credentials_in_messages),
    ENTRY(nonblocking_and_full),
    ENTRY(shutdown_of_pair),
    ENTRY(autobind),
    ENTRY(datagram_boundaries_with_mmsg),
    ENTRY(type_mismatch),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
