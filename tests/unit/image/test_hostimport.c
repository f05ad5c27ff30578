/* Host files for a universe: answers, their stability, and the cache across runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/hostimport.h"
#include "maker.h"

struct fixture {
    char *dir, *root;
    struct image_store *store;
    struct hostimport *h;
    struct import_request q;
    struct import_response r;
    struct err err;
};

static void begin(struct fixture *f, const char *root)
{
    f->h = hostimport_create(f->store, root, &f->err);
    if (!f->h) {
        fail_msg("%s", f->err.msg);
    }
}

static void make(struct fixture *f, const char *name, const char *data)
{
    char *path = maker_path(f->root, name);
    maker_write(path, data, strlen(data));
    free(path);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = maker_temp();
    f->root = maker_path(f->dir, "root");
    char *store = maker_path(f->root, "store"), *sub = maker_path(f->root, "sub");
    char *link_path = maker_path(f->root, "link");
    mkdir(f->root, 0755);
    mkdir(sub, 0711);
    f->store = image_store_open(store, &f->err);
    make(f, "b", "contents of b");
    make(f, "a", "");
    make(f, "sub/x", "x");
    if (symlink("/sub/x", link_path) < 0) {
        return -1;
    }
    free(store);
    free(sub);
    free(link_path);
    begin(f, f->root);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    hostimport_destroy(f->h);
    image_store_close(f->store);
    err_clear(&f->err);
    free(f->root);
    maker_temp_end(f->dir);
    free(f);
    return 0;
}

static int ask(struct fixture *f, enum import_op op, uint32_t ino, const char *name,
               uint64_t cursor)
{
    f->q = (struct import_request){.op = op, .ino = ino, .cursor = cursor};
    f->q.name_len = (uint32_t)strlen(name);
    memcpy(f->q.name, name, f->q.name_len);
    hostimport_serve(f->h, &f->q, &f->r);
    return f->r.result;
}

static uint32_t look(struct fixture *f, uint32_t dir, const char *name)
{
    assert_int_equal(ask(f, IMPORT_LOOKUP, dir, name, 0), 0);
    return f->r.attr.ino;
}

static void expect_contents(struct fixture *f, uint32_t ino, const char *want)
{
    assert_int_equal(ask(f, IMPORT_DATA, ino, "", 0), 0);
    const struct import_data *d = (const void *)f->r.payload;
    char got[64] = "";
    size_t len = strlen(want);
    assert_int_equal(f->r.attr.size, len);
    assert_int_equal(pread(hostimport_data_fd(f->h), got, len, (off_t)(d->page * PACK_PAGE)), len);
    assert_string_equal(got, want);
    uint8_t sum[DIGEST_LEN];
    digest_bytes(want, len, sum);
    assert_memory_equal(d->sha256, sum, DIGEST_LEN);
}

static void test_lookup(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(look(f, IMPORT_ROOT_INO, "."), IMPORT_ROOT_INO);
    assert_int_equal(look(f, IMPORT_ROOT_INO, "sub"), 2); /* numbers in the order of requests */
    assert_int_equal(f->r.attr.mode, S_IFDIR | 0711);
    assert_int_equal(look(f, IMPORT_ROOT_INO, "a"), 3);
    assert_int_equal(look(f, 2, "x"), 4);
    assert_int_equal(look(f, IMPORT_ROOT_INO, "sub"), 2);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 1, "none", 0), -ENOENT);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 3, "x", 0), -ENOTDIR);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 99, "x", 0), -EINVAL);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 1, "..", 0), -EINVAL);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 1, "sub/x", 0), -EINVAL);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 1, "", 0), -EINVAL);
    assert_int_equal(ask(f, (enum import_op)77, 1, "a", 0), -EINVAL);
    /* A name that was absent stays so for this universe. */
    make(f, "none", "late");
    assert_int_equal(ask(f, IMPORT_LOOKUP, 1, "none", 0), -ENOENT);
    uint32_t l = look(f, 1, "link");
    assert_int_equal(ask(f, IMPORT_READLINK, l, "", 0), 0);
    assert_int_equal(f->r.length, 6);
    assert_memory_equal(f->r.payload, "/sub/x", 6);
    assert_int_equal(ask(f, IMPORT_READLINK, 3, "", 0), -EINVAL);
}

