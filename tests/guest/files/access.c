/* Permissions as another user, open flags, space of files, order and size of directories. */
#include <dirent.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include "guest_test.h"

enum { NOBODY = 65534 };

/* From here on an ordinary user; only root can become one. */
static void become_nobody(void)
{
    if (geteuid() != 0) {
        SKIP("needs root to become somebody else");
    }
    CHECK_EQ(setgroups(0, NULL), 0);
    CHECK_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
    CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

TEST(mode_bits_rule)
{
    close(guest_file_with("secret", "x"));
    close(guest_file_with("open", "x"));
    CHECK_EQ(chmod("secret", 0600), 0);
    CHECK_EQ(chmod("open", 0604), 0);
    CHECK_EQ(mkdir("closed", 0700), 0);
    CHECK_EQ(mkdir("listable", 0704), 0);
    become_nobody();
    CHECK_ERR(open("secret", O_RDONLY), EACCES);
    CHECK(open("open", O_RDONLY) >= 0);
    CHECK_ERR(open("open", O_RDWR), EACCES);
    CHECK_ERR(open("closed/x", O_RDONLY), EACCES);
    CHECK_ERR(stat("listable/x", &(struct stat){0}), EACCES);
    CHECK(open("listable", O_RDONLY | O_DIRECTORY) >= 0);
    CHECK_ERR(chdir("listable"), EACCES);
    CHECK_ERR(access("secret", R_OK), EACCES);
    CHECK_EQ(access("secret", F_OK), 0);
    CHECK_ERR(unlink("open"), EACCES);
    CHECK_ERR(mkdir("new", 0755), EACCES);
    CHECK_ERR(rename("open", "other"), EACCES);
    CHECK_ERR(chmod("open", 0666), EPERM);
    CHECK_ERR(chown("open", NOBODY, NOBODY), EPERM);
    CHECK_ERR(truncate("open", 0), EACCES);
    CHECK_ERR(utimes("open", NULL), EACCES);
}

TEST(sticky_directory)
{
    CHECK_EQ(mkdir("d", 0777), 0);
    CHECK_EQ(chmod("d", 01777), 0);
    close(guest_file_with("d/root", "x"));
    become_nobody();
    CHECK_ERR(unlink("d/root"), EPERM);
    close(guest_file_with("d/own", "x"));
    CHECK_ERR(rename("d/own", "d/root"), EPERM);
    CHECK_EQ(unlink("d/own"), 0);
}

TEST(group_bits)
{
    int fd = guest_file_with("f", "x");
    if (geteuid() != 0) {
        SKIP("needs root to become somebody else");
    }
    CHECK_EQ(fchown(fd, 0, 4321), 0);
    CHECK_EQ(fchmod(fd, 0640), 0);
    gid_t groups[] = {4321};
    CHECK_EQ(setgroups(1, groups), 0);
    CHECK_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
    CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
    CHECK(open("f", O_RDONLY) >= 0);
    CHECK_ERR(open("f", O_WRONLY), EACCES);
}

TEST(set_id_bits_are_dropped)
{
    int fd = guest_file_with("f", "x");
    CHECK_EQ(fchmod(fd, 06777), 0);
    if (geteuid() != 0) {
        SKIP("needs root to become somebody else");
    }
    CHECK_EQ(chown("f", NOBODY, NOBODY), 0);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_mode & 07777, 0777);
    CHECK_EQ(fchmod(fd, 04777), 0);
    become_nobody();
    CHECK_EQ(write(open("f", O_WRONLY), "y", 1), 1);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_mode & 07777, 0777);
}

TEST(new_files_belong_to_their_maker)
{
    CHECK_EQ(mkdir("d", 0777), 0);
    CHECK_EQ(chmod("d", 0777), 0);
    become_nobody();
    struct stat st;
    CHECK_EQ(umask(027), 022);
    int fd = open("d/f", O_CREAT | O_WRONLY, 0666);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_uid, NOBODY);
    CHECK_EQ(st.st_gid, NOBODY);
    CHECK_EQ(st.st_mode & 0777, 0640);
    CHECK(open("d/none", O_CREAT | O_WRONLY, 0) >=
          0); /* the creator's descriptor works all the same */
    CHECK_ERR(open("d/none", O_WRONLY), EACCES);
}

TEST(effective_and_real_user)
{
    close(guest_file_with("secret", "x"));
    CHECK_EQ(chmod("secret", 0600), 0);
    if (geteuid() != 0) {
        SKIP("needs root to become somebody else");
    }
    CHECK_EQ(seteuid(NOBODY), 0);
    CHECK_ERR(open("secret", O_RDONLY), EACCES);
    CHECK_EQ(access("secret", R_OK), 0); /* access asks for the real user */
    CHECK_ERR(faccessat(AT_FDCWD, "secret", R_OK, AT_EACCESS), EACCES);
    CHECK_EQ(seteuid(0), 0);
    CHECK(open("secret", O_RDONLY) >= 0);
}

