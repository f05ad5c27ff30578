/* The property engine: verdict table, tolerance, built-in rules, merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event_builder.h"
#include "store/ingest.h"
#include "store/json_lenient.h"

static const char *const nodes[] = {"etcd0", "etcd1", "client1"};

static struct ingest *judge(const struct event_builder *b, uint64_t universe)
{
    struct ingest *in = ingest_create(universe, nodes, ARRAY_LEN(nodes));
    for (size_t at = 0; at < b->out.len;) {
        const struct event *ev = (const struct event *)(const void *)(b->out.data + at);
        ingest_event(in, ev);
        at += ev->size;
    }
    ingest_finish(in, NULL);
    return in;
}

static const struct property *by_id(const struct property_set *set, const char *id)
{
    const struct property *found = NULL;
    for (size_t i = 0; i < set->prop_count; i++) {
        if (strcmp(set->props[i].id, id) == 0) {
            assert_null(found);
            found = &set->props[i];
        }
    }
    return found;
}

struct row {
    const char *type;
    bool must_hit;
    int verdict[4]; /* never hit; hit false; hit true; hit both */
};

static const struct row table[] = {
    {"always", true, {VERDICT_NEVER, VERDICT_FAILED, VERDICT_PASSED, VERDICT_FAILED}},
    {"always", false, {VERDICT_PASSED, VERDICT_FAILED, VERDICT_PASSED, VERDICT_FAILED}},
    {"sometimes", true, {VERDICT_NEVER, VERDICT_FAILED, VERDICT_PASSED, VERDICT_PASSED}},
    {"reachability", true, {VERDICT_NEVER, VERDICT_PASSED, VERDICT_PASSED, VERDICT_PASSED}},
    {"reachability", false, {VERDICT_PASSED, VERDICT_FAILED, VERDICT_FAILED, VERDICT_FAILED}},
};

static void test_verdicts(void **state)
{
    for (size_t r = 0; r < ARRAY_LEN(table); r++) {
        for (unsigned hits = 0; hits < 4; hits++) {
            struct event_builder b = {0};
            build_assert(&b, 0, 9, "p", table[r].type, table[r].must_hit, false, false, "{}");
            if (hits & 1) {
                build_assert(&b, 0, 9, "p", table[r].type, table[r].must_hit, true, false, NULL);
            }
            if (hits & 2) {
                build_assert(&b, 0, 9, "p", table[r].type, table[r].must_hit, true, true, NULL);
            }
            build_end(&b, END_TIME_LIMIT, true, "");
            struct ingest *in = judge(&b, 1);
            const struct property *p = by_id(ingest_set(in), "p");
            assert_non_null(p);
            assert_true(p->declared);
            assert_int_equal(property_verdict(p), table[r].verdict[hits]);
            assert_int_equal(p->examples.count + p->counterexamples.count,
                             (hits & 1) + (hits >> 1));
            ingest_destroy(in);
            buf_free(&b.out);
        }
    }
}

static json_t *lenient(const char *text, bool *cut)
{
    return json_lenient(text, strlen(text), cut);
}

static void check_lenient(const char *text, const char *want)
{
    bool cut;
    json_t *doc = lenient(text, &cut);
    char *got = doc ? json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("nothing");
    assert_string_equal(got, want);
    free(got);
    json_decref(doc);
}

static void test_lenient(void **state)
{
    check_lenient("{\"a\":{\"b\":\"x\",\"c\":\"uncl", "{\"a\":{\"b\":\"x\"}}");
    check_lenient("{\"a\":{\"b\":\"x\",\"c\":12", "{\"a\":{\"b\":\"x\"}}");
    check_lenient("{\"a\":{\"b\":\"x\",\"c\":12}", "{\"a\":{\"b\":\"x\",\"c\":12}}");
    check_lenient("{\"a\":NaN,\"b\":[-Infinity,1]}", "{\"a\":\"NaN\",\"b\":[\"-Infinity\",1]}");
    check_lenient("{\"a\":\"x\xff\"}", "{\"a\":\"x\xef\xbf\xbd\"}");
    check_lenient("{\"a\":\"x\\ud800y\"}", "{\"a\":\"x\xef\xbf\xbdy\"}");
    check_lenient("{\"a\":\"\\ud83d\\ude00\xff\"}", "{\"a\":\"\xf0\x9f\x98\x80\xef\xbf\xbd\"}");
    check_lenient("{\"a\":\"tab\there\"}", "{\"a\":\"tab\\there\"}");
    check_lenient("{\"a\":\"C:\\x\"}", "{\"a\":\"C:\\\\x\"}");
    check_lenient("{\"a\":1} trailing {", "{\"a\":1}");
    check_lenient("{\"a\":123456789012345678901234567890}", "{\"a\":1.2345678901234568e29}");
    check_lenient("", "nothing");
    check_lenient("nonsense", "nothing");
    check_lenient("{]", "nothing");
    check_lenient("\"", "nothing");
}

