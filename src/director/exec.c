/* `everett exec`: one node whose PID 1 is the command; the universe ends with it. */
#include "director/exec.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/net/net.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

static void command_exited(struct machine *m, struct process *p)
{
    int status = p->exit_status;
    m->end.exit_code = (uint32_t)(status >> 8 & 0xff);
    m->end.signal = (uint32_t)(status & 0x7f);
    machine_end(m, END_ALL_EXITED, "the command ended");
}

static const char **strings(struct machine *m, struct plan_list list)
{
    const char **v = kalloc(m, (list.count + 1) * sizeof *v);
    for (uint32_t i = 0; i < list.count; i++) {
        v[i] = PLAN_STR(m->plan, *PLAN_AT(m->plan, list, plan_str, i));
    }
    return v;
}

void exec_boot(struct machine *m)
{
    struct node *n = m->nodes[0];
    const struct plan_node *pn = n->plan;
    char err[256];
    if (vfs_node_up(n, err, sizeof err)) {
        machine_end(m, END_SETUP_FAILED, "%s", err);
        return;
    }
    net_node_up(n);
    const char **argv = strings(m, pn->argv), **envp = strings(m, pn->env);
    struct spawn s = {.node = n,
                      .argv = argv,
                      .envp = envp,
                      .cwd = PLAN_STR(m->plan, pn->cwd),
                      .uid = pn->uid,
                      .gid = pn->gid,
                      .groups = PLAN_AT(m->plan, pn->groups, uint32_t, 0),
                      .ngroups = pn->groups.count,
                      .stdio = {devnull_open(n, O_RDONLY), rawout_create(n, 1), rawout_create(n, 2)},
                      .new_pid1 = true,
                      .on_exit = command_exited};
    process_spawn(m, &s);
    kfree(m, argv);
    kfree(m, envp);
}
