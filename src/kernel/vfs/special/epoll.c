/* epoll(7): registrations, their wake-ups, the ready list, nesting. */
#include "kernel/vfs/special/epoll.h"

#include <linux/eventpoll.h>

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/vfs.h"

#define PRIVATE_BITS ((uint32_t)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))
#define ALWAYS_BITS  ((uint32_t)(EPOLLERR | EPOLLHUP))
#define EXCLUSIVE_BITS                                                                             \
    ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE))
#define NESTS_MAX   4 /* EP_MAX_NESTS */
#define BUCKETS_MIN 16u

/* One registration: (file, descriptor) watched by one instance. */
struct epitem {
    struct waiter waiter;       /* on file->wq */
    struct list_head ready;     /* in epoll->ready; empty list when not */
    struct list_head all;       /* in epoll->items, by registration */
    struct list_head file_link; /* in file->epoll_links */
    struct epitem *hash_next;
    struct epoll *ep;
    struct file *file; /* borrowed: its release ends the registration */
    int fd;
    struct abi_epoll_event event;
};

struct epoll {
    struct file *file; /* borrowed: the instance's own */
    struct waitq wq;
    struct list_head ready, items;
    uint32_t ready_count, item_count;
    struct epitem **buckets; /* a power of two of them */
    uint32_t bucket_count;
};

static const struct file_ops epoll_ops;

bool file_is_epoll(const struct file *f)
{
    return f->ops == &epoll_ops;
}

/* --- lookup: a chained hash over numbers, never addresses ------------------------------------- */

static uint32_t hash_of(const struct epoll *ep, uint64_t file_id, int fd)
{
    return (uint32_t)stream_mix(file_id * 31 + (uint32_t)fd) & (ep->bucket_count - 1);
}

static struct epitem *find(const struct epoll *ep, const struct file *f, int fd)
{
    struct epitem *i = ep->buckets[hash_of(ep, f->id, fd)];

    while (i && (i->file != f || i->fd != fd)) {
        i = i->hash_next;
    }
    return i;
}

static void hash_add(struct epoll *ep, struct epitem *i)
{
    struct epitem **b = &ep->buckets[hash_of(ep, i->file->id, i->fd)];

    i->hash_next = *b;
    *b = i;
}

static void hash_grow(struct machine *m, struct epoll *ep)
{
    struct epitem *i;

    if (ep->item_count < 2 * ep->bucket_count) {
        return;
    }
    kfree(m, ep->buckets);
    ep->bucket_count *= 4;
    ep->buckets = kalloc(m, ep->bucket_count * sizeof(struct epitem *));
    list_for_each_entry (i, &ep->items, all) {
        hash_add(ep, i);
    }
}

static void hash_del(struct epoll *ep, struct epitem *i)
{
    struct epitem **b = &ep->buckets[hash_of(ep, i->file->id, i->fd)];

    while (*b != i) {
        b = &(*b)->hash_next;
    }
    *b = i->hash_next;
}

/* --- readiness -------------------------------------------------------------------------------- */

static void mark_ready(struct epoll *ep, struct epitem *i)
{
    if (list_empty(&i->ready)) {
        list_add_tail(&ep->ready, &i->ready);
        ep->ready_count++;
    }
}

static void clear_ready(struct epoll *ep, struct epitem *i)
{
    if (!list_empty(&i->ready)) {
        list_del(&i->ready);
        ep->ready_count--;
    }
}

static uint32_t ready_events(const struct epitem *i)
{
    return file_poll(i->file) & i->event.events;
}

/* Whether a sleeper for `mask` exists: decides if an exclusive wake-up was of use here. */
static bool has_sleeper(const struct epoll *ep)
{
    return !list_empty(&ep->wq.waiters);
}

