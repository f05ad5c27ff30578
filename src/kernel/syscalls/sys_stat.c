/* stat(2), statx(2), readlink(2), getdents(2), statfs(2). */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

/* new_encode_dev() of include/linux/kdev_t.h. */
static uint64_t encode_dev(uint32_t major, uint32_t minor)
{
    return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static int64_t put_stat(struct task *t, uint64_t addr, const struct attr *a)
{
    struct stat s;
    memset(&s, 0, sizeof s);
    s.st_dev = encode_dev(a->dev_major, a->dev_minor);
    s.st_ino = a->ino;
    s.st_nlink = a->nlink;
    s.st_mode = a->mode;
    s.st_uid = a->uid;
    s.st_gid = a->gid;
    s.st_rdev = encode_dev(a->rdev_major, a->rdev_minor);
    s.st_size = (int64_t)a->size;
    s.st_blksize = a->blksize;
    s.st_blocks = (int64_t)a->blocks;
    s.st_atime = (uint64_t)a->atime.sec;
    s.st_atime_nsec = (uint64_t)a->atime.nsec;
    s.st_mtime = (uint64_t)a->mtime.sec;
    s.st_mtime_nsec = (uint64_t)a->mtime.nsec;
    s.st_ctime = (uint64_t)a->ctime.sec;
    s.st_ctime_nsec = (uint64_t)a->ctime.nsec;
    return user_write(t, gaddr_of(addr), &s, sizeof s);
}

static int attr_of_fd(struct task *t, int fd, struct attr *out)
{
    struct file *f = fd_file(t, fd);
    if (!f) {
        return -EBADF;
    }
    return inode_getattr(t, f->inode ? f->inode : t->m->vfs->anon_plain, out);
}

/* The attributes a path argument leads to. */
static int64_t attr_at(struct task *t, int dirfd, uint64_t path_addr, uint32_t flags,
                       struct attr *out, struct path *where)
{
    const char *path;
    struct path p;
    int64_t len = path_arg(t, path_addr, 0, &path);
    if (len < 0) {
        return len;
    }
    if (len == 0 && flags & AT_EMPTY_PATH && dirfd != AT_FDCWD && !where) {
        return attr_of_fd(t, dirfd, out);
    }
    uint32_t lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    int r = vfs_lookup(t, dirfd, path, lookup, &p);
    if (r) {
        return r;
    }
    r = inode_getattr(t, p.dentry->inode, out);
    if (where && !r) {
        *where = p;
    } else {
        path_put(&p);
    }
    return r;
}

static struct sysret stat_at(struct task *t, int dirfd, uint64_t path, uint64_t buf, uint32_t flags)
{
    struct attr a;
    int64_t r = attr_at(t, dirfd, path, flags, &a, NULL);
    return sys_done(r ? r : put_stat(t, buf, &a));
}

struct sysret sys_stat(struct task *t, const struct sysargs *a)
{
    return stat_at(t, AT_FDCWD, a->a[0], a->a[1], 0);
}

struct sysret sys_lstat(struct task *t, const struct sysargs *a)
{
    return stat_at(t, AT_FDCWD, a->a[0], a->a[1], AT_SYMLINK_NOFOLLOW);
}

struct sysret sys_fstat(struct task *t, const struct sysargs *a)
{
    struct attr at;
    int r = attr_of_fd(t, (int)a->a[0], &at);
    return sys_done(r ? r : put_stat(t, a->a[1], &at));
}

struct sysret sys_newfstatat(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[3];
    if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) {
        return sys_done(-EINVAL);
    }
    return stat_at(t, (int)a->a[0], a->a[1], a->a[2], flags);
}

static struct statx_timestamp statx_time(const struct abi_timespec *ts)
{
    struct statx_timestamp s;
    memset(&s, 0, sizeof s);
    s.tv_sec = ts->sec;
    s.tv_nsec = (uint32_t)ts->nsec;
    return s;
}

static int64_t put_statx(struct task *t, uint64_t addr, const struct attr *a, uint64_t mount_id)
{
    struct statx s;
    memset(&s, 0, sizeof s);
    s.stx_mask = STATX_BASIC_STATS | STATX_BTIME | (mount_id ? STATX_MNT_ID : 0);
    s.stx_blksize = a->blksize;
    s.stx_nlink = a->nlink;
    s.stx_uid = a->uid;
    s.stx_gid = a->gid;
    s.stx_mode = (uint16_t)a->mode;
    s.stx_ino = a->ino;
    s.stx_size = a->size;
    s.stx_blocks = a->blocks;
    s.stx_atime = statx_time(&a->atime);
    s.stx_btime = statx_time(&a->btime);
    s.stx_ctime = statx_time(&a->ctime);
    s.stx_mtime = statx_time(&a->mtime);
    s.stx_rdev_major = a->rdev_major;
    s.stx_rdev_minor = a->rdev_minor;
    s.stx_dev_major = a->dev_major;
    s.stx_dev_minor = a->dev_minor;
    s.stx_mnt_id = mount_id;
    return user_write(t, gaddr_of(addr), &s, sizeof s);
}

