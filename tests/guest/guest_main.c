/* The driver of guest tests: children, time limit, scratch directories, report. */
#include "guest_test.h"

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void run_child(const struct guest_test *t, const char *scratch, int report,
                      const sigset_t *mask)
{
    if (dup3(report, GUEST_REPORT_FD, O_CLOEXEC) < 0) {
        _exit(3);
    }
    close(report);
    setpgid(0, 0);
    signal(SIGHUP, SIG_DFL); /* nohup, say, has it ignored */
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (mkdir(t->name, 0755) || chdir(t->name)) {
        guest_note("fail %s:0 scratch directory in %s: errno %d", "guest_main.c", scratch, errno);
    }
    t->run();
    fflush(NULL);
    _exit(0);
}

/* Waits for the child without a clock of its own: SIGCHLD is blocked and taken with a limit. */
static bool wait_limited(pid_t pid, int *status)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    struct timespec limit = {.tv_sec = GUEST_TIMEOUT_S};
    while (waitpid(pid, status, WNOHANG) != pid) {
        if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN) {
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return false;
        }
    }
    return true;
}

/* The first line that the test or one of its children wrote, without its newline. */
static void read_report(int fd, char *line, size_t size)
{
    ssize_t n = read(fd, line, size - 1);
    line[n > 0 ? n : 0] = 0;
    line[strcspn(line, "\n")] = 0;
}

static bool run_one(const struct guest_test *t, const char *scratch, const sigset_t *mask)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK)) {
        printf("not ok %s guest_main.c:%d pipe2: errno %d\n", t->name, __LINE__, errno);
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(report[0]);
        run_child(t, scratch, report[1], mask);
    }
    close(report[1]);
    int status = 0;
    bool in_time = wait_limited(pid, &status);
    kill(-pid, SIGKILL); /* what the test left behind */
    char line[512];
    read_report(report[0], line, sizeof line);
    close(report[0]);
    bool passed = in_time && status == 0 && strncmp(line, "fail ", 5) != 0;
    if (passed) {
        bool skipped = strncmp(line, "skip ", 5) == 0;
        printf("ok %s%s%s\n", t->name, skipped ? " # SKIP " : "", skipped ? line + 5 : "");
    } else if (strncmp(line, "fail ", 5) == 0) {
        printf("not ok %s %s\n", t->name, line + 5);
    } else if (!in_time) {
        printf("not ok %s guest_main.c:0 no end after %d s\n", t->name, GUEST_TIMEOUT_S);
    } else {
        printf("not ok %s guest_main.c:0 wait status 0x%x\n", t->name, (unsigned)status);
    }
    return passed;
}

static bool selected(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t n = strlen(argv[i]);
        bool prefix = n > 0 && argv[i][n - 1] == '*';
        if (prefix ? strncmp(name, argv[i], n - 1) == 0 : strcmp(name, argv[i]) == 0) {
            return true;
        }
    }
    return argc < 2;
}

int guest_main(int argc, char **argv, const struct guest_test *tests, size_t count)
{
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++) {
            puts(tests[i].name);
        }
        return 0;
    }
    sigset_t child, mask;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &mask);
    const char *base = getenv("TMPDIR");
    char scratch[512];
    snprintf(scratch, sizeof scratch, "%s/guest-test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(scratch) || chmod(scratch, 0755) || chdir(scratch)) {
        fprintf(stderr, "guest_main: %s: %s\n", scratch, strerror(errno));
        return 2;
    }
    umask(022);
    size_t chosen = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        chosen += selected(tests[i].name, argc, argv);
    }
    printf("1..%zu\n", chosen);
    for (size_t i = 0; i < count; i++) {
        if (selected(tests[i].name, argc, argv)) {
            failed += !run_one(&tests[i], scratch, &mask);
        }
    }
    fflush(stdout);
    if (chdir("/") || nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS)) {
        fprintf(stderr, "guest_main: cannot remove %s: %s\n", scratch, strerror(errno));
    }
    return failed ? 1 : chosen ? 0 : 2;
}
