/* mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rename(2). */
#include <linux/fcntl.h>

#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/tree.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

/* Reads the path and starts a walk; walk_fini in every case. `which`: the path buffer. */
static int64_t begin(struct walk *w, struct task *t, int dirfd, uint64_t path_addr, unsigned which)
{
    const char *path;
    w->has_root = false;
    w->depth = 0;
    w->last_text = NULL;
    w->at.dentry = NULL;
    int64_t r = path_arg(t, path_addr, which, &path);
    return r < 0 ? r : walk_init(w, t, dirfd, path, 0);
}

static struct sysret make_dir(struct task *t, int dirfd, uint64_t path, uint64_t mode)
{
    struct walk w;
    int64_t r = begin(&w, t, dirfd, path, 0);
    if (!r) {
        r = tree_mkdir(&w, (uint32_t)mode);
    }
    walk_fini(&w);
    return sys_done(r);
}

struct sysret sys_mkdir(struct task *t, const struct sysargs *a)
{
    return make_dir(t, AT_FDCWD, a->a[0], a->a[1]);
}

struct sysret sys_mkdirat(struct task *t, const struct sysargs *a)
{
    return make_dir(t, (int)a->a[0], a->a[1], a->a[2]);
}

static struct sysret make_node(struct task *t, int dirfd, uint64_t path, uint32_t mode,
                               uint32_t dev)
{
    struct walk w;
    int64_t r = 0;
    switch (mode & ABI_S_IFMT) {
    case 0:
        mode |= ABI_S_IFREG;
        break;
    case ABI_S_IFREG:
    case ABI_S_IFCHR:
    case ABI_S_IFBLK:
    case ABI_S_IFIFO:
    case ABI_S_IFSOCK:
        break;
    default:
        return sys_done((mode & ABI_S_IFMT) == ABI_S_IFDIR ? -EPERM : -EINVAL);
    }
    r = begin(&w, t, dirfd, path, 0);
    if (!r) {
        /* new_decode_dev() of include/linux/kdev_t.h */
        r = tree_mknod(&w, mode, dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
    }
    walk_fini(&w);
    return sys_done(r);
}

struct sysret sys_mknod(struct task *t, const struct sysargs *a)
{
    return make_node(t, AT_FDCWD, a->a[0], (uint32_t)a->a[1] & 0177777, (uint32_t)a->a[2]);
}

struct sysret sys_mknodat(struct task *t, const struct sysargs *a)
{
    return make_node(t, (int)a->a[0], a->a[1], (uint32_t)a->a[2] & 0177777, (uint32_t)a->a[3]);
}

static struct sysret remove_at(struct task *t, int dirfd, uint64_t path, bool dir)
{
    struct walk w;
    int64_t r = begin(&w, t, dirfd, path, 0);
    if (!r) {
        r = dir ? tree_rmdir(&w) : tree_unlink(&w);
    }
    walk_fini(&w);
    return sys_done(r);
}

struct sysret sys_unlink(struct task *t, const struct sysargs *a)
{
    return remove_at(t, AT_FDCWD, a->a[0], false);
}

struct sysret sys_rmdir(struct task *t, const struct sysargs *a)
{
    return remove_at(t, AT_FDCWD, a->a[0], true);
}

struct sysret sys_unlinkat(struct task *t, const struct sysargs *a)
{
    if (a->a[2] & ~(uint64_t)AT_REMOVEDIR) {
        return sys_done(-EINVAL);
    }
    return remove_at(t, (int)a->a[0], a->a[1], a->a[2] & AT_REMOVEDIR);
}

static struct sysret make_symlink(struct task *t, uint64_t target_addr, int dirfd, uint64_t path)
{
    const char *target;
    struct walk w;
    int64_t r = path_arg(t, target_addr, 1, &target);
    if (r < 0) {
        return sys_done(r);
    }
    if (r == 0) {
        return sys_done(-ENOENT);
    }
    r = begin(&w, t, dirfd, path, 0);
    if (!r) {
        r = tree_symlink(&w, target);
    }
    walk_fini(&w);
    return sys_done(r);
}

struct sysret sys_symlink(struct task *t, const struct sysargs *a)
{
    return make_symlink(t, a->a[0], AT_FDCWD, a->a[1]);
}

struct sysret sys_symlinkat(struct task *t, const struct sysargs *a)
{
    return make_symlink(t, a->a[0], (int)a->a[1], a->a[2]);
}

static int64_t link_to(struct task *t, const struct path *target, int dirfd, uint64_t path)
{
    struct walk w;
    int64_t r = begin(&w, t, dirfd, path, 1);
    if (!r) {
        r = tree_link(&w, target);
    }
    walk_fini(&w);
    return r;
}

static struct sysret make_link(struct task *t, int old_fd, uint64_t old_path, int new_fd,
                               uint64_t new_path, uint32_t flags)
{
    const char *path;
    struct path target;
    if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
        return sys_done(-EINVAL);
    }
    int64_t r = path_arg(t, old_path, 0, &path);
    if (r < 0) {
        return sys_done(r);
    }
    uint32_t lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    r = vfs_lookup(t, old_fd, path, lookup, &target);
    if (!r) {
        r = link_to(t, &target, new_fd, new_path);
        path_put(&target);
    }
    return sys_done(r);
}

struct sysret sys_link(struct task *t, const struct sysargs *a)
{
    return make_link(t, AT_FDCWD, a->a[0], AT_FDCWD, a->a[1], 0);
}

struct sysret sys_linkat(struct task *t, const struct sysargs *a)
{
    return make_link(t, (int)a->a[0], a->a[1], (int)a->a[2], a->a[3], (uint32_t)a->a[4]);
}

struct rename_args {
    int old_fd, new_fd;
    uint64_t old_path, new_path;
    uint32_t flags;
};

static struct sysret rename_at(struct task *t, const struct rename_args *n)
{
    struct walk from, to;
    int64_t r = begin(&from, t, n->old_fd, n->old_path, 0);
    int64_t r2 = begin(&to, t, n->new_fd, n->new_path, 1);
    r = r ? r : r2;
    if (!r) {
        r = tree_rename(&from, &to, n->flags);
    }
    walk_fini(&from);
    walk_fini(&to);
    return sys_done(r);
}

struct sysret sys_rename(struct task *t, const struct sysargs *a)
{
    struct rename_args n = {AT_FDCWD, AT_FDCWD, a->a[0], a->a[1], 0};
    return rename_at(t, &n);
}

struct sysret sys_renameat(struct task *t, const struct sysargs *a)
{
    struct rename_args n = {(int)a->a[0], (int)a->a[2], a->a[1], a->a[3], 0};
    return rename_at(t, &n);
}

struct sysret sys_renameat2(struct task *t, const struct sysargs *a)
{
    struct rename_args n = {(int)a->a[0], (int)a->a[2], a->a[1], a->a[3], (uint32_t)a->a[4]};
    return rename_at(t, &n);
}
