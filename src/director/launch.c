#include "director/launch.h"

#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/task/spawn.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

#define SI_KERNEL_ 0x80

const char **plan_strings(struct machine *m, struct plan_list list)
{
    const char **v = kalloc(m, (list.count + 1) * sizeof *v);
    for (uint32_t i = 0; i < list.count; i++) {
        v[i] = PLAN_STR(m->plan, *PLAN_AT(m->plan, list, plan_str, i));
    }
    return v;
}

struct process *launch(struct spawn *s)
{
    struct machine *m = s->node->m;
    const struct plan_node *pn = s->node->plan;
    const char **envp = plan_strings(m, pn->env);
    s->envp = envp;
    s->cwd = pn->cwd ? PLAN_STR(m->plan, pn->cwd) : "/";
    s->uid = pn->uid;
    s->gid = pn->gid;
    s->groups = PLAN_AT(m->plan, pn->groups, uint32_t, 0);
    s->ngroups = pn->groups.count;
    if (!s->stdio[0]) {
        s->stdio[0] = devnull_open(s->node, O_RDONLY);
    }
    struct process *p = process_spawn(m, s);
    kfree(m, envp);
    return p;
}

void launch_kill(struct process *p)
{
    struct siginfo info = {.signo = SIGNAL_KILL, .code = SI_KERNEL_};
    struct process *other;
    list_for_each_entry (other, &p->node->processes, node_link) {
        if (other->pgid == p->pgid) {
            other->by_injector = true;
        }
    }
    signal_send_group(p->node, p->pgid, &info);
}
