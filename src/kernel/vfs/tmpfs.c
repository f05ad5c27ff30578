/* tmpfs(5), and files in memory without a name in any tree: memfd, shared anonymous memory, SysV
 * segments. */
#include <linux/magic.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

struct superblock *tmpfs_create(struct machine *m, const char *type, uint32_t mode,
                                uint64_t size_limit)
{
    struct superblock *sb = memfs_create(m, type, TMPFS_MAGIC, mode);
    sb->size_limit = size_limit ? size_limit : m->plan->memory_bytes / 2;
    return sb;
}

struct file *shmem_file_create(struct machine *m, const char *name, uint64_t size, uint32_t flags)
{
    struct superblock *sb = m->vfs->shmem;
    struct memfs_inode *mi = memfs_new_inode(sb, ABI_S_IFREG | 0777, ++memfs_sb(sb)->next_ino);
    struct file *f = file_create(m, &regular_file_ops, flags);
    mi->inode.nlink = 0;
    mi->inode.size = size;
    mi->inode.data = filedata_create(m, &mi->inode);
    mi->inode.data->opened_for_write = true;
    f->inode = &mi->inode;
    f->mount = mount_get(m->vfs->anon_mount);
    f->dentry = dentry_disconnected(inode_get(&mi->inode), name, (uint32_t)str_len(name));
    f->dentry->unlinked = true;
    return f;
}
