/* flock(2) and record locks (fcntl(2), fcntl_locking). Locks hang on the inode; an inode with locks
 * is kept alive by the open files that hold them. */
#ifndef EVERETT_KERNEL_VFS_LOCKS_H
#define EVERETT_KERNEL_VFS_LOCKS_H

#include "abi/linux.h"
#include "base/base.h"

struct fd_table;
struct file;
struct inode;
struct machine;
struct task;

enum lock_kind {
    LOCK_KIND_FLOCK, /* owner: struct file */
    LOCK_KIND_POSIX, /* owner: struct fd_table */
    LOCK_KIND_OFD,   /* owner: struct file */
};

struct lock_request {
    enum lock_kind kind;
    int type;            /* F_RDLCK, F_WRLCK, F_UNLCK */
    const void *owner;   /* compared, never ordered by */
    uint64_t start, end; /* inclusive; end UINT64_MAX = to infinity */
    abi_pid pid;         /* what F_GETLK reports; -1 for OFD */
};

#define LOCK_WAIT_MAGIC 0x4c4f434b57414954ull /* scratch[5] of a task in lock_wait */

/* 0; -EAGAIN when another owner is in the way. Splits and merges as Linux does. */
int lock_set(struct machine *m, struct inode *i, const struct lock_request *r);
/* Fills *out with the first lock (by start, then age) in r's way; false when there is none. */
bool lock_conflict(struct inode *i, const struct lock_request *r, struct lock_request *out);
/* Would waiting for the locks in r's way close a circle of POSIX waiters? */
bool lock_would_deadlock(struct machine *m, struct inode *i, const struct lock_request *r);
/* Registers the task for a change of the inode's locks and notes what it waits for in its call's
 * scratch state, where deadlock detection finds it. */
void lock_wait(struct task *t, struct inode *i, const struct lock_request *r);

void locks_release_posix(struct inode *i, const struct fd_table *owner);
void locks_release_file(struct file *f); /* flock and OFD */

/* For /proc/locks and fdinfo: in order of age. */
void locks_for_each(struct inode *i, void (*fn)(void *ctx, const struct lock_request *l),
                    void *ctx);

#endif
