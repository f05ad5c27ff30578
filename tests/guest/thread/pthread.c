/* pthreads as programs use them: creation, mutexes, conditions, barriers, keys, cancellation. */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "guest_test.h"

static pthread_t start(void *(*run)(void *), void *arg)
{
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, run, arg), 0);
    return t;
}

static void *join(pthread_t t)
{
    void *result;
    CHECK_EQ(pthread_join(t, &result), 0);
    return result;
}

static void *return_argument(void *arg)
{
    return arg;
}

TEST(result_is_returned)
{
    for (intptr_t i = 0; i < 50; i++) {
        CHECK_EQ((intptr_t)join(start(return_argument, (void *)i)), i);
    }
}

static void *return_tid(void *arg)
{
    return (void *)syscall(SYS_gettid);
}

TEST(same_process_other_tid)
{
    intptr_t tid = (intptr_t)join(start(return_tid, NULL));
    CHECK(tid != getpid() && tid > 0);
    CHECK_EQ(syscall(SYS_gettid), getpid());
    CHECK_ERR(syscall(SYS_tgkill, getpid(), tid, 0), ESRCH); /* it has ended */
}

struct counter {
    pthread_mutex_t lock;
    long value;
    int rounds;
};

static void *count_up(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < c->rounds; i++) {
        pthread_mutex_lock(&c->lock);
        long seen = c->value;
        if (i % 16 == 0) {
            sched_yield();
        }
        c->value = seen + 1;
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

TEST(mutex_excludes)
{
    struct counter c = {.lock = PTHREAD_MUTEX_INITIALIZER, .rounds = 1000};
    pthread_t t[6];
    for (size_t i = 0; i < COUNT(t); i++) {
        t[i] = start(count_up, &c);
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        join(t[i]);
    }
    CHECK_EQ(c.value, 6000);
}

static void init_mutex(pthread_mutex_t *m, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type);
    CHECK_EQ(pthread_mutex_init(m, &attr), 0);
}

TEST(mutex_kinds)
{
    pthread_mutex_t m;
    init_mutex(&m, PTHREAD_MUTEX_ERRORCHECK);
    CHECK_EQ(pthread_mutex_lock(&m), 0);
    CHECK_EQ(pthread_mutex_lock(&m), EDEADLK);
    CHECK_EQ(pthread_mutex_trylock(&m), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&m), 0);
    CHECK_EQ(pthread_mutex_unlock(&m), EPERM);
    init_mutex(&m, PTHREAD_MUTEX_RECURSIVE);
    CHECK_EQ(pthread_mutex_lock(&m), 0);
    CHECK_EQ(pthread_mutex_lock(&m), 0);
    CHECK_EQ(pthread_mutex_unlock(&m), 0);
    CHECK_EQ(pthread_mutex_unlock(&m), 0);
}

static struct timespec after_ms(clockid_t clock, long ms)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    ts.tv_nsec += ms * 1000000;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    return ts;
}

TEST(timed_lock)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    CHECK_EQ(pthread_mutex_lock(&m), 0);
    struct timespec limit = after_ms(CLOCK_REALTIME, 30);
    long long before = guest_now_ns();
    CHECK_EQ(pthread_mutex_timedlock(&m, &limit), ETIMEDOUT);
    CHECK(guest_now_ns() - before >= 29000000);
}

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    int items[4], count;
};

static void *produce(void *arg)
{
    struct queue *q = arg;
    for (int i = 1; i <= 300; i++) {
        pthread_mutex_lock(&q->lock);
        while (q->count == 4) {
            pthread_cond_wait(&q->emptied, &q->lock);
        }
        q->items[q->count++] = i;
        pthread_cond_signal(&q->filled);
        pthread_mutex_unlock(&q->lock);
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct queue *q = arg;
    intptr_t sum = 0;
    for (int taken = 0; taken < 300; taken++) {
        pthread_mutex_lock(&q->lock);
        while (q->count == 0) {
            pthread_cond_wait(&q->filled, &q->lock);
        }
        sum += q->items[--q->count];
        pthread_cond_signal(&q->emptied);
        pthread_mutex_unlock(&q->lock);
    }
    return (void *)sum;
}

TEST(condition_queue)
{
    struct queue q = {.lock = PTHREAD_MUTEX_INITIALIZER,
                      .filled = PTHREAD_COND_INITIALIZER,
                      .emptied = PTHREAD_COND_INITIALIZER};
    pthread_t p[2] = {start(produce, &q), start(produce, &q)};
    pthread_t c[2] = {start(consume, &q), start(consume, &q)};
    join(p[0]);
    join(p[1]);
    intptr_t sum = (intptr_t)join(c[0]) + (intptr_t)join(c[1]);
    CHECK_EQ(sum, 2 * 300 * 301 / 2);
}

TEST(condition_times_out)
{
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    pthread_condattr_t attr;
    pthread_cond_t c;
    pthread_condattr_init(&attr);
    CHECK_EQ(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
    CHECK_EQ(pthread_cond_init(&c, &attr), 0);
    pthread_mutex_lock(&m);
    struct timespec limit = after_ms(CLOCK_MONOTONIC, 30);
    int r = 0;
    while (r == 0) {
        r = pthread_cond_timedwait(&c, &m, &limit);
    }
    CHECK_EQ(r, ETIMEDOUT);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(now.tv_sec > limit.tv_sec ||
          (now.tv_sec == limit.tv_sec && now.tv_nsec >= limit.tv_nsec));
}

static pthread_barrier_t barrier;

static void *meet(void *arg)
{
    intptr_t serial = 0;
    for (int i = 0; i < 20; i++) {
        serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
    }
    return (void *)serial;
}

TEST(barrier_has_one_serial_thread)
{
    pthread_t t[5];
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, COUNT(t)), 0);
    intptr_t serial = 0;
    for (size_t i = 0; i < COUNT(t); i++) {
        t[i] = start(meet, NULL);
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        serial += (intptr_t)join(t[i]);
    }
    CHECK_EQ(serial, 20);
}

