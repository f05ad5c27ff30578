/* Replays the fuzzer's saved inputs, so that no fuzzer is needed to keep them fixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_dots(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void replay(void **state)
{
    struct dirent **names = NULL;
    int n = scandir(".", &names, no_dots, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        FILE *f cleanup_fclose = fopen(names[i]->d_name, "r");
        struct buf text cleanup_buf = {0};
        char chunk[4096];
        size_t got;
        assert_non_null(f);
        while ((got = fread(chunk, 1, sizeof chunk, f)) > 0) {
            buf_append(&text, chunk, got);
        }
        print_message("%s\n", names[i]->d_name);
        assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)text.data, text.len), 0);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replay)};
    if (argc != 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: test_compose_regress DIRECTORY\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
