/* Shared among the files of kernel/sync only.
 *
 * A waiting thread keeps everything in its call state: a waker finds the thread through its place
 * in a bucket's wait queue and writes there that it was woken. So an interrupted or timed out wait
 * needs no clean-up: leaving the queue is all. */
#ifndef EVERETT_KERNEL_SYNC_FUTEX_PRIV_H
#define EVERETT_KERNEL_SYNC_FUTEX_PRIV_H

#include "kernel/sched/wait.h"
#include "kernel/sync/futex.h"
#include "kernel/task/task.h"

/* Names a futex word. Private words: address space and address. Shared mappings: inode and byte. */
struct futex_key {
    uint64_t object, offset;
};

enum futex_state {
    FUTEX_IDLE = 0,
    FUTEX_WAITING, /* plain: FUTEX_WAIT, FUTEX_WAIT_BITSET */
    FUTEX_WAITING_PI,
    FUTEX_WAITING_MANY, /* futex_waitv: keys in call.held */
    FUTEX_WOKEN,
    FUTEX_OWNER_GONE, /* PI: it gets the lock, and has to write the word itself */
};

/* Lies over task->call.scratch while in futex calls. */
struct futex_wait {
    struct futex_key key;
    uint64_t bitset;
    uint64_t state; /* enum futex_state */
    uint64_t owner; /* PI: task->id of the owner; MANY: number of keys */
    uint64_t index; /* MANY: which one was woken */
};

_Static_assert(sizeof(struct futex_wait) == sizeof(((struct task_call *)0)->scratch),
               "a futex wait fits the call state");

static inline struct futex_wait *futex_wait_of(struct task *t)
{
    return (struct futex_wait *)(void *)t->call.scratch;
}

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
    return a->object == b->object && a->offset == b->offset;
}

#define FUTEX_ANY_BIT 0xffffffffu
#define FUTEX_BUCKETS 256u

struct futexes {
    struct waitq buckets[FUTEX_BUCKETS];
};

/* 0, -EINVAL (unaligned) or -EFAULT. */
int futex_key_get(struct task *t, uint64_t addr, bool shared, struct futex_key *key);
struct waitq *futex_bucket(struct machine *m, const struct futex_key *key);
/* Wakes at most n (at least one, as Linux does for n = 0) plain waiters with a common bit. Returns
 * the count, or -EINVAL if a PI waiter is there. */
int futex_wake_key(struct machine *m, const struct futex_key *key, int n, uint32_t bitset);
/* Queues the current thread on key; its state must be set. */
void futex_enqueue(struct task *t, const struct futex_key *key);
/* The first waiter of that key, or NULL. */
struct task *futex_first_waiter(struct machine *m, const struct futex_key *key);
/* The waiter leaves its sleep with that state. */
void futex_release(struct task *t, enum futex_state state);

struct sysret futex_lock_pi(struct task *t, uint64_t addr, bool shared, vtime deadline,
                            bool try_only);
struct sysret futex_unlock_pi(struct task *t, uint64_t addr, bool shared);
/* `owner` dies: locks others wait for pass to the first of them. */
void futex_pi_owner_died(struct task *owner);

#endif
