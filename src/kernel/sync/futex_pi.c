/* Priority-inheritance futexes (futex(2), FUTEX_LOCK_PI). There are no priorities to inherit, since
 * one thread runs at a time and all are equal; what remains is ownership: the word holds the
 * owner's thread id, and unlocking hands it to the first waiter. */
#include "kernel/sync/futex_priv.h"

#include <linux/futex.h>

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/sysret.h"

/* Later waiters follow a change of owner. */
static void set_owner(struct machine *m, const struct futex_key *key, uint64_t owner)
{
    struct waiter *w;
    list_for_each_entry (w, &futex_bucket(m, key)->waiters, link) {
        struct task *t = container_of(w, struct task_waiter, waiter)->task;
        struct futex_wait *fw = futex_wait_of(t);
        if (fw->state == FUTEX_WAITING_PI && futex_key_equal(&fw->key, key)) {
            fw->owner = owner;
        }
    }
}

static struct sysret take_over(struct task *t, uint64_t addr)
{
    struct futex_wait *fw = futex_wait_of(t);
    if (fw->state == FUTEX_WOKEN) {
        return sys_done(0);
    }
    ASSERT(fw->state == FUTEX_OWNER_GONE);
    uint32_t word = (uint32_t)t->tid | FUTEX_OWNER_DIED;
    if (futex_first_waiter(t->m, &fw->key)) {
        word |= FUTEX_WAITERS;
    }
    return sys_done(user_write_u32(t, gaddr_of(addr), word));
}

struct sysret futex_lock_pi(struct task *t, uint64_t addr, bool shared, vtime deadline,
                            bool try_only)
{
    struct futex_wait *fw = futex_wait_of(t);
    uint32_t word;
    struct futex_key key;
    if (fw->state == FUTEX_WOKEN || fw->state == FUTEX_OWNER_GONE) {
        return take_over(t, addr);
    }
    /* Woken for another reason: the lock may have become free meanwhile, so start over. */
    if (fw->state == FUTEX_WAITING_PI && machine_now(t->m) >= deadline) {
        return sys_done(-ETIMEDOUT);
    }
    int error = futex_key_get(t, addr, shared, &key);
    if (error) {
        return sys_done(error);
    }
    if (user_read_u32(t, &word, gaddr_of(addr))) {
        return sys_done(-EFAULT);
    }
    uint32_t owner_tid = word & FUTEX_TID_MASK;
    if (owner_tid == (uint32_t)t->tid) {
        return sys_done(-EDEADLK);
    }
    struct task *first = futex_first_waiter(t->m, &key);
    if (first && futex_wait_of(first)->state != FUTEX_WAITING_PI) {
        return sys_done(-EINVAL);
    }
    if (owner_tid == 0 && !first) {
        word = (word & FUTEX_OWNER_DIED) | (uint32_t)t->tid;
        return sys_done(user_write_u32(t, gaddr_of(addr), word));
    }
    struct task *owner = task_find(t->node, (abi_pid)owner_tid);
    if (!owner && !first) {
        return sys_done(-ESRCH);
    }
    if (try_only) {
        return sys_done(-EAGAIN);
    }
    if (user_write_u32(t, gaddr_of(addr), word | FUTEX_WAITERS)) {
        return sys_done(-EFAULT);
    }
    if (machine_now(t->m) >= deadline) {
        return sys_done(-ETIMEDOUT);
    }
    *fw = (struct futex_wait){.key = key,
                              .state = FUTEX_WAITING_PI,
                              .owner = owner ? owner->id : futex_wait_of(first)->owner};
    futex_enqueue(t, &key);
    task_wait_until(t, deadline);
    return sys_block_or(-ERESTARTNOINTR);
}

struct sysret futex_unlock_pi(struct task *t, uint64_t addr, bool shared)
{
    struct futex_key key;
    uint32_t word;
    int error = futex_key_get(t, addr, shared, &key);
    if (error) {
        return sys_done(error);
    }
    if (user_read_u32(t, &word, gaddr_of(addr))) {
        return sys_done(-EFAULT);
    }
    if ((word & FUTEX_TID_MASK) != (uint32_t)t->tid) {
        return sys_done(-EPERM);
    }
    struct task *next = futex_first_waiter(t->m, &key);
    if (!next) {
        return sys_done(user_write_u32(t, gaddr_of(addr), 0));
    }
    if (futex_wait_of(next)->state != FUTEX_WAITING_PI) {
        return sys_done(-EINVAL);
    }
    /* WAITERS stays set: the new owner then unlocks through the kernel, which finds out. */
    if (user_write_u32(t, gaddr_of(addr), FUTEX_WAITERS | (uint32_t)next->tid)) {
        return sys_done(-EFAULT);
    }
    futex_release(next, FUTEX_WOKEN);
    set_owner(t->m, &key, next->id);
    return sys_done(0);
}

/* First waiter, in bucket order, of a lock that `owner` held. */
static struct task *orphaned_waiter(struct futexes *f, const struct task *owner)
{
    for (uint32_t i = 0; i < FUTEX_BUCKETS; i++) {
        struct waiter *w;
        list_for_each_entry (w, &f->buckets[i].waiters, link) {
            struct task *t = container_of(w, struct task_waiter, waiter)->task;
            const struct futex_wait *fw = futex_wait_of(t);
            if (fw->state == FUTEX_WAITING_PI && fw->owner == owner->id) {
                return t;
            }
        }
    }
    return NULL;
}

void futex_pi_owner_died(struct task *owner)
{
    struct task *next;
    while (owner->m->futexes && (next = orphaned_waiter(owner->m->futexes, owner)) != NULL) {
        struct futex_key key = futex_wait_of(next)->key;
        futex_release(next, FUTEX_OWNER_GONE);
        set_owner(owner->m, &key, next->id);
    }
}
