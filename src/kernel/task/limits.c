/* Resource limits, priorities and scheduling attributes. Limits that other parts enforce are only
 * kept here; priorities have no effect on the schedule (one thread runs at a time, in order). */
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "abi/plan.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

#define INFINITE UINT64_MAX

/* What Docker gives a container on a host of that size; later entries of the plan win. */
void rlimits_init(struct process *p, const struct plan_node *plan)
{
    const struct plan *all = p->m->plan;
    for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
        p->rlimits[i] = (struct rlimit_pair){INFINITE, INFINITE};
    }
    p->rlimits[RLIMIT_STACK] = (struct rlimit_pair){8ull << 20, INFINITE};
    p->rlimits[RLIMIT_CORE] = (struct rlimit_pair){0, INFINITE};
    p->rlimits[RLIMIT_NOFILE] = (struct rlimit_pair){1048576, 1048576};
    p->rlimits[RLIMIT_MEMLOCK] = (struct rlimit_pair){8ull << 20, 8ull << 20};
    p->rlimits[RLIMIT_SIGPENDING] = (struct rlimit_pair){31365, 31365};
    p->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit_pair){819200, 819200};
    p->rlimits[RLIMIT_NICE] = (struct rlimit_pair){0, 0};
    p->rlimits[RLIMIT_RTPRIO] = (struct rlimit_pair){0, 0};
    for (uint32_t i = 0; plan && i < plan->rlimits.count; i++) {
        const struct plan_rlimit *r = PLAN_AT(all, plan->rlimits, struct plan_rlimit, i);
        if (r->resource < RLIMIT_COUNT) {
            p->rlimits[r->resource] = (struct rlimit_pair){r->soft, r->hard};
        }
    }
}

uint64_t rlimit_soft(const struct process *p, unsigned resource)
{
    ASSERT(resource < RLIMIT_COUNT);
    return p->rlimits[resource].soft;
}

static int64_t set_limit(struct task *t, struct process *p, unsigned resource,
                         struct rlimit_pair new)
{
    struct rlimit_pair *r = &p->rlimits[resource];
    if (new.soft > new.hard) {
        return -EINVAL;
    }
    if (resource == RLIMIT_NOFILE && new.hard > LIMIT_FDS) {
        return -EPERM; /* fs.nr_open (getrlimit(2)) */
    }
    if (new.hard > r->hard && !task_capable(t, CAP_SYS_RESOURCE)) {
        return -EPERM;
    }
    if (resource == RLIMIT_CPU) {
        cpu_timers_watch(p);
    }
    *r = new;
    return 0;
}

/* prlimit(2): all ids of the target must be the caller's real ones. */
static bool may_limit(struct task *t, const struct task *of)
{
    const struct credentials *c = &t->cred, *o = &of->cred;
    if (of->process == t->process || task_capable(t, CAP_SYS_RESOURCE)) {
        return true;
    }
    return c->uid == o->euid && c->uid == o->suid && c->uid == o->uid && c->gid == o->egid &&
           c->gid == o->sgid && c->gid == o->gid;
}

struct sysret sys_prlimit64(struct task *t, const struct sysargs *a)
{
    abi_pid pid = (abi_pid)a->a[0];
    unsigned resource = (unsigned)a->a[1];
    struct rlimit_pair new, old;
    if (a->a[2] && user_read(t, &new, gaddr_of(a->a[2]), sizeof new)) {
        return sys_done(-EFAULT);
    }
    struct task *of = pid ? task_find(t->node, pid) : t;
    if (!of) {
        return sys_done(-ESRCH);
    }
    if (!may_limit(t, of)) {
        return sys_done(-EPERM);
    }
    if (resource >= RLIMIT_COUNT) {
        return sys_done(-EINVAL);
    }
    old = of->process->rlimits[resource];
    if (a->a[2]) {
        int64_t error = set_limit(t, of->process, resource, new);
        if (error) {
            return sys_done(error);
        }
    }
    return sys_done(a->a[3] ? user_write(t, gaddr_of(a->a[3]), &old, sizeof old) : 0);
}

