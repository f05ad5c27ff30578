/* Scheduling attributes and processor placement (sched(7), sched_setaffinity(2)). They are kept and
 * reported; the universe's one queue does not look at them. */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

#define CPU_MASK_BYTES  8u /* Linux's answer up to 64 CPUs */
#define RT_PRIORITY_MAX 99
#define RR_INTERVAL_NS  100000000ull

static struct task *by_pid(struct task *t, uint64_t pid)
{
    return (abi_pid)pid ? task_find(t->node, (abi_pid)pid) : t;
}

static uint64_t online_cpus(const struct task *t)
{
    uint32_t n = t->m->plan->cpus;
    n = n == 0 ? 1 : n;
    return n >= 64 ? ~0ull : (1ull << n) - 1;
}

uint64_t task_cpu_mask(const struct task *t)
{
    return t->cpu_mask ? t->cpu_mask & online_cpus(t) : online_cpus(t);
}

struct sysret sys_sched_getaffinity(struct task *t, const struct sysargs *a)
{
    uint64_t len = (uint32_t)a->a[1];
    if (len * 8 < t->m->plan->cpus || (len & 7)) {
        return sys_done(-EINVAL);
    }
    const struct task *of = by_pid(t, a->a[0]);
    if ((abi_pid)a->a[0] < 0 || !of) {
        return sys_done(-ESRCH);
    }
    uint64_t mask = task_cpu_mask(of);
    if (user_write_u64(t, gaddr_of(a->a[2]), mask)) {
        return sys_done(-EFAULT);
    }
    return sys_done(CPU_MASK_BYTES);
}

static bool owns(const struct task *t, const struct task *of)
{
    return t->cred.euid == of->cred.euid || t->cred.euid == of->cred.uid ||
           task_capable(t, CAP_SYS_NICE);
}

struct sysret sys_sched_setaffinity(struct task *t, const struct sysargs *a)
{
    uint64_t mask = 0, len = min_u64((uint32_t)a->a[1], CPU_MASK_BYTES);
    if (user_read(t, &mask, gaddr_of(a->a[2]), len)) {
        return sys_done(-EFAULT);
    }
    struct task *of = by_pid(t, a->a[0]);
    if ((abi_pid)a->a[0] < 0 || !of) {
        return sys_done(-ESRCH);
    }
    if (!owns(t, of)) {
        return sys_done(-EPERM);
    }
    mask &= online_cpus(t);
    if (!mask) {
        return sys_done(-EINVAL);
    }
    of->cpu_mask = mask;
    return sys_done(0);
}

