/* One system call from entry to return: charge time, attempt, sleep, signals, switch. */
#include "abi/guestcall.h"
#include "abi/time_page.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/spin.h"
#include "kernel/signal/signal.h"
#include "kernel/strace/strace.h"
#include "kernel/syscalls/guestcalls.h"
#include "kernel/syscalls/syscall.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/regs.h"
#include "kernel/task/seccomp.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

/* Clock reads through the vDSO since the last return, bounded because the guest can write there. */
static void charge_vdso_reads(struct machine *m, struct task *t)
{
    struct time_page *tp = m->port->time_page;
    if (!tp || tp->reads == 0) {
        return;
    }
    uint64_t reads = min_u64(tp->reads, SCHED_CLOCK_STREAK);
    m->clock.now += reads * m->clock.clock_cost_ns;
    t->cpu_time_ns += reads * m->clock.clock_cost_ns;
    m->sched.clock_streak += (uint32_t)reads;
    tp->reads = 0;
}

void task_charge(struct task *t)
{
    struct machine *m = t->m;
    charge_vdso_reads(m, t);
    m->clock.now += m->clock.call_cost_ns;
    t->cpu_time_ns += m->clock.call_cost_ns;
    if (t->cpu_time_ns >= t->cpu_check_ns) {
        cpu_timers_check(t);
    }
}

static void set_time_page(struct machine *m, struct task *t)
{
    struct time_page *tp = m->port->time_page;
    if (tp) {
        tp->base_ns = m->clock.now;
        tp->realtime_ns = m->clock.realtime_offset_ns + t->node->clock_offset_ns;
        tp->reads = 0;
    }
}

static bool is_clock_read(uint64_t nr)
{
    return nr == __NR_clock_gettime || nr == __NR_gettimeofday || nr == __NR_time;
}

static struct sysret unknown_call(struct task *t, uint64_t nr)
{
    trace_unknown(t, "system call", nr, 0, -ENOSYS);
    return sys_done(-ENOSYS);
}

static struct sysret attempt(struct task *t, const struct syscall_row *row, const struct sysargs *a)
{
    if (row) {
        return row->fn(t, a);
    }
    if (a->nr >= GUESTCALL_BASE && a->nr < GUESTCALL_END) {
        return guestcall(t, a);
    }
    return unknown_call(t, a->nr);
}

/* A block with value 0 is not interruptible: only death ends it. */
static bool interrupted(struct task *t, struct sysret r)
{
    return t->exiting || (r.value != 0 && task_signal_pending(t));
}

static struct sysret run(struct task *t, const struct syscall_row *row, const struct sysargs *a)
{
    for (;;) {
        struct sysret r = attempt(t, row, a);
        if (r.kind != SYSRET_BLOCK) {
            return r;
        }
        if (interrupted(t, r)) {
            task_cancel_waits(t);
            return sys_done(r.value);
        }
        t->state = TASK_BLOCKED;
        schedule(t->m);
        if (t->exiting) {
            return sys_done(-EINTR);
        }
        t->call.retry = true;
    }
}

static struct sysret filter_and_run(struct task *t, const struct syscall_row *row,
                                    const struct sysargs *a)
{
    struct sysret r;
    bool own = a->nr >= GUESTCALL_BASE && a->nr < GUESTCALL_END; /* no call of Linux */
    return t->seccomp_mode && !own && seccomp_stops(t, a, &r) ? r : run(t, row, a);
}

static void end_call(struct task *t)
{
    if (t->call.held) {
        kfree(t->m, t->call.held);
    }
    t->call = (struct task_call){0};
    task_cancel_waits(t);
}

/* Where the `sched` stream may take the processor away: input and output. Runtimes expect to lose
 * it there. Not at memory, signal and futex calls: those are made in the middle of a runtime's own
 * critical sections, and its other threads may spin for them without any call (Go's sweeper waits
 * so), which on one processor would be for ever. */
static bool may_preempt_after(uint64_t nr)
{
    switch (nr) {
    case __NR_read:
    case __NR_write:
    case __NR_readv:
    case __NR_writev:
    case __NR_pread64:
    case __NR_pwrite64:
    case __NR_sendto:
    case __NR_recvfrom:
    case __NR_sendmsg:
    case __NR_recvmsg:
    case __NR_accept:
    case __NR_accept4:
    case __NR_connect:
    case __NR_openat:
    case __NR_close:
    case __NR_fsync:
    case __NR_fdatasync:
        return true;
    default:
        return false;
    }
}

void task_return_to_guest(struct task *t)
{
    struct machine *m = t->m;
    if (sched_should_switch(m, may_preempt_after(task_regs(t)->orig_rax))) {
        sched_yield_current(m);
    }
    for (;;) {
        if (t->exiting) {
            task_exit(t, t->exit_code);
        }
        if (!task_signal_pending(t) && !t->sig.restore_blocked) {
            break;
        }
        signal_deliver(t);
    }
    set_time_page(m, t);
    if (t->spin.entries >= t->spin.watch) {
        spin_before_return(t);
    }
}

void syscall_dispatch(struct task *t)
{
    struct machine *m = t->m;
    struct guest_regs *regs = task_regs(t);
    struct sysargs args = {regs->rax,
                           {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9}};
    regs->orig_rax = args.nr;
    spin_entry(t);
    task_charge(t);
    m->sched.calls++;
    if (is_clock_read(args.nr)) {
        m->sched.clock_streak++;
    } else {
        m->sched.clock_streak = 0;
    }
    const struct syscall_row *row = syscall_row(args.nr);
    struct sysret r = filter_and_run(t, row, &args);
    end_call(t);
    if (r.kind == SYSRET_DONE) {
        regs->rax = (uint64_t)r.value;
    }
    trace_mix(m, args.nr << 32 | (uint32_t)t->id, (uint64_t)r.value ^ m->clock.now << 20);
    if (m->plan->strace) {
        strace_call(t, row, &args, r);
    }
    task_return_to_guest(t);
}
