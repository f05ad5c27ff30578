/* What pages are drawn from: escaping, the launch form's parameters and curl line, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/pages/accounts.h"
#include "server/pages/assets.h"
#include "server/pages/launch.h"
#include "server/pages/live.h"
#include "server/pages/run.h"
#include "server/pages/runs.h"

#define HOSTILE "\"><script>alert(1)</script>'&"

static char hostile[] = HOSTILE;
static char id[] = "0-60-1";
static char launcher[] = "basic_test";
static char user[] = "user";
static char params[] = "{\"a\":\"<b>\",\"x.token\":\"s3cret\",\"n\":3}";
static char failed[] = "failed";
static char build_log[] = "{\"timestamp\":\"2026-11-22T18:03:50.1Z\",\"text\":\"<script>\","
                          "\"stream\":\"stdout\"}\nnot json\n";

static struct launch hostile_launch(void)
{
    return (struct launch){.id = id,
                           .number = 1,
                           .status = LAUNCH_COMPLETED,
                           .launcher = launcher,
                           .creator_name = hostile,
                           .creator_type = user,
                           .description = hostile,
                           .test_name = hostile,
                           .source = hostile,
                           .commit = hostile,
                           .params = params,
                           .error = hostile,
                           .verdict = failed,
                           .universes = 3,
                           .failed = 4,
                           .found_new = 1};
}

static void test_rows_escape(void **state)
{
    (void)state;
    const struct principal who = {.account = 1, .scopes = SCOPE_READ | SCOPE_LAUNCH};
    const struct frame f = {.title = "t", .who = &who};
    const struct run_row row = {.l = hostile_launch(), .history = {0, 2, 1}, .history_count = 3};
    struct buf b = {0};
    runs_cells(&b, &f, &row);
    assert_null(strstr(b.data, "<script"));
    assert_non_null(strstr(b.data, "&lt;script&gt;"));
    assert_non_null(strstr(b.data, "1 new"));
    assert_non_null(strstr(b.data, "3 failed"));
    assert_non_null(strstr(b.data, "2 of the last 3 runs of this source failed"));
    assert_null(strstr(b.data, "Cancel"));
    buf_free(&b);
}

static void test_run_hides_secrets(void **state)
{
    (void)state;
    const struct frame f = {.title = "t"};
    const struct run_model m = {.l = hostile_launch(), .build_log = build_log};
    struct buf b = {0};
    run_html(&b, &f, &m);
    assert_null(strstr(b.data, "<script"));
    assert_null(strstr(b.data, "s3cret"));
    assert_non_null(strstr(b.data, "(not shown)"));
    assert_non_null(strstr(b.data, "18:03:50"));
    buf_free(&b);
}

static void test_cancel_is_offered(void **state)
{
    (void)state;
    const struct principal may = {.account = 1, .scopes = SCOPE_LAUNCH, .csrf = "abc"};
    const struct principal may_not = {.account = 1, .scopes = SCOPE_READ};
    struct launch l = hostile_launch();
    struct buf b = {0};
    l.status = LAUNCH_RUNNING;
    const struct frame with = {.who = &may};
    const struct frame without = {.who = &may_not};
    run_cancel_html(&b, &without, &l);
    assert_int_equal(b.len, 0);
    run_cancel_html(&b, &with, &l);
    assert_non_null(strstr(b.data, "name=\"csrf\" value=\"abc\""));
    buf_reset(&b);
    l.cancel_requested = true;
    run_cancel_html(&b, &with, &l);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void test_launch_params(void **state)
{
    (void)state;
    struct err err = {0};
    struct launch_form lf = {.public_url = "http://h:1",
                             .more = mem_strdup("custom.a = 1 = 2\r\n\n  vcs.version_id=abc \n")};
    lf.values[0] = mem_strdup("it's:latest");
    lf.values[1] = mem_strdup("");
    json_t *made = launch_form_params(&lf, &err);
    assert_non_null(made);
    assert_int_equal(json_object_size(made), 3);
    assert_string_equal(json_string_value(json_object_get(made, "custom.a")), "1 = 2");
    assert_string_equal(json_string_value(json_object_get(made, "vcs.version_id")), "abc");
    json_decref(made);
    struct buf b = {0};
    launch_form_curl(&b, &lf);
    assert_string_equal(
        b.data, "curl --fail -u \"$USER:$PASSWORD\" -X POST "
                "http://h:1/api/v1/launch/basic_test -d '{\"params\": "
                "{\"antithesis.config_image\": \"it'\\''s:latest\", \"custom.a\": \"1 = 2\", "
                "\"vcs.version_id\": \"abc\"}}'");
    buf_free(&b);
    free(lf.more);
    lf.more = mem_strdup("no sign");
    assert_null(launch_form_params(&lf, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, "more: `no sign`"));
    err_clear(&err);
    launch_form_fini(&lf);
}

static void test_launch_trouble(void **state)
{
    (void)state;
    struct launch_form lf = {.public_url = "http://h:1",
                             .trouble = "antithesis.duration: `x` is not a number of minutes"};
    const struct frame f = {.title = "t"};
    struct buf b = {0};
    launch_form_html(&b, &f, &lf);
    assert_non_null(strstr(b.data, "aria-describedby=\"help-f2 error-f2\" aria-invalid=\"true\""));
    assert_non_null(strstr(b.data, "id=\"error-f2\">`x` is not a number of minutes<"));
    assert_non_null(strstr(b.data, "The field below says why."));
    buf_reset(&b);
    lf.trouble = "the queue is full";
    launch_form_html(&b, &f, &lf);
    assert_non_null(strstr(b.data, "</b> the queue is full"));
    assert_null(strstr(b.data, "aria-invalid"));
    buf_free(&b);
}

static void test_login_target(void **state)
{
    (void)state;
    static const char *const away[] = {"//evil", "/\\evil",    "http://evil",
                                       "",       "/a\r\nX: y", "/\t/e"};
    for (size_t i = 0; i < ARRAY_LEN(away); i++) {
        assert_string_equal(login_target(away[i]), "/runs");
    }
    assert_string_equal(login_target(NULL), "/runs");
    assert_string_equal(login_target("/runs/x?a=b"), "/runs/x?a=b");
}

static void test_assets(void **state)
{
    (void)state;
    for (size_t i = 0; i < asset_count; i++) {
        assert_ptr_equal(asset_named(assets[i].name), &assets[i]);
        assert_ptr_equal(asset_at(strrchr(assets[i].path, '/') + 1), &assets[i]);
        assert_int_equal(strlen(assets[i].data), assets[i].len);
        assert_null(strstr(assets[i].data, "from \"./common.js\"")); /* by its address instead */
    }
    assert_null(asset_at("base.css"));
    assert_null(asset_at("../server.conf"));
}

