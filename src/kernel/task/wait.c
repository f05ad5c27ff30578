/* wait4(2), waitid(2). */
#include "abi/signal_abi.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/sched/sched.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/special/pidfd.h"

#define WNOHANG_    1u
#define WUNTRACED_  2u /* WSTOPPED */
#define WEXITED_    4u
#define WCONTINUED_ 8u
#define WNOWAIT_    0x01000000u
#define WNOTHREAD_  0x20000000u
#define WALL_       0x40000000u
#define WCLONE_     0x80000000u

enum which {
    WAIT_ANY = 0,
    WAIT_PID = 1,
    WAIT_PGID = 2,
};

struct wait_request {
    enum which which;
    abi_pid id;
    uint32_t options;
};

struct wait_result {
    struct process *child;
    int status; /* wait status */
    int code;   /* CLD_* */
};

static bool eligible(const struct process *c, const struct wait_request *r)
{
    if ((r->which == WAIT_PID && c->pid != r->id) || (r->which == WAIT_PGID && c->pgid != r->id)) {
        return false;
    }
    bool is_clone = c->exit_signal != SIGNAL_CHLD;
    return r->options & WALL_ || is_clone == ((r->options & WCLONE_) != 0);
}

static bool ready(struct process *c, const struct wait_request *r, struct wait_result *out)
{
    bool keep = r->options & WNOWAIT_;
    out->child = c;
    if (c->zombie && r->options & WEXITED_) {
        int s = c->exit_status;
        out->status = s;
        out->code = (s & 0x7f) == 0 ? ABI_CLD_EXITED : s & 0x80 ? ABI_CLD_DUMPED : ABI_CLD_KILLED;
        return true;
    }
    if (!c->zombie && c->sig.stopped && !c->stop_reported && r->options & WUNTRACED_) {
        c->stop_reported = !keep;
        out->status = c->sig.stop_signo << 8 | 0x7f;
        out->code = ABI_CLD_STOPPED;
        return true;
    }
    if (!c->zombie && c->continue_pending && r->options & WCONTINUED_) {
        c->continue_pending = keep;
        out->status = 0xffff;
        out->code = ABI_CLD_CONTINUED;
        return true;
    }
    return false;
}

/* 1: *out is filled; 0: nothing yet; -ECHILD: nobody to wait for. Children in order of creation. */
static int find(struct task *t, const struct wait_request *r, struct wait_result *out)
{
    int result = -ECHILD;
    struct process *c;
    list_for_each_entry (c, &t->process->children, sibling_link) {
        if (eligible(c, r)) {
            if (ready(c, r, out)) {
                return 1;
            }
            result = 0;
        }
    }
    return result;
}

static struct sysret nothing_yet(struct task *t, const struct wait_request *r)
{
    if (r->options & WNOHANG_) {
        return sys_done(0);
    }
    task_wait_on(t, &t->process->child_wait, 0);
    return sys_block();
}

static void usage_of(const struct process *c, uint64_t usage[18])
{
    uint64_t us = (process_cpu_ns(c) + c->children_cpu_ns) / NSEC_PER_USEC;
    for (unsigned i = 0; i < 18; i++) {
        usage[i] = 0;
    }
    usage[0] = us / 1000000;
    usage[1] = us % 1000000;
}

struct sysret sys_wait4(struct task *t, const struct sysargs *a)
{
    int32_t pid = (int32_t)a->a[0];
    uint32_t options = (uint32_t)a->a[2];
    if (options & ~(WNOHANG_ | WUNTRACED_ | WCONTINUED_ | WNOTHREAD_ | WCLONE_ | WALL_)) {
        return sys_done(-EINVAL);
    }
    if (pid == INT32_MIN) {
        return sys_done(-ESRCH);
    }
    struct wait_request r = {.options = options | WEXITED_};
    r.which = pid == -1 ? WAIT_ANY : pid > 0 ? WAIT_PID : WAIT_PGID;
    r.id = pid > 0 ? pid : pid == 0 ? t->process->pgid : -pid;
    struct wait_result w;
    int found = find(t, &r, &w);
    if (found <= 0) {
        return found < 0 ? sys_done(found) : nothing_yet(t, &r);
    }
    uint64_t usage[18];
    usage_of(w.child, usage);
    abi_pid child = w.child->pid;
    int err = 0;
    if (a->a[1] && user_write_u32(t, gaddr_of(a->a[1]), (uint32_t)w.status)) {
        err = -EFAULT;
    }
    if (!err && a->a[3] && user_write(t, gaddr_of(a->a[3]), usage, sizeof usage)) {
        err = -EFAULT;
    }
    if (w.child->zombie) {
        process_reap(w.child);
    }
    return sys_done(err ? err : child);
}

struct sysret sys_waitid(struct task *t, const struct sysargs *a)
{
    uint32_t options = (uint32_t)a->a[3];
    if (options & ~(WNOHANG_ | WUNTRACED_ | WEXITED_ | WCONTINUED_ | WNOWAIT_ | WNOTHREAD_ |
                    WCLONE_ | WALL_) ||
        !(options & (WUNTRACED_ | WEXITED_ | WCONTINUED_)) || a->a[0] > 3) {
        return sys_done(-EINVAL);
    }
    struct wait_request r = {(enum which)a->a[0], (abi_pid)a->a[1], options};
    bool nonblock = false;
    if (a->a[0] == 3) { /* P_PIDFD */
        const struct file *f = fd_file_io(t, (int)a->a[1]);
        if (!f || !file_is_pidfd(f)) {
            return sys_done(-EBADF);
        }
        const struct process *p = pidfd_process(f);
        if (!p) {
            return sys_done(-ECHILD);
        }
        r.which = WAIT_PID;
        r.id = p->pid;
        nonblock = (f->flags & O_NONBLOCK) != 0;
    }
    if ((r.which == WAIT_PID && r.id <= 0) || (r.which == WAIT_PGID && r.id < 0)) {
        return sys_done(-EINVAL);
    }
    if (r.which == WAIT_PGID && r.id == 0) {
        r.id = t->process->pgid;
    }
    struct wait_result w = {0};
    int found = find(t, &r, &w);
    if (found < 0) {
        return sys_done(found);
    }
    if (found == 0 && nonblock && !(options & WNOHANG_)) {
        return sys_done(-EAGAIN); /* PIDFD_NONBLOCK (pidfd_open(2)) */
    }
    if (found == 0 && !(options & WNOHANG_)) {
        return nothing_yet(t, &r);
    }
    struct siginfo info = {0};
    uint64_t usage[18] = {0};
    if (found) {
        bool status_is_code = w.code == ABI_CLD_EXITED;
        info.signo = SIGNAL_CHLD;
        info.code = w.code;
        info.child.pid = w.child->pid;
        info.child.uid = w.child->leader->cred.uid;
        info.child.status = w.code == ABI_CLD_CONTINUED                   ? SIGNAL_CONT
                            : status_is_code || w.code == ABI_CLD_STOPPED ? w.status >> 8 & 0xff
                                                                          : w.status & 0x7f;
        usage_of(w.child, usage);
        if (w.child->zombie && !(options & WNOWAIT_)) {
            process_reap(w.child);
        }
    }
    if (a->a[2] && user_write(t, gaddr_of(a->a[2]), &info, sizeof info)) {
        return sys_done(-EFAULT);
    }
    if (a->a[4] && user_write(t, gaddr_of(a->a[4]), usage, sizeof usage)) {
        return sys_done(-EFAULT);
    }
    return sys_done(0);
}
