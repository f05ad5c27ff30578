/* epoll, eventfd, timerfd, signalfd, pidfd, poll, select. */
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "../guest_test.h"

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1u << 28)
#endif

static volatile sig_atomic_t caught;
static void *volatile bad = (void *)8; /* nothing is mapped there */

static void on_signal(int signo)
{
    caught = signo;
}

static int add(int ep, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)fd};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static int wait_now(int ep, struct epoll_event *ev, int max)
{
    return epoll_wait(ep, ev, max, 0);
}

TEST(eventfd)
{
    uint64_t v;
    int e = eventfd(3, EFD_NONBLOCK);
    CHECK(read(e, &v, 8) == 8 && v == 3);
    CHECK_ERR(read(e, &v, 8), EAGAIN);
    CHECK_ERR(read(e, &v, 7), EINVAL);
    v = UINT64_MAX;
    CHECK_ERR(write(e, &v, 8), EINVAL);
    v = UINT64_MAX - 1;
    CHECK(write(e, &v, 8) == 8);
    v = 1;
    CHECK_ERR(write(e, &v, 8), EAGAIN);
    struct pollfd p = {.fd = e, .events = POLLIN | POLLOUT};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
    int s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CHECK(read(s, &v, 8) == 8 && v == 1 && read(s, &v, 8) == 8 && v == 1);
    CHECK_ERR(read(s, &v, 8), EAGAIN);
    CHECK_ERR(eventfd(0, 0x40), EINVAL);
    CHECK(lseek(e, 5, SEEK_SET) == 0);
}

TEST(epoll_errors)
{
    int ep = epoll_create1(EPOLL_CLOEXEC), p[2], f = guest_file_with("f", "x");
    struct epoll_event ev[4];
    CHECK(ep >= 0 && pipe(p) == 0);
    CHECK_ERR(epoll_create1(1), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK_ERR(add(ep, f, EPOLLIN), EPERM);
    CHECK_ERR(add(ep, ep, EPOLLIN), EINVAL);
    CHECK_ERR(add(ep, 99, EPOLLIN), EBADF);
    CHECK_ERR(add(99, p[0], EPOLLIN), EBADF);
    CHECK_ERR(add(p[1], p[0], EPOLLIN), EINVAL);
    CHECK(add(ep, p[0], EPOLLIN) == 0);
    CHECK_ERR(add(ep, p[0], EPOLLIN), EEXIST);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], ev), ENOENT);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], NULL), ENOENT);
    CHECK_ERR(epoll_ctl(ep, 77, p[0], ev), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], NULL), EFAULT);
    CHECK_ERR(epoll_wait(ep, ev, 0, 0), EINVAL);
    CHECK_ERR(epoll_wait(p[0], ev, 1, 0), EINVAL);
    CHECK_ERR(epoll_wait(99, ev, 1, 0), EBADF);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK_ERR(epoll_wait(ep, bad, 1, 0), EFAULT);
    CHECK(wait_now(ep, ev, 4) == 1); /* the event is not lost */
    char c;
    CHECK_ERR(read(ep, &c, 1), EINVAL);
}

TEST(epoll_level_and_edge)
{
    int ep = epoll_create1(0), p[2], q[2];
    struct epoll_event ev[4];
    char buf[8];
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    CHECK(add(ep, p[0], EPOLLIN) == 0 && add(ep, q[0], EPOLLIN | EPOLLET) == 0);
    CHECK(wait_now(ep, ev, 4) == 0);
    CHECK(write(q[1], "ab", 2) == 2 && write(p[1], "ab", 2) == 2);
    CHECK(wait_now(ep, ev, 4) == 2);
    CHECK(ev[0].data.fd == q[0] && ev[1].data.fd == p[0]); /* order of the wake-ups */
    CHECK(read(q[0], buf, 1) == 1 && read(p[0], buf, 1) == 1);
    CHECK(wait_now(ep, ev, 4) == 1 && ev[0].data.fd == p[0]);
    CHECK(write(q[1], "c", 1) == 1); /* every write is an edge */
    CHECK(wait_now(ep, ev, 4) == 2);
    close(q[1]);
    CHECK(wait_now(ep, ev, 4) == 2);
    CHECK(read(p[0], buf, 8) == 1);
    CHECK(wait_now(ep, ev, 4) == 0);
    struct epoll_event mod = {.events = EPOLLIN | EPOLLET, .data.fd = q[0]};
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, q[0], &mod) == 0);
    CHECK(wait_now(ep, ev, 4) == 1 && ev[0].events == (EPOLLIN | EPOLLHUP));
}

