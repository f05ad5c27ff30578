/* Ids, capabilities, limits, sessions, prctl, scheduling attributes. */
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest_test.h"

static void test_drop_root(void)
{
    uid_t r, e, s;
    if (getuid() != 0) {
        SKIP("not root");
    }
    gid_t groups[] = {7, 3};
    CHECK(setgroups(2, groups) == 0);
    CHECK(getgroups(0, NULL) == 2);
    CHECK(setresgid(100, 100, 100) == 0);
    CHECK(setresuid(-1, 1000, -1) == 0);
    CHECK(getresuid(&r, &e, &s) == 0 && r == 0 && e == 1000 && s == 0);
    CHECK(seteuid(0) == 0);
    CHECK(setuid(1000) == 0);
    CHECK(getuid() == 1000 && geteuid() == 1000 && getgid() == 100);
    CHECK_ERR(setuid(0), EPERM);
    CHECK_ERR(setgroups(1, groups), EPERM);
    CHECK_ERR(kill(getppid(), 0), EPERM);
    CHECK_ERR(sethostname("x", 1), EPERM);
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    CHECK(syscall(SYS_capget, &h, d) == 0);
    CHECK(d[0].effective == 0 && d[0].permitted == 0);
}

static void test_limits(void)
{
    struct rlimit r, got;
    CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0);
    r.rlim_cur = 64;
    CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
    CHECK(prlimit(0, RLIMIT_NOFILE, NULL, &got) == 0 && got.rlim_cur == 64);
    r.rlim_cur = r.rlim_max + 1;
    if (r.rlim_max != RLIM_INFINITY) {
        CHECK_ERR(setrlimit(RLIMIT_NOFILE, &r), EINVAL);
    }
    CHECK_ERR(getrlimit(99, &r), EINVAL);
    int before = getpriority(PRIO_PROCESS, 0);
    CHECK(setpriority(PRIO_PROCESS, 0, before + 3 > 19 ? 19 : before + 3) == 0);
    CHECK(getpriority(PRIO_PROCESS, 0) == (before + 3 > 19 ? 19 : before + 3));
}

static void in_session(void)
{
    CHECK(setsid() == getpid());
    CHECK(getsid(0) == getpid() && getpgrp() == getpid());
    CHECK_ERR(setsid(), EPERM);
    CHECK_ERR(setpgid(0, 0), EPERM);
    CHECK_ERR(getpgid(0x7ffffff0), ESRCH);
}

static void test_prctls(void)
{
    char name[16] = "";
    int sig = 0;
    CHECK(prctl(PR_SET_NAME, "a-name-that-is-too-long") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a-name-that-is-") == 0);
    CHECK(prctl(PR_SET_PDEATHSIG, 15) == 0 && prctl(PR_GET_PDEATHSIG, &sig) == 0 && sig == 15);
    CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1);
    CHECK_ERR(prctl(PR_CAPBSET_READ, 63), EINVAL);
    CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
    CHECK(prctl(PR_GET_DUMPABLE) == 1);
    CHECK_ERR(prctl(12345), EINVAL);
}

static void test_scheduling(void)
{
    cpu_set_t set;
    struct sched_param p;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 3, &set), EINVAL);
    CHECK_ERR(sched_getaffinity(0x7ffffff0, sizeof set, &set), ESRCH);
    CHECK(sched_getcpu() >= 0);
    CHECK(syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER &&
          syscall(SYS_sched_getparam, 0, &p) == 0);
    CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1);
    CHECK_ERR(sched_get_priority_max(42), EINVAL);
    struct utsname u;
    CHECK(uname(&u) == 0 && strcmp(u.sysname, "Linux") == 0 && strcmp(u.machine, "x86_64") == 0);
    struct sysinfo si;
    CHECK(sysinfo(&si) == 0 && si.totalram > 0 && si.mem_unit >= 1 && si.procs >= 1);
}

/* In a child: a test leads a process group already. */
TEST(sessions)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        in_session();
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(drop_root), ENTRY(limits), ENTRY(prctls), ENTRY(scheduling), ENTRY(sessions),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
