/* Job control: group stop and continuation (signal(7), wait(2), credentials(7)).
 *
 * A stop signal marks every thread; each one stops at its own return to the guest, and the last one
 * reports to the parent. SIGCONT and SIGKILL undo marks and stops at once. */
#include "kernel/signal/signal_priv.h"

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/sched/sched.h"
#include "kernel/task/task.h"

static void report(struct process *p, int code, int status)
{
    struct process *parent = p->parent;
    if (!parent || parent->zombie) {
        return;
    }
    if (!(signal_action(parent, SIGNAL_CHLD)->flags & ABI_SA_NOCLDSTOP) &&
        signal_action(parent, SIGNAL_CHLD)->handler != ABI_SIG_IGN) {
        struct siginfo info = {.signo = SIGNAL_CHLD, .code = code};
        info.child.pid = p->pid;
        info.child.uid = p->leader ? p->leader->cred.uid : 0;
        info.child.status = status;
        signal_send_process(parent, &info);
    }
    /* wait(2) sleeps on this even when SIGCHLD is not wanted. */
    waitq_wake(parent->m, &parent->child_wait, 0);
}

static void check_complete(struct process *p)
{
    struct task *t;
    if (!p->sig.stop_signo || p->sig.stopped) {
        return;
    }
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t->sig.stop_pending) {
            return;
        }
    }
    p->sig.stopped = true;
    p->stop_reported = false;
    report(p, ABI_CLD_STOPPED, p->sig.stop_signo);
}

void signal_group_stop(struct process *p, int signo)
{
    struct task *t;
    if (p->sig.stop_signo || p->group_exit) {
        return; /* already stopping: the first signal is the one reported */
    }
    p->sig.stop_signo = signo;
    p->sig.stopped = false;
    p->continue_pending = false;
    list_for_each_entry (t, &p->threads, thread_link) {
        if (t->exiting || t->state == TASK_DEAD) {
            continue;
        }
        t->sig.stop_pending = true;
        if (t->state == TASK_BLOCKED) {
            task_wake(t);
        }
    }
}

void signal_stop_here(struct task *t)
{
    struct process *p = t->process;
    t->sig.stop_pending = false;
    check_complete(p);
    while (p->sig.stop_signo && !p->group_exit && !t->exiting &&
           !(signal_pending_set(t) & SIG_BIT(SIGNAL_KILL))) {
        t->state = TASK_STOPPED;
        schedule(t->m);
    }
}

void signal_stop_abandon(struct task *t)
{
    t->sig.stop_pending = false;
    check_complete(t->process);
}

void signal_unstop_all(struct process *p)
{
    struct task *t;
    p->sig.stop_signo = 0;
    p->sig.stopped = false;
    list_for_each_entry (t, &p->threads, thread_link) {
        t->sig.stop_pending = false;
        if (t->state == TASK_STOPPED) {
            t->state = TASK_RUNNABLE;
            sched_enqueue(t);
        }
    }
}

void signal_group_continue(struct process *p)
{
    bool was_stopped = p->sig.stopped;
    bool was_stopping = p->sig.stop_signo != 0;
    int signo = p->sig.stop_signo;
    signal_unstop_all(p);
    if (was_stopped) {
        p->continue_pending = true;
        p->stop_reported = false;
        report(p, ABI_CLD_CONTINUED, SIGNAL_CONT);
    } else if (was_stopping) {
        report(p, ABI_CLD_STOPPED, signo);
    }
}
