/* signalfd(2).
 *
 * What is readable depends on the task that asks. Each task that ever polls or reads the file gets
 * a hook in its own signal queue, which passes arrivals on to the file's queue. */
#include "kernel/vfs/special/signalfd.h"

#include <linux/signalfd.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/text.h"
#include "kernel/vfs/vfs.h"

struct signalfd {
    struct waitq wq;
    struct machine *m;
    uint64_t mask;
    struct list_head hooks;
};

struct hook {
    struct waiter waiter; /* on task->sig.wait */
    struct list_head link;
    struct signalfd *owner;
    uint64_t task_id;
};

static bool hook_wake(struct machine *m, struct waiter *w, uint32_t mask)
{
    struct hook *h = container_of(w, struct hook, waiter);

    waitq_wake(m, &h->owner->wq, ABI_POLLIN);
    if (!w->q) { /* the task is gone */
        list_del(&h->link);
        kfree(m, h);
    }
    return true;
}

static void hook_task(struct signalfd *s, struct task *t)
{
    struct hook *h;

    list_for_each_entry (h, &s->hooks, link) {
        if (h->task_id == t->id) {
            return;
        }
    }
    h = KALLOC(s->m, struct hook);
    h->owner = s;
    h->task_id = t->id;
    h->waiter.wake = hook_wake;
    list_init(&h->waiter.link);
    list_add_tail(&s->hooks, &h->link);
    waitq_add(&t->sig.wait, &h->waiter);
}

static void fill(struct signalfd_siginfo *o, const struct siginfo *i)
{
    memset(o, 0, sizeof *o);
    o->ssi_signo = (uint32_t)i->signo;
    o->ssi_errno = i->error;
    o->ssi_code = i->code;
    if (i->code == -2) { /* SI_TIMER */
        o->ssi_tid = (uint32_t)i->timer.timerid;
        o->ssi_overrun = (uint32_t)i->timer.overrun;
        o->ssi_ptr = i->timer.value;
        o->ssi_int = (int32_t)i->timer.value;
    } else if (i->code <= 0) { /* SI_USER, SI_TKILL, SI_QUEUE ... */
        o->ssi_pid = (uint32_t)i->kill.pid;
        o->ssi_uid = i->kill.uid;
        o->ssi_ptr = i->kill.value;
        o->ssi_int = (int32_t)i->kill.value;
    } else if (i->signo == SIGNAL_CHLD) {
        o->ssi_pid = (uint32_t)i->child.pid;
        o->ssi_uid = i->child.uid;
        o->ssi_status = i->child.status;
        o->ssi_utime = (uint64_t)i->child.utime;
        o->ssi_stime = (uint64_t)i->child.stime;
    } else if (i->signo == SIGNAL_IO) {
        o->ssi_band = (uint32_t)i->poll.band;
        o->ssi_fd = i->poll.fd;
    } else if (i->code < 0x80) {
        o->ssi_addr = i->fault.addr;
    }
}

static int64_t signalfd_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct signalfd *s = f->priv;
    int64_t total = 0;

    hook_task(s, t);
    if (to->left < sizeof(struct signalfd_siginfo)) {
        return -EINVAL;
    }
    while (to->left >= sizeof(struct signalfd_siginfo)) {
        struct signalfd_siginfo out;
        struct siginfo info;
        int64_t r;

        if (!signal_dequeue(t, s->mask, &info)) {
            break;
        }
        fill(&out, &info);
        r = uio_copy_to(to, &out, sizeof out);
        if (r != sizeof out) {
            return total ? total : -EFAULT;
        }
        total += r;
    }
    return total ? total : -EAGAIN;
}

static uint32_t signalfd_poll(struct file *f)
{
    struct signalfd *s = f->priv;
    struct task *t = task_current(f->m);

    if (!t) {
        return 0;
    }
    hook_task(s, t);
    return signal_pending_set(t) & s->mask ? ABI_POLLIN : 0;
}

static void signalfd_release(struct machine *m, struct file *f)
{
    struct signalfd *s = f->priv;

    while (!list_empty(&s->hooks)) {
        struct hook *h = list_first_entry(&s->hooks, struct hook, link);

        waitq_del(&h->waiter);
        list_del(&h->link);
        kfree(m, h);
    }
    waitq_fini(m, &s->wq);
    kfree(m, s);
}

static const struct file_ops signalfd_ops = {
    .name = "signalfd",
    .read = signalfd_read,
    .poll = signalfd_poll,
    .lseek = anon_lseek,
    .release = signalfd_release,
};

struct file *signalfd_create(struct machine *m, uint64_t mask, uint32_t flags)
{
    struct signalfd *s = KALLOC(m, struct signalfd);

    waitq_init(&s->wq);
    list_init(&s->hooks);
    s->m = m;
    s->mask = mask;
    return anon_file_create(m, &signalfd_ops, "[signalfd]", O_RDWR | (flags & O_NONBLOCK), s,
                            &s->wq);
}

bool file_is_signalfd(const struct file *f)
{
    return f->ops == &signalfd_ops;
}

void signalfd_set_mask(struct file *f, uint64_t mask)
{
    struct signalfd *s = f->priv;

    s->mask = mask;
    waitq_wake(f->m, &s->wq, ABI_POLLIN);
}

void signalfd_info(struct text *x, const struct file *f)
{
    text_printf(x, "sigmask:\t%016lx\n", ((const struct signalfd *)f->priv)->mask);
}
