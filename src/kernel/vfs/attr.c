/* Changing attributes: who may, and what changes along (chmod(2), chown(2), truncate(2),
 * utimensat(2); setattr_prepare of fs/attr.c). */
#include <linux/capability.h>

#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define RLIMIT_FSIZE 1

static int may_chown(struct task *t, const struct inode *i, const struct setattr *sa)
{
    if (vfs_capable(t, CAP_CHOWN)) {
        return 0;
    }
    bool owner = t->cred.fsuid == i->uid;
    if (sa->valid & SETATTR_UID && !(owner && sa->uid == i->uid)) {
        return -EPERM;
    }
    bool keeps = sa->valid & SETATTR_GID && (sa->gid == i->gid || task_in_group(t, sa->gid));
    return sa->valid & SETATTR_GID && !(owner && keeps) ? -EPERM : 0;
}

/* The set-ID bits a change of owner or contents takes away, as SETATTR_MODE. */
static void drop_set_id(const struct inode *i, struct setattr *sa)
{
    uint32_t mode = i->mode & ~04000u;
    if ((i->mode & 02010) == 02010) { /* chown(2): only where the group may execute */
        mode &= ~02000u;
    }
    if (mode != i->mode) {
        sa->valid |= SETATTR_MODE;
        sa->mode = mode & 07777;
    }
}

int vfs_setattr(struct task *t, const struct path *p, struct setattr *sa)
{
    struct inode *i = p->dentry->inode;
    int r = mount_want_write(t, p->mount);
    if (r) {
        return r;
    }
    if (sa->valid & (SETATTR_UID | SETATTR_GID)) {
        r = may_chown(t, i, sa);
        if (!r && !inode_is(i, ABI_S_IFDIR) && !(sa->valid & SETATTR_MODE)) {
            drop_set_id(i, sa);
        }
    } else if (sa->valid & SETATTR_MODE) {
        r = inode_owner_or_capable(t, i) ? 0 : -EPERM;
        if (inode_is(i, ABI_S_IFLNK)) {
            r = -EOPNOTSUPP;
        }
        if (!r && !task_in_group(t, i->gid) && !vfs_capable(t, CAP_FSETID)) {
            sa->mode &= ~02000u;
        }
    }
    if (r) {
        return r;
    }
    if (!i->ops->setattr) {
        return inode_is(i, ABI_S_IFSOCK) || i->sb == i->sb->m->vfs->anon ? 0 : -EPERM;
    }
    r = i->ops->setattr(t, i, sa);
    if (!r) {
        notify_object(p->dentry, sa->valid & SETATTR_SIZE ? IN_MODIFY : IN_ATTRIB);
    }
    return r;
}

int vfs_truncate(struct task *t, const struct path *p, uint64_t size, struct file *f)
{
    struct inode *i = p->dentry->inode;
    if (t && size > i->size && size > t->process->rlimits[RLIMIT_FSIZE].soft) {
        struct siginfo info = {.signo = SIGNAL_XFSZ, .code = 0};
        signal_send_task(t, &info);
        return -EFBIG;
    }
    if (i->data && i->data->seals) {
        uint32_t seal = size < i->size ? F_SEAL_SHRINK : F_SEAL_GROW;
        if (i->data->seals & seal && size != i->size) {
            return -EPERM;
        }
    }
    struct setattr sa = {.valid = SETATTR_SIZE, .size = size};
    if (t && !task_capable(t, CAP_FSETID)) {
        drop_set_id(i, &sa);
        sa.valid |= SETATTR_SIZE;
    }
    if (!i->ops->setattr) {
        return f ? 0 : -EINVAL; /* O_TRUNC on a generated file changes nothing */
    }
    int r = mount_want_write(t, p->mount);
    if (!r) {
        r = i->ops->setattr(t, i, &sa);
    }
    if (!r) {
        notify_object(p->dentry, IN_MODIFY);
    }
    return r;
}
