/* Table-driven file systems of generated files: the common part of procfs and sysfs.
 *
 * A directory is a table of entries, possibly with a generator of further ones (processes,
 * descriptors, processors). A file is one function that writes its text at the first read and again
 * whenever it is read from position 0. Nothing is cached between look-ups. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PSEUDO_H
#define EVERETT_KERNEL_VFS_SPECIAL_PSEUDO_H

#include "kernel/vfs/inode.h"
#include "kernel/vfs/special/text.h"

struct process;
struct pseudo_entry;

/* Which object an inode stands for. */
struct pseudo_ref {
    const struct pseudo_entry *entry;
    struct node *node;
    abi_pid pid, tid; /* 0: no process */
    uint32_t num;     /* descriptor, processor or interface number */
    uint32_t perm;    /* permission bits instead of the entry's; 0: the entry's */
    void *fs;         /* the superblock's priv */
    uint64_t ino;     /* of the inode: tells apart what one table entry serves in several places */
};

/* A call about a ref. */
struct pseudo_ctx {
    struct task *t; /* who asks */
    const struct pseudo_ref *ref;
    struct machine *m;
    struct node *node;
    struct process *process; /* alive or zombie; NULL: no process in the path */
    struct task *target;     /* the thread meant; may be a zombie leader */
    int err;                 /* set by a show function that cannot: a negative errno */
};

/* One generated child of a directory. */
struct pseudo_child {
    char name[24];
    const struct pseudo_entry *entry;
    abi_pid pid, tid;
    uint32_t num, perm;
};

/* Children that depend on the state. Both functions are pure looks. */
struct pseudo_children {
    /* The first child whose key is >= *key, in ascending order; sets *key behind it. */
    bool (*next)(const struct pseudo_ref *dir, uint64_t *key, struct pseudo_child *out);
    /* The child of that name. */
    bool (*find)(const struct pseudo_ref *dir, const char *name, uint32_t len,
                 struct pseudo_child *out);
};

struct pseudo_entry {
    const char *name;                                   /* NULL ends a table */
    uint32_t mode;                                      /* type and permission bits */
    const struct pseudo_entry *table;                   /* directory: its fixed entries, or NULL */
    const struct pseudo_children *children;             /* directory: its generated ones, or NULL */
    void (*show)(struct text *x, struct pseudo_ctx *c); /* NULL: reads -EIO */
    /* A write of at most a page, NUL-terminated. Bytes taken or -errno. NULL: -EIO. */
    int64_t (*store)(struct pseudo_ctx *c, char *data, size_t len);
    int64_t (*readlink)(struct pseudo_ctx *c, char *buf, uint64_t cap);
    int (*jump)(struct pseudo_ctx *c, struct mount **mount, struct dentry **dentry,
                struct file **file);
    const char *value; /* constant text or link target, for the shared functions below */
    uint64_t num;      /* constant for show functions that serve several files */
};

/* A superblock with `root` (a directory entry) as inode 1. */
struct superblock *pseudo_create(struct node *n, const char *type, uint64_t magic,
                                 const struct pseudo_entry *root, void *priv, struct inode **out);

const struct pseudo_ref *pseudo_ref_of(const struct inode *inode); /* NULL: not of this kind */
/* Fills in process and target. False: they are gone. */
bool pseudo_resolve(const struct pseudo_ref *ref, struct task *t, struct pseudo_ctx *c);

/* Shared show and link functions. */
void pseudo_show_value(struct text *x, struct pseudo_ctx *c); /* value and a newline */
void pseudo_show_num(struct text *x, struct pseudo_ctx *c);   /* num and a newline */
void pseudo_show_empty(struct text *x, struct pseudo_ctx *c);
int64_t pseudo_readlink_value(struct pseudo_ctx *c, char *buf, uint64_t cap);

/* Table rows. */
#define PSEUDO_DIR(n, t)                                                                           \
    {                                                                                              \
        .name = (n), .mode = ABI_S_IFDIR | 0555, .table = (t)                                      \
    }
#define PSEUDO_FILE(n, perm, fn)                                                                   \
    {                                                                                              \
        .name = (n), .mode = ABI_S_IFREG | (perm), .show = (fn)                                    \
    }
#define PSEUDO_TEXT(n, v)                                                                          \
    {                                                                                              \
        .name = (n), .mode = ABI_S_IFREG | 0444, .show = pseudo_show_value, .value = (v)           \
    }
#define PSEUDO_NUM(n, v)                                                                           \
    {                                                                                              \
        .name = (n), .mode = ABI_S_IFREG | 0444, .show = pseudo_show_num, .num = (v)               \
    }
#define PSEUDO_LINK(n, v)                                                                          \
    {                                                                                              \
        .name = (n), .mode = ABI_S_IFLNK | 0777, .readlink = pseudo_readlink_value, .value = (v)   \
    }
#define PSEUDO_END                                                                                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }

#endif
