/* open(2) without descriptors: from a path to a file object. */
#include "kernel/vfs/open.h"

#include <linux/capability.h>
#include <linux/mount.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/special/dev.h"
#include "kernel/vfs/special/pipe.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#ifndef O_TMPFILE
#define O_TMPFILE (__O_TMPFILE | O_DIRECTORY)
#endif
#define CREATION_FLAGS                                                                             \
    (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW)

int file_open_by_type(struct task *t, struct inode *i, struct file *f)
{
    switch (i->mode & ABI_S_IFMT) {
    case ABI_S_IFDIR:
        f->ops = &directory_file_ops;
        return 0;
    case ABI_S_IFREG:
        f->ops = &regular_file_ops;
        return i->data ? 0 : -EINVAL;
    case ABI_S_IFIFO:
        return fifo_open(t, i, f);
    case ABI_S_IFCHR:
    case ABI_S_IFBLK:
        return device_open(t, i, f);
    default:
        return -ENXIO; /* sockets (open(2)) */
    }
}

int file_open_path(struct task *t, const struct path *p, uint32_t flags, struct file **out)
{
    struct inode *i = p->dentry->inode;
    uint32_t kept = flags & ~(uint32_t)CREATION_FLAGS;
    /* The terminal's open looks at O_NOCTTY; nobody may see it afterwards. */
    struct file *f = file_create(i->sb->m, &path_file_ops, kept | (flags & O_NOCTTY));
    f->inode = inode_get(i);
    f->dentry = dentry_get(p->dentry);
    f->mount = mount_get(p->mount);
    int r = 0;
    if (!(flags & O_PATH)) {
        r = i->ops->open ? i->ops->open(t, i, f) : file_open_by_type(t, i, f);
    }
    if (r) {
        f->ops = &path_file_ops; /* nothing was opened: release must not run */
        file_put(f);
        return r;
    }
    f->flags &= ~(uint32_t)O_NOCTTY;
    *out = f;
    return 0;
}

static uint32_t access_bits(uint32_t flags)
{
    static const uint32_t bits[4] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
                                     MAY_READ | MAY_WRITE};
    return bits[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

/* may_open() of fs/namei.c, in its order. */
static int may_open(struct task *t, const struct path *p, uint32_t flags)
{
    const struct inode *i = p->dentry->inode;
    uint32_t bits = access_bits(flags);
    bool device = inode_is(i, ABI_S_IFCHR) || inode_is(i, ABI_S_IFBLK);
    if (inode_is(i, ABI_S_IFLNK)) {
        return -ELOOP;
    }
    if (inode_is(i, ABI_S_IFDIR) && bits & MAY_WRITE) {
        return -EISDIR;
    }
    if (device && p->mount->flags & MS_NODEV) {
        return -EACCES;
    }
    if (bits & MAY_WRITE && (inode_is(i, ABI_S_IFREG) || inode_is(i, ABI_S_IFDIR))) {
        int ro = mount_want_write(t, p->mount);
        if (ro) {
            return ro;
        }
    }
    int r = inode_permission(t, i, bits);
    if (r) {
        return r;
    }
    if (flags & O_NOATIME && !inode_owner_or_capable(t, i)) {
        return -EPERM;
    }
    return 0;
}

static int open_object(struct walk *w, uint32_t flags, bool created, struct file **out)
{
    struct inode *i = w->at.dentry->inode;
    bool is_dir = inode_is(i, ABI_S_IFDIR);
    if ((flags & O_DIRECTORY || w->trailing) && !is_dir) {
        return -ENOTDIR;
    }
    if (!(flags & O_PATH)) {
        if (flags & O_CREAT && is_dir) {
            return -EISDIR;
        }
        int r = created ? 0 : may_open(w->t, &w->at, flags);
        if (r) {
            return r;
        }
    }
    int r = file_open_path(w->t, &w->at, flags, out);
    if (!r && flags & O_TRUNC && !created && inode_is(i, ABI_S_IFREG) && !(flags & O_PATH)) {
        r = vfs_truncate(w->t, &w->at, 0, *out);
        if (r) {
            file_put(*out);
        }
    }
    return r;
}

/* O_TMPFILE: a nameless file in the directory (open(2)). */
static int open_tmpfile(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
    struct path dir = w->at, p;
    int r = inode_is(dir.dentry->inode, ABI_S_IFDIR) ? 0 : -ENOTDIR;
    if (!r) {
        r = tree_make_nameless(w->t, &dir, mode, !(flags & O_EXCL), &p);
    }
    if (!r) {
        r = file_open_path(w->t, &p, flags & ~(uint32_t)O_TMPFILE, out);
        path_put(&p);
    }
    return r;
}

/* O_CREAT at the last component. *done: the file in *out is open. Otherwise the walk has gone on to
 * an existing object, or must go on from a link (*again). */
static int create_last(struct walk *w, uint32_t flags, uint32_t mode, bool *created, bool *again)
{
    struct dentry *d;
    if (w->trailing) {
        return -EISDIR;
    }
    int r = walk_entry(w, &d);
    if (r) {
        return r;
    }
    if (!d->inode) {
        r = tree_create(w->t, &w->at, d, ABI_S_IFREG | (mode & 07777));
        *created = !r;
        if (!r) {
            w->kind = WALK_SELF;
            return walk_into(w, d);
        }
    } else if (flags & O_EXCL) {
        r = -EEXIST;
    } else if (inode_is(d->inode, ABI_S_IFLNK)) {
        *again = !(flags & O_NOFOLLOW);
        r = *again ? walk_follow_last(w, d) : -ELOOP;
    } else {
        w->kind = WALK_SELF;
        return walk_into(w, d);
    }
    dentry_put(d);
    return r;
}

static int open_walk(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
    bool created = false, again = true;
    int r = walk_parent(w);
    if (!(flags & O_CREAT)) {
        r = r ? r : walk_last(w, !(flags & O_NOFOLLOW));
        if (!r && (flags & O_TMPFILE) == O_TMPFILE) {
            return open_tmpfile(w, flags, mode, out);
        }
        return r ? r : open_object(w, flags, false, out);
    }
    while (!r && again) {
        again = false;
        if (w->kind == WALK_NAME) {
            r = create_last(w, flags, mode, &created, &again);
        } else {
            r = walk_last(w, true);
            r = !r && flags & O_EXCL ? -EEXIST : r;
        }
    }
    return r ? r : open_object(w, flags, created, out);
}

int vfs_open_resolve(struct task *t, int dirfd, const char *path, const struct open_how_args *how,
                     struct file **out)
{
    struct walk w;
    int r = walk_init(&w, t, dirfd, path, how->resolve);
    if (!r) {
        r = open_walk(&w, how->flags, how->mode, out);
    }
    walk_fini(&w);
    return r;
}

int vfs_open(struct task *t, int dirfd, const char *path, uint32_t flags, uint32_t mode,
             struct file **out)
{
    struct open_how_args how = {flags, mode, 0};
    return vfs_open_resolve(t, dirfd, path, &how, out);
}

int vfs_node_open(struct node *n, const char *path, uint32_t flags, uint32_t mode,
                  struct file **out)
{
    struct walk w;
    int r = walk_init_node(&w, n, path);
    if (!r) {
        r = open_walk(&w, flags, mode, out);
    }
    walk_fini(&w);
    return r;
}
