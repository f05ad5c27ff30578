/* Futexes by the raw call and through pthreads: mutexes of every kind, conditions, shared memory.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../guest_test.h"

static long futex(unsigned *a, int op, unsigned v, const void *ts, unsigned *b, unsigned v3)
{
    return syscall(SYS_futex, a, op, v, ts, b, v3);
}

static void test_raw(void)
{
    unsigned w = 1, other = 0;
    struct timespec ts = {0, 1000000};
    CHECK_ERR(futex(&w, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(&w, FUTEX_WAIT, 1, &ts, NULL, 0), ETIMEDOUT);
    CHECK_ERR(futex((unsigned *)((char *)&w + 1), FUTEX_WAIT, 1, &ts, NULL, 0), EINVAL);
    CHECK_ERR(futex((unsigned *)16, FUTEX_WAIT, 1, &ts, NULL, 0), EFAULT);
    CHECK_ERR(futex(&w, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
    CHECK(futex(&w, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
    CHECK_ERR(futex(&w, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 2), EAGAIN);
    CHECK(futex(&w, FUTEX_WAKE_OP, 1, (void *)1, &other,
                FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 0)) == 0);
    CHECK(other == 5);
}

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sem_t sem;
    int turn, total;
};

static void *alternate(void *p)
{
    struct shared *s = p;
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_mutex_lock(&s->mutex) == 0);
        while (s->turn != 1) {
            CHECK(pthread_cond_wait(&s->cond, &s->mutex) == 0);
        }
        s->turn = 0;
        s->total++;
        CHECK(pthread_cond_signal(&s->cond) == 0);
        CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    }
    return NULL;
}

static void test_condition(void)
{
    struct shared s = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    pthread_t t;
    CHECK(pthread_create(&t, NULL, alternate, &s) == 0);
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&s.mutex);
        while (s.turn != 0) {
            pthread_cond_wait(&s.cond, &s.mutex);
        }
        s.turn = 1;
        pthread_cond_signal(&s.cond);
        pthread_mutex_unlock(&s.mutex);
    }
    CHECK(pthread_join(t, NULL) == 0);
    CHECK(s.total == 500);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += 1000000;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s.mutex);
    CHECK(pthread_cond_timedwait(&s.cond, &s.mutex, &ts) == ETIMEDOUT);
    pthread_mutex_unlock(&s.mutex);
}

static void mutex_of_kind(pthread_mutex_t *m, int protocol, int robust)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setprotocol(&a, protocol);
    pthread_mutexattr_setrobust(&a, robust);
    CHECK(pthread_mutex_init(m, &a) == 0);
}

/* A process dies with a lock in shared memory: the other is told, and can repair it. */
static void owner_dies(int protocol)
{
    struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s != MAP_FAILED);
    mutex_of_kind(&s->mutex, protocol, PTHREAD_MUTEX_ROBUST);
    CHECK(sem_init(&s->sem, 1, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(&s->mutex);
        sem_post(&s->sem);
        usleep(10000); /* the parent waits for the lock by now */
        _exit(0);
    }
    CHECK(sem_wait(&s->sem) == 0);
    CHECK(pthread_mutex_lock(&s->mutex) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&s->mutex) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    pthread_mutex_unlock(&s->mutex);
    CHECK(waitpid(pid, NULL, 0) == pid);
    munmap(s, 4096);
}

static pthread_mutex_t pi;
static int pi_counter;

static void *pi_worker(void *arg)
{
    for (int i = 0; i < 200; i++) {
        CHECK(pthread_mutex_lock(&pi) == 0);
        int seen = pi_counter;
        sched_yield();
        pi_counter = seen + 1;
        CHECK(pthread_mutex_unlock(&pi) == 0);
    }
    return arg;
}

static void test_pi(void)
{
    pthread_t t[4];
    mutex_of_kind(&pi, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_create(&t[i], NULL, pi_worker, NULL) == 0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_join(t[i], NULL) == 0);
    }
    CHECK(pi_counter == 800);
}

TEST(robust_owner_dies)
{
    owner_dies(PTHREAD_PRIO_NONE);
}

TEST(robust_pi_owner_dies)
{
    owner_dies(PTHREAD_PRIO_INHERIT);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(raw),
        ENTRY(condition),
        ENTRY(pi),
        ENTRY(robust_owner_dies),
        ENTRY(robust_pi_owner_dies),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
