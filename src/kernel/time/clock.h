/* Clocks and the timers that guests own (clock_gettime(2), timer_create(2), getitimer(2)). All come
 * from the machine's virtual clock and from modelled CPU time. */
#ifndef EVERETT_KERNEL_TIME_CLOCK_H
#define EVERETT_KERNEL_TIME_CLOCK_H

#include "abi/linux.h"
#include "kernel/signal/signal.h"
#include "kernel/time/timer.h"

struct machine;
struct node;
struct process;
struct task;

/* Largest second count a timespec of a timer may have (KTIME_SEC_MAX). */
#define CLOCK_SEC_MAX 9223372036ll

static inline struct abi_timespec timespec_of_ns(uint64_t ns)
{
    return (struct abi_timespec){(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};
}

/* The value is one a sleep or timer accepts (timespec64_valid). */
static inline bool timespec_valid(const struct abi_timespec *ts)
{
    return ts->sec >= 0 && (uint64_t)ts->nsec < NSEC_PER_SEC;
}

/* Saturates at CLOCK_SEC_MAX seconds. */
uint64_t timespec_ns(const struct abi_timespec *ts);

/* Wall clock of a node in nanoseconds since 1970. */
int64_t clock_realtime_ns(const struct node *n);
/* The value of a fixed or CPU clock as `t` sees it. 0 or -EINVAL. */
int clock_read(struct task *t, int32_t clock_id, int64_t *ns);
/* The virtual time at which that clock shows `ns`: never less than 0. CPU clocks: -EINVAL. */
int clock_to_vtime(struct task *t, int32_t clock_id, uint64_t ns, vtime *when);
/* How a clock id is to be treated. */
enum clock_kind {
    CLOCK_KIND_NONE,    /* no such clock */
    CLOCK_KIND_VIRTUAL, /* REALTIME, MONOTONIC, BOOTTIME, TAI: sleeps and timers work */
    CLOCK_KIND_ALARM,   /* the same, for CAP_WAKE_ALARM */
    CLOCK_KIND_READ,    /* RAW and COARSE: only to be read */
    CLOCK_KIND_THREAD,  /* CPU time of a thread of the caller's process */
    CLOCK_KIND_PROCESS, /* CPU time of a process */
};

/* For the CPU kinds *of is the thread, or a thread of the process. */
enum clock_kind clock_classify(struct task *t, int32_t clock_id, struct task **of);

/* Modelled CPU time of all threads, dead ones included. */
vtime process_cpu_ns(const struct process *p);
/* A thread leaves its process: what it used stays counted. */
void cpu_time_thread_exit(struct task *t);

/* --- timers of a process
 * -------------------------------------------------------------------------- */

struct posix_timer {
    struct list_head link; /* process->sig.posix_timers */
    struct process *process;
    int32_t id, clock_id;
    int32_t notify, signo; /* SIGEV_* */
    uint64_t value;
    uint64_t target_id; /* SIGEV_THREAD_ID: task->id */
    enum clock_kind kind;
    uint64_t cpu_task_id;     /* thread CPU clocks: task->id */
    bool queued;              /* its signal waits in a queue */
    struct sigpending *queue; /* ... in this one */
    struct timer timer;
    uint64_t expires_ns; /* of the next expiry: vtime, or CPU time; 0 = disarmed */
    uint64_t interval_ns;
    int32_t overrun_last;
    struct sigqueue entry;
};

/* The timer's signal is being taken from its queue: fills in the overrun count and arms the next
 * expiry. */
void posix_timer_signal_taken(struct posix_timer *pt, struct siginfo *info);
void posix_timers_delete_all(struct process *p);
/* All three interval timers stop (exit; exec keeps them). */
void itimers_stop(struct process *p);
/* SIGALRM is being taken: arms the next period of ITIMER_REAL. */
void itimer_real_signal_taken(struct process *p);
/* Fires what is due on CPU clocks at `cpu_ns`; the earliest next expiry or VTIME_NEVER. For
 * cpu_timers_check. */
vtime itimers_check_cpu(struct process *p, vtime cpu_ns);
vtime posix_timers_check_cpu(struct process *p, vtime cpu_ns);

/* Called by whoever charges modelled CPU time when t->cpu_time_ns >= t->cpu_check_ns: fires CPU
 * timers and RLIMIT_CPU. */
void cpu_timers_check(struct task *t);
/* A CPU timer was armed or a thread joined a process that has one. */
void cpu_timers_watch(struct process *p);

#endif
