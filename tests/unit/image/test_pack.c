/* Packing, the index format, configs and users. */
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
#include "image/packdir.h"
#include "image/ref.h"
#include "maker.h"

#define TEXT(s) (s), sizeof(s) - 1

static const struct image_pack_file FILES[] = {
    {"etc/passwd", 0644,
     TEXT("root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbroken\n")},
    {"etc/group", 0644, TEXT("root:x:0:\napp:x:1001:\nlogs:x:50:app,root\nadm:x:4:app\n")},
    {"usr/lib/libvoidstar.so", 0755,
     TEXT("\x7f"
          "ELF not really")},
    {"opt/bin", S_IFDIR | 0700, NULL, 0},
    {"link", S_IFLNK, TEXT("/etc/group")},
    {"empty", 0600, "", 0},
};

static struct image *pack(void)
{
    struct err err = {0};
    struct image *image = image_pack_files(FILES, 6, 77, &err);
    if (!image) {
        fail_msg("%s", err.msg);
    }
    return image;
}

static void test_files(void **state)
{
    struct image *image = pack();
    struct buf b = {0};
    struct err err = {0};
    assert_int_equal(image_read_file(image, "/link", 1000, &b, &err), 1);
    assert_int_equal(b.len, FILES[1].len);
    assert_int_equal(image_inode(image, image_lookup(image, "/usr", true))->mode, S_IFDIR | 0755);
    const struct pack_inode *dir = image_inode(image, image_lookup(image, "/opt/bin", true));
    assert_int_equal(dir->mode, S_IFDIR | 0700);
    assert_int_equal(dir->mtime_s, 77);
    assert_int_equal(image_read_file(image, "/empty", 0, &b, &err), 1);
    assert_int_equal(image_read_file(image, "/etc/passwd", 10, &b, &err), -1);
    err_clear(&err);
    buf_free(&b);
    image_close(image);
}

static void test_numbering(void **state)
{
    struct image *image = pack();
    /* Depth first, names in order: / empty etc etc/group etc/passwd link opt opt/bin usr ... */
    static const char *const order[] = {"/",     "/empty", "/etc",     "/etc/group", "/etc/passwd",
                                        "/link", "/opt",   "/opt/bin", "/usr",       "/usr/lib"};
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(image_lookup(image, order[i], false), i + 1);
    }
    image_close(image);
}

static void test_same_bytes(void **state)
{
    struct image *one = pack(), *two = pack();
    assert_int_equal(one->index_len, two->index_len);
    assert_memory_equal(one->index, two->index, one->index_len);
    image_close(one);
    image_close(two);
}

/* Any changed byte of the counted parts is either harmless or found; nothing may crash. */
static void test_check_survives_damage(void **state)
{
    struct image *image = pack();
    char *copy = malloc(image->index_len);
    struct err err = {0};
    unsigned found = 0;
    for (size_t i = 0; i < image->index_len; i++) {
        static const unsigned char flips[] = {0x01, 0x80, 0xff};
        for (unsigned k = 0; k < 3; k++) {
            memcpy(copy, image->index, image->index_len);
            copy[i] = (char)(copy[i] ^ flips[k]);
            found += image_check(copy, image->index_len, &err) < 0;
            err_clear(&err);
        }
    }
    for (size_t len = 0; len < image->index_len; len++) {
        char *head = malloc(len ? len : 1); /* so that a read behind the end is seen */
        memcpy(head, image->index, len);
        assert_int_equal(image_check(head, len, &err), -1);
        err_clear(&err);
        free(head);
    }
    assert_true(found > sizeof(struct pack_header));
    free(copy);
    image_close(image);
}

static void test_users(void **state)
{
    static const struct {
        const char *spec;
        int result;
        uint32_t uid, gid;
        const char *home, *groups;
    } cases[] = {
        {"", 0, 0, 0, "/root", "0 50"},
        {"app", 0, 1000, 1001, "/home/app", "1001 4 50"},
        {"1000", 0, 1000, 1001, "/home/app", "1001 4 50"},
        {"app:logs", 0, 1000, 50, "/home/app", "50"},
        {"app:7", 0, 1000, 7, "/home/app", "7"},
        {"4242", 0, 4242, 0, "/", "0"},
        {"4242:app", 0, 4242, 1001, "/", "1001"},
        {"nobody", -1, 0, 0, NULL, NULL},
        {"app:nogroup", -1, 0, 0, NULL, NULL},
    };
    struct image *image = pack();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct image_user u;
        struct err err = {0};
        assert_int_equal(image_user_init(&u, image, cases[i].spec, &err), cases[i].result);
        err_clear(&err);
        if (cases[i].result < 0) {
            continue;
        }
        struct buf groups = {0};
        for (size_t k = 0; k < u.group_count; k++) {
            buf_printf(&groups, "%s%u", k ? " " : "", u.groups[k]);
        }
        assert_int_equal(u.uid, cases[i].uid);
        assert_int_equal(u.gid, cases[i].gid);
        assert_string_equal(u.home, cases[i].home);
        assert_string_equal(groups.data, cases[i].groups);
        buf_free(&groups);
        image_user_fini(&u);
    }
    image_close(image);
}

