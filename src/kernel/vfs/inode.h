/* Inodes, directory entries, superblocks, mounts: the objects of the virtual file system, and the
 * operations a file system provides. Modelled on Linux's VFS (path_resolution(7)). */
#ifndef EVERETT_KERNEL_VFS_INODE_H
#define EVERETT_KERNEL_VFS_INODE_H

#include "abi/linux.h"
#include "base/list.h"
#include "kernel/time/timer.h"
#include "kernel/vfs/file.h"

struct machine;
struct node;
struct task;

/* Attributes as statx(2) reports them. */
struct attr {
    uint64_t ino, size, blocks; /* blocks of 512 bytes */
    uint32_t mode, uid, gid, nlink;
    uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
    uint32_t blksize;
    struct abi_timespec atime, mtime, ctime, btime;
};

enum setattr_valid {
    SETATTR_MODE = 1,
    SETATTR_UID = 2,
    SETATTR_GID = 4,
    SETATTR_SIZE = 8,
    SETATTR_ATIME = 16,
    SETATTR_MTIME = 32,
};

struct setattr {
    uint32_t valid;
    uint32_t mode, uid, gid;
    uint64_t size;
    struct abi_timespec atime, mtime;
};

/* Receives one directory entry. `next` is the position to continue behind it. Returns false when
 * the buffer is full. */
typedef bool (*dir_emit_fn)(void *ctx, const char *name, uint32_t len, uint64_t ino, uint32_t type,
                            uint64_t next);

/* What a file system does for an inode. `t` is NULL where the kernel itself acts, as root. Members
 * may be NULL; Linux's errno for that is in the comment. Names are bytes with a length, never "."
 * or "..". Permission checks are the caller's. */
struct inode_ops {
    /* Directories. lookup returns a counted inode in *out or -ENOENT. */
    int (*lookup)(struct inode *dir, const char *name, uint32_t len, struct inode **out);
    int (*create)(struct task *t, struct inode *dir, const char *name, uint32_t len, uint32_t mode,
                  uint32_t rdev_major, uint32_t rdev_minor, struct inode **out); /* all types but
                                                    directories and links; NULL: -EROFS */
    int (*mkdir)(struct task *t, struct inode *dir, const char *name, uint32_t len, uint32_t mode,
                 struct inode **out);
    int (*symlink)(struct task *t, struct inode *dir, const char *name, uint32_t len,
                   const char *target);
    int (*link)(struct task *t, struct inode *dir, const char *name, uint32_t len,
                struct inode *target);
    int (*unlink)(struct task *t, struct inode *dir, const char *name, uint32_t len);
    int (*rmdir)(struct task *t, struct inode *dir, const char *name, uint32_t len);
    int (*rename)(struct task *t, struct inode *old_dir, const char *old_name, uint32_t old_len,
                  struct inode *new_dir, const char *new_name, uint32_t new_len, uint32_t flags);
    /* Entries from position `pos` on in the file system's stable order; 0 or -errno. Positions 0
     * and 1 are "." and ".." and are emitted by the caller; file systems start at 2. */
    int (*readdir)(struct inode *dir, uint64_t pos, dir_emit_fn emit, void *ctx);
    /* Links. Returns the length written (<= cap), not terminated. `t` is who follows: /proc/self.
     */
    int64_t (*readlink)(struct task *t, struct inode *inode, char *buf, uint64_t cap);
    /* Links that jump to an open file (/proc/PID/fd/N, exe): gives counted objects instead of text.
     * NULL: follow the text. */
    int (*jump)(struct task *t, struct inode *inode, struct mount **mount, struct dentry **dentry,
                struct file **file);
    /* All types. NULL getattr: from the inode's own fields. */
    int (*getattr)(struct task *t, struct inode *inode, struct attr *out);
    int (*setattr)(struct task *t, struct inode *inode,
                   const struct setattr *sa); /* NULL: -EROFS */
    /* Fills in f->ops, priv, wq for an opened inode. NULL: the generic choice by file type. An open
     * that must wait registers what for and returns -ERESTARTSYS. */
    int (*open)(struct task *t, struct inode *inode, struct file *f);
    int64_t (*getxattr)(struct inode *inode, const char *name, void *buf, uint64_t cap); /* NULL:
                                                                                    -EOPNOTSUPP */
    int (*setxattr)(struct inode *inode, const char *name, const void *v, uint64_t len, int flags);
    int64_t (*listxattr)(struct inode *inode, void *buf, uint64_t cap);
    int (*removexattr)(struct inode *inode, const char *name);
    /* The last reference is gone; frees priv. The inode itself is freed by the caller. */
    void (*evict)(struct inode *inode);
};