struct counted {
    unsigned calls, destroyed;
};

static bool next(void *ctx, struct buf *out)
{
    struct counted *c = ctx;
    struct buf json = {0};
    buf_puts(&json, "{\"n\":1}");
    if (++c->calls == 2) {
        live_event(out, "row", &json);
    }
    buf_free(&json);
    return c->calls < 3;
}

static void count_destroy(void *ctx)
{
    struct counted *c = ctx;
    c->destroyed++;
}

static void test_live(void **state)
{
    (void)state;
    struct counted c = {0};
    struct http_response rs = {.fd = -1};
    struct buf seen = {0};
    char piece[7]; /* smaller than an event */
    live_start(&rs, next, count_destroy, &c);
    for (ssize_t n; (n = rs.read(rs.read_ctx, piece, sizeof piece)) > 0;) {
        buf_append(&seen, piece, (size_t)n);
    }
    rs.close(rs.read_ctx);
    assert_string_equal(seen.data, "retry: 2000\n\n:\n\nevent: row\ndata: {\"n\":1}\n\n:\n\n");
    assert_int_equal(c.destroyed, 1);
    buf_free(&seen);
    buf_free(&rs.headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_escape),
        cmocka_unit_test(test_run_hides_secrets),
        cmocka_unit_test(test_cancel_is_offered),
        cmocka_unit_test(test_launch_params),
        cmocka_unit_test(test_launch_trouble),
        cmocka_unit_test(test_login_target),
        cmocka_unit_test(test_assets),
        cmocka_unit_test(test_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