static void test_config(void **state)
{
    static const char json[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/run\"],"
        "\"Cmd\":null,\"Env\":[\"B=2\",\"A=1\"],\"User\":\"app\",\"Volumes\":{\"/z\":{},\"/a\":{}},"
        "\"Labels\":{\"y\":\"1\",\"x\":\"2\"},\"StopSignal\":\"SIGINT\",\"Healthcheck\":{\"Test\":"
        "[\"CMD\",\"true\"],\"Interval\":1000000000,\"Retries\":3}},\"rootfs\":{\"diff_ids\":[]}}";
    struct image_config c;
    struct err err = {0};
    assert_int_equal(image_config_init(&c, json, strlen(json), &err), 0);
    assert_string_equal(c.entrypoint.items[0], "/run");
    assert_int_equal(c.cmd.count, 0);
    assert_string_equal(c.env.items[0], "B=2");
    assert_string_equal(c.volumes.items[0], "/a");
    assert_string_equal(c.labels[0].key, "x");
    assert_string_equal(c.workdir, "/");
    assert_string_equal(c.stop_signal, "SIGINT");
    assert_int_equal(c.healthcheck.interval_ns, 1000000000);
    assert_int_equal(c.healthcheck.retries, 3);
    image_config_fini(&c);
    static const char *const wrong[] = {"[]",
                                        "{\"config\":{\"Env\":\"A\"}}",
                                        "{\"config\":7}",
                                        "{\"config\":{\"Labels\":{\"a\":1}}}",
                                        "{",
                                        ""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(image_config_init(&c, wrong[i], strlen(wrong[i]), &err), -1);
        err_clear(&err);
    }
}

static void test_refs(void **state)
{
    static const char *const cases[][2] = {
        {"etcd", "etcd:latest"},
        {"docker.io/library/redis:7", "redis:7"},
        {"docker.io/a/b", "a/b:latest"},
        {"localhost:5000/x/etcd-client:v1", "localhost:5000/x/etcd-client:v1"},
        {"a/b__c.d-e--f:T_1.x", "a/b__c.d-e--f:T_1.x"},
        {"Upper", NULL},
        {"a//b", NULL},
        {"a/", NULL},
        {"a..b", NULL},
        {"a___b", NULL},
        {"-a", NULL},
        {"a:", NULL},
        {"a:.x", NULL},
        {"a@sha256:12", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct image_ref ref;
        struct err err = {0};
        int r = image_ref_init(&ref, cases[i][0], &err);
        assert_int_equal(r, cases[i][1] ? 0 : -1);
        if (cases[i][1]) {
            assert_string_equal(ref.normal, cases[i][1]);
            image_ref_fini(&ref);
        }
        err_clear(&err);
    }
}

static void make_tree(const char *dir, bool reverse)
{
    static const char *const names[] = {"b", "a", "sub/x", "sub/y"};
    char *sub = maker_path(dir, "sub");
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(mkdir(sub, 0755), 0);
    for (unsigned i = 0; i < 4; i++) {
        const char *name = names[reverse ? 3 - i : i];
        char *path = maker_path(dir, name);
        maker_write(path, name, strlen(name));
        free(path);
    }
    char *from = maker_path(dir, "a"), *to = maker_path(dir, "zz"), *l = maker_path(dir, "l");
    assert_int_equal(link(from, to), 0);
    assert_int_equal(symlink("/etc/passwd", l), 0);
    free(from);
    free(to);
    free(l);
    free(sub);
}

/* Two directories with the same files, made in another order at another time, pack alike. */
static void test_dir(void **state)
{
    char *dir = maker_temp(), *one = maker_path(dir, "one"), *two = maker_path(dir, "two");
    char *place = maker_path(dir, "store"), *single = maker_path(one, "b");
    struct err err = {0};
    struct image_store *store = image_store_open(place, &err);
    make_tree(one, false);
    make_tree(two, true);
    struct image *p = image_pack_dir(store, one, NULL, &err);
    struct image *q = image_pack_dir(store, two, NULL, &err);
    assert_non_null(p);
    assert_non_null(q);
    assert_string_equal(p->record.id, q->record.id);
    assert_int_equal(image_lookup(p, "/a", false), image_lookup(p, "/zz", false));
    assert_true(S_ISLNK(image_inode(p, image_lookup(p, "/l", false))->mode));
    struct buf b = {0};
    assert_int_equal(image_read_file(q, "/sub/x", 100, &b, &err), 1);
    assert_string_equal(b.data, "sub/x");
    buf_reset(&b);
    image_close(p);
    p = image_pack_dir(store, single, NULL, &err);
    assert_non_null(p);
    assert_int_equal(image_read_file(p, "/b", 100, &b, &err), 1);
    assert_null(image_pack_dir(store, "/nonexistent", NULL, &err));
    err_clear(&err);
    buf_free(&b);
    image_close(p);
    image_close(q);
    image_store_close(store);
    free(one);
    free(two);
    free(place);
    free(single);
    maker_temp_end(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),      cmocka_unit_test(test_numbering),
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_check_survives_damage),
        cmocka_unit_test(test_users),      cmocka_unit_test(test_config),
        cmocka_unit_test(test_refs),       cmocka_unit_test(test_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
