/* prctl(2), arch_prctl(2), personality(2). */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>

#include "abi/layout.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred_priv.h"
#include "kernel/task/seccomp.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

#define TIMER_SLACK_DEFAULT_NS 50000u

static struct sysret refused(struct task *t, uint64_t option, int error)
{
    trace_unknown(t, "prctl", option, 0, error);
    return sys_done(error);
}

static struct sysret name_option(struct task *t, const struct sysargs *a)
{
    char name[16] = {0};
    if (a->a[0] == PR_GET_NAME) {
        return sys_done(user_write(t, gaddr_of(a->a[1]), t->comm, sizeof t->comm));
    }
    int64_t n = user_read_str(t, name, gaddr_of(a->a[1]), sizeof name - 1);
    if (n == -EFAULT) {
        return sys_done(-EFAULT);
    }
    if (n >= 0) {
        memset(name + n, 0, sizeof name - (size_t)n);
    }
    memcpy(t->comm, name, sizeof t->comm); /* longer names are cut */
    return sys_done(0);
}

static struct sysret write_int(struct task *t, uint64_t addr, int32_t v)
{
    return sys_done(user_write(t, gaddr_of(addr), &v, sizeof v));
}

/* Options that concern the life of the process. */
static struct sysret process_option(struct task *t, const struct sysargs *a)
{
    switch (a->a[0]) {
    case PR_SET_PDEATHSIG:
        if (a->a[1] > SIG_MAX) {
            return sys_done(-EINVAL);
        }
        t->parent_death_signal = (int)a->a[1];
        return sys_done(0);
    case PR_GET_PDEATHSIG:
        return write_int(t, a->a[1], t->parent_death_signal);
    case PR_SET_DUMPABLE:
        if (a->a[1] > 1) {
            return sys_done(-EINVAL);
        }
        t->process->dumpable = a->a[1];
        return sys_done(0);
    case PR_GET_DUMPABLE:
        return sys_done(t->process->dumpable);
    case PR_SET_CHILD_SUBREAPER:
        t->process->child_subreaper = a->a[1] != 0;
        return sys_done(0);
    case PR_GET_CHILD_SUBREAPER:
        return write_int(t, a->a[1], t->process->child_subreaper);
    case PR_SET_NO_NEW_PRIVS:
        if (a->a[1] != 1 || a->a[2] || a->a[3] || a->a[4]) {
            return sys_done(-EINVAL);
        }
        t->cred.no_new_privs = true;
        return sys_done(0);
    default: /* PR_GET_NO_NEW_PRIVS */
        if (a->a[1] || a->a[2] || a->a[3] || a->a[4]) {
            return sys_done(-EINVAL);
        }
        return sys_done(t->cred.no_new_privs);
    }
}

/* Options whose answer never depends on anything here. */
static struct sysret plain_option(struct task *t, const struct sysargs *a)
{
    switch (a->a[0]) {
    case PR_SET_TIMERSLACK:
        t->timer_slack_ns =
            a->a[1] && (int64_t)a->a[1] > 0 ? (uint32_t)a->a[1] : TIMER_SLACK_DEFAULT_NS;
        return sys_done(0);
    case PR_GET_TIMERSLACK:
        return sys_done(t->timer_slack_ns ? t->timer_slack_ns : TIMER_SLACK_DEFAULT_NS);
    case PR_SET_THP_DISABLE: /* pages look the same at any size */
        if (a->a[2] || a->a[3] || a->a[4]) {
            return sys_done(-EINVAL);
        }
        t->process->thp_disabled = a->a[1] != 0;
        return sys_done(0);
    case PR_GET_THP_DISABLE:
        if (a->a[1] || a->a[2] || a->a[3] || a->a[4]) {
            return sys_done(-EINVAL);
        }
        return sys_done(t->process->thp_disabled);
    case PR_GET_TID_ADDRESS:
        return sys_done(user_write_u64(t, gaddr_of(a->a[1]), t->clear_child_tid));
    case PR_GET_SECCOMP:
        return sys_done(t->seccomp_mode);
    case PR_SET_SECCOMP:
        return sys_done(seccomp_set_mode(t, a->a[1], a->a[2]));
    case PR_GET_TIMING:
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
        return sys_done(0);
    case PR_GET_TSC:
        return write_int(t, a->a[1], PR_TSC_ENABLE); /* emulated: it looks enabled */
    case PR_GET_SPECULATION_CTRL:
    case PR_SET_SPECULATION_CTRL:
        return sys_done(-ENODEV);
    default:
        return refused(t, a->a[0], -EINVAL);
    }
}

struct sysret sys_prctl(struct task *t, const struct sysargs *a)
{
    switch (a->a[0]) {
    case PR_SET_NAME:
    case PR_GET_NAME:
        return name_option(t, a);
    case PR_SET_PDEATHSIG:
    case PR_GET_PDEATHSIG:
    case PR_SET_DUMPABLE:
    case PR_GET_DUMPABLE:
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_CHILD_SUBREAPER:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
        return process_option(t, a);
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_CAP_AMBIENT:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
        return cap_prctl(t, a);
    case PR_SET_MM:
        return refused(t, a->a[0], -EPERM);
    case PR_SET_VMA: /* only names mappings: a kernel without CONFIG_ANON_VMA_NAME says this */
        return sys_done(-EINVAL);
    default:
        return plain_option(t, a);
    }
}

/* A base must be a user address (arch_prctl(2)). */
static bool base_ok(uint64_t base)
{
    return base < GUEST_STACK_TOP;
}

struct sysret sys_arch_prctl(struct task *t, const struct sysargs *a)
{
    const struct port *port = t->m->port;
    switch ((int)a->a[0]) {
    case ARCH_SET_FS:
        if (!base_ok(a->a[1])) {
            return sys_done(-EPERM);
        }
        port->set_fs(a->a[1]);
        return sys_done(0);
    case ARCH_SET_GS:
        if (!base_ok(a->a[1])) {
            return sys_done(-EPERM);
        }
        port->set_gs(a->a[1]);
        return sys_done(0);
    case ARCH_GET_FS:
        return sys_done(user_write_u64(t, gaddr_of(a->a[1]), port->get_fs()));
    case ARCH_GET_GS:
        return sys_done(user_write_u64(t, gaddr_of(a->a[1]), port->get_gs()));
    case ARCH_GET_CPUID:
        return sys_done(1);
    case ARCH_SET_CPUID:
        return sys_done(-ENODEV); /* as on a CPU without CPUID faulting */
    default: /* shadow stacks, LAM, AMX permission: probed by libraries, absent in this kernel */
        return sys_done(-EINVAL);
    }
}

struct sysret sys_personality(struct task *t, const struct sysargs *a)
{
    uint32_t old = t->personality;
    if ((uint32_t)a->a[0] != 0xffffffffu) {
        t->personality = (uint32_t)a->a[0];
    }
    return sys_done(old);
}