static void test_readdir(void **state)
{
    struct fixture *f = *state;
    static const char *const want[] = {"a", "b", "link", "store", "sub"};
    assert_int_equal(ask(f, IMPORT_READDIR, 1, "", 0), 0);
    uint32_t at = 0;
    for (size_t i = 0; i < 5; i++) {
        const struct import_dirent *d = (const void *)(f->r.payload + at);
        assert_string_equal(d->name, want[i]);
        assert_int_equal(d->attr.ino, i + 2);
        at += d->record_len;
    }
    assert_int_equal(at, f->r.length);
    assert_int_equal(f->r.cursor, 0);
    /* The store itself is there, but empty. */
    look(f, 1, "store");
    assert_int_equal(f->r.attr.flags, IMPORT_EXCLUDED);
    assert_int_equal(ask(f, IMPORT_READDIR, f->r.attr.ino, "", 0), 0);
    assert_int_equal(f->r.length, 0);
    assert_int_equal(ask(f, IMPORT_LOOKUP, 5, "blobs", 0), -ENOENT);
    assert_int_equal(ask(f, IMPORT_READDIR, 2, "", 0), -ENOTDIR);
}

static void test_large_directory(void **state)
{
    struct fixture *f = *state;
    unsigned seen = 0;
    char last[256] = "";
    for (unsigned i = 0; i < 1500; i++) {
        char name[80];
        snprintf(name, sizeof name, "sub/%060u", i * 7919 % 1500);
        make(f, name, "");
    }
    uint32_t sub = look(f, 1, "sub");
    uint64_t cursor = 0;
    do {
        assert_int_equal(ask(f, IMPORT_READDIR, sub, "", cursor), 0);
        for (uint32_t at = 0; at < f->r.length; seen++) {
            const struct import_dirent *d = (const void *)(f->r.payload + at);
            assert_true(strcmp(last, d->name) < 0);
            strcpy(last, d->name);
            at += d->record_len;
        }
        cursor = f->r.cursor;
    } while (cursor);
    assert_int_equal(seen, 1501);
}

static void test_data(void **state)
{
    struct fixture *f = *state;
    uint32_t a = look(f, 1, "a"), b = look(f, 1, "b");
    expect_contents(f, a, "");
    expect_contents(f, b, "contents of b");
    /* What was read stays; what was only seen and then changes is refused. */
    make(f, "b", "other");
    expect_contents(f, b, "contents of b");
    uint32_t x = look(f, look(f, 1, "sub"), "x");
    make(f, "sub/x", "longer");
    assert_int_equal(ask(f, IMPORT_DATA, x, "", 0), -EIO);
    assert_non_null(strstr(hostimport_trouble(f->h), "/sub/x"));
    assert_int_equal(ask(f, IMPORT_DATA, 1, "", 0), -EINVAL);
}

static void test_cache(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    expect_contents(f, look(f, 1, "b"), "contents of b");
    struct buf one = {0}, two = {0};
    hostimport_record(f->h, &one);
    hostimport_destroy(f->h);
    begin(f, f->root);
    assert_int_equal(fstat(hostimport_data_fd(f->h), &before), 0);
    assert_int_equal(before.st_size, PACK_PAGE);
    expect_contents(f, look(f, 1, "b"), "contents of b");
    assert_int_equal(fstat(hostimport_data_fd(f->h), &after), 0);
    assert_int_equal(before.st_size, after.st_size); /* nothing was copied again */
    hostimport_record(f->h, &two);
    assert_string_equal(one.data, two.data);
    assert_non_null(strstr(one.data, "\"path\": \"/b\""));
    assert_non_null(strstr(one.data, "\"sha256\""));
    make(f, "b", "new");
    hostimport_destroy(f->h);
    begin(f, f->root);
    expect_contents(f, look(f, 1, "b"), "new");
    buf_reset(&two);
    hostimport_record(f->h, &two);
    assert_string_not_equal(one.data, two.data);
    buf_free(&one);
    buf_free(&two);
}

static void test_unreadable(void **state)
{
    struct fixture *f = *state;
    char *path = maker_path(f->root, "b");
    uint32_t b = look(f, 1, "b");
    uid_t uid = geteuid();
    assert_int_equal(chmod(path, 0), 0);
    if (uid == 0) { /* root may read everything */
        assert_int_equal(seteuid(65534), 0);
    }
    int answer = ask(f, IMPORT_DATA, b, "", 0);
    assert_int_equal(seteuid(uid), 0);
    assert_int_equal(answer, -EACCES);
    free(path);
}

static void test_real_host(void **state)
{
    struct fixture *f = *state;
    hostimport_destroy(f->h);
    begin(f, "/");
    static const char *const excluded[] = {"proc", "sys", "dev"};
    for (size_t i = 0; i < 3; i++) {
        uint32_t ino = look(f, 1, excluded[i]);
        assert_int_equal(f->r.attr.flags, IMPORT_EXCLUDED);
        assert_int_equal(ask(f, IMPORT_LOOKUP, ino, "self", 0), -ENOENT);
    }
    assert_int_equal(ask(f, IMPORT_DATA, look(f, look(f, 1, "etc"), "passwd"), "", 0), 0);
    uint32_t dir = look(f, look(f, 1, "usr"), "lib");
    if (ask(f, IMPORT_LOOKUP, dir, "x86_64-linux-gnu", 0) == 0) {
        uint32_t libc = look(f, f->r.attr.ino, "libc.so.6");
        assert_int_equal(ask(f, IMPORT_DATA, libc, "", 0), 0);
        const struct import_data *d = (const void *)f->r.payload;
        assert_true(d->patch_count > 300);
        assert_int_equal(d->patches_here, d->patch_count);
    }
}

