/* Signal frames: the Linux x86-64 rt_sigframe on the guest's stack, and rt_sigreturn from one
 * (arch/x86/kernel/signal_64.c is the reference for layout and order; sigreturn(2),
 * sigaltstack(2)).
 *
 * Everything in a frame belongs to the guest and may be hostile when it comes back: only user flags
 * are taken, segments are fixed, the instruction pointer must be one a guest may run. */
#include "kernel/signal/signal_priv.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"

#define RED_ZONE 128u

#define FLAG_TF 0x100u
#define FLAG_DF 0x400u
#define FLAG_RF 0x10000u
/* What sigreturn takes from a frame (FIX_EFLAGS): AC RF OF DF TF SF ZF AF PF CF. */
#define FLAGS_FROM_FRAME 0x50dd5u

_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t is 128 bytes");

/* --- alternate stack -------------------------------------------------------------------------- */

static bool within_altstack(const struct task *t, uint64_t sp)
{
    return sp > t->sig.altstack_sp && sp - t->sig.altstack_sp <= t->sig.altstack_size;
}

bool signal_on_altstack(const struct task *t, uint64_t sp)
{
    /* With SS_AUTODISARM the stack is free for reuse as soon as a handler runs on it. */
    return !(t->sig.altstack_flags & ABI_SS_AUTODISARM) && within_altstack(t, sp);
}

static uint32_t altstack_state(const struct task *t, uint64_t sp)
{
    if (t->sig.altstack_size == 0) {
        return ABI_SS_DISABLE;
    }
    return signal_on_altstack(t, sp) ? ABI_SS_ONSTACK : 0;
}

struct abi_stack signal_get_altstack(const struct task *t, uint64_t sp)
{
    struct abi_stack ss = {.sp = t->sig.altstack_sp, .size = t->sig.altstack_size};
    ss.flags = altstack_state(t, sp) | (t->sig.altstack_flags & ABI_SS_AUTODISARM);
    return ss;
}

int signal_set_altstack(struct task *t, const struct abi_stack *ss, uint64_t sp, uint64_t min_size)
{
    uint32_t mode = ss->flags & ~ABI_SS_AUTODISARM;
    if (signal_on_altstack(t, sp)) {
        return -EPERM;
    }
    if (mode != ABI_SS_DISABLE && mode != ABI_SS_ONSTACK && mode != 0) {
        return -EINVAL;
    }
    uint64_t new_sp = ss->sp, new_size = ss->size;
    if (mode == ABI_SS_DISABLE) {
        new_sp = 0;
        new_size = 0;
    } else if (new_size < min_size) {
        return -ENOMEM;
    }
    t->sig.altstack_sp = new_sp;
    t->sig.altstack_size = new_size;
    t->sig.altstack_flags = ss->flags;
    return 0;
}

/* --- building --------------------------------------------------------------------------------- */

static void fill_context(const struct task *t, const struct guest_regs *r, uint64_t fpstate,
                         uint64_t mask, struct abi_sigcontext *c)
{
    *c = (struct abi_sigcontext){
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rdi = r->rdi,
        .rsi = r->rsi,
        .rbp = r->rbp,
        .rbx = r->rbx,
        .rdx = r->rdx,
        .rax = r->rax,
        .rcx = r->rcx,
        .rsp = r->rsp,
        .rip = r->rip,
        .rflags = r->rflags,
        .cs = GUEST_CS,
        .ss = GUEST_SS,
        .err = t->sig.fault_error,
        .trapno = t->sig.fault_trapno,
        .oldmask = mask,
        .cr2 = t->sig.fault_addr,
        .fpstate = fpstate,
    };
}

/* Where the frame goes; 0 if it would overrun the alternate stack. */
static uint64_t place_frame(const struct task *t, const struct sigaction_entry *act, uint64_t sp,
                            uint64_t *fpstate)
{
    bool nested = signal_on_altstack(t, sp);
    bool entering = false;
    sp -= RED_ZONE;
    if ((act->flags & ABI_SA_ONSTACK) && altstack_state(t, sp) == 0) {
        sp = t->sig.altstack_sp + t->sig.altstack_size;
        entering = true;
    }
    sp = round_down_u64(sp - signal_fp_frame_size(t), 64);
    *fpstate = sp;
    sp = round_down_u64(sp - sizeof(struct abi_sigframe), 16) - 8;
    if ((nested || entering) && !within_altstack(t, sp)) {
        return 0;
    }
    return sp;
}

