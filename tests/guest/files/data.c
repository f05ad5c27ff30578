/* Contents, attributes, descriptors and locks (read(2), lseek(2), fallocate(2), fcntl(2), stat(2)).
 */
#include "guest_test.h"

#include <limits.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

/* In a way the compiler cannot see. */
static void *bad_address(void)
{
    static void *volatile address = (void *)8;
    return address;
}

TEST(offsets)
{
    char buf[16];
    int fd = guest_file_with("f", "0123456789");
    CHECK_EQ(read(fd, buf, 4), 4);
    CHECK_EQ(pread(fd, buf, 4, 8), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(lseek(fd, -2, SEEK_END), 8);
    CHECK_EQ(read(fd, buf, 16), 2);
    CHECK_EQ(read(fd, buf, 16), 0);
    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(lseek(fd, 0, 99), EINVAL);
    CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
    CHECK_EQ(read(fd, buf, 1), 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(pread(fd, buf, 1, 50), 1);
    CHECK_EQ(buf[0], 0);
    CHECK_ERR(pread(fd, buf, 1, -1), EINVAL);
    CHECK_ERR(pread(fd, bad_address(), 1, 0), EFAULT);
    CHECK_ERR(write(fd, bad_address(), 1), EFAULT);
    CHECK_ERR(read(999, buf, 1), EBADF);
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    CHECK_ERR(write(ro, "x", 1), EBADF);
    CHECK_ERR(read(wo, buf, 1), EBADF);
    CHECK_EQ(read(ro, buf, 0), 0);
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERR(lseek(fds[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERR(pread(fds[0], buf, 1, 0), ESPIPE);
}

TEST(append_and_vectors)
{
    char a[6] = "hello", b[7] = " world", buf[32];
    struct iovec v[2] = {{a, 5}, {b, 6}};
    int fd = open("f", O_RDWR | O_CREAT | O_APPEND, 0600);
    CHECK_EQ(writev(fd, v, 2), 11);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK_EQ(pwrite(fd, "?", 1, 0), 1); /* appends all the same: pwrite(2), BUGS */
    CHECK_EQ(pread(fd, buf, sizeof buf, 0), 13);
    CHECK(memcmp(buf, "hello world!?", 13) == 0);
    CHECK_EQ(preadv(fd, v, 2, 6), 7);
    CHECK(memcmp(a, "world", 5) == 0 && memcmp(b, "!?", 2) == 0);
    CHECK_ERR(syscall(SYS_readv, fd, v, -1), EINVAL);
    CHECK_ERR(syscall(SYS_readv, fd, v, IOV_MAX + 1), EINVAL);
    CHECK_EQ(readv(fd, v, 0), 0);
    v[1].iov_base = bad_address(); /* what comes before a bad address arrives */
    CHECK_EQ(preadv(fd, v, 2, 0), 5);
}

TEST(truncation)
{
    char buf[8];
    struct stat st;
    int fd = guest_file_with("f", "0123456789");
    CHECK_EQ(ftruncate(fd, 4), 0);
    CHECK_EQ(ftruncate(fd, 8), 0);
    CHECK_EQ(pread(fd, buf, 8, 0), 8);
    CHECK(memcmp(buf, "0123\0\0\0\0", 8) == 0);
    CHECK_EQ(truncate("f", 1 << 20), 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 1 << 20);
    CHECK_ERR(ftruncate(fd, -1), EINVAL);
    CHECK_ERR(truncate(".", 0), EISDIR);
    CHECK_ERR(truncate("none", 0), ENOENT);
    CHECK_ERR(ftruncate(open("f", O_RDONLY), 0), EINVAL);
    CHECK(open("f", O_WRONLY | O_TRUNC) >= 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 0 && st.st_blocks == 0);
}

TEST(holes)
{
    char page[4096], buf[16];
    struct stat st;
    memset(page, 'x', sizeof page);
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    CHECK_EQ(pwrite(fd, page, sizeof page, 1 << 20), sizeof page);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_EQ(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 4096);
    CHECK_ERR(lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
    CHECK(fstat(fd, &st) == 0 && st.st_blocks > 0 && st.st_blocks < 100);
    CHECK_EQ(pwrite(fd, page, sizeof page, 0), sizeof page);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 200) == 0) {
        CHECK_EQ(pread(fd, buf, 2, 99), 2);
        CHECK(buf[0] == 'x' && buf[1] == 0);
        CHECK_EQ(pread(fd, buf, 2, 299), 2);
        CHECK(buf[0] == 0 && buf[1] == 'x');
        CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    }
    CHECK_EQ(fallocate(fd, 0, 0, 4 << 20), 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 4 << 20 && st.st_blocks >= 8192);
    CHECK_EQ(pread(fd, buf, 1, 3 << 20), 1);
    CHECK_EQ(buf[0], 0);
    CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERR(fallocate(fd, 0, -1, 1), EINVAL);
}

TEST(shared_mapping)
{
    char buf[8];
    int fd = guest_file_with("f", "begin");
    CHECK_EQ(ftruncate(fd, 3 * 4096), 0);
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *q = mmap(NULL, 4 * 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && q != MAP_FAILED);
    CHECK(memcmp(q, "begin", 5) == 0);
    CHECK_EQ(q[2 * 4096], 0);
    memcpy(p + 4096, "mapped", 6);
    CHECK_EQ(pread(fd, buf, 6, 4096), 6);
    CHECK(memcmp(buf, "mapped", 6) == 0 && memcmp(q + 4096, "mapped", 6) == 0);
    CHECK_EQ(pwrite(fd, "written", 7, 2 * 4096), 7);
    CHECK(memcmp(q + 2 * 4096, "written", 7) == 0);
    CHECK_EQ(ftruncate(fd, 4 * 4096), 0); /* the mapping's last page comes into the file */
    CHECK_EQ(pwrite(fd, "grown", 5, 3 * 4096), 5);
    CHECK(memcmp(p + 3 * 4096, "grown", 5) == 0);
    CHECK_EQ(msync(p, 4096, MS_SYNC), 0);
    CHECK_EQ(unlink("f"), 0);
    CHECK_EQ(close(fd), 0);
    CHECK(memcmp(p, "begin", 5) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        p[0] = 'B';
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(q[0], 'B');
}

TEST(private_mapping)
{
    char buf[8];
    int fd = guest_file_with("f", "original");
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);
    p[0] = 'X';
    CHECK_EQ(pread(fd, buf, 8, 0), 8);
    CHECK(memcmp(buf, "original", 8) == 0);
    CHECK_ERR((long)mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, open("f", O_RDONLY), 0), EACCES);
    CHECK_EQ(p[100], 0);
}

TEST(attributes)
{
    struct stat st;
    struct timespec times[2] = {{100, 5}, {200, 7}};
    int fd = guest_file_with("f", "x");
    CHECK_EQ(fchmod(fd, 06751), 0);
    CHECK(fstat(fd, &st) == 0 && st.st_mode == (S_IFREG | 06751));
    if (geteuid() == 0) {
        CHECK_EQ(chown("f", 12, 34), 0);
        CHECK(stat("f", &st) == 0 && st.st_uid == 12 && st.st_gid == 34);
        CHECK_EQ(st.st_mode & 06000, 0);
    }
    CHECK_EQ(futimens(fd, times), 0);
    CHECK(stat("f", &st) == 0 && st.st_atim.tv_sec == 100 && st.st_mtim.tv_nsec == 7);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    CHECK_EQ(utimensat(AT_FDCWD, "f", times, 0), 0);
    CHECK(stat("f", &st) == 0 && st.st_atim.tv_sec == 100 && st.st_mtim.tv_sec > 1000000);
    CHECK(st.st_ctim.tv_sec >= st.st_mtim.tv_sec - 1);
    times[0].tv_nsec = 1000000000;
    CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
    umask(027);
    CHECK_EQ(mkdir("d", 0777), 0);
    CHECK(stat("d", &st) == 0 && st.st_mode == (S_IFDIR | 0750));
    struct statfs fs;
    CHECK(statfs(".", &fs) == 0 && fs.f_bsize > 0 && fs.f_namelen == 255);
    CHECK_ERR(fstatfs(999, &fs), EBADF);
}

TEST(descriptors)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    int copy = dup(fd);
    CHECK(copy > fd);
    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_DUPFD, 100), 100);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 100), 101);
    CHECK_EQ(dup2(fd, 100), 100);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_ERR(dup3(fd, fd, 0), EINVAL);
    CHECK_ERR(dup2(999, 3), EBADF);
    CHECK_ERR(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(fcntl(copy, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQ(fcntl(copy, F_GETFL) & O_ACCMODE, O_RDWR);
    CHECK_EQ(syscall(SYS_close_range, 100, 101, 0), 0);
    CHECK_ERR(close(100), EBADF);
    struct rlimit rl;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &rl), 0);
    rl.rlim_cur = (rlim_t)copy + 1;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
    while (dup(fd) >= 0) {
    }
    CHECK_ERR(dup(fd), EMFILE);
    CHECK_ERR(open("new", O_CREAT | O_WRONLY, 0600), EMFILE);
    CHECK_ERR(access("new", F_OK), ENOENT);
    CHECK_EQ(close(copy), 0);
    CHECK_EQ(dup(fd), copy);
}

