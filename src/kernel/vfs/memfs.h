/* The writable file system in memory that every container sees: tmpfs when it stands alone, an
 * overlay when it has a read-only lower layer (a packed image, or the host's tree through import).
 *
 * An inode of the lower layer exists here only while used; changing it pins it, so "copy-up" is a
 * flag, inode numbers stay what they were, hard links stay linked, and renaming a lower directory
 * copies nothing. Contents are copied page by page when written (filedata.h). */
#ifndef EVERETT_KERNEL_VFS_MEMFS_H
#define EVERETT_KERNEL_VFS_MEMFS_H

#include "kernel/vfs/inode.h"
#include "kernel/vfs/memdir.h"

struct pack_patch;

/* What a lower layer says about one of its inodes. */
struct lower_inode {
    uint32_t mode, uid, gid, nlink;
    uint64_t size;
    struct abi_timespec mtime;
    uint32_t rdev_major, rdev_minor;
    const unsigned char *contents; /* regular: pages in a pack; NULL when empty */
    uint32_t file;                 /* ... index in plan->files */
    uint64_t offset;               /* ... and byte offset there */
};

struct lower_dirent {
    const char *name;   /* not terminated; valid until the next call */
    uint32_t len, type; /* type: S_IFMT bits */
    uint64_t ino;
};

/* A read-only tree. Numbers are its own inode numbers; 0 means none. */
struct lower_ops {
    /* 0 and *ino, or -ENOENT, or another error of the source. */
    int (*lookup)(void *lower, uint64_t dir, const char *name, uint32_t len, uint64_t *ino);
    int (*inode)(void *lower, uint64_t ino, struct lower_inode *out);
    /* Entry `index` of the directory in bytewise order of names; false behind the last. */
    bool (*dirent)(void *lower, uint64_t dir, uint32_t index, struct lower_dirent *out);
    int64_t (*readlink)(void *lower, uint64_t ino, char *buf, uint64_t cap);
    /* Makes the contents readable (import copies them now). NULL: they always are. 0 or -errno. */
    int (*load)(void *lower, uint64_t ino, struct lower_inode *out);
    bool (*xattr)(void *lower, uint64_t ino, uint32_t index, const char **name, uint32_t *name_len,
                  const void **value, uint32_t *value_len); /* NULL: none */
    uint32_t (*patches)(void *lower, uint64_t ino, const struct pack_patch **first); /* NULL: 0 */
};

struct mem_xattr {
    struct list_head link; /* by name */
    char *name;
    void *value;
    uint64_t len;
};

struct memfs_inode {
    struct inode inode; /* first: freed through it */
    uint64_t lower;     /* its number in the lower layer, 0: none */
    bool pinned;        /* differs from the lower layer: the file system holds a reference */
    bool opaque;        /* directory: the lower one no longer shows through */
    bool own_xattrs;    /* xattrs below replace those of the lower layer */
    struct memfs_inode *hash_next;
    struct list_head link; /* memfs->inodes */
    struct memdir dir;
    char *target;            /* symbolic link */
    struct list_head xattrs; /* struct mem_xattr */
};

struct memfs {
    const struct lower_ops *lower; /* NULL: none */
    void *lower_data;              /* borrowed: lives as long as the machine */
    uint64_t next_ino;
    struct list_head inodes;    /* every live struct memfs_inode */
    struct memfs_inode **table; /* by lower number */
    uint32_t mask, count;
};

extern const struct inode_ops memfs_inode_ops;

/* A file system whose root has these attributes. Counted, with its root dentry. `lower_root` 0: no
 * lower layer. Numbers of new inodes start at first_ino. */
struct superblock *memfs_create(struct machine *m, const char *type, uint64_t magic, uint32_t mode);
void memfs_set_lower(struct superblock *sb, const struct lower_ops *ops, void *data,
                     uint64_t lower_root, uint64_t first_ino);
/* Unmounted for good: frees everything no open file holds, then puts the caller's reference. */
void memfs_kill(struct superblock *sb);

/* --- shared by memfs*.c ----------------------------------------------------------------------- */

static inline struct memfs_inode *memfs_of(struct inode *i)
{
    return container_of(i, struct memfs_inode, inode);
}

static inline struct memfs *memfs_sb(const struct superblock *sb)
{
    return sb->priv;
}

struct memfs_inode *memfs_new_inode(struct superblock *sb, uint32_t mode, uint64_t ino);
/* The live inode for a lower number, made when needed. Counted. */
int memfs_iget(struct superblock *sb, uint64_t lower, struct inode **out);
/* From now on the inode differs from the lower layer and stays. */
void memfs_pin(struct memfs_inode *mi);
/* inode->data of a regular file exists after this. 0 or -errno of the lower layer's source. */
int memfs_load(struct inode *i);
void memfs_touch_atime(struct inode *i); /* relatime; no-op for an unchanged lower inode */
bool memfs_dir_empty(struct memfs_inode *dir);
int memfs_readdir(struct inode *dir, uint64_t pos, dir_emit_fn emit, void *ctx);

void memfs_evict(struct inode *i);
int memfs_open(struct task *t, struct inode *i, struct file *f);
int memfs_setattr(struct task *t, struct inode *i, const struct setattr *sa);
int64_t memfs_readlink(struct task *t, struct inode *i, char *buf, uint64_t cap);

int64_t memfs_getxattr(struct inode *i, const char *name, void *buf, uint64_t cap);
int memfs_setxattr(struct inode *i, const char *name, const void *v, uint64_t len, int flags);
int64_t memfs_listxattr(struct inode *i, void *buf, uint64_t cap);
int memfs_removexattr(struct inode *i, const char *name);
void memfs_free_xattrs(struct memfs_inode *mi);

#endif
