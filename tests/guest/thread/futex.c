/* The futex call itself, and clone with the flags of a thread library. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "guest_test.h"

static long futex(uint32_t *at, int op, uint32_t value, const void *timeout, uint32_t *other,
                  uint32_t value3)
{
    return syscall(SYS_futex, at, op, value, timeout, other, value3);
}

struct waiter {
    uint32_t *at;
    uint32_t bits;
    long result;
    int error;
    volatile int started;
};

static void *wait_on(void *arg)
{
    struct waiter *w = arg;
    __atomic_store_n(&w->started, 1, __ATOMIC_RELEASE);
    w->result = futex(w->at, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, w->bits);
    w->error = errno;
    return NULL;
}

static pthread_t start_waiter(struct waiter *w)
{
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, wait_on, w), 0);
    while (!__atomic_load_n(&w->started, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
    guest_nap(GUEST_NAP_MS); /* natively nothing says that it sleeps by now */
    return t;
}

TEST(value_changed)
{
    uint32_t word = 1;
    CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(errors)
{
    uint32_t words[2] = {0, 0};
    CHECK_ERR(futex((uint32_t *)((char *)words + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex(words, 77, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    struct timespec wrong = {0, 1000000000};
    CHECK_ERR(futex(words, FUTEX_WAIT, 0, &wrong, NULL, 0), EINVAL);
    CHECK_ERR(futex(words, FUTEX_WAIT, 0, (void *)16, NULL, 0), EFAULT);
    CHECK_ERR(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
}

TEST(relative_timeout)
{
    uint32_t word = 0;
    struct timespec limit = {0, 30000000};
    long long before = guest_now_ns();
    CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &limit, NULL, 0), ETIMEDOUT);
    CHECK(guest_now_ns() - before >= 30000000);
}

TEST(absolute_timeout)
{
    uint32_t word = 0;
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &limit, NULL, ~0u), ETIMEDOUT); /* in the past */
    limit.tv_nsec += 20000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &limit, NULL, ~0u), ETIMEDOUT);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(now.tv_sec * 1000000000ll + now.tv_nsec >= limit.tv_sec * 1000000000ll + limit.tv_nsec);
    clock_gettime(CLOCK_REALTIME, &limit);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &limit, NULL, ~0u),
              ETIMEDOUT);
}

TEST(wake_counts)
{
    static uint32_t word;
    struct waiter w[3];
    pthread_t t[3];
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = (struct waiter){.at = &word, .bits = ~0u};
        t[i] = start_waiter(&w[i]);
    }
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
    for (size_t i = 0; i < COUNT(w); i++) {
        pthread_join(t[i], NULL);
        CHECK_EQ(w[i].result, 0);
    }
}

TEST(wake_by_bits)
{
    static uint32_t word;
    struct waiter one = {.at = &word, .bits = 1}, two = {.at = &word, .bits = 2};
    pthread_t t1 = start_waiter(&one), t2 = start_waiter(&two);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 4), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2), 1);
    pthread_join(t2, NULL);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 3), 1);
    pthread_join(t1, NULL);
}

TEST(requeue)
{
    static uint32_t from, to;
    struct waiter w[3];
    pthread_t t[3];
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = (struct waiter){.at = &from, .bits = ~0u};
        t[i] = start_waiter(&w[i]);
    }
    CHECK_ERR(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &to, 5), EAGAIN);
    CHECK_EQ(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &to, 0), 3);
    CHECK_EQ(futex(&from, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&to, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 2);
    for (size_t i = 0; i < COUNT(w); i++) {
        pthread_join(t[i], NULL);
    }
}

TEST(wake_op)
{
    static uint32_t a, b;
    struct waiter w = {.at = &a, .bits = ~0u};
    pthread_t t = start_waiter(&w);
    /* b = 5; wake a; wake b when it was 1 (it was 0) */
    uint32_t op = FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 1);
    CHECK_EQ(futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b, op), 1);
    CHECK_EQ(b, 5);
    pthread_join(t, NULL);
}

