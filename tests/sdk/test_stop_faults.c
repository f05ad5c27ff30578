/* The stop-faults helper: what it asks the kernel for, watched and answered with ptrace, and how it
 * fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/guestcall.h"

static const char *program;

struct result {
    int status;
    unsigned calls;
    uint64_t milliseconds;
};

static void run_child(const char *argument)
{
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execl(program, "stop-faults", argument, (char *)NULL);
    _exit(99);
}

/* `answer` is what the kernel of the universe says; -ENOSYS is plain Linux. */
static struct result run(const char *argument, long answer)
{
    struct result result = {0};
    int status;
    bool entering = true;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run_child(argument);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    for (;;) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, 0, 0), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSTOPPED(status)) {
            break;
        }
        struct user_regs_struct registers;
        assert_int_equal(ptrace(PTRACE_GETREGS, child, 0, &registers), 0);
        if (registers.orig_rax == GUESTCALL_STOP_FAULTS && entering) {
            result.calls++;
            result.milliseconds = registers.rdi;
        } else if (registers.orig_rax == GUESTCALL_STOP_FAULTS) {
            registers.rax = (unsigned long long)answer;
            assert_int_equal(ptrace(PTRACE_SETREGS, child, 0, &registers), 0);
        }
        entering = !entering;
    }
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

static void test_periods(void **state)
{
    static const struct {
        const char *argument;
        uint64_t milliseconds;
    } rows[] = {
        {"0", 0},
        {"1", 1000},
        {"30", 30000},
        {"0.5", 500},
        {".25", 250},
        {"3.", 3000},
        {"1.234", 1234},
        {"1.2341", 1235},
        {"1.2340", 1234},
        {"0.0001", 1},
        {"31536000", 31536000000},
        {"007", 7000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result result = run(rows[i].argument, 0);
        assert_int_equal(result.status, 0);
        assert_int_equal(result.calls, 1);
        assert_int_equal(result.milliseconds, rows[i].milliseconds);
    }
}

static void test_wrong_usage(void **state)
{
    static const char *const rows[] = {"",      ".",  "-1",       "+1",
                                       "1e3",   "1s", " 1",       "1 ",
                                       "1.5.5", "x",  "31536001", "99999999999999999999999",
                                       "1,5"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result result = run(rows[i], 0);
        assert_int_equal(result.status, 2);
        assert_int_equal(result.calls, 0);
    }
    assert_int_equal(run(NULL, 0).status, 2);
}

static void test_outside(void **state)
{
    struct result result = run("1", -ENOSYS);
    assert_int_equal(result.status, 1);
    assert_int_equal(result.calls, 1);
    assert_int_equal(run("1", -EINVAL).status, 1);
}

static void test_help(void **state)
{
    assert_int_equal(run("--help", 0).status, 0);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_stop_faults PROGRAM\n");
        return 2;
    }
    program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
