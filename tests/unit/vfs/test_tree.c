/* Names: walking, creating, removing, renaming over the image; listing; permissions; restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

static int setup(void **state)
{
    *state = fixture_create();
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static void test_walk(void **state)
{
    struct stat s;
    assert_int_equal(stat_path("/etc/passwd", &s), 0);
    assert_int_equal(s.st_ino, 8);
    assert_int_equal(s.st_size, 11);
    assert_int_equal(stat_path("/etc/link", &s), 0);
    assert_int_equal(s.st_mode & ABI_S_IFMT, ABI_S_IFLNK);
    assert_int_equal(stat_path("/etc/link/", &s), -ENOTDIR);
    assert_int_equal(stat_path("/etc/../etc/./passwd", &s), 0);
    assert_int_equal(stat_path("/../../etc/passwd", &s), 0);
    assert_int_equal(stat_path("/etc/passwd/x", &s), -ENOTDIR);
    assert_int_equal(stat_path("/etc/passwd/", &s), -ENOTDIR);
    assert_int_equal(stat_path("/nothing/x", &s), -ENOENT);
    assert_int_equal(stat_path("", &s), -ENOENT);
    char name[300];
    memset(name, 'a', sizeof name);
    name[0] = '/';
    name[299] = '\0';
    assert_int_equal(stat_path(name, &s), -ENAMETOOLONG);
    assert_int_equal(CALL(symlink, STR("b"), STR("/tmp/a")), 0);
    assert_int_equal(CALL(symlink, STR("a"), STR("/tmp/b")), 0);
    assert_int_equal(open_file("/tmp/a", O_RDONLY, 0), -ELOOP);
    assert_int_equal(open_file("/etc/link", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
    assert_true(open_file("/etc/link", O_RDONLY, 0) >= 0);
    assert_int_equal(open_file("/etc/passwd", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
    assert_int_equal(open_file("/etc", O_WRONLY, 0), -EISDIR);
    assert_int_equal(open_file("/etc/x/", O_CREAT | O_WRONLY, 0600), -EISDIR);
    assert_int_equal(open_file("/etc/passwd", O_CREAT | O_EXCL, 0600), -EEXIST);
}

static void test_long_link_chain(void **state)
{
    char target[16], name[32];
    assert_int_equal(CALL(symlink, STR("/etc/passwd"), STR("/tmp/l0")), 0);
    for (int i = 1; i < 45; i++) {
        snprintf(target, sizeof target, "l%d", i - 1);
        snprintf(name, sizeof name, "/tmp/l%d", i);
        assert_int_equal(CALL(symlink, STR(target), STR(name)), 0);
    }
    assert_true(open_file("/tmp/l39", O_RDONLY, 0) >= 0);
    assert_int_equal(open_file("/tmp/l40", O_RDONLY, 0), -ELOOP);
}

static void test_cwd(void **state)
{
    gaddr buf = fake_guest(fixture, 64);
    struct stat s;
    assert_int_equal(CALL(mkdir, STR("/tmp/d"), 0777), 0);
    assert_int_equal(CALL(chdir, STR("/tmp/d")), 0);
    assert_int_equal(CALL(getcwd, buf.va, 64), 7);
    assert_string_equal(fake_ptr(buf), "/tmp/d");
    assert_int_equal(CALL(getcwd, buf.va, 3), -ERANGE);
    assert_int_equal(stat_path("../../etc/passwd", &s), 0);
    assert_int_equal(CALL(rmdir, STR("/tmp/d")), 0);
    assert_int_equal(CALL(getcwd, buf.va, 64), -ENOENT);
    assert_int_equal(open_file("x", O_CREAT | O_WRONLY, 0600), -ENOENT);
    assert_int_equal(stat_path("..", &s), 0);
    assert_int_equal(CALL(chdir, STR("/etc/passwd")), -ENOTDIR);
}

static void test_overlay_names(void **state)
{
    struct stat s;
    assert_string_equal(list_dir("/"), "bin data dev etc hard1 hard2 proc sys tmp");
    assert_int_equal(CALL(unlink, STR("/etc/link")), 0);
    assert_int_equal(stat_path("/etc/link", &s), -ENOENT);
    assert_string_equal(list_dir("/etc"), "passwd");
    assert_int_equal(CALL(rmdir, STR("/etc")), -ENOTEMPTY);
    assert_int_equal(CALL(unlink, STR("/etc/passwd")), 0);
    assert_int_equal(CALL(rmdir, STR("/etc")), 0);
    assert_int_equal(CALL(mkdir, STR("/etc"), 0755), 0);
    assert_string_equal(list_dir("/etc"), ""); /* what was below stays hidden */
    assert_int_equal(CALL(rename, STR("/data"), STR("/etc/moved")), 0);
    assert_string_equal(list_dir("/etc/moved"), "seed");
    assert_int_equal(stat_path("/etc/moved", &s), 0);
    assert_int_equal(s.st_ino, 4);
    assert_int_equal(stat_path("/data", &s), -ENOENT);
    assert_string_equal(list_dir("/"), "bin dev etc hard1 hard2 proc sys tmp");
    assert_int_equal(CALL(rename, STR("/etc"), STR("/etc/moved/in")), -EINVAL);
    assert_int_equal(CALL(rename, STR("/etc/moved/seed"), STR("/etc")), -ENOTEMPTY);
}

