/* futex(2), futex_waitv, set_robust_list(2), get_robust_list(2). */
#include "kernel/sync/futex_priv.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/time.h>

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/time/clock.h"
#include "kernel/trace/trace.h"

#define WAITV_MAX 128u

static struct sysret go_on_waiting(struct task *t, const struct sysargs *a, vtime deadline)
{
    task_wait_until(t, deadline);
    if (deadline == VTIME_NEVER) {
        return sys_block();
    }
    t->restart_nr = a->nr;
    for (unsigned i = 0; i < 6; i++) {
        t->restart_args[i] = a->a[i];
    }
    t->restart_deadline = deadline;
    return sys_block_or(-ERESTART_RESTARTBLOCK);
}

static struct sysret futex_wait(struct task *t, const struct sysargs *a, bool shared,
                                uint32_t bitset, vtime deadline)
{
    struct futex_wait *fw = futex_wait_of(t);
    struct futex_key key;
    uint32_t word;
    if (fw->state == FUTEX_WOKEN) {
        return sys_done(0);
    }
    /* Woken for another reason (a signal that another thread took): whoever changed the word
     * meanwhile found nobody to wake, so it must be looked at again, as Linux does. */
    if (fw->state == FUTEX_WAITING && machine_now(t->m) >= deadline) {
        return sys_done(-ETIMEDOUT);
    }
    if (bitset == 0) {
        return sys_done(-EINVAL);
    }
    int error = futex_key_get(t, a->a[0], shared, &key);
    if (error) {
        return sys_done(error);
    }
    if (user_read_u32(t, &word, gaddr_of(a->a[0]))) {
        return sys_done(-EFAULT);
    }
    if (word != (uint32_t)a->a[2]) {
        return sys_done(-EAGAIN);
    }
    if (machine_now(t->m) >= deadline) {
        return sys_done(-ETIMEDOUT);
    }
    fw->key = key;
    fw->bitset = bitset;
    fw->state = FUTEX_WAITING;
    futex_enqueue(t, &key);
    return go_on_waiting(t, a, deadline);
}

static int64_t futex_wake(struct task *t, const struct sysargs *a, bool shared, uint32_t bitset)
{
    struct futex_key key;
    if (bitset == 0) {
        return -EINVAL;
    }
    int error = futex_key_get(t, a->a[0], shared, &key);
    return error ? error : futex_wake_key(t->m, &key, (int)a->a[2], bitset);
}

/* Moves up to `requeue` waiters behind those of key2; counts into *moved. */
static int move_waiters(struct task *t, const struct futex_key *key1, const struct futex_key *key2,
                        int requeue, int *moved)
{
    struct waitq *from = futex_bucket(t->m, key1), *to = futex_bucket(t->m, key2);
    struct waiter *w, *next;
    list_for_each_entry_safe (w, next, &from->waiters, link) {
        struct task *other = container_of(w, struct task_waiter, waiter)->task;
        struct futex_wait *fw = futex_wait_of(other);
        if (*moved >= requeue) {
            break;
        }
        if (fw->state == FUTEX_WAITING_MANY || !futex_key_equal(&fw->key, key1)) {
            continue; /* Linux too refuses to move a waiter of several */
        }
        if (fw->state == FUTEX_WAITING_PI) {
            return -EINVAL;
        }
        ++*moved;
        if (!futex_key_equal(key1, key2)) {
            fw->key = *key2;
            waitq_del(w);
            waitq_add(to, w);
        }
    }
    return 0;
}

static int64_t futex_requeue(struct task *t, const struct sysargs *a, bool shared, bool compare)
{
    struct futex_key key1, key2;
    int wake = (int)a->a[2], requeue = (int)a->a[3], moved = 0, woken = 0;
    uint32_t word;
    if (wake < 0 || requeue < 0) {
        return -EINVAL;
    }
    int error = futex_key_get(t, a->a[0], shared, &key1);
    if (!error) {
        error = futex_key_get(t, a->a[4], shared, &key2);
    }
    if (error) {
        return error;
    }
    if (compare) {
        if (user_read_u32(t, &word, gaddr_of(a->a[0]))) {
            return -EFAULT;
        }
        if (word != (uint32_t)a->a[5]) {
            return -EAGAIN;
        }
    }
    if (wake > 0) {
        woken = futex_wake_key(t->m, &key1, wake, FUTEX_ANY_BIT);
        if (woken < 0) {
            return woken;
        }
    }
    error = move_waiters(t, &key1, &key2, requeue, &moved);
    return error ? error : woken + moved;
}

