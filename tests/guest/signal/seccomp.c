/* seccomp(2): filters that answer, trap and kill; strict mode; inheritance; what is no filter. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "guest_test.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(v)   BPF_STMT(BPF_RET | BPF_K, (v))
/* Skips `over` instructions unless A is `value`. */
#define UNLESS(value, over) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (over))

static long install(const struct sock_filter *code, size_t n, unsigned flags)
{
    struct sock_fprog p = {.len = (unsigned short)n,
                           .filter = (struct sock_filter *)(uintptr_t)code};
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* From now on getpgid answers as `action` says. */
static void forbid_getpgid(unsigned action, unsigned flags)
{
    const struct sock_filter code[] = {LOAD(nr), UNLESS(SYS_getpgid, 1), RETURN(action),
                                       RETURN(SECCOMP_RET_ALLOW)};
    CHECK_EQ(install(code, COUNT(code), flags), 0);
}

TEST(answers_an_errno)
{
    CHECK(syscall(SYS_getpgid, 0) > 0);
    forbid_getpgid(SECCOMP_RET_ERRNO | 77, 0);
    CHECK_ERR(syscall(SYS_getpgid, 0), 77);
    CHECK(syscall(SYS_getpid) > 0);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
    forbid_getpgid(SECCOMP_RET_ERRNO | 0, 0); /* of two, the newest */
    CHECK_EQ(syscall(SYS_getpgid, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(syscall(SYS_getpgid, 0) == 0 ? 3 : 4);
    }
    CHECK_EXIT(pid, 3);
}

TEST(sees_arguments)
{
    const struct sock_filter code[] = {LOAD(arch),
                                       UNLESS(AUDIT_ARCH_X86_64, 5),
                                       LOAD(nr),
                                       UNLESS(SYS_dup, 3),
                                       LOAD(args[0]),
                                       UNLESS(777, 1),
                                       RETURN(SECCOMP_RET_ERRNO | 55),
                                       RETURN(SECCOMP_RET_ALLOW)};
    CHECK_EQ(install(code, COUNT(code), 0), 0);
    CHECK_ERR(dup(777), 55);
    CHECK_ERR(dup(778), EBADF);
}

TEST(calculates)
{
    const struct sock_filter code[] = {LOAD(nr),
                                       UNLESS(SYS_getpgid, 11),
                                       BPF_STMT(BPF_LD | BPF_IMM, 7),
                                       BPF_STMT(BPF_MISC | BPF_TAX, 0),
                                       BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),  /* 64 */
                                       BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), /* 9 */
                                       BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2), /* 36 */
                                       BPF_STMT(BPF_ST, 3),
                                       BPF_STMT(BPF_ALU | BPF_NEG, 0),
                                       BPF_STMT(BPF_LDX | BPF_MEM, 3),
                                       BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), /* 0 */
                                       BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO | 88),
                                       BPF_STMT(BPF_RET | BPF_A, 0),
                                       RETURN(SECCOMP_RET_ALLOW)};
    CHECK_EQ(install(code, COUNT(code), 0), 0);
    CHECK_ERR(syscall(SYS_getpgid, 0), 88);
}

TEST(the_strictest_wins)
{
    forbid_getpgid(SECCOMP_RET_ERRNO | 66, 0);
    forbid_getpgid(SECCOMP_RET_LOG, 0);
    CHECK_ERR(syscall(SYS_getpgid, 0), 66);
    forbid_getpgid(SECCOMP_RET_TRACE, 0);
    CHECK_ERR(syscall(SYS_getpgid, 0), 66);
}

static volatile int trapped, trapped_error;

static void on_sys(int signo, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    CHECK_EQ(signo, SIGSYS);
    CHECK_EQ(info->si_code, 1);
    CHECK_EQ(info->si_syscall, SYS_getpgid);
    CHECK_EQ(info->si_arch, AUDIT_ARCH_X86_64);
    CHECK_EQ(u->uc_mcontext.gregs[REG_RAX], SYS_getpgid);
    CHECK_EQ(u->uc_mcontext.gregs[REG_RIP], (uintptr_t)info->si_call_addr);
    trapped++;
    trapped_error = info->si_errno;
    u->uc_mcontext.gregs[REG_RAX] = 4321;
}

