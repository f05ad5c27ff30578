#include "kernel/vfs/durable.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/vfs_priv.h"

static void forget(struct machine *m, struct dir_op *op)
{
    list_del(&op->link);
    m->vfs->dir_op_count--;
    superblock_put(op->sb);
    kfree(m, op);
}

static void commit_old(struct machine *m)
{
    struct vfs *vfs = m->vfs;
    while (!list_empty(&vfs->dir_ops)) {
        struct dir_op *op = list_first_entry(&vfs->dir_ops, struct dir_op, link);
        bool old = op->when + DURABLE_COMMIT_NS <= m->clock.now;
        if (!old && vfs->dir_op_count < DURABLE_OPS_MAX) {
            break;
        }
        forget(m, op);
    }
}

void durable_record(enum dir_op_kind kind, const struct inode *dir, const struct inode *new_dir,
                    const struct dir_op_names *names, uint64_t ino, uint64_t replaced)
{
    struct superblock *sb = dir->sb;
    struct machine *m = sb->m;
    if (!sb->durable) {
        return;
    }
    commit_old(m);
    struct dir_op *op = kalloc(m, sizeof *op + names->name_len + names->new_name_len);
    op->seq = ++m->vfs->next_dir_op;
    op->when = m->clock.now;
    op->kind = kind;
    op->sb = superblock_get(sb);
    op->dir = dir->ino;
    op->new_dir = new_dir ? new_dir->ino : 0;
    op->ino = ino;
    op->replaced = replaced;
    op->name_len = names->name_len;
    op->new_name_len = names->new_name_len;
    memcpy(op->names, names->name, names->name_len);
    if (names->new_name_len) {
        memcpy(op->names + names->name_len, names->new_name, names->new_name_len);
    }
    list_add_tail(&m->vfs->dir_ops, &op->link);
    m->vfs->dir_op_count++;
}

void durable_sync_dir(struct inode *dir)
{
    struct machine *m = dir->sb->m;
    struct dir_op *op, *tmp;
    list_for_each_entry_safe (op, tmp, &m->vfs->dir_ops, link) {
        /* A rename is durable once the directory that got the name is. */
        uint64_t home = op->kind == DIR_OP_RENAME ? op->new_dir : op->dir;
        if (op->sb == dir->sb && home == dir->ino) {
            forget(m, op);
        }
    }
}

void durable_sync_all(struct machine *m, struct superblock *sb)
{
    struct dir_op *op, *tmp;
    list_for_each_entry_safe (op, tmp, &m->vfs->dir_ops, link) {
        if (!sb || op->sb == sb) {
            forget(m, op);
        }
    }
    struct filedata *fd, *next;
    list_for_each_entry_safe (fd, next, &m->vfs->dirty, dirty_link) {
        if (!sb || fd->sb == sb) {
            filedata_sync(fd);
        }
    }
}

uint64_t durable_pending_pages(struct machine *m, const struct superblock *sb)
{
    uint64_t pages = 0;
    struct filedata *fd;
    list_for_each_entry (fd, &m->vfs->dirty, dirty_link) {
        if (!sb || fd->sb == sb) {
            pages += fd->unsynced_pages;
        }
    }
    return pages;
}

uint64_t sync_cost_ns(uint64_t pages)
{
    return SYNC_BASE_NS + (pages + 255) / 256 * SYNC_PER_MIB_NS;
}
