/* A guest that knows where the engine lies and jumps to one of its `syscall` instructions with
 * registers of its own choice:
 *
 *   escape list           the attempts, one a line
 *   escape NAME           makes one; says "escaped" when the host answered it
 *
 * The host's seccomp filter must end the process instead (tests/universe/escape.sh). */
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENGINE_TEXT 0x600000000000ul
#define SEARCHED    (1ul << 20)

static char path[] = "/tmp/everett-escaped";
static char *const argv_of_shell[] = {(char *)"/bin/sh", (char *)"-c",
                                      (char *)"touch /tmp/everett-escaped", NULL};

static const struct attempt {
    const char *name;
    long nr;
    long args[6];
} attempts[] = {
    {"open", SYS_open, {(long)path, O_CREAT | O_WRONLY, 0644}},
    {"openat", SYS_openat, {AT_FDCWD, (long)path, O_CREAT | O_WRONLY, 0644}},
    {"creat", SYS_creat, {(long)path, 0644}},
    {"mkdir", SYS_mkdir, {(long)path, 0755}},
    {"execve", SYS_execve, {(long)"/bin/sh", (long)argv_of_shell, 0}},
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"write", SYS_write, {1, (long)path, sizeof path}},
    {"pwrite", SYS_pwrite64, {900, (long)path, 1, 0}},
    {"ftruncate", SYS_ftruncate, {900, 0}},
    {"kill", SYS_kill, {-1, SIGCONT}},
    {"tgkill", SYS_tgkill, {1, 1, SIGCONT}},
    {"ptrace", SYS_ptrace, {0}},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0, 0}},
    {"memfd_create", SYS_memfd_create, {(long)path, 0}},
    {"io_uring_setup", 425, {1, (long)path}},
    {"bpf", SYS_bpf, {0}},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}},
    {"setns", SYS_setns, {0, 0}},
    {"clone in a new user namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0}},
    {"clone of a thread", SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0}},
    {"clone3", SYS_clone3, {0, 0}},
    {"dumpable again", SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {"time stamps again", SYS_prctl, {PR_SET_TSC, PR_TSC_ENABLE}},
    {"a filter of its own", SYS_seccomp, {0, 0, 0}},
    {"setrlimit", SYS_setrlimit, {0, 0}},
    {"sendto", SYS_sendto, {900, 0, 0, 0, 0, 0}},
    {"dup2", SYS_dup2, {900, 1}},
    {"fcntl", SYS_fcntl, {900, F_DUPFD, 0}},
    {"a call of another architecture", SYS_getpid | 0x40000000, {0}},
};

static const unsigned char *find_call(void)
{
    const unsigned char *text = (const unsigned char *)ENGINE_TEXT;
    for (unsigned long i = 0; i < SEARCHED; i++) {
        if (text[i] == 0x0f && text[i + 1] == 0x05) {
            return text + i;
        }
    }
    return NULL;
}

/* Never comes back to us in the end: what the engine does behind its `syscall` is its own. So the
 * answer is looked at by a fault handler that any crash behind it reaches. */
static void answered(int signo)
{
    static const char said[] = "escaped\n";
    (void)signo;
    (void)!write(1, said, sizeof said - 1);
    _exit(9);
}

static void attack(const struct attempt *a)
{
    const unsigned char *at = find_call();
    if (!at) {
        puts("no syscall instruction was found: the test is wrong");
        exit(8);
    }
    signal(SIGSEGV, answered);
    signal(SIGILL, answered);
    signal(SIGBUS, answered);
    register long r10 __asm__("r10") = a->args[3];
    register long r8 __asm__("r8") = a->args[4];
    register long r9 __asm__("r9") = a->args[5];
    fflush(stdout);
    __asm__ volatile("jmp *%[at]"
                     :
                     : [at] "b"(at), "a"(a->nr), "D"(a->args[0]), "S"(a->args[1]), "d"(a->args[2]),
                       "r"(r10), "r"(r8), "r"(r9)
                     : "memory", "rcx", "r11");
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof attempts / sizeof *attempts; i++) {
        if (strcmp(argv[1], "list") == 0) {
            puts(attempts[i].name);
        } else if (strcmp(argv[1], attempts[i].name) == 0) {
            attack(&attempts[i]);
        }
    }
    return 0;
}
