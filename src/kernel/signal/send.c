/* Sending: who ignores a signal, which thread gets it, and what stop and continue signals do to
 * each other (kill(2), signal(7)). */
#include "kernel/signal/signal_priv.h"

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

/* PID 1 of a node gets no signal it has no handler for (pid_namespaces(7)); from outside of the
 * node
 * (`force`) SIGKILL and SIGSTOP do reach it. */
bool signal_is_unkillable(const struct process *p)
{
    return p->node->init == p && !p->sig.killable;
}

/* The signal's disposition discards it, blocked or not. */
static bool disposition_ignores(const struct process *p, int signo)
{
    uint64_t handler = p->sig.actions[signo - 1].handler;
    return handler == ABI_SIG_IGN ||
           (handler == ABI_SIG_DFL && (SIG_KERNEL_IGNORE & SIG_BIT(signo)));
}

bool signal_would_be_ignored(const struct task *t, int signo, bool force)
{
    const struct process *p = t->process;
    uint64_t bit = SIG_BIT(signo);
    /* The disposition may change before a blocked signal is unblocked. */
    uint64_t blocked = t->sig.blocked | (t->sig.restore_blocked ? t->sig.saved_blocked : 0);
    if (blocked & bit) {
        return false;
    }
    if (signal_is_unkillable(p) && p->sig.actions[signo - 1].handler == ABI_SIG_DFL &&
        !(force && (bit & SIG_KERNEL_ONLY))) {
        return true;
    }
    return disposition_ignores(p, signo);
}

/* Comes from outside of the node: si_code SI_KERNEL. */
static bool is_forced(const struct siginfo *info)
{
    return info->code == ABI_SI_KERNEL;
}

static void flush_everywhere(struct process *p, uint64_t set)
{
    struct task *t;
    sigpending_flush(&p->sig.pending, set);
    list_for_each_entry (t, &p->threads, thread_link) {
        sigpending_flush(&t->sig.pending, set);
    }
}

void signal_drop_ignored(struct process *p, int signo)
{
    if (disposition_ignores(p, signo)) {
        flush_everywhere(p, SIG_BIT(signo));
    }
}

/* Stop and continue cancel each other even when ignored or blocked. False: nothing to queue. */
static bool prepare(struct process *p, int signo)
{
    uint64_t bit = SIG_BIT(signo);
    if (p->group_exit || p->zombie) {
        return false;
    }
    if (bit & SIG_KERNEL_STOP) {
        flush_everywhere(p, SIG_BIT(SIGNAL_CONT));
    } else if (signo == SIGNAL_CONT) {
        flush_everywhere(p, SIG_KERNEL_STOP);
        signal_group_continue(p);
    }
    return true;
}

static bool wants(const struct task *t, int signo)
{
    return !t->exiting && t->state != TASK_DEAD && !(t->sig.blocked & SIG_BIT(signo));
}

/* The thread notices the signal: it leaves its sleep, or its stop if that is SIGKILL. */
static void notify(struct task *t, int signo)
{
    if (signo == SIGNAL_KILL) {
        signal_unstop_all(t->process);
    }
    if (t->state == TASK_BLOCKED && task_signal_pending(t)) {
        task_wake(t);
    }
}

/* The main thread if it wants the signal, else the first that does (Linux complete_signal, with
 * creation order where Linux goes round robin). */
static void notify_process(struct process *p, int signo)
{
    struct task *t;
    if (p->leader && p->leader->process == p && wants(p->leader, signo)) {
        notify(p->leader, signo);
    } else {
        list_for_each_entry (t, &p->threads, thread_link) {
            if (wants(t, signo)) {
                notify(t, signo);
                break;
            }
        }
    }
    list_for_each_entry (t, &p->threads, thread_link) {
        waitq_wake(p->m, &t->sig.wait, ABI_POLLIN);
    }
}

int signal_send_process(struct process *p, const struct siginfo *info)
{
    int signo = info->signo;
    if (list_empty(&p->threads) || !prepare(p, signo)) {
        return 0;
    }
    const struct task *main =
        p->leader ? p->leader : list_first_entry(&p->threads, struct task, thread_link);
    if (signal_would_be_ignored(main, signo, is_forced(info))) {
        return 0;
    }
    int error = sigpending_add(&p->sig.pending, p, info);
    if (error == 0) {
        notify_process(p, signo);
    }
    return error;
}

