/* Moving bytes between descriptors. Nothing is taken from an input that the output has not already
 * accepted, except from streams, whose reads cannot be undone: there the room is known before. */
#include "kernel/vfs/special/splice.h"

#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/special/pipe.h"

#define CHUNK 16384u

static int64_t write_from(struct task *t, struct file *out, const void *data, uint64_t n,
                          uint64_t *pos)
{
    struct uio u;

    if (!out->ops->write) {
        return -EINVAL;
    }
    uio_init_kernel(&u, (void *)(uintptr_t)data, n);
    return out->ops->write(t, out, &u, pos);
}

static int64_t read_into(struct task *t, struct file *in, void *buf, uint64_t n, uint64_t *pos)
{
    struct uio u;

    if (!in->ops->read) {
        return -EINVAL;
    }
    uio_init_kernel(&u, buf, n);
    return in->ops->read(t, in, &u, pos);
}

static int64_t result(int64_t done, int64_t err, struct file *file, uint32_t mask,
                      struct splice_wait *wait)
{
    if (err == -EAGAIN) {
        *wait = (struct splice_wait){file, mask};
    }
    return done ? done : err;
}

int64_t splice_file_to_file(struct task *t, struct file *in, uint64_t *in_pos, struct file *out,
                            uint64_t *out_pos, uint64_t len, struct splice_wait *wait)
{
    unsigned char *buf = kalloc(t->m, CHUNK);
    int64_t done = 0, err = 0;

    while ((uint64_t)done < len) {
        uint64_t at = *in_pos;
        int64_t r = read_into(t, in, buf, min_u64(CHUNK, len - (uint64_t)done), &at), w;

        if (r <= 0) {
            err = r;
            break;
        }
        w = write_from(t, out, buf, (uint64_t)r, out_pos);
        if (w < 0) {
            err = w;
            break;
        }
        *in_pos += (uint64_t)w;
        done += w;
    }
    kfree(t->m, buf);
    return result(done, err, out, ABI_POLLOUT, wait);
}

int64_t splice_to_pipe(struct task *t, struct file *in, uint64_t *in_pos, struct file *out,
                       uint64_t len, struct splice_wait *wait)
{
    struct pipe *p = pipe_of(out);
    unsigned char *buf;
    int64_t r, w;

    if (!pipe_has_readers(p)) {
        signal_pipe(t);
        return -EPIPE;
    }
    if (pipe_room(p) == 0) {
        return result(0, -EAGAIN, out, ABI_POLLOUT, wait);
    }
    len = min_u64(min_u64(len, pipe_room(p)), LIMIT_PIPE_BYTES);
    buf = kalloc(t->m, len);
    r = read_into(t, in, buf, len, in_pos);
    if (r > 0) {
        w = write_from(t, out, buf, (uint64_t)r, &out->pos);
        ASSERT(w == r); /* there was room, and kernel memory cannot fault */
    }
    kfree(t->m, buf);
    return r > 0 ? r : result(0, r, in, ABI_POLLIN, wait);
}

int64_t splice_from_pipe(struct task *t, struct file *in, struct file *out, uint64_t *out_pos,
                         uint64_t len, struct splice_wait *wait)
{
    struct pipe *p = pipe_of(in);
    int64_t done = 0, w = 0;

    while ((uint64_t)done < len) {
        const unsigned char *data;
        uint32_t n = pipe_peek(p, 0, &data);

        if (n == 0) {
            break;
        }
        w = write_from(t, out, data, min_u64(n, len - (uint64_t)done), out_pos);
        if (w <= 0) {
            break;
        }
        pipe_consume(p, (uint32_t)w);
        done += w;
    }
    if (done > 0 || w < 0) {
        return result(done, w, out, ABI_POLLOUT, wait);
    }
    return pipe_has_writers(p) ? result(0, -EAGAIN, in, ABI_POLLIN, wait) : 0;
}

int64_t splice_tee(struct task *t, struct file *in, struct file *out, uint64_t len,
                   struct splice_wait *wait)
{
    struct pipe *from = pipe_of(in);
    int64_t done = 0, w = 0;

    for (uint32_t i = 0; (uint64_t)done < len; i++) {
        const unsigned char *data;
        uint32_t n = pipe_peek(from, i, &data);

        if (n == 0) {
            break;
        }
        n = (uint32_t)min_u64(n, len - (uint64_t)done);
        w = write_from(t, out, data, n, &out->pos);
        if (w <= 0) {
            break;
        }
        done += w;
        if (w < n) {
            break;
        }
    }
    if (done > 0 || w < 0) {
        return result(done, w, out, ABI_POLLOUT, wait);
    }
    return pipe_has_writers(from) ? result(0, -EAGAIN, in, ABI_POLLIN, wait) : 0;
}
