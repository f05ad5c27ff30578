/* The vfs core's root object and what its files share with each other. Nobody outside kernel/vfs
 * and the file calls includes this. */
#ifndef EVERETT_KERNEL_VFS_VFS_PRIV_H
#define EVERETT_KERNEL_VFS_VFS_PRIV_H

#include "kernel/vfs/inode.h"
#include "kernel/vfs/vfs.h"

struct pack_dirent;
struct pack_header;
struct pack_inode;
struct plan_image;

/* Cached names without users beyond this many are dropped, least recently used first. */
#define DCACHE_UNUSED_MAX 4096u
/* What the modelled disk of a container, and each volume, can hold. */
#define DISK_BYTES (64ull << 30)
/* fsync and O_SYNC: virtual time for the flush itself and for each dirty MiB. */
#define SYNC_BASE_NS    (1 * NSEC_PER_MSEC)
#define SYNC_PER_MIB_NS (2 * NSEC_PER_MSEC)

/* Access bits of a permission check, as in mode bits. */
#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u

struct dcache {
    struct dentry **buckets;
    uint32_t mask; /* buckets - 1 */
    uint32_t count, unused;
    struct list_head lru; /* unused ones, oldest first */
    uint64_t next_id;
};

/* Chunks of the file-data store. Freed ones are taken again last-in first-out; a value is the chunk
 * number. Their pages read as zero. */
struct data_store {
    uint64_t next_chunk;
    uint64_t *free;
    uint32_t free_count, free_cap;
};

/* A validated index file of an image. */
struct pack {
    struct machine *m;
    const struct pack_header *head; /* NULL: the host root, through import */
    const struct pack_inode *inodes;
    const struct pack_dirent *dirents;
    const struct plan_image *image;
};

struct vfs {
    struct dcache dcache;
    struct data_store store;
    struct pack *packs;          /* by plan image */
    struct superblock **volumes; /* by plan volume; NULL until first mounted; counted */
    struct superblock **binds;   /* by plan image: PLAN_MOUNT_PACK; counted */
    struct superblock **uppers;  /* by node: root file system, kept over restarts; counted */
    struct superblock ***kept;   /* by node and plan mount: private ones kept likewise */
    struct superblock *anon;     /* pipes, sockets: never mounted in a tree */
    struct superblock *shmem;    /* memfds and shared anonymous memory, likewise */
    struct mount *anon_mount;
    struct inode *anon_plain; /* stands for files that have no inode */
    struct list_head dirty;   /* struct filedata dirty_link, in order of getting dirty */
    struct list_head dir_ops; /* struct dir_op, oldest first */
    uint32_t dir_op_count;
    uint64_t next_dir_op;
    uint32_t next_minor, next_mount_id;
    uint32_t next_cookie; /* inotify rename cookies */
    /* Path texts of the call in progress: handlers never sleep half-way, so one set serves all. */
    char path_a[4096], path_b[4096];
};

/* --- inodes (inode.c) ------------------------------------------------------------------------- */

struct abi_timespec vfs_now(const struct machine *m);
/* For file systems that embed the inode at the start of their own object. Takes a superblock
 * reference; refs = 1. */
void inode_init(struct inode *i, struct superblock *sb, const struct inode_ops *ops, uint32_t mode,
                uint64_t ino);
struct superblock *superblock_get(struct superblock *sb);
void superblock_put(struct superblock *sb);
/* The root dentry for a new superblock; takes over the inode reference. */
void superblock_set_root(struct superblock *sb, struct inode *root);
int inode_getattr(struct task *t, struct inode *i, struct attr *out);

static inline bool inode_is(const struct inode *i, uint32_t type)
{
    return (i->mode & ABI_S_IFMT) == type;
}

/* --- permissions (perm.c) --------------------------------------------------------------------- */

/* t NULL is the kernel: everything is allowed. */
int inode_permission(struct task *t, const struct inode *i, uint32_t may);
/* -EROFS on a read-only mount. */
int mount_want_write(struct task *t, const struct mount *m);
bool inode_owner_or_capable(struct task *t, const struct inode *i);
bool task_in_group(const struct task *t, uint32_t gid);
bool vfs_capable(const struct task *t, unsigned cap); /* true for the kernel */

/* --- dentries (dcache.c) ---------------------------------------------------------------------- */

void dcache_init(struct machine *m);
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d); /* accepts NULL */
/* A dentry without a parent; takes over the inode reference. Counted. */
struct dentry *dentry_disconnected(struct inode *inode, const char *name, uint32_t len);
/* The entry of `parent` with that name, counted; a negative one has no inode. 0 or -errno. */
int dentry_lookup(struct dentry *parent, const char *name, uint32_t len, struct dentry **out);
/* Only the cache is asked. */
struct dentry *dentry_find(struct dentry *parent, const char *name, uint32_t len);
/* A negative dentry becomes the name of `inode`, whose reference is taken over. */
void dentry_instantiate(struct dentry *d, struct inode *inode);
/* The name is gone; users keep the object. */
void dentry_drop(struct dentry *d);
/* The dentry takes the place (parent and name) of `target`, which loses it. */
void dentry_move(struct dentry *d, struct dentry *target);
void dentry_exchange(struct dentry *a, struct dentry *b);
/* Forgets every unused name of a file system that goes away. */
void dcache_purge(struct superblock *sb);
bool dentry_is_below(const struct dentry *d, const struct dentry *ancestor);

/* --- files (file.c, open.c) ------------------------------------------------------------------- */

extern const struct file_ops regular_file_ops, directory_file_ops, path_file_ops;
/* The place a descriptor names, for fd-relative calls on anything: counted. */
void file_path(struct file *f, struct path *out);
/* The generic choice of file operations by inode type, for file systems without their own. */
int file_open_by_type(struct task *t, struct inode *i, struct file *f);
/* Time the modelled disk needs to make these pages durable. */
uint64_t sync_cost_ns(uint64_t pages);

/* --- mounts (mount.c) ------------------------------------------------------------------------- */

struct mount *mount_create(struct machine *m, struct superblock *sb, struct dentry *root,
                           uint32_t flags, const char *source);
/* Takes over the reference on the child. */
void mount_attach(struct mount *child, const struct path *at);
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);
/* Takes the whole tree below and including `m` apart; file systems that go with their mount end. */
void mount_tear_down(struct mount *m);
/* The mount that covers `d` within `m`, or NULL. */
struct mount *mount_covering(struct mount *m, const struct dentry *d);
void path_set(struct path *dst, struct mount *m, struct dentry *d); /* takes new references */

/* --- file systems ----------------------------------------------------------------------------- */

/* Each returns a counted superblock with its root dentry. */
struct superblock *tmpfs_create(struct machine *m, const char *type, uint32_t mode,
                                uint64_t size_limit);
struct superblock *overlay_create(struct machine *m, struct pack *p);
/* Opens every image index of the plan; a damaged one is -EINVAL with text in err. */
int packs_open(struct machine *m, char *err, size_t err_cap);
/* An empty volume mounted where the image has content starts with that content. */
void volume_fill(struct superblock *volume, struct pack *p, uint64_t dir_ino);
uint32_t pack_dir_count(const struct pack *p, uint64_t dir); /* entries; 0 if no directory */
/* Owner and mode of a directory of the image. */
void pack_copy_owner(const struct pack *p, uint64_t dir, struct inode *to);
/* Inode number of a path inside a pack (no link is followed), 0 if there is none. */
uint64_t pack_find(const struct pack *p, const char *path);

#endif
