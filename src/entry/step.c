/* Single-stepping of guests: exact and repeatable, 2 to 3 us an instruction on the host. The trap
 * flag is ours: the guest must not see it in its flags, and it must be off in engine text. */
#include "entry/engine.h"
#include "kernel/task/task.h"

#define FLAG_TRAP    0x100ul
#define TRAP_DEBUG   1 /* trap number of #DB */
#define OP_PUSHF     0x9c
#define PREFIX_16    0x66
#define PREFIX_REX   0x40 /* to 0x4f */
#define PREFIXES_MAX 3

uint64_t step_leave(uint64_t rflags)
{
    if (engine.step.on) {
        engine.step.on = false;
        rflags &= ~FLAG_TRAP;
    }
    return rflags;
}

static bool is_pushf(uint64_t rip)
{
    unsigned char b[PREFIXES_MAX + 1] = {0};
    size_t n = sizeof b - usercopy_bytes(b, (const void *)(uintptr_t)rip, sizeof b);
    for (size_t i = 0; i < n; i++) {
        if (b[i] == OP_PUSHF) {
            return true;
        }
        if (b[i] != PREFIX_16 && (b[i] & 0xf0) != PREFIX_REX) {
            return false;
        }
    }
    return false;
}

void step_guest(struct task *t, uint32_t n)
{
    struct guest_regs *f = task_regs(t);
    if (f->rflags & FLAG_TRAP) {
        return; /* the guest steps itself: its traps are its own */
    }
    f->rflags |= FLAG_TRAP; /* unlike r11, so that the way back is by iretq */
    engine.step.on = true;
    engine.step.left = n;
    engine.step.pushes = is_pushf(f->rip);
}

/* The flags just pushed, of two or eight bytes, begin at the stack pointer. */
static void hide_flag(uint64_t rsp)
{
    unsigned char second;
    unsigned char *at = (unsigned char *)(uintptr_t)(rsp + 1);
    if (usercopy_bytes(&second, at, 1) == 0) {
        second &= (unsigned char)~(FLAG_TRAP >> 8);
        usercopy_bytes(at, &second, 1);
    }
}

enum step_result step_trapped(struct host_context *c)
{
    if (!engine.step.on || c->trapno != TRAP_DEBUG) {
        return STEP_NOT;
    }
    if (trap_in_engine(c->rip)) {
        c->rflags = step_leave(c->rflags); /* a patched call site: the first instruction of ours */
        return STEP_ON;
    }
    if (engine.step.pushes) {
        hide_flag(c->rsp);
    }
    if (!patch_covers(c->rip) && --engine.step.left == 0) {
        return STEP_OVER;
    }
    engine.step.pushes = is_pushf(c->rip);
    c->rflags |= FLAG_TRAP; /* a popf has cleared it */
    return STEP_ON;
}
