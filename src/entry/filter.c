/* The seccomp filter: a `syscall` instruction anywhere but in engine text traps; in engine text
 * only the calls that the engine makes pass. Inherited by every process of the universe. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "entry/engine.h"
#include "entry/host.h"

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define ALLOW(nr)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), RETURN(SECCOMP_RET_ALLOW)

/* The same, with the low half of one argument fixed: what the engine itself passes. */
#define ALLOW_WITH(nr, arg, value)                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), LOAD(args[arg]),                              \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), RETURN(SECCOMP_RET_ALLOW),             \
        RETURN(SECCOMP_RET_KILL_PROCESS)

#define ENGINE_TEXT_LIMIT 0x01000000u /* 16 MiB from ENGINE_TEXT */

void filter_install(void)
{
    static const struct sock_filter code[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(ENGINE_TEXT >> 32), 0, 2),
        LOAD(instruction_pointer),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ENGINE_TEXT_LIMIT, 0, 1),
        RETURN(SECCOMP_RET_TRAP),
        LOAD(nr),
        ALLOW(__NR_futex),
        ALLOW(__NR_pread64),
        ALLOW(__NR_mmap),
        ALLOW(__NR_munmap),
        ALLOW(__NR_mprotect),
        ALLOW(__NR_mremap),
        ALLOW(__NR_madvise),
        ALLOW_WITH(__NR_clone, 0, HOST_CLONE_FLAGS), /* no threads, no namespaces */
        ALLOW(__NR_exit_group),
        ALLOW(__NR_rt_sigreturn),
        ALLOW(__NR_fallocate),
        ALLOW(__NR_setitimer),
        ALLOW_WITH(__NR_prctl, 0, PR_SET_PDEATHSIG),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog prog = {ARRAY_LEN(code), (struct sock_filter *)(uintptr_t)code};
    if (host6(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) ||
        host6(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)(uintptr_t)&prog, 0, 0, 0)) {
        engine_panic("the host does not allow a seccomp filter");
    }
}
