/* fcntl(2). */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/locks.h"
#include "kernel/vfs/special/pipe.h"
#include "kernel/vfs/vfs_priv.h"

#define SETFL_BITS    (O_APPEND | FASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK)
#define RLIMIT_NOFILE 7

/* struct flock of x86-64. */
struct abi_flock {
    int16_t type, whence;
    int64_t start, len;
    int32_t pid;
    uint32_t pad;
};

static int64_t dup_fd(struct task *t, struct file *f, uint64_t min, bool cloexec)
{
    if (min >= t->process->rlimits[RLIMIT_NOFILE].soft || min >= LIMIT_FDS) {
        return -EINVAL;
    }
    int fd = fd_install(t, file_get(f), (int)min, cloexec);
    if (fd < 0) {
        file_put(f);
    }
    return fd;
}

static int64_t set_flags(struct task *t, struct file *f, uint32_t flags)
{
    bool gains_noatime = flags & O_NOATIME && !(f->flags & O_NOATIME);
    if (gains_noatime && f->inode && !inode_owner_or_capable(t, f->inode)) {
        return -EPERM;
    }
    f->flags = (f->flags & ~(uint32_t)SETFL_BITS) | (flags & SETFL_BITS);
    return 0;
}

/* --- record locks ----------------------------------------------------------------------------- */

/* flock_to_posix_lock() of fs/locks.c. */
static int range_of(const struct file *f, const struct abi_flock *l, struct lock_request *r)
{
    int64_t base;
    switch (l->whence) {
    case 0:
        base = 0;
        break;
    case 1:
        base = (int64_t)f->pos;
        break;
    case 2:
        base = f->inode ? (int64_t)f->inode->size : 0;
        break;
    default:
        return -EINVAL;
    }
    int64_t start, end;
    if (__builtin_add_overflow(base, l->start, &start)) {
        return -EOVERFLOW;
    }
    if (start < 0) {
        return -EINVAL;
    }
    if (l->len > 0) {
        if (__builtin_add_overflow(start, l->len - 1, &end)) {
            return -EOVERFLOW;
        }
        r->end = (uint64_t)end;
    } else if (l->len < 0) {
        if (start + l->len < 0) {
            return -EINVAL;
        }
        r->end = (uint64_t)start - 1;
        start += l->len;
    } else {
        r->end = UINT64_MAX;
    }
    r->start = (uint64_t)start;
    return 0;
}

static int read_lock(struct task *t, struct file *f, uint64_t addr, bool ofd, struct abi_flock *l,
                     struct lock_request *r)
{
    if (user_read(t, l, gaddr_of(addr), sizeof *l)) {
        return -EFAULT;
    }
    if (ofd && l->pid) {
        return -EINVAL;
    }
    if (l->type != F_RDLCK && l->type != F_WRLCK && l->type != F_UNLCK) {
        return -EINVAL;
    }
    r->kind = ofd ? LOCK_KIND_OFD : LOCK_KIND_POSIX;
    r->owner = ofd ? (const void *)f : (const void *)t->fds;
    r->pid = ofd ? -1 : t->process->pid;
    r->type = l->type;
    return range_of(f, l, r);
}

static int64_t get_lock(struct task *t, struct file *f, uint64_t addr, bool ofd)
{
    struct abi_flock l;
    struct lock_request r = {0}, held;
    int e = read_lock(t, f, addr, ofd, &l, &r);
    if (e) {
        return e;
    }
    if (r.type == F_UNLCK) {
        return -EINVAL;
    }
    if (!lock_conflict(f->inode, &r, &held)) {
        l.type = F_UNLCK;
    } else {
        l.type = (int16_t)held.type;
        l.whence = 0;
        l.start = (int64_t)held.start;
        l.len = held.end == UINT64_MAX ? 0 : (int64_t)(held.end - held.start + 1);
        l.pid = held.pid;
    }
    return user_write(t, gaddr_of(addr), &l, sizeof l);
}

static struct sysret set_lock(struct task *t, struct file *f, uint64_t addr, bool ofd, bool wait)
{
    struct abi_flock l;
    struct lock_request r = {0};
    int e = read_lock(t, f, addr, ofd, &l, &r);
    if (e) {
        return sys_done(e);
    }
    if ((r.type == F_RDLCK && !file_readable(f)) || (r.type == F_WRLCK && !file_writable(f))) {
        return sys_done(-EBADF);
    }
    e = lock_set(t->m, f->inode, &r);
    if (e != -EAGAIN || !wait) {
        return sys_done(e);
    }
    if (lock_would_deadlock(t->m, f->inode, &r)) {
        return sys_done(-EDEADLK);
    }
    lock_wait(t, f->inode, &r);
    return sys_block();
}

static struct sysret lock_command(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    if (!f->inode) {
        return sys_done(-EINVAL);
    }
    switch (cmd) {
    case F_GETLK:
    case F_OFD_GETLK:
        return sys_done(get_lock(t, f, arg, cmd == F_OFD_GETLK));
    case F_SETLK:
    case F_OFD_SETLK:
        return set_lock(t, f, arg, cmd == F_OFD_SETLK, false);
    default:
        return set_lock(t, f, arg, cmd == F_OFD_SETLKW, true);
    }
}

/* --- owner of signals ------------------------------------------------------------------------- */

