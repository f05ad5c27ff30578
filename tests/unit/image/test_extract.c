/* Images as files: what comes out, and what may not. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/extract.h"
#include "image/image.h"
#include "image/load.h"
#include "maker.h"

struct fixture {
    char *dir, *out;
    struct image_store *store;
    struct image *image;
    int dirfd;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct err err = {0};
    struct image_load_result r;
    struct maker m;
    f.dir = maker_temp();
    f.out = maker_path(f.dir, "out");
    char *home = maker_path(f.dir, "home"), *tar = maker_path(f.dir, "c.tar");
    maker_begin(&m);
    maker_file(&m, "docker-compose.yaml", 0444, "services: {}\n");
    maker_dir(&m, "conf", 0500);
    maker_file(&m, "conf/deep.txt", 04755, "deep\n");
    maker_hardlink(&m, "conf/again.txt", "conf/deep.txt");
    maker_symlink(&m, "conf/up", "/../../etc");
    maker_device(&m, "null", 1, 3);
    maker_file(&m, "empty", 0644, "");
    struct buf layer = maker_end(&m);
    maker_docker(&(struct maker_image){.layers = &layer, .layer_count = 1}, tar);
    f.store = image_store_open(home, &err);
    assert_int_equal(image_load(f.store, tar, NULL, &r, &err), 0);
    f.image = image_open_id(f.store, r.images[0].id, &err);
    assert_non_null(f.image);
    assert_int_equal(mkdir(f.out, 0755), 0);
    f.dirfd = open(f.out, O_RDONLY | O_DIRECTORY);
    image_load_result_fini(&r);
    buf_free(&layer);
    free(home);
    free(tar);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    image_close(f->image);
    image_store_close(f->store);
    close(f->dirfd);
    maker_temp_end(f->dir);
    free(f->out);
    return 0;
}

static const struct image_extract_limits roomy = {1 << 20, 100};

static void assert_file(struct fixture *f, const char *name, const char *text)
{
    char back[64] = "";
    int fd = openat(f->dirfd, name, O_RDONLY | O_NOFOLLOW);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, back, sizeof back - 1), strlen(text));
    assert_string_equal(back, text);
    close(fd);
}

static void comes_out(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct stat st;
    char target[64] = "";
    assert_int_equal(image_extract(f->image, f->dirfd, &roomy, &err), 0);
    assert_file(f, "docker-compose.yaml", "services: {}\n");
    assert_file(f, "conf/deep.txt", "deep\n");
    assert_file(f, "conf/again.txt", "deep\n");
    assert_file(f, "empty", "");
    assert_int_equal(fstatat(f->dirfd, "conf/deep.txt", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(readlinkat(f->dirfd, "conf/up", target, sizeof target - 1), 10);
    assert_string_equal(target, "/../../etc");
    assert_int_equal(fstatat(f->dirfd, "null", &st, AT_SYMLINK_NOFOLLOW), -1);
}

static void limits(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    const struct image_extract_limits few = {1 << 20, 3}, small = {15, 100};
    assert_int_equal(image_extract(f->image, f->dirfd, &few, &err), -1);
    assert_non_null(strstr(err.msg, "more than 3 files"));
    err_clear(&err);
    char *other = maker_path(f->dir, "other");
    mkdir(other, 0755);
    int fd = open(other, O_RDONLY | O_DIRECTORY);
    assert_int_equal(image_extract(f->image, fd, &small, &err), -1);
    assert_non_null(strstr(err.msg, "more than 15 bytes"));
    err_clear(&err);
    close(fd);
    free(other);
}

/* A link that lies where the image has a directory or file is never followed. */
static void traps(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct stat st;
    assert_int_equal(symlinkat(f->dir, f->dirfd, "conf"), 0);
    assert_int_equal(image_extract(f->image, f->dirfd, &roomy, &err), -1);
    err_clear(&err);
    char *stray = maker_path(f->dir, "deep.txt");
    assert_int_equal(stat(stray, &st), -1);
    free(stray);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(comes_out), TEST(limits), TEST(traps)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
