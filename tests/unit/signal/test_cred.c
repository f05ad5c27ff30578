/* Ids, capabilities, limits and process groups. */
#include "signal_fixture.h"

#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"

static void test_setuid(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    assert_int_equal(fix_call(fm, t, sys_setresuid, FAKE_ARGS(0, 1000, 0)), 0);
    assert_int_equal(t->cred.cap_effective, 0); /* effective root is gone ... */
    assert_int_not_equal(t->cred.cap_permitted, 0);
    assert_int_equal(fix_call(fm, t, sys_setresuid, FAKE_ARGS(~0u, 0, ~0u)), 0);
    assert_int_equal(t->cred.cap_effective, t->cred.cap_permitted); /* ... and comes back */
    assert_int_equal(fix_call(fm, t, sys_setuid, FAKE_ARGS(1000)), 0);
    assert_int_equal(t->cred.cap_permitted, 0);
    assert_int_equal(fix_call(fm, t, sys_setuid, FAKE_ARGS(0)), -EPERM);
    assert_int_equal(fix_call(fm, t, sys_setuid, FAKE_ARGS(~0u)), -EINVAL);
    assert_int_equal(fix_call(fm, t, sys_setfsuid, FAKE_ARGS(5)), 1000);
    assert_int_equal(t->cred.fsuid, 1000);
    assert_int_equal(fix_call(fm, t, sys_setreuid, FAKE_ARGS(~0u, 1001)), -EPERM);
    fix_destroy(fm);
}

static void test_keepcaps_and_exec(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    cred_fini(&fm->m, &t->cred);
    cred_init(&fm->m, &t->cred, 0, 0, NULL, 0);
    assert_int_equal(t->cred.cap_permitted, 0);
    cred_grant(&t->cred, &(struct plan_node){.capabilities = PLAN_CAPABILITIES});
    assert_int_equal(t->cred.cap_permitted, PLAN_CAPABILITIES);
    t->cred.keep_caps = true;
    assert_int_equal(fix_call(fm, t, sys_setuid, FAKE_ARGS(1000)), 0);
    assert_int_equal(t->cred.cap_permitted, PLAN_CAPABILITIES);
    assert_int_equal(t->cred.cap_effective, 0);
    assert_false(cred_exec(t, 1000, 0));
    assert_int_equal(t->cred.cap_permitted, 0); /* no file capabilities, no root */
    assert_true(cred_exec(t, 0, 0));            /* set-user-ID root */
    assert_int_equal(t->cred.cap_effective, PLAN_CAPABILITIES);
    assert_int_equal(t->cred.suid, 0);
    t->cred.euid = 1000;
    t->cred.no_new_privs = true;
    cred_exec(t, 0, 0);
    assert_int_equal(t->cred.euid, 1000);
    fix_destroy(fm);
}

static void test_groups(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    gaddr a = fake_guest(fm, 64);
    uint32_t *g = fake_ptr(a);
    g[0] = 30;
    g[1] = 10;
    g[2] = 20;
    assert_int_equal(fix_call(fm, t, sys_setgroups, FAKE_ARGS(3, a.va)), 0);
    assert_int_equal(fix_call(fm, t, sys_getgroups, FAKE_ARGS(0, 0)), 3);
    assert_int_equal(fix_call(fm, t, sys_getgroups, FAKE_ARGS(2, a.va)), -EINVAL);
    assert_int_equal(fix_call(fm, t, sys_getgroups, FAKE_ARGS(16, a.va)), 3);
    assert_true(g[0] == 10 && g[1] == 20 && g[2] == 30);
    assert_true(cred_in_group(&t->cred, 20));
    assert_false(cred_in_group(&t->cred, 21));
    fake_become(t, 1, 1);
    assert_int_equal(fix_call(fm, t, sys_setgroups, FAKE_ARGS(0, 0)), -EPERM);
    cred_fini(&fm->m, &t->cred);
    fix_destroy(fm);
}