static void test_hard_links(void **state)
{
    struct stat s;
    int fd = open_file("/hard1", O_RDWR, 0);
    assert_int_equal(pwrite_fd(fd, "HARD", 4, 0), 4);
    char got[4];
    int other = open_file("/hard2", O_RDONLY, 0);
    assert_int_equal(read_fd(other, got, 4), 4);
    assert_memory_equal(got, "HARD", 4);
    assert_int_equal(CALL(link, STR("/hard1"), STR("/tmp/h3")), 0);
    assert_int_equal(stat_path("/hard2", &s), 0);
    assert_int_equal(s.st_nlink, 3);
    assert_int_equal(CALL(unlink, STR("/hard1")), 0);
    assert_int_equal(CALL(unlink, STR("/hard2")), 0);
    assert_int_equal(stat_path("/tmp/h3", &s), 0);
    assert_int_equal(s.st_nlink, 1);
    assert_int_equal(s.st_ino, 9);
    assert_int_equal(CALL(unlink, STR("/tmp/h3")), 0);
    assert_int_equal(pread_fd(other, got, 4, 0), 4); /* still open */
    assert_int_equal(CALL(link, STR("/etc"), STR("/tmp/e")), -EPERM);
}

static void test_rename(void **state)
{
    struct stat s;
    CALL(close, (uint64_t)open_file("/tmp/a", O_CREAT | O_WRONLY, 0600));
    CALL(close, (uint64_t)open_file("/tmp/b", O_CREAT | O_WRONLY, 0600));
    const uint64_t at = (uint64_t)AT_FDCWD;
    stat_path("/tmp/a", &s);
    uint64_t ino = s.st_ino;
    assert_int_equal(CALL(renameat2, at, STR("/tmp/a"), at, STR("/tmp/b"), RENAME_NOREPLACE),
                     -EEXIST);
    assert_int_equal(CALL(renameat2, at, STR("/tmp/a"), at, STR("/tmp/b"), RENAME_EXCHANGE), 0);
    stat_path("/tmp/b", &s);
    assert_int_equal(s.st_ino, ino);
    assert_int_equal(CALL(rename, STR("/tmp/b"), STR("/tmp/a")), 0);
    assert_string_equal(list_dir("/tmp"), "a");
    assert_int_equal(CALL(rename, STR("/tmp/a"), STR("/tmp")), -ENOTEMPTY);
    assert_int_equal(CALL(mkdir, STR("/tmp/d"), 0700), 0);
    assert_int_equal(CALL(rename, STR("/tmp/a"), STR("/tmp/d")), -EISDIR);
    assert_int_equal(CALL(rename, STR("/tmp/d"), STR("/tmp/a")), -ENOTDIR);
    assert_int_equal(CALL(rename, STR("/tmp/d"), STR("/dev/d")), -EXDEV);
    assert_int_equal(CALL(rename, STR("/tmp/."), STR("/tmp/x")), -EBUSY);
    assert_int_equal(CALL(rename, STR("/tmp/none"), STR("/tmp/x")), -ENOENT);
    assert_int_equal(CALL(rmdir, STR("/tmp/.")), -EINVAL);
    assert_int_equal(CALL(rmdir, STR("/proc")), -EBUSY);
    assert_int_equal(CALL(unlink, STR("/tmp/d")), -EISDIR);
}

