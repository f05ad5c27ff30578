/* dup(2), close_range(2), flock(2), and the descriptor part of ioctl(2). */
#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/locks.h"
#include "kernel/vfs/vfs_priv.h"

#define RLIMIT_NOFILE 7

struct sysret sys_dup(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    int fd = fd_install(t, file_get(f), 0, false);
    if (fd < 0) {
        file_put(f);
    }
    return sys_done(fd);
}

static int64_t dup_to(struct task *t, int old, int new, bool cloexec)
{
    struct file *f = fd_file(t, old);
    if (new < 0 || (uint64_t) new >= t->process->rlimits[RLIMIT_NOFILE].soft || new >= LIMIT_FDS) {
        return -EBADF;
    }
    if (!f) {
        return -EBADF;
    }
    fd_install_at(t, file_get(f), new, cloexec);
    return new;
}

struct sysret sys_dup2(struct task *t, const struct sysargs *a)
{
    int old = (int)a->a[0], new = (int)a->a[1];
    if (old == new) {
        return sys_done(fd_file(t, old) ? new : -EBADF);
    }
    return sys_done(dup_to(t, old, new, false));
}

struct sysret sys_dup3(struct task *t, const struct sysargs *a)
{
    if (a->a[2] & ~(uint64_t)O_CLOEXEC || (int)a->a[0] == (int)a->a[1]) {
        return sys_done(-EINVAL);
    }
    return sys_done(dup_to(t, (int)a->a[0], (int)a->a[1], a->a[2] & O_CLOEXEC));
}

struct sysret sys_close_range(struct task *t, const struct sysargs *a)
{
    uint32_t first = (uint32_t)a->a[0], last = (uint32_t)a->a[1], flags = (uint32_t)a->a[2];
    if (flags & ~(uint32_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last) {
        return sys_done(-EINVAL);
    }
    if (flags & CLOSE_RANGE_UNSHARE && t->fds->refs > 1) {
        struct fd_table *own = fd_table_copy(t->m, t->fds);
        fd_table_put(t, t->fds);
        t->fds = own;
    }
    struct fd_table *ft = t->fds;
    for (uint64_t fd = first; fd <= last && fd < ft->cap; fd++) {
        if (!ft->slots[fd].file) {
            continue;
        }
        if (flags & CLOSE_RANGE_CLOEXEC) {
            ft->slots[fd].cloexec = true;
        } else {
            fd_close(t, (int)fd);
        }
    }
    return sys_done(0);
}

/* --- flock ------------------------------------------------------------------------------------ */

#define FLOCK_SH 1
#define FLOCK_EX 2
#define FLOCK_NB 4
#define FLOCK_UN 8

struct sysret sys_flock(struct task *t, const struct sysargs *a)
{
    int op = (int)a->a[1], how = op & ~FLOCK_NB;
    if (how != FLOCK_SH && how != FLOCK_EX && how != FLOCK_UN) {
        return sys_done(-EINVAL);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f || !f->inode) {
        return sys_done(-EBADF);
    }
    struct lock_request r = {
        .kind = LOCK_KIND_FLOCK,
        .type = how == FLOCK_SH   ? F_RDLCK
                : how == FLOCK_EX ? F_WRLCK
                                  : F_UNLCK,
        .owner = f,
        .end = UINT64_MAX,
        .pid = t->process->pid,
    };
    int e = lock_set(t->m, f->inode, &r);
    if (e != -EAGAIN) {
        return sys_done(e);
    }
    /* A conversion that cannot be done at once gives the old lock up first (flock(2)). */
    struct lock_request none = r;
    none.type = F_UNLCK;
    lock_set(t->m, f->inode, &none);
    if (op & FLOCK_NB) {
        return sys_done(-EAGAIN);
    }
    lock_wait(t, f->inode, &r);
    return sys_block();
}

/* --- ioctl ------------------------------------------------------------------------------------ */

static int64_t set_flag(struct task *t, struct file *f, uint64_t arg, uint32_t bit)
{
    uint32_t on;
    if (user_read_u32(t, &on, gaddr_of(arg))) {
        return -EFAULT;
    }
    f->flags = on ? f->flags | bit : f->flags & ~bit;
    return 0;
}

static int64_t regular_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    const struct inode *i = f->inode;
    switch (cmd) {
    case FIONREAD: {
        int64_t left = (int64_t)i->size - (int64_t)f->pos;
        return user_write_u32(t, gaddr_of(arg), (uint32_t)left);
    }
    case FIGETBSZ:
        return user_write_u32(t, gaddr_of(arg), i->sb->block_bytes);
    case FS_IOC_FIEMAP:
    case FICLONE:
    case FICLONERANGE:
    case FIDEDUPERANGE:
        return -EOPNOTSUPP; /* as on tmpfs; cp and dpkg then copy */
    default:
        return -ENOTTY;
    }
}

struct sysret sys_ioctl(struct task *t, const struct sysargs *a)
{
    int fd = (int)a->a[0];
    uint32_t cmd = (uint32_t)a->a[1];
    struct file *f = fd_file_io(t, fd);
    if (!f) {
        return sys_done(-EBADF);
    }
    switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
        t->fds->slots[fd].cloexec = cmd == FIOCLEX;
        return sys_done(0);
    case FIONBIO:
        return sys_done(set_flag(t, f, a->a[2], O_NONBLOCK));
    case FIOASYNC:
        return sys_done(set_flag(t, f, a->a[2], FASYNC));
    default:
        break;
    }
    if (f->ops->ioctl) {
        return sys_done(f->ops->ioctl(t, f, cmd, a->a[2]));
    }
    bool regular = f->inode && inode_is(f->inode, ABI_S_IFREG);
    return sys_done(regular ? regular_ioctl(t, f, cmd, a->a[2]) : -ENOTTY);
}
