/* Contents: reading and writing over the image, holes, limits, mappings, durability; descriptors
 * and locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/xattr.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "kernel/signal/signal.h"
#include "kernel/vfs/durable.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/locks.h"
#include "kernel/vfs/mapping.h"
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

static struct inode *inode_of(int fd)
{
    return fd_file(&fixture->task, fd)->inode;
}

static void test_copy_on_write(void **state)
{
    static unsigned char got[SH_BYTES + 100];
    int fd = open_file("/bin/sh", O_RDWR, 0);
    assert_int_equal(pread_fd(fd, got, sizeof got, 0), SH_BYTES);
    for (uint32_t i = 0; i < SH_BYTES; i++) {
        assert_int_equal(got[i], image_sh_byte(i));
    }
    assert_int_equal(pwrite_fd(fd, "XYZ", 3, 5000), 3);
    assert_int_equal(pread_fd(fd, got, sizeof got, 0), SH_BYTES);
    for (uint32_t i = 0; i < SH_BYTES; i++) {
        assert_int_equal(got[i], i >= 5000 && i < 5003 ? "XYZ"[i - 5000] : image_sh_byte(i));
    }
    assert_int_equal(filedata_blocks(inode_of(fd)->data), 24);
    assert_int_equal(CALL(ftruncate, (uint64_t)fd, 4100), 0);
    assert_int_equal(CALL(ftruncate, (uint64_t)fd, 9000), 0);
    assert_int_equal(pread_fd(fd, got, sizeof got, 0), 9000);
    for (uint32_t i = 0; i < 9000; i++) {
        assert_int_equal(got[i], i < 4100 ? image_sh_byte(i) : 0);
    }
}

/* Random reads, writes, truncations and punches against a flat model. */
static void run_model(uint64_t seed)
{
    enum { MAX = 3 << 20 };
    unsigned char *model = calloc(1, MAX), *buf = malloc(MAX);
    uint64_t size = SH_BYTES;
    struct stream s;
    stream_init(&s, seed, 1, 0);
    int fd = open_file("/bin/sh", O_RDWR, 0);
    for (uint32_t i = 0; i < SH_BYTES; i++) {
        model[i] = image_sh_byte(i);
    }
    for (int step = 0; step < 150; step++) {
        uint64_t mark = fixture->guest_used;
        uint64_t off = stream_below(&s, stream_below(&s, 2) ? MAX / 2 : 20000);
        uint64_t len = stream_below(&s, stream_below(&s, 3) ? 9000 : 700000);
        switch (stream_below(&s, 5)) {
        case 0:
        case 1:
            for (uint64_t i = 0; i < len; i++) {
                buf[i] = (unsigned char)(step + i);
            }
            assert_int_equal(pwrite_fd(fd, buf, len, off), len);
            memcpy(model + off, buf, len);
            size = max_u64(size, len ? off + len : 0);
            break;
        case 2:
            assert_int_equal(CALL(ftruncate, (uint64_t)fd, off), 0);
            memset(model + min_u64(size, off), 0, MAX - min_u64(size, off));
            size = off;
            break;
        case 3:
            if (len && off < size) {
                assert_int_equal(CALL(fallocate, (uint64_t)fd,
                                      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len),
                                 0);
                memset(model + off, 0, min_u64(len, size - off));
            }
            break;
        default:
            break;
        }
        assert_int_equal(inode_of(fd)->size, size);
        assert_int_equal(pread_fd(fd, buf, MAX, 0), size);
        if (memcmp(buf, model, size)) {
            fail_msg("contents differ: seed %lu step %d", seed, step);
        }
        fixture->guest_used = mark;
    }
    free(model);
    free(buf);
    CALL(close, (uint64_t)fd);
}

static void test_against_model(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run_model(seed);
        fixture_destroy(fixture);
        *state = fixture_create();
    }
}

