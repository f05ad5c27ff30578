/* getrandom(2), and calls that every kernel may lack. */
#include <linux/random.h>

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/special/dev.h"

struct sysret sys_getrandom(struct task *t, const struct sysargs *a)
{
    uint64_t len = min_u64(a->a[1], LIMIT_IO_BYTES), done = 0;
    uint32_t flags = (uint32_t)a->a[2];

    if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) {
        return sys_done(-EINVAL);
    }
    if ((flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM)) {
        return sys_done(-EINVAL);
    }
    if (!gaddr_range_ok(gaddr_of(a->a[0]), len)) {
        return sys_done(-EFAULT);
    }
    while (done < len) {
        unsigned char block[256];
        uint64_t n = min_u64(sizeof block, len - done);
        size_t k;

        entropy_bytes(t, block, n);
        k = user_write_some(t, gaddr_of(a->a[0] + done), block, n);
        done += k;
        if (k < n) {
            return sys_done(done ? (int64_t)done : -EFAULT);
        }
    }
    return sys_done((int64_t)done);
}

static struct sysret refuse(struct task *t, const char *what, const struct sysargs *a, int answer)
{
    trace_unknown(t, what, a->nr, 0, answer);
    return sys_done(answer);
}

/* Off by default since Linux 5.14 (secretmem.enable). */
struct sysret sys_memfd_secret(struct task *t, const struct sysargs *a)
{
    return refuse(t, "memfd_secret", a, -ENOSYS);
}

/* As a kernel without CONFIG_IO_URING: programs fall back to epoll or threads. */
struct sysret sys_io_uring_setup(struct task *t, const struct sysargs *a)
{
    return refuse(t, "io_uring_setup", a, -ENOSYS);
}

struct sysret sys_io_uring_enter(struct task *t, const struct sysargs *a)
{
    return refuse(t, "io_uring_enter", a, -ENOSYS);
}

struct sysret sys_io_uring_register(struct task *t, const struct sysargs *a)
{
    return refuse(t, "io_uring_register", a, -ENOSYS);
}

/* As in a container: the capability is missing (capabilities(7)). */
struct sysret sys_userfaultfd(struct task *t, const struct sysargs *a)
{
    return refuse(t, "userfaultfd", a, -EPERM);
}

struct sysret sys_perf_event_open(struct task *t, const struct sysargs *a)
{
    return refuse(t, "perf_event_open", a, -EACCES);
}

struct sysret sys_bpf(struct task *t, const struct sysargs *a)
{
    return refuse(t, "bpf", a, -EPERM);
}

struct sysret sys_fanotify_init(struct task *t, const struct sysargs *a)
{
    return refuse(t, "fanotify_init", a, -EPERM);
}

/* No descriptor can be a fanotify group. */
struct sysret sys_fanotify_mark(struct task *t, const struct sysargs *a)
{
    return refuse(t, "fanotify_mark", a, -EINVAL);
}
