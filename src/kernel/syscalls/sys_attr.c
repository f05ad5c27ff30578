/* chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2). */
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define UTIME_NOW_NSEC  ((1l << 30) - 1l)
#define UTIME_OMIT_NSEC ((1l << 30) - 2l)
#define RLIMIT_FSIZE    1

static int64_t find(struct task *t, int dirfd, uint64_t addr, uint32_t at_flags, struct path *out)
{
    const char *path;
    int64_t r = path_arg(t, addr, 0, &path);
    uint32_t lookup = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                      (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    return r < 0 ? r : vfs_lookup(t, dirfd, path, lookup, out);
}

/* The place behind an open descriptor. */
static int find_fd(struct task *t, int fd, struct path *out)
{
    struct file *f = fd_file_io(t, fd);
    if (!f) {
        return -EBADF;
    }
    file_path(f, out);
    return 0;
}

/* Applies and lets go of the path. */
static struct sysret apply(struct task *t, int64_t found, struct path *p, struct setattr *sa)
{
    if (found) {
        return sys_done(found);
    }
    int r = vfs_setattr(t, p, sa);
    path_put(p);
    return sys_done(r);
}

static struct sysret chmod_at(struct task *t, int dirfd, uint64_t path, uint64_t mode,
                              uint32_t flags)
{
    struct path p;
    struct setattr sa = {.valid = SETATTR_MODE, .mode = (uint32_t)mode & 07777};
    return apply(t, find(t, dirfd, path, flags, &p), &p, &sa);
}

struct sysret sys_chmod(struct task *t, const struct sysargs *a)
{
    return chmod_at(t, AT_FDCWD, a->a[0], a->a[1], 0);
}

struct sysret sys_fchmodat(struct task *t, const struct sysargs *a)
{
    return chmod_at(t, (int)a->a[0], a->a[1], a->a[2], 0);
}

struct sysret sys_fchmodat2(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[3];
    if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return sys_done(-EINVAL);
    }
    return chmod_at(t, (int)a->a[0], a->a[1], a->a[2], flags);
}

struct sysret sys_fchmod(struct task *t, const struct sysargs *a)
{
    struct path p;
    struct setattr sa = {.valid = SETATTR_MODE, .mode = (uint32_t)a->a[1] & 07777};
    return apply(t, find_fd(t, (int)a->a[0], &p), &p, &sa);
}

static struct setattr owner(uint64_t uid, uint64_t gid)
{
    struct setattr sa = {.uid = (uint32_t)uid, .gid = (uint32_t)gid};
    sa.valid = ((uint32_t)uid != UINT32_MAX ? SETATTR_UID : 0u) |
               ((uint32_t)gid != UINT32_MAX ? SETATTR_GID : 0u);
    return sa;
}

struct sysret sys_chown(struct task *t, const struct sysargs *a)
{
    struct path p;
    struct setattr sa = owner(a->a[1], a->a[2]);
    return apply(t, find(t, AT_FDCWD, a->a[0], 0, &p), &p, &sa);
}

struct sysret sys_lchown(struct task *t, const struct sysargs *a)
{
    struct path p;
    struct setattr sa = owner(a->a[1], a->a[2]);
    return apply(t, find(t, AT_FDCWD, a->a[0], AT_SYMLINK_NOFOLLOW, &p), &p, &sa);
}

struct sysret sys_fchown(struct task *t, const struct sysargs *a)
{
    struct path p;
    struct setattr sa = owner(a->a[1], a->a[2]);
    return apply(t, find_fd(t, (int)a->a[0], &p), &p, &sa);
}

struct sysret sys_fchownat(struct task *t, const struct sysargs *a)
{
    struct path p;
    struct setattr sa = owner(a->a[2], a->a[3]);
    uint32_t flags = (uint32_t)a->a[4];
    if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return sys_done(-EINVAL);
    }
    return apply(t, find(t, (int)a->a[0], a->a[1], flags, &p), &p, &sa);
}

/* --- times ------------------------------------------------------------------------------------ */

struct times {
    bool given;                /* false: both now */
    struct abi_timespec ts[2]; /* atime, mtime; nsec may be UTIME_NOW, UTIME_OMIT */
};

static bool nsec_ok(int64_t nsec)
{
    return (nsec >= 0 && nsec < 1000000000l) || nsec == UTIME_NOW_NSEC || nsec == UTIME_OMIT_NSEC;
}

