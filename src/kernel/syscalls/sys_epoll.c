/* epoll_create(2), epoll_ctl(2), epoll_wait(2) and relatives. */
#include <linux/eventpoll.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/epoll.h"

#define MAX_EVENTS (INT32_MAX / sizeof(struct abi_epoll_event))

struct sysret sys_epoll_create1(struct task *t, const struct sysargs *a)
{
    if (a->a[0] & ~(uint64_t)(uint32_t)EPOLL_CLOEXEC) {
        return sys_done(-EINVAL);
    }
    return sys_done(anon_file_install(t, epoll_file_create(t->m), a->a[0] & EPOLL_CLOEXEC));
}

struct sysret sys_epoll_create(struct task *t, const struct sysargs *a)
{
    if ((int)a->a[0] <= 0) {
        return sys_done(-EINVAL);
    }
    return sys_done(anon_file_install(t, epoll_file_create(t->m), false));
}

struct sysret sys_epoll_ctl(struct task *t, const struct sysargs *a)
{
    struct abi_epoll_event ev = {0};
    struct file *ep, *target;
    int op = (int)a->a[1];

    if (op != EPOLL_CTL_DEL && user_read(t, &ev, gaddr_of(a->a[3]), sizeof ev)) {
        return sys_done(-EFAULT);
    }
    ep = fd_file_io(t, (int)a->a[0]);
    target = fd_file_io(t, (int)a->a[2]);
    if (!ep || !target) {
        return sys_done(-EBADF);
    }
    return sys_done(epoll_control(ep, op, (int)a->a[2], target, &ev));
}

/* has_timeout false: forever. The mask of the call is already in place. */
static struct sysret wait_for(struct task *t, const struct sysargs *a, bool has_timeout,
                              uint64_t timeout_ns)
{
    struct file *ep;
    int64_t n;
    int max = (int)a->a[2];

    if (max <= 0 || (uint64_t)max > MAX_EVENTS) {
        return sys_done(-EINVAL);
    }
    if (!gaddr_range_ok(gaddr_of(a->a[1]), (uint64_t)max * sizeof(struct abi_epoll_event))) {
        return sys_done(-EFAULT);
    }
    ep = fd_file_io(t, (int)a->a[0]);
    if (!ep) {
        return sys_done(-EBADF);
    }
    if (!file_is_epoll(ep)) {
        return sys_done(-EINVAL);
    }
    n = epoll_collect(t, ep, gaddr_of(a->a[1]), (uint32_t)max);
    if (n != 0) {
        return sys_done(n);
    }
    if (has_timeout) {
        if (timeout_ns == 0 || machine_now(t->m) >= task_call_deadline(t, timeout_ns)) {
            return sys_done(0);
        }
        task_wait_until(t, t->call.deadline);
    }
    epoll_wait_on(t, ep);
    return sys_block_or(-EINTR);
}

struct sysret sys_epoll_wait(struct task *t, const struct sysargs *a)
{
    int ms = (int)a->a[3];

    return wait_for(t, a, ms >= 0, ms > 0 ? (uint64_t)ms * NSEC_PER_MSEC : 0);
}

struct sysret sys_epoll_pwait(struct task *t, const struct sysargs *a)
{
    int err = signal_call_mask(t, a->a[4], a->a[5]);
    struct sysret r;

    if (err) {
        return sys_done(err);
    }
    r = sys_epoll_wait(t, a);
    if (r.kind == SYSRET_DONE) {
        signal_call_mask_end(t);
    }
    return r;
}

struct sysret sys_epoll_pwait2(struct task *t, const struct sysargs *a)
{
    struct abi_timespec ts = {0};
    struct sysret r;
    int err;

    if (a->a[3]) {
        if (user_read(t, &ts, gaddr_of(a->a[3]), sizeof ts)) {
            return sys_done(-EFAULT);
        }
        if (!timespec_valid(&ts)) {
            return sys_done(-EINVAL);
        }
    }
    err = signal_call_mask(t, a->a[4], a->a[5]);
    if (err) {
        return sys_done(err);
    }
    r = wait_for(t, a, a->a[3] != 0, timespec_ns(&ts));
    if (r.kind == SYSRET_DONE) {
        signal_call_mask_end(t);
    }
    return r;
}
