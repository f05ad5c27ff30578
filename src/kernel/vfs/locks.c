/* flock and record locks. A file's locks are kept by (start, age); those of one owner never overlap
 * and never touch with the same type, as Linux merges them. */
#include "kernel/vfs/locks.h"

#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/inode.h"

struct lock {
    struct list_head link; /* inode->locks */
    struct lock_request l;
};

static bool overlap(const struct lock_request *a, const struct lock_request *b)
{
    return a->start <= b->end && b->start <= a->end;
}

/* flock locks and record locks do not see each other (flock(2)). */
static bool same_family(const struct lock_request *a, const struct lock_request *b)
{
    return (a->kind == LOCK_KIND_FLOCK) == (b->kind == LOCK_KIND_FLOCK);
}

static bool same_owner(const struct lock_request *a, const struct lock_request *b)
{
    return a->kind == b->kind && a->owner == b->owner;
}

static bool in_way(const struct lock_request *held, const struct lock_request *r)
{
    return same_family(held, r) && !same_owner(held, r) && overlap(held, r) &&
           (held->type == F_WRLCK || r->type == F_WRLCK);
}

static const struct lock_request *find_conflict(struct inode *i, const struct lock_request *r)
{
    struct lock *k;
    list_for_each_entry (k, &i->locks, link) {
        if (in_way(&k->l, r)) {
            return &k->l;
        }
    }
    return NULL;
}

bool lock_conflict(struct inode *i, const struct lock_request *r, struct lock_request *out)
{
    const struct lock_request *held = find_conflict(i, r);
    if (held) {
        *out = *held;
    }
    return held != NULL;
}

static void insert(struct machine *m, struct inode *i, const struct lock_request *l)
{
    struct lock *n = KALLOC(m, struct lock);
    n->l = *l;
    struct lock *k;
    list_for_each_entry (k, &i->locks, link) {
        if (k->l.start > l->start) {
            list_add_tail(&k->link, &n->link); /* before k */
            return;
        }
    }
    list_add_tail(&i->locks, &n->link);
}

static void remove(struct machine *m, struct lock *k)
{
    list_del(&k->link);
    kfree(m, k);
}

/* Takes [r->start, r->end] out of the owner's locks; true if there was anything. */
static bool cut(struct machine *m, struct inode *i, const struct lock_request *r)
{
    bool any = false;
    struct lock *k, *tmp;
    list_for_each_entry_safe (k, tmp, &i->locks, link) {
        if (!same_owner(&k->l, r) || !overlap(&k->l, r)) {
            continue;
        }
        any = true;
        struct lock_request old = k->l;
        remove(m, k);
        if (old.start < r->start) {
            struct lock_request left = old;
            left.end = r->start - 1;
            insert(m, i, &left);
        }
        if (old.end > r->end) {
            struct lock_request right = old;
            right.start = r->end + 1;
            insert(m, i, &right);
        }
    }
    return any;
}

/* Joins r with the owner's neighbours of the same type. */
static void merge(struct machine *m, struct inode *i, struct lock_request *r)
{
    struct lock *k, *tmp;
    list_for_each_entry_safe (k, tmp, &i->locks, link) {
        bool before = k->l.end != UINT64_MAX && k->l.end + 1 == r->start;
        bool behind = r->end != UINT64_MAX && r->end + 1 == k->l.start;
        if (same_owner(&k->l, r) && k->l.type == r->type && (before || behind)) {
            r->start = min_u64(r->start, k->l.start);
            r->end = max_u64(r->end, k->l.end);
            remove(m, k);
        }
    }
}

int lock_set(struct machine *m, struct inode *i, const struct lock_request *r)
{
    if (r->type != F_UNLCK && find_conflict(i, r)) {
        return -EAGAIN;
    }
    bool freed = cut(m, i, r);
    if (r->type != F_UNLCK) {
        struct lock_request l = *r;
        merge(m, i, &l);
        insert(m, i, &l);
    }
    if (freed) {
        waitq_wake(m, &i->lock_wait, 0);
    }
    return 0;
}

/* --- deadlock detection: which POSIX owner waits for which lock ------------------------------- */

/* A blocked F_SETLKW keeps (inode, range, type) in its task's call state; see sys_fcntl. */
#define SCRATCH_INODE 0
#define SCRATCH_START 1
#define SCRATCH_END   2
#define SCRATCH_TYPE  3

/* The thread that waits in F_SETLKW with this table as owner, or NULL. */
static struct task *waiter_of(struct machine *m, const void *owner)
{
    for (uint32_t n = 0; n < m->node_count; n++) {
        struct node *node = m->nodes[n];
        for (uint32_t pid = 1; pid < node->pid_cap; pid++) {
            struct task *t = node->pids[pid];
            if (t && (const void *)t->fds == owner && t->state == TASK_BLOCKED &&
                t->call.scratch[SCRATCH_INODE] && t->call.scratch[5] == LOCK_WAIT_MAGIC) {
                return t;
            }
        }
    }
    return NULL;
}

bool lock_would_deadlock(struct machine *m, struct inode *i, const struct lock_request *r)
{
    if (r->kind != LOCK_KIND_POSIX) {
        return false;
    }
    struct lock_request want = *r;
    for (unsigned hops = 0; hops < 10; hops++) { /* MAX_DEADLK_ITERATIONS of fs/locks.c */
        const struct lock_request *held = find_conflict(i, &want);
        if (!held || held->kind != LOCK_KIND_POSIX) {
            return false;
        }
        if (held->owner == r->owner) {
            return true;
        }
        struct task *t = waiter_of(m, held->owner);
        if (!t) {
            return false;
        }
        i = (struct inode *)(uintptr_t)t->call.scratch[SCRATCH_INODE];
        want.owner = held->owner;
        want.start = t->call.scratch[SCRATCH_START];
        want.end = t->call.scratch[SCRATCH_END];
        want.type = (int)t->call.scratch[SCRATCH_TYPE];
    }
    return false;
}

void lock_wait(struct task *t, struct inode *i, const struct lock_request *r)
{
    t->call.scratch[SCRATCH_INODE] = r->kind == LOCK_KIND_POSIX ? (uint64_t)(uintptr_t)i : 0;
    t->call.scratch[SCRATCH_START] = r->start;
    t->call.scratch[SCRATCH_END] = r->end;
    t->call.scratch[SCRATCH_TYPE] = (uint64_t)r->type;
    t->call.scratch[5] = LOCK_WAIT_MAGIC;
    task_wait_on(t, &i->lock_wait, 0);
}

/* --- release ---------------------------------------------------------------------------------- */

static void release(struct inode *i, const void *owner, bool posix)
{
    bool any = false;
    struct lock *k, *tmp;
    list_for_each_entry_safe (k, tmp, &i->locks, link) {
        if (k->l.owner == owner && (k->l.kind == LOCK_KIND_POSIX) == posix) {
            remove(i->sb->m, k);
            any = true;
        }
    }
    if (any) {
        waitq_wake(i->sb->m, &i->lock_wait, 0);
    }
}

void locks_release_posix(struct inode *i, const struct fd_table *owner)
{
    if (!list_empty(&i->locks)) {
        release(i, owner, true);
    }
}

void locks_release_file(struct file *f)
{
    if (!list_empty(&f->inode->locks)) {
        release(f->inode, f, false);
    }
}

void locks_for_each(struct inode *i, void (*fn)(void *ctx, const struct lock_request *l), void *ctx)
{
    struct lock *k;
    list_for_each_entry (k, &i->locks, link) {
        fn(ctx, &k->l);
    }
}
