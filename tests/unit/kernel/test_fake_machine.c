/* The fake machine keeps its own promises: guest memory faults outside, calls retry on deadlines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fake_machine.h"

static void test_guest_memory(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    struct task *t = &fm->task;
    gaddr a = fake_guest(fm, 100);
    assert_int_equal(user_write(t, a, "abc", 3), 0);
    assert_memory_equal(fake_ptr(a), "abc", 3);
    assert_int_equal(user_write(t, gaddr_of(0), "abc", 3), -EFAULT);
    gaddr end = gaddr_of(FAKE_GUEST_BASE + FAKE_GUEST_BYTES - 2);
    struct uio u;
    uio_init_user(&u, t, end, 4);
    assert_int_equal(uio_copy_to(&u, "wxyz", 4), 2);
    assert_int_equal(uio_copy_to(&u, "yz", 2), -EFAULT);
    fake_machine_destroy(fm);
}

static struct sysret sleepy(struct task *t, const struct sysargs *a)
{
    vtime end = task_call_deadline(t, a->a[0]);
    if (machine_now(t->m) >= end) {
        return sys_done(t->call.retry ? 7 : 1);
    }
    task_wait_until(t, end);
    return sys_block();
}

static struct sysret blocks(struct task *t, const struct sysargs *a)
{
    return t->call.retry ? sys_done(3) : sys_block();
}

static void test_calls(void **state)
{
    struct fake_machine *fm = fake_machine_create();
    assert_int_equal(fake_call(fm, sleepy, 500), 7);
    assert_int_equal(fm->m.clock.now, 500);
    assert_int_equal(fake_call(fm, blocks, 0), FAKE_BLOCKED);
    assert_int_equal(fake_retry(fm, blocks, FAKE_ARGS(0)), 3);
    struct task *other = fake_task_create(fm);
    assert_int_equal(other->tid, 2);
    assert_ptr_equal(process_find(&fm->node, 2), other->process);
    fake_machine_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_memory),
        cmocka_unit_test(test_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
