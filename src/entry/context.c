/* Kernel contexts: switching green threads within a host process, handing the baton to another host
 * process, making new ones. */
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "base/str.h"
#include "entry/engine.h"
#include "entry/host.h"
#include "kernel/loader/exec.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/mm/usercopy.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/task.h"

#define SIGKILL_   9
#define XSAVE_MASK 0xe7u /* x87, SSE, AVX, AVX-512: what a signal frame may show */

static inline void xsaveopt(unsigned char *area)
{
    uint32_t lo = (uint32_t)engine.port.fp_mask;
    __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(lo), "d"(0) : "memory");
}

static inline void xsave(unsigned char *area)
{
    uint32_t lo = (uint32_t)engine.port.fp_mask;
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(lo), "d"(0) : "memory");
}

void fp_load(const unsigned char *area)
{
    uint32_t lo = (uint32_t)engine.port.fp_mask;
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(lo), "d"(0) : "memory");
}

static uint64_t get_fs(void)
{
    uint64_t v;
    __asm__ volatile("rdfsbase %0" : "=r"(v));
    return v;
}

static void set_fs(uint64_t v)
{
    __asm__ volatile("wrfsbase %0" : : "r"(v));
}

static uint64_t get_gs(void)
{
    uint64_t v;
    __asm__ volatile("rdgsbase %0" : "=r"(v));
    return v;
}

static void set_gs(uint64_t v)
{
    __asm__ volatile("wrgsbase %0" : : "r"(v));
}

struct kstack_head *kstack_head(const struct task *t)
{
    return (struct kstack_head *)(KSTACKS_ADDR + t->kstack * KSTACK_SIZE);
}

static uint64_t kstack_top(const struct task *t)
{
    return KSTACKS_ADDR + (t->kstack + 1) * KSTACK_SIZE;
}

void engine_set_current(struct task *t)
{
    engine.current = t;
    entry_kstack_top = kstack_top(t);
}

static void fp_save(struct task *t)
{
    unsigned char *area = kstack_head(t)->fp;
    memset(area + 512, 0, 64); /* the header must be clean for XRSTOR */
    xsave(area);
}

static void fp_restore(struct task *t)
{
    fp_load(kstack_head(t)->fp);
}

void context_init(void)
{
    uint32_t a, b, c, d, lo, hi;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    uint64_t mask = lo & XSAVE_MASK;
    uint32_t size = 576;
    for (uint32_t i = 2; i < 8; i++) {
        if (mask >> i & 1) {
            __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0xd), "c"(i));
            size = a + b > size ? a + b : size;
        }
    }
    if (size > sizeof(((struct kstack_head *)0)->fp)) {
        engine_panic("the CPU's floating-point state is larger than Everett has room for");
    }
    struct port *p = &engine.port;
    p->fp_mask = mask;
    p->fp_size = size;
    p->kstacks = (unsigned char *)KSTACKS_ADDR;
    p->fp_save = fp_save;
    p->fp_restore = fp_restore;
    p->get_fs = get_fs;
    p->set_fs = set_fs;
    p->get_gs = get_gs;
    p->set_gs = set_gs;
}

/* --- the baton -------------------------------------------------------------------------------- */

static void baton_give(uint32_t slot, struct task *t)
{
    struct baton *b = &engine.control->batons[slot];
    b->task = (uint64_t)(uintptr_t)t;
    __atomic_store_n(&b->word, 1, __ATOMIC_RELEASE);
    host_futex(&b->word, FUTEX_WAKE, 1);
}

static struct task *baton_wait(uint32_t slot)
{
    struct baton *b = &engine.control->batons[slot];
    while (__atomic_load_n(&b->word, __ATOMIC_ACQUIRE) == 0) {
        host_futex(&b->word, FUTEX_WAIT, 0);
    }
    __atomic_store_n(&b->word, 0, __ATOMIC_RELAXED);
    return (struct task *)(uintptr_t)b->task;
}

