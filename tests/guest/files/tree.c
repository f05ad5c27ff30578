/* The tree of names: creating, removing, renaming, links, listing (path_resolution(7), rename(2)).
 */
#include "guest_test.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static void make_file(const char *name, const char *text)
{
    int fd = guest_file_with(name, text);
    CHECK_EQ(close(fd), 0);
}

static bool exists(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

TEST(walk)
{
    struct stat st;
    CHECK_EQ(mkdir("d", 0755), 0);
    make_file("d/f", "text");
    CHECK_EQ(stat("d/../d/./f", &st), 0);
    CHECK_EQ(st.st_size, 4);
    CHECK_EQ(stat("d//f", &st), 0);
    CHECK_ERR(stat("d/f/", &st), ENOTDIR);
    CHECK_ERR(stat("d/f/x", &st), ENOTDIR);
    CHECK_ERR(stat("d/f/..", &st), ENOTDIR);
    CHECK_ERR(stat("none/x", &st), ENOENT);
    CHECK_ERR(stat("", &st), ENOENT);
    CHECK_EQ(stat("/../..//", &st), 0);
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[NAME_MAX + 1] = 0;
    CHECK_ERR(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
    name[NAME_MAX] = 0;
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    static char path[PATH_MAX + 1];
    memset(path, '/', PATH_MAX);
    CHECK_ERR(stat(path, &st), ENAMETOOLONG);
    CHECK_ERR(stat((char *)1, &st), EFAULT);
}

TEST(symlinks)
{
    char buf[64];
    make_file("target", "t");
    CHECK_EQ(mkdir("dir", 0755), 0);
    CHECK_EQ(symlink("target", "l"), 0);
    CHECK_EQ(symlink("dir", "ld"), 0);
    CHECK_EQ(symlink("nowhere", "dangling"), 0);
    CHECK_EQ(symlink("loop2", "loop1"), 0);
    CHECK_EQ(symlink("loop1", "loop2"), 0);
    CHECK_EQ(readlink("l", buf, sizeof buf), 6);
    CHECK_EQ(readlink("l", buf, 3), 3);
    CHECK_ERR(readlink("target", buf, sizeof buf), EINVAL);
    CHECK_ERR(syscall(SYS_readlink, "l", buf, 0), EINVAL);
    CHECK_ERR(open("loop1", O_RDONLY), ELOOP);
    CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
    CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    int fd = open("dangling", O_RDWR | O_CREAT, 0600); /* makes what it points to */
    CHECK(fd >= 0 && exists("nowhere"));
    struct stat st;
    CHECK(lstat("ld/", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(lstat("ld", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 3);
    CHECK_ERR(unlink("ld/"), ENOTDIR);
    CHECK_ERR(rmdir("ld"), ENOTDIR);
    CHECK_ERR(symlink("", "e"), ENOENT);
    CHECK_ERR(symlink("x", "l"), EEXIST);
    CHECK_ERR(mkdir("l", 0700), EEXIST);
}

TEST(create_and_remove)
{
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_ERR(mkdir("d", 0755), EEXIST);
    CHECK_ERR(mkdir("/", 0755), EEXIST);
    CHECK_ERR(mkdir("d/.", 0755), EEXIST);
    CHECK_ERR(mkdir("none/x", 0755), ENOENT);
    CHECK_EQ(mkdir("d/sub/", 0755), 0);
    CHECK_ERR(open("new/", O_CREAT | O_WRONLY, 0600), EISDIR);
    CHECK_ERR(open("d", O_CREAT | O_WRONLY, 0600), EISDIR);
    CHECK_ERR(open("d", O_WRONLY), EISDIR);
    CHECK_ERR(rmdir("d"), ENOTEMPTY);
    CHECK_ERR(rmdir("d/sub/."), EINVAL);
    CHECK_ERR(rmdir("d/sub/.."), ENOTEMPTY);
    CHECK_ERR(unlink("d"), EISDIR);
    CHECK_ERR(unlink("none"), ENOENT);
    make_file("f", "");
    CHECK_ERR(rmdir("f"), ENOTDIR);
    CHECK_ERR(unlink("f/"), ENOTDIR);
    CHECK_ERR(mkdir("f/x", 0755), ENOTDIR);
    CHECK_EQ(mkfifo("fifo", 0644), 0);
    CHECK_ERR(mknod("fifo", S_IFREG | 0600, 0), EEXIST);
    CHECK_ERR(mknod("x", S_IFDIR | 0600, 0), EPERM);
    CHECK_EQ(rmdir("d/sub"), 0);
    CHECK_EQ(rmdir("d/"), 0);
    struct stat st;
    CHECK(stat(".", &st) == 0 && !exists("d"));
}

TEST(removed_directory)
{
    char buf[PATH_MAX];
    CHECK_EQ(mkdir("gone", 0755), 0);
    CHECK_EQ(chdir("gone"), 0);
    CHECK_EQ(rmdir("../gone"), 0);
    CHECK_ERR(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERR(mkdir("x", 0700), ENOENT);
    CHECK(getcwd(buf, sizeof buf) == NULL && errno == ENOENT);
    struct stat st;
    CHECK(stat(".", &st) == 0 && st.st_nlink == 0);
    CHECK_EQ(stat("..", &st), 0);
}

TEST(hard_links)
{
    struct stat st;
    make_file("a", "1");
    CHECK_EQ(link("a", "b"), 0);
    CHECK(stat("b", &st) == 0 && st.st_nlink == 2);
    CHECK_ERR(link("a", "b"), EEXIST);
    CHECK_ERR(link(".", "c"), EPERM);
    CHECK_ERR(link("none", "c"), ENOENT);
    int fd = open("a", O_RDWR);
    CHECK_EQ(unlink("a"), 0);
    CHECK_EQ(unlink("b"), 0);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
    CHECK_EQ(pwrite(fd, "still here", 10, 0), 10);
    CHECK_EQ(symlink("dangling", "s"), 0);
    CHECK_EQ(link("s", "s2"), 0); /* the link itself */
    CHECK(lstat("s2", &st) == 0 && S_ISLNK(st.st_mode) && st.st_nlink == 2);
}

TEST(renames)
{
    struct stat st;
    make_file("a", "a");
    make_file("b", "b");
    CHECK(stat("a", &st) == 0);
    ino_t ino = st.st_ino;
    CHECK_EQ(rename("a", "b"), 0);
    CHECK(stat("b", &st) == 0 && st.st_ino == ino && !exists("a"));
    CHECK_EQ(rename("b", "b"), 0);
    CHECK_EQ(link("b", "c"), 0);
    CHECK_EQ(rename("b", "c"), 0); /* two names of one file: both stay */
    CHECK(exists("b") && exists("c"));
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_EQ(mkdir("d/in", 0755), 0);
    CHECK_EQ(mkdir("e", 0755), 0);
    CHECK_ERR(rename("b", "d"), EISDIR);
    CHECK_ERR(rename("d", "b"), ENOTDIR);
    CHECK_ERR(rename("d", "d/in/x"), EINVAL);
    CHECK_ERR(rename("e", "d"), ENOTEMPTY);
    CHECK_ERR(rename("d/in", "d"), ENOTEMPTY);
    CHECK_EQ(rename("d", "e"), 0); /* onto an empty directory */
    CHECK(exists("e/in") && !exists("d"));
    CHECK_ERR(rename("none", "x"), ENOENT);
    CHECK_ERR(rename("e/.", "x"), EBUSY);
    CHECK_ERR(rename("b/", "x"), ENOTDIR);
    CHECK_ERR(rename("b", "x/"), ENOTDIR);
    CHECK_EQ(rename("e", "x/"), 0);
    CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 1 /* RENAME_NOREPLACE */),
              EEXIST);
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "x", 2 /* RENAME_EXCHANGE */), 0);
    CHECK(stat("b", &st) == 0 && S_ISDIR(st.st_mode) && exists("b/in"));
    CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "x", 3), EINVAL);
}

