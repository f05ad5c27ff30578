/* open(2), openat2(2), close(2), access(2), chdir(2), chroot(2), umask(2). */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/open.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#ifndef O_TMPFILE
#define O_TMPFILE (__O_TMPFILE | O_DIRECTORY)
#endif
#define O_LARGEFILE_BIT 0100000u /* asm-generic: always set for 64-bit callers */
#define OPEN_FLAGS                                                                                 \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |          \
     O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE_BIT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |        \
     O_CLOEXEC | O_PATH | __O_TMPFILE)
#define RESOLVE_ALL                                                                                \
    (RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |             \
     RESOLVE_IN_ROOT | RESOLVE_CACHED)

/* build_open_flags() of fs/open.c. */
static int check_flags(struct open_how_args *how)
{
    uint32_t flags = how->flags;
    if (flags & O_PATH) {
        flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
    }
    if (flags & __O_TMPFILE) {
        if ((flags & O_TMPFILE) != O_TMPFILE || !(flags & O_ACCMODE)) {
            return -EINVAL;
        }
    } else if (flags & O_CREAT && flags & O_DIRECTORY) {
        return -EINVAL;
    }
    how->flags = flags;
    return 0;
}

static struct sysret open_at(struct task *t, int dirfd, uint64_t path_addr,
                             struct open_how_args how)
{
    const char *path;
    struct file *f;
    int r = check_flags(&how);
    if (r) {
        return sys_done(r);
    }
    int64_t len = path_arg(t, path_addr, 0, &path);
    if (len < 0) {
        return sys_done(len);
    }
    if (!fd_room(t)) {
        return sys_done(-EMFILE);
    }
    r = vfs_open_resolve(t, dirfd, path, &how, &f);
    if (r == -ERESTARTSYS) {
        return sys_block(); /* a FIFO waits for its other end */
    }
    if (r) {
        return sys_done(r);
    }
    int fd = fd_install(t, f, 0, how.flags & O_CLOEXEC);
    if (fd < 0) {
        file_put(f);
    } else if (f->dentry && !(how.flags & O_PATH)) {
        notify_object(f->dentry, IN_OPEN);
    }
    return sys_done(fd);
}

static struct sysret open_plain(struct task *t, int dirfd, uint64_t path, uint64_t flags,
                                uint64_t mode)
{
    struct open_how_args how = {(uint32_t)flags & OPEN_FLAGS, (uint32_t)mode & 07777, 0};
    if (!(how.flags & O_PATH)) {
        how.flags |= O_LARGEFILE_BIT;
    }
    if (!(how.flags & (O_CREAT | __O_TMPFILE))) {
        how.mode = 0;
    }
    return open_at(t, dirfd, path, how);
}

struct sysret sys_open(struct task *t, const struct sysargs *a)
{
    return open_plain(t, AT_FDCWD, a->a[0], a->a[1], a->a[2]);
}

struct sysret sys_openat(struct task *t, const struct sysargs *a)
{
    return open_plain(t, (int)a->a[0], a->a[1], a->a[2], a->a[3]);
}

struct sysret sys_creat(struct task *t, const struct sysargs *a)
{
    return open_plain(t, AT_FDCWD, a->a[0], O_CREAT | O_WRONLY | O_TRUNC, a->a[1]);
}

/* The rest of an extensible structure must be zero: copy_struct_from_user(). */
static int read_how(struct task *t, struct open_how *how, uint64_t addr, uint64_t size)
{
    memset(how, 0, sizeof *how);
    if (size < 24) { /* OPEN_HOW_SIZE_VER0 */
        return -EINVAL;
    }
    if (size > 4096) {
        return -E2BIG;
    }
    if (user_read(t, how, gaddr_of(addr), min_u64(size, sizeof *how))) {
        return -EFAULT;
    }
    for (uint64_t i = sizeof *how; i < size; i++) {
        unsigned char byte;
        if (user_read(t, &byte, gaddr_of(addr + i), 1)) {
            return -EFAULT;
        }
        if (byte) {
            return -E2BIG;
        }
    }
    return 0;
}

struct sysret sys_openat2(struct task *t, const struct sysargs *a)
{
    struct open_how how;
    int r = read_how(t, &how, a->a[2], a->a[3]);
    if (r) {
        return sys_done(r);
    }
    bool creates = how.flags & (O_CREAT | __O_TMPFILE);
    bool both_roots = how.resolve & RESOLVE_BENEATH && how.resolve & RESOLVE_IN_ROOT;
    const uint64_t path_flags = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
    if (how.flags & ~(uint64_t)OPEN_FLAGS || how.resolve & ~(uint64_t)RESOLVE_ALL || both_roots ||
        (creates ? how.mode & ~07777ull : how.mode) ||
        (how.flags & O_PATH && how.flags & ~path_flags)) {
        return sys_done(-EINVAL);
    }
    if (how.resolve & RESOLVE_CACHED) {
        return sys_done(-EAGAIN); /* openat2(2): callers then try without it */
    }
    struct open_how_args args = {(uint32_t)how.flags, (uint32_t)how.mode, (uint32_t)how.resolve};
    if (!(args.flags & O_PATH)) {
        args.flags |= O_LARGEFILE_BIT;
    }
    return open_at(t, (int)a->a[0], a->a[1], args);
}

