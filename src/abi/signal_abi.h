/* Signal ABI of Linux x86-64 as guests see it: codes, flags and the layout of a signal frame
 * (arch/x86/include/uapi/asm/{siginfo,sigcontext,ucontext}.h). The UAPI headers themselves define
 * names such as `struct siginfo` that collide with libc's and with ours. */
#ifndef EVERETT_ABI_SIGNAL_ABI_H
#define EVERETT_ABI_SIGNAL_ABI_H

#include <stddef.h>
#include <stdint.h>

#define ABI_SI_USER   0
#define ABI_SI_KERNEL 0x80
#define ABI_SI_QUEUE  (-1)
#define ABI_SI_TIMER  (-2)
#define ABI_SI_MESGQ  (-3)
#define ABI_SI_TKILL  (-6)

#define ABI_SEGV_MAPERR   1
#define ABI_SEGV_ACCERR   2
#define ABI_CLD_EXITED    1
#define ABI_CLD_KILLED    2
#define ABI_CLD_DUMPED    3
#define ABI_CLD_STOPPED   5
#define ABI_CLD_CONTINUED 6

#define ABI_SIG_DFL 0u
#define ABI_SIG_IGN 1u

#define ABI_SA_NOCLDSTOP      0x00000001u
#define ABI_SA_NOCLDWAIT      0x00000002u
#define ABI_SA_SIGINFO        0x00000004u
#define ABI_SA_UNSUPPORTED    0x00000400u
#define ABI_SA_EXPOSE_TAGBITS 0x00000800u
#define ABI_SA_RESTORER       0x04000000u
#define ABI_SA_ONSTACK        0x08000000u
#define ABI_SA_RESTART        0x10000000u
#define ABI_SA_NODEFER        0x40000000u
#define ABI_SA_RESETHAND      0x80000000u
/* What x86-64 Linux keeps of sa_flags (UAPI_SA_FLAGS); other bits read back as zero. */
#define ABI_SA_KNOWN                                                                               \
    (ABI_SA_NOCLDSTOP | ABI_SA_NOCLDWAIT | ABI_SA_SIGINFO | ABI_SA_EXPOSE_TAGBITS |                \
     ABI_SA_RESTORER | ABI_SA_ONSTACK | ABI_SA_RESTART | ABI_SA_NODEFER | ABI_SA_RESETHAND)

#define ABI_SIG_BLOCK   0
#define ABI_SIG_UNBLOCK 1
#define ABI_SIG_SETMASK 2

#define ABI_SS_ONSTACK    1u
#define ABI_SS_DISABLE    2u
#define ABI_SS_AUTODISARM 0x80000000u
#define ABI_MINSIGSTKSZ   2048u

#define ABI_SIGEV_SIGNAL    0
#define ABI_SIGEV_NONE      1
#define ABI_SIGEV_THREAD    2
#define ABI_SIGEV_THREAD_ID 4

struct abi_sigaction {
    uint64_t handler, flags, restorer, mask;
};

struct abi_stack {
    uint64_t sp;
    uint32_t flags, pad;
    uint64_t size;
};

struct abi_sigevent {
    uint64_t value;
    int32_t signo, notify;
    int32_t tid; /* SIGEV_THREAD_ID */
    int32_t pad[11];
};

/* struct sigcontext_64 */
struct abi_sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate;
    uint64_t reserved[8];
};

#define ABI_UC_FP_XSTATE         1u
#define ABI_UC_SIGCONTEXT_SS     2u
#define ABI_UC_STRICT_RESTORE_SS 4u

struct abi_ucontext {
    uint64_t flags, link;
    struct abi_stack stack;
    struct abi_sigcontext mcontext;
    uint64_t sigmask;
};

/* struct rt_sigframe; the handler starts with rsp at it. */
struct abi_sigframe {
    uint64_t pretcode;
    struct abi_ucontext uc;
    unsigned char info[128];
};

/* struct _fpx_sw_bytes, at byte 464 of the FP state */
struct abi_fpx_sw {
    uint32_t magic1, extended_size;
    uint64_t xfeatures;
    uint32_t xstate_size, padding[7];
};

#define ABI_FPX_SW_OFFSET 464u
#define ABI_FP_MAGIC1     0x46505853u
#define ABI_FP_MAGIC2     0x46505845u
#define ABI_FXSAVE_SIZE   512u
#define ABI_XSAVE_HDR     512u /* offset of the XSAVE header, 64 bytes */
#define ABI_XSAVE_MIN     576u

_Static_assert(sizeof(struct abi_sigcontext) == 256, "sigcontext layout");
_Static_assert(offsetof(struct abi_sigcontext, rip) == 128, "sigcontext.rip");
_Static_assert(offsetof(struct abi_sigcontext, fpstate) == 184, "sigcontext.fpstate");
_Static_assert(sizeof(struct abi_ucontext) == 304, "ucontext layout");
_Static_assert(offsetof(struct abi_ucontext, sigmask) == 296, "ucontext.sigmask");
_Static_assert(sizeof(struct abi_sigframe) == 440, "rt_sigframe layout");
_Static_assert(sizeof(struct abi_sigevent) == 64, "sigevent layout");
_Static_assert(sizeof(struct abi_fpx_sw) == 48, "sw_reserved layout");

#endif
