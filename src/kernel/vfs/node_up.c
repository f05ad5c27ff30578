/* Builds a container's mounts from the plan, as Docker does, and takes them down again. */
#include <linux/magic.h>
#include <linux/mount.h>

#include "abi/plan.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/node_tree.h"
#include "kernel/vfs/special/cgroupfs.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define SHM_DEFAULT_BYTES (64ull << 20) /* docker run --shm-size */
#define MOUNT_FLAGS       (MS_NOSUID | MS_NODEV)

struct up {
    struct node *n;
    char *err;
    size_t err_cap;
};

static int fail(const struct up *u, const char *target, const char *what, int r)
{
    str_format(u->err, u->err_cap, "%s: %s (errno %d)", target, what, -r);
    return r;
}

/* Mounts root (a dentry of sb) at the target, which is made when missing. */
static int mount_at(const struct up *u, const char *target, struct superblock *sb,
                    struct dentry *root, uint32_t flags, const char *source)
{
    struct path at;
    struct node *n = u->n;
    int r;
    if (inode_is(root->inode, ABI_S_IFDIR)) {
        r = node_make_dirs(n, target, 0755, &at);
    } else {
        r = node_lookup(n, target, &at);
        if (r == -ENOENT) {
            r = vfs_node_write_file(n, target, "", 0, 0644);
            r = r ? r : node_lookup(n, target, &at);
        }
    }
    if (r) {
        return fail(u, target, "cannot be made a mount point", r);
    }
    struct mount *m = mount_create(n->m, sb, root, flags | MS_RELATIME, source);
    mount_attach(m, &at);
    path_put(&at);
    return 0;
}

/* A file system that goes with its mount: the caller's reference moves to the mount tree. */
static int mount_own(const struct up *u, const char *target, struct superblock *sb, uint32_t flags,
                     const char *source)
{
    int r = mount_at(u, target, sb, sb->root, flags, source);
    struct path at;
    if (!r) {
        r = node_lookup(u->n, target, &at);
        ASSERT(r == 0);
        at.mount->owns_sb = true;
        path_put(&at);
    }
    return r;
}

static int mount_special(const struct up *u, const char *target,
                         struct superblock *(*create)(struct node *n, struct inode **root),
                         uint32_t flags, const char *source)
{
    struct inode *root;
    struct superblock *sb = create(u->n, &root);
    superblock_set_root(sb, root);
    return mount_own(u, target, sb, flags, source);
}

/* --- mounts of the plan ----------------------------------------------------------------------- */

static struct superblock *disk_create(struct machine *m)
{
    struct superblock *sb = memfs_create(m, "ext4", EXT4_SUPER_MAGIC, 0755);
    sb->durable = true;
    sb->size_limit = DISK_BYTES;
    return sb;
}

static struct pack *image_of(struct node *n)
{
    return &n->m->vfs->packs[n->plan->image];
}

/* Docker copies the image's content, owner and mode into a volume that is still empty. */
static void prefill(struct superblock *volume, struct node *n, const char *target, bool fresh)
{
    struct pack *p = image_of(n);
    struct memfs_inode *root = memfs_of(volume->root->inode);
    uint64_t dir = pack_find(p, target);
    if (dir && !memfs_sb(volume)->lower && memfs_dir_empty(root) && pack_dir_count(p, dir)) {
        volume_fill(volume, p, dir);
    } else if (dir && fresh) {
        pack_copy_owner(p, dir, &root->inode);
    }
}

static int walk_subpath(struct dentry *from, const char *path, struct dentry **out)
{
    struct dentry *d = dentry_get(from);
    for (;;) {
        while (*path == '/') {
            path++;
        }
        uint32_t len = 0;
        while (path[len] && path[len] != '/') {
            len++;
        }
        if (len == 0) {
            *out = d;
            return 0;
        }
        struct dentry *next;
        int r = dentry_lookup(d, path, len, &next);
        dentry_put(d);
        if (r) {
            return r;
        }
        if (!next->inode) {
            dentry_put(next);
            return -ENOENT;
        }
        d = next;
        path += len;
    }
}

static int mount_volume(const struct up *u, const struct plan_mount *pm, const char *target,
                        uint32_t flags)
{
    struct vfs *vfs = u->n->m->vfs;
    struct superblock **slot = &vfs->volumes[pm->source];
    struct dentry *root;
    bool fresh = !*slot;
    if (fresh) {
        *slot = disk_create(u->n->m);
    }
    if (!pm->subpath) {
        prefill(*slot, u->n, target, fresh);
    }
    const char *subpath = pm->subpath ? PLAN_STR(u->n->m->plan, pm->subpath) : "";
    int r = walk_subpath((*slot)->root, subpath, &root);
    if (r) {
        return fail(u, target, "the volume has nothing at its subpath", r);
    }
    r = mount_at(u, target, *slot, root, flags, "/dev/vda1");
    dentry_put(root);
    return r;
}

