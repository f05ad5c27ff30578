/* devpts: "ptmx" and one node for each open pair (pts(4)). */
#include "kernel/vfs/special/devpts.h"

#include <linux/magic.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/pty.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define PTMX_INO  2u
#define FIRST_INO 3u
#define FIRST_POS 2u

static const struct inode_ops root_ops, node_ops;

struct ptys *devpts_of(const struct inode *inode)
{
    return inode->ops == &root_ops || inode->ops == &node_ops ? inode->sb->priv : NULL;
}

static struct inode *make_node(struct superblock *sb, uint64_t ino, uint32_t mode, uint32_t major,
                               uint32_t minor)
{
    struct inode *i = inode_create(sb, &node_ops, ABI_S_IFCHR | mode, ino);

    i->nlink = 1;
    i->rdev_major = major;
    i->rdev_minor = minor;
    return i;
}

static int root_lookup(struct inode *dir, const char *name, uint32_t len, struct inode **out)
{
    struct ptys *p = dir->sb->priv;
    uint64_t n;

    if (len == 4 && memcmp(name, "ptmx", 4) == 0) {
        *out = make_node(dir->sb, PTMX_INO, 0666, 5, 2);
        return 0;
    }
    if ((len > 1 && name[0] == '0') || !str_to_u64(name, len, 10, &n) || n >= p->cap ||
        !p->items[n]) {
        return -ENOENT;
    }
    *out = make_node(dir->sb, FIRST_INO + n, 0620, 136, (uint32_t)n);
    (*out)->uid = p->items[n]->uid;
    (*out)->gid = p->items[n]->gid;
    return 0;
}

static int root_readdir(struct inode *dir, uint64_t pos, dir_emit_fn emit, void *ctx)
{
    const struct ptys *p = dir->sb->priv;

    if (pos <= FIRST_POS && !emit(ctx, "ptmx", 4, PTMX_INO, ABI_S_IFCHR, FIRST_POS + 1)) {
        return 0;
    }
    for (uint64_t i = pos > FIRST_POS + 1 ? pos - FIRST_POS - 1 : 0; i < p->cap; i++) {
        char name[16];

        if (p->items[i]) {
            size_t len = str_format(name, sizeof name, "%lu", i);

            if (!emit(ctx, name, (uint32_t)len, FIRST_INO + i, ABI_S_IFCHR, FIRST_POS + 2 + i)) {
                return 0;
            }
        }
    }
    return 0;
}

/* Owner and group last as long as the pair; other attributes as long as the inode. */
static int node_setattr(struct task *t, struct inode *inode, const struct setattr *sa)
{
    struct ptys *p = inode->sb->priv;
    struct tty *y =
        inode->rdev_major == 136 && inode->rdev_minor < p->cap ? p->items[inode->rdev_minor] : NULL;

    if (sa->valid & SETATTR_UID) {
        inode->uid = sa->uid;
    }
    if (sa->valid & SETATTR_GID) {
        inode->gid = sa->gid;
    }
    if (sa->valid & SETATTR_MODE) {
        inode->mode = ABI_S_IFCHR | (sa->mode & 07777);
    }
    if (y) {
        y->uid = inode->uid;
        y->gid = inode->gid;
    }
    return 0;
}

static const struct inode_ops root_ops = {.lookup = root_lookup, .readdir = root_readdir};
static const struct inode_ops node_ops = {.setattr = node_setattr};

static void devpts_release(struct superblock *sb)
{
    struct ptys *p = sb->priv;

    for (uint32_t i = 0; i < p->cap; i++) {
        if (p->items[i]) { /* a master is still open somewhere: it lives on without a name */
            p->items[i]->ptys = NULL;
            tty_put(p->items[i]);
        }
    }
    kfree(sb->m, p->items);
    kfree(sb->m, p);
}

struct superblock *devptsfs_create(struct node *n, struct inode **root)
{
    struct superblock *sb = superblock_create(n->m, "devpts", DEVPTS_SUPER_MAGIC);
    struct ptys *p = KALLOC(n->m, struct ptys);

    p->m = n->m;
    p->node = n;
    sb->priv = p;
    sb->no_dcache = true;
    sb->release = devpts_release;
    *root = inode_create(sb, &root_ops, ABI_S_IFDIR | 0755, 1);
    return sb;
}
