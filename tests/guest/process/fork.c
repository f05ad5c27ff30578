/* fork, vfork, exit, wait: exit codes, zombies, orphans, what is inherited. */
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "guest_test.h"

static pid_t child_exiting(int code)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        _exit(code);
    }
    return pid;
}

TEST(exit_codes)
{
    CHECK_EXIT(child_exiting(0), 0);
    CHECK_EXIT(child_exiting(1), 1);
    CHECK_EXIT(child_exiting(255), 255);
    CHECK_EXIT(child_exiting(256 + 7), 7);
    CHECK_EXIT(child_exiting(-1), 255);
}

TEST(killed_by_signal)
{
    static const int signals[] = {SIGTERM, SIGKILL, SIGUSR1, SIGPIPE, SIGHUP, SIGALRM};
    for (size_t i = 0; i < COUNT(signals); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            raise(signals[i]);
            _exit(0);
        }
        CHECK_KILLED(pid, signals[i]);
    }
}

TEST(abort_kills)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        abort();
    }
    CHECK_KILLED(pid, SIGABRT);
}

TEST(pids)
{
    int pipes[2];
    CHECK_EQ(pipe(pipes), 0);
    pid_t me = getpid(), pid = fork();
    if (pid == 0) {
        pid_t out[2] = {getpid(), getppid()};
        CHECK_EQ(write(pipes[1], out, sizeof out), sizeof out);
        _exit(0);
    }
    pid_t in[2];
    CHECK_EQ(read(pipes[0], in, sizeof in), sizeof in);
    CHECK_EQ(in[0], pid);
    CHECK_EQ(in[1], me);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(syscall(SYS_gettid), getpid());
}

TEST(zombie_until_waited)
{
    pid_t pid = child_exiting(3);
    siginfo_t info = {0};
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, 3);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(kill(pid, 0), 0); /* a zombie is still there */
    CHECK_EQ(kill(pid, SIGTERM), 0);
    CHECK_EXIT(pid, 3);
    CHECK_ERR(kill(pid, 0), ESRCH);
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(wait_errors)
{
    int status;
    CHECK_ERR(wait(&status), ECHILD);
    CHECK_ERR(waitpid(1 << 21, &status, 0), ECHILD);
    CHECK_ERR(waitpid(-1, &status, 0x1000), EINVAL);
    pid_t pid = child_exiting(0);
    CHECK_ERR(waitid(P_ALL, 0, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_wait4, pid, (int *)8, 0, NULL), EFAULT);
}

TEST(wnohang)
{
    int go[2], status = 77;
    CHECK_EQ(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        CHECK_EQ(read(go[0], &c, 1), 1);
        _exit(4);
    }
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQ(status, 77);
    CHECK_EQ(write(go[1], "g", 1), 1);
    CHECK_EXIT(pid, 4);
}

TEST(wait_any_gets_all)
{
    int seen = 0;
    for (int i = 0; i < 5; i++) {
        child_exiting(i);
    }
    for (int i = 0; i < 5; i++) {
        int status;
        CHECK(wait(&status) > 0);
        CHECK(WIFEXITED(status));
        seen |= 1 << WEXITSTATUS(status);
    }
    CHECK_EQ(seen, 31);
    CHECK_ERR(wait(NULL), ECHILD);
}

TEST(sigchld_ignored_reaps)
{
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = child_exiting(3);
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

static volatile sig_atomic_t child_pid, child_status, child_code;

static void on_child(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    child_pid = info->si_pid;
    child_status = info->si_status;
    child_code = info->si_code;
}

TEST(sigchld_says_who)
{
    struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGCHLD, &sa, NULL), 0);
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGCHLD);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &block, &old), 0);
    pid_t pid = child_exiting(9);
    sigdelset(&old, SIGCHLD);
    CHECK_ERR(sigsuspend(&old), EINTR);
    CHECK_EQ(child_pid, pid);
    CHECK_EQ(child_status, 9);
    CHECK_EQ(child_code, CLD_EXITED);
    CHECK_EXIT(pid, 9);
}

TEST(orphan_gets_a_new_parent)
{
    int out[2];
    CHECK_EQ(pipe(out), 0);
    pid_t middle = fork();
    if (middle == 0) {
        pid_t before = getpid();
        pid_t orphan = fork();
        if (orphan == 0) {
            while (getppid() == before) {
                sched_yield();
            }
            CHECK_EQ(write(out[1], "n", 1), 1);
            _exit(0);
        }
        _exit(0);
    }
    CHECK_EXIT(middle, 0);
    close(out[1]);
    char c;
    CHECK_EQ(read(out[0], &c, 1), 1);
}

TEST(subreaper_adopts)
{
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t middle = fork();
    if (middle == 0) {
        if (fork() == 0) {
            _exit(6);
        }
        _exit(0);
    }
    CHECK_EXIT(middle, 0);
    int status = 0;
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, W_EXITED(6));
    CHECK_ERR(wait(&status), ECHILD);
}

