/* Calls that change the mount tree: refused, as Docker's default capabilities refuse them. And file
 * handles, which the overlay of a container does not have. */
#include <linux/capability.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

/* Without CAP_SYS_ADMIN this is Linux's own answer; with it, it is ours, and named. */
static struct sysret refuse(struct task *t, const char *what, const struct sysargs *a)
{
    if (task_capable(t, CAP_SYS_ADMIN)) {
        trace_unknown(t, what, a->nr, 0, -EPERM);
    }
    return sys_done(-EPERM);
}

#define REFUSED(call)                                                                              \
    struct sysret sys_##call(struct task *t, const struct sysargs *a)                              \
    {                                                                                              \
        return refuse(t, #call, a);                                                                \
    }

REFUSED(mount)
REFUSED(umount2)
REFUSED(pivot_root)
REFUSED(open_tree)
REFUSED(move_mount)
REFUSED(fsopen)
REFUSED(fsconfig)
REFUSED(fsmount)
REFUSED(fspick)
REFUSED(mount_setattr)
#undef REFUSED

struct sysret sys_name_to_handle_at(struct task *t, const struct sysargs *a)
{
    return sys_done(-EOPNOTSUPP);
}

struct sysret sys_open_by_handle_at(struct task *t, const struct sysargs *a)
{
    return refuse(t, "open_by_handle_at", a);
}