static int mount_pack(const struct up *u, const struct plan_mount *pm, const char *target,
                      uint32_t flags)
{
    struct vfs *vfs = u->n->m->vfs;
    struct superblock **slot = &vfs->binds[pm->source];
    struct dentry *root;
    if (!*slot) {
        *slot = overlay_create(u->n->m, &vfs->packs[pm->source]);
        (*slot)->type = "ext4"; /* a bind of a host directory */
        (*slot)->magic = EXT4_SUPER_MAGIC;
    }
    const char *subpath = pm->subpath ? PLAN_STR(u->n->m->plan, pm->subpath) : "";
    int r = walk_subpath((*slot)->root, subpath, &root);
    if (r) {
        return fail(u, target, "its source is not in the pack", r);
    }
    r = mount_at(u, target, *slot, root, flags, "/dev/vda1");
    dentry_put(root);
    return r;
}

static int mount_plan(const struct up *u, const struct plan_mount *pm, uint32_t index)
{
    struct node *n = u->n;
    const char *target = PLAN_STR(n->m->plan, pm->target);
    uint32_t flags = pm->read_only ? MS_RDONLY : 0;
    struct superblock *sb, **kept = &n->m->vfs->kept[n->index][index];
    switch (pm->kind) {
    case PLAN_MOUNT_VOLUME:
        return mount_volume(u, pm, target, flags);
    case PLAN_MOUNT_PACK:
        return mount_pack(u, pm, target, flags);
    case PLAN_MOUNT_EMPTY:
        *kept = *kept ? *kept : disk_create(n->m);
        return mount_at(u, target, *kept, (*kept)->root, flags, "/dev/vda1");
    case PLAN_MOUNT_TMPFS:
    case PLAN_MOUNT_SDK:
        sb = tmpfs_create(n->m, "tmpfs", pm->mode ? pm->mode : 01777, pm->size_bytes);
        sb->sdk_node = pm->kind == PLAN_MOUNT_SDK ? n : NULL;
        return mount_own(u, target, sb, flags | MOUNT_FLAGS, "tmpfs");
    default:
        return fail(u, target, "unknown kind of mount in the plan", -EINVAL);
    }
}

/* --- the node --------------------------------------------------------------------------------- */

static int mount_defaults(const struct up *u)
{
    struct node *n = u->n;
    uint64_t shm = n->plan->shm_bytes ? n->plan->shm_bytes : SHM_DEFAULT_BYTES;
    int r = mount_special(u, "/proc", procfs_create, MOUNT_FLAGS | MS_NOEXEC, "proc");
    if (!r) {
        r = mount_special(u, "/dev", devfs_create, MS_NOSUID, "tmpfs");
    }
    if (!r) {
        r = mount_special(u, "/dev/pts", devptsfs_create, MS_NOSUID | MS_NOEXEC, "devpts");
    }
    if (!r) {
        r = mount_special(u, "/sys", sysfs_create, MOUNT_FLAGS | MS_NOEXEC | MS_RDONLY, "sysfs");
    }
    if (!r) {
        r = mount_special(u, "/sys/fs/cgroup", cgroupfs_create, MOUNT_FLAGS | MS_NOEXEC | MS_RDONLY,
                          "cgroup");
    }
    if (!r) {
        r = mount_own(u, "/dev/shm", tmpfs_create(n->m, "tmpfs", 01777, shm),
                      MOUNT_FLAGS | MS_NOEXEC, "shm");
    }
    return r;
}

static int mount_all(const struct up *u)
{
    struct node *n = u->n;
    const struct plan *plan = n->m->plan;
    int r = mount_defaults(u);
    for (uint32_t i = 0; !r && i < n->plan->mounts.count; i++) {
        r = mount_plan(u, PLAN_AT(plan, n->plan->mounts, struct plan_mount, i), i);
    }
    return r;
}

int vfs_node_up(struct node *n, char *err, size_t err_cap)
{
    struct vfs *vfs = n->m->vfs;
    struct up u = {n, err, err_cap};
    ASSERT(!n->root);
    if (!vfs->uppers[n->index]) {
        vfs->uppers[n->index] = overlay_create(n->m, image_of(n));
    }
    struct superblock *sb = vfs->uppers[n->index];
    n->root = mount_create(n->m, sb, sb->root, MS_RELATIME, "overlay");
    int r = mount_all(&u);
    if (r) {
        vfs_node_down(n);
        return r;
    }
    if (n->plan->read_only_root) {
        n->root->flags |= MS_RDONLY;
    }
    return 0;
}

void vfs_node_down(struct node *n)
{
    if (n->root) {
        struct mount *root = n->root;
        n->root = NULL;
        mount_tear_down(root);
    }
}