struct sysret sys_getrlimit(struct task *t, const struct sysargs *a)
{
    if (a->a[0] >= RLIMIT_COUNT) {
        return sys_done(-EINVAL);
    }
    struct rlimit_pair *r = &t->process->rlimits[a->a[0]];
    return sys_done(user_write(t, gaddr_of(a->a[1]), r, sizeof *r));
}

struct sysret sys_setrlimit(struct task *t, const struct sysargs *a)
{
    struct rlimit_pair new;
    if (user_read(t, &new, gaddr_of(a->a[1]), sizeof new)) {
        return sys_done(-EFAULT);
    }
    if (a->a[0] >= RLIMIT_COUNT) {
        return sys_done(-EINVAL);
    }
    return sys_done(set_limit(t, t->process, (unsigned)a->a[0], new));
}

/* --- nice values
 * --------------------------------------------------------------------------------------- */

#define PRIO_PROCESS_ 0
#define PRIO_PGRP_    1
#define PRIO_USER_    2

/* Does the process belong to what (which, who) names? */
static bool selected(struct task *t, const struct process *p, int which, uint32_t who)
{
    switch (which) {
    case PRIO_PGRP_:
        return p->pgid == (who ? (abi_pid)who : t->process->pgid);
    default:
        return p->leader && p->leader->cred.uid == (who ? who : t->cred.uid);
    }
}

static int apply_nice(struct task *t, struct task *of, int nice)
{
    if (t->cred.euid != of->cred.uid && t->cred.euid != of->cred.euid &&
        !task_capable(t, CAP_SYS_NICE)) {
        return -EPERM;
    }
    uint64_t limit = rlimit_soft(of->process, RLIMIT_NICE);
    if (nice < of->nice && (uint64_t)(20 - nice) > limit && !task_capable(t, CAP_SYS_NICE)) {
        return -EACCES;
    }
    of->nice = nice;
    return 0;
}

struct sysret sys_setpriority(struct task *t, const struct sysargs *a)
{
    int which = (int)a->a[0], nice = (int)a->a[2], result = -ESRCH;
    uint32_t who = (uint32_t)a->a[1];
    struct process *p;
    struct task *of;
    nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
    if (which < PRIO_PROCESS_ || which > PRIO_USER_) {
        return sys_done(-EINVAL);
    }
    if (which == PRIO_PROCESS_) {
        of = who ? task_find(t->node, (abi_pid)who) : t;
        return sys_done(of ? apply_nice(t, of, nice) : -ESRCH);
    }
    list_for_each_entry (p, &t->node->processes, node_link) {
        if (!selected(t, p, which, who)) {
            continue;
        }
        list_for_each_entry (of, &p->threads, thread_link) {
            int error = apply_nice(t, of, nice);
            result = error || result == -ESRCH ? error : result;
        }
    }
    return sys_done(result);
}

/* The raw call answers 20 - nice, so that results are positive (getpriority(2)). */
struct sysret sys_getpriority(struct task *t, const struct sysargs *a)
{
    int which = (int)a->a[0], best = -ESRCH;
    uint32_t who = (uint32_t)a->a[1];
    const struct process *p;
    const struct task *of;
    if (which < PRIO_PROCESS_ || which > PRIO_USER_) {
        return sys_done(-EINVAL);
    }
    if (which == PRIO_PROCESS_) {
        of = who ? task_find(t->node, (abi_pid)who) : t;
        return sys_done(of ? 20 - of->nice : -ESRCH);
    }
    list_for_each_entry (p, &t->node->processes, node_link) {
        if (!selected(t, p, which, who)) {
            continue;
        }
        list_for_each_entry (of, &p->threads, thread_link) {
            best = 20 - of->nice > best ? 20 - of->nice : best;
        }
    }
    return sys_done(best);
}
