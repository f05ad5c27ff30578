/* Dispositions: what a signal does by default, what a process asked for, and how fork and exec
 * carry that over (signal(7), "Signal dispositions"; fork(2), execve(2)). */
#include "kernel/signal/signal_priv.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/sync/futex.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

/* Action Core of signal(7). */
#define SIG_KERNEL_CORE                                                                            \
    (SIG_BIT(SIGNAL_QUIT) | SIG_BIT(SIGNAL_ILL) | SIG_BIT(SIGNAL_TRAP) | SIG_BIT(SIGNAL_ABRT) |    \
     SIG_BIT(SIGNAL_FPE) | SIG_BIT(SIGNAL_SEGV) | SIG_BIT(SIGNAL_BUS) | SIG_BIT(SIGNAL_SYS) |      \
     SIG_BIT(SIGNAL_XCPU) | SIG_BIT(SIGNAL_XFSZ))

bool signal_default_is_core(int signo)
{
    return signo > 0 && signo <= SIG_MAX && (SIG_KERNEL_CORE & SIG_BIT(signo));
}

struct sigaction_entry *signal_action(struct process *p, int signo)
{
    ASSERT(signo > 0 && signo <= SIG_MAX);
    return &p->sig.actions[signo - 1];
}

static void actions_new(struct process *p)
{
    p->sig.actions = kalloc(p->m, SIG_MAX * sizeof *p->sig.actions);
    p->sig.actions_refs = KALLOC(p->m, uint32_t);
    *p->sig.actions_refs = 1;
}

static void actions_put(struct process *p)
{
    if (p->sig.actions && --*p->sig.actions_refs == 0) {
        kfree(p->m, p->sig.actions);
        kfree(p->m, p->sig.actions_refs);
    }
    p->sig.actions = NULL;
    p->sig.actions_refs = NULL;
}

void process_signals_init(struct process *p)
{
    memset(&p->sig, 0, sizeof p->sig);
    sigpending_init(&p->sig.pending);
    list_init(&p->sig.posix_timers);
    actions_new(p);
}

void process_signals_fork(struct process *child, const struct process *parent, bool share_actions)
{
    memset(&child->sig, 0, sizeof child->sig);
    sigpending_init(&child->sig.pending);
    list_init(&child->sig.posix_timers);
    if (share_actions) {
        child->sig.actions = parent->sig.actions;
        child->sig.actions_refs = parent->sig.actions_refs;
        ++*child->sig.actions_refs;
        return;
    }
    actions_new(child);
    memcpy(child->sig.actions, parent->sig.actions, SIG_MAX * sizeof *child->sig.actions);
}

void process_signals_fini(struct process *p)
{
    itimers_stop(p);
    if (p->sig.actions) {
        posix_timers_delete_all(p);
        sigpending_flush(&p->sig.pending, ~0ull);
    }
    actions_put(p);
}

void task_signals_init(struct task *t, const struct task *parent, bool keep_altstack)
{
    memset(&t->sig, 0, sizeof t->sig);
    sigpending_init(&t->sig.pending);
    waitq_init(&t->sig.wait);
    t->sig.altstack_flags = ABI_SS_DISABLE;
    t->cpu_check_ns = VTIME_NEVER;
    if (!parent) {
        t->cpu_check_ns = 0; /* the plan may limit CPU time: the first call finds out */
        return;
    }
    t->sig.blocked = parent->sig.restore_blocked ? parent->sig.saved_blocked : parent->sig.blocked;
    if (keep_altstack) {
        t->sig.altstack_sp = parent->sig.altstack_sp;
        t->sig.altstack_size = parent->sig.altstack_size;
        t->sig.altstack_flags = parent->sig.altstack_flags;
    }
    /* CPU timers and RLIMIT_CPU of the process now concern this thread too. */
    t->cpu_check_ns = parent->cpu_check_ns == VTIME_NEVER ? VTIME_NEVER : 0;
}

void task_signals_fini(struct task *t)
{
    cpu_time_thread_exit(t);
    if (t->process->thread_count <= 1) { /* a zombie has no timers */
        itimers_stop(t->process);
        posix_timers_delete_all(t->process);
    }
    sigpending_flush(&t->sig.pending, ~0ull);
    if (t->sig.stop_pending) {
        signal_stop_abandon(t);
    }
    if (!t->process->group_exit) {
        signal_retarget(t->process, t);
    }
    waitq_fini(t->m, &t->sig.wait);
}

void signals_exec(struct task *t)
{
    struct process *p = t->process;
    /* A shared table stays with those who keep running the old program. */
    if (*p->sig.actions_refs > 1) {
        struct sigaction_entry *old = p->sig.actions;
        --*p->sig.actions_refs;
        actions_new(p);
        memcpy(p->sig.actions, old, SIG_MAX * sizeof *old);
    }
    for (int signo = 1; signo <= SIG_MAX; signo++) {
        struct sigaction_entry *a = signal_action(p, signo);
        uint64_t handler = a->handler == ABI_SIG_IGN ? ABI_SIG_IGN : ABI_SIG_DFL;
        *a = (struct sigaction_entry){.handler = handler};
    }
    posix_timers_delete_all(p);
    t->sig.altstack_sp = 0;
    t->sig.altstack_size = 0;
    t->sig.altstack_flags = ABI_SS_DISABLE;
    t->sig.fault_trapno = t->sig.fault_error = t->sig.fault_addr = 0;
}
