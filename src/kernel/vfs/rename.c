/* rename(2) with the checks and their order of fs/namei.c. */
#include <linux/fs.h>

#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

struct move {
    struct walk *from, *to;
    struct dentry *old, *new; /* counted */
    uint32_t flags;
};

static bool is_dir(const struct dentry *d)
{
    return inode_is(d->inode, ABI_S_IFDIR);
}

/* What holds of the two entries whatever the permissions are. */
static int check_shape(const struct move *v)
{
    if (!v->old->inode) {
        return -ENOENT;
    }
    if (v->flags & RENAME_NOREPLACE && v->new->inode) {
        return -EEXIST;
    }
    if (v->flags & RENAME_EXCHANGE) {
        if (!v->new->inode) {
            return -ENOENT;
        }
        if (!is_dir(v->new) && v->to->trailing) {
            return -ENOTDIR;
        }
    }
    if (!is_dir(v->old)) {
        if (v->from->trailing || (!(v->flags & RENAME_EXCHANGE) && v->to->trailing)) {
            return -ENOTDIR;
        }
    }
    /* The source must not contain the destination, nor the other way round. */
    if (v->old == v->to->at.dentry || dentry_is_below(v->to->at.dentry, v->old)) {
        return -EINVAL;
    }
    bool holds_source = v->new == v->from->at.dentry || dentry_is_below(v->from->at.dentry, v->new);
    if (holds_source) {
        return v->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
    }
    return 0;
}

static int check_rights(const struct move *v)
{
    struct task *t = v->from->t;
    struct inode *from = v->from->at.dentry->inode, *to = v->to->at.dentry->inode;
    bool exchange = v->flags & RENAME_EXCHANGE;
    int r = tree_may_delete(t, from, v->old->inode, is_dir(v->old));
    if (r) {
        return r;
    }
    if (!v->new->inode) {
        if (v->to->at.dentry->unlinked || to->nlink == 0) {
            return -ENOENT;
        }
        r = inode_permission(t, to, MAY_WRITE | MAY_EXEC);
    } else {
        r = tree_may_delete(t, to, v->new->inode, exchange ? is_dir(v->new) : is_dir(v->old));
    }
    /* A directory that changes its parent has its ".." rewritten. */
    if (!r && from != to && is_dir(v->old)) {
        r = inode_permission(t, v->old->inode, MAY_WRITE);
    }
    if (!r && from != to && exchange && is_dir(v->new)) {
        r = inode_permission(t, v->new->inode, MAY_WRITE);
    }
    return r;
}

/* Watchers see the old name leave and the new one come, tied together by a cookie. */
static void announce_leave(const struct move *v, const struct dentry *d, bool to, uint32_t cookie)
{
    struct inode *dir = (to ? v->to : v->from)->at.dentry->inode;
    notify_name(dir, IN_MOVED_FROM | (is_dir(d) ? IN_ISDIR : 0), cookie, d);
}

static void announce_come(const struct dentry *d, uint32_t cookie)
{
    notify_name(d->parent->inode, IN_MOVED_TO | (is_dir(d) ? IN_ISDIR : 0), cookie, d);
    notify_object(d, IN_MOVE_SELF);
}

static int perform(struct move *v)
{
    struct task *t = v->from->t;
    struct inode *from = v->from->at.dentry->inode, *to = v->to->at.dentry->inode;
    if (v->new->inode == v->old->inode) {
        return 0; /* two names of one file: nothing happens (rename(2)) */
    }
    int r = check_rights(v);
    if (r) {
        return r;
    }
    if (!from->ops->rename) {
        return -EPERM;
    }
    if (v->old->mounted || v->new->mounted) {
        return -EBUSY;
    }
    r = from->ops->rename(t, from, v->old->name, v->old->name_len, to, v->new->name,
                          v->new->name_len, v->flags);
    if (r) {
        return r;
    }
    struct vfs *vfs = from->sb->m->vfs;
    uint32_t cookie = ++vfs->next_cookie;
    announce_leave(v, v->old, false, cookie);
    if (v->flags & RENAME_EXCHANGE) {
        uint32_t other = ++vfs->next_cookie;
        announce_leave(v, v->new, true, other);
        dentry_exchange(v->old, v->new);
        announce_come(v->old, cookie);
        announce_come(v->new, other);
    } else {
        dentry_move(v->old, v->new);
        announce_come(v->old, cookie);
        if (v->new->inode) {
            notify_gone(v->new->inode);
        }
    }
    return 0;
}

static int between(struct move *v)
{
    struct walk *from = v->from, *to = v->to;
    if (from->at.mount != to->at.mount) {
        return -EXDEV;
    }
    if (from->kind != WALK_NAME) {
        return -EBUSY;
    }
    if (to->kind != WALK_NAME) {
        return v->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    }
    int r = mount_want_write(from->t, from->at.mount);
    if (r) {
        return r;
    }
    r = walk_entry(from, &v->old);
    if (r) {
        return r;
    }
    r = walk_entry(to, &v->new);
    if (!r) {
        r = check_shape(v);
        if (!r) {
            r = perform(v);
        }
        dentry_put(v->new);
    }
    dentry_put(v->old);
    return r;
}

int tree_rename(struct walk *from, struct walk *to, uint32_t flags)
{
    struct move v = {.from = from, .to = to, .flags = flags};
    if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
        (flags & RENAME_NOREPLACE && flags & RENAME_EXCHANGE)) {
        return -EINVAL;
    }
    int r = walk_parent(from);
    if (!r) {
        r = walk_parent(to);
    }
    return r ? r : between(&v);
}
