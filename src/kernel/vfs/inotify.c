#include "kernel/vfs/inotify.h"

#include <linux/inotify.h>

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/task/task.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/vfs.h"

#define QUEUE_MAX   16384u   /* fs.inotify.max_queued_events */
#define WATCHES_MAX 1048576u /* fs.inotify.max_user_watches */
#define NAME_STEP   16u      /* names are padded to a multiple of struct inotify_event */

struct watch {
    struct list_head in_instance, in_inode;
    struct inotify *owner;
    struct inode *inode; /* counted */
    int wd;
    uint32_t mask;
};

struct notice {
    struct list_head link;
    int wd;
    uint32_t mask, cookie, len;
    char name[];
};

struct inotify {
    struct machine *m;
    struct waitq wq;
    struct list_head watches, queue;
    uint32_t queued, watch_count;
    int next_wd;
    bool overflowed;
};

/* inode->watches */
struct watch_list {
    struct list_head watches;
};

static uint32_t padded(uint32_t len)
{
    return len ? (uint32_t)round_up_u64(len + 1ul, NAME_STEP) : 0;
}

static void append(struct inotify *in, int wd, uint32_t mask, uint32_t cookie, const char *name,
                   uint32_t len)
{
    if (!list_empty(&in->queue)) { /* identical neighbours merge (inotify(7)) */
        const struct notice *n = list_last_entry(&in->queue, struct notice, link);
        if (n->wd == wd && n->mask == mask && n->cookie == cookie && n->len == len &&
            (!len || !memcmp(n->name, name, len))) {
            return;
        }
    }
    struct notice *n = kalloc(in->m, sizeof *n + len);
    n->wd = wd;
    n->mask = mask;
    n->cookie = cookie;
    n->len = len;
    if (len) {
        memcpy(n->name, name, len);
    }
    list_add_tail(&in->queue, &n->link);
    in->queued++;
    waitq_wake(in->m, &in->wq, ABI_POLLIN | ABI_POLLRDNORM);
}

static void post(struct inotify *in, int wd, uint32_t mask, uint32_t cookie, const char *name,
                 uint32_t len)
{
    if (in->queued < QUEUE_MAX) {
        append(in, wd, mask, cookie, name, len);
    } else if (!in->overflowed) {
        in->overflowed = true;
        append(in, -1, IN_Q_OVERFLOW, 0, NULL, 0);
    }
}

static void watch_end(struct watch *w)
{
    struct inotify *in = w->owner;
    struct inode *i = w->inode;
    struct watch_list *l = i->watches;
    list_del(&w->in_instance);
    list_del(&w->in_inode);
    in->watch_count--;
    kfree(in->m, w);
    if (list_empty(&l->watches)) {
        i->watches = NULL;
        kfree(in->m, l);
    }
    inode_put(i);
}

void inotify_event(struct inode *i, uint32_t mask, uint32_t cookie, const char *name, uint32_t len)
{
    struct watch_list *l = i->watches;
    struct watch *w, *tmp;
    inode_get(i); /* a one-shot watch may hold the last reference */
    list_for_each_entry_safe (w, tmp, &l->watches, in_inode) {
        if (!(w->mask & mask & IN_ALL_EVENTS)) {
            continue;
        }
        struct inotify *in = w->owner;
        int wd = w->wd;
        post(in, wd, mask, cookie, name, len);
        if (w->mask & IN_ONESHOT) {
            bool last = w->in_inode.next == &l->watches && w->in_inode.prev == &l->watches;
            watch_end(w);
            post(in, wd, IN_IGNORED, 0, NULL, 0);
            if (last) {
                break; /* the list itself is gone */
            }
        }
    }
    inode_put(i);
}

void inotify_forget(struct inode *i)
{
    inode_get(i);
    while (i->watches) {
        struct watch_list *l = i->watches;
        struct watch *w = list_first_entry(&l->watches, struct watch, in_inode);
        struct inotify *in = w->owner;
        int wd = w->wd;
        watch_end(w);
        post(in, wd, IN_IGNORED, 0, NULL, 0);
    }
    inode_put(i);
}

