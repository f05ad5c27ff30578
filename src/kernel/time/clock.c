/* Reading clocks: all are the machine's virtual clock plus a constant, or modelled CPU time
 * (clock_gettime(2)). */
#include "kernel/time/clock.h"

#include <linux/time.h>

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"

#define CLOCK_SGI_CYCLE_ 10

/* Clock ids of CPU time: inverted pid, per-thread bit, kind (clock_getcpuclockid(3)). */
#define CPUCLOCK_THREAD 4
#define CPUCLOCK_KIND   3
#define CPUCLOCK_SCHED  2

uint64_t timespec_ns(const struct abi_timespec *ts)
{
    if (ts->sec >= CLOCK_SEC_MAX) {
        return (uint64_t)INT64_MAX;
    }
    return (uint64_t)ts->sec * NSEC_PER_SEC + (uint64_t)ts->nsec;
}

int64_t clock_realtime_ns(const struct node *n)
{
    return (int64_t)n->m->clock.now + n->m->clock.realtime_offset_ns + n->clock_offset_ns;
}

vtime process_cpu_ns(const struct process *p)
{
    const struct task *t;
    vtime sum = p->dead_cpu_ns;
    list_for_each_entry (t, &p->threads, thread_link) {
        sum += t->cpu_time_ns;
    }
    return sum;
}

void cpu_time_thread_exit(struct task *t)
{
    t->process->dead_cpu_ns += t->cpu_time_ns;
    t->cpu_time_ns = 0; /* it stays in the list until the caller takes it out */
}

static enum clock_kind classify_cpu(struct task *t, int32_t id, struct task **of)
{
    abi_pid pid = ~(id >> 3);
    if ((id & CPUCLOCK_KIND) > CPUCLOCK_SCHED) {
        return CLOCK_KIND_NONE; /* a descriptor's clock (FD_TO_CLOCKID): there are none */
    }
    *of = pid == 0 ? t : task_find(t->node, pid);
    if (!*of) {
        return CLOCK_KIND_NONE;
    }
    if (id & CPUCLOCK_THREAD) {
        return (*of)->process == t->process ? CLOCK_KIND_THREAD : CLOCK_KIND_NONE;
    }
    if (pid != 0 && (*of)->process->pid != pid && *of != t) {
        return CLOCK_KIND_NONE;
    }
    return CLOCK_KIND_PROCESS;
}

enum clock_kind clock_classify(struct task *t, int32_t id, struct task **of)
{
    *of = t;
    if (id < 0) {
        return classify_cpu(t, id, of);
    }
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
        return CLOCK_KIND_VIRTUAL;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
        return CLOCK_KIND_ALARM;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
        return CLOCK_KIND_READ;
    case CLOCK_PROCESS_CPUTIME_ID:
        return CLOCK_KIND_PROCESS;
    case CLOCK_THREAD_CPUTIME_ID:
        return CLOCK_KIND_THREAD;
    default:
        return CLOCK_KIND_NONE;
    }
}

static bool is_wall_clock(int32_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_REALTIME_ALARM ||
           id == CLOCK_TAI; /* the kernel's TAI offset is 0 unless somebody sets it */
}

int clock_read(struct task *t, int32_t id, int64_t *ns)
{
    struct task *of;
    switch (clock_classify(t, id, &of)) {
    case CLOCK_KIND_NONE:
        return -EINVAL;
    case CLOCK_KIND_THREAD:
        *ns = (int64_t)of->cpu_time_ns;
        return 0;
    case CLOCK_KIND_PROCESS:
        *ns = (int64_t)process_cpu_ns(of->process);
        return 0;
    default:
        *ns = is_wall_clock(id) ? clock_realtime_ns(t->node) : (int64_t)t->m->clock.now;
        return 0;
    }
}

int clock_to_vtime(struct task *t, int32_t id, uint64_t ns, vtime *when)
{
    struct task *of;
    enum clock_kind kind = clock_classify(t, id, &of);
    if (kind != CLOCK_KIND_VIRTUAL && kind != CLOCK_KIND_ALARM) {
        return -EINVAL;
    }
    if (!is_wall_clock(id)) {
        *when = ns;
        return 0;
    }
    int64_t offset = t->m->clock.realtime_offset_ns + t->node->clock_offset_ns;
    if (ns >= (uint64_t)INT64_MAX) {
        *when = ns; /* "for ever" stays that */
    } else {
        int64_t at = (int64_t)ns - offset;
        *when = at > 0 ? (vtime)at : 0;
    }
    return 0;
}

/* --- timers on CPU time
 * --------------------------------------------------------------------------- */

#define RLIMIT_CPU_ 0

/* RLIMIT_CPU: SIGXCPU every second from the soft limit on, SIGKILL at the hard one. */
static vtime check_rlimit(struct process *p, vtime cpu_ns)
{
    struct rlimit_pair *r = &p->rlimits[RLIMIT_CPU_];
    uint64_t seconds = cpu_ns / NSEC_PER_SEC;
    if (r->soft == UINT64_MAX && r->hard == UINT64_MAX) {
        return VTIME_NEVER;
    }
    if (seconds >= r->hard) {
        signal_kernel(p, SIGNAL_KILL);
        return VTIME_NEVER;
    }
    if (seconds >= r->soft) {
        signal_kernel(p, SIGNAL_XCPU);
        r->soft = seconds + 1; /* as Linux does, visible in getrlimit */
    }
    uint64_t next = min_u64(r->soft, r->hard);
    return next > UINT64_MAX / NSEC_PER_SEC ? VTIME_NEVER : next * NSEC_PER_SEC;
}

void cpu_timers_check(struct task *t)
{
    struct process *p = t->process;
    vtime cpu = process_cpu_ns(p);
    vtime next = itimers_check_cpu(p, cpu);
    next = min_u64(next, posix_timers_check_cpu(p, cpu));
    next = min_u64(next, check_rlimit(p, cpu));
    if (next == VTIME_NEVER) {
        t->cpu_check_ns = VTIME_NEVER;
    } else if (p->thread_count <= 1) {
        t->cpu_check_ns = t->cpu_time_ns + (next - cpu);
    } else {
        t->cpu_check_ns = 0; /* the others use up the same time: look at every call */
    }
}

void cpu_timers_watch(struct process *p)
{
    struct task *t;
    list_for_each_entry (t, &p->threads, thread_link) {
        t->cpu_check_ns = 0;
    }
}
