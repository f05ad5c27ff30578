/* Inside a guest process: what the entry files share. Everything here is private to the host
 * process and cloned with it. */
#ifndef EVERETT_ENTRY_ENGINE_H
#define EVERETT_ENTRY_ENGINE_H

#include "abi/control.h"
#include "abi/layout.h"
#include "base/base.h"
#include "kernel/port.h"
#include "kernel/task/regs.h"

struct machine;
struct mm;
struct task;
struct vma;

/* Bottom of a kernel stack slot. */
struct kstack_head {
    unsigned char fp[4032]; /* XSAVE area, standard format; size from CPUID */
    uint64_t saved_rsp;     /* kernel stack pointer while switched out */
    uint64_t reserved[7];
};

/* The time page is the first page of the private range; the stacks follow. */
#define KSTACKS_ADDR (ENGINE_PRIVATE + (1ul << 20))

struct engine {
    struct machine *machine;
    struct control *control;
    struct task *current;
    uint32_t slot; /* of the address space this host process is */
    struct {
        bool on;       /* the guest runs with the trap flag set */
        uint32_t left; /* instructions until spin_slice_end */
        bool pushes;   /* the instruction that comes next shows the flags to the guest */
    } step;
    struct port port;
};

extern struct engine engine;

/* entry.S */
extern uint64_t entry_kstack_top; /* where the current task's register frame ends */
void entry_patched(void);         /* target of patched call sites, SHORT */
void entry_patched_forward(void); /* ... FORWARD */
void context_switch(uint64_t *save_rsp, uint64_t load_rsp);
_Noreturn void enter_call(struct guest_regs *frame);  /* run a trapped call on the kernel stack */
_Noreturn void enter_fault(struct guest_regs *frame); /* ... a fault */
_Noreturn void enter_start(struct guest_regs *frame); /* ... a task's first instructions */
void thread_start(void); /* first return address of a new green thread */
void host_sigreturn(void);
size_t usercopy_bytes(void *dst, const void *src, size_t n);
size_t userzero_bytes(void *dst, size_t n);
extern char usercopy_insn[], usercopy_done[], userzero_insn[], userzero_done[];

/* context.c */
void engine_set_current(struct task *t);
struct kstack_head *kstack_head(const struct task *t);
void context_init(void); /* FP area size and mask */
void fp_load(const unsigned char *area);
void port_switch_to(struct machine *m, struct task *prev, struct task *next);
void port_prepare_thread(struct machine *m, struct task *parent, struct task *child);
int port_fork_mm(struct machine *m, struct task *parent, struct task *child);
void port_exit_mm(struct machine *m, struct task *next);
_Noreturn void zygote_run(struct task *first);

/* Layout of what the host puts on the alternate stack (arch/x86/include/uapi/asm). */
struct host_siginfo {
    int32_t signo, error, code, pad;
    uint64_t addr; /* SIGSYS: call address */
    int32_t syscall;
    uint32_t arch;
};

struct host_context {
    uint64_t flags, link;
    uint64_t ss_sp;
    int32_t ss_flags, ss_pad;
    uint64_t ss_size;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
    uint64_t rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    unsigned char *fpstate;
};

typedef void host_handler(int signo, struct host_siginfo *si, struct host_context *c);

/* trap.c */
void trap_init(void);
void trap_install(int signo, host_handler *handler);
bool trap_in_engine(uint64_t rip);

/* step.c: the guest executes instructions one by one */
void step_guest(struct task *t, uint32_t n); /* port->single_step */
enum step_result {
    STEP_NOT,  /* no trap of ours */
    STEP_ON,   /* go on behind the handler */
    STEP_OVER, /* the last instruction is done: spin_slice_end */
};
enum step_result step_trapped(struct host_context *c);
/* The guest enters the kernel: these are its flags without ours. */
uint64_t step_leave(uint64_t rflags);

/* watchdog.c */
void watchdog_init(void);
void watchdog_start(void); /* in each host process: timers are not inherited */

void filter_install(void);

/* patch.c */
void patch_site(struct machine *m, struct task *t, uint64_t site);
/* Makes instructions that must not reach the processor trap. */
void patch_code_mapped(const struct vma *v, uint64_t start, uint64_t end);
/* Whether the instruction at rip traps because of that. */
bool patch_is_trap(const struct mm *mm, uint64_t rip);
/* Where guest code at rip really continues, if a patched call site covers it. */
uint64_t patch_forward(const struct task *t, uint64_t rip);
/* The guest's own address for an instruction pointer in a trampoline. */
uint64_t patch_original(const struct task *t, uint64_t rip);
/* Is it in a trampoline, which the guest does not have? */
bool patch_covers(uint64_t rip);

/* processor.c: instructions that the kernel answers in the processor's place */
bool processor_is_tsc(uint64_t rip);
void processor_tsc(struct task *t, struct guest_regs *f);
void processor_random(struct task *t, struct guest_regs *f);

/* link.c: the runner's side */
void port_emit(const void *record, size_t len);
void port_import(const struct import_request *req, struct import_response *resp);
_Noreturn void engine_over(enum control_over how);
_Noreturn void engine_panic(const char *text);

#endif