/* No prefix and no single damaged byte of a message may crash the reader. */
static void test_lenient_never_crashes(void **state)
{
    static const char doc[] = "{\"antithesis_assert\":{\"id\":\"\\u00e9\xc3\xa9\",\"hit\":true,"
                              "\"details\":{\"a\":[1,-2.5e3,null,\"\\n\"]}}}";
    for (size_t len = 0; len <= sizeof doc - 1; len++) {
        char *copy = malloc(len ? len : 1); /* exact, so that asan sees an overrun */
        memcpy(copy, doc, len);
        bool cut;
        json_decref(json_lenient(copy, len, &cut));
        for (size_t i = 0; len == sizeof doc - 1 && i < len; i++) {
            for (int c = 1; c < 256; c += 7) {
                char saved = copy[i];
                copy[i] = (char)c;
                json_decref(json_lenient(copy, len, &cut));
                copy[i] = saved;
            }
        }
        free(copy);
    }
}

static void test_malformed_is_noted(void **state)
{
    struct event_builder b = {0};
    build_sdk(&b, 0, 1, 0, "{\"antithesis_assert\":{\"id\":\"x\",\"hit\":true}}");
    build_sdk(&b, 0, 1, 0, "not json");
    build_sdk(&b, 0, 1, 0, "{\"own event\":{\"k\":1}}"); /* fine */
    build_end(&b, END_TIME_LIMIT, true, "");
    struct ingest *in = judge(&b, 1);
    const struct property_set *set = ingest_set(in);
    size_t notes = 0;
    for (size_t i = 0; i < set->note_count; i++) {
        notes += set->notes[i].kind == NOTE_MALFORMED;
    }
    assert_int_equal(notes, 2);
    assert_null(by_id(set, "x"));
    ingest_destroy(in);
    buf_free(&b.out);
}

static void test_identity(void **state)
{
    struct event_builder b = {0};
    build_assert(&b, 0, 1, "same", "always", true, true, true, NULL);
    build_assert(&b, 0, 2, "same", "always", true, true, true, NULL);
    build_assert(&b, 0, 2, "same", "sometimes", true, true, false, NULL);
    build_sdk(&b, 0, 1, 0,
              "{\"antithesis_assert\":{\"message\":\"no id\",\"hit\":true,\"must_hit\":true,"
              "\"condition\":true,\"assert_type\":\"always\",\"unknown key\":[]}}");
    build_end(&b, END_TIME_LIMIT, true, "");
    struct ingest *in = judge(&b, 1);
    const struct property_set *set = ingest_set(in);
    const struct property *a =
        property_find(set, &(struct property_key){"same", PROPERTY_ALWAYS, true});
    const struct property *s =
        property_find(set, &(struct property_key){"same", PROPERTY_SOMETIMES, true});
    assert_int_equal(a->good, 2);
    assert_int_equal(a->universes, 1);
    assert_int_equal(property_verdict(s), VERDICT_FAILED);
    assert_int_equal(by_id(set, "no id")->good, 1);
    ingest_destroy(in);
    buf_free(&b.out);
}

static void test_guidance(void **state)
{
    struct event_builder b = {0};
    static const char *const values[] = {"7", "\"NaN\"", "\"-Infinity\"", "9", "3"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char json[256];
        snprintf(json, sizeof json,
                 "{\"antithesis_guidance\":{\"guidance_type\":\"numeric\",\"id\":\"m\","
                 "\"maximize\":true,\"guidance_data\":{\"left\":%s,\"right\":5},\"hit\":true}}",
                 values[i]);
        build_sdk(&b, 0, 1, 0, json);
    }
    build_sdk(&b, 0, 1, 0,
              "{\"antithesis_guidance\":{\"guidance_type\":\"boolean\",\"id\":\"b\",\"maximize\":"
              "true,\"guidance_data\":{\"x\":true,\"y\":false,\"z\":true},\"hit\":true}}");
    build_end(&b, END_TIME_LIMIT, true, "");
    struct ingest *in = judge(&b, 3);
    const struct property_set *set = ingest_set(in);
    assert_int_equal(set->guidance_count, 2);
    assert_true(set->guidance[0].left > 1.9 && set->guidance[0].right > 2.9);
    assert_int_equal(set->guidance[1].hits, 5);
    assert_true(set->guidance[1].left > 8.9 && set->guidance[1].left < 9.1);
    ingest_destroy(in);
    buf_free(&b.out);
}

