/* Pipes: the buffer, its two ends, and the file operations (pipe(7)). Opening FIFOs is in fifo.c.
 */
#include "kernel/vfs/special/pipe.h"

#include <asm/ioctls.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/pipe_priv.h"
#include "kernel/vfs/vfs.h"

#define WAKE_READ  (ABI_POLLIN | ABI_POLLRDNORM)
#define WAKE_WRITE (ABI_POLLOUT | ABI_POLLWRNORM)
#define WAKE_ALL   (WAKE_READ | WAKE_WRITE | ABI_POLLERR | ABI_POLLHUP)

static struct pipe_buf *buf_at(const struct pipe *p, uint32_t i)
{
    return &p->bufs[(p->head + i) & (p->slots - 1)];
}

static bool is_full(const struct pipe *p)
{
    return p->used >= p->slots;
}

static void wake_readers(struct pipe *p)
{
    waitq_wake(p->m, &p->rd_wq, WAKE_READ);
    waitq_wake(p->m, &p->rdwr_wq, WAKE_READ);
}

static void wake_writers(struct pipe *p)
{
    waitq_wake(p->m, &p->wr_wq, WAKE_WRITE);
    waitq_wake(p->m, &p->rdwr_wq, WAKE_WRITE);
}

static void drop_head(struct pipe *p)
{
    struct pipe_buf *b = buf_at(p, 0);

    p->bytes -= b->len;
    b->len = b->off = 0;
    b->packet = false;
    p->used--;
    /* Start over when drained: a pipe with little in flight keeps using the same few pages. */
    p->head = p->used == 0 ? 0 : (p->head + 1) & (p->slots - 1);
}

static int64_t pipe_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct pipe *p = pipe_of(f);
    bool was_full = is_full(p), freed = false;
    int64_t total = 0;

    if (to->left == 0) {
        return 0;
    }
    while (p->used > 0 && to->left > 0) {
        struct pipe_buf *b = buf_at(p, 0);
        uint64_t n = min_u64(b->len, to->left);
        int64_t r = uio_copy_to(to, b->page + b->off, n);
        bool packet = b->packet;

        if (r < 0) {
            total = total ? total : r;
            break;
        }
        b->off += (uint32_t)r;
        b->len -= (uint32_t)r;
        p->bytes -= (uint32_t)r;
        total += r;
        if (packet || b->len == 0) {
            drop_head(p);
            freed = true;
        }
        if (packet || (uint64_t)r < n) {
            break;
        }
    }
    if (freed && was_full) {
        wake_writers(p);
    }
    if (total == 0 && pipe_has_writers(p)) {
        return -EAGAIN;
    }
    return total;
}

/* Appends up to n bytes to the last buffer if all of them fit there. */
static int64_t merge_tail(struct pipe *p, struct uio *from, uint32_t n)
{
    struct pipe_buf *b;
    int64_t r;

    if (p->used == 0 || n == 0) {
        return 0;
    }
    b = buf_at(p, p->used - 1);
    if (b->packet || b->off + b->len + n > PIPE_PAGE) {
        return 0;
    }
    r = uio_copy_from(from, b->page + b->off + b->len, n);
    if (r > 0) {
        b->len += (uint32_t)r;
        p->bytes += (uint32_t)r;
    }
    return r;
}

/* Puts up to a page into a fresh buffer; the caller knows that there is one. */
static int64_t add_buf(struct pipe *p, struct uio *from, bool packet)
{
    struct pipe_buf *b = buf_at(p, p->used);
    int64_t r;

    if (!b->page) {
        b->page = kalloc(p->m, PIPE_PAGE);
    }
    r = uio_copy_from(from, b->page, min_u64(from->left, PIPE_PAGE));
    if (r > 0) {
        b->off = 0;
        b->len = (uint32_t)r;
        b->packet = packet;
        p->bytes += (uint32_t)r;
        p->used++;
    }
    return r;
}

