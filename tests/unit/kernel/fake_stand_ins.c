/* Weak stand-ins for parts of the kernel that a unit test does not link: allocator over libc, wait
 * queues, waiting, timers, tracing, signals. Each is the contract of its header, nothing more. */
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "kernel/mm/mm.h"
#include "kernel/signal/signal.h"
#include "kernel/trace/trace.h"

#define weak __attribute__((weak))

/* --- allocator: each block is one of libc's, so that the sanitizers watch it ------------------ */

struct block {
    struct block *next, *prev;
    size_t size;
    size_t align;
};

weak void *kalloc(struct machine *m, size_t size)
{
    struct fake_machine *fm = fake_of(m);
    struct block *b = calloc(1, sizeof *b + size);
    if (!b) {
        abort();
    }
    b->size = size;
    b->next = fm->blocks;
    if (b->next) {
        b->next->prev = b;
    }
    fm->blocks = b;
    fm->allocations++;
    fm->live++;
    return b + 1;
}

weak void kfree(struct machine *m, void *p)
{
    struct fake_machine *fm = fake_of(m);
    if (!p) {
        return;
    }
    struct block *b = (struct block *)p - 1;
    if (b->prev) {
        b->prev->next = b->next;
    } else {
        fm->blocks = b->next;
    }
    if (b->next) {
        b->next->prev = b->prev;
    }
    fm->live--;
    free(b);
}

weak void *krealloc(struct machine *m, void *p, size_t size)
{
    void *q = kalloc(m, size);
    if (p) {
        size_t old = ((struct block *)p - 1)->size;
        memcpy(q, p, old < size ? old : size);
        kfree(m, p);
    }
    return q;
}

/* The arena goes away with the machine. */
void fake_blocks_free(struct fake_machine *fm)
{
    while (fm->blocks) {
        struct block *b = fm->blocks;
        fm->blocks = b->next;
        free(b);
    }
}

weak char *kstrdup(struct machine *m, const char *s, size_t len)
{
    char *p = kalloc(m, len + 1);
    memcpy(p, s, len);
    return p;
}

/* --- waiting ---------------------------------------------------------------------------------- */

weak void waitq_init(struct waitq *q)
{
    list_init(&q->waiters);
}

weak void waitq_add(struct waitq *q, struct waiter *w)
{
    w->q = q;
    list_add_tail(&q->waiters, &w->link);
}

weak void waitq_del(struct waiter *w)
{
    if (w->q) {
        list_del(&w->link);
        w->q = NULL;
    }
}

weak void waitq_wake(struct machine *m, struct waitq *q, uint32_t mask)
{
    bool exclusive_taken = false;
    struct waiter *w, *tmp;
    list_for_each_entry_safe (w, tmp, &q->waiters, link) {
        if (w->mask && !(w->mask & mask)) {
            continue;
        }
        if (w->exclusive && exclusive_taken) {
            continue;
        }
        bool took = w->wake(m, w, mask);
        exclusive_taken = exclusive_taken || (w->exclusive && took);
    }
}

weak void waitq_fini(struct machine *m, struct waitq *q)
{
    waitq_wake(m, q, ~0u);
    while (!list_empty(&q->waiters)) {
        waitq_del(list_first_entry(&q->waiters, struct waiter, link));
    }
}

weak void task_wait_on(struct task *t, struct waitq *q, uint32_t mask)
{
    fake_of(t->m)->wait_count++;
}

weak void task_wait_until(struct task *t, vtime when)
{
    struct fake_machine *fm = fake_of(t->m);
    if (when < fm->wait_until) {
        fm->wait_until = when;
    }
}

weak vtime task_call_deadline(struct task *t, uint64_t timeout_ns)
{
    if (!t->call.deadline) {
        t->call.deadline = t->m->clock.now + timeout_ns;
    }
    return t->call.deadline;
}

weak void task_wake(struct task *t)
{
}

weak bool task_signal_pending(const struct task *t)
{
    return false;
}

weak bool task_capable(const struct task *t, unsigned cap)
{
    return t->cred.cap_effective >> cap & 1;
}

weak struct task *task_current(struct machine *m)
{
    return m->sched.current;
}

weak struct task *task_find(struct node *n, abi_pid tid)
{
    return tid > 0 && (uint32_t)tid < n->pid_cap ? n->pids[tid] : NULL;
}

weak struct process *process_find(struct node *n, abi_pid pid)
{
    struct task *t = task_find(n, pid);
    return t && t->process->pid == pid ? t->process : NULL;
}

