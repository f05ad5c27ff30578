/* Sending, queueing, choosing and restarting: the rules of signal(7). */
#include "signal_fixture.h"

#include "kernel/syscalls/handlers.h"

#define RT 34

static uint64_t taken(struct task *t)
{
    struct siginfo info;
    assert_true(signal_dequeue(t, ~0ull, &info));
    return (uint64_t)info.signo << 32 | info.kill.value;
}

static void send(struct task *t, int signo, uint64_t value)
{
    struct siginfo info = fix_info(signo, ABI_SI_QUEUE, value);
    assert_int_equal(signal_send_process(t->process, &info), 0);
}

/* Standard signals are pending once with the first information; real-time ones queue in order; the
 * lowest number goes first, but faults before everything. */
static void test_queue_order(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    t->sig.blocked = ~0ull;
    send(t, RT + 1, 1);
    send(t, RT, 2);
    send(t, RT, 3);
    send(t, SIGNAL_USR1, 4);
    send(t, SIGNAL_USR1, 5);
    send(t, SIGNAL_HUP, 6);
    send(t, SIGNAL_SEGV, 7);
    assert_int_equal(taken(t), (uint64_t)SIGNAL_SEGV << 32 | 7);
    assert_int_equal(taken(t), (uint64_t)SIGNAL_HUP << 32 | 6);
    assert_int_equal(taken(t), (uint64_t)SIGNAL_USR1 << 32 | 4);
    assert_int_equal(taken(t), (uint64_t)RT << 32 | 2);
    assert_int_equal(taken(t), (uint64_t)RT << 32 | 3);
    assert_int_equal(taken(t), (uint64_t)(RT + 1) << 32 | 1);
    assert_int_equal(signal_pending_set(t), 0);
    fix_destroy(fm);
}

/* The thread's own signals come before the process's of the same number. */
static void test_thread_before_process(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    t->sig.blocked = ~0ull;
    send(t, RT, 1);
    struct siginfo info = fix_info(RT, ABI_SI_TKILL, 2);
    assert_int_equal(signal_send_task(t, &info), 0);
    assert_int_equal(taken(t), (uint64_t)RT << 32 | 2);
    assert_int_equal(taken(t), (uint64_t)RT << 32 | 1);
    fix_destroy(fm);
}

/* sigqueue fails when the queue is full; kill of a real-time signal never does. */
static void test_limit(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    t->sig.blocked = ~0ull;
    t->process->rlimits[11].soft = 2;
    send(t, RT, 1);
    send(t, RT, 2);
    struct siginfo info = fix_info(RT, ABI_SI_QUEUE, 3);
    assert_int_equal(signal_send_process(t->process, &info), -EAGAIN);
    info.code = ABI_SI_USER;
    info.signo = RT + 1;
    assert_int_equal(signal_send_process(t->process, &info), 0);
    assert_true(signal_pending_set(t) & SIG_BIT(RT + 1));
    fix_destroy(fm);
}

static void test_ignored(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    send(t, SIGNAL_CHLD, 0); /* ignored by default */
    fix_action(t->process, SIGNAL_USR1, ABI_SIG_IGN, 0, 0);
    send(t, SIGNAL_USR1, 0);
    assert_int_equal(signal_pending_set(t), 0);
    t->sig.blocked = SIG_BIT(SIGNAL_USR1) | SIG_BIT(SIGNAL_CHLD);
    send(t, SIGNAL_USR1, 0); /* kept: the disposition may change */
    send(t, SIGNAL_CHLD, 0);
    assert_int_equal(signal_pending_set(t), t->sig.blocked);
    gaddr act = fake_guest(fm, 32);
    *(struct abi_sigaction *)fake_ptr(act) = (struct abi_sigaction){.handler = ABI_SIG_IGN};
    assert_int_equal(fix_call(fm, t, sys_rt_sigaction, FAKE_ARGS(SIGNAL_USR1, act.va, 0, 8)), 0);
    assert_int_equal(signal_pending_set(t), SIG_BIT(SIGNAL_CHLD)); /* dropped by SIG_IGN */
    fix_destroy(fm);
}

static void test_stop_and_continue_cancel(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    t->sig.blocked = ~0ull;
    send(t, SIGNAL_TSTP, 0);
    send(t, SIGNAL_CONT, 0);
    assert_int_equal(signal_pending_set(t), SIG_BIT(SIGNAL_CONT));
    send(t, SIGNAL_TTIN, 0);
    assert_int_equal(signal_pending_set(t), SIG_BIT(SIGNAL_TTIN));
    fix_destroy(fm);
}

