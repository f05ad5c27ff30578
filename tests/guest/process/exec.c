/* execve and its relatives: arguments, environment, what survives, scripts, errors. The program
 * starts itself again with a word that says which part to play. */
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <termios.h>

#include "guest_test.h"

extern char **environ;
static char self[512];

static pid_t spawn_part(const char *part, const char *argument)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, "played", "--part", part, argument, (char *)NULL);
        _exit(127);
    }
    return pid;
}

TEST(arguments_arrive)
{
    char big[8192];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    CHECK_EXIT(spawn_part("arguments", big), 0);
}

TEST(environment_is_replaced)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *const argv[] = {self, (char *)"--part", (char *)"environment", NULL};
        char *const envp[] = {(char *)"ONLY=this", NULL};
        execve(self, argv, envp);
        _exit(127);
    }
    CHECK_EXIT(pid, 0);
}

TEST(cloexec)
{
    int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char text[64];
    snprintf(text, sizeof text, "%d,%d", kept, closed);
    CHECK_EXIT(spawn_part("descriptors", text), 0);
    CHECK_EQ(fcntl(closed, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(kept, F_GETFD), 0);
}

static void ignored(int signo)
{
    (void)signo;
}

TEST(signal_state)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, ignored);
        signal(SIGUSR2, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGHUP); /* stays pending over execve */
        execl(self, "played", "--part", "signals", (char *)NULL);
        _exit(127);
    }
    CHECK_EXIT(pid, 0);
}

TEST(pid_and_cwd_stay)
{
    char text[32];
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(text, sizeof text, "%d", (int)getpid());
        execl(self, "played", "--part", "pid", text, (char *)NULL);
        _exit(127);
    }
    CHECK_EXIT(pid, 0);
}

TEST(auxiliary_vector)
{
    CHECK_EXIT(spawn_part("auxv", "x"), 0);
}

TEST(process_name)
{
    CHECK_EXIT(spawn_part("name", "x"), 0);
}

TEST(shebang)
{
    char text[600];
    snprintf(text, sizeof text, "#!%s --part\nrest\n", self);
    close(guest_file_with("script", text));
    CHECK_EQ(chmod("script", 0755), 0);
    /* "--part" is one argument, then the script's path, then the rest */
    pid_t pid = fork();
    if (pid == 0) {
        execl("./script", "lost", "shebang", (char *)NULL);
        _exit(127);
    }
    CHECK_EXIT(pid, 0);
}

TEST(shell_script)
{
    close(guest_file_with("script", "#!/bin/sh\nread x\nexit $1\n"));
    CHECK_EQ(chmod("script", 0755), 0);
    int in = guest_file_with("input", "line\n");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        execl("./script", "./script", "42", (char *)NULL);
        _exit(127);
    }
    CHECK_EXIT(pid, 42);
}

static int exec_errno(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *const argv[] = {(char *)"x", NULL};
        execve(path, argv, environ);
        _exit(errno);
    }
    int status = guest_wait(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(exec_errors)
{
    close(guest_file_with("data", "not a program"));
    CHECK_EQ(exec_errno("missing"), ENOENT);
    CHECK_EQ(exec_errno("data"), EACCES);
    CHECK_EQ(chmod("data", 0755), 0);
    CHECK_EQ(exec_errno("data"), ENOEXEC);
    CHECK_EQ(exec_errno("."), EACCES);
    CHECK_EQ(exec_errno("data/x"), ENOTDIR);
    CHECK_EQ(exec_errno(""), ENOENT);
    CHECK_EQ(exec_errno((char *)16), EFAULT);
    close(guest_file_with("lost", "#!/no/such/interpreter\n"));
    CHECK_EQ(chmod("lost", 0755), 0);
    CHECK_EQ(exec_errno("lost"), ENOENT);
    close(guest_file_with("empty", ""));
    CHECK_EQ(chmod("empty", 0755), 0);
    CHECK_EQ(exec_errno("empty"), ENOEXEC);
    close(guest_file_with("elf", "\177ELF\2\1\1"));
    CHECK_EQ(chmod("elf", 0755), 0);
    CHECK_EQ(exec_errno("elf"), ENOEXEC);
}

TEST(bad_argument_pointers)
{
    char *const argv[] = {(char *)16, NULL};
    CHECK_ERR(execve(self, argv, environ), EFAULT);
    CHECK_ERR(syscall(SYS_execve, self, 16, environ), EFAULT);
    CHECK_ERR(syscall(SYS_execve, self, argv + 1, 16), EFAULT);
}

TEST(arguments_too_long)
{
    enum { SIZE = 1 << 20 };
    char *huge = malloc(SIZE);
    memset(huge, 'x', SIZE - 1);
    huge[SIZE - 1] = 0;
    char *const argv[] = {self, huge, NULL};
    CHECK_ERR(execve(self, argv, environ), E2BIG); /* one string may have 128 KiB */
}

TEST(exec_from_descriptor)
{
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        char *const argv[] = {(char *)"played", (char *)"--part", (char *)"exit", (char *)"5",
                              NULL};
        syscall(SYS_execveat, fd, "", argv, environ, 0x1000); /* AT_EMPTY_PATH */
        _exit(127);
    }
    CHECK_EXIT(pid, 5);
}

TEST(spawn)
{
    pid_t pid;
    char *const argv[] = {(char *)"played", (char *)"--part", (char *)"exit", (char *)"6", NULL};
    CHECK_EQ(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    CHECK_EXIT(pid, 6);
    CHECK_EQ(posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ), ENOENT);
    CHECK_ERR(wait(NULL), ECHILD);
}