static void test_permissions(void **state)
{
    struct task *t = &fixture->task;
    assert_int_equal(CALL(mkdir, STR("/tmp/root"), 0700), 0);
    CALL(close, (uint64_t)open_file("/tmp/file", O_CREAT | O_WRONLY, 0640));
    fake_become(t, 1000, 1000);
    assert_int_equal(open_file("/tmp/root/x", O_CREAT | O_WRONLY, 0600), -EACCES);
    assert_int_equal(open_file("/etc/passwd", O_WRONLY, 0), -EACCES);
    assert_true(open_file("/etc/passwd", O_RDONLY, 0) >= 0);
    assert_int_equal(open_file("/etc/new", O_CREAT | O_WRONLY, 0600), -EACCES);
    assert_int_equal(CALL(unlink, STR("/tmp/file")), -EPERM); /* sticky */
    assert_int_equal(CALL(access, STR("/bin/sh"), 1), 0);
    assert_int_equal(CALL(access, STR("/etc/passwd"), 1), -EACCES);
    assert_int_equal(CALL(chmod, STR("/etc/passwd"), 0777), -EPERM);
    assert_int_equal(CALL(chown, STR("/etc/passwd"), 1000, -1u), -EPERM);
    assert_int_equal(CALL(mknod, STR("/tmp/dev"), ABI_S_IFCHR | 0600, 0x103), -EPERM);
    assert_int_equal(CALL(mknod, STR("/tmp/fifo"), ABI_S_IFIFO | 0600, 0), 0);
    assert_int_equal(CALL(chroot, STR("/tmp")), -EPERM);
    assert_int_equal(CALL(mount, 0, 0, 0, 0, 0), -EPERM);
}

static void test_umask_and_group(void **state)
{
    struct stat s;
    CALL(umask, 027);
    CALL(close, (uint64_t)open_file("/tmp/f", O_CREAT | O_WRONLY, 0666));
    stat_path("/tmp/f", &s);
    assert_int_equal(s.st_mode, ABI_S_IFREG | 0640);
    assert_int_equal(CALL(mkdir, STR("/tmp/g"), 0777), 0);
    assert_int_equal(CALL(chown, STR("/tmp/g"), -1u, 50), 0);
    assert_int_equal(CALL(chmod, STR("/tmp/g"), 02775), 0);
    assert_int_equal(CALL(mkdir, STR("/tmp/g/sub"), 0777), 0);
    stat_path("/tmp/g/sub", &s);
    assert_int_equal(s.st_gid, 50);
    assert_int_equal(s.st_mode, ABI_S_IFDIR | 02750);
}

static void test_listing_is_stable(void **state)
{
    char name[32];
    for (int i = 0; i < 700; i++) {
        snprintf(name, sizeof name, "/tmp/n%d", (i * 37) % 700);
        CALL(close, (uint64_t)open_file(name, O_CREAT | O_WRONLY, 0600));
    }
    /* Remove what was listed while listing: every name must come exactly once. */
    int fd = open_file("/tmp", O_RDONLY | O_DIRECTORY, 0);
    gaddr g = fake_guest(fixture, 512);
    int seen = 0;
    char last[32] = "";
    int64_t n;
    while ((n = CALL(getdents64, (uint64_t)fd, g.va, 512)) > 0) {
        for (int64_t at = 0; at < n;) {
            char *record = (char *)fake_ptr(g) + at;
            if (record[19] == 'n') {
                assert_true(strcmp(last, record + 19) < 0);
                strcpy(last, record + 19);
                snprintf(name, sizeof name, "/tmp/%.20s", last);
                assert_int_equal(CALL(unlink, STR(name)), 0);
                seen++;
            }
            at += *(uint16_t *)(record + 16);
        }
    }
    assert_int_equal(seen, 700);
    assert_string_equal(list_dir("/tmp"), "");
}

static void test_cached_path_allocates_little(void **state)
{
    struct stat s;
    uint64_t path = STR("/etc/passwd");
    gaddr buf = fake_guest(fixture, sizeof s);
    CALL(stat, path, buf.va);
    uint64_t before = fixture->allocations;
    CALL(stat, path, buf.va);
    assert_int_equal(fixture->allocations, before);
    int fd = (int)CALL(open, path, O_RDONLY, 0);
    CALL(close, (uint64_t)fd);
    before = fixture->allocations;
    fd = (int)CALL(open, path, O_RDONLY, 0);
    assert_true(fixture->allocations - before <= 2); /* the file object, its contents' head */
    before = fixture->allocations;
    CALL(read, (uint64_t)fd, buf.va, 11);
    CALL(fstat, (uint64_t)fd, buf.va);
    assert_int_equal(fixture->allocations, before);
}

static void test_name_cache_is_bounded(void **state)
{
    struct stat s;
    char name[32];
    for (uint32_t i = 0; i < DCACHE_UNUSED_MAX + 500; i++) {
        snprintf(name, sizeof name, "/tmp/none%u", i);
        uint64_t mark = fixture->guest_used;
        assert_int_equal(stat_path(name, &s), -ENOENT);
        fixture->guest_used = mark;
    }
    assert_true(fixture->m.vfs->dcache.unused <= DCACHE_UNUSED_MAX);
    assert_int_equal(stat_path("/etc/passwd", &s), 0);
}

