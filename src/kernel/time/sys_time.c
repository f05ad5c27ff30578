/* Reading and setting clocks, sleeping, CPU time accounts. */
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/timex.h>

#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

#define USER_TICK_NS (NSEC_PER_SEC / 100) /* USER_HZ */

struct sysret sys_clock_gettime(struct task *t, const struct sysargs *a)
{
    int64_t ns;
    int error = clock_read(t, (int32_t)a->a[0], &ns);
    if (error) {
        return sys_done(error);
    }
    struct abi_timespec ts = timespec_of_ns((uint64_t)ns);
    return sys_done(user_write(t, gaddr_of(a->a[1]), &ts, sizeof ts));
}

/* Virtual time has no ticks: one nanosecond for every clock, the COARSE ones too. */
struct sysret sys_clock_getres(struct task *t, const struct sysargs *a)
{
    struct task *of;
    struct abi_timespec ts = {0, 1};
    if (clock_classify(t, (int32_t)a->a[0], &of) == CLOCK_KIND_NONE) {
        return sys_done(-EINVAL);
    }
    return sys_done(a->a[1] ? user_write(t, gaddr_of(a->a[1]), &ts, sizeof ts) : 0);
}

static int64_t set_realtime(struct task *t, const struct abi_timespec *ts)
{
    if (!timespec_valid(ts) || ts->sec >= CLOCK_SEC_MAX) {
        return -EINVAL;
    }
    if (!task_capable(t, CAP_SYS_TIME)) {
        return -EPERM;
    }
    t->node->clock_offset_ns += (int64_t)timespec_ns(ts) - clock_realtime_ns(t->node);
    return 0;
}

struct sysret sys_clock_settime(struct task *t, const struct sysargs *a)
{
    struct task *of;
    struct abi_timespec ts;
    if (clock_classify(t, (int32_t)a->a[0], &of) == CLOCK_KIND_NONE ||
        (int32_t)a->a[0] != CLOCK_REALTIME) {
        return sys_done(-EINVAL);
    }
    if (user_read(t, &ts, gaddr_of(a->a[1]), sizeof ts)) {
        return sys_done(-EFAULT);
    }
    return sys_done(set_realtime(t, &ts));
}

