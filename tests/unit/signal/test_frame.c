/* Signal frames: the layout programs rely on, the way back, and hostile frames. */
#include "signal_fixture.h"

#include "kernel/syscalls/handlers.h"

static void raise_in(struct task *t, int signo)
{
    struct siginfo info = fix_info(signo, ABI_SI_QUEUE, 0xabcdef);
    assert_int_equal(signal_send_task(t, &info), 0);
}

static void fill_registers(struct guest_regs *r)
{
    r->r8 = 8;
    r->r9 = 9;
    r->r10 = 10;
    r->r11 = 11;
    r->r12 = 12;
    r->r13 = 13;
    r->r14 = 14;
    r->r15 = 15;
    r->rdi = 16;
    r->rsi = 17;
    r->rbp = 18;
    r->rbx = 19;
    r->rdx = 20;
    r->rax = 21;
    r->rcx = 22;
    r->rflags = 0x246 | 0x400;
}

static uint64_t word(uint64_t frame, unsigned offset)
{
    return *(const uint64_t *)(frame + offset);
}

/* Offsets as recorded from a handler's third argument on Linux x86-64, not from our structs. */
static void test_layout(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct guest_regs *r = task_regs(t), before;
    fill_registers(r);
    before = *r;
    t->sig.blocked = SIG_BIT(SIGNAL_HUP);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, ABI_SA_SIGINFO, 0);
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    uint64_t f = r->rsp, uc = r->rdx;
    assert_int_equal(f % 16, 8); /* as behind a call */
    assert_true(f + 440 <= before.rsp - 128);
    assert_int_equal(uc, f + 8);
    assert_int_equal(r->rsi, f + 312);
    assert_int_equal(r->rdi, SIGNAL_USR1);
    assert_int_equal(r->rax, 0);
    assert_int_equal(r->rip, FIX_HANDLER);
    assert_int_equal(r->rflags & 0x400, 0); /* DF */
    assert_int_equal(word(f, 0), FIX_RESTORER);
    assert_int_equal(word(uc, 0), 7);  /* uc_flags */
    for (unsigned i = 0; i < 8; i++) { /* gregs[0..7]: r8 .. r15 */
        assert_int_equal(word(uc, 40 + 8 * i), 8 + i);
    }
    assert_int_equal(word(uc, 40 + 8 * 8), 16);  /* REG_RDI */
    assert_int_equal(word(uc, 40 + 8 * 13), 21); /* REG_RAX */
    assert_int_equal(word(uc, 40 + 8 * 15), before.rsp);
    assert_int_equal(word(uc, 40 + 8 * 16), before.rip);
    assert_int_equal(word(uc, 40 + 8 * 17), before.rflags);
    assert_int_equal(word(uc, 40 + 8 * 18), 0x002b000000000033ull); /* cs gs fs ss */
    assert_int_equal(word(uc, 296), SIG_BIT(SIGNAL_HUP));
    uint64_t fp = word(uc, 40 + 184);
    assert_int_equal(fp % 64, 0);
    assert_int_equal(*(const uint32_t *)(fp + 464), 0x46505853u);
    assert_int_equal(*(const uint32_t *)(fp + 468), FIX_FP_SIZE + 4);
    assert_int_equal(word(fp, 472), FIX_FP_MASK);
    assert_int_equal(*(const uint32_t *)(fp + 480), FIX_FP_SIZE);
    assert_int_equal(*(const uint32_t *)(fp + FIX_FP_SIZE), 0x46505845u);
    assert_int_equal(word(fp, 512), FIX_FP_MASK); /* canonical: every component present */
    const struct siginfo *info = (const void *)r->rsi;
    assert_int_equal(info->signo, SIGNAL_USR1);
    assert_int_equal(info->kill.value, 0xabcdef);
    fix_destroy(fm);
}

/* The restorer's `ret` popped pretcode. */
static int64_t sigreturn(struct fake_machine *fm, struct task *t)
{
    task_regs(t)->rsp += 8;
    return fix_call(fm, t, sys_rt_sigreturn, FAKE_ARGS(0));
}

