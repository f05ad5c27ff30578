/* libvoidstar.so on plain Linux: loads under glibc and behaves as the public stub does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sdk/libvoidstar/voidstar.h"

static void *library;

#define LOAD(name) __typeof__(name) *const name##_p = (__typeof__(name) *)load(#name)

static void *load(const char *name)
{
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    return symbol;
}

/* Two draws are equal once in 2^64 runs. */
static void test_random_is_random(void **state)
{
    LOAD(fuzz_get_random);
    LOAD(fuzz_getchar);
    LOAD(fuzz_getblob);
    unsigned char blob[13] = {0};
    assert_true(fuzz_get_random_p() != fuzz_get_random_p());
    int byte = fuzz_getchar_p();
    assert_true(byte >= 0 && byte <= 255);
    assert_int_equal(fuzz_getblob_p(blob, 12), 12);
    assert_int_equal(blob[12], 0);
}

static void test_messages_go_nowhere(void **state)
{
    LOAD(fuzz_json_data);
    LOAD(fuzz_flush);
    LOAD(fuzz_info_message);
    LOAD(fuzz_png);
    LOAD(fuzz_set_source_name);
    fuzz_json_data_p("{}", 2);
    fuzz_flush_p();
    fuzz_info_message_p("hello");
    fuzz_png_p("x", 1);
    fuzz_set_source_name_p(
        "a name that is much longer than the sixty-four bytes which count of it");
}

static void test_coverage_is_switched_off(void **state)
{
    LOAD(init_coverage_module);
    LOAD(notify_coverage);
    LOAD(notify_coverage_v2);
    LOAD(coverage_lease_generation_addr);
    LOAD(__sanitizer_cov_trace_pc_guard_init);
    LOAD(__sanitizer_cov_trace_pc_guard);
    uint32_t guards[3] = {0};
    assert_true(init_coverage_module_p(10, "a.sym.tsv") == (size_t)1 << 32);
    assert_false(notify_coverage_p(5));
    assert_true(notify_coverage_v2_p(5, 0) == ((UINT64_C(0xFFFFF) << 20) | 0xFFFFF));
    assert_true(*coverage_lease_generation_addr_p() == 0);
    __sanitizer_cov_trace_pc_guard_init_p(guards, guards + 3);
    __sanitizer_cov_trace_pc_guard_p(&guards[1]);
    assert_true(guards[0] == 0 && guards[1] == 0 && guards[2] == 0);
}

/* Latched for the life of the process, so each request has a process of its own. */
static void check_grant(uint64_t first, uint64_t second, uint64_t grant)
{
    LOAD(instrumentation_request_abi_version);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t a = instrumentation_request_abi_version_p(first);
        uint64_t b = instrumentation_request_abi_version_p(second);
        _exit(a == grant && b == grant ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_versions(void **state)
{
    LOAD(instrumentation_max_abi_version);
    assert_int_equal(instrumentation_max_abi_version_p(), 2);
    check_grant(2, 1, 2);
    check_grant(7, 2, 2);
    check_grant(1, 2, 1);
    check_grant(0, 2, 1);
}

static void test_exit_code(void **state)
{
    LOAD(fuzz_exit);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fuzz_exit_p(37);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 37);
}

static void *draw_many(void *unused)
{
    LOAD(fuzz_get_random);
    uint64_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        sum |= fuzz_get_random_p();
    }
    return sum == 0 ? NULL : library;
}

static void test_threads(void **state)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, draw_many, NULL), 0);
    }
    for (int i = 0; i < 8; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
}

int main(int argc, char **argv)
{
    library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "usage: test_voidstar_outside LIBRARY (%s)\n", dlerror());
        return 2;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_is_random),
        cmocka_unit_test(test_messages_go_nowhere),
        cmocka_unit_test(test_coverage_is_switched_off),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_exit_code),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