/* PID 1 only gets what it handles, except SIGKILL and SIGSTOP from outside of its node. */
static void test_init_is_immune(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *init = &fm->task;
    struct siginfo kill = fix_info(SIGNAL_KILL, ABI_SI_USER, 0);
    signal_send_process(init->process, &kill);
    signal_kernel(init->process, SIGNAL_TERM);
    assert_int_equal(signal_pending_set(init), 0);
    fix_action(init->process, SIGNAL_TERM, FIX_HANDLER, 0, 0);
    signal_kernel(init->process, SIGNAL_TERM);
    assert_int_equal(signal_pending_set(init), SIG_BIT(SIGNAL_TERM));
    signal_kernel(init->process, SIGNAL_KILL);
    assert_int_equal(fix_deliver(fm, init), SIGNAL_KILL);
    fix_destroy(fm);
}

/* The main thread if it does not block the signal, else the first that does not. */
static void test_thread_choice(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *main = fix_process(fm);
    struct task *second = fix_thread(fm, main->process);
    struct task *third = fix_thread(fm, main->process);
    fix_action(main->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    main->state = second->state = third->state = TASK_BLOCKED;
    main->sig.blocked = second->sig.blocked = SIG_BIT(SIGNAL_USR1);
    send(main, SIGNAL_USR1, 0);
    assert_int_equal(main->state, TASK_BLOCKED);
    assert_int_equal(second->state, TASK_BLOCKED);
    assert_int_equal(third->state, TASK_RUNNABLE);
    /* It blocks the signal before taking it: another that can take it is told. */
    second->sig.blocked = 0;
    gaddr set = fake_guest(fm, 8);
    *(uint64_t *)fake_ptr(set) = SIG_BIT(SIGNAL_USR1);
    assert_int_equal(
        fix_call(fm, third, sys_rt_sigprocmask, FAKE_ARGS(ABI_SIG_BLOCK, set.va, 0, 8)), 0);
    assert_int_equal(second->state, TASK_RUNNABLE);
    fix_destroy(fm);
}

static void test_restart_decisions(void **state)
{
    static const struct {
        int error;
        uint64_t handler, flags;
        int64_t rax; /* in the frame, or in the registers without a handler */
        bool again;
    } cases[] = {
        {ERESTARTSYS, FIX_HANDLER, 0, -EINTR, false},
        {ERESTARTSYS, FIX_HANDLER, ABI_SA_RESTART, 202, true},
        {ERESTARTNOINTR, FIX_HANDLER, 0, 202, true},
        {ERESTARTNOHAND, FIX_HANDLER, ABI_SA_RESTART, -EINTR, false},
        {ERESTART_RESTARTBLOCK, FIX_HANDLER, ABI_SA_RESTART, -EINTR, false},
        {EINTR, FIX_HANDLER, ABI_SA_RESTART, -EINTR, false},
        {ERESTARTSYS, ABI_SIG_IGN, 0, 202, true},
        {ERESTARTNOINTR, ABI_SIG_IGN, 0, 202, true},
        {ERESTARTNOHAND, ABI_SIG_IGN, 0, 202, true},
        {ERESTART_RESTARTBLOCK, ABI_SIG_IGN, 0, 219, true},
        {EINTR, ABI_SIG_IGN, 0, -EINTR, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_machine *fm = fix_create();
        struct task *t = fix_process(fm);
        struct guest_regs *r = task_regs(t);
        uint64_t rip = r->rip;
        r->orig_rax = 202;
        r->rax = (uint64_t) - (int64_t)cases[i].error;
        fix_action(t->process, SIGNAL_USR1, cases[i].handler, cases[i].flags, 0);
        t->sig.blocked = SIG_BIT(SIGNAL_USR1); /* an ignored one can only be pending so */
        send(t, SIGNAL_USR1, 0);
        t->sig.blocked = 0;
        assert_int_equal(fix_deliver(fm, t), -1);
        uint64_t rax = r->rax, at = r->rip;
        if (cases[i].handler == FIX_HANDLER) {
            const struct abi_sigframe *f = (const void *)r->rsp;
            assert_int_equal(r->rip, FIX_HANDLER);
            rax = f->uc.mcontext.rax;
            at = f->uc.mcontext.rip;
        }
        assert_int_equal(rax, cases[i].rax);
        assert_int_equal(at, cases[i].again ? rip - 2 : rip);
        fix_destroy(fm);
    }
}

/* sigsuspend: the handler runs under the temporary mask plus its own; its return restores the old.
 */
static void test_sigsuspend(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    gaddr set = fake_guest(fm, 8);
    *(uint64_t *)fake_ptr(set) = SIG_BIT(SIGNAL_USR2);
    t->sig.blocked = SIG_BIT(SIGNAL_USR1);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, SIG_BIT(SIGNAL_HUP));
    assert_int_equal(fix_call(fm, t, sys_rt_sigsuspend, FAKE_ARGS(set.va, 8)), FAKE_BLOCKED);
    assert_int_equal(t->sig.blocked, SIG_BIT(SIGNAL_USR2));
    send(t, SIGNAL_USR1, 0);
    assert_int_equal(t->state, TASK_RUNNABLE);
    task_regs(t)->orig_rax = 130;
    task_regs(t)->rax = (uint64_t)-ERESTARTNOHAND;
    assert_int_equal(fix_deliver(fm, t), -1);
    const struct abi_sigframe *f = (const void *)task_regs(t)->rsp;
    assert_int_equal(f->uc.sigmask, SIG_BIT(SIGNAL_USR1));
    assert_int_equal((int64_t)f->uc.mcontext.rax, -EINTR);
    assert_int_equal(t->sig.blocked,
                     SIG_BIT(SIGNAL_USR2) | SIG_BIT(SIGNAL_HUP) | SIG_BIT(SIGNAL_USR1));
    assert_false(t->sig.restore_blocked);
    fix_destroy(fm);
}

static void test_sigtimedwait(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    gaddr set = fake_guest(fm, 8), info = fake_guest(fm, 128), ts = fake_guest(fm, 16);
    *(uint64_t *)fake_ptr(set) = SIG_BIT(RT);
    *(struct abi_timespec *)fake_ptr(ts) = (struct abi_timespec){0, 1000};
    t->sig.blocked = SIG_BIT(RT);
    const uint64_t *args = FAKE_ARGS(set.va, info.va, ts.va, 8);
    assert_int_equal(fix_call(fm, t, sys_rt_sigtimedwait, args), FAKE_BLOCKED);
    send(t, RT, 77);
    assert_int_equal(fix_again(fm, t, sys_rt_sigtimedwait, args), RT);
    assert_int_equal(((struct siginfo *)fake_ptr(info))->kill.value, 77);
    assert_int_equal(fix_call(fm, t, sys_rt_sigtimedwait, args), FAKE_BLOCKED);
    fake_advance(fm, 1000);
    assert_int_equal(fix_again(fm, t, sys_rt_sigtimedwait, args), -EAGAIN);
    fix_destroy(fm);
}

static void test_kill_permission(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *a = fix_process(fm), *b = fix_process(fm);
    fake_become(a, 1000, 1000);
    fake_become(b, 1001, 1001);
    assert_int_equal(fix_call(fm, a, sys_kill, FAKE_ARGS((uint64_t)b->tid, 0)), -EPERM);
    assert_int_equal(fix_call(fm, a, sys_kill, FAKE_ARGS((uint64_t)b->tid, 65)), -EINVAL);
    assert_int_equal(fix_call(fm, a, sys_kill, FAKE_ARGS(99, 65)), -ESRCH);
    b->cred.suid = 1000; /* a set-user-ID program: its saved id counts */
    assert_int_equal(fix_call(fm, a, sys_kill, FAKE_ARGS((uint64_t)b->tid, 0)), 0);
    b->cred.suid = 1001;
    b->process->sid = a->process->sid; /* SIGCONT within a session */
    assert_int_equal(fix_call(fm, a, sys_kill, FAKE_ARGS((uint64_t)b->tid, SIGNAL_CONT)), 0);
    assert_int_equal(fix_call(fm, a, sys_kill, FAKE_ARGS((uint64_t)INT64_MIN >> 32, 0)), -ESRCH);
    assert_int_equal(fix_call(fm, a, sys_tgkill, FAKE_ARGS((uint64_t)b->tid, 0, 0)), -EINVAL);
    assert_int_equal(fix_call(fm, a, sys_tgkill, FAKE_ARGS((uint64_t)a->tid, (uint64_t)b->tid, 0)),
                     -ESRCH);
    fix_destroy(fm);
}

/* A fault whose signal is blocked or ignored kills, whatever the handler. */
static void test_forced_fault(void **state)
{
    for (int blocked = 0; blocked < 2; blocked++) {
        struct fake_machine *fm = fix_create();
        struct task *t = fix_process(fm);
        fix_action(t->process, SIGNAL_SEGV, blocked ? FIX_HANDLER : ABI_SIG_IGN, 0, 0);
        t->sig.blocked = blocked ? SIG_BIT(SIGNAL_SEGV) : 0;
        signal_force_fault(t, SIGNAL_SEGV, ABI_SEGV_MAPERR, 0x1234, 14, 6);
        assert_int_equal(fix_deliver(fm, t), SIGNAL_SEGV);
        fix_destroy(fm);
    }
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    fix_action(t->process, SIGNAL_SEGV, FIX_HANDLER, ABI_SA_SIGINFO, 0);
    signal_force_fault(t, SIGNAL_SEGV, ABI_SEGV_MAPERR, 0x1234, 14, 6);
    assert_int_equal(fix_deliver(fm, t), -1);
    const struct abi_sigframe *f = (const void *)task_regs(t)->rsp;
    assert_int_equal(f->uc.mcontext.cr2, 0x1234);
    assert_int_equal(f->uc.mcontext.trapno, 14);
    assert_int_equal(f->uc.mcontext.err, 6);
    fix_destroy(fm);
}

static struct task *stopper;

static void continue_it(struct machine *m)
{
    assert_int_equal(stopper->state, TASK_STOPPED);
    assert_true(stopper->process->sig.stopped);
    struct siginfo cont = fix_info(SIGNAL_CONT, ABI_SI_USER, 0);
    signal_send_process(stopper->process, &cont);
    assert_int_equal(stopper->state, TASK_RUNNABLE);
}

/* The last thread to stop reports it; SIGCONT reports too and lets all run. */
static void test_job_control(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct task *other = fix_thread(fm, t->process);
    fix_action(&fm->process, SIGNAL_CHLD, FIX_HANDLER, 0, 0);
    stopper = t;
    other->state = TASK_BLOCKED;
    struct siginfo stop = fix_info(SIGNAL_STOP, ABI_SI_USER, 0);
    signal_send_process(t->process, &stop);
    struct siginfo info;
    other->exiting = true; /* it exits instead of stopping */
    list_del(&other->thread_link);
    fix_on_schedule = continue_it;
    assert_int_equal(fix_deliver(fm, t), -1);
    assert_true(t->process->continue_pending);
    assert_false(t->process->sig.stopped);
    fm->task.sig.blocked = 0;
    assert_true(signal_dequeue(&fm->task, ~0ull, &info));
    assert_int_equal(info.signo, SIGNAL_CHLD);
    assert_int_equal(info.code, ABI_CLD_STOPPED);
    assert_int_equal(info.child.status, SIGNAL_STOP);
    list_add_tail(&t->process->threads, &other->thread_link);
    fix_destroy(fm);
}

static void test_child_exit(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct siginfo info;
    fix_action(&fm->process, SIGNAL_CHLD, FIX_HANDLER, 0, 0);
    t->process->exit_status = 3 << 8;
    assert_false(signal_child_exited(t->process));
    assert_true(signal_dequeue(&fm->task, ~0ull, &info));
    assert_int_equal(info.code, ABI_CLD_EXITED);
    assert_int_equal(info.child.status, 3);
    assert_int_equal(info.child.pid, t->tid);
    fix_action(&fm->process, SIGNAL_CHLD, FIX_HANDLER, ABI_SA_NOCLDWAIT, 0);
    assert_true(signal_child_exited(t->process));
    assert_true(signal_dequeue(&fm->task, ~0ull, &info)); /* still told */
    fix_action(&fm->process, SIGNAL_CHLD, ABI_SIG_IGN, 0, 0);
    assert_true(signal_child_exited(t->process));
    assert_false(signal_dequeue(&fm->task, ~0ull, &info));
    fix_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_order),
        cmocka_unit_test(test_thread_before_process),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_stop_and_continue_cancel),
        cmocka_unit_test(test_init_is_immune),
        cmocka_unit_test(test_thread_choice),
        cmocka_unit_test(test_restart_decisions),
        cmocka_unit_test(test_sigsuspend),
        cmocka_unit_test(test_sigtimedwait),
        cmocka_unit_test(test_kill_permission),
        cmocka_unit_test(test_forced_fault),
        cmocka_unit_test(test_job_control),
        cmocka_unit_test(test_child_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