static bool item_wake(struct machine *m, struct waiter *w, uint32_t mask)
{
    struct epitem *i = container_of(w, struct epitem, waiter);
    struct epoll *ep = i->ep;
    bool slept;

    if (!(i->event.events & ~PRIVATE_BITS)) {
        return false; /* disarmed by EPOLLONESHOT */
    }
    if (mask && !(mask & i->event.events)) {
        return false;
    }
    mark_ready(ep, i);
    slept = has_sleeper(ep);
    waitq_wake(m, &ep->wq, ABI_POLLIN | ABI_POLLRDNORM);
    return slept || !(i->event.events & EPOLLEXCLUSIVE);
}

/* Becomes ready at once if the file already is. */
static void item_check(struct machine *m, struct epitem *i)
{
    if (ready_events(i)) {
        mark_ready(i->ep, i);
        waitq_wake(m, &i->ep->wq, ABI_POLLIN | ABI_POLLRDNORM);
    }
}

static uint32_t epoll_poll(struct file *f)
{
    struct epoll *ep = f->priv;
    struct epitem *i, *tmp;

    /* Items may have lost their readiness since: look, and forget those that have. */
    list_for_each_entry_safe (i, tmp, &ep->ready, ready) {
        if (ready_events(i)) {
            return ABI_POLLIN | ABI_POLLRDNORM;
        }
        clear_ready(ep, i);
    }
    return 0;
}

int64_t epoll_collect(struct task *t, struct file *ep_file, gaddr events, uint32_t max)
{
    struct epoll *ep = ep_file->priv;
    uint32_t n = 0;

    for (uint32_t left = ep->ready_count; left > 0 && n < max; left--) {
        struct epitem *i = list_first_entry(&ep->ready, struct epitem, ready);
        struct abi_epoll_event ev = {ready_events(i), i->event.data};

        clear_ready(ep, i);
        if (!ev.events) {
            continue;
        }
        if (user_write(t, gaddr_add(events, n * sizeof ev), &ev, sizeof ev)) {
            list_add(&ep->ready, &i->ready);
            ep->ready_count++;
            return n ? (int64_t)n : -EFAULT;
        }
        n++;
        if (i->event.events & EPOLLONESHOT) {
            i->event.events &= PRIVATE_BITS;
        } else if (!(i->event.events & EPOLLET)) {
            mark_ready(ep, i);
        }
    }
    return n;
}

void epoll_wait_on(struct task *t, struct file *ep_file)
{
    struct epoll *ep = ep_file->priv;

    task_wait_on(t, &ep->wq, ABI_POLLIN);
}

/* --- registrations ---------------------------------------------------------------------------- */

static void item_remove(struct machine *m, struct epitem *i)
{
    struct epoll *ep = i->ep;

    waitq_del(&i->waiter);
    clear_ready(ep, i);
    hash_del(ep, i);
    list_del(&i->all);
    list_del(&i->file_link);
    ep->item_count--;
    kfree(m, i);
}

void epoll_file_released(struct file *f)
{
    struct epitem *i, *tmp;

    if (!f->epoll_links.next) {
        return;
    }
    list_for_each_entry_safe (i, tmp, &f->epoll_links, file_link) {
        item_remove(f->m, i);
    }
}

/* Length of the longest chain of instances below `f`, counting it; more than NESTS_MAX + 1 if it
 * is too long or contains `loop`. */
static int depth_below(const struct file *f, const struct file *loop, int level)
{
    const struct epoll *ep = f->priv;
    const struct epitem *i;
    int deepest = 0;

    if (f == loop || level > NESTS_MAX) {
        return NESTS_MAX + 2;
    }
    list_for_each_entry (i, &ep->items, all) {
        if (file_is_epoll(i->file)) {
            int d = depth_below(i->file, loop, level + 1);

            deepest = d > deepest ? d : deepest;
        }
    }
    return deepest + 1;
}

/* Length of the longest chain of instances that watch `f`, without it. */
static int depth_above(const struct file *f, int level)
{
    const struct epitem *i;
    int deepest = 0;

    if (level > NESTS_MAX) {
        return level;
    }
    list_for_each_entry (i, &f->epoll_links, file_link) {
        int d = 1 + depth_above(i->ep->file, level + 1);

        deepest = d > deepest ? d : deepest;
    }
    return deepest;
}

