/* timerfd_create(2). An interval timer is armed for one expiry at a time; a read counts those that
 * went by, as Linux does, so that a short interval nobody reads costs nothing. */
#include "kernel/vfs/special/timerfd.h"

#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/text.h"
#include "kernel/vfs/vfs.h"

struct timerfd {
    struct waitq wq;
    struct timer timer;
    struct machine *m;
    uint32_t node;
    int clock_id;
    uint32_t set_flags;
    vtime expiry;         /* of the armed or last fired timer */
    uint64_t interval_ns; /* 0: once */
    uint64_t ticks;       /* expirations not read yet */
    bool fired;           /* expiry lies behind and the timer is not armed again */
};

static void fire(struct machine *m, struct timer *timer)
{
    struct timerfd *f = container_of(timer, struct timerfd, timer);

    f->fired = true;
    f->ticks++;
    waitq_wake(m, &f->wq, ABI_POLLIN);
}

static void arm(struct timerfd *f)
{
    timer_arm(f->m, &f->timer, f->expiry, f->node, fire);
}

/* Counts the intervals that passed since the timer fired and arms the next one. */
static void forward(struct timerfd *f)
{
    if (f->fired && f->interval_ns) {
        uint64_t passed = (machine_now(f->m) - f->expiry) / f->interval_ns;

        f->ticks += passed;
        f->expiry += (passed + 1) * f->interval_ns;
        f->fired = false;
        arm(f);
    }
}

static int64_t timerfd_read(struct task *t, struct file *file, struct uio *to, uint64_t *pos)
{
    struct timerfd *f = file->priv;
    uint64_t ticks;
    int64_t r;

    if (to->left < sizeof ticks) {
        return -EINVAL;
    }
    if (f->ticks == 0) {
        return -EAGAIN;
    }
    forward(f);
    ticks = f->ticks;
    f->ticks = 0;
    r = uio_copy_to(to, &ticks, sizeof ticks);
    return r < 0 || r == sizeof ticks ? r : -EFAULT;
}

static uint32_t timerfd_poll(struct file *file)
{
    const struct timerfd *f = file->priv;

    return f->ticks ? ABI_POLLIN : 0;
}

static void timerfd_release(struct machine *m, struct file *file)
{
    struct timerfd *f = file->priv;

    timer_disarm(m, &f->timer);
    waitq_fini(m, &f->wq);
    kfree(m, f);
}

static const struct file_ops timerfd_ops = {
    .name = "timerfd",
    .read = timerfd_read,
    .poll = timerfd_poll,
    .lseek = anon_lseek,
    .release = timerfd_release,
};

struct file *timerfd_create(struct task *t, int clock_id, uint32_t flags)
{
    struct timerfd *f = KALLOC(t->m, struct timerfd);

    waitq_init(&f->wq);
    f->m = t->m;
    f->node = t->node->index;
    f->clock_id = clock_id;
    return anon_file_create(t->m, &timerfd_ops, "[timerfd]", O_RDWR | (flags & O_NONBLOCK), f,
                            &f->wq);
}

bool file_is_timerfd(const struct file *f)
{
    return f->ops == &timerfd_ops;
}

void timerfd_get(struct file *file, struct abi_itimerspec *out)
{
    struct timerfd *f = file->priv;
    uint64_t left = 0;

    forward(f);
    if (timer_armed(&f->timer)) {
        vtime now = machine_now(f->m);

        left = f->expiry > now ? f->expiry - now : 1; /* due, but not fired yet */
    }
    out->value = timespec_of_ns(left);
    out->interval = timespec_of_ns(f->interval_ns);
}

void timerfd_set(struct task *t, struct file *file, bool absolute,
                 const struct abi_itimerspec *value, struct abi_itimerspec *old)
{
    struct timerfd *f = file->priv;
    uint64_t ns = timespec_ns(&value->value);
    vtime when = 0;

    timerfd_get(file, old);
    timer_disarm(f->m, &f->timer);
    f->ticks = 0;
    f->fired = false;
    f->set_flags = absolute;
    f->interval_ns = timespec_ns(&value->interval);
    if (ns == 0) {
        return;
    }
    if (absolute) {
        int err = clock_to_vtime(t, f->clock_id, ns, &when);

        ASSERT(err == 0); /* creation accepts only clocks that have a vtime */
    } else {
        when = ns > VTIME_NEVER - 1 - machine_now(f->m) ? VTIME_NEVER - 1 : machine_now(f->m) + ns;
    }
    f->expiry = when;
    arm(f);
}

void timerfd_info(struct text *x, const struct file *file)
{
    const struct timerfd *f = file->priv;
    vtime now = machine_now(f->m);
    uint64_t left = timer_armed(&f->timer) && f->expiry > now ? f->expiry - now : 0;

    text_printf(x,
                "clockid: %d\nticks: %lu\nsettime flags: 0%o\nit_value: (%lu, %lu)\n"
                "it_interval: (%lu, %lu)\n",
                f->clock_id, f->ticks, f->set_flags, (uint64_t)(left / NSEC_PER_SEC),
                (uint64_t)(left % NSEC_PER_SEC), (uint64_t)(f->interval_ns / NSEC_PER_SEC),
                (uint64_t)(f->interval_ns % NSEC_PER_SEC));
}
