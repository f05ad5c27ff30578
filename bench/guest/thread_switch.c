/* Two threads wake each other by futex, COUNT round trips: two switches each. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int turn;
static long rounds;

static void wait_for(int value)
{
    int seen;
    while ((seen = atomic_load(&turn)) != value) {
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
}

static void give(int value)
{
    atomic_store(&turn, value);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *other(void *arg)
{
    for (long i = 0; i < rounds; i++) {
        wait_for(1);
        give(0);
    }
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t t;
    rounds = argc > 1 ? atol(argv[1]) : 1;
    if (pthread_create(&t, NULL, other, NULL)) {
        return 1;
    }
    for (long i = 0; i < rounds; i++) {
        give(1);
        wait_for(0);
    }
    return pthread_join(t, NULL);
}