static int64_t pipe_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct pipe *p = pipe_of(f);
    bool packet = (f->flags & O_DIRECT) != 0;
    uint64_t want = from->left;
    int64_t total = 0;

    if (want == 0) {
        return 0;
    }
    if (!pipe_has_readers(p)) {
        signal_pipe(t);
        return -EPIPE;
    }
    /* The odd part first, as Linux does: a write of at most PIPE_BUF bytes is never split. */
    if (!packet) {
        total = merge_tail(p, from, (uint32_t)(want % PIPE_PAGE));
    }
    while (total >= 0 && from->left > 0 && !is_full(p)) {
        uint64_t n = min_u64(from->left, PIPE_PAGE);
        int64_t r = add_buf(p, from, packet);

        if (r < 0) {
            total = total ? total : r;
            break;
        }
        total += r;
        if ((uint64_t)r < n) {
            break;
        }
    }
    if (total > 0) {
        wake_readers(p);
    }
    return total ? total : -EAGAIN;
}

static uint32_t pipe_poll(struct file *f)
{
    const struct pipe_end *e = f->priv;
    struct pipe *p = e->pipe;
    uint32_t ready = 0;

    if (e->reads) {
        ready |= p->used ? WAKE_READ : 0;
        if (!pipe_has_writers(p) && e->w_counter != p->w_counter) {
            ready |= ABI_POLLHUP;
        }
    }
    if (e->writes) {
        ready |= is_full(p) ? 0 : WAKE_WRITE;
        ready |= pipe_has_readers(p) ? 0 : ABI_POLLERR;
    }
    return ready;
}

static int64_t pipe_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    const struct pipe *p = pipe_of(f);

    if (cmd != FIONREAD) {
        return -ENOTTY; /* Linux says ENOIOCTLCMD here, which ioctl(2) turns into ENOTTY */
    }
    return user_write_u32(t, gaddr_of(arg), p->bytes);
}

void pipe_free(struct pipe *p)
{
    waitq_fini(p->m, &p->rd_wq);
    waitq_fini(p->m, &p->wr_wq);
    waitq_fini(p->m, &p->rdwr_wq);
    waitq_fini(p->m, &p->open_wq);
    for (uint32_t i = 0; i < p->slots; i++) {
        kfree(p->m, p->bufs[i].page);
    }
    kfree(p->m, p->bufs);
    kfree(p->m, p->pending);
    p->inode->pipe = NULL;
    kfree(p->m, p);
}

static void pipe_release(struct machine *m, struct file *f)
{
    struct pipe_end *e = f->priv;
    struct pipe *p = e->pipe;

    p->readers -= e->reads;
    p->writers -= e->writes;
    p->files--;
    kfree(m, e);
    f->wq = NULL;
    if (p->files == 0 && !pipe_has_readers(p) && !pipe_has_writers(p)) {
        pipe_free(p);
        return;
    }
    if ((p->readers == 0) != (p->writers == 0)) {
        waitq_wake(m, &p->rd_wq, WAKE_ALL);
        waitq_wake(m, &p->wr_wq, WAKE_ALL);
        waitq_wake(m, &p->rdwr_wq, WAKE_ALL);
    }
}

