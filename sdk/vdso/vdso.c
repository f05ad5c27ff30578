/* The guest's vDSO (vdso(7)): clocks read from the engine's time page without entering the kernel.
 * Each read costs modelled time, and after reads_max of them in a row the real call is made, so
 * that a loop that only looks at the clock lets others run. */
#include <asm/unistd.h>
#include <linux/time_types.h>

#include "abi/time_page.h"

#define PAGE ((volatile struct time_page *)TIME_PAGE_ADDR)

#define EXPORT __attribute__((visibility("default")))

struct timeval_ {
    int64_t sec, usec;
};

int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
int __vdso_gettimeofday(struct timeval_ *tv, void *tz);
int64_t __vdso_time(int64_t *out);
int __vdso_clock_getres(int clock, struct __kernel_timespec *ts);
int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static inline long call2(long nr, long a, long b)
{
    long ret;
    __asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return ret;
}

/* Nanoseconds of CLOCK_MONOTONIC, or -1 when the kernel must be asked. */
static inline int64_t read_clock(void)
{
    uint64_t n = PAGE->reads + 1;
    if (n > PAGE->reads_max) {
        return -1;
    }
    PAGE->reads = n;
    return (int64_t)(PAGE->base_ns + n * PAGE->cost_ns);
}

EXPORT int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
    /* REALTIME, MONOTONIC, MONOTONIC_RAW, the two coarse ones, BOOTTIME */
    if ((unsigned)clock > 7 || !(1u << clock & 0xf3u)) {
        return (int)call2(__NR_clock_gettime, clock, (long)ts);
    }
    int64_t ns = read_clock();
    if (ns < 0) {
        return (int)call2(__NR_clock_gettime, clock, (long)ts);
    }
    if (clock == 0 || clock == 5) {
        ns += PAGE->realtime_ns;
    }
    ts->tv_sec = ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;
    return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval_ *tv, void *tz)
{
    int64_t ns = tz || !tv ? -1 : read_clock();
    if (ns < 0) {
        return (int)call2(__NR_gettimeofday, (long)tv, (long)tz);
    }
    ns += PAGE->realtime_ns;
    tv->sec = ns / 1000000000;
    tv->usec = ns % 1000000000 / 1000;
    return 0;
}

EXPORT int64_t __vdso_time(int64_t *out)
{
    int64_t ns = read_clock();
    if (ns < 0) {
        return call2(__NR_time, (long)out, 0);
    }
    int64_t sec = (ns + PAGE->realtime_ns) / 1000000000;
    if (out) {
        *out = sec;
    }
    return sec;
}

EXPORT int __vdso_clock_getres(int clock, struct __kernel_timespec *ts)
{
    return (int)call2(__NR_clock_getres, clock, (long)ts);
}

EXPORT int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
    (void)unused;
    if (cpu) {
        *cpu = PAGE->cpu;
    }
    if (node) {
        *node = PAGE->node;
    }
    return 0;
}

int clock_gettime(int, struct __kernel_timespec *)
    __attribute__((weak, alias("__vdso_clock_gettime"), visibility("default")));
int gettimeofday(struct timeval_ *, void *)
    __attribute__((weak, alias("__vdso_gettimeofday"), visibility("default")));
int64_t time(int64_t *) __attribute__((weak, alias("__vdso_time"), visibility("default")));
int clock_getres(int, struct __kernel_timespec *)
    __attribute__((weak, alias("__vdso_clock_getres"), visibility("default")));
int getcpu(unsigned *, unsigned *, void *)
    __attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
