/* The query language of the logs explorer and what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event_builder.h"
#include "server/logs/event_view.h"
#include "server/logs/export.h"
#include "server/logs/search.h"
#include "store/store.h"

#define SECOND 1000000000ull

static char directory[] = "/tmp/everett-search-XXXXXX";
static struct store *store;

static void add_universe(uint64_t number, bool recovers)
{
    struct err err = {0};
    struct event_builder b = {0};
    build_at(&b, SECOND);
    build_output(&b, 0, 7, 1, 0, "etcd is UP");
    build_json(&b, EVENT_COMPOSER, 1,
               "{\"started_task\":\"1_put\",\"task_status\":\"started\","
               "\"command\":\"main/parallel_driver_put\",\"command_id\":\"1\"}");
    build_at(&b, 2 * SECOND);
    build_json(&b, EVENT_FAULT, 0,
               "{\"fault\":{\"name\":\"kill\",\"affected_nodes\":[\"etcd0\"]}}");
    build_at(&b, 3 * SECOND);
    build_output(&b, 1, 9, 2, 1, "put failed: timeout");
    build_output(&b, 1, 9, 1, 1, "{\"counter\":{\"value\":17.0},\"ok\":true}");
    build_assert(&b, 1, 9, "Puts are kept", "always", true, true, recovers, "{\"left\":3}");
    if (recovers) {
        build_at(&b, 5 * SECOND);
        build_output(&b, 1, 9, 1, 1, "recovered");
    }
    build_at(&b, 6 * SECOND);
    build_end(&b, END_TIME_LIMIT, true, "over");
    const struct store_universe u = {
        .number = number, .seed = number, .input_hash = -5 - (int64_t)number, .parent = -1};
    struct store_writer *w = store_universe_begin(store, &u, &err);
    assert_non_null(w);
    assert_int_equal(store_universe_append(w, b.out.data, b.out.len, &err), 0);
    assert_int_equal(store_universe_commit(w, 1, NULL, NULL, &err), 0);
    buf_free(&b.out);
}

static int set_up(void **state)
{
    struct err err = {0};
    char path[64];
    const struct store_node nodes[] = {{"etcd0", "etcd0", "etcd0", "etcd:v1", "sha256:00"},
                                       {"client", "client", "client", "client:v1", "sha256:01"}};
    const struct store_run run = {.id = "r", .name = "search", .status = RUN_RUNNING};
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/run", directory);
    store = store_create(path, &run, nodes, 2, &err);
    assert_non_null(store);
    for (uint64_t n = 0; n < 4; n++) {
        add_universe(n, n % 2 == 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    char command[80];
    store_close(store);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static struct search_result find(const char *text)
{
    struct err err = {0};
    struct search_result result;
    const struct search_range all = {.universe_to = UINT64_MAX};
    struct search *q = search_parse(text, &err);
    if (!q) {
        fail_msg("%s: %s", text, err.msg);
    }
    assert_int_equal(search_run(q, store, &all, NULL, NULL, &result, &err), 0);
    search_free(q);
    return result;
}

static void finds(const char *text, uint64_t hits, uint64_t histories)
{
    struct search_result r = find(text);
    if (r.hits != hits || r.histories != histories) {
        fail_msg("%s: %lu hits in %lu histories, expected %lu in %lu", text, (unsigned long)r.hits,
                 (unsigned long)r.histories, (unsigned long)hits, (unsigned long)histories);
    }
}

static void rows(void **state)
{
    finds("text contains TIMEOUT", 4, 4);
    finds("text is \"put failed: timeout\"", 4, 4);
    finds("text matches \"^put.*(timeout|reset)$\"", 4, 4);
    finds("container is etcd0 and stream is out", 4, 4);
    finds("container is etcd0 and stream is error or text is recovered", 2, 2);
    finds("stream is not out", 4, 4); /* events without a stream do not match */
    finds("command is main/parallel_driver_put and type is output", 10, 4);
    finds("source contains parallel_driver_put.err", 4, 4);
    finds("property contains kept and status is violated", 2, 2);
    finds("fault is kill", 4, 4);
    finds("type is fault", 4, 4);
    finds("time after 4.5 and type is output", 2, 2);
    finds("universe is 2 and text is recovered", 1, 1);
    finds("any contains \"Puts are kept\"", 4, 4);
}

static void documents(void **state)
{
    finds(".counter.value is 17", 4, 4);
    finds(".counter.value after 16.5", 4, 4);
    finds(".counter.value before 16.5", 0, 0);
    finds(".ok is 1", 4, 4);
    finds(".counter.other is not 3", 0, 0);
    finds(".antithesis_assert.details.left is 3", 4, 4);
    finds(".fault.affected_nodes.0 is etcd0", 4, 4);
}

static void clauses(void **state)
{
    finds("fault is kill followed by text is recovered", 2, 2);
    finds("fault is kill not followed by text is recovered", 2, 2);
    finds("fault is kill followed by text is recovered within 2", 0, 0);
    finds("fault is kill followed by text is recovered within 3 s", 2, 2);
    finds("text is recovered preceded by fault is kill", 2, 2);
    finds("text is recovered not preceded by fault is kill within 2.5s", 2, 2);
    finds("text contains timeout preceded by property contains kept", 0, 0); /* same instant */
}

static void json_form(void **state)
{
    finds("{\"where\":[{\"field\":\"fault\",\"op\":\"is\",\"value\":\"kill\"}],"
          "\"clause\":{\"kind\":\"not followed by\",\"within\":9,\"where\":"
          "[{\"field\":\"text\",\"op\":\"is\",\"value\":\"recovered\"}]}}",
          2, 2);
    finds("{\"where\":[{\"field\":\".counter.value\",\"op\":\"is\",\"value\":17}]}", 4, 4);
}

