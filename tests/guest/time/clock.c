/* Clocks, the vDSO, the time stamp counter, sleeps. */
#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <x86intrin.h>

#include "guest_test.h"

static long long ns(struct timespec ts)
{
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static long long by_call(clockid_t clock)
{
    struct timespec ts;
    CHECK_EQ(syscall(SYS_clock_gettime, clock, &ts), 0);
    return ns(ts);
}

static long long by_library(clockid_t clock)
{
    struct timespec ts;
    CHECK_EQ(clock_gettime(clock, &ts), 0);
    return ns(ts);
}

TEST(monotone)
{
    long long last = 0;
    for (int i = 0; i < 2000; i++) {
        long long now = i % 3 ? by_library(CLOCK_MONOTONIC) : by_call(CLOCK_MONOTONIC);
        CHECK(now >= last);
        last = now;
    }
}

TEST(call_and_library_agree)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
                                       CLOCK_MONOTONIC_RAW, CLOCK_TAI};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        long long before = by_call(clocks[i]), between = by_library(clocks[i]);
        long long after = by_call(clocks[i]);
        CHECK(before <= between && between <= after);
        CHECK(after - before < 5000000000ll);
    }
}

TEST(coarse_clocks_lag)
{
    long long coarse = by_library(CLOCK_MONOTONIC_COARSE), fine = by_library(CLOCK_MONOTONIC);
    CHECK(coarse <= fine && fine - coarse < 5000000000ll);
    coarse = by_library(CLOCK_REALTIME_COARSE);
    fine = by_library(CLOCK_REALTIME);
    CHECK(coarse <= fine && fine - coarse < 5000000000ll);
}

TEST(wall_clock_forms_agree)
{
    struct timeval tv;
    long long before = by_call(CLOCK_REALTIME);
    CHECK_EQ(gettimeofday(&tv, NULL), 0);
    long long after = by_call(CLOCK_REALTIME);
    long long micro = tv.tv_sec * 1000000ll + tv.tv_usec;
    CHECK(before / 1000 <= micro && micro <= after / 1000);
    CHECK_EQ(syscall(SYS_gettimeofday, &tv, NULL), 0);
    time_t t = time(NULL), stored;
    CHECK(t >= after / 1000000000 - 1);
    CHECK_EQ(syscall(SYS_time, &stored), stored);
    CHECK(t > 1500000000); /* after 2017 */
}

TEST(clock_errors)
{
    struct timespec ts;
    CHECK_ERR(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, 16), EFAULT);
    CHECK_ERR(syscall(SYS_clock_getres, 99, NULL), EINVAL);
    CHECK_EQ(clock_getres(CLOCK_MONOTONIC, &ts), 0);
    CHECK(ts.tv_sec == 0 && ts.tv_nsec >= 1);
    CHECK_EQ(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL), 0);
    CHECK_ERR(syscall(SYS_gettimeofday, 16, NULL), EFAULT);
}

TEST(sleep_takes_its_time)
{
    static const long lengths_ms[] = {0, 1, 5, 40};
    for (size_t i = 0; i < COUNT(lengths_ms); i++) {
        long long before = guest_now_ns();
        guest_nap(lengths_ms[i]);
        CHECK(guest_now_ns() - before >= lengths_ms[i] * 1000000);
    }
}

TEST(sleep_until)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += 30000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
    CHECK(by_library(CLOCK_MONOTONIC) >= ns(at));
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0); /* in the past */
}

TEST(sleep_errors)
{
    struct timespec wrong = {0, 1000000000}, negative = {-1, 0};
    CHECK_ERR(nanosleep(&wrong, NULL), EINVAL);
    CHECK_ERR(nanosleep(&negative, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_nanosleep, 16, NULL), EFAULT);
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &negative, NULL), EINVAL);
}

static void interrupt(int signo)
{
}

TEST(interrupted_sleep_says_what_is_left)
{
    struct sigaction sa = {.sa_handler = interrupt};
    CHECK_EQ(sigaction(SIGALRM, &sa, NULL), 0);
    ualarm(20000, 0);
    struct timespec ask = {10, 0}, left = {0, 0};
    CHECK_ERR(nanosleep(&ask, &left), EINTR);
    CHECK(left.tv_sec <= 9 && left.tv_sec >= 5);
}

TEST(cpu_clocks_grow)
{
    long long process = by_library(CLOCK_PROCESS_CPUTIME_ID);
    long long thread = by_library(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 20000; i++) {
        (void)syscall(SYS_getppid);
    }
    CHECK(by_library(CLOCK_PROCESS_CPUTIME_ID) > process);
    CHECK(by_library(CLOCK_THREAD_CPUTIME_ID) > thread);
    struct tms t;
    CHECK(times(&t) != (clock_t)-1);
    clockid_t own;
    CHECK_EQ(clock_getcpuclockid(0, &own), 0);
    CHECK(by_library(own) > 0);
}