/* --- timers: one armed timer at a time is fired by fake_advance ------------------------------- */

weak unsigned timer_run_due(struct machine *m)
{
    unsigned fired = 0;
    for (;;) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < m->timers.count; i++) {
            struct timer *t = m->timers.items[i];
            if (t->when <= m->clock.now &&
                (best == UINT32_MAX || t->when < m->timers.items[best]->when)) {
                best = i;
            }
        }
        if (best == UINT32_MAX) {
            return fired;
        }
        struct timer *t = m->timers.items[best];
        timer_disarm(m, t);
        t->fire(m, t);
        fired++;
    }
}

weak void timer_arm(struct machine *m, struct timer *t, vtime when, uint32_t node,
                    void (*fire)(struct machine *m, struct timer *t))
{
    struct timer_heap *h = &m->timers;
    timer_disarm(m, t);
    if (h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->items = krealloc(m, h->items, h->cap * sizeof *h->items);
    }
    t->when = when;
    t->node = node;
    t->fire = fire;
    t->seq = h->next_seq++;
    h->items[h->count++] = t;
    t->index = h->count;
}

weak void timer_disarm(struct machine *m, struct timer *t)
{
    struct timer_heap *h = &m->timers;
    if (!t->index) {
        return;
    }
    for (uint32_t i = t->index; i < h->count; i++) {
        h->items[i - 1] = h->items[i];
        h->items[i - 1]->index = i;
    }
    h->count--;
    t->index = 0;
}

weak vtime timer_next(const struct machine *m)
{
    vtime next = VTIME_NEVER;
    for (uint32_t i = 0; i < m->timers.count; i++) {
        next = min_u64(next, m->timers.items[i]->when);
    }
    return next;
}

void fake_advance(struct fake_machine *fm, uint64_t ns)
{
    fm->m.clock.now += ns;
    timer_run_due(&fm->m);
}

/* --- tracing and signals ---------------------------------------------------------------------- */