static int64_t set_owner_ex(struct task *t, struct file *f, uint64_t addr)
{
    struct f_owner_ex o;
    if (user_read(t, &o, gaddr_of(addr), sizeof o)) {
        return -EFAULT;
    }
    if (o.type < F_OWNER_TID || o.type > F_OWNER_PGRP) {
        return -EINVAL;
    }
    if (o.pid && o.type != F_OWNER_PGRP && !task_find(t->node, o.pid)) {
        return -ESRCH;
    }
    f->owner = o.type == F_OWNER_PGRP ? -o.pid : o.pid;
    return 0;
}

static int64_t get_owner_ex(struct task *t, const struct file *f, uint64_t addr)
{
    struct f_owner_ex o = {F_OWNER_PID, f->owner};
    if (f->owner < 0) {
        o = (struct f_owner_ex){F_OWNER_PGRP, -f->owner};
    }
    return user_write(t, gaddr_of(addr), &o, sizeof o);
}

static int64_t set_owner(struct task *t, struct file *f, int32_t who)
{
    if (who == INT32_MIN) {
        return -EINVAL;
    }
    if (who > 0 && !process_find(t->node, who)) {
        return -ESRCH;
    }
    f->owner = who;
    return 0;
}

/* --- seals ------------------------------------------------------------------------------------ */

#define SEAL_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

/* Sealing is rare: every mapping of the universe is looked at. */
static bool writable_mapping_exists(const struct machine *m, const struct inode *i)
{
    for (uint32_t slot = 0; slot < LIMIT_MMS; slot++) {
        const struct mm *mm = m->mms[slot];
        for (uint32_t k = 0; mm && k < mm->vma_count; k++) {
            const struct vma *v = mm->vmas[k];
            if (v->file && v->file->inode == i && v->flags & MAP_SHARED &&
                v->max_prot & PROT_WRITE) {
                return true;
            }
        }
    }
    return false;
}

/* fcntl(2), File Sealing: memfds only. */
static int64_t seal(struct task *t, struct file *f, bool set, uint32_t seals)
{
    struct inode *i = f->inode;
    if (!i || !i->data || i->sb != t->m->vfs->shmem) {
        return -EINVAL;
    }
    if (!set) {
        return i->data->seals;
    }
    if (!file_writable(f) || i->data->seals & F_SEAL_SEAL) {
        return -EPERM;
    }
    if (seals & ~(uint32_t)SEAL_ALL) {
        return -EINVAL;
    }
    if (seals & F_SEAL_WRITE && writable_mapping_exists(t->m, i)) {
        return -EBUSY;
    }
    i->data->seals |= seals;
    return 0;
}

static int64_t pipe_size(struct task *t, struct file *f, bool set, uint64_t bytes)
{
    return set ? pipe_set_size(t, f, bytes) : pipe_get_size(f);
}

static struct sysret command(struct task *t, int fd, struct file *f, uint32_t cmd, uint64_t arg)
{
    switch (cmd) {
    case F_SETFL:
        return sys_done(set_flags(t, f, (uint32_t)arg));
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_command(t, f, cmd, arg);
    case F_SETOWN:
        return sys_done(set_owner(t, f, (int32_t)arg));
    case F_GETOWN:
        return sys_done(f->owner);
    case F_SETOWN_EX:
        return sys_done(set_owner_ex(t, f, arg));
    case F_GETOWN_EX:
        return sys_done(get_owner_ex(t, f, arg));
    case F_SETSIG:
        if (arg > 64) {
            return sys_done(-EINVAL);
        }
        f->owner_sig = (int)arg;
        return sys_done(0);
    case F_GETSIG:
        return sys_done(f->owner_sig);
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return sys_done(pipe_size(t, f, cmd == F_SETPIPE_SZ, arg));
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return sys_done(seal(t, f, cmd == F_ADD_SEALS, (uint32_t)arg));
    case F_NOTIFY:
        if ((arg & ~(uint64_t)DN_MULTISHOT) == 0) {
            return sys_done(0); /* takes back what was asked for: nothing ever is */
        }
        break;
    case F_GETLEASE:
        return sys_done(F_UNLCK);
    case F_SETLEASE:
        if (arg == F_UNLCK) {
            return sys_done(-EAGAIN); /* there is none to give up */
        }
        break;
    default:
        break;
    }
    trace_unknown(t, "fcntl", cmd, 0, -EINVAL);
    return sys_done(-EINVAL);
}

struct sysret sys_fcntl(struct task *t, const struct sysargs *a)
{
    int fd = (int)a->a[0];
    uint32_t cmd = (uint32_t)a->a[1];
    struct file *f = fd_file(t, fd);
    if (!f) {
        return sys_done(-EBADF);
    }
    switch (cmd) { /* what O_PATH allows too (open(2)) */
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return sys_done(dup_fd(t, f, a->a[2], cmd == F_DUPFD_CLOEXEC));
    case F_GETFD:
        return sys_done(t->fds->slots[fd].cloexec ? FD_CLOEXEC : 0);
    case F_SETFD:
        t->fds->slots[fd].cloexec = a->a[2] & FD_CLOEXEC;
        return sys_done(0);
    case F_GETFL:
        return sys_done(f->flags);
    default:
        break;
    }
    return f->flags & O_PATH ? sys_done(-EBADF) : command(t, fd, f, cmd, a->a[2]);
}
