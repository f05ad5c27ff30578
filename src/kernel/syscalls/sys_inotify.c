/* inotify(7). */
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define WATCH_BITS                                                                                 \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW |       \
     IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)

static struct sysret install(struct task *t, struct file *f, bool cloexec)
{
    int fd = fd_install(t, f, 0, cloexec);
    if (fd < 0) {
        file_put(f);
    }
    return sys_done(fd);
}

static struct sysret init(struct task *t, uint32_t flags)
{
    if (flags & ~(uint32_t)(IN_CLOEXEC | IN_NONBLOCK)) {
        return sys_done(-EINVAL);
    }
    return install(t, inotify_create(t->m, flags & IN_NONBLOCK), flags & IN_CLOEXEC);
}

struct sysret sys_inotify_init(struct task *t, const struct sysargs *a)
{
    return init(t, 0);
}

struct sysret sys_inotify_init1(struct task *t, const struct sysargs *a)
{
    return init(t, (uint32_t)a->a[0]);
}

struct sysret sys_inotify_add_watch(struct task *t, const struct sysargs *a)
{
    uint32_t mask = (uint32_t)a->a[2];
    const char *path;
    struct path p;
    if (!(mask & WATCH_BITS) || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE)) {
        return sys_done(-EINVAL);
    }
    struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    if (!file_is_inotify(f)) {
        return sys_done(-EINVAL);
    }
    int64_t r = path_arg(t, a->a[1], 0, &path);
    uint32_t lookup =
        (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
    if (r >= 0) {
        r = vfs_lookup(t, AT_FDCWD, path, lookup, &p);
    }
    if (r) {
        return sys_done(r);
    }
    r = inode_permission(t, p.dentry->inode, MAY_READ);
    if (!r) {
        r = inotify_add(f, p.dentry->inode, mask);
    }
    path_put(&p);
    return sys_done(r);
}

struct sysret sys_inotify_rm_watch(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    return sys_done(file_is_inotify(f) ? inotify_remove(f, (int)a->a[1]) : -EINVAL);
}
