/* Timers of guests: no drift, overruns, CPU time, sleeping and what is left of it. */
#include "signal_fixture.h"

#include "kernel/syscalls/handlers.h"
#include "kernel/time/clock.h"

#define MS 1000000ull

static int64_t set_itimer(struct fake_machine *fm, struct task *t, int which, uint64_t value_us,
                          uint64_t interval_us)
{
    gaddr a = fake_guest(fm, 32);
    int64_t *v = fake_ptr(a);
    v[0] = 0;
    v[1] = (int64_t)interval_us;
    v[2] = 0;
    v[3] = (int64_t)value_us;
    return fix_call(fm, t, sys_setitimer, FAKE_ARGS((uint64_t)which, a.va, 0));
}

/* The period counts from the last expiry, however late the signal was taken. */
static void test_itimer_drift(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct siginfo info;
    fix_action(t->process, SIGNAL_ALRM, FIX_HANDLER, 0, 0);
    assert_int_equal(set_itimer(fm, t, 0, 1000000, 0), -EINVAL);
    assert_int_equal(set_itimer(fm, t, 3, 0, 0), -EINVAL);
    assert_int_equal(set_itimer(fm, t, 0, 10000, 10000), 0);
    fake_advance(fm, 13 * MS);
    assert_true(signal_dequeue(t, ~0ull, &info));
    assert_int_equal(info.signo, SIGNAL_ALRM);
    assert_int_equal(t->process->sig.itimer_real.when, 20 * MS);
    fake_advance(fm, 42 * MS); /* 55: five periods passed, one signal */
    assert_true(signal_dequeue(t, ~0ull, &info));
    assert_false(signal_dequeue(t, ~0ull, &info));
    assert_int_equal(t->process->sig.itimer_real.when, 60 * MS);
    gaddr out = fake_guest(fm, 32);
    assert_int_equal(fix_call(fm, t, sys_getitimer, FAKE_ARGS(0, out.va)), 0);
    assert_int_equal(((int64_t *)fake_ptr(out))[3], 5000);
    assert_int_equal(fix_call(fm, t, sys_alarm, FAKE_ARGS(0)), 1); /* rounded up from 5 ms */
    assert_int_equal(fix_call(fm, t, sys_alarm, FAKE_ARGS(0)), 0);
    fix_destroy(fm);
}

static int32_t create(struct fake_machine *fm, struct task *t, int clock, int notify, int signo,
                      int tid)
{
    gaddr ev = fake_guest(fm, 64), id = fake_guest(fm, 16);
    *(struct abi_sigevent *)fake_ptr(ev) =
        (struct abi_sigevent){.value = 0x1122, .signo = signo, .notify = notify, .tid = tid};
    int64_t r = fix_call(fm, t, sys_timer_create, FAKE_ARGS((uint64_t)clock, ev.va, id.va));
    return r ? (int32_t)r : *(int32_t *)fake_ptr(id);
}

static void settime(struct fake_machine *fm, struct task *t, int32_t id, uint64_t flags,
                    uint64_t value, uint64_t interval)
{
    gaddr a = fake_guest(fm, 32);
    struct abi_timespec *v = fake_ptr(a);
    v[0] = timespec_of_ns(interval);
    v[1] = timespec_of_ns(value);
    assert_int_equal(fix_call(fm, t, sys_timer_settime, FAKE_ARGS((uint64_t)id, flags, a.va, 0)),
                     0);
}

static uint64_t remaining(struct fake_machine *fm, struct task *t, int32_t id)
{
    gaddr a = fake_guest(fm, 32);
    assert_int_equal(fix_call(fm, t, sys_timer_gettime, FAKE_ARGS((uint64_t)id, a.va)), 0);
    return timespec_ns((struct abi_timespec *)fake_ptr(a) + 1);
}

static void test_posix_timer(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct siginfo info;
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    assert_int_equal(create(fm, t, 1, ABI_SIGEV_SIGNAL, 65, 0), -EINVAL);
    assert_int_equal(create(fm, t, 99, ABI_SIGEV_SIGNAL, 10, 0), -EINVAL);
    assert_int_equal(create(fm, t, 4, ABI_SIGEV_SIGNAL, 10, 0), -EOPNOTSUPP);
    assert_int_equal(create(fm, t, 1, ABI_SIGEV_THREAD_ID, 10, 1), -EINVAL); /* not ours */
    int32_t id = create(fm, t, 1, ABI_SIGEV_SIGNAL, SIGNAL_USR1, 0);
    assert_int_equal(id, 0);
    settime(fm, t, id, 0, 10 * MS, 10 * MS);
    assert_int_equal(remaining(fm, t, id), 10 * MS);
    fake_advance(fm, 47 * MS); /* expired at 10; 20, 30, 40 are overruns */
    assert_true(signal_dequeue(t, ~0ull, &info));
    assert_int_equal(info.code, ABI_SI_TIMER);
    assert_int_equal(info.timer.overrun, 3);
    assert_int_equal(info.timer.value, 0x1122);
    assert_false(signal_dequeue(t, ~0ull, &info));
    assert_int_equal(fix_call(fm, t, sys_timer_getoverrun, FAKE_ARGS((uint64_t)id)), 3);
    assert_int_equal(remaining(fm, t, id), 3 * MS);
    fake_advance(fm, 3 * MS);
    assert_true(signal_dequeue(t, ~0ull, &info));
    assert_int_equal(info.timer.overrun, 0);
    /* Deleting takes a signal that still waits with it. */
    fake_advance(fm, 10 * MS);
    assert_true(signal_pending_set(t) & SIG_BIT(SIGNAL_USR1));
    assert_int_equal(fix_call(fm, t, sys_timer_delete, FAKE_ARGS((uint64_t)id)), 0);
    assert_int_equal(signal_pending_set(t), 0);
    assert_int_equal(fix_call(fm, t, sys_timer_delete, FAKE_ARGS((uint64_t)id)), -EINVAL);
    fix_destroy(fm);
}