struct sysret sys_close(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file(t, (int)a->a[0]);
    if (f && f->dentry && f->refs == 1 && !(f->flags & O_PATH)) {
        notify_object(f->dentry, file_writable(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    }
    return sys_done(fd_close(t, (int)a->a[0]));
}

/* --- access ----------------------------------------------------------------------------------- */

/* access(2) asks with the real ids; the old ones come back through `saved`. */
static void use_real_ids(struct task *t, struct credentials *saved)
{
    *saved = t->cred;
    t->cred.fsuid = t->cred.uid;
    t->cred.fsgid = t->cred.gid;
    t->cred.cap_effective = t->cred.uid == 0 ? t->cred.cap_permitted : 0;
}

static int64_t access_at(struct task *t, int dirfd, uint64_t path_addr, uint32_t mode,
                         uint32_t flags)
{
    const char *path;
    struct path p;
    struct credentials saved;
    bool effective = flags & AT_EACCESS;
    if (mode & ~7u || flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    int64_t r = path_arg(t, path_addr, 0, &path);
    if (r < 0) {
        return r;
    }
    if (!effective) {
        use_real_ids(t, &saved);
    }
    uint32_t lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    r = vfs_lookup(t, dirfd, path, lookup, &p);
    if (!r) {
        r = vfs_permission(t, &p, mode);
        path_put(&p);
    }
    if (!effective) {
        t->cred = saved;
    }
    return r;
}

struct sysret sys_access(struct task *t, const struct sysargs *a)
{
    return sys_done(access_at(t, AT_FDCWD, a->a[0], (uint32_t)a->a[1], 0));
}

struct sysret sys_faccessat(struct task *t, const struct sysargs *a)
{
    return sys_done(access_at(t, (int)a->a[0], a->a[1], (uint32_t)a->a[2], 0));
}

struct sysret sys_faccessat2(struct task *t, const struct sysargs *a)
{
    return sys_done(access_at(t, (int)a->a[0], a->a[1], (uint32_t)a->a[2], (uint32_t)a->a[3]));
}

/* --- working and root directory --------------------------------------------------------------- */

/* Takes over the path. */
static int64_t enter(struct task *t, struct path *p, bool as_root)
{
    int r = inode_is(p->dentry->inode, ABI_S_IFDIR) ? 0 : -ENOTDIR;
    if (!r) {
        r = inode_permission(t, p->dentry->inode, MAY_EXEC);
    }
    if (!r && as_root && !task_capable(t, CAP_SYS_CHROOT)) {
        r = -EPERM;
    }
    if (r) {
        path_put(p);
        return r;
    }
    struct fs_context *fs = t->fs;
    struct path old =
        as_root ? (struct path){fs->root_mount, fs->root} : (struct path){fs->cwd_mount, fs->cwd};
    if (as_root) {
        fs->root_mount = p->mount;
        fs->root = p->dentry;
    } else {
        fs->cwd_mount = p->mount;
        fs->cwd = p->dentry;
    }
    path_put(&old);
    return 0;
}

static struct sysret enter_path(struct task *t, uint64_t addr, bool as_root)
{
    const char *path;
    struct path p;
    int64_t r = path_arg(t, addr, 0, &path);
    if (r >= 0) {
        r = vfs_lookup(t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
    }
    return sys_done(r ? r : enter(t, &p, as_root));
}

struct sysret sys_chdir(struct task *t, const struct sysargs *a)
{
    return enter_path(t, a->a[0], false);
}

struct sysret sys_chroot(struct task *t, const struct sysargs *a)
{
    return enter_path(t, a->a[0], true);
}

struct sysret sys_fchdir(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file(t, (int)a->a[0]);
    struct path p;
    if (!f) {
        return sys_done(-EBADF);
    }
    file_path(f, &p);
    return sys_done(enter(t, &p, false));
}

struct sysret sys_getcwd(struct task *t, const struct sysargs *a)
{
    struct path p = {t->fs->cwd_mount, t->fs->cwd};
    char *buf = t->m->vfs->path_a;
    if (p.dentry->unlinked) {
        return sys_done(-ENOENT);
    }
    int64_t n = vfs_path_string(t, &p, buf, LIMIT_PATH, false);
    if (n < 0) {
        return sys_done(n);
    }
    if ((uint64_t)n + 1 > a->a[1]) {
        return sys_done(-ERANGE);
    }
    int r = user_write(t, gaddr_of(a->a[0]), buf, (size_t)n + 1);
    return sys_done(r ? r : n + 1);
}

struct sysret sys_umask(struct task *t, const struct sysargs *a)
{
    uint32_t old = t->fs->umask;
    t->fs->umask = (uint32_t)a->a[0] & 0777;
    return sys_done(old);
}
