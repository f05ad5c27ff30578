/* Moments: written forms, exactness, and reading back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "store/moment.h"

static void check_json(uint64_t ns, const char *want)
{
    char text[VTIME_TEXT_MAX];
    vtime_json(ns, text);
    assert_string_equal(text, want);
}

static void test_json(void **state)
{
    check_json(0, "0");
    check_json(1000000000, "1");
    check_json(500000000, "0.5");
    check_json(1, "0.0000000009313225746154785"); /* 4 ticks, and no exponent */
    check_json(100000000000000, "100000");
    check_json(18402000000, "18.402000000001863");
}

static void test_ticks_keep_nanoseconds(void **state)
{
    uint64_t ns = 1;
    for (int i = 0; i < 2000; i++) {
        ns = ns * 6364136223846793005u + 1442695040888963407u;
        uint64_t t = ns % 3600000000000000u; /* 1000 hours */
        assert_int_equal(vtime_from_ticks(vtime_ticks(t)), t);
        char text[VTIME_TEXT_MAX];
        vtime_json(t, text);
        double back = strtod(text, NULL);
        assert_true(back * 4294967296.0 == (double)vtime_ticks(t));
    }
}

static void test_people(void **state)
{
    char text[VTIME_TEXT_MAX];
    vtime_clock(18402999999, text);
    assert_string_equal(text, "00:00:18.402");
    vtime_clock(UINT64_C(450000) * 1000000000, text);
    assert_string_equal(text, "125:00:00.000");
    struct moment m = {-3625518438076122494, 18402000000};
    char moment[MOMENT_TEXT_MAX];
    moment_text(&m, moment);
    assert_string_equal(moment, "-3625518438076122494@18.402");
}

static void test_parse(void **state)
{
    cleanup_err struct err err = {0};
    struct moment m;
    assert_int_equal(moment_parse("7402112918@18.402", &m, &err), 0);
    assert_int_equal(m.input_hash, 7402112918);
    assert_int_equal(m.vtime_ns, 18402000000);
    assert_int_equal(moment_parse("-1@18.401999999769032", &m, &err), 0);
    assert_int_equal(m.vtime_ns, 18402000000);
    assert_int_equal(moment_parse("-1@0.9999999999", &m, &err), 0);
    assert_int_equal(m.vtime_ns, 1000000000);
    static const char *const bad[] = {
        "", "1", "1@", "1@x", "@1", "1@1.2x", "1@-2", "1@1e3", "99999999999999999999@1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(moment_parse(bad[i], &m, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_non_null(err.hint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_ticks_keep_nanoseconds),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
