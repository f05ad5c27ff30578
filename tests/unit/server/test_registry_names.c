/* Grammar of names, digests and ranges. */
#include "server/registry/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/registry/hash.h"

static void repositories(void **state)
{
    static const char *const good[] = {"a",
                                       "ab/cd",
                                       "a.b",
                                       "a_b",
                                       "a__b",
                                       "a-b",
                                       "a---b",
                                       "9/8/7",
                                       "library/x",
                                       "a/b/c/d/e",
                                       "t-1-repository/etcd-client"};
    static const char *const bad[] = {
        "",   "A",    "a/",  "/a",  "a//b",      "a..b",   "a___b", "-a",   "a-",  "a.-b",
        "_a", "a_.b", "a b", "a:b", "a\xc3\xa9", "a/../b", "../a",  "a/.b", "a@b", "a%2fb"};
    char longest[NAME_MAX_LEN + 2];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(name_is_repository(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(name_is_repository(bad[i]));
    }
    memset(longest, 'a', sizeof longest);
    longest[NAME_MAX_LEN + 1] = 0;
    assert_false(name_is_repository(longest));
    longest[NAME_MAX_LEN] = 0;
    assert_true(name_is_repository(longest));
}

static void tags(void **state)
{
    char longest[TAG_MAX_LEN + 2];
    assert_true(name_is_tag("latest"));
    assert_true(name_is_tag("V1.2-rc_3"));
    assert_true(name_is_tag("_x"));
    assert_false(name_is_tag(""));
    assert_false(name_is_tag(".x"));
    assert_false(name_is_tag("-x"));
    assert_false(name_is_tag("a/b"));
    assert_false(name_is_tag("a:b"));
    assert_false(name_is_tag("a\n"));
    memset(longest, 'a', sizeof longest);
    longest[TAG_MAX_LEN + 1] = 0;
    assert_false(name_is_tag(longest));
    longest[TAG_MAX_LEN] = 0;
    assert_true(name_is_tag(longest));
}

static void digests(void **state)
{
    char digest[CONTENT_DIGEST];
    hash_bytes(HASH_SHA256, "", 0, digest);
    assert_string_equal(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb924"
                                "27ae41e4649b934ca495991b7852b855");
    assert_true(name_is_digest(digest));
    assert_int_equal(hash_kind_of(digest), HASH_SHA256);
    digest[7] = 'E'; /* upper case */
    assert_false(name_is_digest(digest));
    digest[7] = 'g';
    assert_false(name_is_digest(digest));
    hash_bytes(HASH_SHA512, "abc", 3, digest);
    assert_true(name_is_digest(digest));
    assert_int_equal(strlen(digest), CONTENT_DIGEST - 1);
    assert_int_equal(hash_kind_of(digest), HASH_SHA512);
    digest[CONTENT_DIGEST - 2] = 0;
    assert_false(name_is_digest(digest));
    assert_false(name_is_digest("sha256:"));
    assert_false(name_is_digest("md5:00000000000000000000000000000000"));
    assert_false(name_is_digest("sha256:../../../../etc/passwd"));
}

static void content_ranges(void **state)
{
    uint64_t start, end;
    assert_true(name_content_range("0-9", &start, &end));
    assert_int_equal(start, 0);
    assert_int_equal(end, 9);
    assert_true(name_content_range("bytes 10-10/20", &start, &end));
    assert_int_equal(start, 10);
    assert_int_equal(end, 10);
    assert_true(name_content_range("5-6/*", &start, &end));
    static const char *const bad[] = {"",
                                      "-",
                                      "5",
                                      "5-",
                                      "-5",
                                      "6-5",
                                      "0-9/9",
                                      "0-9/",
                                      "0-9 ",
                                      " 0-9",
                                      "a-b",
                                      "0x1-5",
                                      "0-99999999999999999999",
                                      "0-9/*5",
                                      "+1-2",
                                      "1--2"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(name_content_range(bad[i], &start, &end));
    }
}

struct range_row {
    const char *header;
    uint64_t size;
    enum range_kind kind;
    uint64_t from, len;
};

static void ranges(void **state)
{
    static const struct range_row rows[] = {
        {NULL, 10, RANGE_ALL, 0, 10},
        {"bytes=0-3", 10, RANGE_PART, 0, 4},
        {"bytes=3-", 10, RANGE_PART, 3, 7},
        {"bytes=9-9", 10, RANGE_PART, 9, 1},
        {"bytes=5-500", 10, RANGE_PART, 5, 5},
        {"bytes=-4", 10, RANGE_PART, 6, 4},
        {"bytes=-400", 10, RANGE_PART, 0, 10},
        {"bytes=10-", 10, RANGE_BEYOND, 0, 0},
        {"bytes=-0", 10, RANGE_BEYOND, 0, 0},
        {"bytes=0-", 0, RANGE_BEYOND, 0, 0},
        {"bytes=-5", 0, RANGE_BEYOND, 0, 0},
        {"bytes=4-3", 10, RANGE_ALL, 0, 10},
        {"bytes=0-1,4-5", 10, RANGE_ALL, 0, 10},
        {"bytes=x", 10, RANGE_ALL, 0, 10},
        {"bytes=", 10, RANGE_ALL, 0, 10},
        {"bytes=-", 10, RANGE_ALL, 0, 10},
        {"items=0-1", 10, RANGE_ALL, 0, 10},
        {"bytes=18446744073709551616-", 10, RANGE_ALL, 0, 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t from, len;
        assert_int_equal(name_range(rows[i].header, rows[i].size, &from, &len), rows[i].kind);
        if (rows[i].kind != RANGE_BEYOND) {
            assert_int_equal(from, rows[i].from);
            assert_int_equal(len, rows[i].len);
        }
    }
}

static void hashes_of_files(void **state)
{
    struct err err = {0};
    struct hash h;
    char digest[CONTENT_DIGEST], expected[CONTENT_DIGEST];
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite("0123456789", 1, 10, f), 10);
    assert_int_equal(fflush(f), 0);
    hash_init(&h, HASH_SHA256);
    assert_int_equal(hash_file(&h, fileno(f), 2, 10, &err), 0);
    hash_final(&h, digest);
    hash_fini(&h);
    hash_bytes(HASH_SHA256, "23456789", 8, expected);
    assert_string_equal(digest, expected);
    hash_init(&h, HASH_SHA512);
    assert_int_equal(hash_file(&h, fileno(f), 0, 11, &err), -1); /* one byte short */
    assert_int_equal(err.kind, ERR_HOST);
    hash_fini(&h);
    err_clear(&err);
    assert_int_equal(fclose(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repositories), cmocka_unit_test(tags),
        cmocka_unit_test(digests),      cmocka_unit_test(content_ranges),
        cmocka_unit_test(ranges),       cmocka_unit_test(hashes_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
