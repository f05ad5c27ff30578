/* Parameters of launches: what is taken, what is refused, what follows from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "server/queue/params.h"

static json_t *parse(const char *text)
{
    json_error_t why;
    json_t *doc = json_loads(text, 0, &why);
    assert_non_null(doc);
    return doc;
}

static int read_params(struct launch_params *p, const char *text, struct err *err)
{
    json_t *in = parse(text);
    int r = launch_params_read(p, in, 60, err);
    json_decref(in);
    return r;
}

static void kinds(void **state)
{
    (void)state;
    struct launch_params p;
    struct err err = {0};
    assert_int_equal(
        read_params(&p,
                    "{\"antithesis.config_image\":\"c:v1\",\"antithesis.duration\":0.5,"
                    "\"antithesis.is_ephemeral\":true,\"a\":17,\"b\":null,\"c\":[1,{}],"
                    "\"antithesis.integrations.slack.token\":\"t\","
                    "\"antithesis.integrations.slack.callback_url\":\"u\"}",
                    &err),
        0);
    assert_true(p.duration_s > 29.9 && p.duration_s < 30.1);
    assert_true(p.is_ephemeral);
    assert_string_equal(param_text(p.shown, "a"), "17");
    assert_null(param_text(p.shown, "b"));
    assert_string_equal(param_text(p.shown, "c"), "[1,{}]");
    assert_string_equal(param_text(p.shown, "antithesis.integrations.slack.token"), "[not shown]");
    assert_string_equal(param_text(p.secrets, "antithesis.integrations.slack.token"), "t");
    assert_string_equal(param_text(p.secrets, "antithesis.integrations.slack.callback_url"), "u");
    struct buf name = {0};
    param_run_name(p.shown, &name);
    assert_string_equal(name.data, "c");
    buf_free(&name);
    launch_params_fini(&p);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int seconds; /* 0: refused */
    } rows[] = {{"\"30\"", 1800},
                {"30", 1800},
                {"\"0.5\"", 30},
                {"0.1", 6},
                {"\"60\"", 3600},
                {"\"61\"", 0},
                {"\"\"", 1800},
                {"\" 30\"", 0},
                {"\"30m\"", 0},
                {"\"0x10\"", 0},
                {"\"1e1\"", 0},
                {"\".5\"", 0},
                {"\"5.\"", 0},
                {"-3", 0},
                {"\"0.001\"", 0},
                {"true", 0},
                {"1e40", 0},
                {"\"nan\"", 0},
                {"\"99999999999999999999\"", 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct launch_params p;
        struct err err = {0};
        struct buf text = {0};
        buf_printf(&text, "{\"antithesis.config_image\":\"c\",\"antithesis.duration\":%s}",
                   rows[i].json);
        int r = read_params(&p, text.data, &err);
        assert_int_equal(r, rows[i].seconds ? 0 : -1);
        if (rows[i].seconds) {
            assert_int_equal((int)p.duration_s, rows[i].seconds);
        } else {
            assert_int_equal(err.kind, ERR_USAGE);
            assert_non_null(strstr(err.msg, "antithesis.duration"));
        }
        err_clear(&err);
        buf_free(&text);
        launch_params_fini(&p);
    }
}

static int collect(void *ctx, const char *word, struct err *err)
{
    (void)err;
    buf_printf(ctx, "[%s]", word);
    return 0;
}

static void words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a;b", "[a][b]"}, {" a ; ;b c; ", "[a][b c]"}, {";;;", ""}, {"", ""}, {"a", "[a]"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        struct err err = {0};
        assert_int_equal(param_each_word(rows[i][0], ";", collect, &b, &err), 0);
        assert_string_equal(b.data ? b.data : "", rows[i][1]);
        buf_free(&b);
    }
}

static void assert_faults(const char *params, const char *file)
{
    json_t *doc = parse(params);
    struct buf b = {0};
    param_faults(doc, &b);
    assert_string_equal(b.data ? b.data : "", file);
    buf_free(&b);
    json_decref(doc);
}

static void faults(void **state)
{
    (void)state;
    assert_faults("{\"custom.faults_enabled\":\"true\",\"x\":\"y\"}", "");
    assert_faults("{\"custom.network_fault_exclusion\":\" a, b*;c\"}",
                  "{\"exclude\":{\"network\":[\"a\",\"b*\",\"c\"]}}");
    assert_faults("{\"custom.container_faults_exclusion\":\"a\","
                  "\"custom.container_faults_kill_exclusion\":\"b\"}",
                  "{\"exclude\":{\"kill\":[\"b\",\"a\"],\"pause\":[\"a\"],\"stop\":[\"a\"]}}");
    assert_faults("{\"custom.container_faults_enable\":\"False\"}",
                  "{\"pause\":\"off\",\"kill\":\"off\"}");
    assert_faults("{\"custom.faults_enabled\":\"0\"}", "{\"partition\":\"off\",\"clog\":\"off\","
                                                       "\"pause\":\"off\",\"kill\":\"off\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kinds), cmocka_unit_test(durations),
                                       cmocka_unit_test(words), cmocka_unit_test(faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
