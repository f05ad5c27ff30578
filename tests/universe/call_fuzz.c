/* Random system calls with hostile arguments. Whatever they do to this program, the engine must
 * survive: `everett exec` must never end with an engine error. Usage: call_fuzz SEED COUNT. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Calls that would only end or stop the fuzzer itself, or wait for ever. */
static int is_skipped(long nr)
{
    static const long skipped[] = {SYS_exit,
                                   SYS_exit_group,
                                   SYS_pause,
                                   SYS_rt_sigsuspend,
                                   SYS_vfork,
                                   SYS_rt_sigreturn,
                                   SYS_kill,
                                   SYS_tkill,
                                   SYS_tgkill,
                                   SYS_rt_sigqueueinfo,
                                   SYS_rt_tgsigqueueinfo};
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++) {
        if (nr == skipped[i]) {
            return 1;
        }
    }
    return 0;
}

static uint64_t argument(char *area)
{
    switch (draw() % 12) {
    case 0:
        return 0;
    case 1:
        return draw() % 8;
    case 2:
        return draw() % 64;
    case 3:
        return (uint64_t)area + draw() % 8192;
    case 4:
        return (uint64_t)area + (draw() % 16) * 512;
    case 5:
        return draw();
    case 6:
        return (uint64_t) - (int64_t)(draw() % 4096);
    case 7:
        return 0x610000000000ull + draw() % (1 << 20); /* the engine's memory */
    case 8:
        return 1ull << draw() % 64;
    case 9:
        return 0x7ffff7ffb000ull + draw() % 8192;
    case 10:
        return draw() % 4096;
    default:
        return 4096 * (draw() % 64);
    }
}

static void fuzz(long count)
{
    char *area = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8192; i++) {
        area[i] = (char)(draw() % 5 ? draw() % 8 : draw());
    }
    for (long i = 0; i < count; i++) {
        long nr = (long)(draw() % 460);
        if (is_skipped(nr)) {
            continue;
        }
        if (draw() % 16 == 0) {
            area[draw() % 8192] = (char)draw();
        }
        uint64_t a[6];
        for (int k = 0; k < 6; k++) {
            a[k] = argument(area);
        }
        alarm(1); /* whatever waits is ended in virtual time */
        pid_t before = getpid();
        syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (getpid() != before) {
            _exit(0); /* a fork succeeded: one fuzzer is enough */
        }
    }
}

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 0) * 0x9e3779b97f4a7c15ull + 1 : 1;
    long count = argc > 2 ? atol(argv[2]) : 1000;
    for (int round = 0; round < 20; round++) {
        uint64_t next = draw();
        pid_t pid = fork();
        if (pid == 0) {
            fuzz(count / 20);
            _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        state = next | 1;
    }
    puts("survived");
    return 0;
}
