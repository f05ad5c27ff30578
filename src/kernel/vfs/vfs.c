/* Boot of the vfs, and the file system context of processes. */
#include "kernel/vfs/vfs.h"

#include <linux/magic.h>

#include "abi/plan.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/node_tree.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/vfs_priv.h"

void vfs_boot(struct machine *m)
{
    const struct plan *plan = m->plan;
    struct vfs *vfs = KALLOC(m, struct vfs);
    static const struct inode_ops no_ops = {0};
    m->vfs = vfs;
    dcache_init(m);
    list_init(&vfs->dirty);
    list_init(&vfs->dir_ops);
    vfs->anon = superblock_create(m, "anon_inodefs", ANON_INODE_FS_MAGIC);
    vfs->anon_plain = inode_create(vfs->anon, &no_ops, 0600, ++m->next_anon_ino);
    struct inode *anon_root = inode_create(vfs->anon, &no_ops, ABI_S_IFDIR | 0500, 1);
    superblock_set_root(vfs->anon, anon_root);
    vfs->anon_mount = mount_create(m, vfs->anon, vfs->anon->root, 0, "anon");
    vfs->shmem = tmpfs_create(m, "tmpfs", 01777, plan->memory_bytes);
    vfs->volumes = kalloc(m, plan->volumes.count * sizeof *vfs->volumes);
    vfs->binds = kalloc(m, plan->images.count * sizeof *vfs->binds);
    vfs->uppers = kalloc(m, plan->nodes.count * sizeof *vfs->uppers);
    vfs->kept = kalloc(m, plan->nodes.count * sizeof *vfs->kept);
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        const struct plan_node *pn = PLAN_AT(plan, plan->nodes, struct plan_node, i);
        vfs->kept[i] = kalloc(m, pn->mounts.count * sizeof **vfs->kept);
    }
    char text[256];
    if (packs_open(m, text, sizeof text)) {
        machine_end(m, END_SETUP_FAILED, "%s", text);
    }
}

/* --- fs context ------------------------------------------------------------------------------- */

struct fs_context *fs_context_create(struct node *n, const char *cwd, uint32_t umask)
{
    struct machine *m = n->m;
    struct fs_context *fs = KALLOC(m, struct fs_context);
    struct path at;
    ASSERT(n->root);
    fs->refs = 1;
    fs->umask = umask;
    fs->root_mount = mount_get(n->root);
    fs->root = dentry_get(n->root->root);
    if (!cwd || !*cwd || node_make_dirs(n, cwd, 0755, &at)) {
        at = (struct path){n->root, n->root->root};
        path_get(&at);
    }
    fs->cwd_mount = at.mount;
    fs->cwd = at.dentry;
    return fs;
}

struct fs_context *fs_context_copy(struct machine *m, const struct fs_context *src)
{
    struct fs_context *fs = KALLOC(m, struct fs_context);
    fs->refs = 1;
    fs->umask = src->umask;
    fs->root_mount = mount_get(src->root_mount);
    fs->root = dentry_get(src->root);
    fs->cwd_mount = mount_get(src->cwd_mount);
    fs->cwd = dentry_get(src->cwd);
    return fs;
}

void fs_context_put(struct machine *m, struct fs_context *fs)
{
    if (!fs) {
        return;
    }
    ASSERT(fs->refs > 0);
    if (--fs->refs > 0) {
        return;
    }
    dentry_put(fs->cwd);
    dentry_put(fs->root);
    mount_put(fs->cwd_mount);
    mount_put(fs->root_mount);
    kfree(m, fs);
}