static void test_restart(void **state)
{
    struct stat s;
    CALL(close, (uint64_t)open_file("/etc/kept", O_CREAT | O_WRONLY, 0600));
    CALL(close, (uint64_t)open_file("/dev/shm/gone", O_CREAT | O_WRONLY, 0600));
    fixture_restart(fixture);
    assert_int_equal(stat_path("/etc/kept", &s), 0);
    assert_int_equal(stat_path("/dev/shm/gone", &s), -ENOENT);
}

static void test_nothing_is_left(void **state)
{
    struct stat s;
    uint64_t before = 0;
    for (int round = 0; round < 4; round++) { /* the first one makes what is kept for good */
        CALL(mkdir, STR("/dev/shm/d"), 0700);
        int fd = open_file("/dev/shm/d/f", O_CREAT | O_RDWR, 0600);
        pwrite_fd(fd, "x", 1, 5000000);
        stat_path("/dev/shm/d/none", &s);
        CALL(symlink, STR("x"), STR("/dev/shm/l"));
        fixture_restart(fixture);
        assert_true(round == 0 || fixture->live == before);
        before = fixture->live;
    }
}

static void test_openat2(void **state)
{
    uint64_t how[3] = {O_RDONLY, 0, 0x08}; /* RESOLVE_BENEATH */
    gaddr g = fake_guest(fixture, sizeof how);
    int dir = open_file("/etc", O_RDONLY | O_DIRECTORY, 0);
    memcpy(fake_ptr(g), how, sizeof how);
    assert_true(CALL(openat2, (uint64_t)dir, STR("passwd"), g.va, 24) >= 0);
    assert_true(CALL(openat2, (uint64_t)dir, STR("link"), g.va, 24) >= 0);
    assert_int_equal(CALL(openat2, (uint64_t)dir, STR("../etc/passwd"), g.va, 24), -EXDEV);
    assert_int_equal(CALL(openat2, (uint64_t)dir, STR("/etc/passwd"), g.va, 24), -EXDEV);
    how[2] = 0x10; /* RESOLVE_IN_ROOT */
    memcpy(fake_ptr(g), how, sizeof how);
    assert_true(CALL(openat2, (uint64_t)dir, STR("/../passwd"), g.va, 24) >= 0);
    how[2] = 0x04; /* RESOLVE_NO_SYMLINKS */
    memcpy(fake_ptr(g), how, sizeof how);
    assert_int_equal(CALL(openat2, (uint64_t)dir, STR("link"), g.va, 24), -ELOOP);
    assert_int_equal(CALL(openat2, (uint64_t)dir, STR("passwd"), g.va, 8), -EINVAL);
}

static void test_tmpfile_and_o_path(void **state)
{
    struct stat s;
    gaddr buf = fake_guest(fixture, sizeof s);
    int fd = open_file("/tmp", __O_TMPFILE | O_DIRECTORY | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_fd(fd, "abc", 3), 3);
    assert_int_equal(CALL(fstat, (uint64_t)fd, buf.va), 0);
    assert_int_equal(((struct stat *)fake_ptr(buf))->st_nlink, 0);
    assert_string_equal(list_dir("/tmp"), "");
    assert_int_equal(
        CALL(linkat, (uint64_t)fd, STR(""), (uint64_t)AT_FDCWD, STR("/tmp/named"), AT_EMPTY_PATH),
        0);
    assert_int_equal(stat_path("/tmp/named", &s), 0);
    assert_int_equal(s.st_size, 3);
    int path = open_file("/etc/link", O_PATH | O_NOFOLLOW, 0);
    assert_int_equal(CALL(read, (uint64_t)path, buf.va, 1), -EBADF);
    assert_int_equal(CALL(readlinkat, (uint64_t)path, STR(""), buf.va, 64), 6);
    assert_memory_equal(fake_ptr(buf), "passwd", 6);
}

static void test_deep_removal_frees(void **state)
{
    char path[2100] = "/dev/shm";
    for (int i = 0; i < 1000; i++) {
        strcat(path, "/d");
        uint64_t mark = fixture->guest_used;
        assert_int_equal(CALL(mkdir, STR(path), 0700), 0);
        fixture->guest_used = mark;
    }
    fixture_restart(fixture); /* takes a deep tree apart without recursion */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_walk),
        T(test_long_link_chain),
        T(test_cwd),
        T(test_overlay_names),
        T(test_hard_links),
        T(test_rename),
        T(test_permissions),
        T(test_umask_and_group),
        T(test_listing_is_stable),
        T(test_cached_path_allocates_little),
        T(test_name_cache_is_bounded),
        T(test_restart),
        T(test_nothing_is_left),
        T(test_openat2),
        T(test_tmpfile_and_o_path),
        T(test_deep_removal_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
