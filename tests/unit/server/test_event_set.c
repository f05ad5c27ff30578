/* Event sets: what they hold, what is refused, and garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/stream.h"
#include "server/api/api_priv.h"

static const char event[] =
    "{\"moment\":{\"input_hash\":\"-5\",\"vtime\":\"1.5\"},\"source\":{\"name\":\"etcd0\","
    "\"container\":\"etcd0\",\"stream\":\"error\",\"pid\":7},\"output_text\":\"Raft lost\","
    "\"count\":17,\"same\":true,\"deep\":{\"er\":{\"x\":\"y\"}},\"a.b\":\"dotted\"}";

static bool has(const char *query)
{
    struct err err = {0};
    struct event_set *s = event_set_parse(query, &err);
    if (!s) {
        fail_msg("%s: %s", query, err.msg);
    }
    json_t *doc = json_loads(event, 0, NULL);
    event_set_begin(s);
    bool in = event_set_has(s, doc);
    json_decref(doc);
    event_set_free(s);
    return in;
}

static void holds(void **state)
{
    (void)state;
    assert_true(has("contains({output_text: \"raft\"})"));
    assert_true(has(" contains ( { 'output_text' : `LOST` , } ) "));
    assert_true(has("matches({container: \"etcd0\"})"));
    assert_true(has("matches({\"source.name\": \"etcd0\"}).contains({output_text: \"a\"})"));
    assert_true(has("matches({source: {stream: \"error\", pid: 7}})"));
    assert_true(has("matches({deep: {er: {x: \"y\"}}})"));
    assert_true(has("matches({\"deep.er.x\": \"y\"})"));
    assert_true(has("matches({\"a.b\": \"dotted\"})"));
    assert_true(has("matches({count: 17.0, same: true})"));
    assert_true(has("matches({vtime: 1.5}).union(matches({count: 17}))"));
    assert_true(has("matches({moment: {vtime: 1.5}})"));
    assert_true(has("excludes({output_text: \"found\"})"));
    assert_true(has("filter(ev => ev.count > 3 && ev.source.name === \"etcd0\")"));
    assert_true(has("matches({count: 1}).union(matches({count: 17}))"));
    assert_false(has("matches({output_text: \"Raft\"})"));
    assert_false(has("matches({absent: 1})"));
    assert_false(has("not_matches({absent: 1})"));
    assert_false(has("excludes({absent: \"x\"})"));
    assert_false(has("not_matches({count: 17})"));
    assert_false(has("matches({count: 17}).difference(contains({output_text: \"raft\"}))"));
    assert_false(has("matches({count: 17}).intersect(matches({count: 18}))"));
    assert_false(has("contains({output_text: \"a\\nb\"})"));
}

static void moments(void **state)
{
    (void)state;
    struct err err = {0};
    struct event_set *s =
        event_set_parse("contains({output_text:\"raft\"}).distinct_by_moment()", &err);
    json_t *doc = json_loads(event, 0, NULL);
    assert_non_null(s);
    event_set_begin(s);
    assert_true(event_set_has(s, doc));
    assert_false(event_set_has(s, doc));
    event_set_begin(s);
    assert_true(event_set_has(s, doc));
    json_decref(doc);
    event_set_free(s);
}

static void told(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"map(ev => ev.x)", "the verb `map` is not served"},
        {"filter(ev => )", "at character 14: expected"},
        {"matches({a: 1}).with_next()", "the verb `with_next` is not served"},
        {"contains({a: })", "at character 14: expected a text in quotes"},
        {"contains({a: \"x})", "expected the end of the text in quotes"},
        {"contains{}", "at character 9: expected `(`"},
        {"nonsense()", "expected a verb"},
        {"matches({a:1}) matches({a:1})", "expected `.` and another verb, or the end"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        assert_null(event_set_parse(rows[i][0], &err));
        assert_int_equal(err.kind, ERR_USAGE);
        if (!strstr(err.msg, rows[i][1])) {
            fail_msg("%s: %s", rows[i][0], err.msg);
        }
        err_clear(&err);
    }
    assert_true(event_set_is(" matches ({})"));
    assert_false(event_set_is("text contains \"x(\""));
    assert_false(event_set_is(""));
}

/* Pieces of queries in any order: an answer, never a crash. */
static void garbage(void **state)
{
    (void)state;
    static const char *const pieces[] = {"matches(",
                                         "contains(",
                                         "union(",
                                         "{",
                                         "}",
                                         ")",
                                         "a",
                                         ":",
                                         "\"x\"",
                                         "'",
                                         ",",
                                         ".",
                                         "1e",
                                         "-",
                                         "\\",
                                         "`",
                                         "difference(",
                                         "true",
                                         "null",
                                         "\xff",
                                         "distinct_by_moment()",
                                         "filter(",
                                         "ev",
                                         "=>",
                                         "[",
                                         "]",
                                         "?",
                                         "&&",
                                         "===",
                                         "ev.output_text",
                                         ".includes(",
                                         " "};
    struct stream s;
    unsigned good = 0, tried = 20000;
    stream_init(&s, 4711, 1, 0);
    json_t *doc = json_loads(event, 0, NULL);
    for (unsigned i = 0; i < tried; i++) {
        struct buf b = {0};
        struct err err = {0};
        buf_puts(&b, stream_below(&s, 2) ? "matches({" : "");
        for (uint64_t n = stream_below(&s, 24); n > 0; n--) {
            buf_puts(&b, pieces[stream_below(&s, ARRAY_LEN(pieces))]);
        }
        buf_puts(&b, "");
        buf_append(&b, "", 0);
        struct event_set *set = event_set_parse(b.data ? b.data : "", &err);
        if (set) {
            good++;
            event_set_has(set, doc);
        }
        event_set_free(set);
        err_clear(&err);
        buf_free(&b);
    }
    json_decref(doc);
    print_message("%u queries tried, %u of them valid\n", tried, good);
    assert_true(good > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(holds), cmocka_unit_test(moments),
                                       cmocka_unit_test(told), cmocka_unit_test(garbage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
