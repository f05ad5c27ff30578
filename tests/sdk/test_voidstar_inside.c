/* libvoidstar.so inside a universe: what reaches the kernel, and how leases are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sdk/libvoidstar/voidstar.h"
#include "tests/sdk/fake_universe.h"

static void *library;

#define LOAD(name) __typeof__(name) *const name##_p = (__typeof__(name) *)load(#name)

static void *load(const char *name)
{
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    return symbol;
}

/* The only document said since the reset. */
static json_t *said(void)
{
    json_error_t error;
    json_t *json = json_loads(fake.text, 0, &error);
    if (json == NULL) {
        fail_msg("not one JSON document: %s: %s", error.text, fake.text);
    }
    return json;
}

static void test_random_comes_from_the_universe(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_get_random);
    LOAD(fuzz_coin_flip);
    LOAD(fuzz_getchar);
    LOAD(fuzz_getblob);
    unsigned char blob[10];
    fake.randoms = 0x1234567890;
    assert_true(fuzz_get_random_p() == 0x1234567890);
    assert_true(fuzz_coin_flip_p());
    assert_false(fuzz_coin_flip_p());
    assert_int_equal(fuzz_getchar_p(), 0x93);
    assert_int_equal(fake.flushes, 1);
    fake.randoms = UINT64_C(0x0807060504030201);
    assert_int_equal(fuzz_getblob_p(blob, sizeof(blob)), sizeof(blob));
    assert_memory_equal(blob, "\1\2\3\4\5\6\7\10\2\2", sizeof(blob));
}

static void test_json_goes_verbatim(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_json_data);
    LOAD(fuzz_flush);
    fuzz_json_data_p("{\"a\": 1} rest", 8);
    fuzz_json_data_p("", 0);
    fuzz_flush_p();
    assert_string_equal(fake.text, "{\"a\": 1}\n");
    assert_int_equal(fake.flushes, 1);
}

static void test_refused_document_is_reported(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_json_data);
    size_t limit = fake.json_limit;
    char *big = calloc(1, limit + 2);
    assert_non_null(big);
    fuzz_json_data_p(big, limit + 1);
    free(big);
    json_t *json = said();
    assert_non_null(json_object_get(json, "antithesis_error"));
    json_decref(json);
}

static void check_message(const char *key, const char *field, const char *expected)
{
    json_t *json = said();
    const char *text = json_string_value(json_object_get(json_object_get(json, key), field));
    assert_non_null(text);
    assert_string_equal(text, expected);
    json_decref(json);
    fake_universe_reset();
}

static void test_old_messages(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_info_message);
    LOAD(fuzz_error_data);
    LOAD(fuzz_png);
    LOAD(fuzz_bytes);
    fuzz_info_message_p("a \"quoted\" \\ \n \x01 \xc3\xa9 \xff\xed\xa0\x80.");
    check_message(
        "fuzz_info", "message",
        "a \"quoted\" \\ \n \x01 \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.");
    fuzz_error_data_p("cut here", 3);
    check_message("fuzz_error", "message", "cut");
    fuzz_png_p("\x89PNG", 4);
    check_message("fuzz_png", "base64", "iVBORw==");
    fuzz_bytes_p("abc", 3);
    check_message("fuzz_bytes", "base64", "YWJj");
    fuzz_bytes_p("", 0);
    check_message("fuzz_bytes", "base64", "");
}

static void test_long_message(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_info_message);
    enum { LENGTH = 50000 };
    char *text = malloc(LENGTH + 1);
    assert_non_null(text);
    memset(text, '\x02', LENGTH);
    text[LENGTH] = '\0';
    fuzz_info_message_p(text);
    check_message("fuzz_info", "message", text);
    free(text);
}

static void test_pairs(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_kv32_pairs);
    const uint32_t pairs[] = {1, 4294967295, 0, 7, 99};
    fuzz_kv32_pairs_p(pairs, 5);
    assert_string_equal(fake.text, "{\"fuzz_kv32_pairs\":{\"pairs\":[[1,4294967295],[0,7]]}}\n");
}

static void test_source_name_is_cut(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_set_source_name);
    char name[100];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    fuzz_set_source_name_p(name);
    assert_int_equal(strlen(fake.source_name), 64);
}

