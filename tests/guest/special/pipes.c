/* Pipes, FIFOs, splice, sendfile (pipe(7), fifo(7), splice(2)). */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "../guest_test.h"

static int *volatile bad = (int *)8; /* nothing is mapped there */

static void on_pipe(int signo)
{
    (void)signo;
}

static short ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    CHECK(poll(&p, 1, 0) >= 0);
    return p.revents;
}

TEST(basic)
{
    int p[2];
    char buf[16] = {0};
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK_ERR(read(p[0], buf, 4), EAGAIN);
    CHECK(write(p[1], "hello", 5) == 5);
    int n = 0;
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 5);
    CHECK(read(p[0], buf, 3) == 3 && memcmp(buf, "hel", 3) == 0);
    CHECK(read(p[0], buf, 16) == 2);
    CHECK_ERR(write(p[0], "x", 1), EBADF);
    CHECK_ERR(read(p[1], buf, 1), EBADF);
    CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERR(pread(p[0], buf, 1, 0), ESPIPE);
    struct stat st;
    CHECK(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode));
    close(p[1]);
    CHECK(read(p[0], buf, 1) == 0);
    CHECK(ready(p[0], POLLIN) == POLLHUP);
    CHECK_ERR(pipe2(p, 0x40), EINVAL);
    CHECK_ERR(pipe(bad), EFAULT);
}

TEST(capacity)
{
    int p[2];
    char page[4096] = {0};
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
    long total = 0;
    while (write(p[1], "x", 1) == 1) {
        total++;
    }
    CHECK(errno == EAGAIN && total == 65536);
    CHECK(ready(p[1], POLLOUT) == 0);
    CHECK(read(p[0], page, 4095) == 4095);
    CHECK(ready(p[1], POLLOUT) == 0); /* a whole buffer must be free */
    CHECK_ERR(write(p[1], "y", 1), EAGAIN);
    CHECK(read(p[0], page, 1) == 1);
    CHECK(ready(p[1], POLLOUT) == POLLOUT);
    /* At most PIPE_BUF bytes are never split; more may be. */
    CHECK(write(p[1], page, 4096) == 4096);
    CHECK_ERR(write(p[1], page, 2), EAGAIN);
    CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 100000) == 131072);
    CHECK(write(p[1], page, 4096) == 4096);
    CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, -1), EINVAL);
    CHECK_ERR(fcntl(open("/dev/null", O_RDWR), F_GETPIPE_SZ), EBADF);
}

TEST(large_blocking_write)
{
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        size_t size = 1 << 20;
        unsigned char *data = malloc(size);
        for (size_t i = 0; i < size; i++) {
            data[i] = (unsigned char)(i * 7);
        }
        close(p[0]);
        _exit(write(p[1], data, size) == (ssize_t)size ? 0 : 1);
    }
    close(p[1]);
    size_t at = 0;
    unsigned char buf[5000];
    for (ssize_t n; (n = read(p[0], buf, sizeof buf)) > 0;) {
        for (ssize_t i = 0; i < n; i++) {
            CHECK(buf[i] == (unsigned char)((at + (size_t)i) * 7));
        }
        at += (size_t)n;
    }
    CHECK_EQ(at, 1 << 20);
    CHECK_EXIT(pid, 0);
}

/* A signal in the middle of a large write: what went in is the result. */
TEST(interrupted_write)
{
    int p[2];
    char *data = calloc(1, 200000);
    CHECK(pipe(p) == 0);
    struct sigaction sa = {.sa_handler = on_pipe};
    sigaction(SIGALRM, &sa, NULL);
    ualarm(50000, 0);
    CHECK_EQ(write(p[1], data, 200000), 65536);
    ualarm(50000, 0);
    CHECK_ERR(write(p[1], data, 10), EINTR);
}