TEST(link_counts_of_directories)
{
    struct stat st;
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK(stat("d", &st) == 0);
    if (st.st_nlink != 2) {
        SKIP("this file system does not count");
    }
    CHECK_EQ(mkdir("d/a", 0755), 0);
    CHECK_EQ(mkdir("e", 0755), 0);
    CHECK(stat("d", &st) == 0 && st.st_nlink == 3);
    CHECK_EQ(rename("d/a", "e/a"), 0);
    CHECK(stat("d", &st) == 0 && st.st_nlink == 2);
    CHECK(stat("e", &st) == 0 && st.st_nlink == 3);
    CHECK_EQ(rmdir("e/a"), 0);
    CHECK(stat("e", &st) == 0 && st.st_nlink == 2);
}

TEST(listing)
{
    enum { FILES = 300 };
    char name[32];
    bool seen[FILES] = {false};
    CHECK_EQ(mkdir("d", 0755), 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "d/f%d", i);
        make_file(name, "");
    }
    DIR *dir = opendir("d");
    CHECK(dir != NULL);
    int dots = 0, files = 0;
    struct dirent *e;
    while ((e = readdir(dir))) { /* removing while listing shows every name once */
        if (e->d_name[0] == '.') {
            dots++;
            continue;
        }
        int i = atoi(e->d_name + 1);
        CHECK(i >= 0 && i < FILES && !seen[i] && e->d_type == DT_REG);
        seen[i] = true;
        files++;
        snprintf(name, sizeof name, "d/%.20s", e->d_name);
        CHECK_EQ(unlink(name), 0);
    }
    CHECK_EQ(dots, 2);
    CHECK_EQ(files, FILES);
    rewinddir(dir);
    files = 0;
    while ((e = readdir(dir))) {
        files++;
    }
    CHECK_EQ(files, 2);
    char buf[8];
    CHECK_EQ(lseek(dirfd(dir), 0, SEEK_SET), 0);
    CHECK_ERR(syscall(SYS_getdents64, dirfd(dir), buf, sizeof buf), EINVAL);
    CHECK_EQ(rmdir("d"), 0);
    CHECK_ERR(syscall(SYS_getdents64, dirfd(dir), name, sizeof name), ENOENT);
    int fd = guest_file_with("f", "");
    CHECK_ERR(syscall(SYS_getdents64, fd, name, sizeof name), ENOTDIR);
    CHECK_ERR(read(dirfd(dir), buf, 1), EISDIR);
}