TEST(traps)
{
    struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
    CHECK_EQ(sigaction(SIGSYS, &a, NULL), 0);
    forbid_getpgid(SECCOMP_RET_TRAP | 12, 0);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(syscall(SYS_getpgid, 0), 4321);
        CHECK_EQ(trapped, i);
    }
    CHECK_EQ(trapped_error, 12);
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        syscall(SYS_getpgid, 0); /* forced: a blocked SIGSYS kills */
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSYS);
}

static void child_is_killed(unsigned action)
{
    pid_t pid = fork();
    if (pid == 0) {
        forbid_getpgid(action, 0);
        syscall(SYS_getpgid, 0);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSYS);
}

TEST(kills_a_process)
{
    child_is_killed(SECCOMP_RET_KILL_PROCESS);
    child_is_killed(SECCOMP_RET_KILL_THREAD);
    child_is_killed(0x12340000); /* nobody knows it */
}

static volatile pid_t thread_id;
static volatile long answer = -5;

static void *getpgid_in_thread(void *arg)
{
    thread_id = (pid_t)syscall(SYS_gettid);
    answer = syscall(SYS_getpgid, 0);
    return arg;
}

/* A killed thread runs no code of its library's, so that only the kernel can say that it is gone.
 */
TEST(kills_one_thread)
{
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        forbid_getpgid(SECCOMP_RET_KILL_THREAD, 0);
        CHECK_EQ(pthread_create(&thread, NULL, getpgid_in_thread, NULL), 0);
        while (!thread_id || syscall(SYS_tgkill, getpid(), thread_id, 0) == 0) {
            guest_nap(1);
        }
        _exit(answer == -5 ? 9 : 1);
    }
    CHECK_EXIT(pid, 9);
}

static int told[2];

static void *ask_later(void *arg)
{
    char c;
    CHECK_EQ(read(told[0], &c, 1), 1);
    *(int *)arg = syscall(SYS_getpgid, 0) < 0 ? errno : 0;
    return NULL;
}

TEST(brings_threads_in_line)
{
    pthread_t thread;
    int seen = -1;
    CHECK_EQ(pipe(told), 0);
    CHECK_EQ(pthread_create(&thread, NULL, ask_later, &seen), 0);
    forbid_getpgid(SECCOMP_RET_ERRNO | 99, SECCOMP_FILTER_FLAG_TSYNC);
    CHECK_EQ(write(told[1], "x", 1), 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(seen, 99);
}

TEST(strict_mode)
{
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
        syscall(SYS_write, -1, "", 0);
        syscall(SYS_exit, 6);
    }
    CHECK_EXIT(pid, 6);
    pid = fork();
    if (pid == 0) {
        CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), 0);
        syscall(SYS_getpid);
        syscall(SYS_exit, 6);
    }
    CHECK_KILLED(pid, SIGKILL);
}

static void is_no_filter(struct sock_filter a, struct sock_filter b)
{
    const struct sock_filter code[] = {a, b};
    CHECK_ERR(install(code, 2, 0), EINVAL);
}

TEST(refuses_what_is_no_filter)
{
    const struct sock_filter allow = RETURN(SECCOMP_RET_ALLOW), load = LOAD(nr);
    const struct sock_filter too_far = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    const struct sock_filter unaligned = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2);
    const struct sock_filter beyond = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64);
    const struct sock_filter by_zero = BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0);
    const struct sock_filter no_memory = BPF_STMT(BPF_ST, 16);
    const struct sock_filter byte = BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0);
    is_no_filter(allow, load);
    is_no_filter(too_far, allow);
    is_no_filter(unaligned, allow);
    is_no_filter(beyond, allow);
    is_no_filter(by_zero, allow);
    is_no_filter(no_memory, allow);
    is_no_filter(byte, allow);
    CHECK_ERR(install(&allow, 0, 0), EINVAL);
    CHECK_ERR(install(&allow, 1, 1u << 20), EINVAL);
    CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
    CHECK_EQ(install(&allow, 1, 0), 0);
    unsigned action = SECCOMP_RET_TRAP;
    CHECK_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
    action = 0x12340000;
    CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(answers_an_errno),
        ENTRY(sees_arguments),
        ENTRY(calculates),
        ENTRY(the_strictest_wins),
        ENTRY(traps),
        ENTRY(kills_a_process),
        ENTRY(kills_one_thread),
        ENTRY(brings_threads_in_line),
        ENTRY(strict_mode),
        ENTRY(refuses_what_is_no_filter),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
