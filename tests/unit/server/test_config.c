/* server.conf: defaults, values, and errors that name file, line and fix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/config.h"

static char path[] = "/tmp/everett-config-XXXXXX";

static void put(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_defaults(void **state)
{
    struct err err = {0};
    (void)state;
    struct server_config *c = server_config_load("/nonexistent/server.conf", &err);
    assert_non_null(c);
    assert_string_equal(c->listen, "127.0.0.1:8080");
    assert_int_equal(c->body_max, 1024 * 1024);
    assert_int_equal(c->blob_max, 20ull << 30);
    assert_int_equal(c->rate_per_minute, 600);
    assert_null(c->smtp_url);
    assert_false(c->anonymous_read);
    server_config_free(c);
}

static void test_values(void **state)
{
    struct err err = {0};
    (void)state;
    put("# a comment\n\n  listen=[::1]:9000  \nbody_max = 2 MiB\nanonymous_read = yes\n"
        "public_url = https://e.example/\ndisk_budget = 1TiB\r\nworkers = 3");
    struct server_config *c = server_config_load(path, &err);
    assert_non_null(c);
    assert_string_equal(c->listen, "[::1]:9000");
    assert_int_equal(c->body_max, 2 << 20);
    assert_true(c->anonymous_read);
    assert_string_equal(c->public_url, "https://e.example");
    assert_int_equal(c->disk_budget, 1ull << 40);
    assert_int_equal(c->workers, 3);
    server_config_free(c);
}

static void test_errors(void **state)
{
    static const struct {
        const char *text, *message, *hint;
    } rows[] = {
        {"x\n", ":1: `x` is not of the form", NULL},
        {"\nlisden = a:1\n", ":2: there is no key `lisden`", "--help-config"},
        {"work = 1\n", "there is no key `work`", "`workers`"},
        {"workers = many\n", ":1: workers: `many` is not a number", NULL},
        {"queue_max = 0\n", "out of range: from 1 to 1000000", NULL},
        {"workers = -1\n", "is not a number", NULL},
        {"workers = 1MiB\n", "is not a number", NULL},
        {"workers = 99999999999999999999\n", "is not a number", NULL},
        {"body_max = 1MB\n", "number of bytes such as", NULL},
        {"disk_budget = 99999999999TiB\n", "number of bytes such as", NULL},
        {"anonymous_read = maybe\n", "neither yes nor no", NULL},
        {"tls_cert = a.pem\n", "tls_key is missing", NULL},
        {"tls_key = a.pem\n", "tls_cert is missing", NULL},
        {"smtp_url = smtp://mail:25\n", "mail_from is missing", NULL},
        {"smtp_url = mail:25\nmail_from = a@b\n", "starts with neither smtp://", NULL},
        {"smtp_user = me\n", "belong together", NULL},
        {"public_url = e.example\n", "starts with neither http://", NULL},
        {"listen =\n", "listen: an address", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        put(rows[i].text);
        assert_null(server_config_load(path, &err));
        assert_int_equal(err.kind, ERR_USAGE);
        assert_non_null(strstr(err.msg, rows[i].message));
        assert_non_null(strstr(err.msg, path));
        assert_true(!rows[i].hint || strstr(err.hint, rows[i].hint));
        err_clear(&err);
    }
}

static void test_help(void **state)
{
    struct buf b = {0};
    (void)state;
    server_config_help(&b, false);
    assert_non_null(strstr(b.data, "\nlisten = 127.0.0.1:8080\n"));
    assert_non_null(strstr(b.data, "\n# smtp_url = \n"));
    /* What is printed is a configuration: it loads. */
    put(b.data);
    struct err err = {0};
    struct server_config *c = server_config_load(path, &err);
    assert_non_null(c);
    server_config_free(c);
    buf_reset(&b);
    server_config_help(&b, true);
    assert_non_null(strstr(b.data, "| `blob_max` | bytes | `20GiB` |"));
    buf_free(&b);
}

static void test_lists(void **state)
{
    (void)state;
    assert_true(server_config_lists("a.example; 127.0.0.1", "127.0.0.1"));
    assert_true(server_config_lists("A.example", "a.EXAMPLE"));
    assert_false(server_config_lists("127.0.0.11", "127.0.0.1"));
    assert_false(server_config_lists("a.example", "example"));
    assert_false(server_config_lists(NULL, "a"));
    assert_false(server_config_lists("", ""));
}

static const char *guide; /* docs/server.md */

static void test_guide_has_the_table(void **state)
{
    struct buf table = {0}, text = {0};
    char block[4096];
    size_t n;
    (void)state;
    FILE *f = fopen(guide, "r");
    assert_non_null(f);
    while ((n = fread(block, 1, sizeof block, f)) > 0) {
        buf_append(&text, block, n);
    }
    fclose(f);
    server_config_help(&table, true);
    if (!strstr(text.data, table.data)) {
        fputs(table.data, stdout); /* to be put there; print_message() would cut it */
        fail_msg("%s does not hold this table", guide);
    }
    buf_free(&table);
    buf_free(&text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),   cmocka_unit_test(test_help),
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_guide_has_the_table),
    };
    guide = argc > 1 ? argv[1] : "docs/server.md";
    int fd = mkstemp(path);
    if (fd < 0) {
        return 1;
    }
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