/* As the engine does: the answer given ahead if there is one, else a question. True: it was there.
 */
static bool ask_ahead(struct fixture *f, unsigned char *area, enum import_op op, uint32_t ino,
                      const char *name)
{
    const struct import_ahead *table = (const void *)area;
    f->q = (struct import_request){.op = op, .ino = ino, .name_len = (uint32_t)strlen(name)};
    memcpy(f->q.name, name, f->q.name_len);
    for (uint32_t s = import_slot(&f->q); table->slots[s]; s = (s + 1) % IMPORT_AHEAD_SLOTS) {
        struct import_answer *a = (void *)(area + 8ull * table->slots[s]);
        if (a->op == op && a->ino == ino && a->name_len == f->q.name_len &&
            memcmp(a + 1, name, a->name_len) == 0) {
            a->taken = 1;
            f->r.result = a->result;
            f->r.attr = a->attr;
            f->r.length = a->length;
            memcpy(f->r.payload, (char *)(a + 1) + import_answer_name_room(a->name_len), a->length);
            return true;
        }
    }
    hostimport_serve(f->h, &f->q, &f->r);
    return false;
}

/* One small universe of program `key`: how many of its eight questions needed no asking. */
static unsigned universe(struct fixture *f, const char *key, struct buf *record)
{
    unsigned char *area = calloc(1, IMPORT_AHEAD_BYTES);
    unsigned ahead = 0;
    hostimport_destroy(f->h);
    begin(f, f->root);
    hostimport_expect(f->h, key, strlen(key));
    hostimport_share(f->h, area);
    ahead += ask_ahead(f, area, IMPORT_LOOKUP, IMPORT_ROOT_INO, ".");
    ahead += ask_ahead(f, area, IMPORT_LOOKUP, IMPORT_ROOT_INO, "none");
    ahead += ask_ahead(f, area, IMPORT_LOOKUP, IMPORT_ROOT_INO, "link");
    ahead += ask_ahead(f, area, IMPORT_READLINK, f->r.attr.ino, "");
    assert_memory_equal(f->r.payload, "/sub/x", f->r.length);
    ahead += ask_ahead(f, area, IMPORT_LOOKUP, IMPORT_ROOT_INO, "sub");
    uint32_t sub = f->r.attr.ino;
    ahead += ask_ahead(f, area, IMPORT_READDIR, sub, "");
    assert_int_equal(f->r.length, 72); /* x alone */
    ahead += ask_ahead(f, area, IMPORT_LOOKUP, sub, "x");
    ahead += ask_ahead(f, area, IMPORT_DATA, f->r.attr.ino, "");
    hostimport_unshare(f->h);
    hostimport_record(f->h, record);
    free(area);
    return ahead;
}

static void test_given_ahead(void **state)
{
    struct fixture *f = *state;
    struct buf one = {0}, two = {0}, three = {0};
    /* The first time the root is given and, after a name, what is asked next: the link's target. */
    assert_int_equal(universe(f, "p", &one), 2);
    assert_int_equal(universe(f, "p", &two), 8);
    assert_int_equal(universe(f, "another", &three), 3); /* contents are in the cache by now */
    assert_string_equal(one.data, two.data);
    assert_string_equal(one.data, three.data);
    buf_free(&one);
    buf_free(&two);
    buf_free(&three);
}

/* Hints that the host no longer bears out cost nothing but a question. */
static void test_stale_hints(void **state)
{
    struct fixture *f = *state;
    struct buf one = {0}, two = {0};
    universe(f, "p", &one);
    make(f, "none", "now it is there");
    make(f, "sub/x", "longer than before");
    assert_int_equal(universe(f, "p", &two), 7); /* the new contents must be copied first */
    assert_int_equal(f->r.result, 0);
    assert_int_equal(f->r.attr.size, 18);
    assert_non_null(strstr(one.data, "\"/none\", \"error\""));
    assert_null(strstr(two.data, "\"/none\", \"error\""));
    buf_free(&one);
    buf_free(&two);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lookup),    TEST(test_readdir),     TEST(test_large_directory),
        TEST(test_data),      TEST(test_cache),       TEST(test_unreadable),
        TEST(test_real_host), TEST(test_given_ahead), TEST(test_stale_hints),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