/* Always the lowest processor the thread may use: nothing migrates. */
struct sysret sys_getcpu(struct task *t, const struct sysargs *a)
{
    uint32_t cpu = (uint32_t)__builtin_ctzll(task_cpu_mask(t));
    if ((a->a[0] && user_write_u32(t, gaddr_of(a->a[0]), cpu)) ||
        (a->a[1] && user_write_u32(t, gaddr_of(a->a[1]), 0))) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

/* --- policies
 * ------------------------------------------------------------------------------------------ */

static bool is_realtime(int policy)
{
    return policy == SCHED_FIFO || policy == SCHED_RR;
}

static int check_policy(int policy, int priority)
{
    switch (policy) {
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return priority == 0 ? 0 : -EINVAL;
    case SCHED_FIFO:
    case SCHED_RR:
        return priority >= 1 && priority <= RT_PRIORITY_MAX ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

static int64_t set_policy(struct task *t, struct task *of, int policy, int priority)
{
    bool reset = policy & SCHED_RESET_ON_FORK;
    policy &= ~SCHED_RESET_ON_FORK;
    (void)reset; /* children inherit no real-time policy they could not have set themselves */
    int error = check_policy(policy, priority);
    if (error) {
        return error;
    }
    bool raises =
        is_realtime(policy) && (uint64_t)priority > rlimit_soft(of->process, RLIMIT_RTPRIO);
    if ((raises && !task_capable(t, CAP_SYS_NICE)) || !owns(t, of)) {
        return -EPERM;
    }
    of->sched_policy = policy;
    of->sched_priority = priority;
    return 0;
}

static int read_priority(struct task *t, uint64_t addr, int *priority)
{
    uint32_t v;
    if (!addr) {
        return -EINVAL;
    }
    if (user_read_u32(t, &v, gaddr_of(addr))) {
        return -EFAULT;
    }
    *priority = (int)v;
    return 0;
}

struct sysret sys_sched_setscheduler(struct task *t, const struct sysargs *a)
{
    int priority;
    struct task *of = by_pid(t, a->a[0]);
    if ((int)a->a[1] < 0 || (abi_pid)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    int error = read_priority(t, a->a[2], &priority);
    if (error) {
        return sys_done(error);
    }
    return sys_done(of ? set_policy(t, of, (int)a->a[1], priority) : -ESRCH);
}

struct sysret sys_sched_setparam(struct task *t, const struct sysargs *a)
{
    int priority;
    struct task *of = by_pid(t, a->a[0]);
    if ((abi_pid)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    int error = read_priority(t, a->a[1], &priority);
    if (error) {
        return sys_done(error);
    }
    return sys_done(of ? set_policy(t, of, of->sched_policy, priority) : -ESRCH);
}

struct sysret sys_sched_getscheduler(struct task *t, const struct sysargs *a)
{
    if ((abi_pid)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    const struct task *of = by_pid(t, a->a[0]);
    return sys_done(of ? of->sched_policy : -ESRCH);
}

struct sysret sys_sched_getparam(struct task *t, const struct sysargs *a)
{
    if (!a->a[1] || (abi_pid)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    const struct task *of = by_pid(t, a->a[0]);
    if (!of) {
        return sys_done(-ESRCH);
    }
    return sys_done(user_write_u32(t, gaddr_of(a->a[1]), (uint32_t)of->sched_priority));
}

static int64_t priority_bound(int policy, int realtime)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return realtime;
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE:
    case SCHED_DEADLINE:
        return 0;
    default:
        return -EINVAL;
    }
}

struct sysret sys_sched_get_priority_max(struct task *t, const struct sysargs *a)
{
    (void)t;
    return sys_done(priority_bound((int)a->a[0], RT_PRIORITY_MAX));
}

struct sysret sys_sched_get_priority_min(struct task *t, const struct sysargs *a)
{
    (void)t;
    return sys_done(priority_bound((int)a->a[0], 1));
}

struct sysret sys_sched_rr_get_interval(struct task *t, const struct sysargs *a)
{
    if ((abi_pid)a->a[0] < 0) {
        return sys_done(-EINVAL);
    }
    const struct task *of = by_pid(t, a->a[0]);
    if (!of) {
        return sys_done(-ESRCH);
    }
    struct abi_timespec ts = timespec_of_ns(of->sched_policy == SCHED_FIFO ? 0 : RR_INTERVAL_NS);
    return sys_done(user_write(t, gaddr_of(a->a[1]), &ts, sizeof ts));
}

/* sched_setattr(2): unknown bytes must be zero; the kernel's size is reported with E2BIG. */
struct sysret sys_sched_setattr(struct task *t, const struct sysargs *a)
{
    struct sched_attr at = {0};
    uint32_t size;
    if (!a->a[1] || (abi_pid)a->a[0] < 0 || a->a[2]) {
        return sys_done(-EINVAL);
    }
    if (user_read_u32(t, &size, gaddr_of(a->a[1]))) {
        return sys_done(-EFAULT);
    }
    size = size ? size : SCHED_ATTR_SIZE_VER0;
    if (size < SCHED_ATTR_SIZE_VER0 || size > sizeof at) {
        (void)!user_write_u32(t, gaddr_of(a->a[1]), sizeof at);
        return sys_done(-E2BIG);
    }
    if (user_read(t, &at, gaddr_of(a->a[1]), size)) {
        return sys_done(-EFAULT);
    }
    struct task *of = by_pid(t, a->a[0]);
    if (!of) {
        return sys_done(-ESRCH);
    }
    if (at.sched_policy == SCHED_DEADLINE) {
        trace_unknown(t, "scheduling policy", SCHED_DEADLINE, 0, -EPERM);
        return sys_done(-EPERM);
    }
    int64_t error = set_policy(t, of, (int)at.sched_policy, (int)at.sched_priority);
    if (error == 0 && !is_realtime((int)at.sched_policy)) {
        if (at.sched_nice < of->nice && !task_capable(t, CAP_SYS_NICE)) {
            return sys_done(-EPERM);
        }
        of->nice = at.sched_nice < -20 ? -20 : at.sched_nice > 19 ? 19 : at.sched_nice;
    }
    return sys_done(error);
}

struct sysret sys_sched_getattr(struct task *t, const struct sysargs *a)
{
    uint32_t size = (uint32_t)a->a[2];
    if (!a->a[1] || (abi_pid)a->a[0] < 0 || size > 4096 || size < SCHED_ATTR_SIZE_VER0 || a->a[3]) {
        return sys_done(-EINVAL);
    }
    const struct task *of = by_pid(t, a->a[0]);
    if (!of) {
        return sys_done(-ESRCH);
    }
    struct sched_attr at = {.size = (uint32_t)min_u64(size, sizeof at),
                            .sched_policy = (uint32_t)of->sched_policy,
                            .sched_priority = (uint32_t)of->sched_priority,
                            .sched_nice = of->nice};
    return sys_done(user_write(t, gaddr_of(a->a[1]), &at, at.size));
}

/* --- I/O priority
 * ---------------------------------------------------------------------------------------- */

struct sysret sys_ioprio_set(struct task *t, const struct sysargs *a)
{
    uint32_t prio = (uint32_t)a->a[2], class = prio >> IOPRIO_CLASS_SHIFT;
    if (class > IOPRIO_CLASS_IDLE || (class == IOPRIO_CLASS_NONE && (prio & 7))) {
        return sys_done(-EINVAL);
    }
    if (class == IOPRIO_CLASS_RT && !task_capable(t, CAP_SYS_ADMIN) &&
        !task_capable(t, CAP_SYS_NICE)) {
        return sys_done(-EPERM);
    }
    if ((int)a->a[0] != IOPRIO_WHO_PROCESS) {
        trace_unknown(t, "ioprio_set target", a->a[0], 0, -EINVAL);
        return sys_done(-EINVAL);
    }
    struct task *of = by_pid(t, a->a[1]);
    if (!of) {
        return sys_done(-ESRCH);
    }
    of->ioprio = prio;
    return sys_done(0);
}

struct sysret sys_ioprio_get(struct task *t, const struct sysargs *a)
{
    if ((int)a->a[0] != IOPRIO_WHO_PROCESS) {
        trace_unknown(t, "ioprio_get target", a->a[0], 0, -EINVAL);
        return sys_done(-EINVAL);
    }
    const struct task *of = by_pid(t, a->a[1]);
    return sys_done(of ? (int64_t)of->ioprio : -ESRCH);
}

/* --- membarrier(2)
 * ----------------------------------------------------------------------------------------- */

#define MEMBARRIER_EXPEDITED                                                                       \
    (MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)
#define MEMBARRIER_ALL                                                                             \
    (MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                     \
     MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_EXPEDITED |                             \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |                                                   \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

/* A barrier is already there: one thread runs at a time. Only registration has to be kept. */
struct sysret sys_membarrier(struct task *t, const struct sysargs *a)
{
    int cmd = (int)a->a[0];
    uint32_t *registered = &t->process->membarrier;
    if (a->a[1]) {
        return sys_done(-EINVAL);
    }
    if (cmd == MEMBARRIER_CMD_QUERY) {
        return sys_done(MEMBARRIER_ALL);
    }
    if ((cmd & ~MEMBARRIER_ALL) || (cmd & (cmd - 1))) {
        return sys_done(-EINVAL);
    }
    if (cmd & MEMBARRIER_EXPEDITED) {
        /* Each registration is the bit above its command. */
        return sys_done(*registered & (uint32_t)cmd << 1 ? 0 : -EPERM);
    }
    *registered |= (uint32_t)cmd;
    return sys_done(0);
}

/* --- NUMA: there is one node
 * --------------------------------------------------------------------------------- */

static int check_nodes(struct task *t, uint64_t addr, uint64_t max)
{
    uint64_t mask;
    if (!addr || max <= 1) {
        return 0;
    }
    if (user_read_u64(t, &mask, gaddr_of(addr))) {
        return -EFAULT;
    }
    return mask & ~1ull ? -EINVAL : 0;
}

static int check_mode(struct task *t, uint64_t mode, uint64_t addr, uint64_t max)
{
    uint32_t plain = (uint32_t)mode & ~(uint32_t)MPOL_MODE_FLAGS;
    return plain >= MPOL_MAX ? -EINVAL : check_nodes(t, addr, max);
}

struct sysret sys_set_mempolicy(struct task *t, const struct sysargs *a)
{
    return sys_done(check_mode(t, a->a[0], a->a[1], a->a[2]));
}

struct sysret sys_mbind(struct task *t, const struct sysargs *a)
{
    return sys_done(check_mode(t, a->a[2], a->a[3], a->a[4]));
}

struct sysret sys_get_mempolicy(struct task *t, const struct sysargs *a)
{
    uint64_t flags = a->a[4];
    uint64_t mask = flags & MPOL_F_MEMS_ALLOWED ? 1 : 0;
    if (flags & ~(uint64_t)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) {
        return sys_done(-EINVAL);
    }
    if (a->a[0] && user_write_u32(t, gaddr_of(a->a[0]), MPOL_DEFAULT)) {
        return sys_done(-EFAULT);
    }
    if (a->a[1] && a->a[2]) {
        uint64_t bytes = round_up_u64(a->a[2] - 1, 64) / 8;
        if (bytes > 4096) {
            return sys_done(-EINVAL);
        }
        if (bytes && (user_zero(t, gaddr_of(a->a[1]), bytes) ||
                      user_write_u64(t, gaddr_of(a->a[1]), mask))) {
            return sys_done(-EFAULT);
        }
    }
    return sys_done(0);
}
