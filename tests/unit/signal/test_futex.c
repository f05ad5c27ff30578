/* Futexes: order of waking, bits, requeueing, operations, ownership, robust lists. */
#include "signal_fixture.h"

#include <linux/futex.h>

#include "kernel/sync/futex.h"
#include "kernel/syscalls/handlers.h"

#define PRIVATE FUTEX_PRIVATE_FLAG

static struct fake_machine *fm;
static struct task *tasks[5];
static gaddr word_a, word_b;

static int setup(void **state)
{
    fm = fix_create();
    for (unsigned i = 0; i < ARRAY_LEN(tasks); i++) {
        tasks[i] = fix_process(fm);
    }
    word_a = fake_guest(fm, 16);
    word_b = fake_guest(fm, 16);
    return 0;
}

static int teardown(void **state)
{
    fix_destroy(fm);
    return 0;
}

static uint32_t *at(gaddr a)
{
    return fake_ptr(a);
}

static int64_t futex(struct task *t, gaddr a, int op, uint64_t val, uint64_t timeout, uint64_t a2,
                     uint64_t val3)
{
    return fix_call(fm, t, sys_futex, FAKE_ARGS(a.va, (uint64_t)op, val, timeout, a2, val3));
}

static void wait_on(struct task *t, gaddr a)
{
    assert_int_equal(futex(t, a, FUTEX_WAIT | PRIVATE, *at(a), 0, 0, 0), FAKE_BLOCKED);
}

static int64_t again(struct task *t, gaddr a, int op, uint64_t val, uint64_t timeout)
{
    return fix_again(fm, t, sys_futex, FAKE_ARGS(a.va, (uint64_t)op, val, timeout, 0, 0));
}

static bool awake(unsigned i)
{
    return tasks[i]->state == TASK_RUNNABLE;
}

static void test_checks(void **state)
{
    struct task *t = tasks[0];
    *at(word_a) = 5;
    assert_int_equal(futex(t, word_a, FUTEX_WAIT | PRIVATE, 4, 0, 0, 0), -EAGAIN);
    assert_int_equal(futex(t, gaddr_add(word_a, 2), FUTEX_WAIT | PRIVATE, 5, 0, 0, 0), -EINVAL);
    assert_int_equal(futex(t, gaddr_of(0x1000), FUTEX_WAIT | PRIVATE, 5, 0, 0, 0), -EFAULT);
    assert_int_equal(futex(t, gaddr_of(0x1000), FUTEX_WAKE, 1, 0, 0, 0), -EFAULT);
    assert_int_equal(futex(t, word_a, FUTEX_WAIT_BITSET | PRIVATE, 5, 0, 0, 0), -EINVAL);
    assert_int_equal(futex(t, word_a, FUTEX_WAKE_BITSET | PRIVATE, 5, 0, 0, 0), -EINVAL);
    assert_int_equal(futex(t, word_a, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 5, 0, 0, 0), -ENOSYS);
    assert_int_equal(futex(t, word_a, 99, 5, 0, 0, 0), -ENOSYS);
    gaddr ts = fake_guest(fm, 16);
    *(struct abi_timespec *)fake_ptr(ts) = (struct abi_timespec){0, 1000000000};
    assert_int_equal(futex(t, word_a, FUTEX_WAIT | PRIVATE, 5, ts.va, 0, 0), -EINVAL);
    assert_int_equal(futex(t, word_a, FUTEX_WAIT | PRIVATE, 5, 0x10, 0, 0), -EFAULT);
}

static void test_fifo(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        wait_on(tasks[i], i == 2 ? word_b : word_a);
    }
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE | PRIVATE, 2, 0, 0, 0), 2);
    assert_true(awake(0) && awake(1) && !awake(2) && !awake(3));
    assert_int_equal(again(tasks[0], word_a, FUTEX_WAIT | PRIVATE, 0, 0), 0);
    /* Shared and private words of an address are different futexes, as in Linux. */
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE, 9, 0, 0, 0), 0);
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE | PRIVATE, 9, 0, 0, 0), 1);
    assert_int_equal(futex(tasks[4], word_b, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0), 1);
}

static void test_bitset(void **state)
{
    futex(tasks[0], word_a, FUTEX_WAIT_BITSET | PRIVATE, 0, 0, 0, 1);
    futex(tasks[1], word_a, FUTEX_WAIT_BITSET | PRIVATE, 0, 0, 0, 2);
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE_BITSET | PRIVATE, 9, 0, 0, 2), 1);
    assert_true(!awake(0) && awake(1));
}