TEST(at_calls)
{
    struct stat st;
    CHECK_EQ(mkdir("d", 0755), 0);
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0);
    int fd = openat(dir, "f", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && exists("d/f"));
    CHECK_EQ(fstatat(dir, "f", &st, 0), 0);
    CHECK_EQ(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
    CHECK_ERR(fstatat(fd, "x", &st, 0), ENOTDIR);
    CHECK_ERR(fstatat(999, "x", &st, 0), EBADF);
    CHECK_EQ(fstatat(999, "/", &st, 0), 0);
    CHECK_ERR(fstatat(dir, "f", &st, 0x8000000), EINVAL);
    CHECK_EQ(faccessat(dir, "f", R_OK | W_OK, 0), 0);
    CHECK_EQ(linkat(dir, "f", AT_FDCWD, "g", 0), 0);
    CHECK_EQ(renameat(AT_FDCWD, "g", dir, "h"), 0);
    CHECK_EQ(unlinkat(dir, "h", 0), 0);
    CHECK_ERR(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR), ENOTEMPTY);
    CHECK_EQ(unlinkat(dir, "f", 0), 0);
    CHECK_EQ(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR), 0);
    CHECK_ERR(openat(dir, "x", O_CREAT | O_WRONLY, 0600), ENOENT);
}

TEST(o_path_and_proc)
{
    char buf[64], link[64], cwd[PATH_MAX + 8];
    int fd = guest_file_with("f", "hello");
    int path = open("f", O_PATH);
    CHECK(path >= 0);
    CHECK_ERR(read(path, buf, 1), EBADF);
    CHECK_ERR(syscall(SYS_fchmod, path, 0600), EBADF);
    struct stat st;
    CHECK(fstat(path, &st) == 0 && st.st_size == 5);
    snprintf(link, sizeof link, "/proc/self/fd/%d", path);
    int again = open(link, O_RDWR);
    CHECK(again >= 0);
    CHECK_EQ(read(again, buf, 5), 5);
    CHECK(getcwd(cwd, sizeof cwd - 8) != NULL);
    strcat(cwd, "/f");
    char name[PATH_MAX];
    ssize_t n = readlink(link, name, sizeof name);
    CHECK(n == (ssize_t)strlen(cwd) && memcmp(name, cwd, (size_t)n) == 0);
    CHECK_EQ(unlink("f"), 0);
    n = readlink(link, name, sizeof name);
    CHECK(n > 10 && memcmp(name + n - 10, " (deleted)", 10) == 0);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    again = open(link, O_RDONLY); /* a file without a name opens again */
    CHECK(again >= 0 && read(again, buf, 5) == 5);
    int fds[2];
    CHECK_EQ(pipe(fds), 0);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fds[0]);
    n = readlink(link, name, sizeof name);
    CHECK(n > 6 && memcmp(name, "pipe:[", 6) == 0);
    CHECK(stat(link, &st) == 0 && S_ISFIFO(st.st_mode));
}

TEST(tmpfile)
{
    struct stat st;
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 && errno == EOPNOTSUPP) {
        SKIP("O_TMPFILE is not supported here");
    }
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    CHECK_EQ(linkat(AT_FDCWD, link, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    CHECK(stat("named", &st) == 0 && st.st_size == 3 && st.st_nlink == 1);
    CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(walk),
        ENTRY(symlinks),
        ENTRY(create_and_remove),
        ENTRY(removed_directory),
        ENTRY(hard_links),
        ENTRY(renames),
        ENTRY(link_counts_of_directories),
        ENTRY(listing),
        ENTRY(at_calls),
        ENTRY(o_path_and_proc),
        ENTRY(tmpfile),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
