#include "kernel/sched/wait.h"

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"

void waitq_init(struct waitq *q)
{
    list_init(&q->waiters);
    q->cursor = NULL;
}

void waitq_add(struct waitq *q, struct waiter *w)
{
    ASSERT(!w->q);
    w->q = q;
    list_add_tail(&q->waiters, &w->link);
}

void waitq_del(struct waiter *w)
{
    if (w->q) {
        if (w->q->cursor == &w->link) {
            w->q->cursor = w->link.next;
        }
        list_del(&w->link);
        w->q = NULL;
    }
}

/* POLLERR and POLLHUP concern everybody (poll(2)); an empty mask on either side means "anything" */
static bool interested(const struct waiter *w, uint32_t mask)
{
    return !mask || !w->mask || ((w->mask | ABI_POLLERR | ABI_POLLHUP) & mask);
}

/* A wake function may remove its own waiter and others of the same task; waitq_del moves the cursor
 * out of their way. A queue is never woken from its own wake-up: epoll refuses loops. */
void waitq_wake(struct machine *m, struct waitq *q, uint32_t mask)
{
    bool exclusive_done = false;
    ASSERT(!q->cursor);
    q->cursor = q->waiters.next;
    while (q->cursor != &q->waiters) {
        struct waiter *w = list_entry(q->cursor, struct waiter, link);
        q->cursor = q->cursor->next;
        if (!interested(w, mask) || (w->exclusive && exclusive_done)) {
            continue;
        }
        bool exclusive = w->exclusive;
        if (w->wake(m, w, mask) && exclusive) {
            exclusive_done = true;
        }
    }
    q->cursor = NULL;
}

void waitq_fini(struct machine *m, struct waitq *q)
{
    while (!list_empty(&q->waiters)) {
        struct waiter *w = list_first_entry(&q->waiters, struct waiter, link);
        waitq_del(w);
        w->wake(m, w, ABI_POLLHUP | ABI_POLLERR);
    }
}

static bool wake_task(struct machine *m, struct waiter *w, uint32_t mask)
{
    (void)m;
    (void)mask;
    task_wake(container_of(w, struct task_waiter, waiter)->task);
    return true;
}

static struct task_waiter *new_waiter(struct task *t)
{
    if (t->waiters_used < TASK_INLINE_WAITERS) {
        return &t->waiters[t->waiters_used++];
    }
    if (t->heap_used == t->heap_cap) {
        t->heap_cap = t->heap_cap ? t->heap_cap * 2 : 8;
        t->heap_waiters =
            krealloc(t->m, t->heap_waiters, t->heap_cap * sizeof(struct task_waiter *));
    }
    struct task_waiter *w = t->heap_waiters[t->heap_used];
    if (!w) { /* kept for the next long poll of this task */
        w = KALLOC(t->m, struct task_waiter);
        t->heap_waiters[t->heap_used] = w;
    }
    t->heap_used++;
    return w;
}

void task_wait_on(struct task *t, struct waitq *q, uint32_t mask)
{
    struct task_waiter *w = new_waiter(t);
    w->task = t;
    w->waiter.mask = mask;
    w->waiter.exclusive = false;
    w->waiter.wake = wake_task;
    w->waiter.q = NULL;
    waitq_add(q, &w->waiter);
}

static void wait_expired(struct machine *m, struct timer *timer)
{
    (void)m;
    task_wake(container_of(timer, struct task, wait_timer));
}

void task_wait_until(struct task *t, vtime when)
{
    if (when != VTIME_NEVER) {
        timer_arm(t->m, &t->wait_timer, when, t->node->index, wait_expired);
    }
}

vtime task_call_deadline(struct task *t, uint64_t timeout_ns)
{
    if (t->call.deadline == 0) {
        vtime now = t->m->clock.now;
        t->call.deadline = timeout_ns > VTIME_NEVER - 1 - now ? VTIME_NEVER : now + timeout_ns;
        if (t->call.deadline == 0) {
            t->call.deadline = 1;
        }
    }
    return t->call.deadline;
}

void task_cancel_waits(struct task *t)
{
    for (uint32_t i = 0; i < t->waiters_used; i++) {
        waitq_del(&t->waiters[i].waiter);
    }
    for (uint32_t i = 0; i < t->heap_used; i++) {
        waitq_del(&t->heap_waiters[i]->waiter);
    }
    t->waiters_used = 0;
    t->heap_used = 0;
    timer_disarm(t->m, &t->wait_timer);
}