TEST(epoll_oneshot_and_rotation)
{
    int ep = epoll_create1(0), e[3];
    struct epoll_event ev[4];
    for (int i = 0; i < 3; i++) {
        e[i] = eventfd(1, EFD_NONBLOCK);
        CHECK(add(ep, e[i], EPOLLIN | (i == 2 ? EPOLLONESHOT : 0)) == 0);
    }
    CHECK(wait_now(ep, ev, 1) == 1 && ev[0].data.fd == e[0]);
    CHECK(wait_now(ep, ev, 1) == 1 && ev[0].data.fd == e[1]);
    CHECK(wait_now(ep, ev, 1) == 1 && ev[0].data.fd == e[2]);
    CHECK(wait_now(ep, ev, 4) == 2 && ev[0].data.fd == e[0]);
    struct epoll_event mod = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = e[2]};
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, e[2], &mod) == 0);
    CHECK(wait_now(ep, ev, 4) == 3);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, e[0], NULL) == 0);
    CHECK(wait_now(ep, ev, 4) == 1 && ev[0].data.fd == e[1]);
}

TEST(epoll_close_and_dup)
{
    int ep = epoll_create1(0), e = eventfd(1, 0), d = dup(e);
    struct epoll_event ev[4];
    CHECK(add(ep, e, EPOLLIN) == 0);
    CHECK(add(ep, d, EPOLLIN) == 0); /* another number is another registration */
    CHECK(wait_now(ep, ev, 4) == 2);
    close(d);
    CHECK(wait_now(ep, ev, 4) == 2); /* the description lives on */
    close(e);
    CHECK(wait_now(ep, ev, 4) == 0);
}

TEST(epoll_nested)
{
    int a = epoll_create1(0), b = epoll_create1(0), e = eventfd(0, EFD_NONBLOCK);
    struct epoll_event ev[2];
    CHECK(add(a, b, EPOLLIN) == 0 && add(b, e, EPOLLIN) == 0);
    CHECK_ERR(add(b, a, EPOLLIN), ELOOP);
    CHECK(wait_now(a, ev, 2) == 0);
    uint64_t v = 1;
    CHECK(write(e, &v, 8) == 8);
    CHECK(wait_now(a, ev, 2) == 1 && ev[0].data.fd == b);
    struct pollfd p = {.fd = a, .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
    CHECK(read(e, &v, 8) == 8);
    CHECK(poll(&p, 1, 0) == 0);
    int chain[7];
    for (int i = 0; i < 7; i++) {
        chain[i] = epoll_create1(0);
    }
    int made = 0;
    for (int i = 0; i < 6 && add(chain[i], chain[i + 1], EPOLLIN) == 0; i++) {
        made++;
    }
    CHECK(errno == ELOOP && made == 4);
}

TEST(epoll_exclusive)
{
    int ep = epoll_create1(0), e = eventfd(0, EFD_NONBLOCK);
    struct epoll_event ev[2];
    CHECK(add(ep, e, EPOLLIN | EPOLLEXCLUSIVE) == 0);
    struct epoll_event mod = {.events = EPOLLIN, .data.fd = e};
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, e, &mod), EINVAL);
    CHECK_ERR(add(ep, epoll_create1(0), EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    CHECK_ERR(add(ep, eventfd(0, 0), EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE), EINVAL);
    uint64_t v = 1;
    CHECK(write(e, &v, 8) == 8 && wait_now(ep, ev, 2) == 1);
}

static void *write_later(void *arg)
{
    uint64_t v = 1;
    guest_nap(GUEST_NAP_MS);
    CHECK(write(*(int *)arg, &v, 8) == 8);
    return NULL;
}

TEST(epoll_blocking)
{
    int ep = epoll_create1(0), e = eventfd(0, 0);
    struct epoll_event ev[2];
    pthread_t th;
    CHECK(add(ep, e, EPOLLIN) == 0);
    long long t0 = guest_now_ns();
    CHECK(epoll_wait(ep, ev, 2, 30) == 0);
    CHECK(guest_now_ns() - t0 >= 30000000);
    pthread_create(&th, NULL, write_later, &e);
    CHECK(epoll_wait(ep, ev, 2, -1) == 1);
    pthread_join(th, NULL);
    struct timespec zero = {0, 0}, wrong = {0, 2000000000};
    CHECK(syscall(SYS_epoll_pwait2, ep, ev, 2, &zero, NULL, 8) == 1);
    CHECK_ERR(syscall(SYS_epoll_pwait2, ep, ev, 2, &wrong, NULL, 8), EINVAL);
}

TEST(epoll_signal)
{
    int ep = epoll_create1(0);
    struct epoll_event ev[2];
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    ualarm(20000, 0);
    CHECK_ERR(epoll_wait(ep, ev, 2, -1), EINTR); /* never restarted (signal(7)) */
    CHECK(caught == SIGALRM);
    caught = 0;
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    ualarm(20000, 0);
    CHECK(epoll_wait(ep, ev, 2, 60) == 0 && !caught);
    CHECK_ERR(epoll_pwait(ep, ev, 2, -1, &none), EINTR);
    CHECK(caught == SIGALRM);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGALRM));
}

