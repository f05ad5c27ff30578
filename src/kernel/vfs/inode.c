/* Inodes and superblocks: counting, creation, attributes, anonymous inodes. */
#include "kernel/vfs/inode.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/special/pipe.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

struct abi_timespec vfs_now(const struct machine *m)
{
    int64_t ns = (int64_t)m->clock.now + m->clock.realtime_offset_ns;
    int64_t sec = ns / (int64_t)NSEC_PER_SEC;
    int64_t nsec = ns % (int64_t)NSEC_PER_SEC;
    if (nsec < 0) {
        sec--;
        nsec += (int64_t)NSEC_PER_SEC;
    }
    return (struct abi_timespec){sec, nsec};
}

struct superblock *superblock_create(struct machine *m, const char *type, uint64_t magic)
{
    struct superblock *sb = KALLOC(m, struct superblock);
    sb->m = m;
    sb->type = type;
    sb->magic = magic;
    sb->refs = 1;
    sb->dev_minor = ++m->vfs->next_minor;
    sb->block_bytes = 4096;
    return sb;
}

struct superblock *superblock_get(struct superblock *sb)
{
    sb->refs++;
    return sb;
}

void superblock_put(struct superblock *sb)
{
    if (!sb) {
        return;
    }
    ASSERT(sb->refs > 0);
    if (--sb->refs == 0) {
        if (sb->release) {
            sb->release(sb);
        }
        kfree(sb->m, sb);
    }
}

void superblock_set_root(struct superblock *sb, struct inode *root)
{
    sb->root = dentry_disconnected(root, "/", 1);
}

void inode_init(struct inode *i, struct superblock *sb, const struct inode_ops *ops, uint32_t mode,
                uint64_t ino)
{
    i->sb = superblock_get(sb);
    i->ops = ops;
    i->refs = 1;
    i->ino = ino;
    i->mode = mode;
    i->nlink = inode_is(i, ABI_S_IFDIR) ? 2 : 1;
    i->atime = i->mtime = i->ctime = i->btime = vfs_now(sb->m);
    list_init(&i->locks);
    waitq_init(&i->lock_wait);
}

struct inode *inode_create(struct superblock *sb, const struct inode_ops *ops, uint32_t mode,
                           uint64_t ino)
{
    struct inode *i = KALLOC(sb->m, struct inode);
    inode_init(i, sb, ops, mode, ino);
    return i;
}

struct inode *inode_get(struct inode *i)
{
    ASSERT(i->refs > 0);
    i->refs++;
    return i;
}

void inode_put(struct inode *i)
{
    if (!i) {
        return;
    }
    ASSERT(i->refs > 0);
    if (--i->refs > 0) {
        return;
    }
    struct superblock *sb = i->sb;
    ASSERT(list_empty(&i->locks));
    waitq_fini(sb->m, &i->lock_wait);
    if (inode_is(i, ABI_S_IFIFO) && i->pipe) {
        fifo_evict(i);
    }
    if (i->ops && i->ops->evict) {
        i->ops->evict(i);
    }
    filedata_destroy(i->data);
    kfree(sb->m, i);
    superblock_put(sb);
}

int inode_getattr(struct task *t, struct inode *i, struct attr *out)
{
    memset(out, 0, sizeof *out);
    if (i->ops && i->ops->getattr) {
        return i->ops->getattr(t, i, out);
    }
    out->ino = i->ino;
    out->size = i->size;
    out->mode = i->mode;
    out->uid = i->uid;
    out->gid = i->gid;
    out->nlink = i->nlink;
    out->dev_minor = i->sb->dev_minor;
    out->rdev_major = i->rdev_major;
    out->rdev_minor = i->rdev_minor;
    out->blksize = i->sb->block_bytes;
    out->atime = i->atime;
    out->mtime = i->mtime;
    out->ctime = i->ctime;
    out->btime = i->btime;
    if (i->data) {
        out->blocks = filedata_blocks(i->data);
    } else if (inode_is(i, ABI_S_IFREG)) {
        out->blocks = (i->size + 4095) / 4096 * 8;
    }
    return 0;
}

struct inode *anon_inode_create(struct machine *m, const char *kind, uint32_t mode)
{
    static const struct inode_ops anon_ops = {0};
    struct inode *i = inode_create(m->vfs->anon, &anon_ops, mode, ++m->next_anon_ino);
    i->priv = (void *)(uintptr_t)kind; /* a constant string */
    i->nlink = 1;
    return i;
}

void path_get(struct path *p)
{
    mount_get(p->mount);
    dentry_get(p->dentry);
}

void path_put(struct path *p)
{
    dentry_put(p->dentry);
    mount_put(p->mount);
    p->dentry = NULL;
    p->mount = NULL;
}

void path_set(struct path *dst, struct mount *m, struct dentry *d)
{
    dst->mount = mount_get(m);
    dst->dentry = dentry_get(d);
}
