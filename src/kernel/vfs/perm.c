/* Who may do what: mode bits, groups, capabilities (path_resolution(7), capabilities(7)). */
#include <linux/capability.h>
#include <linux/mount.h>

#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

bool vfs_capable(const struct task *t, unsigned cap)
{
    return !t || task_capable(t, cap);
}

bool task_in_group(const struct task *t, uint32_t gid)
{
    if (!t || t->cred.fsgid == gid) {
        return true;
    }
    for (uint32_t i = 0; i < t->cred.ngroups; i++) {
        if (t->cred.groups[i] == gid) {
            return true;
        }
    }
    return false;
}

bool inode_owner_or_capable(struct task *t, const struct inode *i)
{
    return !t || t->cred.fsuid == i->uid || task_capable(t, CAP_FOWNER);
}

int inode_permission(struct task *t, const struct inode *i, uint32_t may)
{
    if (!t || !may) {
        return 0;
    }
    uint32_t mode = i->mode;
    uint32_t granted = mode & 7;
    if (t->cred.fsuid == i->uid) {
        granted = mode >> 6 & 7;
    } else if (task_in_group(t, i->gid)) {
        granted = mode >> 3 & 7;
    }
    if ((granted & may) == may) {
        return 0;
    }
    bool dir = inode_is(i, ABI_S_IFDIR);
    /* CAP_DAC_OVERRIDE gives everything but execution of a file nobody may execute. */
    if ((dir || !(may & MAY_EXEC) || mode & 0111) && task_capable(t, CAP_DAC_OVERRIDE)) {
        return 0;
    }
    bool searching = dir && !(may & MAY_WRITE);
    if ((searching || may == MAY_READ) && task_capable(t, CAP_DAC_READ_SEARCH)) {
        return 0;
    }
    return -EACCES;
}

int mount_want_write(struct task *t, const struct mount *m)
{
    return t && m->flags & MS_RDONLY ? -EROFS : 0;
}

int vfs_permission(struct task *t, const struct path *p, uint32_t bits)
{
    const struct inode *i = p->dentry->inode;
    bool device = inode_is(i, ABI_S_IFCHR) || inode_is(i, ABI_S_IFBLK) ||
                  inode_is(i, ABI_S_IFIFO) || inode_is(i, ABI_S_IFSOCK);
    int r = inode_permission(t, i, bits);
    /* Linux asks the file system's writability first (sb_permission), then the mode, but reports
     * a read-only mount last (do_faccessat). */
    if (!r && bits & MAY_WRITE && !device) {
        r = mount_want_write(t, p->mount);
    }
    if (!r && bits & MAY_EXEC && inode_is(i, ABI_S_IFREG) && p->mount->flags & MS_NOEXEC) {
        r = -EACCES;
    }
    return r;
}
