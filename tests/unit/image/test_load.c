/* Loading images: formats, layers, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/list.h"
#include "image/load.h"
#include "image/refs.h"
#include "maker.h"

struct fixture {
    char *dir, *archive;
    struct image_store *store;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = maker_temp();
    f->archive = maker_path(f->dir, "image");
    char *store = maker_path(f->dir, "store");
    f->store = image_store_open(store, &f->err);
    free(store);
    *state = f;
    return f->store ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    image_store_close(f->store);
    err_clear(&f->err);
    free(f->archive);
    maker_temp_end(f->dir);
    free(f);
    return 0;
}

/* Loads f->archive and opens `ref`; fails the test when that fails. */
static struct image *load_open(struct fixture *f, const char *ref)
{
    struct image_load_result r;
    if (image_load(f->store, f->archive, NULL, &r, &f->err) < 0) {
        fail_msg("%s", f->err.msg);
    }
    image_load_result_fini(&r);
    struct image *image = image_open(f->store, ref, &f->err);
    if (!image) {
        fail_msg("%s", f->err.msg);
    }
    return image;
}

static void expect_refusal(struct fixture *f, const struct image_limits *limits, const char *part)
{
    struct image_load_result r;
    assert_int_equal(image_load(f->store, f->archive, limits, &r, &f->err), -1);
    assert_int_equal(r.count, 0);
    if (!strstr(f->err.msg, part)) {
        fail_msg("'%s' does not say '%s'", f->err.msg, part);
    }
    err_clear(&f->err);
}

static void expect_file(struct image *image, const char *path, const char *want)
{
    struct buf got = {0};
    struct err err = {0};
    int r = image_read_file(image, path, 1 << 20, &got, &err);
    if (!want) {
        assert_int_equal(r, 0);
    } else {
        assert_int_equal(r, 1);
        assert_string_equal(got.data, want);
    }
    buf_free(&got);
    err_clear(&err);
}

static const struct pack_inode *find(struct image *image, const char *path)
{
    uint32_t ino = image_lookup(image, path, false);
    return ino ? image_inode(image, ino) : NULL;
}

static struct buf simple_layer(const char *data)
{
    struct maker m;
    maker_begin(&m);
    maker_dir(&m, "etc/", 0755);
    maker_file(&m, "etc/motd", 0644, data);
    return maker_end(&m);
}

/* Every format gives the same packed tree. */
static void test_formats(void **state)
{
    struct fixture *f = *state;
    struct buf layer = simple_layer("hello\n");
    struct maker_image im = {.layers = &layer, .layer_count = 1};
    char first[DIGEST_HEX] = "";
    for (unsigned kind = 0; kind < 6; kind++) {
        char name[16];
        free(f->archive);
        snprintf(name, sizeof name, "kind%u", kind);
        f->archive = maker_path(f->dir, name);
        im.filter = kind % 3;
        im.index = kind == 3;
        switch (kind) {
        case 0:
            maker_docker(&im, f->archive);
            break;
        case 1:
        case 2:
            maker_oci_dir(&im, f->archive);
            break;
        default:
            maker_oci_archive(&im, f->archive, kind == 5);
        }
        struct image *image = load_open(f, "app:v1");
        expect_file(image, "/etc/motd", "hello\n");
        if (!*first) {
            memcpy(first, image->record.id, DIGEST_HEX);
        }
        assert_string_equal(image->record.id, first);
        image_close(image);
        assert_int_equal(image_rm(f->store, "app:v1", &f->err), 0);
    }
    buf_free(&layer);
}

/* An archive that is compressed as a whole is unpacked first. */
static void test_compressed_archive(void **state)
{
    struct fixture *f = *state;
    struct buf layer = simple_layer("x"), whole = {0};
    struct maker_image im = {.layers = &layer, .layer_count = 1};
    maker_docker(&im, f->archive);
    FILE *in = fopen(f->archive, "r");
    for (int c; (c = fgetc(in)) != EOF;) {
        buf_putc(&whole, (char)c);
    }
    fclose(in);
    struct buf packed = maker_compress(&whole, MAKER_ZSTD);
    maker_write(f->archive, packed.data, packed.len);
    struct image *image = load_open(f, "app:v1");
    expect_file(image, "/etc/motd", "x");
    image_close(image);
    buf_free(&packed);
    buf_free(&whole);
    buf_free(&layer);
}

