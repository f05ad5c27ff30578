/* pidfd_open(2). The file hears of the end of its process through the process's child_wait queue,
 * which is woken at exit and ends when the process is reaped. */
#include "kernel/vfs/special/pidfd.h"

#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/text.h"
#include "kernel/vfs/vfs.h"

struct pidfd {
    struct waiter waiter; /* on process->child_wait */
    struct waitq wq;
    struct process *process; /* NULL: reaped */
    abi_pid pid;
};

static bool process_changed(struct machine *m, struct waiter *w, uint32_t mask)
{
    struct pidfd *d = container_of(w, struct pidfd, waiter);

    if (!w->q) {
        d->process = NULL;
    }
    if (!d->process || d->process->zombie) {
        waitq_wake(m, &d->wq, ABI_POLLIN | ABI_POLLRDNORM);
    }
    return true;
}

static uint32_t pidfd_poll(struct file *f)
{
    const struct pidfd *d = f->priv;

    return !d->process || d->process->zombie ? ABI_POLLIN | ABI_POLLRDNORM : 0;
}

static void pidfd_release(struct machine *m, struct file *f)
{
    struct pidfd *d = f->priv;

    waitq_del(&d->waiter);
    waitq_fini(m, &d->wq);
    kfree(m, d);
}

static const struct file_ops pidfd_ops = {
    .name = "pidfd", .poll = pidfd_poll, .release = pidfd_release};

struct file *pidfd_create(struct process *p, uint32_t flags)
{
    struct pidfd *d = KALLOC(p->m, struct pidfd);

    waitq_init(&d->wq);
    list_init(&d->waiter.link);
    d->waiter.wake = process_changed;
    d->process = p;
    d->pid = p->pid;
    waitq_add(&p->child_wait, &d->waiter);
    return anon_file_create(p->m, &pidfd_ops, "[pidfd]", O_RDWR | (flags & O_NONBLOCK), d, &d->wq);
}

bool file_is_pidfd(const struct file *f)
{
    return f->ops == &pidfd_ops;
}

struct process *pidfd_process(const struct file *f)
{
    return ((const struct pidfd *)f->priv)->process;
}

void pidfd_info(struct text *x, const struct file *f)
{
    const struct pidfd *d = f->priv;
    int pid = d->process ? d->pid : -1;

    text_printf(x, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}
