/* Operations of an open regular file whose contents are in the data store. */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mman.h>

#include "abi/layout.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/port.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/durable.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define RLIMIT_FSIZE 1

static int64_t regular_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct inode *i = f->inode;
    if (*pos >= i->size || to->left == 0) {
        return 0;
    }
    int64_t n = filedata_read(i->data, to, *pos, min_u64(to->left, i->size - *pos));
    if (n > 0) {
        *pos += (uint64_t)n;
        if (!(f->flags & O_NOATIME)) {
            memfs_touch_atime(i);
        }
    }
    return n;
}

/* How much of [pos, pos + len) the limits allow: RLIMIT_FSIZE and seals. 0 or -errno. */
static int clip(struct task *t, const struct inode *i, uint64_t pos, uint64_t *len)
{
    uint64_t limit = t ? t->process->rlimits[RLIMIT_FSIZE].soft : UINT64_MAX;
    if (pos >= limit && *len > 0) {
        struct siginfo info = {.signo = SIGNAL_XFSZ};
        signal_send_task(t, &info); /* setrlimit(2) */
        return -EFBIG;
    }
    *len = min_u64(*len, limit - pos);
    if (pos >= INT64_MAX && *len > 0) {
        return -EFBIG;
    }
    *len = min_u64(*len, INT64_MAX - pos);
    if (i->data->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
        return -EPERM;
    }
    if (i->data->seals & F_SEAL_GROW && pos + *len > i->size) {
        if (pos >= i->size) {
            return -EPERM;
        }
        *len = i->size - pos;
    }
    return 0;
}

/* The SDK reads what was written to its files; the bytes are in the store, page by page. */
static void tell_sdk(struct file *f, uint64_t off, uint64_t len)
{
    struct superblock *sb = f->inode->sb;
    const struct dentry *d = f->dentry;
    static const char suffix[] = ".jsonl";
    const uint32_t k = sizeof suffix - 1;
    if (!sb->sdk_node || !d || d->name_len < k || memcmp(d->name + d->name_len - k, suffix, k)) {
        return;
    }
    while (len > 0) {
        uint64_t n = min_u64(len, PAGE_SIZE - off % PAGE_SIZE);
        const unsigned char *p = filedata_page(f->inode->data, off / PAGE_SIZE);
        ASSERT(p);
        sdk_file_written(sb->sdk_node, f->inode->ino, off, p + off % PAGE_SIZE, n);
        off += n;
        len -= n;
    }
}

/* Writing takes the set-ID bits away from whoever is not privileged (inode(7)). */
static void drop_set_id(struct task *t, struct inode *i)
{
    if (i->mode & 06000 && t && !task_capable(t, CAP_FSETID)) {
        i->mode &= (i->mode & 02010) == 02010 ? ~06000u : ~04000u;
    }
}

static int64_t regular_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct inode *i = f->inode;
    uint64_t at = f->flags & O_APPEND ? i->size : *pos, len = from->left;
    if (len == 0) {
        return 0;
    }
    int r = clip(t, i, at, &len);
    if (r) {
        return r;
    }
    uint64_t old_size = i->size;
    if (at > old_size && old_size % PAGE_SIZE) { /* a mapping may have scribbled behind the end */
        r = filedata_truncate(i->data, at);
    }
    int64_t n = r ? r : filedata_write(i->data, from, at, len);
    if (n <= 0) {
        if (!r && i->size != old_size) {
            filedata_truncate(i->data, old_size);
        }
        return n;
    }
    *pos = at + (uint64_t)n;
    i->mtime = i->ctime = vfs_now(i->sb->m);
    drop_set_id(t, i);
    tell_sdk(f, at, (uint64_t)n);
    return n;
}

static int64_t regular_lseek(struct task *t, struct file *f, int64_t off, int whence)
{
    const struct inode *i = f->inode;
    int64_t base = 0;
    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        base = (int64_t)f->pos;
        break;
    case SEEK_END:
        base = (int64_t)i->size;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        if (off < 0 || (uint64_t)off >= i->size) {
            return -ENXIO;
        }
        off = (int64_t)filedata_seek(i->data, (uint64_t)off, whence == SEEK_DATA);
        if (off < 0) {
            return -ENXIO;
        }
        break;
    default:
        return -EINVAL;
    }
    int64_t to;
    if (__builtin_add_overflow(base, off, &to)) {
        return -EOVERFLOW;
    }
    if (to < 0) {
        return -EINVAL;
    }
    f->pos = (uint64_t)to;
    return to;
}

static int regular_mmap(struct task *t, struct file *f, struct vma *v)
{
    const struct filedata *fd = f->inode->data;
    bool shared = v->flags & MAP_SHARED;
    if (f->mount && f->mount->flags & MS_NOEXEC && v->prot & PROT_EXEC) {
        return -EPERM;
    }
    if (shared && fd && fd->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
        if (v->prot & PROT_WRITE) {
            return -EPERM;
        }
        v->max_prot &= ~(uint32_t)PROT_WRITE;
    }
    if (!(f->flags & O_NOATIME)) {
        memfs_touch_atime(f->inode); /* stands for the reading to come (mmap(3p)) */
    }
    return 0;
}

static int regular_fsync(struct task *t, struct file *f, bool data_only)
{
    filedata_sync(f->inode->data);
    return 0;
}

const struct file_ops regular_file_ops = {
    .name = "file",
    .read = regular_read,
    .write = regular_write,
    .lseek = regular_lseek,
    .mmap = regular_mmap,
    .fsync = regular_fsync,
    .seekable = true,
};

int64_t file_read_kernel(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    struct uio u;
    if (!f->ops->read) {
        return -EINVAL;
    }
    uio_init_kernel(&u, buf, len);
    return f->ops->read(NULL, f, &u, &off);
}
