/* timerfd_create(2), signalfd(2), pidfd_open(2) and their relatives. */
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/pidfd.h"
#include "kernel/vfs/special/proc.h"
#include "kernel/vfs/special/signalfd.h"
#include "kernel/vfs/special/timerfd.h"

#define CAP_WAKE_ALARM_BIT 35
#define CAP_SYS_PTRACE_BIT 19
#define CLOEXEC_BIT        ((uint32_t)O_CLOEXEC)
#define NONBLOCK_BIT       ((uint32_t)O_NONBLOCK)

/* --- timerfd ---------------------------------------------------------------------------------- */

struct sysret sys_timerfd_create(struct task *t, const struct sysargs *a)
{
    int clock_id = (int)a->a[0];
    uint32_t flags = (uint32_t)a->a[1];
    bool alarm = clock_id == CLOCK_REALTIME_ALARM || clock_id == CLOCK_BOOTTIME_ALARM;

    if ((flags & ~(CLOEXEC_BIT | NONBLOCK_BIT)) ||
        (clock_id != CLOCK_MONOTONIC && clock_id != CLOCK_REALTIME && clock_id != CLOCK_BOOTTIME &&
         !alarm)) {
        return sys_done(-EINVAL);
    }
    if (alarm && !task_capable(t, CAP_WAKE_ALARM_BIT)) {
        return sys_done(-EPERM);
    }
    return sys_done(anon_file_install(t, timerfd_create(t, clock_id, flags), flags & CLOEXEC_BIT));
}

static int64_t timerfd_of(struct task *t, uint64_t fd, struct file **f)
{
    *f = fd_file_io(t, (int)fd);
    return !*f ? -EBADF : file_is_timerfd(*f) ? 0 : -EINVAL;
}

struct sysret sys_timerfd_settime(struct task *t, const struct sysargs *a)
{
    struct abi_itimerspec value, old;
    uint32_t flags = (uint32_t)a->a[1];
    struct file *f;
    int64_t err;

    if (user_read(t, &value, gaddr_of(a->a[2]), sizeof value)) {
        return sys_done(-EFAULT);
    }
    if ((flags & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) ||
        !timespec_valid(&value.value) || !timespec_valid(&value.interval)) {
        return sys_done(-EINVAL);
    }
    err = timerfd_of(t, a->a[0], &f);
    if (err) {
        return sys_done(err);
    }
    timerfd_set(t, f, flags & TFD_TIMER_ABSTIME, &value, &old);
    if (a->a[3] && user_write(t, gaddr_of(a->a[3]), &old, sizeof old)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

struct sysret sys_timerfd_gettime(struct task *t, const struct sysargs *a)
{
    struct abi_itimerspec value;
    struct file *f;
    int64_t err = timerfd_of(t, a->a[0], &f);

    if (err) {
        return sys_done(err);
    }
    timerfd_get(f, &value);
    return sys_done(user_write(t, gaddr_of(a->a[1]), &value, sizeof value));
}

/* --- signalfd --------------------------------------------------------------------------------- */

static int64_t do_signalfd(struct task *t, int fd, uint64_t mask_at, uint64_t size, uint32_t flags)
{
    uint64_t mask;
    struct file *f;

    if (size != sizeof mask) {
        return -EINVAL;
    }
    if (user_read_u64(t, &mask, gaddr_of(mask_at))) {
        return -EFAULT;
    }
    if (flags & ~(CLOEXEC_BIT | NONBLOCK_BIT)) {
        return -EINVAL;
    }
    mask &= ~(SIG_BIT(SIGNAL_KILL) | SIG_BIT(SIGNAL_STOP));
    if (fd == -1) {
        return anon_file_install(t, signalfd_create(t->m, mask, flags), flags & CLOEXEC_BIT);
    }
    f = fd_file_io(t, fd);
    if (!f) {
        return -EBADF;
    }
    if (!file_is_signalfd(f)) {
        return -EINVAL;
    }
    signalfd_set_mask(f, mask);
    return fd;
}

struct sysret sys_signalfd4(struct task *t, const struct sysargs *a)
{
    return sys_done(do_signalfd(t, (int)a->a[0], a->a[1], a->a[2], (uint32_t)a->a[3]));
}

struct sysret sys_signalfd(struct task *t, const struct sysargs *a)
{
    return sys_done(do_signalfd(t, (int)a->a[0], a->a[1], a->a[2], 0));
}

/* --- pidfd ------------------------------------------------------------------------------------ */

struct sysret sys_pidfd_open(struct task *t, const struct sysargs *a)
{
    int pid = (int)a->a[0];
    uint32_t flags = (uint32_t)a->a[1];
    struct process *p;

    if ((flags & ~NONBLOCK_BIT) || pid <= 0) {
        return sys_done(-EINVAL);
    }
    p = process_find(t->node, pid);
    if (!p) {
        return sys_done(task_find(t->node, pid) ? -EINVAL : -ESRCH);
    }
    return sys_done(anon_file_install(t, pidfd_create(p, flags), true));
}

static bool may_signal(const struct task *t, const struct process *p)
{
    const struct credentials *me = &t->cred, *you = &p->leader->cred;

    return t->process == p || me->euid == you->suid || me->euid == you->uid ||
           me->uid == you->suid || me->uid == you->uid || task_capable(t, 5 /* CAP_KILL */);
}

struct sysret sys_pidfd_send_signal(struct task *t, const struct sysargs *a)
{
    int signo = (int)a->a[1];
    struct siginfo info = {.signo = signo};
    struct process *p = NULL;
    struct file *f;

    if ((uint32_t)a->a[3] != 0) {
        return sys_done(-EINVAL);
    }
    f = fd_file_io(t, (int)a->a[0]);
    if (!f || (!file_is_pidfd(f) && !proc_is_process_dir(t, f, &p))) {
        return sys_done(-EBADF);
    }
    p = file_is_pidfd(f) ? pidfd_process(f) : p;
    if (a->a[2]) {
        if (user_read(t, &info, gaddr_of(a->a[2]), sizeof info)) {
            return sys_done(-EFAULT);
        }
        if (info.signo != signo) {
            return sys_done(-EINVAL);
        }
        if (p != t->process && (info.code >= 0 || info.code == -6 /* SI_TKILL */)) {
            return sys_done(-EPERM);
        }
    } else {
        info.kill.pid = t->process->pid;
        info.kill.uid = t->cred.uid;
    }
    if (!p) {
        return sys_done(-ESRCH);
    }
    if (signo < 0 || signo > SIG_MAX) {
        return sys_done(-EINVAL);
    }
    if (!may_signal(t, p)) {
        return sys_done(-EPERM);
    }
    return sys_done(signo ? signal_send_process(p, &info) : 0);
}

struct sysret sys_pidfd_getfd(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]), *target = NULL;
    const struct process *p;
    uint32_t fd = (uint32_t)a->a[1];

    if ((uint32_t)a->a[2] != 0) {
        return sys_done(-EINVAL);
    }
    if (!f || !file_is_pidfd(f)) {
        return sys_done(-EBADF);
    }
    p = pidfd_process(f);
    if (!p || p->zombie) {
        return sys_done(-ESRCH);
    }
    if (t->process != p && t->cred.euid != p->leader->cred.uid &&
        !task_capable(t, CAP_SYS_PTRACE_BIT)) {
        return sys_done(-EPERM);
    }
    if (p->leader->fds && fd < p->leader->fds->cap) {
        target = p->leader->fds->slots[fd].file;
    }
    return sys_done(target ? anon_file_install(t, file_get(target), true) : -EBADF);
}
