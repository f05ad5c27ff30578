/* Clocks, sleeps, interval timers, POSIX timers, CPU time. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "../guest_test.h"

static volatile sig_atomic_t alarms, overruns, last_id;

static long long now(clockid_t c)
{
    struct timespec ts;
    CHECK(clock_gettime(c, &ts) == 0);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void on_alarm(int signo)
{
    (void)signo;
    alarms++;
}

static void on_timer(int signo, siginfo_t *si, void *uc)
{
    (void)signo;
    (void)uc;
    CHECK(si->si_code == SI_TIMER);
    alarms++;
    last_id = si->si_value.sival_int;
    overruns += si->si_overrun;
}

static void test_sleep(void)
{
    struct timespec ts = {0, 20000000}, rem = {0};
    long long t0 = now(CLOCK_MONOTONIC);
    CHECK(nanosleep(&ts, NULL) == 0);
    CHECK(now(CLOCK_MONOTONIC) - t0 >= 20000000);
    ts.tv_nsec = 1000000000;
    CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
    ts = (struct timespec){0, 0};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0);
    CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL) == EINVAL);
    CHECK_ERR(syscall(SYS_clock_nanosleep, 77, 0, &ts, NULL), EINVAL);
    /* Interrupted: the rest is told. */
    signal(SIGALRM, on_alarm);
    struct itimerval it = {.it_value = {0, 20000}};
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    ts = (struct timespec){5, 0};
    CHECK_ERR(nanosleep(&ts, &rem), EINTR);
    CHECK(alarms == 1 && rem.tv_sec == 4 && rem.tv_nsec > 0);
}

static void test_itimer(void)
{
    struct itimerval it = {{0, 5000}, {0, 5000}}, got;
    signal(SIGALRM, on_alarm);
    alarms = 0;
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    while (alarms < 4) {
        pause();
    }
    CHECK(getitimer(ITIMER_REAL, &got) == 0 && got.it_interval.tv_usec == 5000);
    memset(&it, 0, sizeof it);
    CHECK(setitimer(ITIMER_REAL, &it, &got) == 0 && got.it_interval.tv_usec == 5000);
    CHECK(alarm(10) == 0);
    CHECK(alarm(0) == 10);
    CHECK_ERR(setitimer(7, &it, NULL), EINVAL);
}

static void test_posix_timer(void)
{
    struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGRTMIN, &sa, NULL) == 0);
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    ev.sigev_value.sival_int = 99;
    timer_t id;
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0);
    struct itimerspec its = {{0, 2000000}, {0, 2000000}}, got;
    alarms = overruns = 0;
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &block, &old);
    CHECK(timer_settime(id, 0, &its, NULL) == 0);
    struct timespec ts = {0, 21000000};
    nanosleep(&ts, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK(alarms == 1 && last_id == 99 && overruns >= 9);
    CHECK(timer_getoverrun(id) == overruns);
    CHECK(timer_gettime(id, &got) == 0 && got.it_interval.tv_nsec == 2000000);
    CHECK(got.it_value.tv_nsec > 0 && got.it_value.tv_nsec <= 2000000);
    CHECK(timer_delete(id) == 0);
    ev.sigev_signo = 77;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
}

static volatile int thread_notified;

static void notified(union sigval v)
{
    thread_notified = v.sival_int;
}

static void test_thread_timer(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notified};
    ev.sigev_value.sival_int = 5;
    timer_t id;
    CHECK(timer_create(CLOCK_REALTIME, &ev, &id) == 0);
    struct itimerspec its = {.it_value = {0, 1000000}};
    CHECK(timer_settime(id, 0, &its, NULL) == 0);
    for (int i = 0; i < 1000 && !thread_notified; i++) {
        usleep(1000);
    }
    CHECK(thread_notified == 5);
    CHECK(timer_delete(id) == 0);
}

static void test_cpu_clocks(void)
{
    struct timespec ts;
    clockid_t c;
    struct rusage ru;
    struct tms tms;
    CHECK(clock_getcpuclockid(0, &c) == 0 && clock_gettime(c, &ts) == 0);
    CHECK(pthread_getcpuclockid(pthread_self(), &c) == 0 && clock_gettime(c, &ts) == 0);
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= now(CLOCK_THREAD_CPUTIME_ID) / 2);
    CHECK(getrusage(RUSAGE_SELF, &ru) == 0 && getrusage(RUSAGE_CHILDREN, &ru) == 0);
    CHECK_ERR(getrusage(9, &ru), EINVAL);
    CHECK(times(&tms) != (clock_t)-1);
    CHECK_ERR(syscall(SYS_clock_gettime, 55, &ts), EINVAL);
    CHECK(clock_getres(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_sec == 0);
    CHECK(time(NULL) > 1000000000);
    struct timeval tv;
    CHECK(gettimeofday(&tv, NULL) == 0 && tv.tv_usec < 1000000);
}

/* A CPU-time timer fires while the process works. */
static void test_cpu_timer(void)
{
    signal(SIGPROF, on_alarm);
    alarms = 0;
    struct itimerval it = {.it_value = {0, 2000}};
    CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
    for (long i = 0; i < 20000000 && !alarms; i++) {
        getppid();
    }
    CHECK(alarms == 1);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(sleep),        ENTRY(itimer),     ENTRY(posix_timer),
        ENTRY(thread_timer), ENTRY(cpu_clocks), ENTRY(cpu_timer),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