static const struct file_ops pipe_ops = {
    .name = "pipe",
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

struct pipe *pipe_alloc(struct machine *m, struct inode *inode)
{
    struct pipe *p = KALLOC(m, struct pipe);

    p->m = m;
    p->inode = inode;
    p->slots = PIPE_SLOTS;
    p->bufs = kalloc(m, p->slots * sizeof *p->bufs);
    waitq_init(&p->rd_wq);
    waitq_init(&p->wr_wq);
    waitq_init(&p->rdwr_wq);
    waitq_init(&p->open_wq);
    inode->pipe = p;
    return p;
}

void pipe_attach(struct pipe *p, struct file *f)
{
    struct pipe_end *e = KALLOC(p->m, struct pipe_end);
    uint32_t mode = f->flags & O_ACCMODE;

    e->pipe = p;
    e->reads = mode != O_WRONLY;
    e->writes = mode != O_RDONLY;
    /* No hang-up before the first writer comes, for readers that did not wait for one. */
    if (!p->anonymous && e->reads && (f->flags & O_NONBLOCK) && !pipe_has_writers(p)) {
        e->w_counter = p->w_counter;
    }
    p->readers += e->reads;
    p->writers += e->writes;
    p->files++;
    f->ops = &pipe_ops;
    f->priv = e;
    f->wq = e->reads && e->writes ? &p->rdwr_wq : e->reads ? &p->rd_wq : &p->wr_wq;
}

void pipe_create(struct machine *m, uint32_t flags, struct file *ends[2])
{
    struct inode *inode = anon_inode_create(m, "pipe", ABI_S_IFIFO | 0600);
    struct pipe *p = pipe_alloc(m, inode);

    p->anonymous = true;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t f_flags = (flags & (O_NONBLOCK | O_DIRECT)) | (i == 0 ? O_RDONLY : O_WRONLY);

        ends[i] = file_create(m, &pipe_ops, f_flags);
        ends[i]->inode = i == 0 ? inode : inode_get(inode);
        pipe_attach(p, ends[i]);
    }
    /* Both ends exist from the start: losing the writer is a hang-up. */
    p->r_counter = p->w_counter = 1;
}

struct pipe *pipe_of(const struct file *f)
{
    return f->ops == &pipe_ops ? ((const struct pipe_end *)f->priv)->pipe : NULL;
}

int64_t pipe_get_size(const struct file *f)
{
    const struct pipe *p = pipe_of(f);

    return p ? (int64_t)p->slots * PIPE_PAGE : -EBADF;
}

#define CAP_SYS_RESOURCE_BIT 24

int64_t pipe_set_size(struct task *t, struct file *f, uint64_t bytes)
{
    struct pipe *p = pipe_of(f);
    struct pipe_buf *bufs;
    uint32_t slots = 1;

    if (!p) {
        return -EBADF;
    }
    if (bytes > 1u << 31) {
        return -EINVAL;
    }
    while ((uint64_t)slots * PIPE_PAGE < bytes) {
        slots *= 2;
    }
    if (slots > p->slots && slots * PIPE_PAGE > PIPE_BYTES_MAX &&
        !task_capable(t, CAP_SYS_RESOURCE_BIT)) {
        return -EPERM;
    }
    if (slots < p->used) {
        return -EBUSY;
    }
    bufs = kalloc(p->m, slots * sizeof *bufs);
    for (uint32_t i = 0; i < p->slots; i++) {
        struct pipe_buf *b = buf_at(p, i);

        if (i < slots) {
            bufs[i] = *b;
        } else {
            kfree(p->m, b->page);
        }
    }
    kfree(p->m, p->bufs);
    p->bufs = bufs;
    p->slots = slots;
    p->head = 0;
    wake_writers(p);
    return (int64_t)slots * PIPE_PAGE;
}

uint32_t pipe_peek(const struct pipe *p, uint32_t skip_bufs, const unsigned char **data)
{
    const struct pipe_buf *b;

    if (skip_bufs >= p->used) {
        return 0;
    }
    b = buf_at(p, skip_bufs);
    *data = b->page + b->off;
    return b->len;
}

void pipe_consume(struct pipe *p, uint32_t n)
{
    bool was_full = is_full(p);

    while (n > 0) {
        struct pipe_buf *b = buf_at(p, 0);
        uint32_t k = (uint32_t)min_u64(n, b->len);

        ASSERT(p->used > 0);
        b->off += k;
        b->len -= k;
        p->bytes -= k;
        n -= k;
        if (b->len == 0) {
            drop_head(p);
        }
    }
    if (was_full && !is_full(p)) {
        wake_writers(p);
    }
}

uint32_t pipe_room(const struct pipe *p)
{
    return (p->slots - p->used) * PIPE_PAGE;
}
