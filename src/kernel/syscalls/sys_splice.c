/* sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2). */
#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/special/pipe.h"
#include "kernel/vfs/special/splice.h"

#define FLAG_MOVE     1u
#define FLAG_NONBLOCK 2u
#define FLAG_MORE     4u
#define FLAG_GIFT     8u
#define FLAGS_ALL     (FLAG_MOVE | FLAG_NONBLOCK | FLAG_MORE | FLAG_GIFT)

static uint32_t type_of(const struct file *f)
{
    return f->inode ? f->inode->mode & ABI_S_IFMT : 0;
}

/* Sleeps for what held the transfer up, or ends the call. `done` bytes went in earlier attempts. */
static struct sysret wait_or_end(struct task *t, int64_t r, const struct splice_wait *w,
                                 bool nonblock, uint64_t done)
{
    if (r != -EAGAIN || nonblock || (w->file->flags & O_NONBLOCK) || !w->file->wq) {
        return sys_done(done ? (int64_t)done : r);
    }
    task_wait_on(t, w->file->wq, w->mask);
    return done ? sys_block_or((int64_t)done) : sys_block();
}

/* --- sendfile --------------------------------------------------------------------------------- */

static int64_t sendfile_check(struct task *t, const struct sysargs *a, struct file **out,
                              struct file **in, uint64_t *pos)
{
    *out = fd_file_io(t, (int)a->a[0]);
    *in = fd_file_io(t, (int)a->a[1]);
    if (a->a[2] && user_read_u64(t, pos, gaddr_of(a->a[2]))) {
        return -EFAULT;
    }
    if (!*in || !file_readable(*in)) {
        return -EBADF;
    }
    if (a->a[2] && !(*in)->ops->seekable) {
        return -ESPIPE;
    }
    if (!*out || !file_writable(*out)) {
        return -EBADF;
    }
    if (!a->a[2]) {
        *pos = (*in)->pos;
    }
    if ((int64_t)*pos < 0) {
        return -EINVAL;
    }
    /* Only what has pages can be sent, and never to a file that appends (splice_direct). */
    if (!(*in)->ops->seekable || !(*in)->ops->read || (*out)->flags & O_APPEND ||
        !(*out)->ops->write) {
        return -EINVAL;
    }
    return 0;
}

/* A blocking output gets everything; progress lies in call.progress, the position in memory. */
struct sysret sys_sendfile(struct task *t, const struct sysargs *a)
{
    uint64_t len = min_u64(a->a[3], LIMIT_IO_BYTES), pos = 0;
    struct splice_wait wait = {0};
    struct file *out, *in;
    int64_t r = sendfile_check(t, a, &out, &in, &pos);

    if (r < 0) {
        return sys_done(r);
    }
    r = splice_file_to_file(t, in, &pos, out, &out->pos, len - t->call.progress, &wait);
    if (r > 0) {
        t->call.progress += (uint64_t)r;
    }
    if (!a->a[2]) {
        in->pos = pos;
    } else if (user_write_u64(t, gaddr_of(a->a[2]), pos)) {
        return sys_done(-EFAULT);
    }
    if (r > 0 && wait.file && t->call.progress < len) {
        r = -EAGAIN;
    }
    return r < 0 ? wait_or_end(t, r, &wait, false, t->call.progress)
                 : sys_done((int64_t)t->call.progress);
}

/* --- splice ----------------------------------------------------------------------------------- */

/* One side's position: its pointer for a file, none for a pipe or stream. */
static int64_t splice_pos(struct task *t, struct file *f, uint64_t at, uint64_t *pos)
{
    if (at && pipe_of(f)) {
        return -ESPIPE;
    }
    if (at && !f->ops->seekable) {
        return -ESPIPE;
    }
    *pos = f->pos;
    return at && user_read_u64(t, pos, gaddr_of(at)) ? -EFAULT : 0;
}

static int64_t splice_store_pos(struct task *t, struct file *f, uint64_t at, uint64_t pos)
{
    if (at) {
        return user_write_u64(t, gaddr_of(at), pos);
    }
    if (f->ops->seekable) {
        f->pos = pos;
    }
    return 0;
}

struct sysret sys_splice(struct task *t, const struct sysargs *a)
{
    uint64_t len = min_u64(a->a[4], LIMIT_IO_BYTES), in_pos, out_pos;
    uint32_t flags = (uint32_t)a->a[5];
    struct splice_wait wait = {0};
    struct file *in, *out;
    int64_t r;

    if (len == 0) {
        return sys_done(0);
    }
    if (flags & ~FLAGS_ALL) {
        return sys_done(-EINVAL);
    }
    in = fd_file_io(t, (int)a->a[0]);
    out = fd_file_io(t, (int)a->a[2]);
    if (!in || !out || !file_readable(in) || !file_writable(out)) {
        return sys_done(-EBADF);
    }
    r = splice_pos(t, in, a->a[1], &in_pos);
    r = r ? r : splice_pos(t, out, a->a[3], &out_pos);
    if (r) {
        return sys_done(r);
    }
    if (pipe_of(in)) {
        if (pipe_of(in) == pipe_of(out) || (!pipe_of(out) && out->flags & O_APPEND)) {
            return sys_done(-EINVAL);
        }
        r = splice_from_pipe(t, in, out, &out_pos, len, &wait);
    } else if (pipe_of(out)) {
        r = splice_to_pipe(t, in, &in_pos, out, len, &wait);
    } else {
        return sys_done(-EINVAL);
    }
    if (r > 0 &&
        (splice_store_pos(t, in, a->a[1], in_pos) || splice_store_pos(t, out, a->a[3], out_pos))) {
        return sys_done(-EFAULT);
    }
    return wait_or_end(t, r, &wait, flags & FLAG_NONBLOCK, 0);
}

