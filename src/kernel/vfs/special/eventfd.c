/* eventfd(2). */
#include "kernel/vfs/special/eventfd.h"

#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/vfs.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
    struct waitq wq;
    uint64_t count;
    bool semaphore;
};

static int64_t eventfd_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct eventfd *e = f->priv;
    uint64_t value = e->semaphore ? 1 : e->count;
    int64_t r;

    if (to->left < sizeof value) {
        return -EINVAL;
    }
    if (e->count == 0) {
        return -EAGAIN;
    }
    /* Linux takes the value before it copies: a fault loses it. */
    e->count -= value;
    waitq_wake(f->m, &e->wq, ABI_POLLOUT);
    r = uio_copy_to(to, &value, sizeof value);
    return r < 0 || r == sizeof value ? r : -EFAULT;
}

static int64_t eventfd_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    struct eventfd *e = f->priv;
    uint64_t value = 0;

    if (from->left < sizeof value) {
        return -EINVAL;
    }
    if (uio_copy_from(from, &value, sizeof value) != sizeof value) {
        return -EFAULT;
    }
    if (value == UINT64_MAX) {
        return -EINVAL;
    }
    if (value > COUNT_MAX - e->count) {
        return -EAGAIN;
    }
    e->count += value;
    waitq_wake(f->m, &e->wq, ABI_POLLIN);
    return sizeof value;
}

static uint32_t eventfd_poll(struct file *f)
{
    const struct eventfd *e = f->priv;
    uint32_t ready = 0;

    ready |= e->count > 0 ? ABI_POLLIN : 0;
    ready |= e->count == UINT64_MAX ? ABI_POLLERR : 0;
    ready |= e->count < COUNT_MAX ? ABI_POLLOUT : 0;
    return ready;
}

static void eventfd_release(struct machine *m, struct file *f)
{
    struct eventfd *e = f->priv;

    waitq_fini(m, &e->wq);
    kfree(m, e);
}

static const struct file_ops eventfd_ops = {
    .name = "eventfd",
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .lseek = anon_lseek,
    .release = eventfd_release,
};

struct file *eventfd_create(struct machine *m, uint32_t count, bool semaphore, uint32_t flags)
{
    struct eventfd *e = KALLOC(m, struct eventfd);

    waitq_init(&e->wq);
    e->count = count;
    e->semaphore = semaphore;
    return anon_file_create(m, &eventfd_ops, "[eventfd]", O_RDWR | (flags & O_NONBLOCK), e, &e->wq);
}

bool eventfd_count(const struct file *f, uint64_t *count)
{
    if (f->ops != &eventfd_ops) {
        return false;
    }
    *count = ((const struct eventfd *)f->priv)->count;
    return true;
}
