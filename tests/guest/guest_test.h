/* Guest tests: one source that runs natively and inside a universe with the same expectation, so
 * that Linux is the oracle. A test is a function; a file registers its tests in a table and hands
 * it to guest_main. Every test runs in a child process of its own, leader of its own process group,
 * in an empty directory, and is killed after a time limit. The report is TAP: "ok NAME",
 * "ok NAME # SKIP why" or "not ok NAME FILE:LINE what". Arguments: --list, or names (a trailing '*'
 * takes all tests that begin so). Exit status 1 when a test fails, 2 when nothing matches. */
#ifndef EVERETT_TESTS_GUEST_GUEST_TEST_H
#define EVERETT_TESTS_GUEST_GUEST_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct guest_test {
    const char *name;
    void (*run)(void);
};

#define TEST(name) static void test_##name(void)
#define ENTRY(name)                                                                                \
    {                                                                                              \
#name, test_##name                                                                         \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(expr)                                                                                \
    do {                                                                                           \
        if (!(expr)) {                                                                             \
            guest_fail(__FILE__, __LINE__, "%s (errno %d)", #expr, errno);                         \
        }                                                                                          \
    } while (0)
/* Both sides are evaluated once and compared as long long. */
#define CHECK_EQ(left, right)                                                                      \
    do {                                                                                           \
        long long left_ = (long long)(left), right_ = (long long)(right);                          \
        if (left_ != right_) {                                                                     \
            guest_fail(__FILE__, __LINE__, "%s is %lld, not %lld (errno %d)", #left, left_,        \
                       right_, errno);                                                             \
        }                                                                                          \
    } while (0)
/* The call must answer -1 and this errno. */
#define CHECK_ERR(call, code)                                                                      \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long long got_ = (long long)(call);                                                        \
        if (got_ != -1 || errno != (code)) {                                                       \
            guest_fail(__FILE__, __LINE__, "%s gives %lld errno %d, not %s", #call, got_, errno,   \
                       #code);                                                                     \
        }                                                                                          \
    } while (0)
/* The child must end with this exit status. */
#define CHECK_EXIT(pid, code)    CHECK_EQ(guest_wait(pid), W_EXITED(code))
#define CHECK_KILLED(pid, signo) CHECK_EQ(guest_wait(pid) & ~0x80, signo)
#define W_EXITED(code)           ((code) << 8)
#define SKIP(why)                guest_note("skip %s", why)
#define UNUSED                   __attribute__((unused))

enum { GUEST_TIMEOUT_S = 20, GUEST_REPORT_FD = 250, GUEST_NAP_MS = 20 };

/* Ends the calling process with a line for the parent; in a child of a test, the test must notice
 * by its exit status. The first line counts. */
UNUSED __attribute__((noreturn, format(printf, 1, 2))) static void guest_note(const char *fmt, ...)
{
    char line[480];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line - 1, fmt, ap);
    va_end(ap);
    n = n > (int)sizeof line - 2 ? (int)sizeof line - 2 : n;
    line[n++] = '\n';
    ssize_t ignored = write(GUEST_REPORT_FD, line, (size_t)n);
    (void)ignored;
    _exit(strncmp(line, "skip", 4) == 0 ? 0 : 1);
}

UNUSED static const char *guest_file(const char *file)
{
    while (strncmp(file, "../", 3) == 0) {
        file += 3;
    }
    return file;
}

#define guest_fail(file, line, fmt, ...)                                                           \
    guest_note("fail %s:%d " fmt, guest_file(file), line, __VA_ARGS__)

/* Waits for one child; its raw status. */
UNUSED static int guest_wait(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

UNUSED static void guest_nap(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR) {
    }
}

UNUSED static long long guest_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* A new file with these bytes, open for reading and writing. */
UNUSED static int guest_file_with(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

int guest_main(int argc, char **argv, const struct guest_test *tests, size_t count);

#endif