struct sysret sys_gettimeofday(struct task *t, const struct sysargs *a)
{
    int64_t ns = clock_realtime_ns(t->node);
    struct abi_timeval tv = {ns / (int64_t)NSEC_PER_SEC,
                             ns % (int64_t)NSEC_PER_SEC / (int64_t)NSEC_PER_USEC};
    if ((a->a[0] && user_write(t, gaddr_of(a->a[0]), &tv, sizeof tv)) ||
        (a->a[1] && user_zero(t, gaddr_of(a->a[1]), 8))) { /* struct timezone: UTC */
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

struct sysret sys_settimeofday(struct task *t, const struct sysargs *a)
{
    struct abi_timeval tv;
    int32_t zone[2];
    if (a->a[0] && user_read(t, &tv, gaddr_of(a->a[0]), sizeof tv)) {
        return sys_done(-EFAULT);
    }
    if (a->a[0] && (tv.usec < 0 || tv.usec > 1000000)) {
        return sys_done(-EINVAL);
    }
    if (a->a[1] && user_read(t, zone, gaddr_of(a->a[1]), sizeof zone)) {
        return sys_done(-EFAULT);
    }
    if (!task_capable(t, CAP_SYS_TIME)) {
        return sys_done(-EPERM);
    }
    if (!a->a[0]) {
        return sys_done(0);
    }
    struct abi_timespec ts = {tv.sec, tv.usec * 1000};
    return sys_done(set_realtime(t, &ts));
}

struct sysret sys_time(struct task *t, const struct sysargs *a)
{
    int64_t seconds = clock_realtime_ns(t->node) / (int64_t)NSEC_PER_SEC;
    if (a->a[0] && user_write(t, gaddr_of(a->a[0]), &seconds, sizeof seconds)) {
        return sys_done(-EFAULT);
    }
    return sys_done(seconds);
}

/* --- adjtimex(2): what a host without NTP says
 * ------------------------------------------------------ */

static int64_t adjust(struct task *t, uint64_t addr)
{
    struct __kernel_timex tx;
    if (user_read(t, &tx, gaddr_of(addr), sizeof tx)) {
        return -EFAULT;
    }
    /* ADJ_OFFSET_SS_READ only reads; everything else that has a bit set changes the clock. */
    if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ) {
        if (task_capable(t, CAP_SYS_TIME)) {
            trace_unknown(t, "adjtimex modes", tx.modes, 0, -EPERM);
        }
        return -EPERM;
    }
    int64_t now = clock_realtime_ns(t->node);
    tx = (struct __kernel_timex){
        .modes = tx.modes,
        .maxerror = 16000000,
        .esterror = 16000000,
        .status = STA_UNSYNC,
        .constant = 2,
        .precision = 1,
        .tolerance = 32768000,
        .tick = 10000,
        .time = {now / (int64_t)NSEC_PER_SEC, now % (int64_t)NSEC_PER_SEC / (int64_t)NSEC_PER_USEC},
    };
    return user_write(t, gaddr_of(addr), &tx, sizeof tx) ? -EFAULT : TIME_ERROR;
}

struct sysret sys_adjtimex(struct task *t, const struct sysargs *a)
{
    return sys_done(adjust(t, a->a[0]));
}

struct sysret sys_clock_adjtime(struct task *t, const struct sysargs *a)
{
    struct task *of;
    switch (clock_classify(t, (int32_t)a->a[0], &of)) {
    case CLOCK_KIND_NONE:
        return sys_done(-EINVAL);
    default:
        return sys_done((int32_t)a->a[0] == CLOCK_REALTIME ? adjust(t, a->a[1]) : -EOPNOTSUPP);
    }
}

/* --- sleeping
 * --------------------------------------------------------------------------------------- */

/* Interrupted: the rest goes to the caller before the handler runs (nanosleep(2)). */
static struct sysret sleep_interrupted(struct task *t, const struct sysargs *a, uint64_t rem_addr,
                                       vtime deadline)
{
    vtime now = machine_now(t->m);
    if (rem_addr) {
        struct abi_timespec rem = timespec_of_ns(deadline > now ? deadline - now : 0);
        if (user_write(t, gaddr_of(rem_addr), &rem, sizeof rem)) {
            return sys_done(-EFAULT);
        }
    }
    t->restart_nr = a->nr;
    for (unsigned i = 0; i < 6; i++) {
        t->restart_args[i] = a->a[i];
    }
    t->restart_deadline = deadline;
    return sys_done(-ERESTART_RESTARTBLOCK);
}

/* Sleeps at least through one scheduling, even for no time at all, as hrtimers do. */
static struct sysret sleep_until(struct task *t, const struct sysargs *a, uint64_t rem_addr,
                                 vtime deadline, bool absolute)
{
    if (t->call.retry && machine_now(t->m) >= deadline) {
        return sys_done(0);
    }
    if (task_signal_pending(t)) {
        return absolute ? sys_done(-ERESTARTNOHAND) : sleep_interrupted(t, a, rem_addr, deadline);
    }
    task_wait_until(t, deadline);
    return sys_block_or(-ERESTARTNOHAND);
}

struct sysret sys_nanosleep(struct task *t, const struct sysargs *a)
{
    struct abi_timespec ts;
    if (!t->call.deadline) {
        if (user_read(t, &ts, gaddr_of(a->a[0]), sizeof ts)) {
            return sys_done(-EFAULT);
        }
        if (!timespec_valid(&ts)) {
            return sys_done(-EINVAL);
        }
        task_call_deadline(t, timespec_ns(&ts));
    }
    return sleep_until(t, a, a->a[1], t->call.deadline, false);
}

static int check_sleep_clock(struct task *t, int32_t id)
{
    struct task *of;
    switch (clock_classify(t, id, &of)) {
    case CLOCK_KIND_VIRTUAL:
        return 0;
    case CLOCK_KIND_ALARM:
        return task_capable(t, CAP_WAKE_ALARM) ? 0 : -EPERM;
    case CLOCK_KIND_NONE:
        return -EINVAL;
    case CLOCK_KIND_THREAD:
        return id == CLOCK_THREAD_CPUTIME_ID ? -EOPNOTSUPP : -EINVAL;
    case CLOCK_KIND_PROCESS:
        trace_unknown(t, "clock_nanosleep on CPU time", (uint32_t)id, 0, -EOPNOTSUPP);
        return -EOPNOTSUPP;
    default:
        return -EOPNOTSUPP;
    }
}

struct sysret sys_clock_nanosleep(struct task *t, const struct sysargs *a)
{
    struct abi_timespec ts;
    bool absolute = (a->a[1] & TIMER_ABSTIME) != 0;
    if (!t->call.deadline) {
        int error = check_sleep_clock(t, (int32_t)a->a[0]);
        if (error) {
            return sys_done(error);
        }
        if (user_read(t, &ts, gaddr_of(a->a[2]), sizeof ts)) {
            return sys_done(-EFAULT);
        }
        if (!timespec_valid(&ts)) {
            return sys_done(-EINVAL);
        }
        if (absolute) {
            vtime when;
            error = clock_to_vtime(t, (int32_t)a->a[0], timespec_ns(&ts), &when);
            ASSERT(error == 0);
            t->call.deadline = max_u64(when, 1);
        } else {
            task_call_deadline(t, timespec_ns(&ts));
        }
    }
    return sleep_until(t, a, absolute ? 0 : a->a[3], t->call.deadline, absolute);
}

/* --- accounts
 * --------------------------------------------------------------------------------------- */

/* Modelled CPU time is all user time. */
struct sysret sys_times(struct task *t, const struct sysargs *a)
{
    struct {
        int64_t utime, stime, cutime, cstime;
    } tms = {.utime = (int64_t)(process_cpu_ns(t->process) / USER_TICK_NS),
             .cutime = (int64_t)(t->process->children_cpu_ns / USER_TICK_NS)};
    if (a->a[0] && user_write(t, gaddr_of(a->a[0]), &tms, sizeof tms)) {
        return sys_done(-EFAULT);
    }
    return sys_done((int64_t)(machine_now(t->m) / USER_TICK_NS));
}

struct sysret sys_getrusage(struct task *t, const struct sysargs *a)
{
    struct {
        struct abi_timeval utime, stime;
        int64_t maxrss, rest[13];
    } ru = {0};
    vtime cpu;
    switch ((int)a->a[0]) {
    case RUSAGE_SELF:
        cpu = process_cpu_ns(t->process);
        break;
    case RUSAGE_CHILDREN:
        cpu = t->process->children_cpu_ns;
        break;
    case RUSAGE_THREAD:
        cpu = t->cpu_time_ns;
        break;
    default:
        return sys_done(-EINVAL);
    }
    ru.utime.sec = (int64_t)(cpu / NSEC_PER_SEC);
    ru.utime.usec = (int64_t)(cpu % NSEC_PER_SEC / NSEC_PER_USEC);
    if ((int)a->a[0] != RUSAGE_CHILDREN && t->mm) {
        ru.maxrss = (int64_t)(t->mm->total_pages * 4);
    }
    return sys_done(user_write(t, gaddr_of(a->a[1]), &ru, sizeof ru));
}
