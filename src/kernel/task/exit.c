/* The end of threads and processes (exit_group(2), _exit(2)). */
#include "abi/signal_abi.h"
#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/ipc/ipc.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/sync/futex.h"
#include "kernel/task/cred.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/special/tty.h"
#include "kernel/vfs/vfs.h"

/* The thread ends when it is next scheduled. */
static void end_thread(struct task *t, int status)
{
    t->exiting = true;
    t->exit_code = status;
    if (t->state == TASK_STOPPED) {
        sched_enqueue(t);
    } else {
        task_wake(t);
    }
}

void process_kill_others(struct task *t, int status)
{
    struct task *other;
    list_for_each_entry (other, &t->process->threads, thread_link) {
        if (other != t && other->state != TASK_DEAD) {
            end_thread(other, status);
        }
    }
}

_Noreturn void task_exit_group(struct task *t, int status)
{
    struct process *p = t->process;
    if (!p->group_exit) {
        p->group_exit = true;
        p->exit_status = status;
        process_kill_others(t, status);
    }
    task_exit(t, p->exit_status);
}

void task_leave_memory(struct task *t)
{
    futex_exit_robust(t);
    if (t->clear_child_tid && t->mm->refs > 1) {
        if (user_write_u32(t, gaddr_of(t->clear_child_tid), 0) == 0) {
            futex_wake_addr(t, t->clear_child_tid, 1);
        }
    }
    t->clear_child_tid = 0;
}

/* execve and exit both end a vfork parent's wait. */
void task_release_vfork_parent(struct task *t)
{
    struct task *parent = t->vfork_parent;
    if (parent) {
        t->vfork_parent = NULL;
        parent->vfork_waiting = false;
        task_wake(parent);
    }
}

static void emit_exit(struct process *p)
{
    int status = p->exit_status;
    struct event_process e = {
        .kind = PROCESS_EXIT,
        .signal = (uint16_t)(status & 0x7f),
        .core_signal = signal_default_is_core(status & 0x7f),
        .exit_code = (uint32_t)(status >> 8 & 0xff),
        .parent_pid = (uint32_t)process_parent_pid(p),
        .by_injector = p->by_injector,
        .command_id = p->command_id,
    };
    const char *exe = p->exe_path ? p->exe_path : p->leader->comm;
    struct trace_part parts[] = {{&e, sizeof e}, {exe, str_len(exe)}};
    trace_event(p->m, EVENT_PROCESS, p->node, (uint32_t)p->pid, parts, 2);
}

/* Children go to the nearest subreaper, else to the node's PID 1 (prctl(2) PR_SET_CHILD_SUBREAPER).
 * With `init: true` the user's program is PID 1 and the kernel does what a small init would do for
 * it: orphans are not its children, see PID 1 as their parent, and are reaped as they end. */
static struct process *find_reaper(struct process *p)
{
    for (struct process *a = p->parent; a; a = a->parent) {
        if (a->child_subreaper && !a->zombie) {
            return a;
        }
    }
    struct process *init = p->node->init;
    return init && init != p && !init->zombie ? init : NULL;
}

static void reparent_children(struct process *p)
{
    struct process *reaper = find_reaper(p);
    struct process *child, *tmp;
    list_for_each_entry_safe (child, tmp, &p->children, sibling_link) {
        list_del(&child->sibling_link);
        child->parent = reaper;
        if (reaper && reaper == p->node->init && p->node->plan->init && !reaper->child_subreaper) {
            child->parent = NULL;
            child->kernel_reaps = true;
        } else if (reaper) {
            list_add_tail(&reaper->children, &child->sibling_link);
            child->exit_signal = SIGNAL_CHLD;
        }
        if (child->zombie && (!child->parent || signal_child_exited(child))) {
            process_reap(child);
        }
    }
}

static void end_process(struct process *p)
{
    struct machine *m = p->m;
    signal_parent_died(p);
    tty_session_leader_exit(p);
    session_process_exit(p);
    ipc_process_exit(p);
    reparent_children(p);
    p->zombie = true;
    emit_exit(p);
    void (*on_exit)(struct machine *, struct process *) = p->on_exit;
    bool is_init = p->node->init == p;
    if (is_init) {
        node_kill_all(p->node, p->by_injector);
        p->node->init = NULL;
        ipc_node_down(p->node);
    }
    if (on_exit) {
        on_exit(m, p);
    }
    waitq_wake(m, &p->child_wait, 0); /* pidfds */
    if (!p->parent || signal_child_exited(p)) {
        process_reap(p);
    }
}

static void release_files(struct task *t)
{
    fd_table_put(t, t->fds);
    t->fds = NULL;
    fs_context_put(t->m, t->fs);
    t->fs = NULL;
}

static void free_previous_dead(struct machine *m)
{
    if (m->sched.dead) {
        struct task *d = m->sched.dead;
        m->sched.dead = NULL;
        task_free(d);
    }
}

_Noreturn void task_exit(struct task *t, int status)
{
    struct machine *m = t->m;
    struct process *p = t->process;
    struct mm *mm = t->mm;
    free_previous_dead(m);
    t->exiting = true;
    task_cancel_waits(t);
    kfree(m, t->call.held);
    t->call.held = NULL;
    task_leave_memory(t);
    task_release_vfork_parent(t);
    release_files(t);
    bool last = p->thread_count == 1;
    if (last && !p->group_exit) {
        p->exit_status = status;
    }
    task_signals_fini(t);
    t->state = TASK_DEAD;
    list_del(&t->thread_link);
    p->thread_count--;
    t->node->task_count--;
    kstack_free(mm, t->kstack);
    bool mm_ends = mm->refs == 1;
    if (mm_ends) {
        mm_release_mappings(mm);
    }
    if (p->leader != t) {
        task_unhash(t);
        m->sched.dead = t;
    }
    waitq_wake(m, &p->child_wait, 0); /* execve waits for its siblings here */
    if (last) {
        end_process(p);
    }
    m->sched.current = NULL;
    if (mm_ends) {
        mm_put(m, mm);
        m->port->exit_mm(m, sched_take(m));
        __builtin_unreachable();
    }
    mm_put(m, mm);
    schedule_gone(m);
}

void node_kill_all(struct node *n, bool by_injector)
{
    struct process *p, *tmp;
    node_resume(n);
    list_for_each_entry_safe (p, tmp, &n->processes, node_link) {
        if (p->zombie) {
            continue;
        }
        p->by_injector |= by_injector;
        if (!p->group_exit) {
            p->group_exit = true;
            p->exit_status = SIGNAL_KILL;
        }
        struct task *t;
        list_for_each_entry (t, &p->threads, thread_link) {
            end_thread(t, p->exit_status);
        }
    }
}

void node_pause(struct node *n)
{
    struct task *t, *tmp;
    n->paused = true;
    list_for_each_entry_safe (t, tmp, &n->m->sched.runnable, run_link) {
        if (t->node == n) {
            list_del(&t->run_link);
            list_add_tail(&n->held, &t->run_link);
        }
    }
}

void node_resume(struct node *n)
{
    struct task *t, *tmp;
    n->paused = false;
    list_for_each_entry_safe (t, tmp, &n->held, run_link) {
        list_del(&t->run_link);
        list_add_tail(&n->m->sched.runnable, &t->run_link);
    }
}
