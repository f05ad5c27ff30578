#include "director/branch.h"

#include "director/container.h"
#include "director/hooks.h"
#include "director/launch.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/spawn.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

bool branch_is_open(struct machine *m)
{
    return m->director && m->plan->branch.at_ns;
}

static void timed_out(struct machine *m, struct timer *t)
{
    machine_end(m, END_TIME_LIMIT, "the command did not end within %lu ms",
                (unsigned long)(m->plan->branch.timeout_ns / NSEC_PER_MSEC));
}

static void command_exited(struct machine *m, struct process *p)
{
    uint32_t status = (uint32_t)p->exit_status;
    m->end.exit_code = status >> 8 & 0xff;
    m->end.signal = status & 0x7f;
    machine_end(m, END_BRANCH, "the command ended");
}

static void begin(struct machine *m, struct timer *t)
{
    const struct plan_branch *b = &m->plan->branch;
    struct node *n = m->nodes[b->node];
    if (!container_is_usable(n)) {
        machine_end(m, END_SETUP_FAILED, "container '%s' %s at this moment", n->name,
                    n->paused ? "is paused" : "is not running");
        return;
    }
    if (m->ends_at) {
        m->ends_at = max_u64(m->ends_at, machine_now(m) + b->timeout_ns + 1);
    }
    timer_arm(m, &director_branch(m)->timeout, machine_now(m) + b->timeout_ns, TIMER_NO_NODE,
              timed_out);
    const char **argv = plan_strings(m, b->argv);
    struct spawn s = {.node = n,
                      .argv = argv,
                      .stdio = {NULL, rawout_create(n, 1), rawout_create(n, 2)},
                      .on_exit = command_exited};
    launch(&s);
    kfree(m, argv);
}

/* One nanosecond later: what else happens at the moment itself belongs to the history. The arming
 * takes one number of the timers' order, which is relative: nothing else moves. */
void branch_boot(struct machine *m)
{
    if (branch_is_open(m)) {
        timer_arm(m, &director_branch(m)->begin, m->plan->branch.at_ns + 1, TIMER_NO_NODE, begin);
    }
}
