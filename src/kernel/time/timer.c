#include "kernel/time/timer.h"

#include "kernel/machine.h"

/* The total order of expiry: time, then node, then order of arming. */
static bool earlier(const struct timer *a, const struct timer *b)
{
    if (a->when != b->when) {
        return a->when < b->when;
    }
    if (a->node != b->node) {
        return a->node < b->node;
    }
    return a->seq < b->seq;
}

static void place(struct timer_heap *h, struct timer *t, uint32_t i)
{
    h->items[i] = t;
    t->index = i + 1;
}

static void sift_up(struct timer_heap *h, struct timer *t, uint32_t i)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (!earlier(t, h->items[parent])) {
            break;
        }
        place(h, h->items[parent], i);
        i = parent;
    }
    place(h, t, i);
}

static void sift_down(struct timer_heap *h, struct timer *t, uint32_t i)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->count) {
            break;
        }
        if (child + 1 < h->count && earlier(h->items[child + 1], h->items[child])) {
            child++;
        }
        if (!earlier(h->items[child], t)) {
            break;
        }
        place(h, h->items[child], i);
        i = child;
    }
    place(h, t, i);
}

static void remove_at(struct timer_heap *h, uint32_t i)
{
    h->items[i]->index = 0;
    struct timer *last = h->items[--h->count];
    if (i == h->count) {
        return;
    }
    sift_down(h, last, i);
    sift_up(h, last, last->index - 1);
}

void timer_arm(struct machine *m, struct timer *t, vtime when, uint32_t node,
               void (*fire)(struct machine *m, struct timer *t))
{
    struct timer_heap *h = &m->timers;
    timer_disarm(m, t);
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->items = krealloc(m, h->items, h->cap * sizeof(struct timer *));
    }
    t->when = when;
    t->node = node;
    t->fire = fire;
    t->seq = h->next_seq++;
    sift_up(h, t, h->count++);
}

void timer_disarm(struct machine *m, struct timer *t)
{
    if (timer_armed(t)) {
        remove_at(&m->timers, t->index - 1);
    }
}

vtime timer_next(const struct machine *m)
{
    return m->timers.count ? m->timers.items[0]->when : VTIME_NEVER;
}

unsigned timer_run_due(struct machine *m)
{
    unsigned n = 0;
    while (m->timers.count > 0 && m->timers.items[0]->when <= m->clock.now) {
        struct timer *t = m->timers.items[0];
        remove_at(&m->timers, 0);
        t->fire(m, t);
        n++;
    }
    return n;
}