static void test_holes(void **state)
{
    int fd = open_file("/tmp/sparse", O_CREAT | O_RDWR, 0600);
    assert_int_equal(pwrite_fd(fd, "a", 1, 1ull << 40), 1);
    assert_int_equal(filedata_blocks(inode_of(fd)->data), 8);
    assert_int_equal(CALL(lseek, (uint64_t)fd, 0, SEEK_DATA), 1ll << 40);
    assert_int_equal(CALL(lseek, (uint64_t)fd, 0, SEEK_HOLE), 0);
    assert_int_equal(CALL(lseek, (uint64_t)fd, 1ull << 40, SEEK_HOLE), (1ll << 40) + 1);
    assert_int_equal(CALL(lseek, (uint64_t)fd, (1ull << 40) + 1, SEEK_DATA), -ENXIO);
    assert_int_equal(CALL(lseek, (uint64_t)fd, -1ull, SEEK_SET), -EINVAL);
    char byte = 1;
    assert_int_equal(pread_fd(fd, &byte, 1, 12345), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(CALL(fallocate, (uint64_t)fd, 0, 0, 1 << 20), 0);
    assert_int_equal(filedata_blocks(inode_of(fd)->data), 8 + 2048);
    assert_int_equal(CALL(fallocate, (uint64_t)fd, 0, 0, 1ull << 50), -ENOSPC);
}

static void test_size_limit(void **state)
{
    fixture_destroy(fixture);
    const struct fixture_mount mounts[] = {
        {.kind = PLAN_MOUNT_TMPFS, .target = "/mnt/small", .size_bytes = 8 * 4096}};
    *state = fixture_create_with(mounts, 1, 0);
    static char block[16 * 4096];
    int fd = open_file("/mnt/small/f", O_CREAT | O_RDWR, 0600);
    assert_int_equal(write_fd(fd, block, sizeof block), 8 * 4096);
    assert_int_equal(write_fd(fd, block, 1), -ENOSPC);
    assert_int_equal(CALL(ftruncate, (uint64_t)fd, 4096), 0);
    assert_int_equal(CALL(lseek, (uint64_t)fd, 0, SEEK_END), 4096);
    assert_int_equal(write_fd(fd, block, 4096), 4096);
    CALL(close, (uint64_t)fd);
    assert_int_equal(CALL(unlink, STR("/mnt/small/f")), 0);
    fd = open_file("/mnt/small/g", O_CREAT | O_RDWR, 0600);
    assert_int_equal(write_fd(fd, block, sizeof block), 8 * 4096);
}

static void test_volume(void **state)
{
    fixture_destroy(fixture);
    const struct fixture_mount mounts[] = {
        {.kind = PLAN_MOUNT_VOLUME, .source = 0, .target = "/data"},
        {.kind = PLAN_MOUNT_VOLUME, .source = 1, .target = "/fresh/deep"},
        {.kind = PLAN_MOUNT_PACK, .source = 0, .target = "/ro", .subpath = "etc", .read_only = 1},
        {.kind = PLAN_MOUNT_PACK, .source = 0, .target = "/bin/tool", .subpath = "etc/passwd"}};
    *state = fixture_create_with(mounts, 4, 2);
    struct stat s;
    assert_string_equal(list_dir("/data"), "seed");
    stat_path("/data", &s);
    assert_int_equal(s.st_uid, 7);
    assert_int_equal(s.st_mode, ABI_S_IFDIR | 0750);
    CALL(close, (uint64_t)open_file("/data/new", O_CREAT | O_WRONLY, 0600));
    CALL(close, (uint64_t)open_file("/fresh/deep/x", O_CREAT | O_WRONLY, 0600));
    assert_int_equal(open_file("/ro/new", O_CREAT | O_WRONLY, 0600), -EROFS);
    assert_int_equal(open_file("/ro/passwd", O_RDWR, 0), -EROFS);
    assert_int_equal(CALL(unlink, STR("/ro/passwd")), -EROFS);
    assert_int_equal(CALL(access, STR("/ro/passwd"), 2), -EROFS);
    stat_path("/bin/tool", &s);
    assert_int_equal(s.st_size, 11);
    fixture_restart(fixture);
    assert_string_equal(list_dir("/data"), "new seed");
    assert_string_equal(list_dir("/fresh/deep"), "x");
}

static void test_mapping_coherence(void **state)
{
    int fd = open_file("/tmp/m", O_CREAT | O_RDWR, 0600);
    struct inode *i = inode_of(fd);
    struct machine *m = &fixture->m;
    assert_int_equal(pwrite_fd(fd, "begin", 5, 0), 5);
    CALL(ftruncate, (uint64_t)fd, 3 * 4096 + 10);
    inode_map_shared(i);
    struct page_run r = inode_page_run(m, i, 0, 100, true, false);
    assert_int_equal(r.store, PAGES_DATA);
    assert_int_equal(r.pages, 4);
    unsigned char *p = m->port->data_base + r.offset;
    assert_memory_equal(p, "begin", 5);
    assert_int_equal(pwrite_fd(fd, "later", 5, 2 * 4096), 5); /* a hole when it was mapped */
    assert_memory_equal(p + 2 * 4096, "later", 5);
    r = inode_page_run(m, i, 1, 1, true, true);
    memcpy(m->port->data_base + r.offset, "mapped", 6);
    char got[6];
    assert_int_equal(pread_fd(fd, got, 6, 4096), 6);
    assert_memory_equal(got, "mapped", 6);
    assert_true(inode_page_run(m, i, 4, 1, true, false).beyond_end);
    /* Scribbling behind the end must not show when the file grows. */
    r = inode_page_run(m, i, 3, 1, true, true);
    memset(m->port->data_base + r.offset, 'z', 4096);
    CALL(ftruncate, (uint64_t)fd, 5 * 4096);
    assert_int_equal(pread_fd(fd, got, 2, 3 * 4096 + 9), 2);
    assert_int_equal(got[0], 'z');
    assert_int_equal(got[1], 0);
    inode_unmap_shared(i);
    /* The image's pages are shown in place until somebody writes. */
    int sh = open_file("/bin/sh", O_RDONLY, 0);
    r = inode_page_run(m, inode_of(sh), 1, 100, true, false);
    assert_int_equal(r.store, PAGES_PACK);
    assert_int_equal(r.pack_file, 1);
    assert_int_equal(r.offset, 4096);
    assert_int_equal(r.pages, 2);
}

static void count_page(void *ctx, uint64_t pgoff)
{
    (*(uint32_t *)ctx)++;
}

static uint32_t unsynced(int fd)
{
    uint32_t n = 0;
    filedata_for_unsynced(inode_of(fd)->data, count_page, &n);
    assert_int_equal(n, inode_of(fd)->data->unsynced_pages);
    return n;
}

static void test_durability_record(void **state)
{
    struct vfs *vfs = fixture->m.vfs;
    CALL(sync, 0);
    assert_true(list_empty(&vfs->dir_ops));
    int fd = open_file("/data/db", O_CREAT | O_RDWR, 0600);
    static char block[3 * 4096];
    write_fd(fd, block, sizeof block);
    assert_int_equal(unsynced(fd), 3);
    assert_int_equal(inode_of(fd)->data->synced_size, 0);
    assert_int_equal(vfs->dir_op_count, 1);
    vtime before = fixture->m.clock.now;
    assert_int_equal(CALL(fsync, (uint64_t)fd), 0);
    assert_int_equal(fixture->m.clock.now - before, SYNC_BASE_NS + SYNC_PER_MIB_NS);
    assert_int_equal(unsynced(fd), 0);
    assert_int_equal(inode_of(fd)->data->synced_size, sizeof block);
    assert_int_equal(vfs->dir_op_count, 1); /* the name is not durable yet */
    int dir = open_file("/data", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(CALL(rename, STR("/data/db"), STR("/etc/db")), 0);
    assert_int_equal(CALL(fsync, (uint64_t)dir), 0);
    assert_int_equal(vfs->dir_op_count, 1); /* the rename belongs to /etc */
    struct dir_op *op = list_first_entry(&vfs->dir_ops, struct dir_op, link);
    assert_int_equal(op->kind, DIR_OP_RENAME);
    assert_memory_equal(op->names, "dbdb", 4);
    pwrite_fd(fd, "x", 1, 4096);
    assert_int_equal(unsynced(fd), 1);
    assert_int_equal(CALL(syncfs, (uint64_t)fd), 0);
    assert_int_equal(unsynced(fd), 0);
    assert_int_equal(vfs->dir_op_count, 0);
    /* Five seconds later the file system has committed by itself. */
    CALL(mkdir, STR("/etc/one"), 0700);
    fake_advance(fixture, DURABLE_COMMIT_NS);
    CALL(mkdir, STR("/etc/two"), 0700);
    assert_int_equal(vfs->dir_op_count, 1);
    /* O_DSYNC writes are durable when they return. */
    int sync_fd = open_file("/data/log", O_CREAT | O_WRONLY | O_DSYNC, 0600);
    before = fixture->m.clock.now;
    assert_int_equal(write_fd(sync_fd, "abc", 3), 3);
    assert_true(fixture->m.clock.now > before);
    assert_int_equal(unsynced(sync_fd), 0);
}

static void test_limits_and_signals(void **state)
{
    int fd = open_file("/tmp/l", O_CREAT | O_RDWR, 0600);
    fixture->process.rlimits[1].soft = 10;
    assert_int_equal(write_fd(fd, "0123456789abc", 13), 10);
    assert_int_equal(write_fd(fd, "x", 1), -EFBIG);
    assert_int_equal(fixture->last_signal, SIGNAL_XFSZ);
    assert_int_equal(CALL(ftruncate, (uint64_t)fd, 11), -EFBIG);
    assert_int_equal(CALL(read, (uint64_t)fd, 8, 1), 0); /* at the end nothing is copied */
    assert_int_equal(CALL(pread64, (uint64_t)fd, 8, 1, 0), -EFAULT);
    assert_int_equal(CALL(read, 99, 8, 1), -EBADF);
    int ro = open_file("/etc/passwd", O_RDONLY, 0);
    assert_int_equal(write_fd(ro, "x", 1), -EBADF);
    assert_int_equal(CALL(fallocate, (uint64_t)ro, 0, 0, 10), -EBADF);
    assert_int_equal(CALL(ftruncate, (uint64_t)ro, 0), -EINVAL);
    int dir = open_file("/etc", O_RDONLY, 0);
    assert_int_equal(CALL(read, (uint64_t)dir, fake_guest(fixture, 8).va, 8), -EISDIR);
    assert_int_equal(CALL(getdents64, (uint64_t)ro, fake_guest(fixture, 8).va, 8), -ENOTDIR);
}

static void test_vectors_and_append(void **state)
{
    int fd = open_file("/tmp/v", O_CREAT | O_RDWR, 0600);
    gaddr text = fake_guest_str(fixture, "hello world");
    uint64_t iov[4] = {text.va, 5, text.va + 5, 6};
    gaddr v = fake_guest(fixture, sizeof iov);
    memcpy(fake_ptr(v), iov, sizeof iov);
    assert_int_equal(CALL(writev, (uint64_t)fd, v.va, 2), 11);
    assert_int_equal(CALL(preadv, (uint64_t)fd, v.va, 2, 6), 5);
    assert_memory_equal(fake_ptr(text), "world", 5);
    assert_int_equal(CALL(pwritev2, (uint64_t)fd, v.va, 1, 0, 0, RWF_APPEND), 5);
    assert_int_equal(inode_of(fd)->size, 16);
    assert_int_equal(CALL(preadv2, (uint64_t)fd, v.va, 1, 0, 0, 0x8000), -EOPNOTSUPP);
    assert_int_equal(CALL(readv, (uint64_t)fd, v.va, 1025), -EINVAL);
    CALL(fcntl, (uint64_t)fd, F_SETFL, O_APPEND);
    assert_int_equal(pwrite_fd(fd, "!", 1, 0), 1); /* appends, as Linux does */
    assert_int_equal(inode_of(fd)->size, 17);
}

static void test_descriptors(void **state)
{
    int a = open_file("/etc/passwd", O_RDONLY, 0);
    assert_int_equal(a, 0);
    assert_int_equal(CALL(dup, 0), 1);
    assert_int_equal(CALL(dup2, 0, 7), 7);
    assert_int_equal(CALL(dup, 0), 2);
    assert_int_equal(CALL(dup3, 0, 0, 0), -EINVAL);
    assert_int_equal(CALL(dup2, 0, 0), 0);
    assert_int_equal(CALL(dup2, 50, 51), -EBADF);
    assert_int_equal(CALL(dup2, 0, 5000), -EBADF);
    assert_int_equal(CALL(fcntl, 0, F_DUPFD, 5), 5);
    assert_int_equal(CALL(fcntl, 0, F_DUPFD_CLOEXEC, 5), 6);
    assert_int_equal(CALL(fcntl, 6, F_GETFD, 0), 1);
    assert_int_equal(CALL(close, 1), 0);
    assert_int_equal(CALL(close, 1), -EBADF);
    assert_int_equal(open_file("/etc/passwd", O_RDONLY | O_CLOEXEC, 0), 1);
    fd_table_close_on_exec(&fixture->task, fixture->task.fds);
    assert_null(fd_file(&fixture->task, 1));
    assert_null(fd_file(&fixture->task, 6));
    assert_int_equal(CALL(close_range, 2, ~0u, 0), 0);
    assert_int_equal(CALL(fcntl, 5, F_GETFD, 0), -EBADF);
    fixture->process.rlimits[7].soft = 3;
    assert_int_equal(CALL(dup, 0), 1);
    assert_int_equal(CALL(dup, 0), 2);
    assert_int_equal(CALL(dup, 0), -EMFILE);
    assert_int_equal(open_file("/tmp/none", O_CREAT | O_WRONLY, 0600), -EMFILE);
    assert_int_equal(CALL(access, STR("/tmp/none"), 0), -ENOENT);
    char got[5];
    assert_int_equal(read_fd(0, got, 4), 4); /* the offset is shared */
    assert_int_equal(CALL(lseek, 2, 0, SEEK_CUR), 4);
}

struct flock64_abi {
    int16_t type, whence;
    int64_t start, len;
    int32_t pid;
};

static int64_t lock(int fd, uint64_t cmd, int type, int64_t start, int64_t len)
{
    struct flock64_abi l = {.type = (int16_t)type, .start = start, .len = len};
    gaddr g = fake_guest(fixture, sizeof l);
    memcpy(fake_ptr(g), &l, sizeof l);
    int64_t r = CALL(fcntl, (uint64_t)fd, cmd, g.va);
    return cmd == F_GETLK && !r ? ((struct flock64_abi *)fake_ptr(g))->type : r;
}

static void count_lock(void *ctx, const struct lock_request *l)
{
    (*(uint32_t *)ctx)++;
}

static uint32_t lock_count(int fd)
{
    uint32_t n = 0;
    locks_for_each(inode_of(fd), count_lock, &n);
    return n;
}

static void test_locks(void **state)
{
    struct task *a = &fixture->task, *b = fake_task_create(fixture);
    int fd = open_file("/tmp/lock", O_CREAT | O_RDWR, 0600);
    b->fds = fd_table_copy(&fixture->m, a->fds);
    b->fs = a->fs;
    assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 0, 100), 0);
    assert_int_equal(lock(fd, F_SETLK, F_UNLCK, 40, 20), 0);
    assert_int_equal(lock_count(fd), 2);
    fake_task_switch(fixture, b);
    assert_int_equal(lock(fd, F_SETLK, F_RDLCK, 10, 1), -EAGAIN);
    assert_int_equal(lock(fd, F_GETLK, F_RDLCK, 10, 1), F_WRLCK);
    assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 40, 20), 0);
    assert_int_equal(lock(fd, F_SETLKW, F_WRLCK, 0, 10), FAKE_BLOCKED);
    b->state = TASK_BLOCKED;
    fake_task_switch(fixture, a);
    assert_int_equal(lock(fd, F_SETLKW, F_WRLCK, 45, 1), -EDEADLK);
    assert_int_equal(lock(fd, F_SETLK, F_RDLCK, 0, 40), 0);
    assert_int_equal(lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
    assert_int_equal(lock_count(fd), 1);
    fake_task_switch(fixture, b);
    b->state = TASK_RUNNABLE;
    assert_int_equal(lock(fd, F_SETLK, F_WRLCK, 0, 40), 0);
    assert_int_equal(lock_count(fd), 1); /* merged with its neighbour */
    fd_table_put(b, b->fds);
    fake_task_switch(fixture, a);
    assert_int_equal(lock_count(fd), 0);
    int other = open_file("/tmp/lock", O_RDWR, 0);
    assert_int_equal(CALL(flock, (uint64_t)fd, 2), 0);
    assert_int_equal(CALL(flock, (uint64_t)other, 2 | 4), -EAGAIN);
    assert_int_equal(CALL(flock, (uint64_t)other, 1), FAKE_BLOCKED);
    assert_int_equal(CALL(close, (uint64_t)fd), 0);
    assert_int_equal(CALL(flock, (uint64_t)other, 1), 0);
    assert_int_equal(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0), 0); /* flock does not see it */
    CALL(close, (uint64_t)other);
}

