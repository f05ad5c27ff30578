/* A container for spins.py. Waits in a loop without calls for another thread, says that it is set
 * up, and waits. With "for-ever" it then spins without end, with "before" already at the start, so
 * that set-up never comes; with "once" it only waits for the thread. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile int flag;

static void *set_later(void *arg)
{
    struct timespec ts = {0, 200000000};
    nanosleep(&ts, NULL);
    flag = 1;
    return arg;
}

static int say_complete(void)
{
    static const char line[] =
        "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":null}}\n";
    char path[256];
    snprintf(path, sizeof path, "%s/sdk.jsonl", getenv("ANTITHESIS_OUTPUT_DIR"));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    return fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) ? 0 : 1;
}

static void spin(void)
{
    static volatile unsigned long rounds;
    for (;;) {
        rounds++;
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pthread_t thread;
    unsigned long rounds = 0;
    if (!strcmp(what, "before")) {
        spin();
    }
    if (pthread_create(&thread, NULL, set_later, NULL)) {
        return 1;
    }
    while (!flag) {
        rounds++;
    }
    printf("%lu rounds\n", rounds);
    fflush(stdout);
    if (!strcmp(what, "once")) {
        return 0;
    }
    if (say_complete()) {
        return 1;
    }
    if (!strcmp(what, "for-ever")) {
        spin();
    }
    for (;;) {
        pause();
    }
}
