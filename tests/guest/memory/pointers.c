/* Ridiculous pointers to system calls: each must answer EFAULT (or what Linux checks first), and
 * leave the program running. The expectation is written by family; Linux is the judge. */
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "guest_test.h"

/* Unmapped low, kernel half, not canonical, the last byte of the address space. */
static const uintptr_t bad[] = {16, 0xffff800000000000ul, 0x8000000000000000ul, ~0ul};

#define BAD(call)                                                                                  \
    for (size_t i = 0; i < COUNT(bad); i++) {                                                      \
        CHECK_ERR(call, EFAULT);                                                                   \
    }
#define P bad[i]

TEST(file_calls)
{
    int fd = guest_file_with("f", "some text");
    BAD(syscall(SYS_read, fd, P, 4));
    BAD(syscall(SYS_write, fd, P, 4));
    BAD(syscall(SYS_pread64, fd, P, 4, 0));
    BAD(syscall(SYS_pwrite64, fd, P, 4, 0));
    BAD(syscall(SYS_open, P, O_RDONLY));
    BAD(syscall(SYS_openat, AT_FDCWD, P, O_RDONLY));
    BAD(syscall(SYS_stat, P, P));
    BAD(syscall(SYS_stat, "f", P));
    BAD(syscall(SYS_fstat, fd, P));
    BAD(syscall(SYS_readlink, "/proc/self/exe", P, 100));
    BAD(syscall(SYS_getcwd, P, 100));
    BAD(syscall(SYS_access, P, F_OK));
    BAD(syscall(SYS_unlink, P));
    BAD(syscall(SYS_rename, "f", P));
    BAD(syscall(SYS_mkdir, P, 0755));
    BAD(syscall(SYS_chmod, P, 0755));
    BAD(syscall(SYS_getdents64, open(".", O_RDONLY), P, 1000));
    BAD(syscall(SYS_statfs, ".", P));
    BAD(syscall(SYS_pipe2, P, 0));
    BAD(syscall(SYS_setxattr, "f", P, "v", 1, 0));
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 9); /* nothing was written on the way */
}

TEST(vectors)
{
    int fd = guest_file_with("f", "some text");
    BAD(syscall(SYS_readv, fd, P, 1));
    BAD(syscall(SYS_writev, fd, P, 1));
    struct iovec iov = {(void *)16, 4};
    CHECK_ERR(readv(fd, &iov, 1), EFAULT);
    char buf[2];
    struct iovec two[2] = {{buf, 2}, {(void *)16, 4}};
    CHECK_EQ(readv(fd, two, 2), 2); /* the good part counts */
    CHECK_ERR(syscall(SYS_readv, fd, two, 2000), EINVAL);
    CHECK_ERR(syscall(SYS_readv, fd, two, -1), EINVAL);
    struct iovec huge[2] = {{buf, SIZE_MAX / 2 + 10}, {buf, 2}};
    CHECK_ERR(readv(fd, huge, 2), EINVAL);
}

TEST(partly_mapped_buffers)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(munmap(p + 4096, 4096), 0);
    int pipes[2];
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(write(pipes[1], "0123456789", 10), 10);
    CHECK_ERR(read(pipes[0], p + 4096, 10), EFAULT);
    char *tail = p + 4096 - 6;
    memcpy(tail, "./miss", 6);
    CHECK_ERR(open(tail, O_RDONLY), EFAULT); /* no end of the string before the hole */
    memcpy(tail, "./mis\0", 6);
    CHECK_ERR(open(tail, O_RDONLY), ENOENT);
}

TEST(read_only_result)
{
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_ERR(syscall(SYS_read, guest_file_with("f", "abc"), p, 3), EFAULT);
    CHECK_ERR(syscall(SYS_pipe2, p, 0), EFAULT);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p), EFAULT);
    CHECK_ERR(syscall(SYS_getcwd, p, 4096), EFAULT);
    CHECK_EQ(syscall(SYS_write, open("/dev/null", O_WRONLY), p, 3), 3);
}