TEST(open_flags)
{
    close(guest_file_with("f", "abc"));
    CHECK_EQ(mkdir("d", 0755), 0);
    CHECK_ERR(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
    CHECK_ERR(open("d", O_WRONLY), EISDIR);
    CHECK_ERR(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
    CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERR(open("missing", O_WRONLY), ENOENT);
    CHECK_ERR(open("missing/f", O_CREAT | O_WRONLY, 0644), ENOENT);
    CHECK_ERR(open("f/x", O_CREAT | O_WRONLY, 0644), ENOTDIR);
    CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
    CHECK_ERR(open("", O_RDONLY), ENOENT);
    int fd = open("f", O_WRONLY | O_TRUNC);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 0);
    char c;
    CHECK_ERR(read(fd, &c, 1), EBADF);
    CHECK_ERR(write(open("f", O_RDONLY), "x", 1), EBADF);
    CHECK_ERR(read(open("d", O_RDONLY), &c, 1), EISDIR);
}

TEST(long_names)
{
    char name[300], path[5000];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    int fd = open(name, O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(unlink(name), 0);
    name[255] = 'n';
    name[256] = 0;
    CHECK_ERR(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
    memset(path, '/', sizeof path);
    path[4096] = 0;
    CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
}

TEST(descriptor_limit)
{
    struct rlimit limit = {32, 32};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
        last = fd;
    }
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 31);
    CHECK_ERR(dup(0), EMFILE);
    CHECK_ERR(fcntl(0, F_DUPFD, 32), EINVAL);
    CHECK_ERR(dup2(0, 32), EBADF);
    CHECK_ERR(pipe((int[2]){0, 0}), EMFILE);
    CHECK_EQ(close(10), 0);
    CHECK_EQ(dup(0), 10);
}

TEST(allocation)
{
    int fd = guest_file_with("f", "abc");
    struct stat st;
    if (fallocate(fd, 0, 0, 100000) < 0 && errno == EOPNOTSUPP) {
        SKIP("this file system cannot allocate");
    }
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 100000);
    CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 100000);
    CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2), 0);
    char buf[3];
    CHECK_EQ(pread(fd, buf, 3, 0), 3);
    CHECK(buf[0] == 0 && buf[1] == 0 && buf[2] == 'c');
    CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
    CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    CHECK_ERR(fallocate(open("f", O_RDONLY), 0, 0, 10), EBADF);
}

TEST(blocks_of_holes)
{
    int fd = guest_file_with("f", "");
    CHECK_EQ(ftruncate(fd, 1 << 20), 0);
    CHECK_EQ(pwrite(fd, "x", 1, 512 << 10), 1);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 1 << 20);
    CHECK(st.st_blocks > 0 && st.st_blocks < 1024);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 512 << 10);
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_ERR(lseek(fd, 1 << 20, SEEK_DATA), ENXIO);
}

TEST(directory_is_complete_and_stable)
{
    enum { FILES = 500 };
    char name[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file-%d", i * 7919 % 1000);
        close(guest_file_with(name, ""));
    }
    char first[FILES + 2][32];
    for (int pass = 0; pass < 2; pass++) {
        DIR *d = opendir(".");
        size_t n = 0;
        for (struct dirent *e; (e = readdir(d)); n++) {
            CHECK(n < COUNT(first));
            CHECK(pass == 0 || strcmp(first[n], e->d_name) == 0);
            snprintf(first[n], sizeof first[n], "%.31s", e->d_name);
        }
        CHECK_EQ(n, FILES + 2);
        closedir(d);
    }
}

TEST(removal_while_reading)
{
    char name[32];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "f%d", i);
        close(guest_file_with(name, ""));
    }
    DIR *d = opendir(".");
    int removed = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == 'f') {
            CHECK_EQ(e->d_type, DT_REG);
            CHECK_EQ(unlink(e->d_name), 0);
            removed++;
        }
    }
    CHECK_EQ(removed, 200);
    closedir(d);
    CHECK_EQ(chdir(".."), 0);
    CHECK_EQ(rmdir("removal_while_reading"), 0);
}

