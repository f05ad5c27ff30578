/* What a program sees of an image: who it is, where it is, which files there are and who may use
 * them. Compiled with musl, statically and dynamically; printed natively and inside. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void show_open(const char *path, int flags)
{
    int fd = open(path, flags, 0644);
    printf("%s %#o: %s\n", path, flags & (O_ACCMODE | O_CREAT), fd < 0 ? strerror(errno) : "ok");
    if (fd >= 0) {
        close(fd);
    }
}

static void show_file(const char *path)
{
    struct stat s;
    if (stat(path, &s) == 0) {
        printf("%s mode %o owner %d:%d\n", path, s.st_mode, (int)s.st_uid, (int)s.st_gid);
    } else {
        printf("%s: %s\n", path, strerror(errno));
    }
}

static void *in_thread(void *arg)
{
    *(int *)arg = (int)geteuid();
    return NULL;
}

static void run(const char *path)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, "child", (char *)NULL);
        printf("%s: %s\n", path, strerror(errno));
        fflush(stdout);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    printf("%s ended with %d\n", path, WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    char cwd[256] = "?", self[256] = {0};
    int seen = -1;
    pthread_t thread;
    printf("%s %d, cwd %s\n", argv[0], argc, getcwd(cwd, sizeof cwd) ? cwd : "?");
    printf("ids %d %d %d %d secure %lu\n", (int)getuid(), (int)geteuid(), (int)getgid(),
           (int)getegid(), getauxval(AT_SECURE));
    if (readlink("/proc/self/exe", self, sizeof self - 1) > 0) {
        printf("exe %s\n", self);
    }
    pthread_create(&thread, NULL, in_thread, &seen);
    pthread_join(thread, NULL);
    printf("thread sees %d, setuid(0): %s\n", seen, setuid(0) == 0 ? "ok" : strerror(errno));
    show_open("/etc/passwd", O_RDONLY);
    show_open("/secret", O_RDONLY);
    show_open("/new", O_WRONLY | O_CREAT);
    show_open("/tmp/new", O_WRONLY | O_CREAT);
    show_open("/dev/null", O_RDWR);
    show_file("/secret");
    show_file("/raise");
    if (argc == 1) {
        run("/raise");
        run("/bin/sh");
        run("/nothing");
    }
    return 0;
}
