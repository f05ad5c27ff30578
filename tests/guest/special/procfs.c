/* Files of /proc, /sys and /dev that programs rely on, as far as Linux itself agrees with them. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "../guest_test.h"

static char text[1 << 17];

static const char *slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    size_t at = 0;
    if (fd < 0) {
        guest_fail(__FILE__, __LINE__, "cannot open %s (errno %d)", path, errno);
    }
    for (ssize_t n; (n = read(fd, text + at, sizeof text - 1 - at)) > 0;) {
        at += (size_t)n;
    }
    close(fd);
    text[at] = 0;
    return text;
}

/* The number behind `key` in the last text. */
static long number(const char *key)
{
    const char *p = strstr(text, key);
    if (!p) {
        guest_fail(__FILE__, __LINE__, "no %s (errno %d)", key, errno);
    }
    return strtol(p + strlen(key), NULL, 10);
}

TEST(stat)
{
    char comm[32], state;
    int pid, ppid, pgrp, sid, fields = 1;
    prctl(PR_SET_NAME, "a b) c");
    slurp("/proc/self/stat");
    CHECK(sscanf(text, "%d (%31[^)]) c) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &sid) == 6);
    CHECK(pid == getpid() && state == 'R' && ppid == getppid() && pgrp == getpgrp() &&
          sid == getsid(0));
    for (const char *p = strstr(text, ") c) ") + 4; *p; p++) {
        fields += *p == ' ';
    }
    CHECK_EQ(fields, 51);
    CHECK(strcmp(slurp("/proc/self/comm"), "a b) c\n") == 0);
}

TEST(status)
{
    slurp("/proc/self/status");
    CHECK(number("Pid:\t") == getpid() && number("PPid:\t") == getppid());
    CHECK(number("Uid:\t") == (long)getuid() && number("Threads:\t") == 1);
    CHECK(number("VmRSS:\t") > 0 && number("VmSize:\t") >= number("VmRSS:\t"));
    CHECK(strstr(text, "State:\tR (running)\n") && strstr(text, "\nSigCgt:\t"));
    slurp("/proc/self/statm");
    long size, resident;
    CHECK(sscanf(text, "%ld %ld", &size, &resident) == 2 && size >= resident && resident > 0);
}

TEST(other_process)
{
    char path[64];
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[1]);
        char c;
        (void)!read(p[0], &c, 1);
        _exit(0);
    }
    guest_nap(GUEST_NAP_MS);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CHECK(strstr(slurp(path), ") S "));
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    char mine[256];
    strncpy(mine, slurp("/proc/self/cmdline"), 255);
    CHECK(strcmp(slurp(path), mine) == 0 && mine[0]);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, p[0]);
    char link[64] = {0};
    CHECK(readlink(path, link, 63) > 0 && strncmp(link, "pipe:[", 6) == 0);
    int hold = open("/proc/self/status", O_RDONLY);
    CHECK(hold >= 0);
    close(p[1]);
    CHECK_EXIT(pid, 0);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CHECK_ERR(open(path, O_RDONLY), ENOENT);
}

TEST(zombie)
{
    char path[64];
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    guest_nap(GUEST_NAP_MS);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CHECK(strstr(slurp(path), ") Z "));
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    CHECK_EQ(strlen(slurp(path)), 0);
    CHECK_EXIT(pid, 0);
}

static void *sleeper(void *arg)
{
    char c;
    (void)!read(*(int *)arg, &c, 1);
    return NULL;
}

TEST(threads)
{
    int p[2], n = 0;
    pthread_t th;
    CHECK(pipe(p) == 0 && pthread_create(&th, NULL, sleeper, &p[0]) == 0);
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));) {
        n += e->d_name[0] != '.';
    }
    CHECK_EQ(n, 2);
    slurp("/proc/self/status");
    CHECK_EQ(number("Threads:\t"), 2);
    char link[64] = {0}, want[64];
    CHECK(readlink("/proc/thread-self", link, 63) > 0);
    snprintf(want, sizeof want, "%d/task/%d", getpid(), gettid());
    CHECK(strcmp(link, want) == 0);
    close(p[1]);
    pthread_join(th, NULL);
}

TEST(maps)
{
    char line[128];
    void *m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int f = guest_file_with("mapped file", "x");
    void *g = mmap(NULL, 4096, PROT_READ, MAP_SHARED, f, 0);
    CHECK(m != MAP_FAILED && g != MAP_FAILED);
    slurp("/proc/self/maps");
    CHECK(strstr(text, "[stack]\n") && strstr(text, " r-xp "));
    snprintf(line, sizeof line, "%lx-%lx r--s 00000000 ", (unsigned long)g,
             (unsigned long)g + 4096);
    CHECK(strstr(text, line) && strstr(text, "/mapped file\n"));
    CHECK(strstr(slurp("/proc/self/smaps"), "Private_Dirty:"));
    unlink("mapped file");
    CHECK(strstr(slurp("/proc/self/maps"), "/mapped file (deleted)\n"));
}