TEST(poll)
{
    int p[2], f = guest_file_with("f", "x");
    CHECK(pipe(p) == 0);
    struct pollfd fds[4] = {
        {p[0], POLLIN, 99}, {p[1], POLLOUT, 99}, {-1, POLLIN, 99}, {f, POLLIN | POLLOUT, 0}};
    CHECK(poll(fds, 4, 0) == 2);
    CHECK(fds[0].revents == 0 && fds[1].revents == POLLOUT && fds[2].revents == 0);
    CHECK(fds[3].revents == (POLLIN | POLLOUT));
    fds[2].fd = 99;
    CHECK(poll(fds, 3, 0) == 2 && fds[2].revents == POLLNVAL);
    long long t0 = guest_now_ns();
    CHECK(poll(fds, 1, 30) == 0 && guest_now_ns() - t0 >= 30000000);
    CHECK(poll(NULL, 0, 10) == 0);
    CHECK_ERR(poll(bad, 1, 0), EFAULT);
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    ualarm(20000, 0);
    CHECK_ERR(poll(fds, 1, -1), EINTR);
    struct timespec ts = {0, -1};
    CHECK_ERR(ppoll(fds, 1, &ts, NULL), EINVAL);
}

TEST(select)
{
    int p[2];
    CHECK(pipe(p) == 0);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    struct timeval tv = {5, 0};
    CHECK(select(p[1] + 1, &in, &out, NULL, &tv) == 1);
    CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    FD_SET(p[0], &in);
    tv = (struct timeval){0, 20000};
    CHECK(syscall(SYS_select, p[1] + 1, &in, NULL, NULL, &tv) == 0);
    CHECK(tv.tv_sec == 0 && tv.tv_usec == 0 && !FD_ISSET(p[0], &in));
    CHECK(write(p[1], "x", 1) == 1);
    FD_SET(p[0], &in);
    tv = (struct timeval){1000, 0};
    CHECK(select(p[1] + 1, &in, NULL, NULL, &tv) == 1);
    CHECK(tv.tv_sec >= 999); /* the rest of the time */
    close(p[0]);
    FD_SET(p[0], &in);
    CHECK_ERR(select(p[0] + 1, &in, NULL, NULL, &tv), EBADF);
    CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
    tv.tv_sec = -1;
    CHECK_ERR(select(0, NULL, NULL, NULL, &tv), EINVAL);
}