TEST(parent_death_signal)
{
    int out[2];
    CHECK_EQ(pipe(out), 0);
    pid_t middle = fork();
    if (middle == 0) {
        int ready[2];
        CHECK_EQ(pipe(ready), 0);
        if (fork() == 0) {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, NULL);
            CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
            CHECK_EQ(write(ready[1], "r", 1), 1);
            int signo;
            CHECK_EQ(sigwait(&set, &signo), 0);
            CHECK_EQ(write(out[1], "d", 1), 1);
            _exit(0);
        }
        char c;
        CHECK_EQ(read(ready[0], &c, 1), 1);
        _exit(0);
    }
    CHECK_EXIT(middle, 0);
    close(out[1]);
    char c;
    CHECK_EQ(read(out[0], &c, 1), 1);
}

TEST(file_offset_is_shared)
{
    int fd = guest_file_with("f", "abcdef");
    pid_t pid = fork();
    if (pid == 0) {
        char c[2];
        CHECK_EQ(read(fd, c, 2), 2);
        close(fd);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    char c;
    CHECK_EQ(read(fd, &c, 1), 1);
    CHECK_EQ(c, 'c');
}

TEST(descriptors_are_copied)
{
    int fd = guest_file_with("f", "abc");
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(close(fd), 0);
        CHECK_EQ(open("/dev/null", O_RDONLY), fd);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    char c;
    CHECK_EQ(read(fd, &c, 1), 1);
}

TEST(cwd_and_umask_are_copied)
{
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(umask(077), 022);
        CHECK_EQ(chdir("/"), 0);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(umask(022), 022);
    char cwd[512];
    CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, "/") != 0);
}

TEST(stdio_buffers_are_copied)
{
    int pipes[2];
    CHECK_EQ(pipe(pipes), 0);
    FILE *f = fdopen(pipes[1], "w");
    fputs("x", f);
    pid_t pid = fork();
    if (pid == 0) {
        fflush(f);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(fflush(f), 0);
    char buf[4];
    CHECK_EQ(read(pipes[0], buf, 4), 2);
}

TEST(vfork_shares_memory_and_suspends)
{
    static volatile int value;
    pid_t pid = vfork();
    if (pid == 0) {
        value = 5;
        _exit(2);
    }
    CHECK_EQ(value, 5);
    CHECK_EXIT(pid, 2);
}

TEST(atexit_handlers_run_once)
{
    pid_t pid = fork();
    if (pid == 0) {
        exit(8);
    }
    CHECK_EXIT(pid, 8);
}

TEST(rusage_of_children)
{
    struct rusage usage;
    int status;
    pid_t pid = child_exiting(1);
    CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
    CHECK(usage.ru_utime.tv_sec >= 0 && usage.ru_stime.tv_sec < 10);
    CHECK_ERR(getrusage(99, &usage), EINVAL);
}

TEST(many_children)
{
    enum { CHILDREN = 60 };
    pid_t pids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = child_exiting(i);
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        CHECK_EXIT(pids[i], i);
    }
}

TEST(deep_family)
{
    pid_t pid = 0;
    int depth = 0;
    while (depth < 12 && (pid = fork()) == 0) {
        depth++;
    }
    if (pid == 0) {
        _exit(depth);
    }
    int status = guest_wait(pid);
    if (depth == 0) {
        CHECK_EQ(status, W_EXITED(12));
        return;
    }
    _exit(WEXITSTATUS(status));
}

TEST(clone_flags_errors)
{
    CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

TEST(clone_files_shares_table)
{
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
        _exit(dup2(0, 99) == 99 ? 0 : 1);
    }
    CHECK_EXIT((pid_t)pid, 0);
    CHECK(fcntl(99, F_GETFD) >= 0);
}

static const struct guest_test tests[] = {
    ENTRY(exit_codes),
    ENTRY(killed_by_signal),
    ENTRY(abort_kills),
    ENTRY(pids),
    ENTRY(zombie_until_waited),
    ENTRY(wait_errors),
    ENTRY(wnohang),
    ENTRY(wait_any_gets_all),
    ENTRY(sigchld_ignored_reaps),
    ENTRY(sigchld_says_who),
    ENTRY(orphan_gets_a_new_parent),
    ENTRY(subreaper_adopts),
    ENTRY(parent_death_signal),
    ENTRY(file_offset_is_shared),
    ENTRY(descriptors_are_copied),
    ENTRY(cwd_and_umask_are_copied),
    ENTRY(stdio_buffers_are_copied),
    ENTRY(vfork_shares_memory_and_suspends),
    ENTRY(atexit_handlers_run_once),
    ENTRY(rusage_of_children),
    ENTRY(many_children),
    ENTRY(deep_family),
    ENTRY(clone_flags_errors),
    ENTRY(clone_files_shares_table),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