TEST(file_size_limit)
{
    struct rlimit rl = {10, 10};
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &rl), 0);
    CHECK_EQ(write(fd, "0123456789abc", 13), 10);
    CHECK_ERR(write(fd, "x", 1), EFBIG);
    CHECK_ERR(ftruncate(fd, 11), EFBIG);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_DFL);
        ssize_t ignored = write(fd, "x", 1);
        (void)ignored;
        _exit(0);
    }
    CHECK_KILLED(pid, SIGXFSZ);
}

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
    struct flock l = {.l_type = (short)type, .l_start = start, .l_len = len};
    int r = fcntl(fd, cmd, &l);
    return cmd == F_GETLK && r == 0 ? l.l_type : r;
}

TEST(record_locks)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600), ready[2], go[2];
    char c = 0;
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 10, 10), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(lock(fd, F_GETLK, F_RDLCK, 0, 0), F_WRLCK);
        CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 15, 1), EAGAIN);
        CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        CHECK_EQ(lock(fd, F_SETLKW, F_WRLCK, 10, 1), 0); /* until the parent lets go */
        _exit(7);
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
    guest_nap(GUEST_NAP_MS);
    CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 5, 1), EDEADLK);
    CHECK_EQ(close(open("f", O_RDONLY)), 0); /* any close ends the process's locks */
    CHECK_EXIT(pid, 7);
    CHECK_ERR(lock(open("f", O_RDONLY), F_SETLK, F_WRLCK, 0, 1), EBADF);
}