/* vfs_utimes() of fs/utimes.c. */
static int64_t set_times(struct task *t, const struct path *p, const struct times *times)
{
    struct inode *i = p->dentry->inode;
    struct abi_timespec now = vfs_now(t->m);
    struct setattr sa = {.valid = SETATTR_ATIME | SETATTR_MTIME, .atime = now, .mtime = now};
    bool both_now = !times->given ||
                    (times->ts[0].nsec == UTIME_NOW_NSEC && times->ts[1].nsec == UTIME_NOW_NSEC);
    int r = mount_want_write(t, p->mount);
    if (r) {
        return r;
    }
    if (both_now) {
        if (!inode_owner_or_capable(t, i)) {
            r = inode_permission(t, i, MAY_WRITE);
        }
        return r ? r : vfs_setattr(t, p, &sa);
    }
    if (times->ts[0].nsec == UTIME_OMIT_NSEC) {
        sa.valid &= ~(uint32_t)SETATTR_ATIME;
    } else if (times->ts[0].nsec != UTIME_NOW_NSEC) {
        sa.atime = times->ts[0];
    }
    if (times->ts[1].nsec == UTIME_OMIT_NSEC) {
        sa.valid &= ~(uint32_t)SETATTR_MTIME;
    } else if (times->ts[1].nsec != UTIME_NOW_NSEC) {
        sa.mtime = times->ts[1];
    }
    return inode_owner_or_capable(t, i) ? vfs_setattr(t, p, &sa) : -EPERM;
}

/* path 0: the descriptor itself (futimens). */
static struct sysret utimes_at(struct task *t, int dirfd, uint64_t path, const struct times *times,
                               uint32_t flags)
{
    struct path p;
    int64_t r;
    if (times->given && times->ts[0].nsec == UTIME_OMIT_NSEC &&
        times->ts[1].nsec == UTIME_OMIT_NSEC) {
        return sys_done(0);
    }
    if (times->given && (!nsec_ok(times->ts[0].nsec) || !nsec_ok(times->ts[1].nsec))) {
        return sys_done(-EINVAL);
    }
    if (!path && dirfd != AT_FDCWD) {
        r = flags ? -EINVAL : find_fd(t, dirfd, &p);
    } else if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        r = -EINVAL;
    } else {
        r = find(t, dirfd, path, flags, &p);
    }
    if (!r) {
        r = set_times(t, &p, times);
        path_put(&p);
    }
    return sys_done(r);
}

struct sysret sys_utimensat(struct task *t, const struct sysargs *a)
{
    struct times times = {.given = a->a[2] != 0};
    if (times.given && user_read(t, times.ts, gaddr_of(a->a[2]), sizeof times.ts)) {
        return sys_done(-EFAULT);
    }
    return utimes_at(t, (int)a->a[0], a->a[1], &times, (uint32_t)a->a[3]);
}

/* struct timeval pairs: utimes, futimesat. */
static int read_timevals(struct task *t, uint64_t addr, struct times *times)
{
    struct abi_timeval tv[2];
    times->given = addr != 0;
    if (!addr) {
        return 0;
    }
    if (user_read(t, tv, gaddr_of(addr), sizeof tv)) {
        return -EFAULT;
    }
    for (int i = 0; i < 2; i++) {
        if (tv[i].usec < 0 || tv[i].usec >= 1000000) {
            return -EINVAL;
        }
        times->ts[i] = (struct abi_timespec){tv[i].sec, tv[i].usec * 1000};
    }
    return 0;
}

struct sysret sys_utimes(struct task *t, const struct sysargs *a)
{
    struct times times = {0};
    int r = read_timevals(t, a->a[1], &times);
    return r ? sys_done(r) : utimes_at(t, AT_FDCWD, a->a[0], &times, 0);
}

struct sysret sys_futimesat(struct task *t, const struct sysargs *a)
{
    struct times times = {0};
    int r = read_timevals(t, a->a[2], &times);
    return r ? sys_done(r) : utimes_at(t, (int)a->a[0], a->a[1], &times, 0);
}

struct sysret sys_utime(struct task *t, const struct sysargs *a)
{
    struct times times = {.given = a->a[1] != 0};
    int64_t seconds[2];
    if (times.given) {
        if (user_read(t, seconds, gaddr_of(a->a[1]), sizeof seconds)) {
            return sys_done(-EFAULT);
        }
        times.ts[0].sec = seconds[0];
        times.ts[1].sec = seconds[1];
    }
    return utimes_at(t, AT_FDCWD, a->a[0], &times, 0);
}

