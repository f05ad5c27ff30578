/* Futex keys, buckets and waking: the mechanism behind the calls of sys_futex.c. */
#include "kernel/sync/futex_priv.h"

#include <linux/mman.h>

#include "abi/layout.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/vfs/file.h"

/* Kernel objects are aligned, which leaves the low bits for the kind of key. */
#define KEY_SHARED_MM    1u /* without FUTEX_PRIVATE_FLAG, but in a private mapping */
#define KEY_SHARED_INODE 2u

int futex_key_get(struct task *t, uint64_t addr, bool shared, struct futex_key *key)
{
    if (addr & 3) {
        return -EINVAL;
    }
    if (!gaddr_range_ok(gaddr_of(addr), 4)) {
        return -EFAULT;
    }
    if (!shared) {
        *key = (struct futex_key){(uint64_t)(uintptr_t)t->mm, addr};
        return 0;
    }
    const struct vma *v = mm_find(t->mm, addr);
    if (!v) {
        return -EFAULT;
    }
    if ((v->flags & MAP_SHARED) && v->file) {
        *key = (struct futex_key){(uint64_t)(uintptr_t)v->file->inode | KEY_SHARED_INODE,
                                  (v->pgoff << PAGE_SHIFT) + (addr - v->start)};
    } else {
        *key = (struct futex_key){(uint64_t)(uintptr_t)t->mm | KEY_SHARED_MM, addr};
    }
    return 0;
}

void futex_boot(struct machine *m)
{
    m->futexes = KALLOC(m, struct futexes);
    for (uint32_t i = 0; i < FUTEX_BUCKETS; i++) {
        waitq_init(&m->futexes->buckets[i]);
    }
}

struct waitq *futex_bucket(struct machine *m, const struct futex_key *key)
{
    uint64_t h = stream_mix(key->object ^ (key->offset * 0x9e3779b97f4a7c15ull));
    return &m->futexes->buckets[h % FUTEX_BUCKETS];
}

static struct task *task_of(struct waiter *w)
{
    return container_of(w, struct task_waiter, waiter)->task;
}

/* Position in the key list of a futex_waitv, or -1. */
static int many_index(struct task *t, const struct futex_key *key)
{
    const struct futex_key *keys = t->call.held;
    for (uint64_t i = 0; i < futex_wait_of(t)->owner; i++) {
        if (futex_key_equal(&keys[i], key)) {
            return (int)i;
        }
    }
    return -1;
}

static bool waits_for(struct task *t, const struct futex_key *key)
{
    const struct futex_wait *fw = futex_wait_of(t);
    if (fw->state == FUTEX_WAITING_MANY) {
        return many_index(t, key) >= 0;
    }
    return futex_key_equal(&fw->key, key);
}

void futex_enqueue(struct task *t, const struct futex_key *key)
{
    task_wait_on(t, futex_bucket(t->m, key), 0);
}

void futex_release(struct task *t, enum futex_state state)
{
    futex_wait_of(t)->state = state;
    task_wake(t);
}

struct task *futex_first_waiter(struct machine *m, const struct futex_key *key)
{
    struct waiter *w;
    list_for_each_entry (w, &futex_bucket(m, key)->waiters, link) {
        if (waits_for(task_of(w), key)) {
            return task_of(w);
        }
    }
    return NULL;
}

int futex_wake_key(struct machine *m, const struct futex_key *key, int n, uint32_t bitset)
{
    struct waitq *q = futex_bucket(m, key);
    struct waiter *w, *next;
    int woken = 0;
again:
    list_for_each_entry_safe (w, next, &q->waiters, link) {
        struct task *t = task_of(w);
        struct futex_wait *fw = futex_wait_of(t);
        if (!waits_for(t, key)) {
            continue;
        }
        if (fw->state == FUTEX_WAITING_PI) {
            return -EINVAL;
        }
        if (!(fw->bitset & bitset)) {
            continue;
        }
        bool many = fw->state == FUTEX_WAITING_MANY;
        if (many) {
            fw->index = (uint64_t)many_index(t, key);
        }
        futex_release(t, FUTEX_WOKEN);
        if (++woken >= n) {
            break;
        }
        if (many) {
            goto again; /* `next` may have been another place of the same thread */
        }
    }
    return woken;
}

int futex_wake_addr(struct task *t, uint64_t addr, int n)
{
    struct futex_key key;
    int error = futex_key_get(t, addr, true, &key);
    return error ? error : futex_wake_key(t->m, &key, n, FUTEX_ANY_BIT);
}