TEST(timerfd)
{
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    uint64_t v;
    struct itimerspec it = {.it_value = {0, 10000000}}, old;
    CHECK(t >= 0);
    CHECK_ERR(read(t, &v, 8), EAGAIN);
    CHECK(timerfd_settime(t, 0, &it, NULL) == 0);
    CHECK(timerfd_gettime(t, &old) == 0 && old.it_value.tv_nsec > 0 &&
          old.it_interval.tv_nsec == 0);
    struct pollfd p = {.fd = t, .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 0);
    CHECK(poll(&p, 1, 1000) == 1);
    CHECK(read(t, &v, 8) == 8 && v == 1);
    CHECK_ERR(read(t, &v, 8), EAGAIN);
    it.it_interval.tv_nsec = 1000000;
    CHECK(timerfd_settime(t, 0, &it, &old) == 0 && old.it_value.tv_nsec == 0);
    guest_nap(50);
    CHECK(read(t, &v, 8) == 8 && v >= 30);
    it = (struct itimerspec){0};
    CHECK(timerfd_settime(t, 0, &it, &old) == 0 && old.it_interval.tv_nsec == 1000000);
    /* Absolute and in the past: at once. */
    it.it_value.tv_nsec = 1;
    CHECK(timerfd_settime(t, TFD_TIMER_ABSTIME, &it, NULL) == 0);
    CHECK(poll(&p, 1, 1000) == 1 && read(t, &v, 8) == 8 && v == 1);
    it.it_value.tv_nsec = 1000000000;
    CHECK_ERR(timerfd_settime(t, 0, &it, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(eventfd(0, 0), 0, &old, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(99, 0, &old, NULL), EBADF);
    CHECK_ERR(timerfd_settime(t, 8, &old, NULL), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 2), EINVAL);
    CHECK_ERR(read(t, &v, 4), EINVAL);
}

TEST(signalfd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int s = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), ep = epoll_create1(0);
    struct signalfd_siginfo si[3];
    struct epoll_event ev[2];
    CHECK(s >= 0);
    CHECK_ERR(read(s, si, sizeof si), EAGAIN);
    CHECK_ERR(read(s, si, 100), EINVAL);
    CHECK(add(ep, s, EPOLLIN) == 0);
    kill(getpid(), SIGUSR1);
    CHECK(wait_now(ep, ev, 2) == 1);
    CHECK(read(s, si, sizeof si) == sizeof si[0]);
    CHECK(si[0].ssi_signo == SIGUSR1 && si[0].ssi_pid == (uint32_t)getpid() &&
          si[0].ssi_code == SI_USER);
    CHECK(wait_now(ep, ev, 2) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(5);
    }
    CHECK(epoll_wait(ep, ev, 2, 5000) == 1);
    CHECK(read(s, si, sizeof si) == sizeof si[0]);
    CHECK(si[0].ssi_signo == SIGCHLD && si[0].ssi_status == 5 && si[0].ssi_pid == (uint32_t)pid);
    CHECK_EXIT(pid, 5);
    sigdelset(&set, SIGUSR1);
    CHECK(signalfd(s, &set, 0) == s);
    kill(getpid(), SIGUSR1);
    CHECK_ERR(read(s, si, sizeof si), EAGAIN);
    CHECK_ERR(signalfd(ep, &set, 0), EINVAL);
    CHECK_ERR(signalfd(-1, &set, 4), EINVAL);
}

TEST(pidfd)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    int p = (int)syscall(SYS_pidfd_open, pid, 0);
    CHECK(p >= 0);
    struct pollfd pf = {.fd = p, .events = POLLIN};
    CHECK(poll(&pf, 1, 0) == 0);
    CHECK(fcntl(p, F_GETFD) == FD_CLOEXEC);
    CHECK(syscall(SYS_pidfd_send_signal, p, 0, NULL, 0) == 0);
    CHECK(syscall(SYS_pidfd_send_signal, p, SIGKILL, NULL, 0) == 0);
    CHECK(poll(&pf, 1, 5000) == 1 && pf.revents & POLLIN);
    CHECK_KILLED(pid, SIGKILL);
    CHECK(poll(&pf, 1, 0) == 1);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, p, 0, NULL, 0), ESRCH);
    CHECK_ERR(syscall(SYS_pidfd_open, pid, 0), ESRCH);
    CHECK_ERR(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_open, -1, 0), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0), EBADF);
}

