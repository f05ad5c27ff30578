/* Operations of an open directory. The first getdents takes a snapshot of all names, so that
 * positions stay what they are while entries come and go (POSIX leaves open whether such entries
 * show); rewinding takes a new one. */
#include <linux/fs.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/durable.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs_priv.h"

struct listed {
    uint64_t ino;
    uint32_t name; /* offset in names */
    uint16_t len;
    uint8_t type; /* DT_* */
};

/* file->priv; entry 0 is ".", 1 "..", the rest as the file system gave them. */
struct listing {
    struct machine *m;
    struct listed *entries;
    uint32_t count, cap;
    char *names;
    uint32_t names_len, names_cap;
};

/* struct linux_dirent64 of getdents(2). */
struct dirent64_head {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
} __attribute__((packed));

static bool collect(void *ctx, const char *name, uint32_t len, uint64_t ino, uint32_t type,
                    uint64_t next)
{
    struct listing *l = ctx;
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 32;
        l->entries = krealloc(l->m, l->entries, l->cap * sizeof *l->entries);
    }
    if (l->names_len + len > l->names_cap) {
        l->names_cap = (uint32_t)max_u64(2ul * l->names_cap, l->names_len + len + 512ul);
        l->names = krealloc(l->m, l->names, l->names_cap);
    }
    struct listed *e = &l->entries[l->count++];
    e->ino = ino;
    e->name = l->names_len;
    e->len = (uint16_t)len;
    e->type = (uint8_t)((type & ABI_S_IFMT) >> 12);
    memcpy(l->names + l->names_len, name, len);
    l->names_len += len;
    return true;
}

static void listing_free(struct machine *m, struct file *f)
{
    struct listing *l = f->priv;
    if (l) {
        kfree(m, l->entries);
        kfree(m, l->names);
        kfree(m, l);
        f->priv = NULL;
    }
}

static int take_listing(struct file *f)
{
    struct inode *dir = f->inode;
    if (!dir->ops->readdir) {
        return -ENOTDIR;
    }
    listing_free(f->m, f);
    struct listing *l = KALLOC(f->m, struct listing);
    l->m = f->m;
    f->priv = l;
    collect(l, ".", 1, dir->ino, ABI_S_IFDIR, 1);
    const struct dentry *up = f->dentry;
    collect(l, "..", 2, up ? up->parent->inode->ino : dir->ino, ABI_S_IFDIR, 2);
    return dir->ops->readdir(dir, 2, collect, l);
}

static int64_t directory_getdents(struct task *t, struct file *f, gaddr buf, uint64_t len)
{
    const uint32_t head_len = sizeof(struct dirent64_head);
    unsigned char record[320];
    uint64_t done = 0;
    if (f->inode->nlink == 0) {
        return -ENOENT; /* the directory was removed */
    }
    if (!f->priv || f->pos == 0) {
        int r = take_listing(f);
        if (r) {
            return r;
        }
        if (f->inode->sb->relatime && !(f->flags & O_NOATIME)) {
            memfs_touch_atime(f->inode);
        }
    }
    const struct listing *l = f->priv;
    for (; f->pos < l->count; f->pos++) {
        const struct listed *e = &l->entries[f->pos];
        uint32_t need = (uint32_t)round_up_u64(head_len + e->len + 1u, 8);
        if (done + need > len) {
            return done ? (int64_t)done : -EINVAL;
        }
        struct dirent64_head h = {e->ino, (int64_t)f->pos + 1, (uint16_t)need, e->type};
        memset(record, 0, need);
        memcpy(record, &h, head_len);
        memcpy(record + head_len, l->names + e->name, e->len);
        if (user_write(t, gaddr_add(buf, done), record, need)) {
            return done ? (int64_t)done : -EFAULT;
        }
        done += need;
    }
    return (int64_t)done;
}

static int64_t directory_lseek(struct task *t, struct file *f, int64_t off, int whence)
{
    if (whence == SEEK_CUR) {
        off += (int64_t)f->pos;
    } else if (whence == SEEK_END) {
        off += f->priv ? ((struct listing *)f->priv)->count : 0;
    } else if (whence != SEEK_SET) {
        return -EINVAL;
    }
    if (off < 0) {
        return -EINVAL;
    }
    f->pos = (uint64_t)off;
    return off;
}

static int64_t directory_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    return -EISDIR;
}

static int directory_fsync(struct task *t, struct file *f, bool data_only)
{
    durable_sync_dir(f->inode);
    return 0;
}

const struct file_ops directory_file_ops = {
    .name = "directory",
    .read = directory_read,
    .getdents = directory_getdents,
    .lseek = directory_lseek,
    .fsync = directory_fsync,
    .release = listing_free,
    .seekable = true,
};