static void hand_over(struct task *next)
{
    struct control *c = engine.control;
    c->vtime_ns = engine.machine->clock.now;
    if (next->mm->host == MM_HOST_NONE) {
        next->mm->host = MM_HOST_ALIVE;
        baton_give(0, next);
    } else {
        baton_give(next->mm->slot, next);
    }
}

/* --- switching -------------------------------------------------------------------------------- */

static void switch_green(struct task *prev, struct task *next)
{
    static uint64_t abandoned;
    uint64_t *save = &abandoned;
    if (prev) {
        xsaveopt(kstack_head(prev)->fp);
        prev->fs_base = get_fs();
        prev->gs_base = get_gs();
        save = &kstack_head(prev)->saved_rsp;
    }
    engine_set_current(next);
    set_fs(next->fs_base);
    set_gs(next->gs_base);
    fp_load(kstack_head(next)->fp);
    context_switch(save, kstack_head(next)->saved_rsp);
}

void port_switch_to(struct machine *m, struct task *prev, struct task *next)
{
    (void)m;
    if (next->mm->slot != engine.slot || next->mm->host == MM_HOST_NONE) {
        hand_over(next);
        next = baton_wait(engine.slot);
        mm_catch_up(next->mm);
    }
    if (next != prev) {
        switch_green(prev, next);
    }
}

void port_prepare_thread(struct machine *m, struct task *parent, struct task *child)
{
    (void)m;
    struct guest_regs *frame = task_regs(child);
    *frame = *task_regs(parent);
    frame->rax = 0;
    if (child->fork_sp) {
        frame->rsp = child->fork_sp;
    }
    struct kstack_head *head = kstack_head(child);
    memset(head->fp + 512, 0, 64);
    xsave(head->fp);
    uint64_t *sp = (uint64_t *)frame;
    *--sp = (uint64_t)(uintptr_t)thread_start;
    for (int i = 0; i < 6; i++) {
        *--sp = 0;
    }
    head->saved_rsp = (uint64_t)(uintptr_t)sp;
}

static void die_with_runner(void)
{
    host3(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL_, 0);
}

static long host_clone(void)
{
    return host6(__NR_clone, HOST_CLONE_FLAGS, 0, 0, 0, 0, 0);
}

static _Noreturn void run_forked_child(struct task *child)
{
    engine.slot = child->mm->slot;
    engine_set_current(child);
    die_with_runner();
    watchdog_start();
    struct task *t = baton_wait(engine.slot);
    ASSERT(t == child);
    struct guest_regs *frame = task_regs(child);
    frame->rax = 0;
    if (child->fork_sp) {
        frame->rsp = child->fork_sp;
    }
    set_fs(child->fs_base);
    mm_forked(child);
    mm_catch_up(child->mm);
    if (child->set_child_tid) {
        (void)!user_write_u32(child, gaddr_of(child->set_child_tid), (uint32_t)child->tid);
    }
    enter_start(frame);
}

int port_fork_mm(struct machine *m, struct task *parent, struct task *child)
{
    (void)m;
    (void)parent;
    long pid = host_clone();
    if (pid == 0) {
        run_forked_child(child);
    }
    if (pid < 0) {
        engine_panic("the host refused to create a process");
    }
    return 0;
}

void port_exit_mm(struct machine *m, struct task *next)
{
    (void)m;
    hand_over(next);
    host3(__NR_exit_group, 0, 0, 0);
}

/* A task whose address space is new: this host process becomes it. */
static _Noreturn void run_fresh(struct task *t)
{
    engine.slot = t->mm->slot;
    engine_set_current(t);
    die_with_runner();
    watchdog_start();
    enter_start(task_regs(t));
}

_Noreturn void zygote_run(struct task *first)
{
    struct task *t = first;
    for (;;) {
        long pid = host_clone();
        if (pid == 0) {
            run_fresh(t);
        }
        if (pid < 0) {
            engine_panic("the host refused to create a process");
        }
        t = baton_wait(0);
    }
}
