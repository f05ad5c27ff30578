/* The guest's registers while it is in the kernel: the frame at the top of its kernel stack. Only
 * valid while the task's address space is the running one. */
#ifndef EVERETT_KERNEL_TASK_REGS_H
#define EVERETT_KERNEL_TASK_REGS_H

#include "abi/layout.h"
#include "base/base.h"

struct machine;
struct task;

/* Order fixed by entry/entry.S; the last five are an iretq frame. */
struct guest_regs {
    uint64_t orig_rax; /* system call number, or ~0 when not in a call */
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r9, r8, r10, rdx, rsi, rdi;
    uint64_t rax, rcx, r11;
    uint64_t rip, cs, rflags, rsp, ss;
};

#define GUEST_CS 0x33u
#define GUEST_SS 0x2bu
/* CF PF AF ZF SF TF DF OF RF NT AC ID: what a guest may set itself. */
#define GUEST_FLAGS_MASK  0x254dd5ul
#define GUEST_FLAGS_FIXED 0x202ul

struct guest_regs *task_regs(const struct task *t);

/* XSAVE image of the task, standard format, in its kernel stack slot. Current only after
 * port->fp_save, effective only after port->fp_restore. */
unsigned char *task_fp_area(const struct task *t);
uint32_t fp_area_size(const struct machine *m); /* bytes, from CPUID leaf 0xD */
uint64_t fp_features(const struct machine *m);  /* XCR0 bits saved */

#endif
