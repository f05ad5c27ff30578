/* Processes that the kernel itself starts: containers, health checks, test commands. */
#include "kernel/task/spawn.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/loader/exec.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/task/cred.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/vfs.h"

static struct exec_plan *plan_of(struct machine *m, const struct spawn *s)
{
    struct exec_plan *p = KALLOC(m, struct exec_plan);
    int err = 0;
    for (const char *const *a = s->argv; *a && !err; a++) {
        err = exec_add_arg(m, p, *a, str_len(*a));
    }
    for (const char *const *e = s->envp; *e && !err; e++) {
        err = exec_add_env(m, p, *e, str_len(*e));
    }
    ASSERT(p->argc > 0);
    if (err) {
        m->port->panic("arguments and environment of a container are too long");
    }
    return p;
}

struct process *process_spawn(struct machine *m, const struct spawn *s)
{
    struct node *n = s->node;
    struct process *p = process_create(n, NULL);
    p->command_id = s->command_id;
    p->on_exit = s->on_exit;
    p->on_exit_data = s->on_exit_data;
    process_signals_init(p);
    rlimits_init(p, n->plan);
    if (s->new_pid1) {
        ASSERT(!n->init);
        n->last_pid = 0;
        n->init = p;
    }
    struct task *t = task_create(p, s->new_pid1 ? 1 : 0);
    ASSERT(t);
    if (s->new_pid1) {
        n->last_pid = 1;
    }
    p->pgid = p->sid = p->pid;
    str_copy(t->comm, sizeof t->comm, s->argv[0]);
    cred_init(m, &t->cred, s->uid, s->gid, s->groups, s->ngroups);
    cred_grant(&t->cred, n->plan);
    task_signals_init(t, NULL, false);
    t->fds = fd_table_create(m);
    t->fs = fs_context_create(n, s->cwd, 022);
    for (int i = 0; i < 3; i++) {
        if (s->stdio[i]) {
            fd_install_at(t, s->stdio[i], i, false);
        }
    }
    t->timer_slack_ns = 50000;
    t->exec = plan_of(m, s);
    t->mm = mm_create(m);
    if (!t->mm) {
        m->port->panic("too many processes to start another container or command");
    }
    t->kstack = kstack_alloc(t->mm);
    t->start = START_EXEC;
    sched_enqueue(t);
    return p;
}
