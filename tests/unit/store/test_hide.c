/* Lines that a run does not keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/event_log.h"
#include "store/hide.h"

static void make(struct buf *b, uint16_t type, const char *text)
{
    static const char zero[8];
    struct event_output o = {.stream = 2, .partial = 1, .command_id = 7};
    struct event head = {.type = type,
                         .node = 3,
                         .vtime_ns = 5,
                         .seq = 9,
                         .pid = 11,
                         .length = (uint32_t)(sizeof o + strlen(text))};
    head.size = (uint32_t)round_up_u64(sizeof head + head.length, 8);
    buf_reset(b);
    buf_append(b, &head, sizeof head);
    buf_append(b, &o, sizeof o);
    buf_append(b, text, strlen(text));
    buf_append(b, zero, head.size - b->len);
}

static bool hides(const char *pattern, uint16_t type, const char *text)
{
    struct err err = {0};
    struct buf b = {0};
    struct hide *h = hide_create(pattern, &err);
    assert_non_null(h);
    make(&b, type, text);
    bool hit = hide_matches(h, (const struct event *)(void *)b.data);
    buf_free(&b);
    hide_destroy(h);
    return hit;
}

static void matching(void **state)
{
    (void)state;
    assert_true(hides("debug: \\d+", EVENT_OUTPUT, "xx debug: 17 yy"));
    assert_true(hides("(?i)DEBUG", EVENT_OUTPUT, "debug"));
    assert_true(hides("^a.c$", EVENT_OUTPUT, "abc"));
    assert_true(hides("b", EVENT_OUTPUT, "\xff\xfe b"));
    assert_false(hides("DEBUG", EVENT_OUTPUT, "debug"));
    assert_false(hides("a", EVENT_SDK, "aaa"));
    assert_false(hides("a", EVENT_OUTPUT, ""));
    /* Takes more steps than a line is worth. */
    assert_false(
        hides("(a+)+$", EVENT_OUTPUT, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
    struct buf none = {0};
    make(&none, EVENT_OUTPUT, "a");
    assert_false(hide_matches(NULL, (const struct event *)(void *)none.data));
    buf_free(&none);
}

static void refused(void **state)
{
    (void)state;
    char *lengthy = calloc(1, HIDE_PATTERN_MAX + 2);
    memset(lengthy, 'a', HIDE_PATTERN_MAX + 1);
    const char *const bad[] = {"", "a*", ".*", "x|", "(", "[a", "*", lengthy, "a{2,1}", "\\"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        assert_null(hide_create(bad[i], &err));
        assert_int_equal(err.kind, ERR_USAGE);
        err_clear(&err);
    }
    free(lengthy);
}

static void stub(void **state)
{
    (void)state;
    struct buf b = {0}, out = {0};
    make(&b, EVENT_OUTPUT, "secret");
    const struct event *e = (const struct event *)(void *)b.data;
    assert_false(hide_is_hidden(e));
    hide_record(e, &out);
    const struct event *s = (const struct event *)(void *)out.data;
    assert_true(event_well_formed(out.data, out.len));
    assert_true(hide_is_hidden(s));
    assert_int_equal(s->seq, 9);
    assert_int_equal(s->node, 3);
    assert_int_equal(s->vtime_ns, 5);
    assert_null(memmem(out.data, out.len, "secret", 6));
    buf_free(&b);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matching), cmocka_unit_test(refused),
                                       cmocka_unit_test(stub)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