static __thread int own = 7;
static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    destroyed += (int)(intptr_t)value;
}

static void *use_own(void *arg)
{
    bool fresh = own == 7 && !pthread_getspecific(key);
    own = (int)(intptr_t)arg;
    pthread_setspecific(key, arg);
    sched_yield();
    return (void *)(intptr_t)(fresh && own == (int)(intptr_t)arg &&
                              pthread_getspecific(key) == arg);
}

TEST(thread_local_storage)
{
    pthread_t t[4];
    CHECK_EQ(pthread_key_create(&key, destroy), 0);
    for (size_t i = 0; i < COUNT(t); i++) {
        t[i] = start(use_own, (void *)(intptr_t)(i + 100));
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        CHECK_EQ((intptr_t)join(t[i]), 1);
    }
    CHECK_EQ(own, 7);
    CHECK_EQ(destroyed, 100 + 101 + 102 + 103);
}

static int once_count;

static void once(void)
{
    sched_yield();
    once_count++;
}

static void *call_once(void *arg)
{
    pthread_once(arg, once);
    return (void *)(intptr_t)once_count;
}

TEST(once_only)
{
    pthread_once_t control = PTHREAD_ONCE_INIT;
    pthread_t t[4];
    for (size_t i = 0; i < COUNT(t); i++) {
        t[i] = start(call_once, &control);
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        CHECK_EQ((intptr_t)join(t[i]), 1);
    }
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static int written;

static void *reader(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_rwlock_rdlock(&rw);
        int a = written;
        sched_yield();
        if (a != written || a % 2) {
            return (void *)1;
        }
        pthread_rwlock_unlock(&rw);
    }
    return NULL;
}

TEST(read_write_lock)
{
    pthread_t t[3];
    for (size_t i = 0; i < COUNT(t); i++) {
        t[i] = start(reader, NULL);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(pthread_rwlock_wrlock(&rw), 0);
        written++;
        sched_yield();
        written++;
        CHECK_EQ(pthread_rwlock_unlock(&rw), 0);
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        CHECK_EQ((intptr_t)join(t[i]), 0);
    }
}

static sem_t sem;

static void *post_three(void *arg)
{
    for (int i = 0; i < 3; i++) {
        guest_nap(2);
        sem_post(&sem);
    }
    return NULL;
}

TEST(semaphore)
{
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    CHECK_ERR(sem_trywait(&sem), EAGAIN);
    pthread_t t = start(post_three, NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sem_wait(&sem), 0);
    }
    join(t);
    struct timespec limit = after_ms(CLOCK_REALTIME, 20);
    CHECK_ERR(sem_timedwait(&sem, &limit), ETIMEDOUT);
}

