/* The way in and out of the kernel. Frame layout: struct guest_regs (kernel/task/regs.h). */

    .text

/* Pushes everything but the iretq frame; on entry rsp points at rip. r11 is what `syscall` would
 * have left there: the flags. */
.macro PUSH_REGS
    pushq 16(%rsp)
    pushq %rcx
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r10
    pushq %r8
    pushq %r9
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rax
.endm

.macro POP_REGS
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r9
    popq %r8
    popq %r10
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rax
.endm

/* The same for sites whose following instructions were moved: the way back must go through
 * return_full, so rcx differs from rip in the frame. */
    .globl entry_patched_forward
entry_patched_forward:
    movq %rsp, entry_user_rsp(%rip)
    movq entry_kstack_top(%rip), %rsp
    pushq $0x2b
    pushq entry_user_rsp(%rip)
    pushfq
    pushq $0x33
    pushq %rcx
    xorl %ecx, %ecx
    PUSH_REGS
    jmp call_kernel

/* A patched call site: rcx = where to return, everything else as at the `syscall`. */
    .globl entry_patched
entry_patched:
    movq %rsp, entry_user_rsp(%rip)
    movq entry_kstack_top(%rip), %rsp
    pushq $0x2b
    pushq entry_user_rsp(%rip)
    pushfq
    pushq $0x33
    pushq %rcx
    PUSH_REGS
call_kernel:
    cld
    subq $8, %rsp
    call entry_call
    addq $8, %rsp

/* Back to the guest. As after `sysret`, rcx = rip and r11 = flags allow the short way; not behind
 * rt_sigreturn (orig_rax = -1), whose rip may lie among moved instructions. */
return_checked:
    cmpq $-1, (%rsp)
    je return_full
    movq 128(%rsp), %rax        /* rip */
    cmpq %rax, 112(%rsp)        /* rcx */
    jne return_full
    movq 144(%rsp), %rax        /* rflags */
    cmpq %rax, 120(%rsp)        /* r11 */
    jne return_full
    POP_REGS
    addq $16, %rsp              /* rcx, r11 */
    movq (%rsp), %rcx
    movq 16(%rsp), %r11
    pushq %r11
    popfq
    movq 24(%rsp), %rsp
    jmp *%rcx

/* All registers from the frame, patched call sites taken into account. */
return_full:
    movq %rsp, %rdi
    subq $8, %rsp
    call entry_fix_rip
    addq $8, %rsp
    POP_REGS
    popq %rcx
    popq %r11
    iretq

    .globl enter_call
enter_call:
    movq %rdi, %rsp
    cld
    subq $8, %rsp
    call entry_call
    addq $8, %rsp
    jmp return_full

    .globl enter_fault
enter_fault:
    movq %rdi, %rsp
    cld
    subq $8, %rsp
    call entry_fault
    addq $8, %rsp
    jmp return_full

    .globl enter_start
enter_start:
    movq %rdi, %rsp
    /* falls through */
    .globl thread_start
thread_start:
    cld
    subq $8, %rsp
    call entry_start
    addq $8, %rsp
    jmp return_full

/* void context_switch(uint64_t *save_rsp, uint64_t load_rsp) */
    .globl context_switch
context_switch:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

/* size_t usercopy_bytes(void *dst, const void *src, size_t n): bytes not copied. A fault at the one
 * instruction that touches guest memory continues behind it with the rest still in rcx. */
    .globl usercopy_bytes, usercopy_insn, usercopy_done
usercopy_bytes:
    movq %rdx, %rcx
usercopy_insn:
    rep movsb
usercopy_done:
    movq %rcx, %rax
    ret

    .globl userzero_bytes, userzero_insn, userzero_done
userzero_bytes:
    movq %rsi, %rcx
    xorl %eax, %eax
userzero_insn:
    rep stosb
userzero_done:
    movq %rcx, %rax
    ret

    .globl host_sigreturn
host_sigreturn:
    movl $15, %eax
    syscall

    .globl _start
_start:
    movq %rsp, %rdi
    leaq boot_stack_top(%rip), %rsp
    call engine_start
    ud2

    .section .bss
    .balign 64
    .globl entry_kstack_top
entry_kstack_top:
    .quad 0
entry_user_rsp:
    .quad 0
    .balign 64
boot_stack:
    .space 262144
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