TEST(descriptors)
{
    char link[256] = {0}, path[64];
    int f = guest_file_with("some", "12345"), fds = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", f);
    CHECK(readlink(path, link, 255) > 0 && strcmp(strrchr(link, '/'), "/some") == 0);
    int again = open(path, O_RDONLY);
    char buf[8];
    CHECK(again >= 0 && read(again, buf, 8) == 5); /* a position of its own */
    CHECK(lseek(f, 0, SEEK_CUR) == 0);
    unlink("some");
    again = open(path, O_RDONLY);
    CHECK(again >= 0);
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(d));) {
        fds += e->d_name[0] != '.';
    }
    CHECK(fds >= 6);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", f);
    lseek(f, 3, SEEK_SET);
    slurp(path);
    CHECK(number("pos:\t") == 3 && strstr(text, "flags:\t0100002\n"));
    CHECK_ERR(open("/proc/self/fd/99", O_RDONLY), ENOENT);
    struct stat st;
    CHECK(lstat("/dev/fd", &st) == 0 && S_ISLNK(st.st_mode));
}

TEST(links)
{
    char link[256] = {0}, cwd[256], exe[256] = {0};
    CHECK(readlink("/proc/self/cwd", link, 255) > 0 && strcmp(link, getcwd(cwd, 256)) == 0);
    CHECK(readlink("/proc/self/exe", exe, 255) > 0 && exe[0] == '/');
    int f = open("/proc/self/exe", O_RDONLY);
    char magic[4];
    CHECK(f >= 0 && read(f, magic, 4) == 4 && memcmp(magic, "\177ELF", 4) == 0);
    memset(link, 0, sizeof link);
    CHECK(readlink("/proc/self", link, 255) > 0 && atoi(link) == getpid());
    memset(link, 0, sizeof link);
    CHECK(readlink("/proc/self/ns/net", link, 255) > 0 && strncmp(link, "net:[", 5) == 0);
    struct statfs fs;
    CHECK(statfs("/proc", &fs) == 0 && fs.f_type == 0x9fa0);
    CHECK(open("/proc/self/cwd/..", O_RDONLY | O_DIRECTORY) >= 0);
}

TEST(machine)
{
    struct utsname u;
    slurp("/proc/meminfo");
    CHECK(number("MemTotal:") > 0 && number("MemFree:") > 0 && number("MemAvailable:") > 0);
    CHECK(number("MemTotal:") >= number("MemFree:"));
    int cpus = 0;
    for (const char *p = slurp("/proc/cpuinfo"); (p = strstr(p, "processor\t: ")); p++) {
        cpus++;
    }
    CHECK_EQ(cpus, sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(strncmp(slurp("/proc/stat"), "cpu  ", 5) == 0 && number("\nbtime ") > 1000000000);
    CHECK(uname(&u) == 0);
    slurp("/proc/sys/kernel/osrelease");
    text[strlen(text) - 1] = 0;
    CHECK(strcmp(text, u.release) == 0);
    CHECK(strncmp(slurp("/proc/version"), "Linux version ", 14) == 0);
    slurp("/proc/sys/kernel/hostname");
    text[strlen(text) - 1] = 0;
    CHECK(strcmp(text, u.nodename) == 0);
    CHECK_EQ(atol(slurp("/proc/sys/kernel/ngroups_max")), 65536);
    CHECK(atol(slurp("/proc/sys/net/core/somaxconn")) >= 128);
    double up;
    CHECK(sscanf(slurp("/proc/uptime"), "%lf", &up) == 1 && up >= 0);
    CHECK(strstr(slurp("/proc/filesystems"), "\tproc\n"));
    CHECK(strlen(slurp("/sys/devices/system/cpu/online")) > 1);
    CHECK(strstr(slurp("/proc/self/limits"), "Max open files "));
    CHECK(strstr(slurp("/proc/mounts"), " /proc proc "));
    CHECK(strstr(slurp("/proc/self/mountinfo"), " - proc "));
    char uuid[64];
    strcpy(uuid, slurp("/proc/sys/kernel/random/uuid"));
    CHECK(strlen(uuid) == 37 && strcmp(uuid, slurp("/proc/sys/kernel/random/uuid")) != 0);
    strcpy(uuid, slurp("/proc/sys/kernel/random/boot_id"));
    CHECK(strcmp(uuid, slurp("/proc/sys/kernel/random/boot_id")) == 0);
}

TEST(reread)
{
    char a[4096], b[4096];
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t n = read(fd, a, sizeof a);
    CHECK(n > 0 && read(fd, b, sizeof b) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, b, sizeof b) > 0);
    CHECK(pread(fd, b, 3, 1) == 3 && memcmp(a + 1, b, 3) == 0);
    CHECK_ERR(open("/proc/self/nothing", O_RDONLY), ENOENT);
}

TEST(oom_score_adj)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR);
    CHECK(fd >= 0 && write(fd, "500\n", 4) == 4);
    CHECK_EQ(atoi(slurp("/proc/self/oom_score_adj")), 500);
    CHECK_ERR(write(fd, "5000", 4), EINVAL);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(stat),    ENTRY(status), ENTRY(other_process), ENTRY(zombie),
        ENTRY(threads), ENTRY(maps),   ENTRY(descriptors),   ENTRY(links),
        ENTRY(machine), ENTRY(reread), ENTRY(oom_score_adj),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
