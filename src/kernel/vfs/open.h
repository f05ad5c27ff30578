/* openat2(2) without the descriptor. Internal to the vfs and the file calls. */
#ifndef EVERETT_KERNEL_VFS_OPEN_H
#define EVERETT_KERNEL_VFS_OPEN_H

#include "base/base.h"

struct file;
struct task;

struct open_how_args {
    uint32_t flags;
    uint32_t mode;
    uint32_t resolve; /* RESOLVE_* */
};

/* A file the caller owns in *out; 0, -errno, or -ERESTARTSYS when the call must sleep first (FIFO).
 */
int vfs_open_resolve(struct task *t, int dirfd, const char *path, const struct open_how_args *how,
                     struct file **out);

#endif
