/* `everett exec`: one node whose PID 1 is the command; the universe ends with it. */
#include "director/exec.h"

#include "director/launch.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/net/net.h"
#include "kernel/node.h"
#include "kernel/task/spawn.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

static void command_exited(struct machine *m, struct process *p)
{
    int status = p->exit_status;
    m->end.exit_code = (uint32_t)(status >> 8 & 0xff);
    m->end.signal = (uint32_t)(status & 0x7f);
    machine_end(m, END_ALL_EXITED, "the command ended");
}

void exec_boot(struct machine *m)
{
    struct node *n = m->nodes[0];
    char err[256];
    if (vfs_node_up(n, err, sizeof err)) {
        machine_end(m, END_SETUP_FAILED, "%s", err);
        return;
    }
    net_node_up(n);
    const char **argv = plan_strings(m, n->plan->argv);
    struct spawn s = {.node = n,
                      .argv = argv,
                      .stdio = {NULL, rawout_create(n, 1), rawout_create(n, 2)},
                      .new_pid1 = true,
                      .on_exit = command_exited};
    launch(&s);
    kfree(m, argv);
}
