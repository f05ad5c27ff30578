/* Loops without system calls: what others do must come through to them, and end them. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "guest_test.h"

static volatile int flag, turn;
static volatile unsigned long rounds;

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    CHECK_EQ(nanosleep(&ts, NULL), 0);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *set_later(void *arg)
{
    sleep_ms(50);
    flag = 1;
    return arg;
}

TEST(thread_ends_a_spin)
{
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, set_later, NULL), 0);
    while (!flag) {
    }
    CHECK_EQ(pthread_join(t, NULL), 0);
}

TEST(thread_ends_a_count)
{
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, set_later, NULL), 0);
    while (!flag) {
        rounds++;
    }
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK(rounds > 0);
}

static void *take_turns(void *arg)
{
    int mine = *(const int *)arg;
    for (int i = 0; i < 10; i++) {
        while (turn != mine) {
        }
        rounds++;
        turn = !mine;
    }
    return NULL;
}

TEST(threads_take_turns)
{
    static const int zero = 0, one = 1;
    pthread_t t;
    CHECK_EQ(pthread_create(&t, NULL, take_turns, (void *)&one), 0);
    take_turns((void *)&zero);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(rounds, 20);
}

static void set_flag(int signo)
{
    flag = signo;
}

TEST(alarm_ends_a_count)
{
    int64_t began = now_ms();
    CHECK(signal(SIGALRM, set_flag) != SIG_ERR);
    CHECK_EQ(alarm(1), 0);
    while (!flag) {
        rounds++;
    }
    int64_t took = now_ms() - began;
    CHECK_EQ(flag, SIGALRM);
    CHECK(took >= 1000 && took < 1500);
}

TEST(processor_timer_ends_a_count)
{
    struct itimerval it = {.it_value = {.tv_usec = 200000}};
    CHECK(signal(SIGVTALRM, set_flag) != SIG_ERR);
    CHECK_EQ(setitimer(ITIMER_VIRTUAL, &it, NULL), 0);
    while (!flag) {
        rounds++;
    }
    struct timespec used;
    CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    CHECK(used.tv_sec > 0 || used.tv_nsec >= 100000000);
}

TEST(kill_ends_a_process_that_spins)
{
    int64_t began = now_ms();
    pid_t child = fork();
    CHECK(child >= 0);
    while (child == 0) {
    }
    sleep_ms(1000);
    CHECK_EQ(kill(child, SIGTERM), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK(now_ms() - began < 1500);
}

TEST(process_ends_a_spin_on_shared_memory)
{
    volatile int *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(20);
        *shared = 1;
        _exit(0);
    }
    while (!*shared) {
    }
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(stop_and_continue_a_spin)
{
    pid_t child = fork();
    CHECK(child >= 0);
    while (child == 0) {
    }
    int status;
    sleep_ms(10);
    CHECK_EQ(kill(child, SIGSTOP), 0);
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(kill(child, SIGCONT), 0);
    sleep_ms(10);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* How the processor is taken away must not show: in the flags, in vector registers, in copies. */
TEST(flags_of_a_spin_are_its_own)
{
    pthread_t t;
    unsigned long flags, seen = 0;
    CHECK_EQ(pthread_create(&t, NULL, set_later, NULL), 0);
    while (!flag) {
        __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
        seen |= flags;
        __asm__ volatile("pushfw\n\tpopw %w0\n\tpushq %1\n\tpopfq"
                         : "=&r"(flags)
                         : "r"(flags)
                         : "memory", "cc");
        seen |= flags & 0xffff;
    }
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(seen & 0x100, 0); /* TF */
}

TEST(registers_of_a_spin_survive)
{
    pthread_t t;
    char from[300], to[300] = {0};
    unsigned long wrong = 0;
    memset(from, 'x', sizeof from);
    CHECK_EQ(pthread_create(&t, NULL, set_later, NULL), 0);
    for (uint64_t n = 1; !flag; n++) {
        uint64_t back;
        char *d = to;
        const char *s = from;
        size_t len = sizeof from;
        __asm__ volatile("movq %3, %%xmm9\n\trep movsb\n\tmovq %%xmm9, %4"
                         : "+D"(d), "+S"(s), "+c"(len), "+r"(n), "=r"(back)
                         :
                         : "xmm9", "memory");
        wrong += back != n || len != 0;
    }
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(memcmp(from, to, sizeof to), 0);
}

static const struct guest_test tests[] = {
    ENTRY(thread_ends_a_spin),
    ENTRY(thread_ends_a_count),
    ENTRY(threads_take_turns),
    ENTRY(alarm_ends_a_count),
    ENTRY(processor_timer_ends_a_count),
    ENTRY(kill_ends_a_process_that_spins),
    ENTRY(process_ends_a_spin_on_shared_memory),
    ENTRY(stop_and_continue_a_spin),
    ENTRY(flags_of_a_spin_are_its_own),
    ENTRY(registers_of_a_spin_survive),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
