/* setxattr(2), getxattr(2), listxattr(2), removexattr(2) and their l and f forms; xattr(7). */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

/* How the object is named. */
enum by {
    BY_PATH,
    BY_LINK,
    BY_FD,
};

static int64_t find(struct task *t, enum by by, uint64_t arg, struct path *out)
{
    if (by == BY_FD) {
        struct file *f = fd_file_io(t, (int)arg);
        if (!f) {
            return -EBADF;
        }
        file_path(f, out);
        return 0;
    }
    const char *path;
    int64_t r = path_arg(t, arg, 0, &path);
    return r < 0 ? r : vfs_lookup(t, AT_FDCWD, path, by == BY_PATH ? LOOKUP_FOLLOW : 0, out);
}

/* The name, at most 255 bytes: 0 or -errno. */
static int64_t read_name(struct task *t, uint64_t addr, char name[XATTR_NAME_MAX + 1])
{
    int64_t n = user_read_str(t, name, gaddr_of(addr), XATTR_NAME_MAX + 1);
    if (n == -ENAMETOOLONG || n == 0) {
        return -ERANGE;
    }
    return n < 0 ? n : 0;
}

/* xattr_permission() of fs/xattr.c. */
static int may_access(struct task *t, const struct path *p, const char *name, bool write)
{
    const struct inode *i = p->dentry->inode;
    if (write) {
        int r = mount_want_write(t, p->mount);
        if (r) {
            return r;
        }
    }
    if (str_starts(name, XATTR_SECURITY_PREFIX)) {
        return write && !task_capable(t, CAP_SYS_ADMIN) && !task_capable(t, CAP_SETFCAP) ? -EPERM
                                                                                         : 0;
    }
    if (str_starts(name, XATTR_SYSTEM_PREFIX)) {
        return -EOPNOTSUPP; /* POSIX ACLs: a file system mounted with noacl */
    }
    if (str_starts(name, XATTR_TRUSTED_PREFIX)) {
        return task_capable(t, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
    }
    if (!str_starts(name, XATTR_USER_PREFIX)) {
        return -EOPNOTSUPP;
    }
    bool plain = inode_is(i, ABI_S_IFREG) || inode_is(i, ABI_S_IFDIR);
    if (!plain) {
        return write ? -EPERM : -ENODATA;
    }
    if (inode_is(i, ABI_S_IFDIR) && i->mode & 01000 && write && !inode_owner_or_capable(t, i)) {
        return -EPERM;
    }
    return inode_permission(t, i, write ? MAY_WRITE : MAY_READ);
}

static int64_t set_value(struct task *t, const struct path *p, const char *name,
                         const struct sysargs *a, int flags)
{
    struct inode *i = p->dentry->inode;
    uint64_t size = a->a[3];
    int r = may_access(t, p, name, true);
    if (r) {
        return r;
    }
    if (!i->ops->setxattr) {
        return -EOPNOTSUPP;
    }
    void *value = kalloc(t->m, size + 1);
    r = user_read(t, value, gaddr_of(a->a[2]), size);
    if (!r) {
        r = i->ops->setxattr(i, name, value, size, flags);
    }
    kfree(t->m, value);
    return r;
}

static struct sysret set(struct task *t, const struct sysargs *a, enum by by)
{
    char name[XATTR_NAME_MAX + 1];
    struct path p;
    int flags = (int)a->a[4];
    if (flags & ~(XATTR_CREATE | XATTR_REPLACE)) {
        return sys_done(-EINVAL);
    }
    int64_t r = read_name(t, a->a[1], name);
    if (!r && a->a[3] > XATTR_SIZE_MAX) {
        r = -E2BIG;
    }
    if (!r) {
        r = find(t, by, a->a[0], &p);
    }
    if (!r) {
        r = set_value(t, &p, name, a, flags);
        path_put(&p);
    }
    return sys_done(r);
}

/* Hands a value of n bytes, or the size alone, to the guest. */
static int64_t give(struct task *t, uint64_t addr, uint64_t cap, const void *buf, int64_t n)
{
    if (n <= 0 || cap == 0) {
        return n;
    }
    return user_write(t, gaddr_of(addr), buf, (size_t)n) ? -EFAULT : n;
}

static struct sysret get(struct task *t, const struct sysargs *a, enum by by)
{
    char name[XATTR_NAME_MAX + 1];
    struct path p;
    uint64_t cap = min_u64(a->a[3], XATTR_SIZE_MAX);
    int64_t r = read_name(t, a->a[1], name);
    if (!r) {
        r = find(t, by, a->a[0], &p);
    }
    if (r) {
        return sys_done(r);
    }
    struct inode *i = p.dentry->inode;
    r = may_access(t, &p, name, false);
    if (!r && !i->ops->getxattr) {
        r = -EOPNOTSUPP;
    }
    if (!r) {
        void *buf = cap ? kalloc(t->m, cap) : NULL;
        r = i->ops->getxattr(i, name, buf, cap);
        r = give(t, a->a[2], cap, buf, r);
        kfree(t->m, buf);
    }
    path_put(&p);
    return sys_done(r);
}

static struct sysret list(struct task *t, const struct sysargs *a, enum by by)
{
    struct path p;
    uint64_t cap = min_u64(a->a[2], XATTR_LIST_MAX);
    int64_t r = find(t, by, a->a[0], &p);
    if (r) {
        return sys_done(r);
    }
    struct inode *i = p.dentry->inode;
    if (i->ops->listxattr) {
        void *buf = cap ? kalloc(t->m, cap) : NULL;
        r = i->ops->listxattr(i, buf, cap);
        r = give(t, a->a[1], cap, buf, r);
        kfree(t->m, buf);
    }
    path_put(&p);
    return sys_done(r);
}

static struct sysret delete (struct task *t, const struct sysargs *a, enum by by)
{
    char name[XATTR_NAME_MAX + 1];
    struct path p;
    int64_t r = read_name(t, a->a[1], name);
    if (!r) {
        r = find(t, by, a->a[0], &p);
    }
    if (r) {
        return sys_done(r);
    }
    struct inode *i = p.dentry->inode;
    r = may_access(t, &p, name, true);
    if (!r) {
        r = i->ops->removexattr ? i->ops->removexattr(i, name) : -EOPNOTSUPP;
    }
    path_put(&p);
    return sys_done(r);
}

#define FORMS(verb, call, l_call, f_call)                                                          \
    struct sysret sys_##call(struct task *t, const struct sysargs *a)                              \
    {                                                                                              \
        return verb(t, a, BY_PATH);                                                                \
    }                                                                                              \
    struct sysret sys_##l_call(struct task *t, const struct sysargs *a)                            \
    {                                                                                              \
        return verb(t, a, BY_LINK);                                                                \
    }                                                                                              \
    struct sysret sys_##f_call(struct task *t, const struct sysargs *a)                            \
    {                                                                                              \
        return verb(t, a, BY_FD);                                                                  \
    }

FORMS(set, setxattr, lsetxattr, fsetxattr)
FORMS(get, getxattr, lgetxattr, fgetxattr)
FORMS(list, listxattr, llistxattr, flistxattr)
FORMS(delete, removexattr, lremovexattr, fremovexattr)
#undef FORMS