TEST(shared_between_processes)
{
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) {
            futex(word, FUTEX_WAIT, 0, NULL, NULL, 0);
        }
        _exit((int)*word);
    }
    guest_nap(10);
    __atomic_store_n(word, 6, __ATOMIC_RELEASE);
    futex(word, FUTEX_WAKE, 1, NULL, NULL, 0);
    CHECK_EXIT(pid, 6);
}

TEST(shared_by_file_not_address)
{
    int fd = guest_file_with("f", "0000");
    uint32_t *one = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *one = 0;
    pid_t pid = fork();
    if (pid == 0) {
        uint32_t *two = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        while (__atomic_load_n(two, __ATOMIC_ACQUIRE) == 0) {
            futex(two, FUTEX_WAIT, 0, NULL, NULL, 0);
        }
        _exit(3);
    }
    guest_nap(10);
    __atomic_store_n(one, 1, __ATOMIC_RELEASE);
    futex(one, FUTEX_WAKE, 1, NULL, NULL, 0);
    CHECK_EXIT(pid, 3);
}

static void interrupt(int signo)
{
}

TEST(interrupted_by_signal)
{
    uint32_t word = 0;
    struct sigaction sa = {.sa_handler = interrupt};
    CHECK_EQ(sigaction(SIGALRM, &sa, NULL), 0);
    ualarm(20000, 0);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
}

TEST(wait_on_several)
{
    struct entry { /* struct futex_waitv, in headers since Linux 5.16 */
        uint64_t value, address;
        uint32_t flags, reserved;
    };
    static uint32_t words[2];
    struct entry v[2] = {{0, (uintptr_t)&words[0], 2 | 128, 0},
                         {0, (uintptr_t)&words[1], 2 | 128, 0}};
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    long r = syscall(449, v, 2, 0, &limit, CLOCK_MONOTONIC);
    if (r == -1 && errno == ENOSYS) {
        SKIP("no futex_waitv here");
    }
    CHECK(r == -1 && errno == ETIMEDOUT);
    v[1].value = 9;
    CHECK_ERR(syscall(449, v, 2, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
    CHECK_ERR(syscall(449, v, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
}

static int clone_child(void *arg)
{
    int *shared = arg;
    *shared = (int)syscall(SYS_gettid);
    return 5;
}

TEST(clone_with_memory)
{
    static char stack[65536] __attribute__((aligned(16)));
    static int shared;
    int pid = clone(clone_child, stack + sizeof stack, CLONE_VM | SIGCHLD, &shared);
    CHECK(pid > 0);
    CHECK_EXIT(pid, 5);
    CHECK_EQ(shared, pid);
}

TEST(clone_tid_pointers)
{
    static char stack[65536] __attribute__((aligned(16)));
    static int shared;
    static pid_t parent_tid, child_tid = -1;
    int flags =
        CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD;
    int pid =
        clone(clone_child, stack + sizeof stack, flags, &shared, &parent_tid, NULL, &child_tid);
    CHECK(pid > 0);
    CHECK_EQ(parent_tid, pid);
    CHECK_EXIT(pid, 5);
    CHECK_EQ(child_tid, 0);
}

TEST(no_exit_signal_needs_wclone)
{
    static char stack[65536] __attribute__((aligned(16)));
    static int shared;
    int pid = clone(clone_child, stack + sizeof stack, CLONE_VM, &shared);
    CHECK(pid > 0);
    int status;
    CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
    CHECK_EQ(waitpid(pid, &status, __WALL), pid);
    CHECK_EQ(status, W_EXITED(5));
}

TEST(set_tid_address)
{
    pid_t tid;
    CHECK_EQ(syscall(SYS_set_tid_address, &tid), syscall(SYS_gettid));
}

static const struct guest_test tests[] = {
    ENTRY(value_changed),
    ENTRY(errors),
    ENTRY(relative_timeout),
    ENTRY(absolute_timeout),
    ENTRY(wake_counts),
    ENTRY(wake_by_bits),
    ENTRY(requeue),
    ENTRY(wake_op),
    ENTRY(shared_between_processes),
    ENTRY(shared_by_file_not_address),
    ENTRY(interrupted_by_signal),
    ENTRY(wait_on_several),
    ENTRY(clone_with_memory),
    ENTRY(clone_tid_pointers),
    ENTRY(no_exit_signal_needs_wclone),
    ENTRY(set_tid_address),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
