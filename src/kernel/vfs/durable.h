/* Directory operations that no sync has made durable yet, in the order they happened: what a power
 * loss may take away, as a prefix that stays. fsync of a directory makes its operations durable
 * (fsync(2): a file's own fsync does not cover its name); so does time, as ext4's commit interval.
 */
#ifndef EVERETT_KERNEL_VFS_DURABLE_H
#define EVERETT_KERNEL_VFS_DURABLE_H

#include "base/list.h"
#include "kernel/time/timer.h"

struct inode;
struct machine;
struct superblock;

#define DURABLE_COMMIT_NS (5 * NSEC_PER_SEC) /* ext4(5): commit=5 */
#define DURABLE_OPS_MAX   65536u             /* beyond it the oldest count as committed */

enum dir_op_kind {
    DIR_OP_CREATE = 1, /* file, directory, symlink or node `ino` appeared as `name` */
    DIR_OP_LINK = 2,
    DIR_OP_UNLINK = 3, /* also rmdir */
    DIR_OP_RENAME = 4, /* from (dir, name) to (new_dir, new_name); `replaced` was there before */
};

struct dir_op {
    struct list_head link; /* vfs->dir_ops */
    uint64_t seq;
    vtime when;
    enum dir_op_kind kind;
    struct superblock *sb; /* counted */
    uint64_t dir, new_dir; /* inode numbers */
    uint64_t ino, replaced;
    uint32_t name_len, new_name_len;
    char names[]; /* name, then new_name; not terminated */
};

struct dir_op_names {
    const char *name, *new_name;
    uint32_t name_len, new_name_len;
};

/* No-op for file systems that do not outlive the machine. new_dir may be NULL. */
void durable_record(enum dir_op_kind kind, const struct inode *dir, const struct inode *new_dir,
                    const struct dir_op_names *names, uint64_t ino, uint64_t replaced);
void durable_sync_dir(struct inode *dir);
/* sync(2) for sb NULL, syncfs(2) else: names and contents. */
void durable_sync_all(struct machine *m, struct superblock *sb);
/* How many pages such a sync would write. */
uint64_t durable_pending_pages(struct machine *m, const struct superblock *sb);

#endif