TEST(broken)
{
    int p[2];
    CHECK(pipe(p) == 0);
    close(p[0]);
    CHECK(ready(p[1], POLLOUT) == (POLLOUT | POLLERR));
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERR(write(p[1], "x", 1), EPIPE);
    CHECK(write(p[1], "", 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        (void)!write(p[1], "x", 1);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGPIPE);
}

TEST(packets)
{
    int p[2];
    char buf[8192];
    CHECK(pipe2(p, O_DIRECT | O_NONBLOCK) == 0);
    CHECK(write(p[1], "one", 3) == 3 && write(p[1], "second", 6) == 6);
    CHECK(read(p[0], buf, 2) == 2); /* the rest of a packet is lost */
    CHECK(read(p[0], buf, sizeof buf) == 6);
    memset(buf, 0, sizeof buf);
    CHECK(write(p[1], buf, 5000) == 5000);
    CHECK(read(p[0], buf, sizeof buf) == 4096);
    CHECK(read(p[0], buf, sizeof buf) == 904);
}

TEST(fifo)
{
    char buf[8];
    CHECK(mkfifo("f", 0644) == 0);
    CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
    int r = open("f", O_RDONLY | O_NONBLOCK);
    CHECK(r >= 0);
    CHECK(read(r, buf, 1) == 0);  /* no writer yet */
    CHECK(ready(r, POLLIN) == 0); /* but no hang-up before there was one */
    int w = open("f", O_WRONLY | O_NONBLOCK);
    CHECK(w >= 0);
    CHECK_ERR(read(r, buf, 1), EAGAIN);
    CHECK(write(w, "ab", 2) == 2);
    close(w);
    CHECK(ready(r, POLLIN) == (POLLIN | POLLHUP));
    CHECK(read(r, buf, 8) == 2 && read(r, buf, 8) == 0);
    close(r);
    int rw = open("f", O_RDWR);
    CHECK(rw >= 0 && write(rw, "z", 1) == 1 && read(rw, buf, 8) == 1);
}

TEST(fifo_rendezvous)
{
    char buf[8];
    CHECK(mkfifo("f", 0644) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            int w = open("f", O_WRONLY);
            _exit(w >= 0 && write(w, "hey", 3) == 3 ? 0 : 1);
        }
        if (i & 1) {
            guest_nap(5);
        }
        int r = open("f", O_RDONLY);
        CHECK(r >= 0);
        CHECK_EQ(read(r, buf, 8), 3);
        CHECK_EQ(read(r, buf, 8), 0);
        close(r);
        CHECK_EXIT(pid, 0);
    }
}

/* The reader waits in open; the writer comes and is gone at once. */
TEST(fifo_reader_first)
{
    char buf[8];
    CHECK(mkfifo("f", 0644) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int r = open("f", O_RDONLY);
        _exit(r >= 0 && read(r, buf, 8) == 2 && read(r, buf, 8) == 0 ? 0 : 1);
    }
    guest_nap(GUEST_NAP_MS);
    int w = open("f", O_WRONLY | O_NONBLOCK);
    CHECK(w >= 0); /* whoever waits in open counts as a reader */
    CHECK(write(w, "hi", 2) == 2);
    close(w);
    CHECK_EXIT(pid, 0);
}

TEST(fifo_open_interrupted)
{
    CHECK(mkfifo("f", 0644) == 0);
    struct sigaction sa = {.sa_handler = on_pipe};
    sigaction(SIGALRM, &sa, NULL);
    ualarm(30000, 0);
    CHECK_ERR(open("f", O_RDONLY), EINTR);
    CHECK_ERR(open("f", O_WRONLY | O_NONBLOCK), ENXIO); /* nobody waits any more */
}