/* The operation FUTEX_WAKE_OP encodes in its last argument: 1 or 0 for the comparison, or errno. */
static int apply_op(struct task *t, uint64_t addr, uint32_t code)
{
    uint32_t op = code >> 28 & 7, cmp = code >> 24 & 15;
    int32_t arg = (int32_t)(code << 8) >> 20, cmp_arg = (int32_t)(code << 20) >> 20;
    uint32_t word;
    if (code >> 28 & FUTEX_OP_OPARG_SHIFT) {
        arg = (int32_t)(1u << ((uint32_t)arg & 31));
    }
    if (user_read_u32(t, &word, gaddr_of(addr))) {
        return -EFAULT;
    }
    uint32_t result = word, old = word;
    switch (op) {
    case FUTEX_OP_SET:
        result = (uint32_t)arg;
        break;
    case FUTEX_OP_ADD:
        result = word + (uint32_t)arg;
        break;
    case FUTEX_OP_OR:
        result = word | (uint32_t)arg;
        break;
    case FUTEX_OP_ANDN:
        result = word & ~(uint32_t)arg;
        break;
    case FUTEX_OP_XOR:
        result = word ^ (uint32_t)arg;
        break;
    default:
        return -ENOSYS;
    }
    if (user_write_u32(t, gaddr_of(addr), result)) {
        return -EFAULT;
    }
    switch (cmp) {
    case FUTEX_OP_CMP_EQ:
        return (int32_t)old == cmp_arg;
    case FUTEX_OP_CMP_NE:
        return (int32_t)old != cmp_arg;
    case FUTEX_OP_CMP_LT:
        return (int32_t)old < cmp_arg;
    case FUTEX_OP_CMP_GE:
        return (int32_t)old >= cmp_arg;
    case FUTEX_OP_CMP_LE:
        return (int32_t)old <= cmp_arg;
    case FUTEX_OP_CMP_GT:
        return (int32_t)old > cmp_arg;
    default:
        return -ENOSYS;
    }
}

static int64_t futex_wake_op(struct task *t, const struct sysargs *a, bool shared)
{
    struct futex_key key1, key2;
    int error = futex_key_get(t, a->a[0], shared, &key1);
    if (!error) {
        error = futex_key_get(t, a->a[4], shared, &key2);
    }
    if (error) {
        return error;
    }
    int also = apply_op(t, a->a[4], (uint32_t)a->a[5]);
    if (also < 0) {
        return also;
    }
    int woken = futex_wake_key(t->m, &key1, (int)a->a[2], FUTEX_ANY_BIT);
    if (woken < 0 || !also) {
        return woken;
    }
    int second = futex_wake_key(t->m, &key2, (int)a->a[3], FUTEX_ANY_BIT);
    return second < 0 ? second : woken + second;
}

static bool command_takes_timeout(int cmd)
{
    return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
           cmd == FUTEX_LOCK_PI2 || cmd == FUTEX_WAIT_REQUEUE_PI;
}

/* The deadline of a waiting command: relative for FUTEX_WAIT, absolute for the others. */
static int read_deadline(struct task *t, const struct sysargs *a, int cmd, vtime *deadline)
{
    struct abi_timespec ts;
    *deadline = VTIME_NEVER;
    if (!a->a[3] || !command_takes_timeout(cmd)) {
        return 0;
    }
    if (t->call.deadline) { /* a later attempt, or restart_syscall */
        *deadline = t->call.deadline;
        return 0;
    }
    if (user_read(t, &ts, gaddr_of(a->a[3]), sizeof ts)) {
        return -EFAULT;
    }
    if (!timespec_valid(&ts)) {
        return -EINVAL;
    }
    uint64_t ns = timespec_ns(&ts);
    if (cmd == FUTEX_WAIT) {
        *deadline = task_call_deadline(t, ns);
        return 0;
    }
    bool realtime = ((int)a->a[1] & FUTEX_CLOCK_REALTIME) || cmd == FUTEX_LOCK_PI;
    int error = clock_to_vtime(t, realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns, deadline);
    t->call.deadline = max_u64(*deadline, 1);
    return error;
}

struct sysret sys_futex(struct task *t, const struct sysargs *a)
{
    int op = (int)a->a[1], cmd = op & FUTEX_CMD_MASK;
    bool shared = !(op & FUTEX_PRIVATE_FLAG);
    vtime deadline;
    int error = read_deadline(t, a, cmd, &deadline);
    if (error) {
        return sys_done(error);
    }
    if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI &&
        cmd != FUTEX_LOCK_PI2) {
        return sys_done(-ENOSYS);
    }
    switch (cmd) {
    case FUTEX_WAIT:
        return futex_wait(t, a, shared, FUTEX_ANY_BIT, deadline);
    case FUTEX_WAIT_BITSET:
        return futex_wait(t, a, shared, (uint32_t)a->a[5], deadline);
    case FUTEX_WAKE:
        return sys_done(futex_wake(t, a, shared, FUTEX_ANY_BIT));
    case FUTEX_WAKE_BITSET:
        return sys_done(futex_wake(t, a, shared, (uint32_t)a->a[5]));
    case FUTEX_REQUEUE:
        return sys_done(futex_requeue(t, a, shared, false));
    case FUTEX_CMP_REQUEUE:
        return sys_done(futex_requeue(t, a, shared, true));
    case FUTEX_WAKE_OP:
        return sys_done(futex_wake_op(t, a, shared));
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return futex_lock_pi(t, a->a[0], shared, deadline, false);
    case FUTEX_TRYLOCK_PI:
        return futex_lock_pi(t, a->a[0], shared, VTIME_NEVER, true);
    case FUTEX_UNLOCK_PI:
        return futex_unlock_pi(t, a->a[0], shared);
    default:
        trace_unknown(t, "futex operation", (uint64_t)cmd, 0, -ENOSYS);
        return sys_done(-ENOSYS);
    }
}