static void test_timeouts(void **state)
{
    gaddr ts = fake_guest(fm, 16);
    struct abi_timespec *v = fake_ptr(ts);
    *v = (struct abi_timespec){0, 500};
    fm->m.clock.now = 1000;
    assert_int_equal(futex(tasks[0], word_a, FUTEX_WAIT | PRIVATE, 0, ts.va, 0, 0), FAKE_BLOCKED);
    fake_advance(fm, 499);
    assert_false(awake(0));
    fake_advance(fm, 1);
    assert_true(awake(0));
    assert_int_equal(again(tasks[0], word_a, FUTEX_WAIT | PRIVATE, 0, ts.va), -ETIMEDOUT);
    /* Absolute, by the wall clock; a past one fails at once. */
    int op = FUTEX_WAIT_BITSET | PRIVATE | FUTEX_CLOCK_REALTIME;
    int64_t wall = fm->m.clock.realtime_offset_ns + 2000;
    *v = (struct abi_timespec){wall / 1000000000, wall % 1000000000};
    assert_int_equal(futex(tasks[0], word_a, op, 0, ts.va, 0, 1), FAKE_BLOCKED);
    fake_advance(fm, 500);
    assert_true(awake(0));
    assert_int_equal(
        fix_again(fm, tasks[0], sys_futex, FAKE_ARGS(word_a.va, (uint64_t)op, 0, ts.va, 0, 1)),
        -ETIMEDOUT);
    assert_int_equal(futex(tasks[0], word_a, op, 0, ts.va, 0, 1), -ETIMEDOUT);
}

/* A wait that a spurious wake-up ended goes on; one that was woken is over though a signal came. */
static void test_wake_is_not_lost(void **state)
{
    wait_on(tasks[0], word_a);
    task_wake(tasks[0]);
    assert_int_equal(again(tasks[0], word_a, FUTEX_WAIT | PRIVATE, 0, 0), FAKE_BLOCKED);
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0), 1);
    *at(word_a) = 9;
    fix_action(tasks[0]->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    signal_kernel(tasks[0]->process, SIGNAL_USR1);
    assert_int_equal(again(tasks[0], word_a, FUTEX_WAIT | PRIVATE, 0, 0), 0);
}

static void test_requeue(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        wait_on(tasks[i], word_a);
    }
    *at(word_a) = 3;
    assert_int_equal(futex(tasks[4], word_a, FUTEX_CMP_REQUEUE | PRIVATE, 1, 2, word_b.va, 4),
                     -EAGAIN);
    assert_int_equal(futex(tasks[4], word_a, FUTEX_CMP_REQUEUE | PRIVATE, 1, 2, word_b.va, 3), 3);
    assert_true(awake(0) && !awake(1) && !awake(2) && !awake(3));
    assert_int_equal(futex(tasks[4], word_b, FUTEX_WAKE | PRIVATE, 9, 0, 0, 0), 2);
    assert_true(awake(1) && awake(2) && !awake(3));
    /* To itself: counted, order kept, no endless walk. */
    assert_int_equal(futex(tasks[4], word_a, FUTEX_REQUEUE | PRIVATE, 0, 99, word_a.va, 0), 1);
    assert_int_equal(
        futex(tasks[4], word_a, FUTEX_REQUEUE | PRIVATE, (uint64_t)-1, 99, word_a.va, 0), -EINVAL);
}

static void test_wake_op(void **state)
{
    wait_on(tasks[0], word_a);
    *at(word_b) = 7;
    wait_on(tasks[1], word_b);
    /* *b = 0; wake b too if the old value was > 5 */
    uint32_t op = FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GT, 5);
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE_OP | PRIVATE, 1, 1, word_b.va, op), 2);
    assert_int_equal(*at(word_b), 0);
    op = FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_LT, 0); /* -1, sign extended */
    *at(word_b) = 3;
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE_OP | PRIVATE, 1, 1, word_b.va, op), 0);
    assert_int_equal(*at(word_b), 2);
    op = FUTEX_OP((FUTEX_OP_OPARG_SHIFT | FUTEX_OP_OR), 4, FUTEX_OP_CMP_EQ, 0);
    futex(tasks[4], word_a, FUTEX_WAKE_OP | PRIVATE, 1, 1, word_b.va, op);
    assert_int_equal(*at(word_b), 2 | 16);
}

static void test_waitv(void **state)
{
    gaddr v = fake_guest(fm, 3 * sizeof(struct futex_waitv));
    struct futex_waitv *w = fake_ptr(v);
    memset(w, 0, 3 * sizeof *w);
    for (unsigned i = 0; i < 3; i++) {
        w[i].uaddr = (i == 1 ? word_b : gaddr_add(word_a, 4 * i)).va;
        w[i].flags = FUTEX_32 | PRIVATE;
    }
    const uint64_t *args = FAKE_ARGS(v.va, 3, 0, 0, 1);
    assert_int_equal(fix_call(fm, tasks[0], sys_futex_waitv, args), FAKE_BLOCKED);
    assert_int_equal(futex(tasks[4], word_b, FUTEX_WAKE | PRIVATE, 5, 0, 0, 0), 1);
    assert_int_equal(fix_again(fm, tasks[0], sys_futex_waitv, args), 1);
    assert_int_equal(futex(tasks[4], word_a, FUTEX_WAKE | PRIVATE, 5, 0, 0, 0), 0);
    w[2].val = 8;
    assert_int_equal(fix_call(fm, tasks[0], sys_futex_waitv, args), -EAGAIN);
    w[2].flags = 0;
    assert_int_equal(fix_call(fm, tasks[0], sys_futex_waitv, args), -EINVAL);
}

