#include "kernel/sched/sched.h"

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/wait.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

void sched_init(struct machine *m)
{
    list_init(&m->sched.runnable);
    m->sched.next_task_id = 1;
}

void sched_enqueue(struct task *t)
{
    ASSERT(list_empty(&t->run_link));
    t->state = TASK_RUNNABLE;
    list_add_tail(t->node->paused ? &t->node->held : &t->m->sched.runnable, &t->run_link);
}

void task_wake(struct task *t)
{
    if (t->state == TASK_BLOCKED) {
        task_cancel_waits(t);
        sched_enqueue(t);
    }
}

/* Nothing can run: the clock jumps to the next timer. */
static void idle(struct machine *m)
{
    vtime next = timer_next(m);
    if (next == VTIME_NEVER) {
        machine_end(m, m->plan->is_exec ? END_DEADLOCK : END_ALL_EXITED,
                    "every process waits for something that cannot come");
        return;
    }
    if (m->ends_at && next >= m->ends_at) {
        m->clock.now = max_u64(m->clock.now, m->ends_at);
        machine_end(m, END_TIME_LIMIT, "the virtual duration is over");
        return;
    }
    m->clock.now = max_u64(m->clock.now, next);
    timer_run_due(m);
}

struct task *sched_pick(struct machine *m)
{
    if (timer_next(m) <= m->clock.now) {
        timer_run_due(m);
    }
    for (;;) {
        if (m->ends_at && m->clock.now >= m->ends_at) {
            machine_end(m, END_TIME_LIMIT, "the virtual duration is over");
        }
        if (m->ending) {
            m->port->universe_over(m);
        }
        if (!list_empty(&m->sched.runnable)) {
            struct task *t = list_first_entry(&m->sched.runnable, struct task, run_link);
            list_del(&t->run_link);
            return t;
        }
        idle(m);
    }
}

struct task *sched_take(struct machine *m)
{
    struct task *next = sched_pick(m);
    if (next != m->sched.current) {
        m->sched.switches++;
        m->sched.slice_calls = 0;
        m->sched.current = next;
        trace_mix(m, next->id, m->clock.now);
    }
    return next;
}

void schedule(struct machine *m)
{
    struct task *prev = m->sched.current;
    struct task *next = sched_take(m);
    if (next != prev) {
        m->port->switch_to(m, prev, next);
    }
}

_Noreturn void schedule_gone(struct machine *m)
{
    m->sched.current = NULL;
    m->port->switch_to(m, NULL, sched_take(m));
    __builtin_unreachable();
}

void sched_yield_current(struct machine *m)
{
    if (timer_next(m) <= m->clock.now) {
        timer_run_due(m);
    }
    if (list_empty(&m->sched.runnable) && !m->ending && !m->sched.current->node->paused) {
        m->sched.slice_calls = 0;
        return;
    }
    sched_enqueue(m->sched.current);
    schedule(m);
}

/* The `sched` stream decides once per preemption how many calls the next one is away. */
static bool preempted(struct machine *m)
{
    if (m->sched.preempt_left == 0) {
        if (m->plan->preempt_mean_calls == 0) {
            return false;
        }
        m->sched.preempt_left =
            stream_range(&m->streams[STREAM_SCHED], 1, 2 * m->plan->preempt_mean_calls);
    }
    return --m->sched.preempt_left == 0;
}

bool sched_should_switch(struct machine *m, bool preemptible)
{
    if (m->ending || (m->ends_at && m->clock.now >= m->ends_at)) {
        return true;
    }
    m->sched.slice_calls++;
    if (m->sched.clock_streak >= SCHED_CLOCK_STREAK) {
        m->sched.clock_streak = 0;
        return true;
    }
    return m->sched.slice_calls >= SCHED_CALL_SLICE || (preemptible && preempted(m));
}
