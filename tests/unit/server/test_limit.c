/* The token buckets: bursts, refill, many keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/http/limit.h"

#define SECOND 1000000000ull

static void test_burst_and_refill(void **state)
{
    struct limit *l = mem_zalloc(sizeof *l);
    uint64_t now = 1000 * SECOND;
    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(limit_take(l, 7, 60, now), 0);
    }
    assert_int_equal(limit_take(l, 7, 60, now), 1);
    assert_int_equal(limit_take(l, 8, 60, now), 0);
    assert_int_equal(limit_take(l, 7, 60, now + SECOND), 0);
    assert_int_equal(limit_take(l, 7, 60, now + SECOND), 1);
    /* Refused requests cost nothing, and idle time does not pile up beyond one burst. */
    int served = 0;
    for (int i = 0; i < 200; i++) {
        served += limit_take(l, 7, 60, now + 3600 * SECOND) == 0;
    }
    assert_int_equal(served, 60);
    free(l);
}

static void test_slow_rates(void **state)
{
    struct limit *l = mem_zalloc(sizeof *l);
    (void)state;
    assert_int_equal(limit_take(l, 7, 1, SECOND), 0);
    assert_int_equal(limit_take(l, 7, 1, SECOND), 60);
    assert_int_equal(limit_take(l, 7, 1, 31 * SECOND), 30);
    assert_int_equal(limit_take(l, 7, 1, 61 * SECOND), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(limit_take(l, 7, 0, SECOND), 0);
    }
    free(l);
}

/* A flood of other keys takes the place of buckets that are full again, not of the one in use. */
static void test_many_keys(void **state)
{
    struct limit *l = mem_zalloc(sizeof *l);
    uint64_t now = 1000 * SECOND;
    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(limit_take(l, 7, 60, now), 0);
    }
    for (uint64_t key = 100; key < 100 + 3 * LIMIT_BUCKETS; key++) {
        assert_int_equal(limit_take(l, key, 60, now), 0);
    }
    assert_int_equal(limit_take(l, 7, 60, now), 1);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_refill),
        cmocka_unit_test(test_slow_rates),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