TEST(spawn_with_file_actions)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t pid;
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"echo from spawn", NULL};
    CHECK_EQ(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ), 0);
    CHECK_EXIT(pid, 0);
    posix_spawn_file_actions_destroy(&actions);
    char buf[32] = "";
    int fd = open("out", O_RDONLY);
    CHECK_EQ(read(fd, buf, sizeof buf - 1), 11);
    CHECK_EQ(strcmp(buf, "from spawn\n"), 0);
}

TEST(system_and_popen)
{
    CHECK_EQ(system("exit 3"), W_EXITED(3));
    CHECK_EQ(system(NULL) != 0, 1);
    FILE *f = popen("printf '%s' a b c | tr a-z A-Z", "r");
    char buf[16] = "";
    CHECK(f && fgets(buf, sizeof buf, f));
    CHECK_EQ(strcmp(buf, "ABC"), 0);
    CHECK_EQ(pclose(f), 0);
}

TEST(vfork_then_exec)
{
    for (int i = 0; i < 5; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl(self, "played", "--part", "exit", "9", (char *)NULL);
            _exit(127);
        }
        CHECK_EXIT(pid, 9);
    }
}

TEST(chain_of_execs)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, "played", "--part", "chain", "5", (char *)NULL);
        _exit(127);
    }
    CHECK_EXIT(pid, 33);
}

static bool play_signals(void)
{
    struct sigaction one, two;
    sigset_t mask, pending;
    sigaction(SIGUSR1, NULL, &one);
    sigaction(SIGUSR2, NULL, &two);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    return one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN && sigismember(&mask, SIGHUP) &&
           sigismember(&pending, SIGHUP) && !sigismember(&mask, SIGINT);
}

static bool play_auxv(void)
{
    const char *random = (const char *)getauxval(AT_RANDOM);
    const char *name = (const char *)getauxval(AT_EXECFN);
    const char *platform = (const char *)getauxval(AT_PLATFORM);
    return getauxval(AT_PAGESZ) == 4096 && random && name && strcmp(name, self) == 0 &&
           getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0 && getauxval(AT_ENTRY) &&
           getauxval(AT_CLKTCK) == 100 && platform && strcmp(platform, "x86_64") == 0 &&
           getauxval(AT_SYSINFO_EHDR) != 0 && getauxval(AT_PHNUM) > 0;
}

static bool play_descriptors(const char *text)
{
    int kept = -1, closed = -1;
    sscanf(text, "%d,%d", &kept, &closed);
    return fcntl(kept, F_GETFD) == 0 && fcntl(closed, F_GETFD) == -1 && errno == EBADF;
}

/* What the program does when it was started by one of its tests; the exit status. */
static int play(int argc, char **argv)
{
    const char *part = argv[2], *argument = argc > 3 ? argv[3] : "";
    char name[32] = "", text[16];
    if (strcmp(part, "arguments") == 0) {
        return argc == 4 && strcmp(argv[0], "played") == 0 && strlen(argument) == 8191 ? 0 : 1;
    } else if (strcmp(part, "environment") == 0) {
        return environ[0] && strcmp(environ[0], "ONLY=this") == 0 && !environ[1] ? 0 : 1;
    } else if (strcmp(part, "descriptors") == 0) {
        return play_descriptors(argument) ? 0 : 1;
    } else if (strcmp(part, "signals") == 0) {
        return play_signals() ? 0 : 1;
    } else if (strcmp(part, "pid") == 0) {
        return atoi(argument) == getpid() ? 0 : 1;
    } else if (strcmp(part, "auxv") == 0) {
        return play_auxv() ? 0 : 1;
    } else if (strcmp(part, "name") == 0) {
        const char *base = strrchr(self, '/') + 1;
        prctl(PR_GET_NAME, name);
        return strncmp(name, base, 15) == 0 ? 0 : 1;
    } else if (strcmp(part, "./script") == 0) {
        return argc == 4 && strcmp(argument, "shebang") == 0 && strcmp(argv[0], self) == 0 ? 0 : 1;
    } else if (strcmp(part, "exit") == 0) {
        return atoi(argument);
    } else if (strcmp(part, "chain") == 0) {
        int left = atoi(argument);
        if (left == 0) {
            return 33;
        }
        snprintf(text, sizeof text, "%d", left - 1);
        execl(self, "played", "--part", "chain", text, (char *)NULL);
    }
    return 99;
}

static const struct guest_test tests[] = {
    ENTRY(arguments_arrive),
    ENTRY(environment_is_replaced),
    ENTRY(cloexec),
    ENTRY(signal_state),
    ENTRY(pid_and_cwd_stay),
    ENTRY(auxiliary_vector),
    ENTRY(process_name),
    ENTRY(shebang),
    ENTRY(shell_script),
    ENTRY(exec_errors),
    ENTRY(bad_argument_pointers),
    ENTRY(arguments_too_long),
    ENTRY(exec_from_descriptor),
    ENTRY(spawn),
    ENTRY(spawn_with_file_actions),
    ENTRY(system_and_popen),
    ENTRY(vfork_then_exec),
    ENTRY(chain_of_execs),
};

int main(int argc, char **argv)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) {
        return 98;
    }
    self[n] = 0;
    if (argc > 2 && strcmp(argv[1], "--part") == 0) {
        return play(argc, argv);
    }
    return guest_main(argc, argv, tests, COUNT(tests));
}
