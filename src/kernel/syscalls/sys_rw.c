/* read(2), write(2), readv(2), pread(2), preadv2(2), lseek(2). */
#include <linux/fs.h>

#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/notify.h"
#include "kernel/vfs/vfs_priv.h"

/* call.scratch[3]: the bytes are written; the call only waits for the modelled disk (O_SYNC). */
#define STAGE_SYNC 0x53594e43u

struct io {
    struct file *f;
    struct uio uio;
    uint64_t own_pos; /* pread and pwrite */
    uint64_t *pos;
    bool write;
    bool nonblock;
    bool sync;
};

static void uio_skip(struct uio *u, uint64_t n)
{
    n = min_u64(n, u->left);
    u->left -= n;
    while (n > 0) {
        uint64_t k = min_u64(n, u->segs[u->seg].len - u->off);
        u->off += k;
        n -= k;
        if (u->off == u->segs[u->seg].len) {
            u->seg++;
            u->off = 0;
        }
    }
}

/* Nothing can move now: sleep, unless the file or its time limit says otherwise. */
static struct sysret wait_for(struct task *t, const struct io *io)
{
    struct file *f = io->f;
    uint64_t limit = f->ops->io_timeout_ns ? f->ops->io_timeout_ns(f, io->write) : 0;
    uint64_t done = t->call.progress;
    if (limit) {
        vtime end = task_call_deadline(t, limit);
        if (machine_now(t->m) >= end) {
            return sys_done(done ? (int64_t)done : -EAGAIN);
        }
        task_wait_until(t, end);
    }
    task_wait_on(t, f->wq, (io->write ? ABI_POLLOUT : ABI_POLLIN) | ABI_POLLERR | ABI_POLLHUP);
    return done ? sys_block_or((int64_t)done) : limit ? sys_block_or(-EINTR) : sys_block();
}

static struct sysret do_read(struct task *t, struct io *io)
{
    struct file *f = io->f;
    if (!f->ops->read) {
        return sys_done(-EINVAL);
    }
    int64_t n = f->ops->read(t, f, &io->uio, io->pos);
    if (n == -EAGAIN && !io->nonblock && f->wq) {
        return wait_for(t, io);
    }
    return sys_done(n);
}

/* O_SYNC, RWF_DSYNC: the call returns when the modelled disk has it. */
static struct sysret finish_sync(struct task *t, struct io *io)
{
    struct inode *i = io->f->inode;
    if (!io->sync || !i || !i->data || !i->sb->durable || t->call.progress == 0) {
        return sys_done((int64_t)t->call.progress);
    }
    if (t->call.scratch[3] != STAGE_SYNC) {
        t->call.scratch[3] = STAGE_SYNC;
        t->call.scratch[2] = sync_cost_ns(i->data->unsynced_pages);
    }
    vtime end = task_call_deadline(t, t->call.scratch[2]);
    if (machine_now(t->m) < end) {
        task_wait_until(t, end);
        return sys_block_or(0);
    }
    filedata_sync(i->data);
    return sys_done((int64_t)t->call.progress);
}

static struct sysret do_write(struct task *t, struct io *io)
{
    struct file *f = io->f;
    if (!f->ops->write) {
        return sys_done(-EINVAL);
    }
    if (t->call.scratch[3] == STAGE_SYNC) {
        return finish_sync(t, io);
    }
    uio_skip(&io->uio, t->call.progress);
    /* A blocking write to a pipe or stream goes on until everything is written (pipe(7)). */
    bool whole = !f->ops->seekable && f->wq && !io->nonblock;
    for (;;) {
        int64_t n = f->ops->write(t, f, &io->uio, io->pos);
        if (n == -EAGAIN && whole) {
            return wait_for(t, io);
        }
        if (n < 0) {
            return sys_done(t->call.progress ? (int64_t)t->call.progress : n);
        }
        t->call.progress += (uint64_t)n;
        if (!whole || n == 0 || io->uio.left == 0) {
            return finish_sync(t, io);
        }
    }
}

static struct sysret transfer(struct task *t, struct io *io)
{
    if (io->uio.left > LIMIT_IO_BYTES) {
        io->uio.left = LIMIT_IO_BYTES;
    }
    struct sysret r = io->write ? do_write(t, io) : do_read(t, io);
    if (r.kind == SYSRET_DONE && r.value > 0 && io->f->dentry) {
        notify_object(io->f->dentry, io->write ? IN_MODIFY : IN_ACCESS);
    }
    return r;
}

/* The checks on the descriptor, in the order of fs/read_write.c. */
static int open_io(struct task *t, struct io *io, int fd, bool write)
{
    struct file *f = fd_file_io(t, fd);
    if (!f) {
        return -EBADF;
    }
    io->f = f;
    io->write = write;
    io->pos = &f->pos;
    io->nonblock = f->flags & O_NONBLOCK;
    io->sync = f->flags & O_DSYNC;
    return (write ? file_writable(f) : file_readable(f)) ? 0 : -EBADF;
}

