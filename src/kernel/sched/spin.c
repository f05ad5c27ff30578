#include "kernel/sched/spin.h"

#include "kernel/machine.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/wait.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

#define NEVER UINT64_MAX

void spin_entry(struct task *t)
{
    struct task_spin *s = &t->spin;
    s->entries++;
    t->m->sched.entries++;
    if (s->slices) {
        s->credit = s->stepped && s->budget ? SPIN_CREDIT : 0;
        s->slices = s->told = 0;
    } else if (s->credit) {
        s->credit--;
    }
}

/* How often the plan takes the processor from this stretch; sets when to ask again. */
static uint32_t planned(struct task *t)
{
    const struct plan *plan = t->m->plan;
    uint64_t slices = 0, next = NEVER;
    for (uint32_t i = 0; i < plan->spins.count; i++) {
        const struct plan_spin *p = PLAN_AT(plan, plan->spins, struct plan_spin, i);
        if (p->task != t->id || p->entries < t->spin.entries) {
            continue;
        }
        next = min_u64(next, p->entries);
        if (p->entries == t->spin.entries) {
            slices = max_u64(slices, p->slices);
        }
    }
    t->spin.watch = t->spin.credit ? 0 : next;
    return (uint32_t)slices;
}

/* A stretch runs freely after so many slices, unless the plan knows better. */
static uint32_t next_level(uint32_t slices)
{
    return slices < SPIN_SLICES
               ? SPIN_SLICES
               : slices + SPIN_SLICES_MORE - (slices - SPIN_SLICES) % SPIN_SLICES_MORE;
}

/* The record gets to know a stretch level by level, each where the attempt before ran freely: so
 * that an attempt with more levels repeats what the others have told. */
static void tell(struct task *t)
{
    struct task_spin *s = &t->spin;
    uint32_t level = next_level(s->slices);
    if (s->told >= level) {
        return;
    }
    if (s->told == 0) {
        s->found++;
        s->budget = SPIN_BUDGET << min_u64(s->found - 1, 16);
    }
    s->told = level;
    trace_decision(t->m, EVENT_DECISION_SPIN, t->node, s->entries, t->id << 16 | level,
                   "a loop without calls gives way");
}

void spin_before_return(struct task *t)
{
    struct task_spin *s = &t->spin;
    uint32_t slices = planned(t);
    s->stepped = true;
    if (s->credit && s->slices < min_u64(SPIN_UNPLANNED + s->found, SPIN_SLICES)) {
        s->budget--;
        s->credit = s->budget ? s->credit : 0;
    } else if (s->slices < slices) {
        tell(t);
    } else {
        s->stepped = false;
        return;
    }
    t->m->port->single_step(t, SPIN_STEPS);
}

/* All of it, so that the digest proves that a slice ends at the same instruction in every attempt.
 */
static void mix_registers(struct task *t)
{
    const struct guest_regs *r = task_regs(t);
    trace_mix(t->m, r->rip, r->rsp);
    trace_mix(t->m, r->rax ^ r->rdx << 1 ^ r->r8 << 2 ^ r->r10 << 3 ^ r->r12 << 4 ^ r->r14 << 5,
              r->rcx ^ r->rbx << 1 ^ r->r9 << 2 ^ r->r11 << 3 ^ r->r13 << 4 ^ r->r15 << 5);
    trace_mix(t->m, r->rsi ^ r->rbp << 1, r->rdi ^ r->rflags << 1);
}

/* A slice lasts until the next timer on processor time at most. */
static vtime slice_length(const struct task *t)
{
    vtime length = SPIN_SLICE_NS << min_u64(t->spin.slices, 32);
    bool timed = t->cpu_check_ns != VTIME_NEVER && t->cpu_check_ns > t->cpu_time_ns;
    return timed ? min_u64(length, t->cpu_check_ns - t->cpu_time_ns) : length;
}

void spin_slice_end(struct task *t)
{
    struct machine *m = t->m;
    vtime began = m->clock.now;
    mix_registers(t);
    task_wait_until(t, began + slice_length(t));
    t->spin.slices++;
    if (!t->exiting && !task_signal_pending(t)) {
        t->spin.paused = true;
        t->state = TASK_BLOCKED;
        schedule(m);
        t->spin.paused = false;
    }
    task_cancel_waits(t);
    t->cpu_time_ns += m->clock.now - began;
    if (t->cpu_time_ns >= t->cpu_check_ns) {
        cpu_timers_check(t);
    }
}

/* Would it change anything for somebody if the task gave way now? */
static bool others_wait(const struct task *t)
{
    const struct machine *m = t->m;
    return !list_empty(&m->sched.runnable) || timer_next(m) != VTIME_NEVER ||
           t->cpu_check_ns != VTIME_NEVER;
}

uint32_t spin_slices_wanted(const struct task *t)
{
    const struct machine *m = t->m;
    uint32_t slices = next_level(t->spin.slices);
    while (!others_wait(t) && slices < 32 &&
           m->clock.now + (SPIN_SLICE_NS << slices) < m->ends_at) {
        slices +=
            SPIN_SLICES_MORE; /* nothing can happen before the end: one more attempt will do */
    }
    return slices;
}

uint64_t spin_patience_ms(const struct task *t)
{
    uint32_t s = t->spin.slices;
    uint32_t levels = s < SPIN_SLICES ? 0 : (s - SPIN_SLICES) / SPIN_SLICES_MORE + 1;
    if (others_wait(t)) {
        return min_u64((uint64_t)SPIN_PATIENCE_MS << min_u64(2u * levels, 32),
                       SPIN_PATIENCE_MAX_MS);
    }
    return t->m->ends_at ? SPIN_PATIENCE_MAX_MS : UINT64_MAX;
}
