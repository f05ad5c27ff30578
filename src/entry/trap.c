/* Host signals: the trap path of system calls, page faults and other faults of guests, and faults
 * of the kernel itself. Handlers run on an alternate stack and leave it at once for the kernel
 * stack of the current task; after that patched and trapped calls are the same. */
#include "abi/signal_abi.h"
#include "base/str.h"
#include "entry/engine.h"
#include "entry/host.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/mm/usercopy.h"
#include "kernel/sched/spin.h"
#include "kernel/signal/signal.h"
#include "kernel/syscalls/syscall.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"

#define ALT_STACK_BYTES (256ul << 10)

static unsigned char alt_stack[ALT_STACK_BYTES] __attribute__((aligned(64)));

struct host_sigaction {
    host_handler *handler;
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* What the fault handler found out, for entry_fault on the kernel stack. Private to the process and
 * used before anything else can run. */
static struct {
    int signo, code;
    uint64_t addr, trapno, error;
    bool is_tsc, is_random;
    bool is_32bit_call;
    bool is_slice_end;
} pending_fault;

bool trap_in_engine(uint64_t rip)
{
    return rip >= ENGINE_TEXT && rip < ENGINE_PRIVATE;
}

/* Copies the interrupted guest's registers to its kernel stack frame. */
static struct guest_regs *save_frame(const struct host_context *c)
{
    struct guest_regs *f = task_regs(engine.current);
    *f = (struct guest_regs){.orig_rax = ~0ull,
                             .r15 = c->r15,
                             .r14 = c->r14,
                             .r13 = c->r13,
                             .r12 = c->r12,
                             .rbp = c->rbp,
                             .rbx = c->rbx,
                             .r9 = c->r9,
                             .r8 = c->r8,
                             .r10 = c->r10,
                             .rdx = c->rdx,
                             .rsi = c->rsi,
                             .rdi = c->rdi,
                             .rax = c->rax,
                             .rcx = c->rcx,
                             .r11 = c->r11,
                             .rip = c->rip,
                             .cs = GUEST_CS,
                             .rflags = step_leave(c->rflags),
                             .rsp = c->rsp,
                             .ss = GUEST_SS};
    fp_load(c->fpstate); /* the host reset the FP registers for the handler */
    return f;
}

static void on_sigsys(int signo, struct host_siginfo *si, struct host_context *c)
{
    (void)signo;
    if (trap_in_engine(c->rip)) {
        engine_panic("the kernel made a host call it may not make");
    }
    struct guest_regs *f = save_frame(c);
    if (si->arch != 0xc000003eu) {
        pending_fault.is_32bit_call = true;
        enter_fault(f);
    }
    f->rcx = f->rip;
    f->r11 = f->rflags;
    engine.port.site_trapped(engine.machine, engine.current, f->rip - 2);
    enter_call(f);
}

/* A fault at the one instruction of a user copy: make the page present, or end the copy short. */
static bool fix_kernel_fault(struct host_context *c)
{
    bool copy = c->rip == (uint64_t)(uintptr_t)usercopy_insn;
    bool zero = c->rip == (uint64_t)(uintptr_t)userzero_insn;
    if (!copy && !zero) {
        return false;
    }
    int signo, code;
    if (c->trapno == 14 && gaddr_range_ok(gaddr_of(c->cr2), 1) && engine.current &&
        mm_fault(engine.current, c->cr2, (c->err & 2) != 0, false, &signo, &code)) {
        return true;
    }
    c->rip = (uint64_t)(uintptr_t)(copy ? usercopy_done : userzero_done);
    return true;
}

static _Noreturn void kernel_crashed(int signo, const struct host_context *c)
{
    char text[256];
    str_format(text, sizeof text,
               "the kernel crashed: signal %d at %#lx, address %#lx, task %s[%d] call %ld", signo,
               (unsigned long)c->rip, (unsigned long)c->cr2,
               engine.current ? engine.current->comm : "-",
               engine.current ? engine.current->tid : 0,
               engine.current ? (long)task_regs(engine.current)->orig_rax : -1);
    engine_panic(text);
}

static void on_fault(int signo, struct host_siginfo *si, struct host_context *c)
{
    enum step_result step = signo == SIGNAL_TRAP ? step_trapped(c) : STEP_NOT;
    if (step == STEP_ON) {
        return;
    }
    if (step == STEP_OVER) {
        pending_fault.is_slice_end = true;
        enter_fault(save_frame(c));
    }
    if (trap_in_engine(c->rip)) {
        if (!fix_kernel_fault(c)) {
            kernel_crashed(signo, c);
        }
        return;
    }
    int sig = signo, code = si->code;
    if (c->trapno == 14) {
        if (gaddr_range_ok(gaddr_of(c->cr2), 1)) {
            if (mm_fault(engine.current, c->cr2, (c->err & 2) != 0, (c->err & 16) != 0, &sig,
                         &code)) {
                return;
            }
        } else {
            sig = SIGNAL_SEGV;
            code = ABI_SEGV_MAPERR;
        }
    } else if (signo == SIGNAL_SEGV) {
        pending_fault.is_tsc = processor_is_tsc(c->rip);
    } else if (signo == SIGNAL_ILL) {
        pending_fault.is_random = patch_is_trap(engine.current->mm, c->rip);
    }
    pending_fault.signo = sig;
    pending_fault.code = code;
    pending_fault.addr = c->trapno == 14 ? c->cr2 : signo == SIGNAL_SEGV ? 0 : c->rip;
    pending_fault.trapno = c->trapno;
    pending_fault.error = c->err;
    enter_fault(save_frame(c));
}

void trap_install(int signo, host_handler *handler)
{
    struct host_sigaction sa = {handler,
                                ABI_SA_SIGINFO | ABI_SA_ONSTACK | ABI_SA_NODEFER | ABI_SA_RESTART |
                                    ABI_SA_RESTORER,
                                host_sigreturn, 0};
    if (host6(__NR_rt_sigaction, signo, (long)(uintptr_t)&sa, 0, 8, 0, 0)) {
        engine_panic("rt_sigaction refused by the host");
    }
}

void trap_init(void)
{
    struct {
        void *sp;
        int32_t flags, pad;
        uint64_t size;
    } ss = {alt_stack, 0, 0, sizeof alt_stack};
    uint64_t none = 0;
    host3(__NR_sigaltstack, (long)(uintptr_t)&ss, 0, 0);
    host6(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)(uintptr_t)&none, 0, 8, 0, 0);
    trap_install(SIGNAL_SYS, on_sigsys);
    static const int faults[] = {SIGNAL_SEGV, SIGNAL_BUS, SIGNAL_FPE, SIGNAL_ILL, SIGNAL_TRAP};
    for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
        trap_install(faults[i], on_fault);
    }
}

