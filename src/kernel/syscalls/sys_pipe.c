/* pipe(2), pipe2(2), eventfd(2). */
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/eventfd.h"
#include "kernel/vfs/special/pipe.h"

#define O_NOTIFICATION_PIPE_BIT O_EXCL

/* eventfd(2) */
#define EFD_SEMAPHORE 1u
#define EFD_NONBLOCK  ((uint32_t)O_NONBLOCK)
#define EFD_CLOEXEC   ((uint32_t)O_CLOEXEC)

static int64_t make_pipe(struct task *t, gaddr out, uint32_t flags)
{
    bool cloexec = (flags & O_CLOEXEC) != 0;
    struct file *ends[2];
    int fds[2];

    pipe_create(t->m, flags, ends);
    fds[0] = fd_install(t, ends[0], 0, cloexec);
    if (fds[0] < 0) {
        file_put(ends[0]);
        file_put(ends[1]);
        return fds[0];
    }
    fds[1] = anon_file_install(t, ends[1], cloexec);
    if (fds[1] < 0) {
        fd_close(t, fds[0]);
        return fds[1];
    }
    if (user_write(t, out, fds, sizeof fds)) {
        fd_close(t, fds[0]);
        fd_close(t, fds[1]);
        return -EFAULT;
    }
    return 0;
}

struct sysret sys_pipe2(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[1];

    if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_NOTIFICATION_PIPE_BIT)) {
        return sys_done(-EINVAL);
    }
    if (flags & O_NOTIFICATION_PIPE_BIT) { /* as a kernel without CONFIG_WATCH_QUEUE */
        trace_unknown(t, "pipe2 flag O_NOTIFICATION_PIPE", flags, 0, -ENOPKG);
        return sys_done(-ENOPKG);
    }
    return sys_done(make_pipe(t, gaddr_of(a->a[0]), flags));
}

struct sysret sys_pipe(struct task *t, const struct sysargs *a)
{
    return sys_done(make_pipe(t, gaddr_of(a->a[0]), 0));
}

static int64_t make_eventfd(struct task *t, uint32_t count, uint32_t flags)
{
    if (flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) {
        return -EINVAL;
    }
    return anon_file_install(t, eventfd_create(t->m, count, flags & EFD_SEMAPHORE, flags),
                             flags & EFD_CLOEXEC);
}

struct sysret sys_eventfd2(struct task *t, const struct sysargs *a)
{
    return sys_done(make_eventfd(t, (uint32_t)a->a[0], (uint32_t)a->a[1]));
}

struct sysret sys_eventfd(struct task *t, const struct sysargs *a)
{
    return sys_done(make_eventfd(t, (uint32_t)a->a[0], 0));
}
