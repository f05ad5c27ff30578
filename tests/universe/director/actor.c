/* Every program of the containers test: argv[1], or the name it was started by, is its role. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t)) {
    }
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void append(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        perror(path);
        exit(70);
    }
    close(fd);
}

/* Counts its lives in the writable layer; /dev/shm is new in each of them. */
static long count_life(void)
{
    struct stat st;
    append("/lives", "x");
    stat("/lives", &st);
    printf("life %ld%s\n", (long)st.st_size, exists("/dev/shm/old") ? " with old tmpfs" : "");
    append("/dev/shm/old", "x");
    return (long)st.st_size;
}

static _Noreturn void forever(void)
{
    for (;;) {
        pause();
    }
}

static void stopping(int signo)
{
    (void)!write(1, "stopping\n", 9);
    _exit(0);
}

/* An orphan of mine ends; with `init: true` somebody else has reaped it by then. */
static void orphan(void)
{
    int ends[2];
    pid_t pid = 0;
    if (pipe(ends) || fork() == 0) {
        pid = fork();
        if (pid == 0) {
            sleep_ms(200); /* until its parent has gone */
            _exit(getppid() == 1 ? 0 : 71);
        }
        (void)!write(ends[1], &pid, sizeof pid);
        _exit(0);
    }
    (void)!read(ends[0], &pid, sizeof pid);
    wait(NULL);
    sleep_ms(1000);
    int gone = kill(pid, 0) < 0 && errno == ESRCH;
    int status = -1;
    int mine = waitpid(-1, &status, WNOHANG) == pid;
    printf("orphan: %s%s\n", gone ? "gone" : "there", mine ? status ? ", odd" : ", mine" : "");
}

/* As a program asks that wants to know what it may. */
static void rights(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapBnd:", 7) == 0 ||
            strncmp(line, "NoNewPrivs:", 11) == 0) {
            line[strcspn(line, "\t")] = ' ';
            fputs(line, stdout);
        }
    }
}

static void setup_complete(void)
{
    static const char text[] = "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":{}}}\n";
    char path[256];
    snprintf(path, sizeof path, "%s/sdk.jsonl", getenv("ANTITHESIS_OUTPUT_DIR"));
    append(path, text);
}

/* Test commands: first_ makes what all others need. */
static int command(const char *name)
{
    if (strncmp(name, "first_", 6) == 0) {
        append("/data/first", "x");
        sleep_ms(300);
        return 0;
    }
    sleep_ms(strncmp(name, "anytime_", 8) == 0 ? 50 : 200);
    return exists("/data/first") ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *role = argc > 1 ? argv[1] : slash ? slash + 1 : argv[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(role, "job") == 0) {
        sleep_ms(1000);
        append("/data/ready", "x");
        mkdir("/data/part", 0755);
        append("/data/part/of_it", "x");
        return 0;
    }
    if (strcmp(role, "fail") == 0) {
        return 3;
    }
    if (strcmp(role, "probe") == 0) {
        puts(exists("/tmp/up") ? "it is up" : "not yet");
        return exists("/tmp/up") ? 0 : 1;
    }
    if (strcmp(role, "db") == 0) {
        if (!exists("/data/ready")) {
            return 4;
        }
        sleep_ms(3000);
        append("/tmp/up", "x");
        forever();
    }
    if (strcmp(role, "flaky") == 0 || strcmp(role, "stoppable") == 0) {
        signal(SIGTERM, stopping);
        if (count_life() < 3 && strcmp(role, "flaky") == 0) {
            return 9;
        }
        forever();
    }
    if (strcmp(role, "parent") == 0) {
        orphan();
        forever();
    }
    if (strcmp(role, "rights") == 0) {
        rights();
        printf("the part of the volume is %s\n", exists("/part/of_it") ? "there" : "missing");
        forever();
    }
    if (strcmp(role, "client") == 0) {
        setup_complete();
        forever();
    }
    return command(role);
}