static void test_round_trip(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct guest_regs *r = task_regs(t), before;
    fill_registers(r);
    before = *r;
    fm->port.fp_save(t);
    unsigned char *fp = task_fp_area(t);
    fp[160] = 0x5a; /* xmm0 */
    fp[576] = 0xa5; /* ymm0, upper half */
    *(uint32_t *)(void *)(fp + 24) = 0x1fa0;
    *(uint64_t *)(void *)(fp + 512) = 7;
    fm->port.fp_restore(t);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, SIG_BIT(SIGNAL_HUP));
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    fm->port.fp_save(t); /* the handler starts with initial FP registers */
    assert_int_equal(*(uint64_t *)(void *)(fp + 512), 0);
    assert_int_equal(*(uint32_t *)(void *)(fp + 24), 0x1f80);
    assert_int_equal(t->sig.blocked, SIG_BIT(SIGNAL_USR1) | SIG_BIT(SIGNAL_HUP));
    r->rbx = 999;
    sigreturn(fm, t);
    before.orig_rax = ~0ull;
    assert_memory_equal(r, &before, sizeof before);
    assert_int_equal(t->sig.blocked, 0);
    fm->port.fp_save(t);
    assert_int_equal(fp[160], 0x5a);
    assert_int_equal(fp[576], 0xa5);
    assert_int_equal(*(uint32_t *)(void *)(fp + 24), 0x1fa0);
    assert_int_equal(*(uint64_t *)(void *)(fp + 512), 7);
    fix_destroy(fm);
}

struct hostile {
    const char *what;
    unsigned offset; /* from the frame */
    bool in_fp;
    uint64_t value;
};

/* Whatever the frame says, the result is SIGSEGV or something harmless. */
static void test_hostile_frames(void **state)
{
    static const struct hostile cases[] = {
        {"cs", 8 + 40 + 8 * 18, false, 0x002b000000000010ull},
        {"ss", 8 + 40 + 8 * 18, false, 0x0010000000000033ull},
        {"rip in the kernel half", 8 + 40 + 8 * 16, false, 0xffffffff81000000ull},
        {"rip not canonical", 8 + 40 + 8 * 16, false, 0x8000000000000000ull},
        {"rip outside of guest memory", 8 + 40 + 8 * 16, false, 0x610000000000ull},
        {"fpstate unmapped", 8 + 40 + 184, false, 0x1000},
        {"xstate_bv", 512, true, 1ull << 62},
        {"xcomp_bv", 520, true, 1ull << 63},
        {"header reserved", 528, true, 1},
        {"mxcsr", 24, true, 0xffffffffull},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_machine *fm = fix_create();
        struct task *t = fix_process(fm);
        fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
        raise_in(t, SIGNAL_USR1);
        assert_int_equal(fix_deliver(fm, t), -1);
        uint64_t f = task_regs(t)->rsp;
        uint64_t base = cases[i].in_fp ? word(f, 8 + 40 + 184) : f;
        *(uint64_t *)(base + cases[i].offset) = cases[i].value;
        sigreturn(fm, t);
        if (!(signal_pending_set(t) & SIG_BIT(SIGNAL_SEGV))) {
            fail_msg("%s went unnoticed", cases[i].what);
        }
        assert_int_equal(fix_deliver(fm, t), SIGNAL_SEGV);
        fix_destroy(fm);
    }
}

/* Flags only the kernel may set do not come back. */
static void test_flags(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    *(uint64_t *)(task_regs(t)->rsp + 8 + 40 + 8 * 17) = ~0ull;
    sigreturn(fm, t);
    assert_int_equal(task_regs(t)->rflags & (0x3000 | 0x20000 | 0x100000 | 0x80000), 0);
    assert_true(task_regs(t)->rflags & 0x200);
    fix_destroy(fm);
}

