/* The explorer's pure parts: strategies, messages, novelty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "explorer/message.h"
#include "explorer/novelty.h"
#include "explorer/strategy.h"
#include "explorer/wire.h"
#include "runner/run_inputs.h"

static void strategies(void **state)
{
    (void)state;
    struct run_identity id = {{1}, ""}, other = {{2}, ""};
    size_t plain = 0;
    assert_int_equal(strategy_seed(1, 5), strategy_seed(1, 5));
    assert_int_not_equal(strategy_seed(1, 5), strategy_seed(1, 6));
    assert_int_not_equal(strategy_seed(1, 5), strategy_seed(2, 5));
    for (uint64_t i = 0; i < 3000; i++) {
        struct strategy s = strategy_of(&id, strategy_seed(1, i));
        plain += s.preempt_mean_calls == 0;
        assert_int_not_equal(s.input_hash, 0);
        assert_int_not_equal(s.input_hash, strategy_of(&other, s.seed).input_hash);
    }
    assert_in_range(plain, 800, 1200); /* a third */
}

static struct worker_result sample(void)
{
    struct worker_result r = {.universe = {.number = 7,
                                           .seed = UINT64_MAX,
                                           .input_hash = -5,
                                           .parent = -1,
                                           .virtual_ns = 9,
                                           .digest = {3, 4},
                                           .setup_complete = true}};
    r.universe.end_text = mem_strdup("");
    r.setup_words = mem_strdup("last words");
    property_set_init(&r.found);
    struct property_key key = {"an id", PROPERTY_SOMETIMES, true};
    struct property *p = property_get(&r.found, &key);
    p->group = mem_strdup("SDK");
    p->line = -3;
    struct property_example x = {
        .universe = 7, .vtime_ns = 8, .node = 2, .details = (char *)(uintptr_t) "{\"a\":1}"};
    property_record(p, true, &x);
    property_record(p, false, &x);
    struct guidance *g = guidance_get(&r.found, "g", GUIDANCE_NUMERIC, true);
    g->has_best = true;
    g->left = -0.5;
    note_add(&r.found, NOTE_UNKNOWN, "ioctl", -25, 7, 1);
    note_add(&r.found, NOTE_SDK, "python", 0, 7, 2);
    r.behaviours = mem_zalloc(2 * sizeof *r.behaviours);
    r.behaviours[1] = 0xffffffffffffffffull;
    r.behaviour_count = 2;
    return r;
}

static void results_travel(void **state)
{
    (void)state;
    struct worker_result in = sample(), out;
    struct buf one = {0}, two = {0};
    message_put_result(&one, &in);
    assert_true(message_get_result(one.data, one.len, &out));
    assert_int_equal(out.universe.input_hash, -5);
    assert_true(out.universe.setup_complete);
    assert_string_equal(out.universe.end_text, "");
    assert_null(out.universe.engine_error);
    assert_string_equal(out.found.props[0].examples.item[0].details, "{\"a\":1}");
    assert_int_equal(out.found.note_count, 2);
    message_put_result(&two, &out);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    worker_result_fini(&in);
    worker_result_fini(&out);
    buf_free(&one);
    buf_free(&two);
}

/* A worker that was hit by something may say anything; no prefix of a message is a message. */
static void cut_results_are_refused(void **state)
{
    (void)state;
    struct worker_result in = sample(), out;
    struct buf b = {0};
    message_put_result(&b, &in);
    for (size_t len = 0; len + 8 <= b.len; len++) {
        char *exact = mem_zalloc(len + 1);
        memcpy(exact, b.data, len);
        assert_false(message_get_result(exact, len, &out));
        free(exact);
    }
    worker_result_fini(&in);
    buf_free(&b);
}

static void say(struct novelty *n, uint16_t node, const char *text)
{
    struct event_output head = {.stream = 1};
    struct event e = {.type = EVENT_OUTPUT, .node = node};
    struct buf b = {0};
    e.length = (uint32_t)(sizeof head + strlen(text));
    e.size = (uint32_t)round_up_u64(sizeof e + e.length, 8);
    buf_append(&b, &e, sizeof e);
    buf_append(&b, &head, sizeof head);
    buf_puts(&b, text);
    novelty_event(n, (const struct event *)(const void *)b.data);
    buf_free(&b);
}

static void shapes_of_lines(void **state)
{
    (void)state;
    struct novelty n = {0};
    say(&n, 0, "leader 12 elected at 10.5");
    say(&n, 0, "leader 7af elected at 99.1");
    assert_int_equal(n.count, 1);
    say(&n, 0, "leader lost");
    say(&n, 1, "leader lost");
    assert_int_equal(n.count, 3);
    for (uint64_t i = 1; i < 2000; i++) {
        assert_true(novelty_add(&n, i));
        assert_false(novelty_add(&n, i));
    }
    novelty_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strategies),
        cmocka_unit_test(results_travel),
        cmocka_unit_test(cut_results_are_refused),
        cmocka_unit_test(shapes_of_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
