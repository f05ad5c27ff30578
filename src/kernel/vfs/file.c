/* Open file descriptions: counting, and what a file without a name shows as. */
#include "kernel/vfs/file.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/locks.h"
#include "kernel/vfs/special/epoll.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

/* O_PATH: names a place; supports nothing else (open(2)). */
const struct file_ops path_file_ops = {.name = "path"};

struct file *file_create(struct machine *m, const struct file_ops *ops, uint32_t flags)
{
    struct file *f = KALLOC(m, struct file);
    f->ops = ops;
    f->m = m;
    f->refs = 1;
    f->flags = flags;
    f->id = ++m->next_file_id;
    list_init(&f->epoll_links);
    return f;
}

struct file *file_get(struct file *f)
{
    ASSERT(f->refs > 0);
    f->refs++;
    return f;
}

void file_put(struct file *f)
{
    if (!f) {
        return;
    }
    ASSERT(f->refs > 0);
    if (--f->refs > 0) {
        return;
    }
    struct machine *m = f->m;
    if (!list_empty(&f->epoll_links)) {
        epoll_file_released(f);
    }
    if (f->inode) {
        locks_release_file(f);
    }
    if (f->ops->release) {
        f->ops->release(m, f);
    }
    inode_put(f->inode);
    dentry_put(f->dentry);
    mount_put(f->mount);
    kfree(m, f);
}

void file_path(struct file *f, struct path *out)
{
    if (f->dentry) {
        path_set(out, f->mount, f->dentry);
        return;
    }
    struct vfs *vfs = f->m->vfs;
    struct inode *i = f->inode ? f->inode : vfs->anon_plain;
    const char *kind = i->priv && i->sb == vfs->anon ? i->priv : f->ops->name;
    out->mount = mount_get(vfs->anon_mount);
    out->dentry = dentry_disconnected(inode_get(i), kind, (uint32_t)str_len(kind));
}

int64_t vfs_file_string(struct task *t, struct file *f, char *buf, size_t cap)
{
    if (f->dentry) {
        struct path p = {f->mount, f->dentry};
        return vfs_path_string(t, &p, buf, cap, true);
    }
    const struct inode *i = f->inode ? f->inode : f->m->vfs->anon_plain;
    const char *kind = i->priv && i->sb == f->m->vfs->anon ? i->priv : f->ops->name;
    size_t n;
    if (kind[0] == '[') {
        n = str_format(buf, cap, "anon_inode:%s", kind);
    } else {
        n = str_format(buf, cap, "%s:[%lu]", kind, i->ino);
    }
    return n < cap ? (int64_t)n : -ENAMETOOLONG;
}
