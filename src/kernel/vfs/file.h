/* Open file descriptions and descriptor tables. */
#ifndef EVERETT_KERNEL_VFS_FILE_H
#define EVERETT_KERNEL_VFS_FILE_H

#include "abi/linux.h"
#include "base/list.h"
#include "kernel/mm/usercopy.h"
#include "kernel/sched/wait.h"

struct dentry;
struct file;
struct inode;
struct machine;
struct mount;
struct task;
struct vma;

/* Every member may be NULL; the comment says what that means. Negative results are guest errnos.
 * read/write return bytes moved, or -EAGAIN when nothing can move now: the generic code then waits
 * on file->wq (ABI_POLLIN / ABI_POLLOUT) unless O_NONBLOCK is set, and calls again. They never
 * sleep themselves. A partial transfer is returned as its count. */
struct file_ops {
    const char *name; /* for /proc/PID/fd and traces: "pipe", "socket", ... */
    /* NULL: -EINVAL. `pos` points to file->pos or to the offset of pread; NULL-position files
     * (pipes, sockets) ignore it; see `seekable`. */
    int64_t (*read)(struct task *t, struct file *f, struct uio *to, uint64_t *pos);
    int64_t (*write)(struct task *t, struct file *f, struct uio *from, uint64_t *pos);
    /* Current readiness, ABI_POLL* bits. NULL: always ABI_POLLIN | ABI_POLLOUT. */
    uint32_t (*poll)(struct file *f);
    int64_t (*ioctl)(struct task *t, struct file *f, uint32_t cmd,
                     uint64_t arg); /* NULL: -ENOTTY */
    /* Directory: see vfs/readdir. NULL: -ENOTDIR. */
    int64_t (*getdents)(struct task *t, struct file *f, gaddr buf, uint64_t len);
    int64_t (*lseek)(struct task *t, struct file *f, int64_t off, int whence); /* NULL: -ESPIPE */
    /* Called before a mapping of this file is made; may refuse. NULL: -ENODEV. */
    int (*mmap)(struct task *t, struct file *f, struct vma *v);
    int (*fsync)(struct task *t, struct file *f, bool data_only); /* NULL: -EINVAL */
    /* A descriptor of it is being closed by `t` (POSIX lock release). NULL: nothing. */
    void (*flush)(struct task *t, struct file *f);
    /* The last reference is gone; frees private state. NULL: nothing. */
    void (*release)(struct machine *m, struct file *f);
    /* How long a blocking read or write may wait before -EAGAIN (SO_RCVTIMEO, SO_SNDTIMEO).
     * NULL or 0: without limit. */
    uint64_t (*io_timeout_ns)(struct file *f, bool write);
    bool seekable; /* pread/pwrite allowed and file->pos used */
};

/* Counted: descriptors, in-flight SCM_RIGHTS messages and mappings hold references. */
struct file {
    const struct file_ops *ops;
    struct machine *m;
    uint32_t refs;
    uint32_t flags; /* O_* without O_CLOEXEC and the creation flags */
    uint64_t pos;
    struct inode *inode;   /* holds a reference; NULL for anonymous kinds without one */
    struct dentry *dentry; /* where it was opened, holds a reference; NULL for anonymous kinds */
    struct mount *mount;
    struct waitq *wq;             /* readiness changes are announced here; NULL: always ready */
    void *priv;                   /* the kind's own state */
    struct list_head epoll_links; /* epoll registrations that watch it (vfs/epoll.c) */
    abi_pid owner;                /* F_SETOWN: pid or -pgid; 0 none */
    int owner_sig;                /* F_SETSIG */
    uint64_t id; /* creation order in the universe: the comparator wherever files order */
};

struct file *file_create(struct machine *m, const struct file_ops *ops, uint32_t flags);
struct file *file_get(struct file *f);
void file_put(struct file *f); /* accepts NULL */

/* May it be read or written by its open mode? (O_ACCMODE 3 is neither.) */
static inline bool file_readable(const struct file *f)
{
    return !(f->flags & O_PATH) &&
           ((f->flags & O_ACCMODE) == O_RDONLY || (f->flags & O_ACCMODE) == O_RDWR);
}

static inline bool file_writable(const struct file *f)
{
    return !(f->flags & O_PATH) &&
           ((f->flags & O_ACCMODE) == O_WRONLY || (f->flags & O_ACCMODE) == O_RDWR);
}

static inline uint32_t file_poll(struct file *f)
{
    return f->ops->poll ? f->ops->poll(f)
                        : ABI_POLLIN | ABI_POLLOUT | ABI_POLLRDNORM | ABI_POLLWRNORM;
}

/* --- descriptor table ------------------------------------------------------------------------- */

struct fd_entry {
    struct file *file; /* NULL: free */
    bool cloexec;
};

/* Counted (CLONE_FILES shares it). */
struct fd_table {
    uint32_t refs;
    uint32_t cap;
    uint32_t next_free; /* no free slot below it */
    struct fd_entry *slots;
};

struct fd_table *fd_table_create(struct machine *m);
struct fd_table *fd_table_copy(struct machine *m, const struct fd_table *src);
void fd_table_put(struct task *t, struct fd_table *ft); /* closes everything at the last put */
void fd_table_close_on_exec(struct task *t, struct fd_table *ft);

/* Borrowed file behind fd of the current task's table, or NULL (-EBADF). O_PATH files too. */
struct file *fd_file(struct task *t, int fd);
/* As fd_file, but NULL for O_PATH files too: what read, write, ioctl, fsync and the like take. */
struct file *fd_file_io(struct task *t, int fd);
/* Is a descriptor free? What creates things before installing asks first (EMFILE). */
bool fd_room(struct task *t);
/* Installs at the lowest free fd >= min, taking over the caller's reference on success. Returns the
 * fd, -EMFILE (RLIMIT_NOFILE) or -EINVAL; on failure the caller still owns f. */
int fd_install(struct task *t, struct file *f, int min, bool cloexec);
/* Installs at exactly fd, closing what was there. Takes the reference. fd is within the limit. */
void fd_install_at(struct task *t, struct file *f, int fd, bool cloexec);
int fd_close(struct task *t, int fd); /* 0 or -EBADF */

#endif
