/* Creating and removing names. Renaming is in rename.c, attributes in attr.c. */
#include "kernel/vfs/tree.h"

#include <linux/capability.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define LINK_MAX 65000u

/* Names may be added to this directory. */
static int may_create(struct task *t, const struct inode *dir, const struct dentry *d)
{
    if (d->inode) {
        return -EEXIST;
    }
    if (d->parent->unlinked || dir->nlink == 0) {
        return -ENOENT; /* the directory itself was removed */
    }
    return inode_permission(t, dir, MAY_WRITE | MAY_EXEC);
}

static uint32_t masked(const struct task *t, uint32_t mode)
{
    return t ? mode & ~t->fs->umask : mode;
}

int tree_create_node(struct task *t, const struct path *dir, struct dentry *d, uint32_t mode,
                     uint32_t rdev_major, uint32_t rdev_minor)
{
    struct inode *parent = dir->dentry->inode, *made = NULL;
    int r = mount_want_write(t, dir->mount);
    if (!r) {
        r = may_create(t, parent, d);
    }
    if (!r && !parent->ops->create) {
        r = -EACCES; /* vfs_create() of fs/namei.c */
    }
    if (!r) {
        r = parent->ops->create(t, parent, d->name, d->name_len, masked(t, mode), rdev_major,
                                rdev_minor, &made);
    }
    if (!r) {
        dentry_instantiate(d, made);
        notify_name(parent, IN_CREATE, 0, d);
    }
    return r;
}

int tree_create(struct task *t, const struct path *dir, struct dentry *d, uint32_t mode)
{
    return tree_create_node(t, dir, d, mode, 0, 0);
}

/* The entry a creating call is about: walks, refuses existing names. Counted. */
static int entry_to_create(struct walk *w, bool directory, struct dentry **out)
{
    int r = walk_parent(w);
    if (r) {
        return r;
    }
    if (w->kind != WALK_NAME) {
        return -EEXIST;
    }
    r = walk_entry(w, out);
    if (r) {
        return r;
    }
    r = mount_want_write(w->t, w->at.mount);
    if ((*out)->inode) {
        r = -EEXIST; /* also on a read-only mount (filename_create) */
    } else if (w->trailing && !directory) {
        r = -ENOENT;
    }
    if (r) {
        dentry_put(*out);
    }
    return r;
}

int tree_mkdir(struct walk *w, uint32_t mode)
{
    struct dentry *d;
    int r = entry_to_create(w, true, &d);
    if (r) {
        return r;
    }
    struct inode *dir = w->at.dentry->inode, *made = NULL;
    r = may_create(w->t, dir, d);
    if (!r && !dir->ops->mkdir) {
        r = -EPERM;
    }
    if (!r && dir->nlink >= LINK_MAX) {
        r = -EMLINK;
    }
    if (!r) {
        r = dir->ops->mkdir(w->t, dir, d->name, d->name_len, masked(w->t, mode & 01777), &made);
    }
    if (!r) {
        dentry_instantiate(d, made);
        notify_name(dir, IN_CREATE | IN_ISDIR, 0, d);
    }
    dentry_put(d);
    return r;
}

int tree_mknod(struct walk *w, uint32_t mode, uint32_t rdev_major, uint32_t rdev_minor)
{
    struct dentry *d;
    bool device = (mode & ABI_S_IFMT) == ABI_S_IFCHR || (mode & ABI_S_IFMT) == ABI_S_IFBLK;
    int r = entry_to_create(w, false, &d);
    if (r) {
        return r;
    }
    r = may_create(w->t, w->at.dentry->inode, d);
    if (!r && device && !vfs_capable(w->t, CAP_MKNOD)) {
        r = -EPERM;
    }
    if (!r) {
        r = tree_create_node(w->t, &w->at, d, mode, rdev_major, rdev_minor);
    }
    dentry_put(d);
    return r;
}

int tree_symlink(struct walk *w, const char *target)
{
    struct dentry *d;
    int r = entry_to_create(w, false, &d);
    if (r) {
        return r;
    }
    struct inode *dir = w->at.dentry->inode, *made = NULL;
    r = may_create(w->t, dir, d);
    if (!r && !dir->ops->symlink) {
        r = -EPERM;
    }
    if (!r) {
        r = dir->ops->symlink(w->t, dir, d->name, d->name_len, target);
    }
    if (!r && !dir->ops->lookup(dir, d->name, d->name_len, &made)) {
        dentry_instantiate(d, made);
        notify_name(dir, IN_CREATE, 0, d);
    }
    dentry_put(d);
    return r;
}