static void test_xattrs(void **state)
{
    uint64_t path = STR("/etc/passwd"), name = STR("user.k"), value = STR("val");
    gaddr buf = fake_guest(fixture, 64);
    assert_int_equal(CALL(getxattr, path, name, buf.va, 64), -ENODATA);
    assert_int_equal(CALL(setxattr, path, name, value, 3, XATTR_REPLACE), -ENODATA);
    assert_int_equal(CALL(setxattr, path, name, value, 3, 0), 0);
    assert_int_equal(CALL(setxattr, path, name, value, 3, XATTR_CREATE), -EEXIST);
    assert_int_equal(CALL(getxattr, path, name, buf.va, 2), -ERANGE);
    assert_int_equal(CALL(getxattr, path, name, buf.va, 64), 3);
    assert_int_equal(CALL(listxattr, path, buf.va, 64), 7);
    assert_string_equal(fake_ptr(buf), "user.k");
    assert_int_equal(CALL(removexattr, path, name), 0);
    assert_int_equal(CALL(listxattr, path, buf.va, 0), 0);
    assert_int_equal(CALL(getxattr, path, STR("system.posix_acl_access"), buf.va, 64), -EOPNOTSUPP);
    assert_int_equal(CALL(getxattr, path, STR("nonsense"), buf.va, 64), -EOPNOTSUPP);
}