struct sysret sys_tee(struct task *t, const struct sysargs *a)
{
    uint64_t len = min_u64(a->a[2], LIMIT_IO_BYTES);
    uint32_t flags = (uint32_t)a->a[3];
    struct splice_wait wait = {0};
    struct file *in, *out;

    if (flags & ~FLAGS_ALL) {
        return sys_done(-EINVAL);
    }
    if (len == 0) {
        return sys_done(0);
    }
    in = fd_file_io(t, (int)a->a[0]);
    out = fd_file_io(t, (int)a->a[1]);
    if (!in || !out || !file_readable(in) || !file_writable(out)) {
        return sys_done(-EBADF);
    }
    if (!pipe_of(in) || !pipe_of(out) || pipe_of(in) == pipe_of(out)) {
        return sys_done(-EINVAL);
    }
    return wait_or_end(t, splice_tee(t, in, out, len, &wait), &wait, flags & FLAG_NONBLOCK, 0);
}

/* Pages are copied at once, so SPLICE_F_GIFT gives nothing away; readers see the same bytes. */
struct sysret sys_vmsplice(struct task *t, const struct sysargs *a)
{
    uint32_t flags = (uint32_t)a->a[3];
    struct splice_wait wait;
    struct uio_seg *segs;
    struct file *f;
    struct uio u;
    int64_t r;

    if (flags & ~FLAGS_ALL) {
        return sys_done(-EINVAL);
    }
    f = fd_file_io(t, (int)a->a[0]);
    if (!f || !pipe_of(f)) {
        return sys_done(-EBADF);
    }
    r = uio_read_iovec(t, gaddr_of(a->a[1]), a->a[2], &segs);
    if (r < 0) {
        return sys_done(r);
    }
    uio_init_segs(&u, t, segs, (uint32_t)a->a[2]);
    wait = (struct splice_wait){f, file_writable(f) ? ABI_POLLOUT : ABI_POLLIN};
    r = file_writable(f) ? f->ops->write(t, f, &u, &f->pos) : f->ops->read(t, f, &u, &f->pos);
    kfree(t->m, segs);
    return wait_or_end(t, r, &wait, flags & FLAG_NONBLOCK, 0);
}

/* --- copy_file_range -------------------------------------------------------------------------- */

static int64_t copy_range_check(struct file *in, struct file *out, uint64_t in_pos,
                                uint64_t out_pos, uint64_t len)
{
    if (type_of(in) == ABI_S_IFDIR || type_of(out) == ABI_S_IFDIR) {
        return -EISDIR;
    }
    if (type_of(in) != ABI_S_IFREG || type_of(out) != ABI_S_IFREG) {
        return -EINVAL;
    }
    if (!file_readable(in) || !file_writable(out) || out->flags & O_APPEND) {
        return -EBADF;
    }
    /* Generated files have no pages; copying them is the caller's (cp falls back on EXDEV). */
    if (!in->inode->data || !out->inode->data ||
        !str_eq(in->inode->sb->type, out->inode->sb->type)) {
        return -EXDEV;
    }
    if (in_pos + len < in_pos || out_pos + len < out_pos) {
        return -EOVERFLOW;
    }
    if (in->inode == out->inode && out_pos + len > in_pos && out_pos < in_pos + len) {
        return -EINVAL;
    }
    return 0;
}

struct sysret sys_copy_file_range(struct task *t, const struct sysargs *a)
{
    uint64_t len = min_u64(a->a[4], LIMIT_IO_BYTES), in_pos, out_pos;
    struct splice_wait wait;
    struct file *in = fd_file_io(t, (int)a->a[0]), *out = fd_file_io(t, (int)a->a[2]);
    int64_t r;

    if (!in || !out) {
        return sys_done(-EBADF);
    }
    in_pos = in->pos;
    out_pos = out->pos;
    if ((a->a[1] && user_read_u64(t, &in_pos, gaddr_of(a->a[1]))) ||
        (a->a[3] && user_read_u64(t, &out_pos, gaddr_of(a->a[3])))) {
        return sys_done(-EFAULT);
    }
    if ((uint32_t)a->a[5] != 0) {
        return sys_done(-EINVAL);
    }
    r = copy_range_check(in, out, in_pos, out_pos, len);
    if (r == 0 && len > 0) {
        r = splice_file_to_file(t, in, &in_pos, out, &out_pos, len, &wait);
    }
    if (r > 0 &&
        (splice_store_pos(t, in, a->a[1], in_pos) || splice_store_pos(t, out, a->a[3], out_pos))) {
        return sys_done(-EFAULT);
    }
    return sys_done(r);
}
