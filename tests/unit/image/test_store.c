/* The store under concurrent processes and sudden death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/image.h"
#include "image/list.h"
#include "image/load.h"
#include "maker.h"

#define KILLS  24
#define ROUNDS 12

struct fixture {
    char *dir, *archives[2], *store;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = maker_temp();
    f->store = maker_path(f->dir, "store");
    for (unsigned i = 0; i < 2; i++) {
        struct maker shared, own;
        char text[32];
        maker_begin(&shared);
        maker_file(&shared, "etc/shared", 0644, "both images have this layer");
        maker_begin(&own);
        snprintf(text, sizeof text, "image %u", i);
        maker_file(&own, "etc/own", 0644, text);
        struct buf layers[2] = {maker_end(&shared), maker_end(&own)};
        struct maker_image im = {.layers = layers, .layer_count = 2, .ref = i ? "b:1" : "a:1"};
        f->archives[i] = maker_path(f->dir, i ? "b" : "a");
        maker_docker(&im, f->archives[i]);
        buf_free(&layers[0]);
        buf_free(&layers[1]);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->archives[0]);
    free(f->archives[1]);
    free(f->store);
    maker_temp_end(f->dir);
    free(f);
    return 0;
}

static bool load(struct image_store *store, const char *path)
{
    cleanup_err struct err err = {0};
    struct image_load_result r;
    int status = image_load(store, path, NULL, &r, &err);
    image_load_result_fini(&r);
    return status == 0;
}

static bool remove_image(struct image_store *store, const char *ref)
{
    cleanup_err struct err err = {0};
    return image_rm(store, ref, &err) == 0 || strstr(err.msg, "no image");
}

/* Everything that is listed can be opened and read. */
static void expect_whole(struct image_store *store)
{
    struct err err = {0};
    struct image_infos infos;
    if (image_list(store, &infos, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    for (size_t i = 0; i < infos.count; i++) {
        struct image *image = image_open_id(store, infos.items[i].record.id, &err);
        if (!image) {
            fail_msg("%s", err.msg);
        }
        struct buf b = {0};
        assert_int_equal(image_read_file(image, "/etc/shared", 100, &b, &err), 1);
        assert_string_equal(b.data, "both images have this layer");
        buf_free(&b);
        image_close(image);
    }
    image_infos_fini(&infos);
}

static unsigned count_files(const char *store, const char *sub)
{
    char *path = maker_path(store, sub);
    DIR *dir = opendir(path);
    unsigned count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    free(path);
    return count;
}

static _Noreturn void churn(const struct fixture *f, unsigned which, unsigned rounds)
{
    struct err err = {0};
    struct image_store *store = image_store_open(f->store, &err);
    bool ok = store != NULL;
    for (unsigned i = 0; ok && i < rounds; i++) {
        ok = load(store, f->archives[which]);
        if (i % 3 == 2) {
            ok = ok && remove_image(store, which ? "b:1" : "a:1");
        }
    }
    _exit(!ok);
}

/* Kills a process that loads and removes, each time after one more file has appeared in the making:
 * so every stage of its work is hit. */
static void test_kill(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct image_store *store = image_store_open(f->store, &err);
    assert_non_null(store);
    char *tmp = maker_path(f->store, "tmp");
    for (int kills = 0; kills < KILLS; kills++) {
        int watch = inotify_init1(IN_CLOEXEC);
        assert_true(inotify_add_watch(watch, tmp, IN_CREATE | IN_MOVED_FROM) >= 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            churn(f, 0, 1000000);
        }
        for (int seen = 0; seen <= kills;) {
            _Alignas(struct inotify_event) char events[4096];
            ssize_t n = read(watch, events, sizeof events);
            assert_true(n > 0);
            for (char *e = events; e < events + n; seen++) {
                e += sizeof(struct inotify_event) + ((struct inotify_event *)(void *)e)->len;
            }
        }
        close(watch);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        expect_whole(store);
    }
    assert_true(load(store, f->archives[0]));
    assert_int_equal(count_files(f->store, "tmp"), 0); /* leavings are gone */
    expect_whole(store);
    assert_true(remove_image(store, "a:1"));
    assert_int_equal(count_files(f->store, "data"), 0);
    assert_int_equal(count_files(f->store, "index"), 0);
    assert_int_equal(count_files(f->store, "refs"), 0);
    free(tmp);
    image_store_close(store);
}

static void test_concurrent(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct image_store *store = image_store_open(f->store, &err);
    assert_non_null(store);
    for (unsigned i = 0; i < 4; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            churn(f, i % 2, ROUNDS);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_true(load(store, f->archives[0]));
    assert_true(load(store, f->archives[1]));
    expect_whole(store);
    assert_int_equal(count_files(f->store, "data"), 3); /* one layer is shared */
    image_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_concurrent, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
