/* Handlers: information, masks, restart, alternate stack, changes to the interrupted context. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "../guest_test.h"

static volatile sig_atomic_t count, last_code, last_value, order[8], nested;

static void on_info(int signo, siginfo_t *si, void *uc)
{
    (void)uc;
    last_code = si->si_code;
    last_value = si->si_value.sival_int;
    order[count++ % 8] = signo;
}

static void install(int signo, void (*fn)(int, siginfo_t *, void *), int flags, int mask)
{
    struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&sa.sa_mask);
    if (mask) {
        sigaddset(&sa.sa_mask, mask);
    }
    CHECK(sigaction(signo, &sa, NULL) == 0);
}

static void test_codes(void)
{
    install(SIGUSR1, on_info, 0, 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(count == 1 && last_code == SI_USER);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(count == 2 && last_code == SI_TKILL);
    union sigval v = {.sival_int = 42};
    CHECK(sigqueue(getpid(), SIGUSR1, v) == 0);
    CHECK(count == 3 && last_code == SI_QUEUE && last_value == 42);
}

static void test_order(void)
{
    sigset_t all, old;
    count = 0;
    install(SIGRTMIN, on_info, 0, 0);
    install(SIGRTMIN + 1, on_info, 0, 0);
    install(SIGUSR2, on_info, 0, 0);
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, &old) == 0);
    union sigval v = {0};
    sigqueue(getpid(), SIGRTMIN + 1, v);
    sigqueue(getpid(), SIGRTMIN, v);
    sigqueue(getpid(), SIGRTMIN, v);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR2);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGRTMIN) == 1);
    siginfo_t si;
    CHECK(sigwaitinfo(&all, &si) == SIGUSR2);
    CHECK(sigwaitinfo(&all, &si) == SIGRTMIN && si.si_pid == getpid());
    struct timespec zero = {0};
    CHECK(sigtimedwait(&all, &si, &zero) == SIGRTMIN);
    CHECK(sigtimedwait(&all, &si, &zero) == SIGRTMIN + 1);
    CHECK_ERR(sigtimedwait(&all, &si, &zero), EAGAIN);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(count == 0);
}

static int pipe_fds[2];

static void write_byte(int signo)
{
    (void)signo;
    CHECK(write(pipe_fds[1], "x", 1) == 1);
}

static void *sender(void *to)
{
    for (int i = 0; i < 3; i++) {
        usleep(1000);
    }
    pthread_kill(*(pthread_t *)to, SIGUSR1);
    return NULL;
}

static void test_restart(void)
{
    struct sigaction sa = {.sa_handler = write_byte, .sa_flags = SA_RESTART};
    pthread_t self = pthread_self(), other;
    char c = 0;
    CHECK(pipe(pipe_fds) == 0);
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    CHECK(pthread_create(&other, NULL, sender, &self) == 0);
    CHECK(read(pipe_fds[0], &c, 1) == 1 && c == 'x'); /* went on after the handler wrote */
    CHECK(pthread_join(other, NULL) == 0);
    sa.sa_flags = 0;
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    CHECK(pthread_create(&other, NULL, sender, &self) == 0);
    CHECK_ERR(read(pipe_fds[0], &c, 1), EINTR);
    CHECK(pthread_join(other, NULL) == 0);
}

static void skip_fault(int signo, siginfo_t *si, void *ctx)
{
    ucontext_t *uc = ctx;
    CHECK(signo == SIGSEGV && si->si_code == SEGV_MAPERR && si->si_addr == (void *)0x10);
    CHECK(uc->uc_mcontext.gregs[REG_CR2] == 0x10 && uc->uc_mcontext.gregs[REG_TRAPNO] == 14);
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* mov (%rax),%eax is two bytes */
    uc->uc_mcontext.gregs[REG_RAX] = 77;
    count++;
}

static void test_fault(void)
{
    unsigned long rax = 0x10;
    count = 0;
    install(SIGSEGV, skip_fault, 0, 0);
    __asm__ volatile("mov (%%rax),%%eax" : "+a"(rax)::"memory");
    CHECK(count == 1 && rax == 77);
}

static char stack_memory[65536];

static void on_altstack(int signo, siginfo_t *si, void *ctx)
{
    ucontext_t *uc = ctx;
    char here;
    stack_t now;
    (void)signo;
    (void)si;
    CHECK(&here >= stack_memory && &here < stack_memory + sizeof stack_memory);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK);
    CHECK(uc->uc_stack.ss_sp == stack_memory);
    nested++;
}

static void test_altstack(void)
{
    stack_t ss = {.ss_sp = stack_memory, .ss_size = sizeof stack_memory}, old;
    CHECK(sigaltstack(&ss, &old) == 0 && old.ss_flags == SS_DISABLE);
    install(SIGUSR1, on_altstack, SA_ONSTACK, 0);
    raise(SIGUSR1);
    CHECK(nested == 1);
    ss.ss_size = 100;
    CHECK_ERR(sigaltstack(&ss, NULL), ENOMEM);
    ss.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&ss, NULL) == 0);
}

static void clobber_fp(int signo)
{
    (void)signo;
    double zeros[4] = {0};
    __asm__ volatile("movupd %0,%%xmm7\n movupd %0,%%xmm15" ::"m"(zeros) : "xmm7", "xmm15");
    count++;
}

/* The handler's FP registers are its own. */
static void test_fp(void)
{
    double in[2] = {1.5, 2.5}, out[2] = {0};
    struct sigaction sa = {.sa_handler = clobber_fp};
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    count = 0;
    long pid = getpid();
    __asm__ volatile("movupd %1,%%xmm7\n syscall\n movupd %%xmm7,%0"
                     : "=m"(out)
                     : "m"(in), "a"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory", "xmm7", "xmm15");
    CHECK(count == 1 && out[0] == 1.5 && out[1] == 2.5);
}

static int status_of(void (*die)(void))
{
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        die();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void die_term(void)
{
    kill(getpid(), SIGTERM);
}

static void die_abort(void)
{
    signal(SIGABRT, SIG_IGN);
    abort();
}

static void die_blocked_fault(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    volatile int *volatile nowhere = (volatile int *)16;
    *nowhere = 1;
}

static void die_bad_stack(void)
{
    signal(SIGUSR1, clobber_fp);
    __asm__ volatile("mov $16,%%rsp\n syscall" ::"a"((long)SYS_kill), "D"((long)getpid()),
                     "S"((long)SIGUSR1)
                     : "rcx", "r11", "memory");
}

static void test_death(void)
{
    signal(SIGSEGV, SIG_DFL);
    int s = status_of(die_term);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM);
    s = status_of(die_abort);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT);
    s = status_of(die_blocked_fault);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
    s = status_of(die_bad_stack);
    CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV);
}

static void test_sigsuspend(void)
{
    sigset_t block, old, empty;
    install(SIGUSR1, on_info, 0, 0);
    count = 0;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, &old);
    raise(SIGUSR1);
    CHECK(count == 0);
    sigemptyset(&empty);
    CHECK_ERR(sigsuspend(&empty), EINTR);
    CHECK(count == 1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, &old, &now);
    CHECK(sigismember(&now, SIGUSR1) == 1);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(codes),    ENTRY(order), ENTRY(restart), ENTRY(fault),
        ENTRY(altstack), ENTRY(fp),    ENTRY(death),   ENTRY(sigsuspend),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
