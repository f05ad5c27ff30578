/* Scheduler: one queue of runnable tasks a universe, in order of becoming runnable. Exactly one
 * task runs at a time. Switches happen at blocking calls, sched_yield, after SCHED_CLOCK_STREAK
 * clock reads in a row, after SCHED_CALL_SLICE calls, and where the `sched` stream says so. */
#ifndef EVERETT_KERNEL_SCHED_SCHED_H
#define EVERETT_KERNEL_SCHED_SCHED_H

#include "base/base.h"

struct machine;
struct task;

void sched_init(struct machine *m);
/* Appends a task that just became runnable (or holds it back while its node is paused). */
void sched_enqueue(struct task *t);

/* The current task gives way: it must be blocked, stopped or enqueued. Returns when it runs again.
 * Runs due timers and moves the clock when nothing is runnable. */
void schedule(struct machine *m);
/* The current task will never run again on this stack (exit, move to a fresh address space). */
_Noreturn void schedule_gone(struct machine *m);
/* Picks the first task of a universe that has none yet (the zygote's context). */
struct task *sched_pick(struct machine *m);

/* The same choice for a host process that ends: makes the task current and returns it. */
struct task *sched_take(struct machine *m);

/* The current task goes to the end of the queue if anybody else can run. */
void sched_yield_current(struct machine *m);
/* At the end of every call: does a rule demand a switch? `preemptible`: the stream may do so. */
bool sched_should_switch(struct machine *m, bool preemptible);

#endif