static void canonical(void **state)
{
    static const char *const pairs[][2] = {
        {" text   contains \"a\\\"b c\" or container is_not x",
         "text contains \"a\\\"b c\" or container is not x"},
        {"fault is kill not followed by text is ok and time after 3 within 5 seconds",
         "fault is kill not followed by text is ok and time after 3 within 5"},
        {"text is \"and\"", "text is and"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct err err = {0};
        struct buf once = {0}, twice = {0};
        struct search *q = search_parse(pairs[i][0], &err);
        assert_non_null(q);
        search_text(q, &once);
        assert_string_equal(once.data, pairs[i][1]);
        search_free(q);
        q = search_parse(once.data, &err);
        assert_non_null(q);
        search_text(q, &twice);
        assert_string_equal(once.data, twice.data);
        search_free(q);
        buf_free(&once);
        buf_free(&twice);
    }
}

static void refusals(void **state)
{
    static const char *const bad[][2] = {
        {"", "expected a field"},
        {"timeout", "no field `timeout`"},
        {"text like x", "contains, excludes"},
        {"text is", "expected a value"},
        {"text is \"open", "no end"},
        {"text matches \"(\"", "is wrong"},
        {"text is a b", "and, or, preceded by"},
        {"text is a followed text is b", "expected by"},
        {"text is a followed by text is b within soon", "number of seconds"},
        {"time after noon", "needs a number"},
        {"text contains \"\"", "needs a text"},
        {"{\"where\":[]}", "not empty"},
        {"{\"where\":[{\"field\":\"text\"}]}", "row 1"},
        {"{nonsense", "no JSON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        assert_null(search_parse(bad[i][0], &err));
        if (!strstr(err.msg, bad[i][1])) {
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i][0], err.msg, bad[i][1]);
        }
        err_clear(&err);
    }
}

static int keep_json(void *ctx, struct event_view *hit)
{
    event_view_json(hit, ctx);
    buf_putc(ctx, '\n');
    return 0;
}

static void as_json(void **state)
{
    struct err err = {0};
    struct search_result result;
    struct buf b = {0};
    const struct search_range first = {.universe_to = 0, .hits_per_universe = 1};
    struct search *q = search_plain("timeout");
    assert_int_equal(search_run(q, store, &first, keep_json, &b, &result, &err), 0);
    assert_string_equal(b.data,
                        "{\"moment\":{\"input_hash\":\"-5\",\"vtime\":\"3\"},\"source\":{\"name\":"
                        "\"antithesis/pods/client/commands/main/parallel_driver_put.err\","
                        "\"container\":\"client\",\"stream\":\"error\",\"pid\":9,\"command_id\":1},"
                        "\"output_text\":\"put failed: timeout\"}\n");
    search_free(q);
    buf_free(&b);
}

static void exports(void **state)
{
    static const char *const firsts[] = {
        [EXPORT_JSON] = "{\"moment\":{\"input_hash\":\"-5\"",
        [EXPORT_TEXT] = "     0  00:00:03.000  client       | put failed: timeout\n",
        [EXPORT_CSV] = "universe,input_hash,vtime,container,type,text\r\n"
                       "0,-5,3,\"client\",\"output\",\"put failed: timeout\"\r\n",
    };
    for (int format = EXPORT_JSON; format <= EXPORT_CSV; format++) {
        struct err err = {0};
        char path[64], bytes[7];
        struct buf all = {0};
        snprintf(path, sizeof path, "%s/run", directory);
        struct store *s = store_open(path, &err);
        assert_non_null(s);
        const struct export_options o = {(enum export_format)format, 3, 0, UINT64_MAX};
        void *x = search_export_create(search_plain("timeout"), s, &o);
        for (ssize_t n; (n = search_export_read(x, bytes, sizeof bytes)) > 0;) {
            buf_append(&all, bytes, (size_t)n);
        }
        search_export_close(x);
        assert_int_equal(strncmp(all.data, firsts[format], strlen(firsts[format])), 0);
        size_t lines = 0;
        for (size_t i = 0; i < all.len; i++) {
            lines += all.data[i] == '\n';
        }
        assert_int_equal(lines, 3 + (format == EXPORT_CSV));
        buf_free(&all);
    }
}

static void forms(void **state)
{
    struct err err = {0};
    struct buf b = {0};
    struct search *q = search_add(NULL, false, (const char *const[]){"text", "is", "a b"}, &err);
    q = search_add(q, true, (const char *const[]){"fault", "is_not", "kill"}, &err);
    q = search_clause(q, "not preceded by", "3", (const char *const[]){"type", "is", "crash"},
                      &err);
    assert_non_null(q);
    search_text(q, &b);
    assert_string_equal(b.data, "text is \"a b\" or fault is not kill not preceded by "
                                "type is crash within 3");
    search_free(q);
    buf_free(&b);
    assert_null(search_add(NULL, false, (const char *const[]){"text", "likes", "x"}, &err));
    err_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),      cmocka_unit_test(documents), cmocka_unit_test(clauses),
        cmocka_unit_test(json_form), cmocka_unit_test(canonical), cmocka_unit_test(refusals),
        cmocka_unit_test(as_json),   cmocka_unit_test(exports),   cmocka_unit_test(forms),
    };
    return cmocka_run_group_tests_name("search", tests, set_up, tear_down);
}