/* --- size ------------------------------------------------------------------------------------- */

struct sysret sys_truncate(struct task *t, const struct sysargs *a)
{
    struct path p;
    if ((int64_t)a->a[1] < 0) {
        return sys_done(-EINVAL);
    }
    int64_t r = find(t, AT_FDCWD, a->a[0], 0, &p);
    if (r) {
        return sys_done(r);
    }
    const struct inode *i = p.dentry->inode;
    if (inode_is(i, ABI_S_IFDIR)) {
        r = -EISDIR;
    } else if (!inode_is(i, ABI_S_IFREG)) {
        r = -EINVAL;
    } else {
        r = mount_want_write(t, p.mount);
        r = r ? r : inode_permission(t, i, MAY_WRITE);
    }
    if (!r) {
        r = vfs_truncate(t, &p, a->a[1], NULL);
    }
    path_put(&p);
    return sys_done(r);
}

struct sysret sys_ftruncate(struct task *t, const struct sysargs *a)
{
    if ((int64_t)a->a[1] < 0) {
        return sys_done(-EINVAL);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    if (!f->inode || !f->dentry || !inode_is(f->inode, ABI_S_IFREG) || !file_writable(f)) {
        return sys_done(-EINVAL);
    }
    struct path p = {f->mount, f->dentry};
    return sys_done(vfs_truncate(t, &p, a->a[1], f));
}

/* Size limits of a grown file. */
static int may_grow(struct task *t, uint64_t end)
{
    if (end <= t->process->rlimits[RLIMIT_FSIZE].soft) {
        return 0;
    }
    struct siginfo info = {.signo = SIGNAL_XFSZ};
    signal_send_task(t, &info);
    return -EFBIG;
}

static int64_t allocate(struct task *t, struct file *f, uint32_t mode, uint64_t off, uint64_t len)
{
    struct inode *i = f->inode;
    struct filedata *fd = i->data;
    uint64_t end = off + len;
    bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && end > i->size;
    int r = grows ? may_grow(t, end) : 0;
    if (!r && fd->seals & F_SEAL_WRITE && mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
        r = -EPERM;
    }
    if (!r && grows && fd->seals & F_SEAL_GROW) {
        r = -EPERM;
    }
    if (!r && mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && off < i->size) {
        r = filedata_punch(fd, off, min_u64(end, i->size) - off);
    }
    if (!r && !(mode & FALLOC_FL_PUNCH_HOLE)) {
        r = filedata_reserve(fd, off, len);
    }
    if (!r && grows) {
        r = filedata_truncate(fd, end);
    }
    if (!r) {
        i->mtime = i->ctime = vfs_now(t->m);
        notify_object(f->dentry, IN_MODIFY);
    }
    return r;
}

struct sysret sys_fallocate(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]);
    uint32_t mode = (uint32_t)a->a[1], op = mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE;
    int64_t off = (int64_t)a->a[2], len = (int64_t)a->a[3], end;
    if (!f) {
        return sys_done(-EBADF);
    }
    if (off < 0 || len <= 0) {
        return sys_done(-EINVAL);
    }
    if (op && op != FALLOC_FL_PUNCH_HOLE && op != FALLOC_FL_ZERO_RANGE) {
        trace_unknown(t, "fallocate mode", mode, 0, -EOPNOTSUPP);
        return sys_done(-EOPNOTSUPP);
    }
    if (mode == FALLOC_FL_PUNCH_HOLE) {
        return sys_done(-EOPNOTSUPP); /* must come with KEEP_SIZE */
    }
    if (!file_writable(f)) {
        return sys_done(-EBADF);
    }
    const struct inode *i = f->inode;
    if (!i || inode_is(i, ABI_S_IFIFO)) {
        return sys_done(-ESPIPE);
    }
    if (inode_is(i, ABI_S_IFDIR)) {
        return sys_done(-EISDIR);
    }
    if (!inode_is(i, ABI_S_IFREG) || !i->data) {
        return sys_done(-ENODEV);
    }
    if (__builtin_add_overflow(off, len, &end)) {
        return sys_done(-EFBIG);
    }
    return sys_done(allocate(t, f, mode, (uint64_t)off, (uint64_t)len));
}
