/* What the rest of the kernel and the director ask of the virtual file system. */
#ifndef EVERETT_KERNEL_VFS_VFS_H
#define EVERETT_KERNEL_VFS_VFS_H

#include "kernel/vfs/inode.h"

struct fs_context;
struct process;

void vfs_boot(struct machine *m); /* m->vfs; every pack of the plan becomes usable */

/* Builds the node's tree on the first call: image, writable layer, volumes, binds, tmpfs, /proc,
 * /sys, /dev, /dev/shm, /dev/pts. After vfs_node_down (container stopped or killed) a second call
 * keeps the writable layer and the volumes and renews every tmpfs, as `docker restart` does.
 * 0 or a negative errno with text in err. */
int vfs_node_up(struct node *n, char *err, size_t err_cap);
void vfs_node_down(struct node *n);

/* fs context for a process the kernel starts. cwd is created if missing (image WorkingDir). */
struct fs_context *fs_context_create(struct node *n, const char *cwd, uint32_t umask);
struct fs_context *fs_context_copy(struct machine *m, const struct fs_context *fs);
void fs_context_put(struct machine *m, struct fs_context *fs);

/* Path walk for a task. flags: LOOKUP_*. The result is counted; release with path_put. */
#define LOOKUP_FOLLOW    1u
#define LOOKUP_DIRECTORY 2u
#define LOOKUP_EMPTY     4u /* AT_EMPTY_PATH */
int vfs_lookup(struct task *t, int dirfd, const char *path, uint32_t flags, struct path *out);

/* open(2) without the descriptor. Returns a file the caller owns in *out. */
int vfs_open(struct task *t, int dirfd, const char *path, uint32_t flags, uint32_t mode,
             struct file **out);
/* Opens what a walk found, permission having been checked (execve). 0 or -errno. Regular files
 * never sleep here. */
int file_open_path(struct task *t, const struct path *p, uint32_t flags, struct file **out);
/* 0 if `t` may access it with the given bits (4 read, 2 write, 1 execute), -EACCES, -EROFS. */
int vfs_permission(struct task *t, const struct path *p, uint32_t bits);

/* Kernel's own access, without a task, as root of the node. */
int vfs_node_open(struct node *n, const char *path, uint32_t flags, uint32_t mode,
                  struct file **out);
int vfs_node_write_file(struct node *n, const char *path, const void *data, size_t len,
                        uint32_t mode); /* creates parents, replaces contents */
/* Calls fn for each entry bytewise sorted; -ENOENT if there is no such directory. */
int vfs_node_list(struct node *n, const char *path,
                  void (*fn)(void *ctx, const char *name, const struct attr *a), void *ctx);

/* Reads from a regular file into kernel memory; bytes or -errno. */
int64_t file_read_kernel(struct file *f, void *buf, uint64_t len, uint64_t off);

/* Absolute path of p as seen from t's root (getcwd, /proc/PID/maps); length or -errno
 * (-ENAMETOOLONG). " (deleted)" is appended when unlinked and `mark_deleted`. */
int64_t vfs_path_string(struct task *t, const struct path *p, char *buf, size_t cap,
                        bool mark_deleted);

/* The text of /proc/PID/fd/N: a path, "pipe:[INO]", "anon_inode:[eventfd]". Length or -errno. */
int64_t vfs_file_string(struct task *t, struct file *f, char *buf, size_t cap);

/* Superblock and inode constructors for the small file systems (proc, sys, dev, anonymous). */
struct superblock *superblock_create(struct machine *m, const char *type, uint64_t magic);
struct inode *inode_create(struct superblock *sb, const struct inode_ops *ops, uint32_t mode,
                           uint64_t ino);
/* An inode for descriptors that have none in a tree: pipes, sockets, eventfds. `kind` is what
 * /proc/PID/fd shows, e.g. "pipe" -> "pipe:[INO]", "[eventfd]" -> "anon_inode:[eventfd]". */
struct inode *anon_inode_create(struct machine *m, const char *kind, uint32_t mode);

/* Mountable small file systems; each returns a superblock whose root inode has number 1. Provided
 * by vfs/proc, vfs/sys, vfs/dev. */
struct superblock *procfs_create(struct node *n, struct inode **root);
struct superblock *sysfs_create(struct node *n, struct inode **root);
struct superblock *devfs_create(struct node *n, struct inode **root);
struct superblock *devptsfs_create(struct node *n, struct inode **root);

/* Called by regular-file writes to SDK directories (PLAN_MOUNT_SDK): `ino` identifies the file, the
 * bytes were just written at `off`. Implemented by director/sdk.c. */
void sdk_file_written(struct node *n, uint64_t ino, uint64_t off, const void *data, size_t len);

/* A descriptor that collects what is written to it as output lines (container or test command). */
struct file *console_create(struct node *n, uint8_t stream, uint32_t command_id);
/* The same for a health check. */
struct file *console_create_probe(struct node *n, uint8_t stream);
/* `exec`: raw bytes as EVENT_TTY. */
struct file *rawout_create(struct node *n, uint8_t stream);
struct file *devnull_open(struct node *n, uint32_t flags);

#endif