/* One-shot, absolute, by the wall clock; and one that only counts. */
static void test_posix_timer_kinds(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    int32_t id = create(fm, t, 0, ABI_SIGEV_THREAD_ID, SIGNAL_USR1, t->tid);
    settime(fm, t, id, 1, (uint64_t)fm->m.clock.realtime_offset_ns + 5 * MS, 0);
    fake_advance(fm, 5 * MS);
    assert_true(t->sig.pending.set & SIG_BIT(SIGNAL_USR1));
    assert_int_equal(remaining(fm, t, id), 0);
    int32_t none = create(fm, t, 1, ABI_SIGEV_NONE, 0, 0);
    assert_int_equal(none, 1);
    settime(fm, t, none, 0, 4 * MS, 3 * MS);
    fake_advance(fm, 5 * MS);
    assert_int_equal(remaining(fm, t, none), 2 * MS);
    /* An ignored signal costs no endless expiries. */
    fix_action(t->process, SIGNAL_USR2, ABI_SIG_IGN, 0, 0);
    int32_t fast = create(fm, t, 1, ABI_SIGEV_SIGNAL, SIGNAL_USR2, 0);
    settime(fm, t, fast, 0, 1, 1);
    uint64_t before = fm->m.timers.next_seq;
    for (unsigned i = 0; i < 40; i++) {
        fake_advance(fm, MS);
    }
    assert_true(fm->m.timers.next_seq - before < 20);
    fix_destroy(fm);
}

static void test_cpu_timers(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    struct siginfo info;
    fix_action(t->process, SIGNAL_PROF, FIX_HANDLER, 0, 0);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    assert_int_equal(set_itimer(fm, t, 2, 1000, 1000), 0);
    int32_t id = create(fm, t, 2, ABI_SIGEV_SIGNAL, SIGNAL_USR1, 0);
    settime(fm, t, id, 0, 3 * MS, 0);
    fake_advance(fm, 1000 * MS); /* sleeping costs no CPU time */
    cpu_timers_check(t);
    assert_int_equal(signal_pending_set(t), 0);
    assert_int_equal(t->cpu_check_ns, MS);
    t->cpu_time_ns = 1500000;
    cpu_timers_check(t);
    assert_true(signal_dequeue(t, ~0ull, &info));
    assert_int_equal(info.signo, SIGNAL_PROF);
    assert_int_equal(t->cpu_check_ns, 2 * MS);
    t->cpu_time_ns = 3 * MS;
    cpu_timers_check(t);
    assert_int_equal(signal_pending_set(t), SIG_BIT(SIGNAL_PROF) | SIG_BIT(SIGNAL_USR1));
    /* RLIMIT_CPU */
    signal_dequeue(t, ~0ull, &info);
    signal_dequeue(t, ~0ull, &info);
    assert_int_equal(set_itimer(fm, t, 2, 0, 0), 0);
    t->process->rlimits[0] = (struct rlimit_pair){1, 2};
    t->cpu_time_ns = 1000 * MS;
    cpu_timers_check(t);
    assert_int_equal(signal_pending_set(t), SIG_BIT(SIGNAL_XCPU));
    t->cpu_time_ns = 2000 * MS;
    cpu_timers_check(t);
    assert_true(signal_pending_set(t) & SIG_BIT(SIGNAL_KILL));
    fix_destroy(fm);
}

static void test_nanosleep(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    gaddr ts = fake_guest(fm, 16), rem = fake_guest(fm, 16);
    struct abi_timespec *v = fake_ptr(ts), *left = fake_ptr(rem);
    *v = (struct abi_timespec){0, -1};
    const uint64_t *args = FAKE_ARGS(ts.va, rem.va);
    assert_int_equal(fix_call(fm, t, sys_nanosleep, args), -EINVAL);
    *v = (struct abi_timespec){0, 10 * MS};
    assert_int_equal(fix_call(fm, t, sys_nanosleep, args), FAKE_BLOCKED);
    fake_advance(fm, 4 * MS);
    fix_action(t->process, SIGNAL_USR1, FIX_HANDLER, 0, 0);
    signal_kernel(t->process, SIGNAL_USR1);
    assert_int_equal(fix_again(fm, t, sys_nanosleep, args), -ERESTART_RESTARTBLOCK);
    assert_int_equal(left->nsec, 6 * MS);
    assert_int_equal(t->restart_deadline, 10 * MS);
    struct siginfo info;
    assert_true(signal_dequeue(t, ~0ull, &info));
    /* A restart goes on towards the same instant. */
    memset(&t->call, 0, sizeof t->call);
    t->call.deadline = t->restart_deadline;
    struct sysargs a = {.a = {ts.va, rem.va}};
    assert_int_equal(sys_nanosleep(t, &a).kind, SYSRET_BLOCK);
    t->state = TASK_BLOCKED;
    fake_advance(fm, 6 * MS);
    assert_int_equal(fix_again(fm, t, sys_nanosleep, args), 0);
    assert_int_equal(fix_call(fm, t, sys_clock_nanosleep, FAKE_ARGS(4, 0, ts.va, 0)), -EOPNOTSUPP);
    assert_int_equal(fix_call(fm, t, sys_clock_nanosleep, FAKE_ARGS(12, 0, ts.va, 0)), -EINVAL);
    fix_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_itimer_drift),      cmocka_unit_test(test_posix_timer),
        cmocka_unit_test(test_posix_timer_kinds), cmocka_unit_test(test_cpu_timers),
        cmocka_unit_test(test_nanosleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
