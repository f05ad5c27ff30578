/* Paths decode to what they mean or are refused; patterns match whole paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/http/router.h"

static void expect_path(const char *target, const char *want)
{
    struct buf path = {0};
    assert_null(router_decode(target, &path));
    assert_string_equal(path.data, want);
    buf_free(&path);
}

static void expect_refused(const char *target, const char *why)
{
    struct buf path = {0};
    const char *fault = router_decode(target, &path);
    assert_non_null(fault);
    assert_non_null(strstr(fault, why));
    buf_free(&path);
}

static void test_decode(void **state)
{
    (void)state;
    expect_path("/", "/");
    expect_path("/runs?x=/../y", "/runs");
    expect_path("/a%20b/%7e", "/a b/~");
    expect_path("/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/");
    expect_path("/v2/a/blobs/sha256%3Aabc", "/v2/a/blobs/sha256:abc");
    expect_path("/...", "/...");
    expect_path("/.x/..y", "/.x/..y");
    expect_path("/%c3%a9", "/\xc3\xa9");
}

static void test_decode_refuses(void **state)
{
    (void)state;
    expect_refused("", "start");
    expect_refused("*", "start");
    expect_refused("http://x/", "start");
    expect_refused("//", "empty");
    expect_refused("/a//b", "empty");
    expect_refused("/..", "dot");
    expect_refused("/a/../b", "dot");
    expect_refused("/a/%2e%2E/b", "dot");
    expect_refused("/a/.%2e", "dot");
    expect_refused("/./a", "dot");
    expect_refused("/a%2fb", "slash");
    expect_refused("/a%00b", "control");
    expect_refused("/a%0d%0ab", "control");
    expect_refused("/a%7f", "control");
    expect_refused("/a%", "escape");
    expect_refused("/a%4", "escape");
    expect_refused("/a%zz", "escape");
    expect_refused("/a#b", "fragment");
}

static void expect_match(const char *pattern, const char *path, const char *a, const char *b)
{
    struct buf vars = {0};
    size_t at[HTTP_PATH_VARS];
    unsigned count;
    assert_true(router_match(pattern, path, &vars, at, &count));
    assert_int_equal(count, (a != NULL) + (b != NULL));
    if (a) {
        assert_string_equal(vars.data + at[0], a);
    }
    if (b) {
        assert_string_equal(vars.data + at[1], b);
    }
    buf_free(&vars);
}

static void expect_none(const char *pattern, const char *path)
{
    struct buf vars = {0};
    size_t at[HTTP_PATH_VARS];
    unsigned count;
    assert_false(router_match(pattern, path, &vars, at, &count));
    buf_free(&vars);
}

static void test_match(void **state)
{
    (void)state;
    expect_match("/", "/", NULL, NULL);
    expect_match("/runs/{id}", "/runs/7", "7", NULL);
    expect_match("/runs/{id}/failure/{n}", "/runs/7/failure/2", "7", "2");
    expect_match("/v2/{name...}/tags/list", "/v2/a/tags/list", "a", NULL);
    expect_match("/v2/{name...}/tags/list", "/v2/a/b/c/tags/list", "a/b/c", NULL);
    expect_match("/v2/{name...}/tags/list", "/v2/tags/list/tags/list", "tags/list", NULL);
    expect_match("/v2/{name...}/blobs/{d}", "/v2/a/b/blobs/sha256:1", "a/b", "sha256:1");
    expect_match("/v2/{name...}/blobs/uploads/", "/v2/a/blobs/uploads/", "a", NULL);
    expect_match("/static/{file...}", "/static/js/x.js", "js/x.js", NULL);
}

static void test_match_refuses(void **state)
{
    (void)state;
    expect_none("/runs/{id}", "/runs/");
    expect_none("/runs/{id}", "/runs/7/");
    expect_none("/runs/{id}", "/runs/7/x");
    expect_none("/runs", "/runs/");
    expect_none("/v2/{name...}/tags/list", "/v2/tags/list");
    expect_none("/v2/{name...}/tags/list", "/v2//tags/list");
    expect_none("/v2/{name...}/blobs/uploads/{id}", "/v2/a/blobs/uploads/");
    expect_none("/static/{file...}", "/static/");
}

static const struct http_route routes[] = {
    {.methods = HTTP_GET, .pattern = "/api/x/{id}", .family = FAMILY_API},
    {.methods = HTTP_POST | HTTP_DELETE, .pattern = "/api/x/{id}", .family = FAMILY_API},
    {.methods = HTTP_GET, .pattern = "/x", .family = FAMILY_PAGE},
};
static const size_t route_count = ARRAY_LEN(routes);
static const struct router_table table = {routes, &route_count};

static void test_find(void **state)
{
    struct router_found f = {0};
    (void)state;
    router_find(&table, 1, HTTP_POST, "/api/x/9", &f);
    assert_ptr_equal(f.route, &routes[1]);
    assert_string_equal(f.vars.data + f.offsets[0], "9");
    router_find(&table, 1, HTTP_PUT, "/api/x/9", &f);
    assert_null(f.route);
    assert_int_equal(f.allow, HTTP_GET | HTTP_POST | HTTP_DELETE);
    router_find(&table, 1, HTTP_GET, "/api/y", &f);
    assert_null(f.route);
    assert_int_equal(f.allow, 0);
    assert_int_equal(f.family, FAMILY_API);
    buf_free(&f.vars);
}

static void test_family(void **state)
{
    (void)state;
    assert_int_equal(router_family("/v2/x"), FAMILY_REGISTRY);
    assert_int_equal(router_family("/v2"), FAMILY_REGISTRY);
    assert_int_equal(router_family("/v2x"), FAMILY_PAGE);
    assert_int_equal(router_family("/api/v1"), FAMILY_API);
    assert_int_equal(router_family("/apiary"), FAMILY_PAGE);
    assert_int_equal(router_family(""), FAMILY_PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode), cmocka_unit_test(test_decode_refuses),
        cmocka_unit_test(test_match),  cmocka_unit_test(test_match_refuses),
        cmocka_unit_test(test_find),   cmocka_unit_test(test_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
