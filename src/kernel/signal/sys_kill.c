/* kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2): sending on behalf of a program. */
#include "kernel/signal/signal_priv.h"

#include <linux/capability.h>

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"

/* kill(2), "permission": 0, -EINVAL for a signal that does not exist, -EPERM. */
static int may_send(const struct task *t, const struct process *p, int signo)
{
    if (signo < 0 || signo > SIG_MAX) {
        return -EINVAL;
    }
    if (p == t->process) {
        return 0;
    }
    const struct task *to = p->leader;
    if (!to) {
        return -ESRCH;
    }
    const struct credentials *me = &t->cred, *it = &to->cred;
    if (me->euid == it->suid || me->euid == it->uid || me->uid == it->suid || me->uid == it->uid ||
        task_capable(t, CAP_KILL)) {
        return 0;
    }
    return signo == SIGNAL_CONT && p->sid == t->process->sid ? 0 : -EPERM;
}

static int send_checked(struct task *t, struct process *p, const struct siginfo *info, int signo)
{
    int error = may_send(t, p, signo);
    if (error || signo == 0) {
        return error;
    }
    return signal_send_process(p, info);
}

static int send_to_group(struct task *t, abi_pid pgid, const struct siginfo *info, int signo)
{
    struct process *p;
    int result = -ESRCH;
    bool sent = false;
    list_for_each_entry (p, &t->node->processes, node_link) {
        if (p->pgid == pgid) {
            result = send_checked(t, p, info, signo);
            sent = sent || result == 0;
        }
    }
    return sent ? 0 : result;
}

/* kill(-1): everything but PID 1 and the caller. */
static int send_to_all(struct task *t, const struct siginfo *info, int signo)
{
    struct process *p;
    int result = 0, count = 0;
    list_for_each_entry (p, &t->node->processes, node_link) {
        if (p->pid > 1 && p != t->process) {
            int error = send_checked(t, p, info, signo);
            count++;
            result = error != -EPERM ? error : result;
        }
    }
    return count ? result : -ESRCH;
}

struct sysret sys_kill(struct task *t, const struct sysargs *a)
{
    abi_pid pid = (abi_pid)a->a[0];
    int signo = (int)a->a[1];
    struct siginfo info = signal_info_user(t, signo, ABI_SI_USER);
    if (pid == INT32_MIN) {
        return sys_done(-ESRCH);
    }
    if (pid > 0) {
        struct task *to = task_find(t->node, pid);
        return sys_done(to ? send_checked(t, to->process, &info, signo) : -ESRCH);
    }
    if (pid == -1) {
        return sys_done(send_to_all(t, &info, signo));
    }
    return sys_done(send_to_group(t, pid == 0 ? t->process->pgid : -pid, &info, signo));
}

/* To one thread; tgid 0: of any process. */
static int send_to_thread(struct task *t, abi_pid tgid, abi_pid tid, const struct siginfo *info,
                          int signo)
{
    struct task *to = task_find(t->node, tid);
    if (!to || (tgid > 0 && to->process->pid != tgid)) {
        return -ESRCH;
    }
    int error = may_send(t, to->process, signo);
    if (error || signo == 0) {
        return error;
    }
    return signal_send_task(to, info);
}

struct sysret sys_tkill(struct task *t, const struct sysargs *a)
{
    abi_pid tid = (abi_pid)a->a[0];
    int signo = (int)a->a[1];
    if (tid <= 0) {
        return sys_done(-EINVAL);
    }
    struct siginfo info = signal_info_user(t, signo, ABI_SI_TKILL);
    return sys_done(send_to_thread(t, 0, tid, &info, signo));
}

struct sysret sys_tgkill(struct task *t, const struct sysargs *a)
{
    abi_pid tgid = (abi_pid)a->a[0], tid = (abi_pid)a->a[1];
    int signo = (int)a->a[2];
    if (tgid <= 0 || tid <= 0) {
        return sys_done(-EINVAL);
    }
    struct siginfo info = signal_info_user(t, signo, ABI_SI_TKILL);
    return sys_done(send_to_thread(t, tgid, tid, &info, signo));
}

/* Only to itself may a process claim to be the kernel or kill(2) (rt_sigqueueinfo(2)). */
static int read_info(struct task *t, uint64_t addr, abi_pid target, int signo, struct siginfo *info)
{
    if (user_read(t, info, gaddr_of(addr), sizeof *info)) {
        return -EFAULT;
    }
    if ((info->code >= 0 || info->code == ABI_SI_TKILL) && target != t->process->pid) {
        return -EPERM;
    }
    info->signo = signo;
    return 0;
}

struct sysret sys_rt_sigqueueinfo(struct task *t, const struct sysargs *a)
{
    abi_pid pid = (abi_pid)a->a[0];
    int signo = (int)a->a[1];
    struct siginfo info;
    int error = read_info(t, a->a[2], pid, signo, &info);
    if (error) {
        return sys_done(error);
    }
    struct task *to = pid > 0 ? task_find(t->node, pid) : NULL;
    return sys_done(to ? send_checked(t, to->process, &info, signo) : -ESRCH);
}

struct sysret sys_rt_tgsigqueueinfo(struct task *t, const struct sysargs *a)
{
    abi_pid tgid = (abi_pid)a->a[0], tid = (abi_pid)a->a[1];
    int signo = (int)a->a[2];
    struct siginfo info;
    if (tgid <= 0 || tid <= 0) {
        return sys_done(-EINVAL);
    }
    int error = read_info(t, a->a[3], tgid, signo, &info);
    return sys_done(error ? error : send_to_thread(t, tgid, tid, &info, signo));
}