static void test_memfd(void **state)
{
    struct stat s;
    gaddr buf = fake_guest(fixture, sizeof s);
    char text[64];
    int fd = (int)CALL(memfd_create, STR("heap"), 2);
    assert_int_equal(write_fd(fd, "abcdef", 6), 6);
    assert_int_equal(CALL(fcntl, (uint64_t)fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_int_equal(CALL(ftruncate, (uint64_t)fd, 3), -EPERM);
    assert_int_equal(CALL(ftruncate, (uint64_t)fd, 30), -EPERM);
    assert_int_equal(write_fd(fd, "g", 1), -EPERM);
    assert_int_equal(pwrite_fd(fd, "A", 1, 0), 1);
    assert_int_equal(CALL(fcntl, (uint64_t)fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    assert_int_equal(pwrite_fd(fd, "A", 1, 0), -EPERM);
    assert_int_equal(CALL(fcntl, (uint64_t)fd, F_GET_SEALS, 0),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_int_equal(CALL(fstat, (uint64_t)fd, buf.va), 0);
    assert_int_equal(((struct stat *)fake_ptr(buf))->st_size, 6);
    struct file *f = fd_file(&fixture->task, fd);
    assert_true(vfs_file_string(&fixture->task, f, text, sizeof text) > 0);
    assert_string_equal(text, "/memfd:heap (deleted)");
}

struct seen {
    char text[256];
};

static void note_name(void *ctx, const char *name, const struct attr *a)
{
    struct seen *s = ctx;
    strcat(strcat(s->text, name), " ");
}

static void test_kernel_access(void **state)
{
    struct seen s = {{0}};
    struct node *n = &fixture->node;
    char got[16] = {0};
    struct file *f;
    assert_int_equal(vfs_node_write_file(n, "/opt/a/b/c.txt", "text", 4, 0640), 0);
    assert_int_equal(vfs_node_write_file(n, "/opt/a/b/c.txt", "new", 3, 0640), 0);
    assert_int_equal(vfs_node_open(n, "/opt/a/b/c.txt", O_RDONLY, 0, &f), 0);
    assert_int_equal(file_read_kernel(f, got, sizeof got, 0), 3);
    assert_string_equal(got, "new");
    file_put(f);
    assert_int_equal(vfs_node_list(n, "/", note_name, &s), 0);
    assert_string_equal(s.text, "bin data dev etc hard1 hard2 opt proc sys tmp ");
    assert_int_equal(vfs_node_list(n, "/none", note_name, &s), -ENOENT);
}

static void test_inotify(void **state)
{
    unsigned char buf[512];
    int in = (int)CALL(inotify_init1, O_NONBLOCK);
    int wd = (int)CALL(inotify_add_watch, (uint64_t)in, STR("/tmp"), 0xfff);
    assert_int_equal(wd, 1);
    CALL(close, (uint64_t)open_file("/tmp/seen", O_CREAT | O_WRONLY, 0600));
    CALL(rename, STR("/tmp/seen"), STR("/tmp/moved"));
    CALL(unlink, STR("/tmp/moved"));
    int64_t n = read_fd(in, buf, sizeof buf);
    static const uint32_t expected[] = {0x100, 0x20, 0x8, 0x40, 0x80, 0x200};
    int64_t at = 0;
    for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
        uint32_t head[4];
        memcpy(head, buf + at, sizeof head);
        assert_int_equal(head[1], expected[i]);
        at += 16 + head[3];
    }
    assert_int_equal(at, n);
    assert_int_equal(read_fd(in, buf, sizeof buf), -EAGAIN);
    assert_int_equal(CALL(inotify_rm_watch, (uint64_t)in, 1), 0);
    assert_int_equal(CALL(inotify_rm_watch, (uint64_t)in, 1), -EINVAL);
    CALL(close, (uint64_t)in);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_copy_on_write),
        T(test_against_model),
        T(test_holes),
        T(test_size_limit),
        T(test_volume),
        T(test_mapping_coherence),
        T(test_durability_record),
        T(test_limits_and_signals),
        T(test_vectors_and_append),
        T(test_descriptors),
        T(test_locks),
        T(test_xattrs),
        T(test_memfd),
        T(test_kernel_access),
        T(test_inotify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