static void test_pi(void **state)
{
    int lock = FUTEX_LOCK_PI | PRIVATE, unlock = FUTEX_UNLOCK_PI | PRIVATE;
    assert_int_equal(futex(tasks[0], word_a, lock, 0, 0, 0, 0), 0);
    assert_int_equal(*at(word_a), tasks[0]->tid);
    assert_int_equal(futex(tasks[0], word_a, lock, 0, 0, 0, 0), -EDEADLK);
    assert_int_equal(futex(tasks[1], word_a, FUTEX_TRYLOCK_PI | PRIVATE, 0, 0, 0, 0), -EAGAIN);
    assert_int_equal(futex(tasks[1], word_a, lock, 0, 0, 0, 0), FAKE_BLOCKED);
    assert_int_equal(futex(tasks[2], word_a, lock, 0, 0, 0, 0), FAKE_BLOCKED);
    assert_int_equal(futex(tasks[3], word_a, unlock, 0, 0, 0, 0), -EPERM);
    assert_int_equal(futex(tasks[0], word_a, unlock, 0, 0, 0, 0), 0);
    assert_int_equal(*at(word_a), (uint32_t)tasks[1]->tid | FUTEX_WAITERS);
    assert_int_equal(again(tasks[1], word_a, lock, 0, 0), 0);
    futex_exit_robust(tasks[1]); /* dies as the owner */
    assert_true(awake(2));
    assert_int_equal(again(tasks[2], word_a, lock, 0, 0), 0);
    assert_int_equal(*at(word_a), (uint32_t)tasks[2]->tid | FUTEX_OWNER_DIED);
    assert_int_equal(futex(tasks[2], word_a, unlock, 0, 0, 0, 0), 0);
    assert_int_equal(*at(word_a), 0);
    *at(word_a) = 200; /* an owner that does not exist */
    assert_int_equal(futex(tasks[3], word_a, lock, 0, 0, 0, 0), -ESRCH);
}

struct lock {
    uint64_t next;
    uint32_t word, pad;
};

static void test_robust_list(void **state)
{
    struct task *t = tasks[0];
    gaddr head = fake_guest(fm, 24), locks = fake_guest(fm, 3 * sizeof(struct lock));
    struct lock *l = fake_ptr(locks);
    uint64_t *h = fake_ptr(head);
    h[0] = locks.va;
    h[1] = offsetof(struct lock, word);
    h[2] = locks.va + 2 * sizeof(struct lock); /* pending: not yet on the list */
    l[0] = (struct lock){locks.va + sizeof *l, (uint32_t)t->tid, 0};
    l[1] = (struct lock){head.va, FUTEX_WAITERS | (uint32_t)t->tid, 0};
    l[2] = (struct lock){0, (uint32_t)tasks[1]->tid, 0}; /* somebody else's */
    gaddr second = gaddr_add(locks, sizeof *l + offsetof(struct lock, word));
    assert_int_equal(futex(tasks[2], second, FUTEX_WAIT, *at(second), 0, 0, 0), FAKE_BLOCKED);
    assert_int_equal(fix_call(fm, t, sys_set_robust_list, FAKE_ARGS(head.va, 23)), -EINVAL);
    assert_int_equal(fix_call(fm, t, sys_set_robust_list, FAKE_ARGS(head.va, 24)), 0);
    futex_exit_robust(t);
    assert_int_equal(l[0].word, FUTEX_OWNER_DIED);
    assert_int_equal(l[1].word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
    assert_int_equal(l[2].word, tasks[1]->tid);
    assert_true(awake(2));
    /* Lists that loop or point nowhere end. */
    l[0].next = locks.va;
    fix_call(fm, tasks[3], sys_set_robust_list, FAKE_ARGS(head.va, 24));
    futex_exit_robust(tasks[3]);
    fix_call(fm, tasks[3], sys_set_robust_list, FAKE_ARGS(0x1000, 24));
    futex_exit_robust(tasks[3]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_checks),  T(test_fifo),        T(test_bitset), T(test_timeouts),
        T(test_requeue), T(test_wake_op),     T(test_waitv),  T(test_wake_is_not_lost),
        T(test_pi),      T(test_robust_list),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