static int use_offset(struct io *io, int64_t off)
{
    if (off < 0) {
        return -EINVAL;
    }
    if (!io->f->ops->seekable) {
        return -ESPIPE;
    }
    io->own_pos = (uint64_t)off;
    io->pos = &io->own_pos;
    return 0;
}

static struct sysret simple(struct task *t, const struct sysargs *a, bool write, bool at)
{
    struct io io = {0};
    int r = at && (int64_t)a->a[3] < 0 ? -EINVAL : open_io(t, &io, (int)a->a[0], write);
    if (!r && at) {
        r = use_offset(&io, (int64_t)a->a[3]);
    }
    if (!r && (int64_t)a->a[2] < 0) {
        r = -EINVAL;
    }
    if (r) {
        return sys_done(r);
    }
    uio_init_user(&io.uio, t, gaddr_of(a->a[1]), a->a[2]);
    return transfer(t, &io);
}

struct sysret sys_read(struct task *t, const struct sysargs *a)
{
    return simple(t, a, false, false);
}

struct sysret sys_write(struct task *t, const struct sysargs *a)
{
    return simple(t, a, true, false);
}

struct sysret sys_pread64(struct task *t, const struct sysargs *a)
{
    return simple(t, a, false, true);
}

struct sysret sys_pwrite64(struct task *t, const struct sysargs *a)
{
    return simple(t, a, true, true);
}

/* --- vectors ---------------------------------------------------------------------------------- */

/* The guest's iovec array is read once a call; it stays in call.held. */
static int load_vector(struct task *t, struct io *io, const struct sysargs *a)
{
    struct uio_seg *segs = t->call.held;
    uint64_t total = 0;
    if (!segs) {
        int r = uio_read_iovec(t, gaddr_of(a->a[1]), a->a[2], &segs);
        if (r) {
            return r;
        }
        t->call.held = segs;
    }
    for (uint64_t i = 0; i < a->a[2]; i++) {
        if (segs[i].len > (uint64_t)INT64_MAX - total) {
            return -EINVAL;
        }
        total += segs[i].len;
    }
    uio_init_segs(&io->uio, t, segs, (uint32_t)a->a[2]);
    return 0;
}

static int apply_flags(struct io *io, uint32_t flags)
{
    const uint32_t known = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;
    if (flags & ~known || (flags & RWF_APPEND && !io->write)) {
        return -EOPNOTSUPP;
    }
    io->nonblock = io->nonblock || flags & RWF_NOWAIT;
    io->sync = io->sync || flags & (RWF_DSYNC | RWF_SYNC);
    return 0;
}

/* off -1 with flags allowed: the file's own position (preadv2). */
static struct sysret vector(struct task *t, const struct sysargs *a, bool write, bool at,
                            uint32_t flags)
{
    struct io io = {0};
    int r = open_io(t, &io, (int)a->a[0], write);
    if (!r && at) {
        r = use_offset(&io, (int64_t)a->a[3]);
    }
    if (!r) {
        r = load_vector(t, &io, a);
    }
    if (!r) {
        r = apply_flags(&io, flags);
    }
    if (r) {
        return sys_done(r);
    }
    uint32_t saved = io.f->flags;
    if (flags & RWF_APPEND) {
        io.f->flags |= O_APPEND;
    }
    struct sysret result = transfer(t, &io);
    io.f->flags = saved;
    return result;
}

struct sysret sys_readv(struct task *t, const struct sysargs *a)
{
    return vector(t, a, false, false, 0);
}

struct sysret sys_writev(struct task *t, const struct sysargs *a)
{
    return vector(t, a, true, false, 0);
}

struct sysret sys_preadv(struct task *t, const struct sysargs *a)
{
    return (int64_t)a->a[3] < 0 ? sys_done(-EINVAL) : vector(t, a, false, true, 0);
}

struct sysret sys_pwritev(struct task *t, const struct sysargs *a)
{
    return (int64_t)a->a[3] < 0 ? sys_done(-EINVAL) : vector(t, a, true, true, 0);
}

struct sysret sys_preadv2(struct task *t, const struct sysargs *a)
{
    return vector(t, a, false, (int64_t)a->a[3] != -1, (uint32_t)a->a[5]);
}

struct sysret sys_pwritev2(struct task *t, const struct sysargs *a)
{
    return vector(t, a, true, (int64_t)a->a[3] != -1, (uint32_t)a->a[5]);
}

struct sysret sys_lseek(struct task *t, const struct sysargs *a)
{
    struct file *f = fd_file_io(t, (int)a->a[0]);
    if (!f) {
        return sys_done(-EBADF);
    }
    if ((uint32_t)a->a[2] > SEEK_HOLE) {
        return sys_done(-EINVAL);
    }
    return sys_done(f->ops->lseek ? f->ops->lseek(t, f, (int64_t)a->a[1], (int)a->a[2]) : -ESPIPE);
}