/* Without XSAVE magic only FXSAVE state is restored; a null pointer gives initial state. */
static void test_legacy_fp(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    unsigned char *fp = task_fp_area(t);
    for (int null = 0; null < 2; null++) {
        fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
        raise_in(t, SIGNAL_USR1);
        assert_int_equal(fix_deliver(fm, t), -1);
        uint64_t f = task_regs(t)->rsp, area = word(f, 8 + 40 + 184);
        *(unsigned char *)(area + 161) = 0x77;
        *(unsigned char *)(area + 600) = 0x77;
        *(uint32_t *)(area + 464) = 0;
        if (null) {
            *(uint64_t *)(f + 8 + 40 + 184) = 0;
        }
        sigreturn(fm, t);
        assert_int_equal(signal_pending_set(t), 0);
        fm->port.fp_save(t);
        assert_int_equal(fp[161], null ? 0 : 0x77);
        assert_int_equal(*(uint64_t *)(void *)(fp + 512), null ? 0 : 3);
        assert_int_equal(*(uint16_t *)(void *)fp, 0x37f);
    }
    fix_destroy(fm);
}

static void set_altstack(struct fake_machine *fm, struct task *t, uint64_t sp, uint64_t size,
                         uint32_t flags, int64_t expected)
{
    gaddr a = fake_guest(fm, 24);
    *(struct abi_stack *)fake_ptr(a) = (struct abi_stack){.sp = sp, .size = size, .flags = flags};
    assert_int_equal(fix_call(fm, t, sys_sigaltstack, FAKE_ARGS(a.va, 0)), expected);
}

static void test_altstack(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    uint64_t stack = fake_guest(fm, 16384).va;
    uint64_t old_sp = task_regs(t)->rsp;
    set_altstack(fm, t, stack, 1024, 0, -ENOMEM);
    set_altstack(fm, t, stack, 16384, 8, -EINVAL);
    set_altstack(fm, t, stack, 16384, 0, 0);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, ABI_SA_ONSTACK | ABI_SA_NODEFER, 0);
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    uint64_t first = task_regs(t)->rsp;
    assert_true(first > stack && first < stack + 16384);
    set_altstack(fm, t, stack, 16384, 0, -EPERM); /* in use */
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    assert_true(task_regs(t)->rsp < first - 128); /* nested: goes on below */
    sigreturn(fm, t);
    sigreturn(fm, t);
    assert_int_equal(task_regs(t)->rsp, old_sp);
    /* SS_AUTODISARM: the stack is free while the handler runs, and armed again after it. */
    set_altstack(fm, t, stack, 16384, ABI_SS_AUTODISARM, 0);
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    assert_int_equal(t->sig.altstack_size, 0);
    sigreturn(fm, t);
    assert_int_equal(t->sig.altstack_sp, stack);
    assert_int_equal(t->sig.altstack_flags, ABI_SS_AUTODISARM);
    fix_destroy(fm);
}

/* A frame that cannot be written kills, even with a SIGSEGV handler on the same bad stack. */
static void test_bad_stack(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    fix_action(t->process, SIGNAL_SEGV, FIX_HANDLER, 0, 0);
    task_regs(t)->rsp = 0x1000;
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), SIGNAL_SEGV);
    fix_destroy(fm);
}

/* Several signals: the last one's handler runs first, each frame returns to the one before. */
static void test_nesting(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    uint64_t rip = task_regs(t)->rip;
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    fix_action(t->process, SIGNAL_USR2, FIX_HANDLER + 1, 0, 0);
    raise_in(t, SIGNAL_USR2);
    raise_in(t, SIGNAL_USR1);
    assert_int_equal(fix_deliver(fm, t), -1);
    assert_int_equal(task_regs(t)->rip, FIX_HANDLER + 1);
    sigreturn(fm, t);
    assert_int_equal(task_regs(t)->rip, FIX_HANDLER);
    sigreturn(fm, t);
    assert_int_equal(task_regs(t)->rip, rip);
    fix_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),         cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_hostile_frames), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_legacy_fp),      cmocka_unit_test(test_altstack),
        cmocka_unit_test(test_bad_stack),      cmocka_unit_test(test_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