static void test_limits(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    gaddr a = fake_guest(fm, 16);
    struct rlimit_pair *r = fake_ptr(a);
    *r = (struct rlimit_pair){2000000, 2000000};
    assert_int_equal(fix_call(fm, t, sys_prlimit64, FAKE_ARGS(0, 7, a.va, 0)), -EPERM);
    *r = (struct rlimit_pair){10, 5};
    assert_int_equal(fix_call(fm, t, sys_setrlimit, FAKE_ARGS(7, a.va)), -EINVAL);
    *r = (struct rlimit_pair){10, 20};
    assert_int_equal(fix_call(fm, t, sys_setrlimit, FAKE_ARGS(7, a.va)), 0);
    fake_become(t, 1000, 1000);
    *r = (struct rlimit_pair){10, 21};
    assert_int_equal(fix_call(fm, t, sys_setrlimit, FAKE_ARGS(7, a.va)), -EPERM);
    assert_int_equal(fix_call(fm, t, sys_getrlimit, FAKE_ARGS(16, a.va)), -EINVAL);
    assert_int_equal(fix_call(fm, t, sys_prlimit64, FAKE_ARGS(1, 7, 0, a.va)), -EPERM);
    assert_int_equal(fix_call(fm, t, sys_setpriority, FAKE_ARGS(0, 0, 5)), 0);
    assert_int_equal(fix_call(fm, t, sys_getpriority, FAKE_ARGS(0, 0)), 15);
    t->process->rlimits[13].soft = 0; /* RLIMIT_NICE */
    assert_int_equal(fix_call(fm, t, sys_setpriority, FAKE_ARGS(0, 0, 4)), -EACCES);
    fix_destroy(fm);
}

static void test_sessions(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *shell = fix_process(fm), *job = fix_process(fm);
    list_del(&job->process->sibling_link);
    job->process->parent = shell->process;
    list_add_tail(&shell->process->children, &job->process->sibling_link);
    job->process->pgid = job->process->sid = shell->process->pid;
    uint64_t pid = (uint64_t)job->tid;
    assert_int_equal(fix_call(fm, shell, sys_setpgid, FAKE_ARGS(pid, 77)), -EPERM);
    assert_int_equal(fix_call(fm, shell, sys_setpgid, FAKE_ARGS(pid, pid)), 0);
    assert_int_equal(job->process->pgid, job->tid);
    job->process->exec_done = true;
    assert_int_equal(fix_call(fm, shell, sys_setpgid, FAKE_ARGS(pid, pid)), -EACCES);
    assert_int_equal(fix_call(fm, job, sys_setpgid, FAKE_ARGS((uint64_t)shell->tid, 0)), -ESRCH);
    assert_int_equal(fix_call(fm, shell, sys_setpgid, FAKE_ARGS(0, 0)), -EPERM); /* leader */
    assert_int_equal(fix_call(fm, job, sys_setsid, FAKE_ARGS(0)), -EPERM);       /* group leader */
    assert_false(session_group_orphaned(&fm->node, job->tid, NULL));
    /* The shell dies: its stopped job is told. */
    fix_action(job->process, SIGNAL_HUP, FIX_HANDLER, 0, 0);
    job->process->sig.stopped = true;
    job->process->sig.stop_signo = SIGNAL_TSTP;
    job->state = TASK_STOPPED;
    session_process_exit(shell->process);
    assert_true(signal_pending_set(job) & SIG_BIT(SIGNAL_HUP));
    assert_int_equal(job->state, TASK_RUNNABLE);
    fix_destroy(fm);
}

static void test_capset(void **state)
{
    struct fake_machine *fm = fix_create();
    struct task *t = fix_process(fm);
    gaddr h = fake_guest(fm, 8), d = fake_guest(fm, 24);
    uint32_t *head = fake_ptr(h), *data = fake_ptr(d);
    head[0] = 1;
    head[1] = 0;
    head[0] = 0xbad;
    assert_int_equal(fix_call(fm, t, sys_capget, FAKE_ARGS(h.va, 0)), 0); /* asks for the version */
    assert_int_equal(head[0], 0x20080522);
    assert_int_equal(fix_call(fm, t, sys_capget, FAKE_ARGS(h.va, d.va)), 0);
    assert_int_equal(data[0], (uint32_t)t->cred.cap_effective);
    memset(data, 0, 24);
    data[1] = 1 << 6; /* permitted: CAP_SETGID only */
    assert_int_equal(fix_call(fm, t, sys_capset, FAKE_ARGS(h.va, d.va)), 0);
    data[0] = 1 << 6 | 1 << 7;
    assert_int_equal(fix_call(fm, t, sys_capset, FAKE_ARGS(h.va, d.va)), -EPERM);
    data[0] = 1 << 6;
    assert_int_equal(fix_call(fm, t, sys_capset, FAKE_ARGS(h.va, d.va)), 0);
    assert_int_equal(t->cred.cap_effective, 1 << 6);
    fix_destroy(fm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setuid),   cmocka_unit_test(test_keepcaps_and_exec),
        cmocka_unit_test(test_groups),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_capset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