int tree_link(struct walk *w, const struct path *target)
{
    struct dentry *d;
    struct inode *i = target->dentry->inode;
    int r = entry_to_create(w, false, &d);
    if (r) {
        return r;
    }
    struct inode *dir = w->at.dentry->inode;
    bool was_nameless = i->nlink == 0;
    if (w->at.mount != target->mount) {
        r = -EXDEV;
    }
    if (!r) {
        r = may_create(w->t, dir, d);
    }
    if (!r && dir->sb != i->sb) {
        r = -EXDEV;
    } else if (!r && (!dir->ops->link || inode_is(i, ABI_S_IFDIR))) {
        r = -EPERM;
    } else if (!r && was_nameless && !target->dentry->linkable) {
        r = -ENOENT;
    } else if (!r && i->nlink >= LINK_MAX) {
        r = -EMLINK;
    }
    if (!r) {
        r = dir->ops->link(w->t, dir, d->name, d->name_len, i);
    }
    if (!r) {
        dentry_instantiate(d, inode_get(i));
        notify_name(dir, IN_CREATE, 0, d);
    }
    dentry_put(d);
    return r;
}

int tree_make_nameless(struct task *t, const struct path *dir, uint32_t mode, bool linkable,
                       struct path *out)
{
    /* A name nobody can use, gone before anybody else runs. */
    static const char name[] = "#everett-tmpfile";
    struct inode *parent = dir->dentry->inode, *made;
    struct dentry *d;
    int r = mount_want_write(t, dir->mount);
    if (!r) {
        r = dentry_lookup(dir->dentry, name, sizeof name - 1, &d);
    }
    if (r) {
        return r;
    }
    r = may_create(t, parent, d);
    if (!r && (!parent->ops->create || !parent->ops->unlink)) {
        r = -EOPNOTSUPP;
    }
    if (!r) {
        r = parent->ops->create(t, parent, name, sizeof name - 1,
                                masked(t, ABI_S_IFREG | (mode & 07777)), 0, 0, &made);
    }
    if (!r) {
        dentry_instantiate(d, made);
        r = parent->ops->unlink(t, parent, name, sizeof name - 1);
        dentry_drop(d);
    }
    if (!r) {
        d->linkable = linkable;
        path_set(out, dir->mount, d);
    }
    dentry_put(d);
    return r;
}

/* The victim may go from the directory (may_delete of fs/namei.c). */
int tree_may_delete(struct task *t, const struct inode *dir, const struct inode *victim,
                    bool is_dir)
{
    int r = inode_permission(t, dir, MAY_WRITE | MAY_EXEC);
    if (r) {
        return r;
    }
    bool sticky = dir->mode & 01000 && t && t->cred.fsuid != victim->uid &&
                  t->cred.fsuid != dir->uid && !task_capable(t, CAP_FOWNER);
    if (sticky) {
        return -EPERM;
    }
    if (is_dir != inode_is(victim, ABI_S_IFDIR)) {
        return is_dir ? -ENOTDIR : -EISDIR;
    }
    return 0;
}

static int remove_entry(struct walk *w, bool is_dir)
{
    struct dentry *d;
    int r = walk_entry(w, &d);
    if (r) {
        return r;
    }
    struct inode *dir = w->at.dentry->inode, *victim = d->inode;
    r = mount_want_write(w->t, w->at.mount);
    if (!victim) {
        r = -ENOENT;
    } else if (!is_dir && w->trailing) {
        r = inode_is(victim, ABI_S_IFDIR) ? -EISDIR : -ENOTDIR;
    }
    if (!r) {
        r = tree_may_delete(w->t, dir, victim, is_dir);
    }
    if (!r && d->mounted) {
        r = -EBUSY;
    }
    int (*op)(struct task *, struct inode *, const char *, uint32_t) =
        is_dir ? dir->ops->rmdir : dir->ops->unlink;
    if (!r) {
        r = op ? op(w->t, dir, d->name, d->name_len) : -EPERM;
    }
    if (!r) {
        dentry_drop(d);
        notify_name(dir, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0, d);
        notify_gone(victim);
    }
    dentry_put(d);
    return r;
}

int tree_unlink(struct walk *w)
{
    int r = walk_parent(w);
    if (!r && w->kind != WALK_NAME) {
        r = -EISDIR;
    }
    return r ? r : remove_entry(w, false);
}

int tree_rmdir(struct walk *w)
{
    int r = walk_parent(w);
    if (r) {
        return r;
    }
    switch (w->kind) {
    case WALK_DOTDOT:
        return -ENOTEMPTY;
    case WALK_DOT:
        return -EINVAL;
    case WALK_NAME:
        return remove_entry(w, true);
    default:
        return -EBUSY;
    }
}