static struct buf lower_layer(void)
{
    struct maker m;
    maker_begin(&m);
    maker_dir(&m, "a/", 0755);
    maker_file(&m, "a/gone", 0644, "1");
    maker_file(&m, "a/stays", 0644, "2");
    maker_dir(&m, "b/", 0700);
    maker_file(&m, "b/one", 0644, "3");
    maker_file(&m, "b/sub/two", 0644, "4");
    maker_file(&m, "c", 0644, "5");
    maker_dir(&m, "usr/lib/", 0755);
    maker_symlink(&m, "lib", "usr/lib");
    maker_file(&m, "dir/file", 0644, "6");
    return maker_end(&m);
}

static struct buf upper_layer(void)
{
    struct maker m;
    maker_begin(&m);
    maker_file(&m, "a/.wh.gone", 0, "");
    maker_file(&m, "a/new", 0644, "n");
    maker_file(&m, "b/kept", 0644, "k"); /* before the opaque marker: order must not matter */
    maker_file(&m, "b/.wh..wh..opq", 0, "");
    maker_hardlink(&m, "d", "c");
    maker_file(&m, "lib/x.so", 0644, "through the link");
    maker_file(&m, "dir", 0644, "now a file");
    maker_file(&m, ".wh.absent", 0, "");
    maker_file(&m, ".wh..wh.plnk", 0, "");
    return maker_end(&m);
}

static void test_layers(void **state)
{
    struct fixture *f = *state;
    struct buf layers[2] = {lower_layer(), upper_layer()};
    struct maker_image im = {.layers = layers, .layer_count = 2, .filter = MAKER_GZIP};
    maker_oci_archive(&im, f->archive, false);
    struct image *image = load_open(f, "app:v1");
    expect_file(image, "/a/gone", NULL);
    expect_file(image, "/a/stays", "2");
    expect_file(image, "/a/new", "n");
    expect_file(image, "/b/one", NULL);
    expect_file(image, "/b/sub/two", NULL);
    expect_file(image, "/b/kept", "k");
    expect_file(image, "/usr/lib/x.so", "through the link");
    expect_file(image, "/dir", "now a file");
    assert_int_equal(find(image, "/b")->mode, S_IFDIR | 0700);
    assert_int_equal(find(image, "/c")->nlink, 2);
    assert_int_equal(image_lookup(image, "/c", false), image_lookup(image, "/d", false));
    assert_true(S_ISLNK(find(image, "/lib")->mode));
    assert_int_equal(image_lookup(image, "/a/.wh.gone", false), 0);
    assert_int_equal(image_header(image)->data_count, 2);
    image_close(image);
    buf_free(&layers[0]);
    buf_free(&layers[1]);
}

static void test_attributes(void **state)
{
    struct fixture *f = *state;
    struct maker m;
    char longname[401] = "deep";
    memset(longname + 4, 'x', 196);
    longname[200] = '/';
    memset(longname + 201, 'y', 199);
    maker_begin(&m);
    maker_next(&m, 1000, 3000000, 1234567890, "security.capability", "\x01\x02\x03");
    maker_file(&m, "usr/bin/su", 04755, "#!");
    maker_file(&m, longname, 0600, "long");
    maker_file(&m, "caf\xc3\xa9", 0644, "utf8");
    maker_device(&m, "dev/tty0", 4, 7);
    maker_symlink(&m, "abs", "/etc/../outside");
    maker_sparse(&m, "sparse", 100000, 50000, "data");
    struct buf layer = maker_end(&m);
    struct maker_image im = {.layers = &layer, .layer_count = 1};
    maker_docker(&im, f->archive);
    struct image *image = load_open(f, "app:v1");
    const struct pack_inode *su = find(image, "/usr/bin/su");
    assert_int_equal(su->mode, S_IFREG | 04755);
    assert_int_equal(su->uid, 1000);
    assert_int_equal(su->gid, 3000000);
    assert_int_equal(su->mtime_s, 1234567890);
    assert_int_equal(su->xattr_count, 1);
    expect_file(image, longname, "long");
    expect_file(image, "/caf\xc3\xa9", "utf8");
    const struct pack_inode *tty = find(image, "/dev/tty0");
    assert_int_equal(tty->mode & S_IFMT, S_IFCHR);
    assert_int_equal(tty->rdev_major, 4);
    assert_int_equal(tty->rdev_minor, 7);
    assert_string_equal(image_string(image, find(image, "/abs")->link.off), "/etc/../outside");
    struct buf sparse = {0};
    assert_int_equal(image_read_file(image, "/sparse", 1 << 20, &sparse, &f->err), 1);
    assert_int_equal(sparse.len, 100000);
    assert_memory_equal(sparse.data + 50000, "data", 4);
    assert_int_equal(sparse.data[49999], 0);
    assert_int_equal(sparse.data[99999], 0);
    buf_free(&sparse);
    image_close(image);
    buf_free(&layer);
}