TEST(semaphore_between_processes)
{
    sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(sem_init(shared, 1, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(sem_wait(shared), 0);
        _exit(4);
    }
    guest_nap(5);
    CHECK_EQ(sem_post(shared), 0);
    CHECK_EXIT(pid, 4);
}

TEST(shared_mutex_and_robustness)
{
    pthread_mutex_t *m =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    CHECK_EQ(pthread_mutex_init(m, &attr), 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(m);
        _exit(0); /* dies with the lock */
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(m), 0);
    CHECK_EQ(pthread_mutex_unlock(m), 0);
    CHECK_EQ(pthread_mutex_lock(m), 0);
}

static int cleaned;

static void clean(void *arg)
{
    cleaned += (int)(intptr_t)arg;
}

static void *sleep_long(void *arg)
{
    pthread_cleanup_push(clean, (void *)5);
    guest_nap(100000);
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(cancel_a_sleeper)
{
    pthread_t t = start(sleep_long, NULL);
    guest_nap(10);
    CHECK_EQ(pthread_cancel(t), 0);
    CHECK(join(t) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 5);
}

static void *deaf(void *arg)
{
    int *flags = arg;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    (void)!write(flags[1], "r", 1);
    guest_nap(20);
    cleaned = 1;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    cleaned = 2;
    return NULL;
}

TEST(cancel_waits_until_enabled)
{
    int ready[2];
    char c;
    CHECK_EQ(pipe(ready), 0);
    pthread_t t = start(deaf, ready);
    CHECK_EQ(read(ready[0], &c, 1), 1);
    CHECK_EQ(pthread_cancel(t), 0);
    CHECK(join(t) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 1);
}

static volatile sig_atomic_t signalled_tid;

static void note_tid(int signo)
{
    signalled_tid = (int)syscall(SYS_gettid);
}

static void *wait_for_signal(void *arg)
{
    while (!signalled_tid) {
        sched_yield();
    }
    return (void *)syscall(SYS_gettid);
}

TEST(signal_to_one_thread)
{
    signal(SIGUSR1, note_tid);
    pthread_t t = start(wait_for_signal, NULL);
    CHECK_EQ(pthread_kill(t, SIGUSR1), 0);
    CHECK_EQ((intptr_t)join(t), signalled_tid);
}

TEST(signal_to_unblocked_thread)
{
    signal(SIGUSR1, note_tid);
    pthread_t t = start(wait_for_signal, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ((intptr_t)join(t), signalled_tid);
}

static void *exit_process(void *arg)
{
    exit(21);
}

TEST(exit_from_thread_ends_process)
{
    pid_t pid = fork();
    if (pid == 0) {
        start(exit_process, NULL);
        for (;;) {
            pause();
        }
    }
    CHECK_EXIT(pid, 21);
}

static void *outlive(void *arg)
{
    guest_nap(20);
    _exit(9);
}

TEST(main_thread_may_end_first)
{
    pid_t pid = fork();
    if (pid == 0) {
        start(outlive, NULL);
        pthread_exit(NULL);
    }
    CHECK_EXIT(pid, 9);
}

static void *exec_true(void *arg)
{
    execl("/bin/sh", "sh", "-c", "exit $(( $$ == $0 ? 12 : 13 ))", (char *)arg, (char *)NULL);
    return NULL;
}

TEST(exec_from_thread_keeps_pid)
{
    pid_t pid = fork();
    if (pid == 0) {
        char text[16];
        snprintf(text, sizeof text, "%d", (int)getpid());
        start(exec_true, text);
        for (;;) {
            pause();
        }
    }
    CHECK_EXIT(pid, 12);
}

static void *fork_in_thread(void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(syscall(SYS_gettid) == getpid() ? 17 : 18);
    }
    return (void *)(intptr_t)guest_wait(pid);
}

TEST(fork_from_thread)
{
    CHECK_EQ((intptr_t)join(start(fork_in_thread, NULL)), W_EXITED(17));
}

static void *stack_user(void *arg)
{
    volatile char big[40000];
    memset((char *)big, 1, sizeof big);
    return (void *)(intptr_t)big[39999];
}

TEST(own_stack_and_detached)
{
    pthread_attr_t attr;
    pthread_t t;
    pthread_attr_init(&attr);
    CHECK_EQ(pthread_attr_setstacksize(&attr, 128 << 10), 0);
    CHECK_EQ(pthread_create(&t, &attr, stack_user, NULL), 0);
    CHECK_EQ((intptr_t)join(t), 1);
    CHECK_EQ(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    CHECK_EQ(pthread_create(&t, &attr, return_argument, NULL), 0);
}

TEST(many_threads)
{
    pthread_t t[100];
    struct counter c = {.lock = PTHREAD_MUTEX_INITIALIZER, .rounds = 5};
    for (size_t i = 0; i < COUNT(t); i++) {
        t[i] = start(count_up, &c);
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        join(t[i]);
    }
    CHECK_EQ(c.value, 500);
}

static const struct guest_test tests[] = {
    ENTRY(result_is_returned),
    ENTRY(same_process_other_tid),
    ENTRY(mutex_excludes),
    ENTRY(mutex_kinds),
    ENTRY(timed_lock),
    ENTRY(condition_queue),
    ENTRY(condition_times_out),
    ENTRY(barrier_has_one_serial_thread),
    ENTRY(thread_local_storage),
    ENTRY(once_only),
    ENTRY(read_write_lock),
    ENTRY(semaphore),
    ENTRY(semaphore_between_processes),
    ENTRY(shared_mutex_and_robustness),
    ENTRY(cancel_a_sleeper),
    ENTRY(cancel_waits_until_enabled),
    ENTRY(signal_to_one_thread),
    ENTRY(signal_to_unblocked_thread),
    ENTRY(exit_from_thread_ends_process),
    ENTRY(main_thread_may_end_first),
    ENTRY(exec_from_thread_keeps_pid),
    ENTRY(fork_from_thread),
    ENTRY(own_stack_and_detached),
    ENTRY(many_threads),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