TEST(seek_in_directory)
{
    close(guest_file_with("a", ""));
    close(guest_file_with("b", ""));
    DIR *d = opendir(".");
    readdir(d);
    long at = telldir(d);
    char name[256];
    snprintf(name, sizeof name, "%s", readdir(d)->d_name);
    readdir(d);
    seekdir(d, at);
    CHECK_EQ(strcmp(readdir(d)->d_name, name), 0);
    rewinddir(d);
    int n = 0;
    while (readdir(d)) {
        n++;
    }
    CHECK_EQ(n, 4);
}

TEST(times_of_files)
{
    int fd = guest_file_with("f", "x");
    struct timespec times[2] = {{1000, 111}, {2000, 222}};
    struct stat st;
    CHECK_EQ(futimens(fd, times), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 111);
    CHECK(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 222);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    CHECK_EQ(utimensat(AT_FDCWD, "f", times, 0), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 1500000000);
    struct timespec changed = st.st_ctim;
    guest_nap(20);
    CHECK_EQ(chmod("f", 0600), 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(st.st_ctim.tv_sec > changed.tv_sec || st.st_ctim.tv_nsec != changed.tv_nsec);
    times[0].tv_nsec = 2000000000;
    CHECK_ERR(futimens(fd, times), EINVAL);
}

TEST(file_system_numbers)
{
    struct statvfs v;
    CHECK_EQ(statvfs(".", &v), 0);
    CHECK(v.f_bsize >= 512 && v.f_blocks > 0 && v.f_bfree <= v.f_blocks);
    CHECK(v.f_namemax >= 255);
    struct stat st, parent;
    CHECK_EQ(stat(".", &st), 0);
    CHECK_EQ(stat("..", &parent), 0);
    CHECK_EQ(st.st_dev, parent.st_dev);
    CHECK(st.st_ino != parent.st_ino);
    CHECK_ERR(statvfs("missing", &v), ENOENT);
}

TEST(blocking_lock_waits)
{
    int fd = guest_file_with("f", "x"), ready[2];
    CHECK_EQ(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK};
        CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        guest_nap(30);
        _exit(0);
    }
    char c;
    CHECK_EQ(read(ready[0], &c, 1), 1);
    struct flock lock = {.l_type = F_WRLCK}, asked = {.l_type = F_RDLCK};
    CHECK_EQ(fcntl(fd, F_GETLK, &asked), 0);
    CHECK_EQ(asked.l_type, F_WRLCK);
    CHECK_EQ(asked.l_pid, pid);
    CHECK_ERR(fcntl(fd, F_SETLK, &lock), EAGAIN);
    CHECK_EQ(fcntl(fd, F_SETLKW, &lock), 0);
    CHECK_EXIT(pid, 0);
}

TEST(lock_deadlock_is_told)
{
    int fd = guest_file_with("f", "xx"), ready[2];
    CHECK_EQ(pipe(ready), 0);
    struct flock one = {.l_type = F_WRLCK, .l_start = 0, .l_len = 1};
    struct flock two = {.l_type = F_WRLCK, .l_start = 1, .l_len = 1};
    CHECK_EQ(fcntl(fd, F_SETLK, &one), 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(fcntl(fd, F_SETLK, &two), 0);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        CHECK_EQ(fcntl(fd, F_SETLKW, &one), 0);
        _exit(0);
    }
    char c;
    CHECK_EQ(read(ready[0], &c, 1), 1);
    guest_nap(GUEST_NAP_MS);
    CHECK_ERR(fcntl(fd, F_SETLKW, &two), EDEADLK);
    one.l_type = F_UNLCK;
    CHECK_EQ(fcntl(fd, F_SETLK, &one), 0);
    CHECK_EXIT(pid, 0);
}

TEST(no_directory_events_to_take_back)
{
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0);
    CHECK_EQ(fcntl(dir, F_NOTIFY, DN_MULTISHOT), 0);
    CHECK_EQ(fcntl(dir, F_NOTIFY, 0), 0);
}

static const struct guest_test tests[] = {
    ENTRY(mode_bits_rule),
    ENTRY(sticky_directory),
    ENTRY(group_bits),
    ENTRY(set_id_bits_are_dropped),
    ENTRY(new_files_belong_to_their_maker),
    ENTRY(effective_and_real_user),
    ENTRY(open_flags),
    ENTRY(long_names),
    ENTRY(descriptor_limit),
    ENTRY(allocation),
    ENTRY(blocks_of_holes),
    ENTRY(directory_is_complete_and_stable),
    ENTRY(removal_while_reading),
    ENTRY(seek_in_directory),
    ENTRY(times_of_files),
    ENTRY(file_system_numbers),
    ENTRY(blocking_lock_waits),
    ENTRY(lock_deadlock_is_told),
    ENTRY(no_directory_events_to_take_back),
};

int main(int argc, char **argv)
{
    return guest_main(argc, argv, tests, COUNT(tests));
}