static void test_leases_of_interface_2(void **state)
{
    fake_universe_reset();
    LOAD(init_coverage_module);
    LOAD(notify_coverage);
    LOAD(notify_coverage_v2);
    size_t offset = init_coverage_module_p(12, "go-0123.sym.tsv");
    assert_string_equal(fake.module_name, "go-0123.sym.tsv");
    assert_int_equal(fake.module_edges, 12);
    fake.lease = 5;
    assert_true(notify_coverage_v2_p(offset + 3, 4) == ((UINT64_C(5) << 20) | 5));
    assert_true(fake.edges[0].edge == offset + 3 && fake.edges[0].hits == 4);
    assert_true(notify_coverage_p(offset + 3));
    fake.lease = 0;
    assert_true(notify_coverage_v2_p(offset + 3, 0) == 0);
    fake.lease = UINT64_C(1) << 40;
    assert_false(notify_coverage_p(offset + 3));
    assert_true(notify_coverage_v2_p(offset + 3, 0) == ((UINT64_C(0xFFFFF) << 20) | 0xFFFFF));
}

static void test_leases_of_guards(void **state)
{
    fake_universe_reset();
    LOAD(__sanitizer_cov_trace_pc_guard_init);
    LOAD(__sanitizer_cov_trace_pc_guard);
    LOAD(__sanitizer_cov_trace_pc_guard_internal);
    static uint32_t guards[4];
    char self[4096] = {0};
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    uint64_t offset = fake.module_offset;
    __sanitizer_cov_trace_pc_guard_init_p(guards, guards + 4);
    __sanitizer_cov_trace_pc_guard_init_p(guards, guards + 4);
    assert_int_equal(fake.modules, 1);
    assert_int_equal(fake.module_edges, 4);
    assert_string_equal(fake.module_name, self);
    fake.lease = 3;
    for (int i = 0; i < 5; i++) {
        __sanitizer_cov_trace_pc_guard_p(&guards[2]); /* reported, 3 covered, reported */
    }
    assert_int_equal(fake.edge_count, 2);
    assert_true(fake.edges[0].edge == offset + 3 && fake.edges[0].hits == 0);
    assert_true(fake.edges[1].edge == offset + 3 && fake.edges[1].hits == 3);
    fake.lease = 0;
    __sanitizer_cov_trace_pc_guard_internal_p(&guards[0], 1);
    __sanitizer_cov_trace_pc_guard_internal_p(&guards[0], 1);
    assert_int_equal(fake.edge_count, 4);
    fake.lease = 0xFFFFF;
    __sanitizer_cov_trace_pc_guard_p(&guards[3]);
    __sanitizer_cov_trace_pc_guard_p(&guards[3]);
    assert_int_equal(fake.edge_count, 5);
    assert_int_equal(guards[3], 0);
}

/* A guard that somebody else armed names no module of ours: it is switched off, not misreported. */
static void test_foreign_guard(void **state)
{
    fake_universe_reset();
    LOAD(__sanitizer_cov_trace_pc_guard);
    uint32_t guard = 1u << 31;
    __sanitizer_cov_trace_pc_guard_p(&guard);
    assert_int_equal(guard, 0);
    assert_int_equal(fake.edge_count, 0);
}

static void test_too_many_modules(void **state)
{
    fake_universe_reset();
    LOAD(__sanitizer_cov_trace_pc_guard_init);
    static uint32_t guards[2000];
    for (size_t i = 0; i < 2000; i++) {
        __sanitizer_cov_trace_pc_guard_init_p(guards + i, guards + i + 1);
    }
    assert_non_null(strstr(fake.text, "too many instrumented modules"));
    assert_int_equal(guards[1999], 0);
    assert_true(guards[0] != 0);
}

static void test_exit_is_announced(void **state)
{
    fake_universe_reset();
    LOAD(fuzz_exit);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fuzz_exit_p(3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(int argc, char **argv)
{
    library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "usage: test_voidstar_inside LIBRARY (%s)\n", dlerror());
        return 2;
    }
    fake_universe_enter();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_comes_from_the_universe),
        cmocka_unit_test(test_json_goes_verbatim),
        cmocka_unit_test(test_refused_document_is_reported),
        cmocka_unit_test(test_old_messages),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_source_name_is_cut),
        cmocka_unit_test(test_leases_of_interface_2),
        cmocka_unit_test(test_leases_of_guards),
        cmocka_unit_test(test_foreign_guard),
        cmocka_unit_test(test_too_many_modules),
        cmocka_unit_test(test_exit_is_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