static void refuse_layer(struct fixture *f, struct maker *m, const char *part)
{
    struct buf layer = maker_end(m);
    struct maker_image im = {.layers = &layer, .layer_count = 1};
    maker_docker(&im, f->archive);
    expect_refusal(f, NULL, part);
    buf_free(&layer);
}

static void test_hostile_names(void **state)
{
    struct fixture *f = *state;
    struct maker m;
    maker_begin(&m);
    maker_file(&m, "a/../../etc/passwd", 0644, "x");
    refuse_layer(f, &m, "leaves its directory");
    maker_begin(&m);
    maker_hardlink(&m, "x", "../../etc/shadow");
    refuse_layer(f, &m, "leaves its directory");
    maker_begin(&m);
    maker_hardlink(&m, "x", "etc/shadow");
    refuse_layer(f, &m, "not in the image");
    static const char *const whiteouts[] = {"d/.wh.", "d/.wh..", "d/.wh..."};
    for (size_t i = 0; i < 3; i++) {
        maker_begin(&m);
        maker_file(&m, whiteouts[i], 0, "");
        refuse_layer(f, &m, "would remove its own directory");
    }
    /* Links out of the image stay inside it, in a loop too. */
    maker_begin(&m);
    maker_symlink(&m, "out", "/../../..");
    maker_file(&m, "out/file", 0644, "inside");
    maker_symlink(&m, "loop", "loop");
    struct buf layer = maker_end(&m);
    struct maker_image im = {.layers = &layer, .layer_count = 1};
    maker_docker(&im, f->archive);
    struct image *image = load_open(f, "app:v1");
    expect_file(image, "/file", "inside");
    assert_int_equal(image_lookup(image, "/loop", true), 0);
    image_close(image);
    buf_free(&layer);
    maker_begin(&m);
    maker_symlink(&m, "loop", "loop");
    maker_file(&m, "loop/file", 0644, "");
    refuse_layer(f, &m, "too many symbolic links");
}

