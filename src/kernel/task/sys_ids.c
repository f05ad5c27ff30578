/* The machine as programs see it (uname(2), sysinfo(2)), and calls that are refused: by Linux in an
 * ordinary container, or by us by name. */
#include "abi/linux.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/special/version.h"

#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/sched.h>

#define UTS_LEN 65u

struct abi_utsname {
    char sysname[UTS_LEN], nodename[UTS_LEN], release[UTS_LEN], version[UTS_LEN], machine[UTS_LEN],
        domainname[UTS_LEN];
};

struct sysret sys_uname(struct task *t, const struct sysargs *a)
{
    struct abi_utsname u;
    memset(&u, 0, sizeof u);
    str_copy(u.sysname, UTS_LEN, UTS_SYSNAME);
    str_copy(u.nodename, UTS_LEN, t->node->hostname);
    str_copy(u.release, UTS_LEN, UTS_RELEASE);
    str_copy(u.version, UTS_LEN, UTS_VERSION);
    str_copy(u.machine, UTS_LEN, UTS_MACHINE);
    str_copy(u.domainname, UTS_LEN, t->node->domainname[0] ? t->node->domainname : "(none)");
    return sys_done(user_write(t, gaddr_of(a->a[0]), &u, sizeof u));
}

static struct sysret set_name(struct task *t, const struct sysargs *a, char name[UTS_LEN])
{
    char text[UTS_LEN] = {0};
    int len = (int)a->a[1];
    if (!task_capable(t, CAP_SYS_ADMIN)) {
        return sys_done(-EPERM);
    }
    if (len < 0 || len > (int)UTS_LEN - 1) {
        return sys_done(-EINVAL);
    }
    if (user_read(t, text, gaddr_of(a->a[0]), (size_t)len)) {
        return sys_done(-EFAULT);
    }
    memcpy(name, text, UTS_LEN);
    return sys_done(0);
}

struct sysret sys_sethostname(struct task *t, const struct sysargs *a)
{
    return set_name(t, a, t->node->hostname);
}

struct sysret sys_setdomainname(struct task *t, const struct sysargs *a)
{
    return set_name(t, a, t->node->domainname);
}

struct sysret sys_sysinfo(struct task *t, const struct sysargs *a)
{
    struct {
        int64_t uptime;
        uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
        uint16_t procs, pad;
        uint32_t pad2;
        uint64_t totalhigh, freehigh;
        uint32_t mem_unit, pad3;
    } si = {
        .uptime = (int64_t)(machine_now(t->m) / NSEC_PER_SEC),
        .totalram = t->m->plan->memory_bytes,
        .freeram = t->m->plan->memory_bytes / 2,
        .procs = (uint16_t)t->node->task_count,
        .mem_unit = 1,
    };
    _Static_assert(sizeof si == 112, "struct sysinfo layout");
    return sys_done(user_write(t, gaddr_of(a->a[0]), &si, sizeof si));
}

/* --- kcmp(2)
 * --------------------------------------------------------------------------------------------- */

static int64_t order(uint64_t a, uint64_t b)
{
    return a == b ? 0 : a < b ? 1 : 2;
}

static struct file *file_of(const struct task *t, uint64_t fd)
{
    return t->fds && fd < t->fds->cap ? t->fds->slots[fd].file : NULL;
}

static int64_t compare(const struct task *x, const struct task *y, const struct sysargs *a)
{
    switch ((int)a->a[2]) {
    case KCMP_FILE: {
        const struct file *f = file_of(x, a->a[3]), *g = file_of(y, a->a[4]);
        return f && g ? order(f->id, g->id) : -EBADF;
    }
    case KCMP_VM:
        return order((uint64_t)(uintptr_t)x->mm, (uint64_t)(uintptr_t)y->mm);
    case KCMP_FILES:
        return order((uint64_t)(uintptr_t)x->fds, (uint64_t)(uintptr_t)y->fds);
    case KCMP_FS:
        return order((uint64_t)(uintptr_t)x->fs, (uint64_t)(uintptr_t)y->fs);
    case KCMP_SIGHAND:
        return order((uint64_t)(uintptr_t)x->process->sig.actions,
                     (uint64_t)(uintptr_t)y->process->sig.actions);
    default:
        return -EINVAL;
    }
}