/* --- futex_waitv
 * ---------------------------------------------------------------------------------- */

/* Checks every word and queues on all of them; 0, or -EAGAIN when one has another value. */
static int waitv_start(struct task *t, const struct sysargs *a, uint32_t n, struct futex_key *keys)
{
    struct futex_waitv w;
    for (uint32_t i = 0; i < n; i++) {
        if (user_read(t, &w, gaddr_of(a->a[0] + i * sizeof w), sizeof w)) {
            return -EFAULT;
        }
        if ((w.flags & ~(uint32_t)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || !(w.flags & FUTEX_32) ||
            w.__reserved) {
            return -EINVAL;
        }
        int error = futex_key_get(t, w.uaddr, !(w.flags & FUTEX_PRIVATE_FLAG), &keys[i]);
        if (error) {
            return error;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t word;
        if (user_read(t, &w, gaddr_of(a->a[0] + i * sizeof w), sizeof w) ||
            user_read_u32(t, &word, gaddr_of(w.uaddr))) {
            return -EFAULT;
        }
        if (word != (uint32_t)w.val) {
            return -EAGAIN;
        }
    }
    return 0;
}

static int waitv_deadline(struct task *t, const struct sysargs *a, vtime *deadline)
{
    struct abi_timespec ts;
    *deadline = VTIME_NEVER;
    if (!a->a[3]) {
        return 0;
    }
    int32_t clock = (int32_t)a->a[4];
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) {
        return -EINVAL;
    }
    if (user_read(t, &ts, gaddr_of(a->a[3]), sizeof ts)) {
        return -EFAULT;
    }
    return timespec_valid(&ts) ? clock_to_vtime(t, clock, timespec_ns(&ts), deadline) : -EINVAL;
}

struct sysret sys_futex_waitv(struct task *t, const struct sysargs *a)
{
    struct futex_wait *fw = futex_wait_of(t);
    uint32_t n = (uint32_t)a->a[1];
    vtime deadline;
    if (fw->state == FUTEX_WOKEN) {
        return sys_done((int64_t)fw->index);
    }
    if (a->a[2] || n == 0 || n > WAITV_MAX || !a->a[0]) {
        return sys_done(-EINVAL);
    }
    int error = waitv_deadline(t, a, &deadline);
    if (error) {
        return sys_done(error);
    }
    if (fw->state == FUTEX_WAITING_MANY && machine_now(t->m) >= deadline) {
        return sys_done(-ETIMEDOUT);
    }
    if (!t->call.held) {
        t->call.held = kalloc(t->m, n * sizeof(struct futex_key));
    }
    error = waitv_start(t, a, n, t->call.held); /* on every attempt: see futex_wait */
    if (error) {
        return sys_done(error);
    }
    *fw = (struct futex_wait){.bitset = FUTEX_ANY_BIT, .state = FUTEX_WAITING_MANY, .owner = n};
    if (machine_now(t->m) >= deadline) {
        return sys_done(-ETIMEDOUT);
    }
    const struct futex_key *keys = t->call.held;
    for (uint32_t i = 0; i < n; i++) {
        futex_enqueue(t, &keys[i]);
    }
    task_wait_until(t, deadline);
    return sys_block();
}

/* --- robust lists
 * --------------------------------------------------------------------------------- */

struct sysret sys_set_robust_list(struct task *t, const struct sysargs *a)
{
    if (a->a[1] != 24) {
        return sys_done(-EINVAL);
    }
    t->robust_list = a->a[0];
    t->robust_list_len = a->a[1];
    return sys_done(0);
}

struct sysret sys_get_robust_list(struct task *t, const struct sysargs *a)
{
    abi_pid pid = (abi_pid)a->a[0];
    const struct task *of = pid ? task_find(t->node, pid) : t;
    if (!of) {
        return sys_done(-ESRCH);
    }
    if (of->process != t->process && t->cred.uid != of->cred.uid &&
        !task_capable(t, CAP_SYS_PTRACE)) {
        return sys_done(-EPERM);
    }
    if (user_write_u64(t, gaddr_of(a->a[2]), 24) ||
        user_write_u64(t, gaddr_of(a->a[1]), of->robust_list)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}
