/* Pipes and FIFOs (pipe(7), fifo(7)). Buffers of one page each, as Linux keeps them, so that
 * capacity, atomicity and readiness agree with it. Reading and writing allocate nothing once the
 * pages in use exist. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PIPE_H
#define EVERETT_KERNEL_VFS_SPECIAL_PIPE_H

#include "base/base.h"
#include "kernel/sched/wait.h"

struct file;
struct inode;
struct machine;
struct task;
struct uio;

#define PIPE_PAGE      4096u
#define PIPE_SLOTS     16u        /* 64 KiB */
#define PIPE_BYTES_MAX (1u << 20) /* fs.pipe-max-size */

struct pipe_buf {
    unsigned char *page; /* allocated at first use, kept until the pipe goes */
    uint32_t off, len;
    bool packet; /* O_DIRECT: read(2) takes at most one and drops its rest */
};

/* Somebody inside a blocking open(2) of a FIFO; counts as present as long as that call lasts. */
struct pipe_pending {
    uint64_t task_id, ticket;
    int32_t tid;
    uint32_t node;
    bool writer;
};

/* Counted by its ends; an anonymous pipe and a FIFO differ only in how ends are made. */
struct pipe {
    struct machine *m;
    struct inode *inode; /* borrowed: the inode outlives it or frees it */
    struct pipe_buf *bufs;
    uint32_t slots, head, used;
    uint32_t bytes;
    uint32_t readers, writers, files;
    bool anonymous;                /* made by pipe(2): opening it again never waits (fs/pipe.c) */
    uint64_t r_counter, w_counter; /* opens so far */
    uint64_t next_ticket;
    struct waitq rd_wq, wr_wq, rdwr_wq, open_wq;
    struct pipe_pending *pending;
    uint32_t pending_count, pending_cap;
};

/* ends[0] reads, ends[1] writes; the caller owns both. flags: O_NONBLOCK, O_DIRECT. */
void pipe_create(struct machine *m, uint32_t flags, struct file *ends[2]);

/* Opens a FIFO (or a pipe again, through /proc/PID/fd). 0, -ENXIO (O_WRONLY | O_NONBLOCK without a
 * reader), or -ERESTARTSYS when open must sleep: the wait is registered, the handler returns
 * sys_block() and opens again on its retry. Keeps its state in t->call.scratch[4] and [5]. */
int fifo_open(struct task *t, struct inode *inode, struct file *f);
/* The inode of a FIFO goes away. Harmless without a pipe. */
void fifo_evict(struct inode *inode);

/* The pipe behind a file, or NULL. */
struct pipe *pipe_of(const struct file *f);
/* F_GETPIPE_SZ and F_SETPIPE_SZ: size in bytes, or -EBADF (not a pipe), -EBUSY, -EINVAL, -EPERM. */
int64_t pipe_get_size(const struct file *f);
int64_t pipe_set_size(struct task *t, struct file *f, uint64_t bytes);

/* For splice: the oldest bytes (borrowed, contiguous), 0 when empty; and their removal. */
uint32_t pipe_peek(const struct pipe *p, uint32_t skip_bufs, const unsigned char **data);
void pipe_consume(struct pipe *p, uint32_t n);
/* Bytes a write can surely take in page-sized pieces. */
uint32_t pipe_room(const struct pipe *p);
bool pipe_has_readers(struct pipe *p);
bool pipe_has_writers(struct pipe *p);

#endif