TEST(signal_calls)
{
    BAD(syscall(SYS_rt_sigaction, SIGUSR1, P, NULL, 8));
    BAD(syscall(SYS_rt_sigaction, SIGUSR1, NULL, P, 8));
    BAD(syscall(SYS_rt_sigprocmask, SIG_BLOCK, P, NULL, 8));
    BAD(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, P, 8));
    BAD(syscall(SYS_rt_sigpending, P, 8));
    BAD(syscall(SYS_rt_sigsuspend, P, 8));
    BAD(syscall(SYS_rt_sigtimedwait, P, NULL, NULL, 8));
    BAD(syscall(SYS_sigaltstack, P, NULL));
    BAD(syscall(SYS_setitimer, ITIMER_REAL, P, NULL));
    BAD(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, P));
}

TEST(wait_calls)
{
    int ep = epoll_create1(0), pipes[2];
    struct epoll_event ev = {.events = EPOLLIN};
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(write(pipes[1], "x", 1), 1);
    BAD(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, pipes[0], P));
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &ev), 0);
    BAD(syscall(SYS_epoll_wait, ep, P, 4, 0));
    BAD(syscall(SYS_poll, P, 2, 0));
    BAD(syscall(SYS_select, 3, P, NULL, NULL, NULL));
    BAD(syscall(SYS_ppoll, NULL, 0, P, NULL, 8));
    BAD(syscall(SYS_nanosleep, P, NULL));
    BAD(syscall(SYS_futex, P & ~3ul, 0, 0, NULL, NULL, 0));
}

TEST(socket_calls)
{
    int s[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    BAD(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, P));
    BAD(syscall(SYS_sendto, s[0], P, 4, 0, NULL, 0));
    CHECK_EQ(write(s[1], "x", 1), 1);
    BAD(syscall(SYS_recvfrom, s[0], P, 4, 0, NULL, NULL));
    BAD(syscall(SYS_sendmsg, s[0], P, 0));
    BAD(syscall(SYS_recvmsg, s[0], P, 0));
    BAD(syscall(SYS_getsockname, s[0], P, P));
    BAD(syscall(SYS_setsockopt, s[0], SOL_SOCKET, SO_SNDBUF, P, 4));
    BAD(syscall(SYS_getsockopt, s[0], SOL_SOCKET, SO_SNDBUF, P, P));
    BAD(syscall(SYS_connect, socket(AF_INET, SOCK_STREAM, 0), P, 16));
}

TEST(process_calls)
{
    BAD(syscall(SYS_getrlimit, RLIMIT_NOFILE, P));
    BAD(syscall(SYS_setrlimit, RLIMIT_NOFILE, P));
    BAD(syscall(SYS_getrusage, RUSAGE_SELF, P));
    BAD(syscall(SYS_sysinfo, P));
    BAD(syscall(SYS_uname, P));
    BAD(syscall(SYS_times, P));
    BAD(syscall(SYS_getresuid, P, P, P));
    BAD(syscall(SYS_sched_getaffinity, 0, 128, P));
    BAD(syscall(SYS_getrandom, P, 16, 0));
    BAD(syscall(SYS_execve, P, NULL, NULL));
    BAD(syscall(SYS_capget, P, NULL));
    BAD(syscall(SYS_prctl, 15 /* PR_SET_NAME */, P));
}

TEST(bad_result_of_wait_still_reaps)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    CHECK_ERR(syscall(SYS_wait4, pid, 16, 0, NULL), EFAULT);
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(unknown_numbers)
{
    CHECK_ERR(syscall(500), ENOSYS);
    CHECK_ERR(syscall(100000), ENOSYS);
    CHECK_ERR(syscall(-1), ENOSYS);
    CHECK_ERR(syscall(180), ENOSYS); /* nfsservctl: gone since 3.1 */
}

static const struct guest_test tests[] = {
    ENTRY(file_calls),       ENTRY(vectors),       ENTRY(partly_mapped_buffers),
    ENTRY(read_only_result), ENTRY(signal_calls),  ENTRY(wait_calls),
    ENTRY(socket_calls),     ENTRY(process_calls), ENTRY(bad_result_of_wait_still_reaps),
    ENTRY(unknown_numbers),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