weak void trace_event(struct machine *m, enum event_type type, const struct node *node,
                      uint32_t pid, const struct trace_part *parts, unsigned nparts)
{
    unsigned char buf[sizeof(struct event) + 65536] = {0};
    struct event *e = (struct event *)buf;
    size_t at = sizeof *e;
    for (unsigned i = 0; i < nparts; i++) {
        if (at + parts[i].len > sizeof buf) {
            abort();
        }
        memcpy(buf + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    e->type = (uint16_t)type;
    e->node = node ? (uint16_t)node->index : EVENT_NO_NODE;
    e->vtime_ns = m->clock.now;
    e->seq = m->trace.seq++;
    e->pid = pid;
    e->length = (uint32_t)(at - sizeof *e);
    e->size = (uint32_t)round_up_u64(at, 8);
    m->port->emit(buf, e->size);
}

weak void trace_text(struct machine *m, enum event_type type, const struct node *node,
                     const char *text, size_t len)
{
    struct trace_part part = {text, len};
    trace_event(m, type, node, 0, &part, 1);
}

weak void trace_unknown(struct task *t, const char *what, uint64_t number, uint64_t detail,
                        int answered)
{
    fake_of(t->m)->unknowns++;
}

weak void trace_decision(struct machine *m, uint32_t stream, const struct node *node,
                         uint64_t index, uint64_t value, const char *what)
{
}

weak void trace_mix(struct machine *m, uint64_t a, uint64_t b)
{
}

weak int signal_send_process(struct process *p, const struct siginfo *info)
{
    fake_of(p->m)->last_signal = (uint32_t)info->signo;
    return 0;
}

weak int signal_send_task(struct task *t, const struct siginfo *info)
{
    fake_of(t->m)->last_signal = (uint32_t)info->signo;
    return 0;
}

weak void signal_kernel(struct process *p, int signo)
{
    fake_of(p->m)->last_signal = (uint32_t)signo;
}

weak void signal_pipe(struct task *t)
{
    fake_of(t->m)->sigpipes++;
}

/* --- guest memory: the contract of mm/usercopy.h over the port -------------------------------- */

weak bool gaddr_range_ok(gaddr a, uint64_t n)
{
    return a.va + n >= a.va && a.va >= FAKE_GUEST_BASE &&
           a.va + n <= FAKE_GUEST_BASE + FAKE_GUEST_BYTES;
}

weak size_t user_read_some(struct task *t, void *dst, gaddr src, size_t n)
{
    return n - t->m->port->copy_in(dst, src.va, n);
}

weak size_t user_write_some(struct task *t, gaddr dst, const void *src, size_t n)
{
    return n - t->m->port->copy_out(dst.va, src, n);
}

weak int user_read(struct task *t, void *dst, gaddr src, size_t n)
{
    return user_read_some(t, dst, src, n) == n ? 0 : -EFAULT;
}

weak int user_write(struct task *t, gaddr dst, const void *src, size_t n)
{
    return user_write_some(t, dst, src, n) == n ? 0 : -EFAULT;
}

weak int user_zero(struct task *t, gaddr dst, size_t n)
{
    return t->m->port->zero_out(dst.va, n) ? -EFAULT : 0;
}

weak int64_t user_read_str(struct task *t, char *dst, gaddr src, size_t cap)
{
    for (size_t i = 0; i < cap; i++) {
        if (user_read(t, dst + i, gaddr_add(src, i), 1)) {
            return -EFAULT;
        }
        if (!dst[i]) {
            return (int64_t)i;
        }
    }
    return -ENAMETOOLONG;
}

weak void uio_init_segs(struct uio *u, struct task *t, const struct uio_seg *segs, uint32_t nsegs)
{
    memset(u, 0, sizeof *u);
    u->task = t;
    u->user = true;
    u->segs = segs;
    u->nsegs = nsegs;
    for (uint32_t i = 0; i < nsegs; i++) {
        u->left += segs[i].len;
    }
}

weak void uio_init_user(struct uio *u, struct task *t, gaddr base, uint64_t len)
{
    memset(u, 0, sizeof *u);
    u->task = t;
    u->user = true;
    u->one = (struct uio_seg){base.va, len};
    u->segs = &u->one;
    u->nsegs = 1;
    u->left = len;
}

weak void uio_init_kernel(struct uio *u, void *base, uint64_t len)
{
    memset(u, 0, sizeof *u);
    u->one = (struct uio_seg){(uint64_t)base, len};
    u->segs = &u->one;
    u->nsegs = 1;
    u->left = len;
}

weak int uio_read_iovec(struct task *t, gaddr iov, uint64_t count, struct uio_seg **segs)
{
    if (count > 1024) {
        return -EINVAL;
    }
    struct uio_seg *s = kalloc(t->m, count * sizeof *s + 1);
    if (user_read(t, s, iov, count * sizeof *s)) {
        kfree(t->m, s);
        return -EFAULT;
    }
    *segs = s;
    return 0;
}

enum move { MOVE_TO, MOVE_FROM, MOVE_ZERO };

static size_t move_piece(struct uio *u, uint64_t at, char *kernel, size_t n, enum move how)
{
    if (!u->user) {
        if (how == MOVE_FROM) {
            memcpy(kernel, (const void *)at, n);
        } else if (how == MOVE_TO) {
            memcpy((void *)at, kernel, n);
        } else {
            memset((void *)at, 0, n);
        }
        return n;
    }
    const struct port *p = u->task->m->port;
    switch (how) {
    case MOVE_TO:
        return n - p->copy_out(at, kernel, n);
    case MOVE_FROM:
        return n - p->copy_in(kernel, at, n);
    default:
        return n - p->zero_out(at, n);
    }
}

static int64_t move(struct uio *u, char *kernel, uint64_t n, enum move how)
{
    uint64_t done = 0;
    n = min_u64(n, u->left);
    while (done < n) {
        const struct uio_seg *s = &u->segs[u->seg];
        uint64_t k = min_u64(n - done, s->len - u->off);
        size_t got = move_piece(u, s->base + u->off, kernel ? kernel + done : NULL, k, how);
        done += got;
        u->off += got;
        u->left -= got;
        if (got < k) {
            return done ? (int64_t)done : -EFAULT;
        }
        if (u->off == s->len) {
            u->seg++;
            u->off = 0;
        }
    }
    return (int64_t)done;
}

weak int64_t uio_copy_to(struct uio *u, const void *src, uint64_t n)
{
    return move(u, (char *)(uintptr_t)src, n, MOVE_TO);
}

weak int64_t uio_copy_from(struct uio *u, void *dst, uint64_t n)
{
    return move(u, dst, n, MOVE_FROM);
}

weak int64_t uio_zero(struct uio *u, uint64_t n)
{
    return move(u, NULL, n, MOVE_ZERO);
}

/* --- memory: no mapping is the host's --------------------------------------------------------- */

weak void mm_file_shrunk(struct machine *m, const struct inode *inode, uint64_t end)
{
    (void)m;
    (void)inode;
    (void)end;
}
