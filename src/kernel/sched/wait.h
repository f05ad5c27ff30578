/* Wait queues. Anything a task, a poll set or an epoll instance can wait for owns one. */
#ifndef EVERETT_KERNEL_SCHED_WAIT_H
#define EVERETT_KERNEL_SCHED_WAIT_H

#include "base/list.h"
#include "kernel/time/timer.h"

struct machine;
struct task;

struct waitq {
    struct list_head waiters; /* in order of registration */
    struct list_head *cursor; /* next to visit while a wake-up walks the queue, else NULL */
};

struct waiter {
    struct list_head link;
    struct waitq *q; /* NULL while not queued */
    uint32_t mask;   /* ABI_POLL* bits it cares about; 0 = any */
    bool exclusive;  /* at most one exclusive waiter is woken per waitq_wake */
    /* Called with the bits that became ready. Returns true if it took the event (counts as the one
     * exclusive wake-up). Must not free the waitq. */
    bool (*wake)(struct machine *m, struct waiter *w, uint32_t mask);
};

void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_del(struct waiter *w); /* harmless when not queued */

/* Wakes every waiter interested in `mask`; of the exclusive ones only the first that takes it. */
void waitq_wake(struct machine *m, struct waitq *q, uint32_t mask);
/* Wakes all waiters and detaches them: the queue's owner is about to be freed. */
void waitq_fini(struct machine *m, struct waitq *q);

/* --- for system call handlers ------------------------------------------------------------------
 * A handler never sleeps. It registers what it waits for and returns sys_block(); the task sleeps;
 * after a wake-up (possibly spurious) every registration is gone and the handler runs again from
 * its beginning with task->call.retry set. State between attempts lives in task->call only. */

/* Registers the current task on q for `mask` (0 = any). May be called many times per attempt. */
void task_wait_on(struct task *t, struct waitq *q, uint32_t mask);
/* Also wakes at `when` (VTIME_NEVER: no limit). The handler compares the clock itself. */
void task_wait_until(struct task *t, vtime when);
/* The absolute deadline of this call: now + timeout_ns on the first attempt, the same value on
 * later ones. */
vtime task_call_deadline(struct task *t, uint64_t timeout_ns);

/* Forgets every registration of the task. Done by task_wake and at the end of a call. */
void task_cancel_waits(struct task *t);

#endif