static int add_item(struct file *ep_file, int fd, struct file *target,
                    const struct abi_epoll_event *ev)
{
    struct machine *m = ep_file->m;
    struct epoll *ep = ep_file->priv;
    struct epitem *i;

    if (file_is_epoll(target) &&
        depth_below(target, ep_file, 0) + depth_above(ep_file, 0) > NESTS_MAX) {
        return -ELOOP;
    }
    i = KALLOC(m, struct epitem);
    i->ep = ep;
    i->file = target;
    i->fd = fd;
    i->event = *ev;
    i->event.events |= ALWAYS_BITS;
    list_init(&i->ready);
    list_add_tail(&ep->items, &i->all);
    list_add_tail(&target->epoll_links, &i->file_link);
    ep->item_count++;
    hash_add(ep, i);
    hash_grow(m, ep);
    i->waiter.exclusive = (ev->events & EPOLLEXCLUSIVE) != 0;
    i->waiter.wake = item_wake;
    list_init(&i->waiter.link);
    /* A poll function may create the queue's feed on first use (signalfd): poll, then look. */
    (void)file_poll(target);
    if (target->wq) {
        waitq_add(target->wq, &i->waiter);
    }
    item_check(m, i);
    return 0;
}

int epoll_control(struct file *ep_file, int op, int fd, struct file *target,
                  const struct abi_epoll_event *ev)
{
    struct epoll *ep;
    struct epitem *i;

    if (!target->ops->poll) {
        return -EPERM;
    }
    if (ep_file == target || !file_is_epoll(ep_file)) {
        return -EINVAL;
    }
    if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE)) {
        if (op == EPOLL_CTL_MOD || file_is_epoll(target) || (ev->events & ~EXCLUSIVE_BITS)) {
            return -EINVAL;
        }
    }
    ep = ep_file->priv;
    i = find(ep, target, fd);
    switch (op) {
    case EPOLL_CTL_ADD:
        return i ? -EEXIST : add_item(ep_file, fd, target, ev);
    case EPOLL_CTL_DEL:
        if (!i) {
            return -ENOENT;
        }
        item_remove(ep_file->m, i);
        return 0;
    case EPOLL_CTL_MOD:
        if (!i) {
            return -ENOENT;
        }
        if (i->event.events & EPOLLEXCLUSIVE) {
            return -EINVAL;
        }
        i->event = *ev;
        i->event.events |= ALWAYS_BITS;
        item_check(ep_file->m, i);
        return 0;
    default:
        return -EINVAL;
    }
}

/* --- the instance ----------------------------------------------------------------------------- */

static void epoll_release(struct machine *m, struct file *f)
{
    struct epoll *ep = f->priv;

    while (!list_empty(&ep->items)) {
        item_remove(m, list_first_entry(&ep->items, struct epitem, all));
    }
    waitq_fini(m, &ep->wq);
    kfree(m, ep->buckets);
    kfree(m, ep);
}

static const struct file_ops epoll_ops = {
    .name = "eventpoll",
    .poll = epoll_poll,
    .lseek = anon_lseek,
    .release = epoll_release,
};

struct file *epoll_file_create(struct machine *m)
{
    struct epoll *ep = KALLOC(m, struct epoll);

    waitq_init(&ep->wq);
    list_init(&ep->ready);
    list_init(&ep->items);
    ep->bucket_count = BUCKETS_MIN;
    ep->buckets = kalloc(m, ep->bucket_count * sizeof(struct epitem *));
    ep->file = anon_file_create(m, &epoll_ops, "[eventpoll]", O_RDWR, ep, &ep->wq);
    return ep->file;
}

void epoll_for_each(struct file *ep_file,
                    void (*fn)(void *ctx, int fd, const struct file *target,
                               const struct abi_epoll_event *ev),
                    void *ctx)
{
    const struct epoll *ep = ep_file->priv;
    const struct epitem *i;

    list_for_each_entry (i, &ep->items, all) {
        fn(ctx, i->fd, i->file, &i->event);
    }
}