TEST(sleeping_costs_no_cpu)
{
    long long before = by_library(CLOCK_PROCESS_CPUTIME_ID);
    guest_nap(200);
    CHECK(by_library(CLOCK_PROCESS_CPUTIME_ID) - before < 100000000);
}

TEST(time_stamp_counter)
{
    uint64_t last = 0;
    for (int i = 0; i < 200; i++) {
        unsigned int aux;
        uint64_t now = i % 2 ? __rdtsc() : __rdtscp(&aux);
        CHECK(now > last);
        last = now;
    }
    guest_nap(5);
    CHECK(__rdtsc() - last > 1000);
}

/* The address of a name in the vDSO's symbol table, or 0. */
static uintptr_t find_vdso(const char *name)
{
    uintptr_t base = getauxval(AT_SYSINFO_EHDR);
    CHECK(base != 0);
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)base;
    CHECK_EQ(memcmp(head->e_ident, ELFMAG, SELFMAG), 0);
    const Elf64_Phdr *ph = (const Elf64_Phdr *)(base + head->e_phoff);
    const Elf64_Dyn *dyn = NULL;
    for (int i = 0; i < head->e_phnum; i++) {
        if (ph[i].p_type == PT_DYNAMIC) {
            dyn = (const Elf64_Dyn *)(base + ph[i].p_offset);
        }
    }
    CHECK(dyn != NULL);
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    const uint32_t *hash = NULL;
    for (; dyn->d_tag != DT_NULL; dyn++) {
        uintptr_t at = base + dyn->d_un.d_ptr;
        symbols = dyn->d_tag == DT_SYMTAB ? (const Elf64_Sym *)at : symbols;
        strings = dyn->d_tag == DT_STRTAB ? (const char *)at : strings;
        hash = dyn->d_tag == DT_HASH ? (const uint32_t *)at : hash;
    }
    CHECK(symbols && strings && hash);
    for (uint32_t i = 0; i < hash[1]; i++) {
        if (strcmp(strings + symbols[i].st_name, name) == 0) {
            return base + symbols[i].st_value;
        }
    }
    return 0;
}

TEST(vdso_is_found_and_agrees)
{
    typedef int (*gettime)(clockid_t, struct timespec *);
    gettime get = (gettime)find_vdso("__vdso_clock_gettime");
    CHECK(get != NULL);
    CHECK(find_vdso("__vdso_gettimeofday") && find_vdso("__vdso_time") &&
          find_vdso("__vdso_getcpu"));
    struct timespec ts;
    long long before = by_call(CLOCK_REALTIME);
    CHECK_EQ(get(CLOCK_REALTIME, &ts), 0);
    CHECK(before <= ns(ts) && ns(ts) <= by_call(CLOCK_REALTIME));
    CHECK_EQ(get(99, &ts), -EINVAL);
    CHECK_EQ(get(CLOCK_PROCESS_CPUTIME_ID, &ts), 0); /* falls back to the call */
}

TEST(interval_timer_repeats)
{
    struct itimerval every = {{0, 5000}, {0, 5000}}, now;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &every, NULL), 0);
    long long before = guest_now_ns();
    for (int i = 0; i < 4; i++) {
        int signo;
        CHECK_EQ(sigwait(&set, &signo), 0);
    }
    CHECK(guest_now_ns() - before >= 19000000);
    CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
    CHECK_EQ(now.it_interval.tv_usec, 5000);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec <= 5000);
}

TEST(alarm_returns_what_was_left)
{
    CHECK_EQ(alarm(100), 0);
    unsigned left = alarm(0);
    CHECK(left == 100 || left == 99);
    CHECK_EQ(alarm(0), 0);
}

TEST(file_times_follow_the_clock)
{
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME_COARSE, &before);
    close(guest_file_with("f", "x"));
    struct stat st;
    CHECK_EQ(stat("f", &st), 0);
    clock_gettime(CLOCK_REALTIME, &after);
    CHECK(ns(st.st_mtim) >= ns(before) - 20000000 && ns(st.st_mtim) <= ns(after));
}

static const struct guest_test tests[] = {
    ENTRY(monotone),
    ENTRY(call_and_library_agree),
    ENTRY(coarse_clocks_lag),
    ENTRY(wall_clock_forms_agree),
    ENTRY(clock_errors),
    ENTRY(sleep_takes_its_time),
    ENTRY(sleep_until),
    ENTRY(sleep_errors),
    ENTRY(interrupted_sleep_says_what_is_left),
    ENTRY(cpu_clocks_grow),
    ENTRY(sleeping_costs_no_cpu),
    ENTRY(time_stamp_counter),
    ENTRY(vdso_is_found_and_agrees),
    ENTRY(interval_timer_repeats),
    ENTRY(alarm_returns_what_was_left),
    ENTRY(file_times_follow_the_clock),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
