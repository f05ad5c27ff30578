/* Children: stop, continue, exit reports, ignored SIGCHLD, parent-death signals, process groups. */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest_test.h"

static volatile sig_atomic_t codes[16], ncodes;

static void on_child(int signo, siginfo_t *si, void *uc)
{
    (void)signo;
    (void)uc;
    if (ncodes < 16) {
        codes[ncodes++] = si->si_code;
    }
}

static void test_stop_continue(void)
{
    struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    int status;
    CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    CHECK(kill(pid, SIGTERM) == 0); /* pending while stopped */
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(ncodes >= 3 && codes[0] == CLD_STOPPED && codes[1] == CLD_CONTINUED);
    signal(SIGCHLD, SIG_DFL);
}

/* Stopped in the middle of a sleep or a timed wait: it goes on to the same instant, without EINTR.
 */
static void stopped_sleeper(bool futex)
{
    int fds[2], status;
    char c;
    CHECK(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct timespec ts = {0, 60000000}, t0, t1;
        pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
        clock_gettime(CLOCK_REALTIME, &t0);
        CHECK(write(fds[1], "r", 1) == 1);
        if (futex) {
            struct timespec end = t0;
            end.tv_nsec += ts.tv_nsec;
            end.tv_sec += end.tv_nsec / 1000000000;
            end.tv_nsec %= 1000000000;
            pthread_mutex_lock(&m);
            CHECK(pthread_cond_timedwait(&cond, &m, &end) == ETIMEDOUT);
        } else {
            CHECK(nanosleep(&ts, NULL) == 0);
        }
        clock_gettime(CLOCK_REALTIME, &t1);
        long long ns = (t1.tv_sec - t0.tv_sec) * 1000000000ll + t1.tv_nsec - t0.tv_nsec;
        CHECK(ns >= 60000000 && ns < 5000000000ll);
        _exit(0);
    }
    CHECK(read(fds[0], &c, 1) == 1);
    guest_nap(10);
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    guest_nap(5);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK_EXIT(pid, 0);
}

static void test_stopped_sleep(void)
{
    stopped_sleeper(false);
}

static void test_stopped_futex(void)
{
    stopped_sleeper(true);
}

static void test_ignored_child(void)
{
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
}

static void test_group_kill(void)
{
    int fds[2];
    char c;
    CHECK(pipe(fds) == 0);
    pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        if (fork() == 0) {
            CHECK(getpgrp() == getppid());
            CHECK(write(fds[1], "r", 1) == 1);
            pause();
        }
        pause();
        _exit(0);
    }
    setpgid(leader, leader);
    CHECK(read(fds[0], &c, 1) == 1);
    close(fds[1]);
    CHECK(getpgid(leader) == leader);
    CHECK(kill(-leader, SIGTERM) == 0);
    CHECK(read(fds[0], &c, 1) == 0); /* both are gone */
    int status;
    CHECK(waitpid(-leader, &status, 0) == leader && WTERMSIG(status) == SIGTERM);
    CHECK_ERR(kill(0x7fffffff, 0), ESRCH);
    CHECK_ERR(kill(getpid(), 65), EINVAL);
}

static void test_parent_death(void)
{
    int fds[2];
    char c = 0;
    CHECK(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int ready[2];
        CHECK(pipe(ready) == 0);
        if (fork() == 0) {
            CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
            CHECK(write(ready[1], "r", 1) == 1);
            for (;;) {
                pause();
            }
        }
        CHECK(read(ready[0], &c, 1) == 1);
        _exit(0);
    }
    close(fds[1]);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(read(fds[0], &c, 1) == 0); /* the grandchild died with its parent */
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(stop_continue), ENTRY(stopped_sleep), ENTRY(stopped_futex),
        ENTRY(ignored_child), ENTRY(group_kill),    ENTRY(parent_death),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
