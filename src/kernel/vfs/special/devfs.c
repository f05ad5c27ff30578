/* What a container finds in /dev: a tmpfs with the nodes and links that Docker makes there. */
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

#define DEV_BYTES (64ull << 20)

static const struct {
    const char *name;
    uint32_t mode, major, minor;
} nodes[] = {
    {"console", ABI_S_IFCHR | 0620, 5, 1}, {"full", ABI_S_IFCHR | 0666, 1, 7},
    {"mqueue", ABI_S_IFDIR | 01777, 0, 0}, {"null", ABI_S_IFCHR | 0666, 1, 3},
    {"pts", ABI_S_IFDIR | 0755, 0, 0},     {"random", ABI_S_IFCHR | 0666, 1, 8},
    {"shm", ABI_S_IFDIR | 01777, 0, 0},    {"tty", ABI_S_IFCHR | 0666, 5, 0},
    {"urandom", ABI_S_IFCHR | 0666, 1, 9}, {"zero", ABI_S_IFCHR | 0666, 1, 5},
};

static const struct {
    const char *name, *target;
} links[] = {
    {"core", "/proc/kcore"},       {"fd", "/proc/self/fd"},      {"ptmx", "pts/ptmx"},
    {"stderr", "/proc/self/fd/2"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
};

struct superblock *devfs_create(struct node *n, struct inode **root)
{
    struct superblock *sb = tmpfs_create(n->m, "tmpfs", 0755, DEV_BYTES);
    struct inode *dir = inode_get(sb->root->inode), *made;

    for (unsigned i = 0; i < ARRAY_LEN(nodes); i++) {
        uint32_t len = (uint32_t)str_len(nodes[i].name);
        int err = (nodes[i].mode & ABI_S_IFMT) == ABI_S_IFDIR
                      ? dir->ops->mkdir(NULL, dir, nodes[i].name, len, nodes[i].mode, &made)
                      : dir->ops->create(NULL, dir, nodes[i].name, len, nodes[i].mode,
                                         nodes[i].major, nodes[i].minor, &made);

        ASSERT(err == 0); /* an empty file system in memory takes them all */
        inode_put(made);
    }
    for (unsigned i = 0; i < ARRAY_LEN(links); i++) {
        int err = dir->ops->symlink(NULL, dir, links[i].name, (uint32_t)str_len(links[i].name),
                                    links[i].target);

        ASSERT(err == 0);
    }
    /* As the other file systems here: the caller gives it its root entry. */
    dentry_put(sb->root);
    sb->root = NULL;
    *root = dir;
    return sb;
}
