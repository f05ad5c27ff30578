/* Process groups and sessions (setpgid(2), setsid(2), credentials(7)). */
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"

bool session_group_exists(const struct node *n, abi_pid pgid, abi_pid sid)
{
    const struct process *p;
    list_for_each_entry (p, &n->processes, node_link) {
        if (p->pgid == pgid && p->sid == sid) {
            return true;
        }
    }
    return false;
}

/* The member keeps its group attached: its parent is of another group of the session. */
static bool attaches(const struct process *p)
{
    const struct process *parent = p->parent;
    return parent && !parent->zombie && parent->pgid != p->pgid && parent->sid == p->sid;
}

bool session_group_orphaned(const struct node *n, abi_pid pgid, const struct process *ignore)
{
    const struct process *p;
    list_for_each_entry (p, &n->processes, node_link) {
        if (p->pgid != pgid || p == ignore || p->zombie) {
            continue;
        }
        if (attaches(p) && p->parent != ignore) {
            return false;
        }
    }
    return true;
}

static bool has_stopped_member(const struct node *n, abi_pid pgid)
{
    const struct process *p;
    list_for_each_entry (p, &n->processes, node_link) {
        if (p->pgid == pgid && p->sig.stopped) {
            return true;
        }
    }
    return false;
}

static void hang_up_if_orphaned(struct node *n, abi_pid pgid, const struct process *exiting)
{
    if (!session_group_orphaned(n, pgid, exiting) || !has_stopped_member(n, pgid)) {
        return;
    }
    struct siginfo hup = {.signo = SIGNAL_HUP, .code = 0x80},
                   cont = {.signo = SIGNAL_CONT, .code = 0x80};
    signal_send_group(n, pgid, &hup);
    signal_send_group(n, pgid, &cont);
}

void session_process_exit(struct process *p)
{
    struct process *child;
    if (p->parent && p->parent->pgid != p->pgid && p->parent->sid == p->sid) {
        hang_up_if_orphaned(p->node, p->pgid, p);
    }
    list_for_each_entry (child, &p->children, sibling_link) {
        if (child->pgid != p->pgid && child->sid == p->sid && !child->zombie) {
            hang_up_if_orphaned(p->node, child->pgid, p);
        }
    }
}

/* --- calls
 * ------------------------------------------------------------------------------------------- */

struct sysret sys_setpgid(struct task *t, const struct sysargs *a)
{
    abi_pid pid = (abi_pid)a->a[0], pgid = (abi_pid)a->a[1];
    struct process *me = t->process;
    pid = pid ? pid : me->pid;
    pgid = pgid ? pgid : pid;
    if (pgid < 0) {
        return sys_done(-EINVAL);
    }
    struct task *of = task_find(t->node, pid);
    if (!of) {
        return sys_done(-ESRCH);
    }
    struct process *p = of->process;
    if (p->pid != pid) {
        return sys_done(-EINVAL); /* a thread that is no leader */
    }
    if (p->parent == me) {
        if (p->sid != me->sid) {
            return sys_done(-EPERM);
        }
        if (p->exec_done) {
            return sys_done(-EACCES);
        }
    } else if (p != me) {
        return sys_done(-ESRCH);
    }
    if (p->sid == p->pid) {
        return sys_done(-EPERM);
    }
    if (pgid != pid && !session_group_exists(t->node, pgid, me->sid)) {
        return sys_done(-EPERM);
    }
    p->pgid = pgid;
    return sys_done(0);
}

static const struct process *process_or_self(struct task *t, abi_pid pid)
{
    const struct task *of = pid ? task_find(t->node, pid) : t;
    return of ? of->process : NULL;
}

struct sysret sys_getpgid(struct task *t, const struct sysargs *a)
{
    const struct process *p = process_or_self(t, (abi_pid)a->a[0]);
    return sys_done(p ? p->pgid : -ESRCH);
}

struct sysret sys_getpgrp(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->process->pgid);
}

struct sysret sys_getsid(struct task *t, const struct sysargs *a)
{
    const struct process *p = process_or_self(t, (abi_pid)a->a[0]);
    return sys_done(p ? p->sid : -ESRCH);
}

/* setsid(2): EPERM if a process group with the caller's pid exists. */
struct sysret sys_setsid(struct task *t, const struct sysargs *a)
{
    struct process *p = t->process;
    const struct process *other;
    (void)a;
    list_for_each_entry (other, &t->node->processes, node_link) {
        if (other->pgid == p->pid) {
            return sys_done(-EPERM);
        }
    }
    p->sid = p->pgid = p->pid;
    file_put(p->tty);
    p->tty = NULL;
    return sys_done(p->sid);
}

struct sysret sys_getpid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->process->pid);
}

struct sysret sys_gettid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(t->tid);
}

/* 0 for a parent outside of the node's PID namespace. */
struct sysret sys_getppid(struct task *t, const struct sysargs *a)
{
    (void)a;
    return sys_done(process_parent_pid(t->process));
}

struct sysret sys_set_tid_address(struct task *t, const struct sysargs *a)
{
    t->clear_child_tid = a->a[0];
    return sys_done(t->tid);
}
