/* fsync(2), sync(2), sync_file_range(2), posix_fadvise(2). What is durable changes when the
 * modelled disk is done, and the caller waits for that in virtual time. */
#include <linux/fadvise.h>
#include <linux/fs.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/vfs/durable.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/vfs_priv.h"

/* True when the disk needs no more time; else *r tells the call to sleep. */
static bool disk_done(struct task *t, uint64_t pages, struct sysret *r)
{
    if (!t->call.retry) {
        t->call.scratch[2] = sync_cost_ns(pages);
    }
    vtime end = task_call_deadline(t, t->call.scratch[2]);
    if (machine_now(t->m) >= end) {
        return true;
    }
    task_wait_until(t, end);
    *r = sys_block_or(0); /* fsync is not interruptible */
    return false;
}

static struct sysret sync_fd(struct task *t, int fd, bool data_only)
{
    struct file *f = fd_file_io(t, fd);
    struct sysret r;
    if (!f) {
        return sys_done(-EBADF);
    }
    if (!f->ops->fsync) {
        return sys_done(-EINVAL);
    }
    bool disk = f->inode && f->inode->sb->durable;
    uint64_t pages = f->inode && f->inode->data ? f->inode->data->unsynced_pages : 0;
    if (disk && !disk_done(t, pages, &r)) {
        return r;
    }
    return sys_done(f->ops->fsync(t, f, data_only));
}

struct sysret sys_fsync(struct task *t, const struct sysargs *a)
{
    return sync_fd(t, (int)a->a[0], false);
}

struct sysret sys_fdatasync(struct task *t, const struct sysargs *a)
{
    return sync_fd(t, (int)a->a[0], true);
}

struct sysret sys_sync(struct task *t, const struct sysargs *a)
{
    struct sysret r;
    if (!disk_done(t, durable_pending_pages(t->m, NULL), &r)) {
        return r;
    }
    durable_sync_all(t->m, NULL);
    return sys_done(0);
}

struct sysret sys_syncfs(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]);
    struct sysret r;
    if (!f) {
        return sys_done(-EBADF);
    }
    struct superblock *sb = f->inode ? f->inode->sb : t->m->vfs->anon;
    if (sb->durable) {
        if (!disk_done(t, durable_pending_pages(t->m, sb), &r)) {
            return r;
        }
        durable_sync_all(t->m, sb);
    }
    return sys_done(0);
}

/* sync_file_range(2) warns that it flushes no disk cache: nothing becomes durable. */
struct sysret sys_sync_file_range(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]);
    int64_t off = (int64_t)a->a[1], len = (int64_t)a->a[2], end;
    const uint32_t known = 7; /* SYNC_FILE_RANGE_WAIT_BEFORE, WRITE, WAIT_AFTER */
    if (!f) {
        return sys_done(-EBADF);
    }
    if (a->a[3] & ~(uint64_t)known || off < 0 || len < 0 ||
        __builtin_add_overflow(off, len, &end)) {
        return sys_done(-EINVAL);
    }
    bool seekable =
        f->inode && (inode_is(f->inode, ABI_S_IFREG) || inode_is(f->inode, ABI_S_IFBLK) ||
                     inode_is(f->inode, ABI_S_IFDIR) || inode_is(f->inode, ABI_S_IFLNK));
    return sys_done(seekable ? 0 : -ESPIPE);
}

struct sysret sys_fadvise64(struct task *t, const struct sysargs *a)
{
    const struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    if (f->inode && inode_is(f->inode, ABI_S_IFIFO)) {
        return sys_done(-ESPIPE);
    }
    return sys_done((int64_t)a->a[2] < 0 || a->a[3] > POSIX_FADV_NOREUSE ? -EINVAL : 0);
}

struct sysret sys_readahead(struct task *t, const struct sysargs *a)
{
    const struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f || !file_readable(f)) {
        return sys_done(-EBADF);
    }
    return sys_done(f->inode && inode_is(f->inode, ABI_S_IFREG) ? 0 : -EINVAL);
}
