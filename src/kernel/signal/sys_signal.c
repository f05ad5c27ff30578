/* rt_sigaction, rt_sigprocmask and the other calls by which a thread governs its own signals. */
#include "kernel/signal/signal_priv.h"

#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

#define SIGSET_SIZE 8u

/* sigaction(2). */
struct sysret sys_rt_sigaction(struct task *t, const struct sysargs *a)
{
    int signo = (int)a->a[0];
    struct abi_sigaction in = {0};
    if (a->a[3] != SIGSET_SIZE) {
        return sys_done(-EINVAL);
    }
    if (a->a[1] && user_read(t, &in, gaddr_of(a->a[1]), sizeof in)) {
        return sys_done(-EFAULT);
    }
    if (signo < 1 || signo > SIG_MAX || (a->a[1] && (SIG_BIT(signo) & SIG_KERNEL_ONLY))) {
        return sys_done(-EINVAL);
    }
    struct sigaction_entry *act = signal_action(t->process, signo);
    struct abi_sigaction old = {act->handler, act->flags, act->restorer, act->mask};
    if (a->a[1]) {
        act->handler = in.handler;
        act->flags = in.flags & ABI_SA_KNOWN;
        act->restorer = in.restorer;
        act->mask = in.mask & ~SIG_KERNEL_ONLY;
        signal_drop_ignored(t->process, signo);
    }
    if (a->a[2] && user_write(t, gaddr_of(a->a[2]), &old, sizeof old)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

static void set_blocked(struct task *t, uint64_t blocked)
{
    uint64_t newly = blocked & ~t->sig.blocked;
    t->sig.blocked = blocked & ~SIG_KERNEL_ONLY;
    if (newly & t->process->sig.pending.set) {
        signal_retarget(t->process, t); /* it might have been woken for one of them */
    }
}

/* sigprocmask(2). */
struct sysret sys_rt_sigprocmask(struct task *t, const struct sysargs *a)
{
    uint64_t old = t->sig.blocked, set;
    if (a->a[3] != SIGSET_SIZE) {
        return sys_done(-EINVAL);
    }
    if (a->a[1]) {
        if (user_read_u64(t, &set, gaddr_of(a->a[1]))) {
            return sys_done(-EFAULT);
        }
        set &= ~SIG_KERNEL_ONLY;
        switch ((int)a->a[0]) {
        case ABI_SIG_BLOCK:
            set_blocked(t, old | set);
            break;
        case ABI_SIG_UNBLOCK:
            set_blocked(t, old & ~set);
            break;
        case ABI_SIG_SETMASK:
            set_blocked(t, set);
            break;
        default:
            return sys_done(-EINVAL);
        }
    }
    if (a->a[2] && user_write_u64(t, gaddr_of(a->a[2]), old)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

/* sigpending(2); a shorter set size is allowed. */
struct sysret sys_rt_sigpending(struct task *t, const struct sysargs *a)
{
    uint64_t set = signal_pending_set(t) & t->sig.blocked;
    if (a->a[1] > SIGSET_SIZE) {
        return sys_done(-EINVAL);
    }
    return sys_done(user_write(t, gaddr_of(a->a[0]), &set, a->a[1]));
}

int signal_call_mask(struct task *t, uint64_t set_addr, uint64_t set_size)
{
    uint64_t set;
    if (!set_addr || t->sig.restore_blocked) {
        return 0;
    }
    if (set_size != SIGSET_SIZE) {
        return -EINVAL;
    }
    if (user_read_u64(t, &set, gaddr_of(set_addr))) {
        return -EFAULT;
    }
    t->sig.saved_blocked = t->sig.blocked;
    t->sig.restore_blocked = true;
    set_blocked(t, set);
    return 0;
}

void signal_call_mask_end(struct task *t)
{
    if (t->sig.restore_blocked) {
        t->sig.restore_blocked = false;
        set_blocked(t, t->sig.saved_blocked);
    }
}

/* sigsuspend(2): the mask comes back after the handler or with the restart. */
struct sysret sys_rt_sigsuspend(struct task *t, const struct sysargs *a)
{
    if (a->a[1] != SIGSET_SIZE) {
        return sys_done(-EINVAL);
    }
    if (!a->a[0]) {
        return sys_done(-EFAULT);
    }
    int error = signal_call_mask(t, a->a[0], a->a[1]);
    return error ? sys_done(error) : sys_block_or(-ERESTARTNOHAND);
}

struct sysret sys_pause(struct task *t, const struct sysargs *a)
{
    (void)t;
    (void)a;
    return sys_block_or(-ERESTARTNOHAND);
}

/* sigwaitinfo(2). */
struct sysret sys_rt_sigtimedwait(struct task *t, const struct sysargs *a)
{
    uint64_t set;
    struct abi_timespec ts;
    struct siginfo info;
    vtime deadline = VTIME_NEVER;
    if (a->a[3] != SIGSET_SIZE) {
        return sys_done(-EINVAL);
    }
    if (user_read_u64(t, &set, gaddr_of(a->a[0])) ||
        (a->a[2] && user_read(t, &ts, gaddr_of(a->a[2]), sizeof ts))) {
        return sys_done(-EFAULT);
    }
    if (a->a[2]) {
        if (!timespec_valid(&ts)) {
            return sys_done(-EINVAL);
        }
        deadline = task_call_deadline(t, timespec_ns(&ts));
    }
    if (signal_dequeue(t, set & ~SIG_KERNEL_ONLY, &info)) {
        if (a->a[1] && user_write(t, gaddr_of(a->a[1]), &info, sizeof info)) {
            return sys_done(-EFAULT);
        }
        return sys_done(info.signo);
    }
    if (deadline <= machine_now(t->m)) {
        return sys_done(-EAGAIN);
    }
    task_wait_on(t, &t->sig.wait, 0);
    task_wait_until(t, deadline);
    return sys_block_or(-EINTR);
}

/* sigaltstack(2): the old stack is reported as it was before the change. */
struct sysret sys_sigaltstack(struct task *t, const struct sysargs *a)
{
    uint64_t sp = task_regs(t)->rsp;
    struct abi_stack in, old = signal_get_altstack(t, sp);
    if (a->a[0] && user_read(t, &in, gaddr_of(a->a[0]), sizeof in)) {
        return sys_done(-EFAULT);
    }
    if (a->a[0]) {
        int error = signal_set_altstack(t, &in, sp, ABI_MINSIGSTKSZ);
        if (error) {
            return sys_done(error);
        }
    }
    if (a->a[1] && user_write(t, gaddr_of(a->a[1]), &old, sizeof old)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}

/* sigreturn(2): never called by programs themselves. */
struct sysret sys_rt_sigreturn(struct task *t, const struct sysargs *a)
{
    (void)a;
    t->restart_nr = 0; /* the handler came instead of the restart */
    if (signal_frame_pop(t)) {
        task_regs(t)->orig_rax = ~0ull;
        signal_force_segv(t);
    }
    return sys_noreturn();
}

/* restart_syscall(2): goes on with a call that ended with ERESTART_RESTARTBLOCK, towards the same
 * deadline. */
struct sysret sys_restart_syscall(struct task *t, const struct sysargs *a)
{
    (void)a;
    const struct syscall_row *row = t->restart_nr ? syscall_row(t->restart_nr) : NULL;
    if (!row || !row->fn) {
        return sys_done(-EINTR);
    }
    struct sysargs args = {.nr = t->restart_nr};
    for (unsigned i = 0; i < 6; i++) {
        args.a[i] = t->restart_args[i];
    }
    if (!t->call.retry) {
        t->call.deadline = t->restart_deadline;
    }
    return row->fn(t, &args);
}