static void test_hostile_images(void **state)
{
    struct fixture *f = *state;
    struct buf layer = simple_layer("hello");
    struct maker_image im = {.layers = &layer, .layer_count = 1, .wrong_diff_id = true};
    maker_docker(&im, f->archive);
    expect_refusal(f, NULL, "layer 1 of 1");
    im = (struct maker_image){.layers = &layer, .layer_count = 1, .wrong_digest = true};
    maker_oci_archive(&im, f->archive, false);
    expect_refusal(f, NULL, "but the manifest says");
    im = (struct maker_image){.layers = &layer, .layer_count = 1, .architecture = "arm64"};
    maker_docker(&im, f->archive);
    expect_refusal(f, NULL, "linux/arm64");
    im = (struct maker_image){.layers = &layer, .layer_count = 1, .missing_layer = true};
    maker_docker(&im, f->archive);
    expect_refusal(f, NULL, "is missing");
    im = (struct maker_image){.layers = &layer,
                              .layer_count = 1,
                              .layer_type =
                                  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"};
    maker_oci_archive(&im, f->archive, false);
    expect_refusal(f, NULL, "foreign");
    maker_write(f->archive, layer.data, layer.len);
    expect_refusal(f, NULL, "no image inside");
    maker_write(f->archive, "garbage", 7);
    expect_refusal(f, NULL, "image");
    buf_free(&layer);
}

static void test_truncated(void **state)
{
    struct fixture *f = *state;
    struct maker m;
    maker_begin(&m);
    char *big = calloc(1, 100000);
    maker_bytes(&m, "big", 0644, big, 100000);
    free(big);
    struct buf layer = maker_end(&m), cut = layer;
    cut.len = 20000; /* the config is made to agree, so only the archive itself can tell */
    struct maker_image im = {.layers = &cut, .layer_count = 1};
    maker_docker(&im, f->archive);
    expect_refusal(f, NULL, "layer 1 of 1");
    im.layers = &layer;
    maker_docker(&im, f->archive);
    struct stat st;
    assert_int_equal(stat(f->archive, &st), 0);
    assert_int_equal(truncate(f->archive, st.st_size / 2), 0);
    expect_refusal(f, NULL, "runcated");
    buf_free(&layer);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    struct maker m;
    char *zeros = calloc(1, 1 << 20);
    maker_begin(&m);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "z%u", i);
        maker_bytes(&m, name, 0644, zeros, 1 << 20);
    }
    free(zeros);
    struct buf layer = maker_end(&m);
    struct maker_image im = {.layers = &layer, .layer_count = 1, .filter = MAKER_ZSTD};
    maker_oci_archive(&im, f->archive, false);
    struct image_limits limits = image_limits_default();
    expect_refusal(f, &limits, "far more than a layer should"); /* a bomb by its ratio */
    limits.ratio_max = UINT32_MAX;
    limits.entries_max = 50;
    expect_refusal(f, &limits, "more than 50 entries");
    limits.entries_max = 1000;
    limits.bytes_max = 60 << 20;
    expect_refusal(f, &limits, "bytes of file contents");
    buf_free(&layer);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    char id[DIGEST_HEX], other[DIGEST_HEX];
    struct buf one = simple_layer("1"), two = simple_layer("2");
    struct maker_image im = {.layers = &one, .layer_count = 1, .ref = "registry.io/x/app:v1"};
    maker_docker(&im, f->archive);
    image_close(load_open(f, "app:v1"));
    assert_int_equal(image_resolve(f->store, "app:v1", id, &f->err), 0);
    assert_int_equal(image_resolve(f->store, "else.io:5000/y/app:v1", other, &f->err), 0);
    assert_string_equal(id, other);
    assert_int_equal(image_resolve(f->store, "app", id, &f->err), -1);
    assert_non_null(strstr(f->err.hint, "registry.io/x/app:v1"));
    err_clear(&f->err);
    im.layers = &two;
    im.ref = "y/app:v1";
    maker_docker(&im, f->archive);
    image_close(load_open(f, "y/app:v1"));
    assert_int_equal(image_resolve(f->store, "app:v1", id, &f->err), -1);
    assert_non_null(strstr(f->err.msg, "could mean"));
    err_clear(&f->err);
    char prefix[13] = "";
    memcpy(prefix, other, 12);
    assert_int_equal(image_resolve(f->store, prefix, id, &f->err), 0);
    assert_string_equal(id, other);
    char pinned[100];
    snprintf(pinned, sizeof pinned, "app@sha256:%s", other);
    assert_int_equal(image_resolve(f->store, pinned, id, &f->err), 0);
    pinned[11] = pinned[11] == '0' ? '1' : '0';
    assert_int_equal(image_resolve(f->store, pinned, id, &f->err), -1);
    err_clear(&f->err);
    buf_free(&one);
    buf_free(&two);
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    struct buf layers[2] = {simple_layer("1"), simple_layer("2")};
    struct maker_image im = {.layers = layers, .layer_count = 1, .ref = "a:1"};
    maker_docker(&im, f->archive);
    image_close(load_open(f, "a:1"));
    im.layer_count = 2;
    im.ref = "b:1";
    maker_docker(&im, f->archive);
    struct image *b = load_open(f, "b:1");
    assert_int_equal(image_name_set(f->store, "c:1", b->record.id, &f->err), 0);
    /* The layer both share stays as long as one needs it. */
    assert_int_equal(image_rm(f->store, "a:1", &f->err), 0);
    image_close(b);
    b = image_open(f->store, "b:1", &f->err);
    assert_non_null(b);
    assert_int_equal(image_rm(f->store, "b:1", &f->err), 0);
    struct image_infos infos;
    assert_int_equal(image_list(f->store, &infos, &f->err), 0);
    assert_int_equal(infos.count, 1);
    assert_string_equal(infos.items[0].refs.items[0], "c:1");
    image_infos_fini(&infos);
    assert_int_equal(image_rm(f->store, "c:1", &f->err), 0);
    expect_file(b, "/etc/motd", "2"); /* who has it open keeps it */
    assert_null(image_open(f->store, "c:1", &f->err));
    assert_false(store_has_file(f->store, "blobs/sha256", NULL));
    assert_int_equal(image_list(f->store, &infos, &f->err), 0);
    assert_int_equal(infos.count, 0);
    image_infos_fini(&infos);
    image_close(b);
    buf_free(&layers[0]);
    buf_free(&layers[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_formats),       TEST(test_compressed_archive),
        TEST(test_layers),        TEST(test_attributes),
        TEST(test_hostile_names), TEST(test_hostile_images),
        TEST(test_truncated),     TEST(test_limits),
        TEST(test_names),         TEST(test_remove),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
