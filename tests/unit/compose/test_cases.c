/* Golden tests: every directory under cases/ is loaded, and what a user would see is compared with
 * its `expected` file: the errors, or the description. With a file `want-json` beside it, the
 * resolved model is compared too (expected.json).
 *
 * To accept changed texts after reading them: EVERETT_UPDATE_GOLDEN=1 test_compose_cases CASES */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "compose/compose.h"

static bool read_text(const char *path, struct buf *out)
{
    FILE *f cleanup_fclose = fopen(path, "r");
    char chunk[4096];
    size_t n;
    while (f && (n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        buf_append(out, chunk, n);
    }
    return f != NULL;
}

static void compare(const char *dir, const char *name, const char *actual)
{
    char path[512];
    struct buf expected cleanup_buf = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (getenv("EVERETT_UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(actual, f) >= 0);
        assert_int_equal(fclose(f), 0);
        return;
    }
    if (!read_text(path, &expected)) {
        fail_msg("%s is missing", path);
    }
    if (strcmp(expected.data ? expected.data : "", actual) != 0) {
        fail_msg("%s differs; now:\n%s", path, actual);
    }
}

/* Parsing it again proves that it is JSON; printing it indented makes differences readable. */
static void compare_json(const char *dir, const struct compose_project *p)
{
    struct buf json cleanup_buf = {0};
    compose_json(p, &json);
    json_error_t error;
    json_t *root = json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fail_msg("%s: not JSON: %s", dir, error.text);
    }
    char *text = json_dumps(root, JSON_INDENT(1));
    assert_non_null(text);
    compare(dir, "expected.json", text);
    free(text);
    json_decref(root);
}

static void run_case(void **state)
{
    const char *dir = *state;
    char path[512];
    struct err err cleanup_err = {0};
    struct compose_project *p = NULL;
    struct buf out cleanup_buf = {0};
    int rc = compose_load(dir, NULL, &p, &err);
    assert_int_equal(strncmp(dir, "ok_", 3) == 0, rc == 0);
    if (rc) {
        assert_null(p);
        assert_int_equal(err.kind, ERR_USAGE);
        buf_printf(&out, "%s\n", err.msg);
        if (err.hint) {
            buf_printf(&out, "hint: %s\n", err.hint);
        }
    } else {
        assert_null(err.msg);
        compose_describe(p, &out);
    }
    compare(dir, "expected", out.data);
    snprintf(path, sizeof path, "%s/want-json", dir);
    if (!rc && access(path, F_OK) == 0) {
        compare_json(dir, p);
    }
    compose_destroy(p);
}

static int no_dots(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* ---- what directories cannot say ---- */

static struct compose_project *load(const char *text, const struct compose_opts *opts)
{
    struct err err cleanup_err = {0};
    struct compose_project *p = NULL;
    const struct compose_text in = {
        .file = "t.yaml", .text = text, .len = strlen(text), .dirfd = -1};
    if (compose_parse(&in, opts, &p, &err)) {
        fail_msg("%s", err.msg);
    }
    return p;
}

static void options_choose_name_and_profiles(void **state)
{
    static const char *const profiles[] = {"debug"};
    const struct compose_opts opts = {
        .project_name = "given", .profiles = profiles, .profile_count = 1};
    struct compose_project *p = load("name: own\n"
                                     "services:\n"
                                     "  a: {image: a, profiles: [debug]}\n"
                                     "  b: {image: b, profiles: [other]}\n"
                                     "  c: {image: '${COMPOSE_PROJECT_NAME}'}\n",
                                     &opts);
    assert_string_equal(p->name, "given");
    assert_true(compose_service_find(p, "a")->active);
    assert_false(compose_service_find(p, "b")->active);
    assert_string_equal(compose_service_find(p, "c")->image, "given");
    assert_null(compose_service_find(p, "d"));
    compose_destroy(p);
}

static void shell_environment_never_enters(void **state)
{
    assert_int_equal(setenv("EVERETT_TEST_LEAK", "leaked", 1), 0);
    struct compose_project *p = load(
        "services: {a: {image: 'x${EVERETT_TEST_LEAK}', environment: [EVERETT_TEST_LEAK]}}", NULL);
    assert_string_equal(p->services[0].image, "x");
    assert_null(p->services[0].environment.v[0].value);
    compose_destroy(p);
    unsetenv("EVERETT_TEST_LEAK");
}

static void partial_project_lists_refused_keys(void **state)
{
    const struct compose_opts opts = {.keep_partial = true};
    const char *text = "services: {a: {image: a, devices: [x], ports: [1]}}";
    struct err err cleanup_err = {0};
    struct compose_project *p = NULL;
    const struct compose_text in = {
        .file = "t.yaml", .text = text, .len = strlen(text), .dirfd = -1};
    assert_int_equal(compose_parse(&in, &opts, &p, &err), -1);
    assert_non_null(p);
    assert_int_equal(compose_note_count(p, COMPOSE_REFUSED), 1);
    assert_int_equal(compose_note_count(p, COMPOSE_WITHOUT_EFFECT), 1);
    compose_destroy(p);
}

/* The order of services in the file must not show in names, addresses or the start order. */
static void order_of_the_file_does_not_matter(void **state)
{
    struct compose_project *p =
        load("services: {a: {image: i}, b: {image: i}, c: {image: i}}", NULL);
    struct compose_project *q =
        load("services: {c: {image: i}, a: {image: i}, b: {image: i}}", NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(p->containers[i].id, q->containers[i].id);
        assert_string_equal(p->containers[i].name, q->containers[i].name);
        assert_memory_equal(&p->containers[i].endpoints[0].ipv4,
                            &q->containers[i].endpoints[0].ipv4, sizeof(struct compose_ip));
        assert_int_equal(p->start_order[i], q->start_order[i]);
    }
    assert_int_equal(strlen(p->containers[0].hostname), 12);
    compose_destroy(p);
    compose_destroy(q);
}

static void capabilities_follow_docker(void **state)
{
    struct compose_project *p = load("services:\n"
                                     "  a: {image: i}\n"
                                     "  b: {image: i, cap_drop: [ALL], cap_add: [CHOWN]}\n"
                                     "  c: {image: i, privileged: true}\n"
                                     "  d: {image: i, cap_add: [all], cap_drop: [cap_chown]}\n",
                                     NULL);
    assert_true(p->services[0].capabilities == 0xa80425fbu); /* as in Docker's /proc/1/status */
    assert_true(p->services[1].capabilities == 1);
    assert_true(p->services[2].capabilities == 0x1ffffffffffull);
    assert_true(p->services[3].capabilities == 0x1fffffffffeull);
    compose_destroy(p);
}

static void healthcheck_defaults_are_marked(void **state)
{
    struct compose_project *p =
        load("services: {a: {image: i, healthcheck: {interval: 2s, disable: false}}, "
             "b: {image: i, healthcheck: {disable: true, test: x}}}",
             NULL);
    const struct compose_healthcheck *h = &p->services[0].healthcheck;
    assert_int_equal(h->test, COMPOSE_TEST_UNSET);
    assert_true(h->interval_given && !h->timeout_given && !h->retries_given);
    assert_true(h->interval_ns == 2000000000u && h->timeout_ns == 30000000000u);
    assert_int_equal(h->retries, 3);
    assert_true(h->start_interval_ns == 5000000000u && h->start_period_ns == 0);
    assert_int_equal(p->services[1].healthcheck.test, COMPOSE_TEST_NONE);
    compose_destroy(p);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest api[] = {
        cmocka_unit_test(options_choose_name_and_profiles),
        cmocka_unit_test(shell_environment_never_enters),
        cmocka_unit_test(partial_project_lists_refused_keys),
        cmocka_unit_test(order_of_the_file_does_not_matter),
        cmocka_unit_test(capabilities_follow_docker),
        cmocka_unit_test(healthcheck_defaults_are_marked),
    };
    struct dirent **cases = NULL;
    if (argc != 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: test_compose_cases DIRECTORY\n");
        return 2;
    }
    int n = scandir(".", &cases, no_dots, alphasort);
    if (n <= 0) {
        fprintf(stderr, "no cases in %s\n", argv[1]);
        return 2;
    }
    struct CMUnitTest *golden = calloc((size_t)n, sizeof *golden);
    for (int i = 0; golden && i < n; i++) {
        golden[i] = (struct CMUnitTest){
            .name = cases[i]->d_name, .test_func = run_case, .initial_state = cases[i]->d_name};
    }
    int failed = cmocka_run_group_tests(api, NULL, NULL);
    failed += _cmocka_run_group_tests("cases", golden, (size_t)n, NULL, NULL);
    for (int i = 0; i < n; i++) {
        free(cases[i]);
    }
    free(cases);
    free(golden);
    return failed;
}