TEST(flock_and_ofd)
{
    int a = open("f", O_CREAT | O_RDWR, 0600), b = open("f", O_RDWR);
    CHECK_EQ(flock(a, LOCK_EX), 0);
    CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK_EQ(flock(dup(a), LOCK_SH), 0);
    CHECK_EQ(flock(b, LOCK_SH | LOCK_NB), 0);
    CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_EQ(flock(b, LOCK_UN), 0);
    CHECK_ERR(flock(b, 77), EINVAL);
    struct flock l = {.l_type = F_WRLCK};
    CHECK_EQ(fcntl(a, F_OFD_SETLK, &l), 0);
    CHECK_ERR(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
    CHECK_EQ(fcntl(b, F_OFD_GETLK, &l), 0);
    CHECK(l.l_type == F_WRLCK && l.l_pid == -1);
    CHECK_EQ(close(a), 0);
}

TEST(extended_attributes)
{
    char buf[64];
    int fd = guest_file_with("f", "");
    if (fsetxattr(fd, "user.a", "1", 1, 0) && errno == EOPNOTSUPP) {
        SKIP("no user attributes here");
    }
    CHECK_EQ(getxattr("f", "user.a", buf, sizeof buf), 1);
    CHECK_EQ(getxattr("f", "user.a", NULL, 0), 1);
    CHECK_ERR(getxattr("f", "user.none", buf, sizeof buf), ENODATA);
    CHECK_ERR(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
    CHECK_ERR(setxattr("f", "user.b", "2", 1, XATTR_REPLACE), ENODATA);
    CHECK_EQ(setxattr("f", "user.b", "long value", 10, 0), 0);
    CHECK_ERR(getxattr("f", "user.b", buf, 3), ERANGE);
    CHECK(listxattr("f", buf, sizeof buf) >= 14);
    CHECK_EQ(removexattr("f", "user.a"), 0);
    CHECK_ERR(removexattr("f", "user.a"), ENODATA);
    CHECK_ERR(getxattr("f", "nonsense", buf, sizeof buf), EOPNOTSUPP);
}

TEST(syncs)
{
    int fd = guest_file_with("f", "data"), dir = open(".", O_RDONLY), fds[2];
    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(fdatasync(fd), 0);
    CHECK_EQ(fsync(dir), 0);
    CHECK_EQ(syncfs(fd), 0);
    CHECK_EQ(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERR(fsync(fds[0]), EINVAL);
    CHECK_ERR(fsync(999), EBADF);
    CHECK_ERR(sync_file_range(fds[1], 0, 0, 0), ESPIPE);
    int s = open("s", O_CREAT | O_WRONLY | O_SYNC, 0600);
    CHECK_EQ(write(s, "x", 1), 1);
}

TEST(directory_watch)
{
    char buf[1024] __attribute__((aligned(8)));
    int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(in >= 0);
    int wd =
        inotify_add_watch(in, ".", IN_CREATE | IN_MODIFY | IN_MOVE | IN_DELETE | IN_CLOSE_WRITE);
    CHECK_EQ(wd, 1);
    CHECK_ERR(read(in, buf, sizeof buf), EAGAIN);
    int fd = open("a", O_CREAT | O_WRONLY, 0600);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(close(fd), 0);
    CHECK(rename("a", "b") == 0 && unlink("b") == 0);
    static const uint32_t expected[] = {IN_CREATE,     IN_MODIFY,   IN_CLOSE_WRITE,
                                        IN_MOVED_FROM, IN_MOVED_TO, IN_DELETE};
    ssize_t n = read(in, buf, sizeof buf), at = 0;
    for (size_t i = 0; i < COUNT(expected); i++) {
        const struct inotify_event *e = (const struct inotify_event *)(buf + at);
        CHECK(at < n && e->wd == wd);
        CHECK_EQ(e->mask, expected[i]);
        at += (ssize_t)(sizeof *e + e->len);
    }
    CHECK_EQ(at, n);
    CHECK_EQ(inotify_rm_watch(in, wd), 0);
    CHECK_ERR(inotify_rm_watch(in, wd), EINVAL);
}

TEST(memfd)
{
    int fd = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    CHECK_ERR(ftruncate(fd, 1), EPERM);
    CHECK_ERR(write(fd, "d", 1), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_EQ(munmap(p, 4096), 0);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
}

TEST(descriptor_ioctls)
{
    int n = -1, fd = guest_file_with("f", "12345"), on = 1;
    CHECK(ioctl(fd, FIONREAD, &n) == 0 && n == 5);
    CHECK(ioctl(fd, FIOCLEX) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(ioctl(fd, FIONCLEX) == 0 && fcntl(fd, F_GETFD) == 0);
    CHECK(ioctl(fd, FIONBIO, &on) == 0 && fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(!isatty(fd) && errno == ENOTTY);
    CHECK_ERR(ioctl(999, FIOCLEX), EBADF);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(offsets),         ENTRY(append_and_vectors),
        ENTRY(truncation),      ENTRY(holes),
        ENTRY(shared_mapping),  ENTRY(private_mapping),
        ENTRY(attributes),      ENTRY(descriptors),
        ENTRY(file_size_limit), ENTRY(record_locks),
        ENTRY(flock_and_ofd),   ENTRY(extended_attributes),
        ENTRY(syncs),           ENTRY(directory_watch),
        ENTRY(memfd),           ENTRY(descriptor_ioctls),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