int inotify_add(struct file *f, struct inode *i, uint32_t mask)
{
    struct inotify *in = f->priv;
    struct watch_list *l = i->watches;
    struct watch *w;
    uint32_t kept = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
    if (l) {
        list_for_each_entry (w, &l->watches, in_inode) {
            if (w->owner == in) {
                if (mask & IN_MASK_CREATE) {
                    return -EEXIST;
                }
                w->mask = mask & IN_MASK_ADD ? w->mask | kept : kept;
                return w->wd;
            }
        }
    }
    if (in->watch_count >= WATCHES_MAX) {
        return -ENOSPC;
    }
    if (!l) {
        l = KALLOC(in->m, struct watch_list);
        list_init(&l->watches);
        i->watches = l;
    }
    w = KALLOC(in->m, struct watch);
    w->owner = in;
    w->inode = inode_get(i);
    w->wd = ++in->next_wd;
    w->mask = kept;
    list_add_tail(&l->watches, &w->in_inode);
    list_add_tail(&in->watches, &w->in_instance);
    in->watch_count++;
    return w->wd;
}

int inotify_remove(struct file *f, int wd)
{
    struct inotify *in = f->priv;
    struct watch *w;
    list_for_each_entry (w, &in->watches, in_instance) {
        if (w->wd == wd) {
            watch_end(w);
            post(in, wd, IN_IGNORED, 0, NULL, 0);
            return 0;
        }
    }
    return -EINVAL;
}

/* --- the file --------------------------------------------------------------------------------- */

static void drop_first(struct inotify *in)
{
    struct notice *n = list_first_entry(&in->queue, struct notice, link);
    if (n->mask & IN_Q_OVERFLOW) {
        in->overflowed = false;
    }
    list_del(&n->link);
    in->queued--;
    kfree(in->m, n);
}

static int64_t inotify_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    struct inotify *in = f->priv;
    int64_t done = 0;
    if (list_empty(&in->queue)) {
        return -EAGAIN;
    }
    while (!list_empty(&in->queue)) {
        const struct notice *n = list_first_entry(&in->queue, struct notice, link);
        struct inotify_event head = {n->wd, n->mask, n->cookie, padded(n->len)};
        if (to->left < sizeof head + head.len) {
            return done ? done : -EINVAL;
        }
        if (uio_copy_to(to, &head, sizeof head) != (int64_t)sizeof head ||
            uio_copy_to(to, n->name, n->len) != (int64_t)n->len ||
            uio_zero(to, head.len - n->len) != (int64_t)(head.len - n->len)) {
            return done ? done : -EFAULT;
        }
        done += (int64_t)(sizeof head + head.len);
        drop_first(in);
    }
    return done;
}

static uint32_t inotify_poll(struct file *f)
{
    const struct inotify *in = f->priv;
    return list_empty(&in->queue) ? 0 : ABI_POLLIN | ABI_POLLRDNORM;
}

static int64_t inotify_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    const struct inotify *in = f->priv;
    uint32_t bytes = 0;
    if (cmd != 0x541b) { /* FIONREAD */
        return -ENOTTY;
    }
    const struct notice *n;
    list_for_each_entry (n, &in->queue, link) {
        bytes += (uint32_t)sizeof(struct inotify_event) + padded(n->len);
    }
    return user_write_u32(t, gaddr_of(arg), bytes);
}

static void inotify_release(struct machine *m, struct file *f)
{
    struct inotify *in = f->priv;
    while (!list_empty(&in->watches)) {
        watch_end(list_first_entry(&in->watches, struct watch, in_instance));
    }
    while (!list_empty(&in->queue)) {
        drop_first(in);
    }
    waitq_fini(m, &in->wq);
    kfree(m, in);
}

static const struct file_ops inotify_file_ops = {
    .name = "inotify",
    .read = inotify_read,
    .poll = inotify_poll,
    .ioctl = inotify_ioctl,
    .release = inotify_release,
};

bool file_is_inotify(const struct file *f)
{
    return f->ops == &inotify_file_ops;
}

struct file *inotify_create(struct machine *m, uint32_t flags)
{
    struct inotify *in = KALLOC(m, struct inotify);
    struct file *f = file_create(m, &inotify_file_ops, O_RDONLY | flags);
    in->m = m;
    waitq_init(&in->wq);
    list_init(&in->watches);
    list_init(&in->queue);
    f->priv = in;
    f->wq = &in->wq;
    f->inode = anon_inode_create(m, "inotify", 0600);
    return f;
}