struct sysret sys_kcmp(struct task *t, const struct sysargs *a)
{
    const struct task *x = task_find(t->node, (abi_pid)a->a[0]);
    const struct task *y = task_find(t->node, (abi_pid)a->a[1]);
    if (!x || !y) {
        return sys_done(-ESRCH);
    }
    if ((x->cred.uid != t->cred.uid || y->cred.uid != t->cred.uid) &&
        !task_capable(t, CAP_SYS_PTRACE)) {
        return sys_done(-EPERM);
    }
    if ((int)a->a[2] == KCMP_IO || (int)a->a[2] == KCMP_SYSVSEM || (int)a->a[2] == KCMP_EPOLL_TFD) {
        trace_unknown(t, "kcmp type", a->a[2], 0, -EOPNOTSUPP);
        return sys_done(-EOPNOTSUPP);
    }
    return sys_done(compare(x, y, a));
}

/* --- refused ---------------------------------------------------------------------------------- */

#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_NEWTIME)

struct sysret sys_unshare(struct task *t, const struct sysargs *a)
{
    uint64_t flags = a->a[0];
    if (flags == 0) {
        return sys_done(0);
    }
    if (flags & ~(uint64_t)(NAMESPACE_FLAGS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_VM |
                            CLONE_SIGHAND | CLONE_THREAD)) {
        return sys_done(-EINVAL);
    }
    trace_unknown(t, "unshare", flags, 0, -EPERM);
    return sys_done(-EPERM);
}

/* Absent or forbidden in an ordinary container too: nothing to report. */
#define ANSWERS(call, error)                                                                       \
    struct sysret sys_##call(struct task *t, const struct sysargs *a)                              \
    {                                                                                              \
        (void)t;                                                                                   \
        (void)a;                                                                                   \
        return sys_done(-(error));                                                                 \
    }

/* Linux would do it; we do not, and say so. */
#define LACKS(call, error)                                                                         \
    struct sysret sys_##call(struct task *t, const struct sysargs *a)                              \
    {                                                                                              \
        trace_unknown(t, #call, a->a[0], 0, -(error));                                             \
        return sys_done(-(error));                                                                 \
    }

ANSWERS(rseq, ENOSYS) /* optional: libraries go without */
ANSWERS(acct, EPERM)
ANSWERS(swapon, EPERM)
ANSWERS(swapoff, EPERM)
ANSWERS(reboot, EPERM)
ANSWERS(iopl, EPERM)
ANSWERS(ioperm, EPERM)
ANSWERS(vhangup, EPERM)
ANSWERS(init_module, EPERM)
ANSWERS(finit_module, EPERM)
ANSWERS(delete_module, EPERM)
ANSWERS(kexec_load, EPERM)
ANSWERS(kexec_file_load, EPERM)
ANSWERS(quotactl, EPERM)
ANSWERS(syslog, EPERM)
ANSWERS(setns, EPERM)
ANSWERS(pkey_alloc, ENOSPC) /* as on a CPU without protection keys */
ANSWERS(pkey_free, EINVAL)
ANSWERS(add_key, ENOSYS)
ANSWERS(request_key, ENOSYS)
ANSWERS(keyctl, ENOSYS)
LACKS(ptrace, EPERM)
LACKS(process_vm_readv, EPERM)
LACKS(process_vm_writev, EPERM)
LACKS(modify_ldt, ENOSYS)
LACKS(migrate_pages, EPERM)
LACKS(move_pages, EPERM)

#undef ANSWERS
#undef LACKS

/* Without protection keys only key -1 exists (pkey_mprotect(2)). */
struct sysret sys_pkey_mprotect(struct task *t, const struct sysargs *a)
{
    return (int)a->a[3] == -1 ? sys_mprotect(t, a) : sys_done(-EINVAL);
}
