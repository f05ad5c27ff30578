/* Delivery: what happens to pending signals when a thread returns to the guest (signal(7),
 * "Execution of signal handlers" and "Interruption of system calls ... by signal handlers"). */
#include "kernel/signal/signal_priv.h"

#include <linux/audit.h>

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/cred.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"

#define SYSCALL_INSTRUCTION_BYTES 2

static bool in_call(const struct guest_regs *r)
{
    return r->orig_rax != ~0ull;
}

static void repeat_call(struct guest_regs *r, uint64_t nr)
{
    r->rax = nr;
    r->rip -= SYSCALL_INSTRUCTION_BYTES;
}

/* A handler is about to run: EINTR, or the call starts again after it. */
static void resolve_with_handler(struct guest_regs *r, const struct sigaction_entry *act)
{
    if (!in_call(r)) {
        return;
    }
    switch (-(int64_t)r->rax) {
    case ERESTARTNOHAND:
    case ERESTART_RESTARTBLOCK:
        r->rax = (uint64_t)-EINTR;
        break;
    case ERESTARTSYS:
        if (!(act->flags & ABI_SA_RESTART)) {
            r->rax = (uint64_t)-EINTR;
            break;
        }
        repeat_call(r, r->orig_rax);
        break;
    case ERESTARTNOINTR:
        repeat_call(r, r->orig_rax);
        break;
    default:
        break;
    }
}

static void resolve_without_handler(struct guest_regs *r)
{
    if (!in_call(r)) {
        return;
    }
    switch (-(int64_t)r->rax) {
    case ERESTARTNOHAND:
    case ERESTARTSYS:
    case ERESTARTNOINTR:
        repeat_call(r, r->orig_rax);
        break;
    case ERESTART_RESTARTBLOCK:
        repeat_call(r, __NR_restart_syscall);
        break;
    default:
        break;
    }
}

/* Default action of a signal that was taken. Returns only if the process goes on. */
static void act_by_default(struct task *t, int signo)
{
    struct process *p = t->process;
    uint64_t bit = SIG_BIT(signo);
    if (bit & SIG_KERNEL_IGNORE) {
        return;
    }
    if (signal_is_unkillable(p) && !(bit & SIG_KERNEL_ONLY)) {
        return;
    }
    if (bit & SIG_KERNEL_STOP) {
        if (signo != SIGNAL_STOP && session_group_orphaned(p->node, p->pgid, NULL)) {
            return;
        }
        signal_group_stop(p, signo);
        return;
    }
    task_exit_group(t, signo);
}

/* Takes signals until one has a handler; false when none is left. */
static bool next_handled(struct task *t, struct siginfo *info, struct sigaction_entry *act)
{
    struct process *p = t->process;
    for (;;) {
        if (p->group_exit) {
            task_exit_group(t, p->exit_status);
        }
        if (t->sig.stop_pending) {
            signal_stop_here(t);
            continue;
        }
        if (signal_pending_set(t) & SIG_BIT(SIGNAL_KILL)) {
            bool taken = signal_dequeue(t, SIG_BIT(SIGNAL_KILL), info);
            ASSERT(taken);
            act_by_default(t, SIGNAL_KILL);
            continue;
        }
        if (!signal_dequeue(t, ~t->sig.blocked, info)) {
            return false;
        }
        struct sigaction_entry *a = signal_action(p, info->signo);
        if (a->handler == ABI_SIG_IGN) {
            continue;
        }
        if (a->handler == ABI_SIG_DFL) {
            act_by_default(t, info->signo);
            continue;
        }
        *act = *a;
        if (a->flags & ABI_SA_RESETHAND) {
            a->handler = ABI_SIG_DFL;
        }
        return true;
    }
}

void signal_force_segv(struct task *t)
{
    signal_force_fault(t, SIGNAL_SEGV, ABI_SI_KERNEL, 0, t->sig.fault_trapno, t->sig.fault_error);
}

static void handle(struct task *t, const struct siginfo *info, const struct sigaction_entry *act)
{
    struct guest_regs *r = task_regs(t);
    resolve_with_handler(r, act);
    uint64_t mask = t->sig.restore_blocked ? t->sig.saved_blocked : t->sig.blocked;
    if (signal_frame_push(t, act, info, mask)) {
        if (info->signo == SIGNAL_SEGV) { /* its own handler cannot be entered: no way out */
            signal_action(t->process, SIGNAL_SEGV)->handler = ABI_SIG_DFL;
        }
        signal_force_segv(t);
        return;
    }
    t->sig.restore_blocked = false;
    uint64_t blocked = t->sig.blocked | act->mask;
    if (!(act->flags & ABI_SA_NODEFER)) {
        blocked |= SIG_BIT(info->signo);
    }
    t->sig.blocked = blocked & ~SIG_KERNEL_ONLY;
}

void signal_deliver(struct task *t)
{
    struct siginfo info;
    struct sigaction_entry act;
    while (next_handled(t, &info, &act)) {
        handle(t, &info, &act);
    }
    /* After a handler's frame rax is 0, so this is for calls no handler interrupted. */
    resolve_without_handler(task_regs(t));
    if (t->sig.restore_blocked) {
        t->sig.restore_blocked = false;
        t->sig.blocked = t->sig.saved_blocked;
        if (task_signal_pending(t)) {
            signal_deliver(t);
        }
    }
}

/* A signal that cannot be put off: blocked or ignored, it kills. */
static void force(struct task *t, const struct siginfo *info)
{
    struct process *p = t->process;
    struct sigaction_entry *a = signal_action(p, info->signo);
    uint64_t bit = SIG_BIT(info->signo);
    bool blocked = t->sig.blocked & bit;
    if (blocked || a->handler == ABI_SIG_IGN) {
        a->handler = ABI_SIG_DFL;
        t->sig.blocked &= ~bit;
    }
    if (a->handler == ABI_SIG_DFL) {
        p->sig.killable = true;
    }
    signal_send_task(t, info);
}

void signal_force_fault(struct task *t, int signo, int code, uint64_t addr, uint64_t trapno,
                        uint64_t error_code)
{
    struct siginfo info = {.signo = signo, .code = code};
    info.fault.addr = addr;
    t->sig.fault_trapno = trapno;
    t->sig.fault_error = error_code;
    t->sig.fault_addr = addr;
    force(t, &info);
}

void signal_force_sys(struct task *t, uint64_t call_addr, int32_t nr, int32_t error)
{
    struct siginfo info = {.signo = SIGNAL_SYS, .error = error, .code = 1 /* SYS_SECCOMP */};
    info.sys.call_addr = call_addr;
    info.sys.syscall = nr;
    info.sys.arch = AUDIT_ARCH_X86_64;
    force(t, &info);
}
