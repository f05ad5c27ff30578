/* inotify(7): watches hang on inodes, events on the instance they belong to. */
#include "kernel/vfs/notify.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/inotify.h"

static void tell(struct inode *i, uint32_t mask, uint32_t cookie, const char *name, uint32_t len)
{
    if (i->watches) {
        inotify_event(i, mask, cookie, name, len);
    }
}

void notify_name(struct inode *dir, uint32_t mask, uint32_t cookie, const struct dentry *d)
{
    tell(dir, mask, cookie, d->name, d->name_len);
}

void notify_object(const struct dentry *d, uint32_t mask)
{
    uint32_t dir = d->inode && (d->inode->mode & ABI_S_IFMT) == ABI_S_IFDIR ? IN_ISDIR : 0;
    /* The directory hears first, as in fsnotify_parent(). What concerns the object's own place is
     * for its own watches only. */
    if (d->parent != d && d->parent->inode && !d->unlinked && !(mask & IN_MOVE_SELF)) {
        tell(d->parent->inode, mask | dir, 0, d->name, d->name_len);
    }
    if (d->inode) {
        tell(d->inode, mask | dir, 0, NULL, 0);
    }
}

void notify_gone(struct inode *i)
{
    if (!i->watches) {
        return;
    }
    bool dir = (i->mode & ABI_S_IFMT) == ABI_S_IFDIR;
    if (!dir && i->nlink > 0) {
        tell(i, IN_ATTRIB, 0, NULL, 0);
        return;
    }
    if (!dir) {
        tell(i, IN_ATTRIB, 0, NULL, 0);
    }
    tell(i, IN_DELETE_SELF, 0, NULL, 0);
    inotify_forget(i);
}