static void command(struct event_builder *b, const char *task, const char *code, const char *more)
{
    char json[256];
    snprintf(json, sizeof json,
             "{\"started_task\":\"%s\",\"task_status\":\"started\",\"command\":\"t/%s\"}", task,
             task);
    build_json(b, EVENT_COMPOSER, 2, json);
    snprintf(json, sizeof json,
             "{\"finished_task\":\"%s\",\"task_status\":\"finished\",\"command\":\"t/%s\","
             "\"command_return_code\":\"%s\"%s}",
             task, task, code, more);
    build_json(b, EVENT_COMPOSER, 2, json);
}

#define ARROW " \xe2\x86\x92 "

static void test_command_rules(void **state)
{
    struct event_builder b = {0};
    build_json(&b, EVENT_COMPOSER, 2, "{\"new_command_path\":\"t/parallel_driver_idle\"}");
    command(&b, "good", "0", "");
    command(&b, "bad", "1", "");
    command(&b, "killed", "137", ",\"by_injector\":true");
    build_end(&b, END_TIME_LIMIT, true, "");
    struct ingest *in = judge(&b, 1);
    const struct property_set *set = ingest_set(in);
#define ZERO_OF(x) by_id(set, "Always: " RULE_COMMAND_ZERO ARROW "t/" x)
#define ONCE_OF(x) by_id(set, "Sometimes: " RULE_COMMAND_ONCE ARROW "t/" x)
    assert_int_equal(property_verdict(ZERO_OF("good")), VERDICT_PASSED);
    assert_int_equal(property_verdict(ZERO_OF("bad")), VERDICT_FAILED);
    assert_int_equal(property_verdict(ONCE_OF("bad")), VERDICT_FAILED);
    assert_int_equal(ZERO_OF("killed")->good + ZERO_OF("killed")->bad, 0);
    assert_int_equal(property_verdict(ONCE_OF("parallel_driver_idle")), VERDICT_NEVER);
    assert_string_equal(ZERO_OF("bad")->counterexamples.item[0].details, "{\"exit code\":1}");
    ingest_destroy(in);
    buf_free(&b.out);
}

static void test_faults_are_not_blamed(void **state)
{
    struct event_builder b = {0};
    build_json(&b, EVENT_FAULT, EVENT_NO_NODE,
               "{\"fault\":{\"name\":\"kill\",\"type\":\"node\",\"affected_nodes\":[\"etcd1\"]}}");
    build_json(&b, EVENT_CONTAINER, 1,
               "{\"event\":\"died\",\"name\":\"etcd1\",\"container_exit_code\":\"137\"}");
    build_exit(&b, 1, 7, 11, true, true, "/bin/etcd");
    build_json(&b, EVENT_CONTAINER, 1, "{\"event\":\"start\",\"name\":\"etcd1\"}");
    build_end(&b, END_TIME_LIMIT, true, "");
    struct ingest *in = judge(&b, 1);
    assert_int_equal(property_set_count(ingest_set(in)).failed, 0);
    assert_int_equal(property_set_count(ingest_set(in)).passed, 4);
    ingest_destroy(in);

    build_at(&b, 5);
    b.seq--; /* in place of the end */
    build_exec(&b, 1, 8, "/usr/bin/etcd");
    build_exit(&b, 1, 8, 11, true, false, "");
    build_json(&b, EVENT_CONTAINER, 1,
               "{\"event\":\"died\",\"name\":\"etcd1\",\"container_exit_code\":139}");
    build_end(&b, END_ENGINE_ERROR, true, "lost a page");
    in = judge(&b, 1);
    const struct property_set *set = ingest_set(in);
    assert_int_equal(property_set_count(set).failed, 3);
    assert_int_equal(
        by_id(set, "Always: " RULE_CONTAINER ARROW "container: etcd1, exit code: 139")->bad, 1);
    assert_int_equal(by_id(set, "Always: " RULE_CRASH ARROW "etcd, SIGSEGV")->bad, 1);
    assert_string_equal(by_id(set, "Always: " RULE_ENGINE)->counterexamples.item[0].details,
                        "{\"reason\":\"lost a page\"}");
    ingest_destroy(in);
    buf_free(&b.out);
}

