/* everett.h in a program that cannot load the library, inside a universe: it must find the universe
 * before main and speak to it directly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define EVERETT_NO_DLOPEN
#include <everett/everett.h>

#include "abi/guestcall.h"
#include "tests/sdk/fake_universe.h"

_Static_assert((int)EVERETT_GUESTCALL_RANDOM == (int)GUESTCALL_RANDOM, "public number");
_Static_assert((int)EVERETT_GUESTCALL_JSON == (int)GUESTCALL_JSON, "public number");
_Static_assert((int)EVERETT_GUESTCALL_FLUSH == (int)GUESTCALL_FLUSH, "public number");

static void test_declared_before_main(void **state)
{
    assert_non_null(strstr(fake.text, "\"message\":\"Inside\",\"hit\":false"));
    assert_true(strncmp(fake.text, "{\"antithesis_sdk\":", 18) == 0);
}

static void test_hits_and_events(void **state)
{
    fake_universe_reset();
    for (int i = 0; i < 3; i++) {
        EVERETT_SOMETIMES(true, "Inside");
    }
    EVERETT_SEND_EVENT("e");
    assert_non_null(strstr(fake.text, "\"message\":\"Inside\",\"hit\":true"));
    assert_non_null(strstr(fake.text, "\n{\"e\":{}}\n"));
    assert_int_equal(fake.flushes, 2);
}

static void test_random(void **state)
{
    fake_universe_reset();
    fake.randoms = 77;
    assert_int_equal(everett_random(), 77);
    assert_int_equal(everett_random_index(10), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_declared_before_main),
        cmocka_unit_test(test_hits_and_events),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