int signal_send_task(struct task *t, const struct siginfo *info)
{
    int signo = info->signo;
    if (t->exiting || t->state == TASK_DEAD || !prepare(t->process, signo) ||
        signal_would_be_ignored(t, signo, is_forced(info))) {
        return 0;
    }
    int error = sigpending_add(&t->sig.pending, t->process, info);
    if (error) {
        return error;
    }
    if (wants(t, signo)) {
        notify(t, signo);
    }
    waitq_wake(t->m, &t->sig.wait, ABI_POLLIN);
    return 0;
}

int signal_send_timer(struct posix_timer *pt, struct task *target)
{
    struct process *p = pt->process;
    int signo = pt->signo;
    struct task *t = target;
    if (!t) {
        t = p->leader ? p->leader : list_first_entry(&p->threads, struct task, thread_link);
    }
    if (list_empty(&p->threads) || !prepare(p, signo) || signal_would_be_ignored(t, signo, false)) {
        return 0;
    }
    struct sigpending *q = target ? &target->sig.pending : &p->sig.pending;
    if (!sigpending_add_timer(q, p, &pt->entry)) {
        return 0;
    }
    if (!target) {
        notify_process(p, signo);
    } else {
        if (wants(target, signo)) {
            notify(target, signo);
        }
        waitq_wake(p->m, &target->sig.wait, ABI_POLLIN);
    }
    return 1;
}

int signal_send_group(struct node *n, int32_t pgid, const struct siginfo *info)
{
    struct process *p;
    int result = -ESRCH;
    list_for_each_entry (p, &n->processes, node_link) {
        if (p->pgid == pgid) {
            signal_send_process(p, info);
            result = 0;
        }
    }
    return result;
}

void signal_kernel(struct process *p, int signo)
{
    struct siginfo info = {.signo = signo, .code = ABI_SI_KERNEL};
    int error = signal_send_process(p, &info);
    ASSERT(error == 0 || error == -EAGAIN);
}

struct siginfo signal_info_user(const struct task *sender, int signo, int code)
{
    struct siginfo info = {.signo = signo, .code = code};
    info.kill.pid = sender->process->pid;
    info.kill.uid = sender->cred.uid;
    return info;
}

void signal_pipe(struct task *t)
{
    struct siginfo info = signal_info_user(t, SIGNAL_PIPE, ABI_SI_USER);
    signal_send_task(t, &info);
}

void signal_retarget(struct process *p, const struct task *except)
{
    struct task *t;
    uint64_t left = p->sig.pending.set;
    list_for_each_entry (t, &p->threads, thread_link) {
        if (!left) {
            break;
        }
        if (t == except || t->exiting || t->state == TASK_DEAD) {
            continue;
        }
        if (left & ~t->sig.blocked) {
            left &= t->sig.blocked;
            if (t->state == TASK_BLOCKED) {
                task_wake(t);
            }
        }
    }
}

bool signal_child_exited(struct process *child)
{
    struct process *parent = child->parent;
    if (!parent || parent->zombie) {
        return !parent ? false : true;
    }
    int signo = child->exit_signal;
    bool autoreap = false;
    if (signo == SIGNAL_CHLD) {
        const struct sigaction_entry *a = signal_action(parent, SIGNAL_CHLD);
        if (a->handler == ABI_SIG_IGN || (a->flags & ABI_SA_NOCLDWAIT)) {
            /* Linux keeps sending SIGCHLD with SA_NOCLDWAIT but not with SIG_IGN (sigaction(2)). */
            autoreap = true;
            signo = a->handler == ABI_SIG_IGN ? 0 : signo;
        }
    }
    if (signo > 0 && signo <= SIG_MAX) {
        int status = child->exit_status;
        struct siginfo info = {.signo = signo};
        info.child.pid = child->pid;
        info.child.uid = child->leader ? child->leader->cred.uid : 0;
        info.child.utime = (int64_t)(process_cpu_ns(child) / 10000000u);
        if (status & 0x7f) {
            info.code = (status & 0x80) ? ABI_CLD_DUMPED : ABI_CLD_KILLED;
            info.child.status = status & 0x7f;
        } else {
            info.code = ABI_CLD_EXITED;
            info.child.status = status >> 8;
        }
        signal_send_process(parent, &info);
    }
    waitq_wake(parent->m, &parent->child_wait, 0);
    return autoreap;
}

void signal_parent_died(struct process *parent)
{
    struct process *child;
    struct task *t;
    list_for_each_entry (child, &parent->children, sibling_link) {
        list_for_each_entry (t, &child->threads, thread_link) {
            if (t->parent_death_signal) {
                struct siginfo info = {.signo = t->parent_death_signal, .code = ABI_SI_USER};
                info.kill.pid = parent->pid;
                info.kill.uid = parent->leader ? parent->leader->cred.uid : 0;
                signal_send_process(child, &info);
            }
        }
    }
}