struct sysret sys_statx(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[2], mask = (uint32_t)a->a[3];
    const uint32_t known =
        AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    struct attr at;
    struct path p;
    if (mask & STATX__RESERVED || flags & ~known ||
        (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) {
        return sys_done(-EINVAL);
    }
    int64_t r = attr_at(t, (int)a->a[0], a->a[1], flags, &at, &p);
    if (r) {
        return sys_done(r);
    }
    uint64_t id = p.mount->id;
    path_put(&p);
    return sys_done(put_statx(t, a->a[4], &at, id));
}

/* --- readlink --------------------------------------------------------------------------------- */

static struct sysret readlink_at(struct task *t, int dirfd, uint64_t path_addr, uint64_t buf,
                                 int cap)
{
    const char *path;
    struct path p;
    if (cap <= 0) {
        return sys_done(-EINVAL);
    }
    int64_t n = path_arg(t, path_addr, 0, &path);
    if (n < 0) {
        return sys_done(n);
    }
    bool empty = n == 0;
    n = vfs_lookup(t, dirfd, path, LOOKUP_EMPTY, &p);
    if (n) {
        return sys_done(n);
    }
    struct inode *i = p.dentry->inode;
    char *text = t->m->vfs->path_b;
    if (!inode_is(i, ABI_S_IFLNK) || !i->ops->readlink) {
        n = empty ? -ENOENT : -EINVAL;
    } else {
        n = i->ops->readlink(t, i, text, min_u64((uint64_t)cap, LIMIT_PATH));
    }
    if (n > 0 && user_write(t, gaddr_of(buf), text, (size_t)n)) {
        n = -EFAULT;
    }
    path_put(&p);
    return sys_done(n);
}

struct sysret sys_readlink(struct task *t, const struct sysargs *a)
{
    return readlink_at(t, AT_FDCWD, a->a[0], a->a[1], (int)a->a[2]);
}

struct sysret sys_readlinkat(struct task *t, const struct sysargs *a)
{
    return readlink_at(t, (int)a->a[0], a->a[1], a->a[2], (int)a->a[3]);
}

/* --- getdents --------------------------------------------------------------------------------- */

static int64_t list(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f) {
        return -EBADF;
    }
    return f->ops->getdents ? f->ops->getdents(t, f, gaddr_of(a->a[1]), (uint32_t)a->a[2])
                            : -ENOTDIR;
}

struct sysret sys_getdents64(struct task *t, const struct sysargs *a)
{
    return sys_done(list(t, a));
}

/* The old form has the same length: the name moves up by one byte and the type goes to the end. */
static int old_form(struct task *t, gaddr at, uint16_t *reclen)
{
    unsigned char r[320];
    if (user_read(t, reclen, gaddr_add(at, 16), sizeof *reclen) || *reclen > sizeof r ||
        user_read(t, r, at, *reclen)) {
        return -EFAULT;
    }
    unsigned char type = r[18];
    memmove(r + 18, r + 19, *reclen - 19u);
    r[*reclen - 1] = type;
    return user_write(t, at, r, *reclen);
}

struct sysret sys_getdents(struct task *t, const struct sysargs *a)
{
    int64_t n = list(t, a);
    for (int64_t done = 0; done < n;) {
        uint16_t len = 0;
        int r = old_form(t, gaddr_of(a->a[1] + (uint64_t)done), &len);
        if (r) {
            return sys_done(r);
        }
        done += len;
    }
    return sys_done(n);
}

/* --- statfs ----------------------------------------------------------------------------------- */

#define ST_VALID    0x0020u
#define ST_RELATIME 0x1000u

static int64_t put_statfs(struct task *t, uint64_t addr, const struct superblock *sb,
                          const struct mount *mnt)
{
    struct statfs s;
    memset(&s, 0, sizeof s);
    s.f_type = (int64_t)sb->magic;
    s.f_bsize = s.f_frsize = sb->block_bytes;
    s.f_namelen = 255;
    if (sb->size_limit) {
        uint64_t blocks = sb->size_limit / sb->block_bytes;
        uint64_t used = min_u64(blocks, sb->size_used / sb->block_bytes);
        s.f_blocks = (int64_t)blocks;
        s.f_bfree = s.f_bavail = (int64_t)(blocks - used);
        s.f_files = s.f_ffree = (int64_t)(blocks / 4);
    }
    s.f_fsid.val[0] = (int)sb->dev_minor;
    /* The low mount flags have the values of ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC. */
    s.f_flags = (int64_t)(ST_VALID | (mnt->flags & 15) | ST_RELATIME);
    return user_write(t, gaddr_of(addr), &s, sizeof s);
}

struct sysret sys_statfs(struct task *t, const struct sysargs *a)
{
    const char *path;
    struct path p;
    int64_t r = path_arg(t, a->a[0], 0, &path);
    if (r >= 0) {
        r = vfs_lookup(t, AT_FDCWD, path, LOOKUP_FOLLOW, &p);
    }
    if (!r) {
        r = put_statfs(t, a->a[1], p.dentry->inode->sb, p.mount);
        path_put(&p);
    }
    return sys_done(r);
}

struct sysret sys_fstatfs(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    const struct inode *i = f->inode ? f->inode : t->m->vfs->anon_plain;
    return sys_done(put_statfs(t, a->a[1], i->sb, f->mount ? f->mount : t->m->vfs->anon_mount));
}
