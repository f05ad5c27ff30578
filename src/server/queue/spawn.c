#include "server/queue/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

static _Noreturn void become(char *const argv[], char *const env[], int out, int error,
                             pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) {
        signal(s, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* A server that is killed takes its runs along: the next one goes on with them, and must find
     * nobody else in their directories. The parent may have died before the call. */
    if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) {
        _exit(127);
    }
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(error, 2) < 0) {
        _exit(127);
    }
    close_range(3, ~0u, 0);
    execve(argv[0], argv, env);
    _exit(127);
}

static void close_end(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

int spawn_start(struct spawned *s, const char *dir, char *const argv[], struct err *err)
{
    cleanup_buf struct buf home = {0}, path = {0};
    int out[2] = {-1, -1}, error[2] = {-1, -1};
    const char *own_path = getenv("PATH");
    buf_printf(&home, "EVERETT_HOME=%s/images", dir);
    buf_printf(&path, "PATH=%s", own_path ? own_path : "/usr/bin:/bin");
    char lang[] = "LANG=C.UTF-8";
    char *env[] = {home.data, path.data, lang, NULL};
    *s = (struct spawned){.pid = -1, .pidfd = -1};
    if (pipe2(out, O_CLOEXEC) == 0 && pipe2(error, O_CLOEXEC) == 0) {
        pid_t parent = getpid();
        s->pid = fork();
        if (s->pid == 0) {
            become(argv, env, out[1], error[1], parent);
        }
    }
    int why = errno;
    close_end(&out[1]);
    close_end(&error[1]);
    if (s->pid < 0) {
        close_end(&out[0]);
        close_end(&error[0]);
        return err_errno(err, why, "cannot start %s", argv[0]);
    }
    s->out = out[0];
    s->error = error[0];
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    ASSERT(s->pidfd >= 0);
    return 0;
}

int spawn_end(struct spawned *s)
{
    int status = 0;
    kill(s->pid, SIGKILL); /* nothing to one that is gone but not waited for */
    while (waitpid(s->pid, &status, 0) < 0) {
        ASSERT(errno == EINTR);
    }
    close_end(&s->out);
    close_end(&s->error);
    close_end(&s->pidfd);
    return status;
}