static void test_setup_and_missing_end(void **state)
{
    struct event_builder b = {0};
    build_end(&b, END_SETUP_FAILED, false, "etcd0 exited with 1");
    struct ingest *in = judge(&b, 1);
    assert_int_equal(property_verdict(by_id(ingest_set(in), "Always: " RULE_SETUP)),
                     VERDICT_FAILED);
    ingest_destroy(in);
    buf_reset(&b.out);
    build_sdk(&b, 0, 1, 0, "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":null}}");
    in = judge(&b, 1);
    assert_int_equal(by_id(ingest_set(in), "Always: " RULE_SETUP)->good, 1);
    assert_int_equal(property_verdict(by_id(ingest_set(in), "Always: " RULE_ENGINE)),
                     VERDICT_FAILED);
    ingest_destroy(in);
    buf_free(&b.out);
}

static void one_universe(struct property_set *out, uint64_t universe)
{
    struct event_builder b = {0};
    build_at(&b, universe * 31 % 1000);
    for (uint64_t i = 0; i < universe % 5; i++) {
        build_assert(&b, 0, (uint32_t)i, universe % 2 ? "odd" : "even", "always", true, true,
                     (universe + i) % 3 != 0, "{\"k\":1}");
    }
    build_end(&b, END_TIME_LIMIT, true, "");
    struct ingest *in = judge(&b, universe);
    property_set_init(out);
    property_set_merge(out, ingest_set(in));
    ingest_destroy(in);
    buf_free(&b.out);
}

static void assert_same_set(const struct property_set *a, const struct property_set *b)
{
    assert_int_equal(a->prop_count, b->prop_count);
    for (size_t i = 0; i < a->prop_count; i++) {
        const struct property *p = &a->props[i];
        const struct property *q = &b->props[i];
        assert_string_equal(p->id, q->id);
        assert_int_equal(p->good, q->good);
        assert_int_equal(p->bad, q->bad);
        assert_int_equal(p->universes_bad, q->universes_bad);
        assert_int_equal(p->counterexamples.count, q->counterexamples.count);
        for (size_t k = 0; k < p->counterexamples.count; k++) {
            assert_int_equal(p->counterexamples.item[k].universe,
                             q->counterexamples.item[k].universe);
            assert_int_equal(p->counterexamples.item[k].seq, q->counterexamples.item[k].seq);
        }
    }
}

#define UNIVERSES 60

static void test_merge_order_does_not_matter(void **state)
{
    struct property_set forward, backward, halves[2], one;
    property_set_init(&forward);
    property_set_init(&backward);
    property_set_init(&halves[0]);
    property_set_init(&halves[1]);
    for (uint64_t u = 0; u < UNIVERSES; u++) {
        one_universe(&one, u);
        property_set_merge(&forward, &one);
        property_set_merge(&halves[u * 7 % 3 == 0], &one);
        property_set_fini(&one);
        one_universe(&one, UNIVERSES - 1 - u);
        property_set_merge(&backward, &one);
        property_set_fini(&one);
    }
    property_set_merge(&halves[1], &halves[0]);
    assert_same_set(&forward, &backward);
    assert_same_set(&forward, &halves[1]);
    const struct property *odd = by_id(&forward, "odd");
    assert_int_equal(odd->counterexamples.count, PROPERTY_EXAMPLE_MAX);
    for (size_t k = 1; k < PROPERTY_EXAMPLE_MAX; k++) { /* all from different universes */
        assert_true(odd->counterexamples.item[k].universe >
                    odd->counterexamples.item[k - 1].universe);
    }
    property_set_fini(&forward);
    property_set_fini(&backward);
    property_set_fini(&halves[0]);
    property_set_fini(&halves[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_lenient),
        cmocka_unit_test(test_lenient_never_crashes),
        cmocka_unit_test(test_malformed_is_noted),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_guidance),
        cmocka_unit_test(test_command_rules),
        cmocka_unit_test(test_faults_are_not_blamed),
        cmocka_unit_test(test_setup_and_missing_end),
        cmocka_unit_test(test_merge_order_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