TEST(reopen_through_proc)
{
    int p[2];
    char path[64], buf[4];
    CHECK(pipe(p) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
    int w = open(path, O_WRONLY);
    CHECK(w >= 0);
    close(p[1]);
    CHECK(write(w, "q", 1) == 1 && read(p[0], buf, 4) == 1);
    close(w);
    CHECK(read(p[0], buf, 4) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
    CHECK(read(open(path, O_RDONLY), buf, 4) == 0); /* no writer is waited for */
    CHECK(read(open(path, O_RDONLY | O_NONBLOCK), buf, 4) == 0);
    CHECK(open(path, O_WRONLY) >= 0);
}

TEST(sendfile)
{
    int p[2], f = guest_file_with("data", "0123456789");
    char buf[32];
    CHECK(pipe(p) == 0);
    off_t off = 3;
    CHECK(sendfile(p[1], f, &off, 4) == 4 && off == 7);
    CHECK(read(p[0], buf, 32) == 4 && memcmp(buf, "3456", 4) == 0);
    CHECK(lseek(f, 0, SEEK_CUR) == 0);
    CHECK(sendfile(p[1], f, NULL, 100) == 10 && lseek(f, 0, SEEK_CUR) == 10);
    CHECK(sendfile(p[1], f, NULL, 100) == 0);
    int out = open("copy", O_RDWR | O_CREAT, 0644);
    off = 0;
    CHECK(sendfile(out, f, &off, 10) == 10);
    CHECK(pread(out, buf, 32, 0) == 10);
    CHECK_ERR(sendfile(out, p[0], NULL, 1), EINVAL);
    CHECK_ERR(sendfile(p[0], f, NULL, 1), EBADF);
    CHECK_ERR(sendfile(out, 99, NULL, 1), EBADF);
    off = -1;
    CHECK_ERR(sendfile(out, f, &off, 1), EINVAL);
    CHECK_ERR(sendfile(open("copy", O_WRONLY | O_APPEND), f, NULL, 1), EINVAL);
}

TEST(splice)
{
    int a[2], b[2], f = guest_file_with("data", "abcdefghij");
    char buf[32];
    loff_t off = 2;
    CHECK(pipe2(a, O_NONBLOCK) == 0 && pipe2(b, O_NONBLOCK) == 0);
    CHECK(splice(f, &off, a[1], NULL, 5, 0) == 5 && off == 7);
    CHECK(tee(a[0], b[1], 3, 0) == 3);
    CHECK(read(b[0], buf, 32) == 3 && memcmp(buf, "cde", 3) == 0);
    CHECK(splice(a[0], NULL, b[1], NULL, 100, 0) == 5);
    off = 20;
    CHECK(splice(b[0], NULL, f, &off, 100, 0) == 5 && off == 25);
    CHECK(pread(f, buf, 5, 20) == 5 && memcmp(buf, "cdefg", 5) == 0);
    CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, 0), EAGAIN);
    CHECK_ERR(splice(f, NULL, f, NULL, 1, 0), EINVAL);
    CHECK_ERR(splice(a[0], &off, f, NULL, 1, 0), ESPIPE);
    CHECK_ERR(splice(a[0], NULL, a[1], NULL, 1, 0), EINVAL);
    CHECK_ERR(tee(a[0], a[1], 1, 0), EINVAL);
    CHECK_ERR(tee(f, a[1], 1, 0), EINVAL);
    CHECK_ERR(splice(f, NULL, a[1], NULL, 1, 0x100), EINVAL);
    close(a[1]);
    CHECK(splice(a[0], NULL, b[1], NULL, 1, 0) == 0);
    struct iovec iov[2] = {{(void *)"xy", 2}, {(void *)"z", 1}};
    CHECK(vmsplice(b[1], iov, 2, 0) == 3);
    CHECK(read(b[0], buf, 32) == 3 && memcmp(buf, "xyz", 3) == 0);
    CHECK_ERR(vmsplice(f, iov, 2, 0), EBADF);
}

TEST(copy_file_range)
{
    int f = guest_file_with("data", "abcdefghij"), out = guest_file_with("out", "");
    char buf[32];
    loff_t in_off = 1, out_off = 2;
    CHECK(copy_file_range(f, &in_off, out, &out_off, 4, 0) == 4 && in_off == 5 && out_off == 6);
    CHECK(pread(out, buf, 32, 0) == 6 && memcmp(buf, "\0\0bcde", 6) == 0);
    CHECK(copy_file_range(f, NULL, out, NULL, 100, 0) == 10);
    CHECK(copy_file_range(f, NULL, out, NULL, 100, 0) == 0);
    CHECK_ERR(copy_file_range(f, NULL, out, NULL, 1, 1), EINVAL);
    in_off = 0;
    out_off = 2;
    CHECK_ERR(copy_file_range(f, &in_off, f, &out_off, 4, 0), EINVAL);
    CHECK_ERR(copy_file_range(f, NULL, open(".", O_RDONLY), NULL, 1, 0), EISDIR);
}

static void *close_later(void *arg)
{
    guest_nap(GUEST_NAP_MS);
    close(*(int *)arg);
    return NULL;
}

TEST(blocked_reader_sees_end)
{
    int p[2];
    char c;
    pthread_t th;
    CHECK(pipe(p) == 0);
    CHECK(pthread_create(&th, NULL, close_later, &p[1]) == 0);
    CHECK_EQ(read(p[0], &c, 1), 0);
    pthread_join(th, NULL);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(basic),
        ENTRY(capacity),
        ENTRY(large_blocking_write),
        ENTRY(interrupted_write),
        ENTRY(broken),
        ENTRY(packets),
        ENTRY(fifo),
        ENTRY(fifo_rendezvous),
        ENTRY(fifo_reader_first),
        ENTRY(fifo_open_interrupted),
        ENTRY(reopen_through_proc),
        ENTRY(sendfile),
        ENTRY(splice),
        ENTRY(copy_file_range),
        ENTRY(blocked_reader_sees_end),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