struct superblock {
    struct machine *m;
    const char *type;               /* "overlay", "tmpfs", "proc", ... as in /proc/mounts */
    uint32_t dev_minor;             /* st_dev is 0:minor, given in order of creation */
    uint64_t magic;                 /* statfs f_type */
    uint64_t size_limit, size_used; /* bytes; limit 0 = none */
    bool no_dcache;                 /* entries change by themselves (proc): look up every time */
    bool durable;        /* survives the machine: what is not synced is recorded (vfs/durable.h) */
    bool relatime;       /* reading updates atime by Linux's relatime rule */
    uint32_t refs;       /* inodes and mounts */
    struct dentry *root; /* shared by every mount of it; holds a reference; see superblock_root */
    struct node *sdk_node;                  /* its *.jsonl files are SDK input of this node */
    uint32_t block_bytes;                   /* st_blksize and statfs f_bsize; 0 = 4096 */
    void (*release)(struct superblock *sb); /* the last reference is gone; frees priv */
    void *priv;
};

struct inode {
    struct superblock *sb;
    const struct inode_ops *ops;
    uint32_t refs;
    uint64_t ino;
    uint32_t mode, uid, gid, nlink;
    uint64_t size;
    uint32_t rdev_major, rdev_minor;
    struct abi_timespec atime, mtime, ctime, btime;
    struct list_head locks; /* flock and record locks, owned by vfs/locks.c */
    struct waitq lock_wait;
    struct filedata *data; /* regular files with contents in the data store */
    void *pipe;            /* FIFO state, owned by vfs/pipe.c */
    void *socket;          /* bound AF_UNIX socket, owned by net */
    void *watches;         /* inotify */
    void *priv;            /* the file system's */
};

struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i); /* accepts NULL */

/* Cached name of an inode under a parent; a NULL inode is a cached absence. */
struct dentry {
    uint32_t refs;         /* children included; 0: cached only, on the LRU */
    uint32_t mounted;      /* mounts that cover it */
    uint64_t id;           /* key of its children in the hash; never reused */
    struct dentry *parent; /* holds a reference; root: itself */
    struct inode *inode;   /* holds a reference */
    char *name;
    uint32_t name_len;
    bool unlinked; /* its name is gone; never in the hash */
    bool linkable; /* O_TMPFILE: may get its first name by link(2) */
    bool hashed;
    struct list_head lru;
    struct dentry *hash_next;
};

struct mount {
    struct superblock *sb;
    struct dentry *root;       /* holds a reference */
    struct mount *parent;      /* NULL: the node's root */
    struct dentry *mountpoint; /* in the parent mount */
    struct list_head children; /* struct mount sibling, in mount order */
    struct list_head sibling;
    uint32_t flags; /* MS_RDONLY, MS_NOSUID, MS_NOEXEC, ... */
    uint32_t id;
    char *source;
    uint32_t refs;
    bool owns_sb; /* the file system goes with the mount (tmpfs, proc, ...) */
};

/* A place in the tree; both hold references while the path is held. */
struct path {
    struct mount *mount;
    struct dentry *dentry;
};

void path_get(struct path *p);
void path_put(struct path *p);

#endif