int signal_frame_push(struct task *t, const struct sigaction_entry *act, const struct siginfo *info,
                      uint64_t mask)
{
    struct guest_regs *r = task_regs(t);
    uint64_t fpstate;
    uint64_t sp = place_frame(t, act, r->rsp, &fpstate);
    if (!sp || !(act->flags & ABI_SA_RESTORER)) {
        return -EFAULT; /* x86-64 has no other way back (sigreturn(2)) */
    }
    struct abi_sigframe f;
    memset(&f, 0, sizeof f);
    f.pretcode = act->restorer;
    f.uc.flags = ABI_UC_FP_XSTATE | ABI_UC_SIGCONTEXT_SS | ABI_UC_STRICT_RESTORE_SS;
    f.uc.stack = (struct abi_stack){
        .sp = t->sig.altstack_sp, .flags = t->sig.altstack_flags, .size = t->sig.altstack_size};
    f.uc.sigmask = mask;
    fill_context(t, r, fpstate, mask, &f.uc.mcontext);
    memcpy(f.info, info, sizeof f.info);
    if (signal_fp_push(t, fpstate) || user_write(t, gaddr_of(sp), &f, sizeof f)) {
        return -EFAULT;
    }
    if (t->sig.altstack_flags & ABI_SS_AUTODISARM) {
        t->sig.altstack_sp = 0;
        t->sig.altstack_size = 0;
        t->sig.altstack_flags = ABI_SS_DISABLE;
    }
    r->rdi = (uint64_t)info->signo;
    r->rsi = sp + offsetof(struct abi_sigframe, info);
    r->rdx = sp + offsetof(struct abi_sigframe, uc);
    r->rax = 0;
    r->rip = act->handler;
    r->rsp = sp;
    r->cs = GUEST_CS;
    r->ss = GUEST_SS;
    r->rflags = (r->rflags & ~(uint64_t)(FLAG_DF | FLAG_RF | FLAG_TF)) | GUEST_FLAGS_FIXED;
    return 0;
}

/* --- coming back ------------------------------------------------------------------------------ */

static bool selectors_ok(const struct abi_ucontext *uc)
{
    /* Linux lets iret fault on a selector that is none; there is only one good one of each. */
    if ((uc->mcontext.cs | 3) != GUEST_CS) {
        return false;
    }
    return !(uc->flags & ABI_UC_STRICT_RESTORE_SS) || (uc->mcontext.ss | 3) == GUEST_SS;
}

static void take_context(struct guest_regs *r, const struct abi_sigcontext *c)
{
    r->r8 = c->r8;
    r->r9 = c->r9;
    r->r10 = c->r10;
    r->r11 = c->r11;
    r->r12 = c->r12;
    r->r13 = c->r13;
    r->r14 = c->r14;
    r->r15 = c->r15;
    r->rdi = c->rdi;
    r->rsi = c->rsi;
    r->rbp = c->rbp;
    r->rbx = c->rbx;
    r->rdx = c->rdx;
    r->rax = c->rax;
    r->rcx = c->rcx;
    r->rsp = c->rsp;
    r->rip = c->rip;
    r->cs = GUEST_CS;
    r->ss = GUEST_SS;
    r->rflags = (r->rflags & ~(uint64_t)FLAGS_FROM_FRAME) | (c->rflags & FLAGS_FROM_FRAME) |
                GUEST_FLAGS_FIXED;
    r->orig_rax = ~0ull; /* no call to restart */
}

int signal_frame_pop(struct task *t)
{
    struct guest_regs *r = task_regs(t);
    struct abi_ucontext uc;
    /* The handler's return took pretcode off the stack. */
    uint64_t frame = r->rsp - sizeof(uint64_t);
    if (user_read(t, &uc, gaddr_of(frame + offsetof(struct abi_sigframe, uc)), sizeof uc)) {
        return -EFAULT;
    }
    t->sig.blocked = uc.sigmask & ~SIG_KERNEL_ONLY;
    if (!selectors_ok(&uc) || !gaddr_range_ok(gaddr_of(uc.mcontext.rip), 1)) {
        return -EFAULT;
    }
    take_context(r, &uc.mcontext);
    if (signal_fp_pop(t, uc.mcontext.fpstate)) {
        return -EFAULT;
    }
    /* Like Linux: a nonsensical stack in the frame changes nothing (restore_altstack). */
    (void)signal_set_altstack(t, &uc.stack, r->rsp, ABI_MINSIGSTKSZ);
    return 0;
}