/* --- called from entry.S on the kernel stack of the current task ------------------------------ */

void entry_call(void);
void entry_fault(void);
void entry_start(void);
void entry_fix_rip(struct guest_regs *f);

void entry_call(void)
{
    struct control *c = engine.control;
    c->calls++;
    c->vtime_ns = engine.machine->clock.now;
    syscall_dispatch(engine.current);
}

void entry_fault(void)
{
    struct task *t = engine.current;
    struct guest_regs *f = task_regs(t);
    f->rip = patch_original(t, f->rip);
    if (pending_fault.is_slice_end) {
        pending_fault.is_slice_end = false;
        spin_slice_end(t);
        task_return_to_guest(t);
        return;
    }
    spin_entry(t);
    task_charge(t);
    if (pending_fault.is_32bit_call) {
        pending_fault.is_32bit_call = false;
        trace_unknown(t, "32-bit system call", f->rax, 0, -38);
        f->rax = (uint64_t)-38;
    } else if (pending_fault.is_tsc) {
        pending_fault.is_tsc = false;
        processor_tsc(t, f);
    } else if (pending_fault.is_random) {
        pending_fault.is_random = false;
        processor_random(t, f);
    } else {
        signal_force_fault(t, pending_fault.signo, pending_fault.code, pending_fault.addr,
                           pending_fault.trapno, pending_fault.error);
    }
    task_return_to_guest(t);
}

void entry_start(void)
{
    struct task *t = engine.current;
    if (t->start == START_EXEC) {
        exec_start(t);
    }
    task_return_to_guest(t);
}

void entry_fix_rip(struct guest_regs *f)
{
    f->rip = patch_forward(engine.current, f->rip);
}
