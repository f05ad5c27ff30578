/* Shared by pipe.c and fifo.c only. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PIPE_PRIV_H
#define EVERETT_KERNEL_VFS_SPECIAL_PIPE_PRIV_H

#include "kernel/vfs/special/pipe.h"

/* One open file description of a pipe; owned by file->priv. */
struct pipe_end {
    struct pipe *pipe;
    bool reads, writes;
    uint64_t w_counter; /* no hang-up while pipe->w_counter has this value (Linux: f_version) */
};

struct pipe *pipe_alloc(struct machine *m, struct inode *inode); /* sets inode->pipe */
void pipe_free(struct pipe *p);
/* Makes f an end of p according to its access mode. */
void pipe_attach(struct pipe *p, struct file *f);

#endif
