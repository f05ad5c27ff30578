/* Instructions that trap so that the kernel answers in the processor's place: RDTSC and RDTSCP,
 * which the host lets trap, and RDRAND, RDSEED and RDPID, which patch.c makes trap. */
#include "abi/pack.h"
#include "base/str.h"
#include "entry/engine.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/dev.h"

#define FLAG_CF     0x001u
#define FLAGS_ARITH 0x8d5u /* CF PF AF ZF SF OF */

static unsigned tsc_length(uint64_t rip)
{
    unsigned char b[3] = {0};
    size_t n = 3 - usercopy_bytes(b, (const void *)(uintptr_t)rip, 3);
    if (n >= 2 && b[0] == 0x0f && b[1] == 0x31) {
        return 2;
    }
    return n == 3 && b[0] == 0x0f && b[1] == 0x01 && b[2] == 0xf9 ? 3 : 0;
}

bool processor_is_tsc(uint64_t rip)
{
    return tsc_length(rip) != 0;
}

/* Nanoseconds of virtual time: a constant 1 GHz clock. */
void processor_tsc(struct task *t, struct guest_regs *f)
{
    unsigned len = tsc_length(f->rip);
    struct machine *m = t->m;
    m->clock.now += m->clock.clock_cost_ns;
    m->sched.clock_streak++;
    uint64_t tsc = m->clock.now;
    f->rax = tsc & 0xffffffff;
    f->rdx = tsc >> 32;
    if (len == 3) {
        f->rcx = 0; /* IA32_TSC_AUX: CPU 0, node 0 */
    }
    f->rip += len;
}

static uint64_t *reg(struct guest_regs *f, unsigned number)
{
    uint64_t *const all[16] = {&f->rax, &f->rcx, &f->rdx, &f->rbx, &f->rsp, &f->rbp,
                               &f->rsi, &f->rdi, &f->r8,  &f->r9,  &f->r10, &f->r11,
                               &f->r12, &f->r13, &f->r14, &f->r15};
    return all[number & 15];
}

struct group9 {
    unsigned length, reg;
    unsigned bytes; /* of the operand */
    bool is_rdpid;
};

/* Prefixes, 0f 0b where 0f c7 was, ModRM (Intel SDM, RDRAND, RDSEED, RDPID). */
static struct group9 decode(uint64_t rip)
{
    unsigned char b[PACK_TRAP_MAX] = {0};
    size_t n = sizeof b - usercopy_bytes(b, (const void *)(uintptr_t)rip, sizeof b);
    struct group9 g = {.bytes = 4};
    unsigned rex = 0, i = 0;
    bool repeated = false;
    for (; i + 2 < n && b[i] != 0x0f; i++) {
        rex = (b[i] & 0xf0) == 0x40 ? b[i] : 0;
        g.bytes = b[i] == 0x66 ? 2 : g.bytes;
        repeated |= b[i] == 0xf3;
    }
    g.bytes = rex & 8 ? 8 : g.bytes;
    g.reg = (b[i + 2] & 7) | (rex & 1) << 3;
    g.is_rdpid = repeated && (b[i + 2] & 0x38) == 0x38;
    g.length = i + 3;
    return g;
}

void processor_random(struct task *t, struct guest_regs *f)
{
    struct group9 g = decode(f->rip);
    uint64_t value = 0; /* RDPID: CPU 0, node 0; no flags */
    t->m->clock.now += t->m->clock.clock_cost_ns;
    if (!g.is_rdpid) {
        entropy_bytes(t, &value, g.bytes);
        f->rflags = (f->rflags & ~(uint64_t)FLAGS_ARITH) | FLAG_CF; /* CF: the number is good */
    }
    if (g.bytes == 2 && !g.is_rdpid) {
        memcpy(reg(f, g.reg), &value, 2);
    } else {
        *reg(f, g.reg) = value;
    }
    f->rip += g.length;
}