TEST(pidfd_is_a_directory_of_proc)
{
    char path[32];
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    snprintf(path, sizeof path, "/proc/%d", pid);
    int p = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(p >= 0);
    CHECK(syscall(SYS_pidfd_send_signal, p, SIGKILL, NULL, 0) == 0);
    CHECK_KILLED(pid, SIGKILL);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, p, 0, NULL, 0), ESRCH);
    int other = open("/proc", O_RDONLY | O_DIRECTORY);
    CHECK_ERR(syscall(SYS_pidfd_send_signal, other, 0, NULL, 0), EBADF);
}

TEST(clone_pidfd)
{
    int p = -1;
    siginfo_t si = {0};
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &p, NULL, 0);
    if (pid == 0) {
        _exit(fcntl(p, F_GETFD) == -1 ? 9 : 1); /* the child does not have it */
    }
    CHECK(pid > 0 && p >= 0);
    CHECK_ERR(waitid(P_PIDFD, 0, &si, WEXITED), EBADF);
    CHECK(waitid(P_PIDFD, (id_t)p, &si, WEXITED) == 0);
    CHECK(si.si_pid == pid && si.si_status == 9);
    CHECK_ERR(waitid(P_PIDFD, (id_t)p, &si, WEXITED), ECHILD);
}

/* A stop in the middle of poll is invisible; the time limit stays. */
TEST(poll_over_stop)
{
    pid_t pid = fork();
    if (pid == 0) {
        long long t0 = guest_now_ns();
        int r = poll(NULL, 0, 150);
        long long took = guest_now_ns() - t0;
        _exit(r == 0 && took >= 150000000 && took < 5000000000 ? 0 : 1);
    }
    guest_nap(GUEST_NAP_MS);
    kill(pid, SIGSTOP);
    int status;
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    kill(pid, SIGCONT);
    CHECK_EXIT(pid, 0);
}

TEST(random)
{
    unsigned char a[300] = {0}, b[300] = {0};
    CHECK(syscall(SYS_getrandom, a, sizeof a, 0) == sizeof a);
    CHECK(syscall(SYS_getrandom, b, sizeof b, 1) == sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK_ERR(syscall(SYS_getrandom, a, 1, 8), EINVAL);
    CHECK_ERR(syscall(SYS_getrandom, a, 1, 6), EINVAL);
    CHECK_ERR(syscall(SYS_getrandom, 8, 16, 0), EFAULT);
    CHECK(syscall(SYS_getrandom, a, 0, 0) == 0);
    int u = open("/dev/urandom", O_RDONLY);
    CHECK(u >= 0 && read(u, a, 300) == 300);
    int z = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR),
        n = open("/dev/null", O_RDWR);
    CHECK(read(z, a, 10) == 10 && a[9] == 0);
    CHECK_ERR(write(full, a, 1), ENOSPC);
    CHECK(read(n, a, 1) == 0 && write(n, bad, 100) == 100);
    CHECK_ERR(add(epoll_create1(0), n, EPOLLIN), EPERM);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(eventfd),
        ENTRY(epoll_errors),
        ENTRY(epoll_level_and_edge),
        ENTRY(epoll_oneshot_and_rotation),
        ENTRY(epoll_close_and_dup),
        ENTRY(epoll_nested),
        ENTRY(epoll_exclusive),
        ENTRY(epoll_blocking),
        ENTRY(epoll_signal),
        ENTRY(poll),
        ENTRY(select),
        ENTRY(timerfd),
        ENTRY(signalfd),
        ENTRY(pidfd),
        ENTRY(pidfd_is_a_directory_of_proc),
        ENTRY(clone_pidfd),
        ENTRY(poll_over_stop),
        ENTRY(random),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
