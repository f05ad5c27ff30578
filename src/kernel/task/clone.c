/* clone(2), clone3(2), fork(2), vfork(2). */
#include <linux/sched.h>

#include "abi/layout.h"
#include "abi/signal_abi.h"
#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/cred.h"
#include "kernel/task/lifecycle.h"
#include "kernel/task/seccomp.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/special/anon.h"
#include "kernel/vfs/special/pidfd.h"
#include "kernel/vfs/special/proc.h"
#include "kernel/vfs/vfs.h"

#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

struct clone_request {
    uint64_t flags;
    uint64_t stack; /* stack pointer of the child; 0 keeps the parent's */
    uint64_t parent_tid, child_tid, pidfd, tls;
    int exit_signal;
};

static int check_flags(struct task *t, const struct clone_request *r)
{
    uint64_t f = r->flags;
    if ((f & CLONE_SIGHAND && !(f & CLONE_VM)) || (f & CLONE_THREAD && !(f & CLONE_SIGHAND)) ||
        (f & CLONE_FS && f & CLONE_NEWNS)) {
        return -EINVAL;
    }
    if (f & CLONE_THREAD && f & (CLONE_NEWUSER | CLONE_NEWPID)) {
        return -EINVAL;
    }
    if (f & NAMESPACE_FLAGS) {
        trace_unknown(t, "clone namespaces", f & NAMESPACE_FLAGS, 0, -EPERM);
        return -EPERM; /* as for an ordinary user of a container */
    }
    return f & CLONE_PIDFD && f & CLONE_THREAD ? -EINVAL : 0;
}

/* The number the pidfd will get, told to the guest before there is a child, so that nothing needs
 * to be undone: nobody can take it in between. */
static int64_t reserve_pidfd(struct task *t, const struct clone_request *r)
{
    int fd = anon_file_install(t, pidfd_create(t->process, 0), true);
    if (fd < 0) {
        return fd;
    }
    fd_close(t, fd);
    return user_write_u32(t, gaddr_of(r->pidfd), (uint32_t)fd) ? -EFAULT : fd;
}

static struct process *new_process(struct task *t, const struct clone_request *r)
{
    struct process *parent = r->flags & CLONE_PARENT ? t->process->parent : t->process;
    struct process *p = process_create(t->node, parent);
    p->pgid = t->process->pgid;
    p->sid = t->process->sid;
    p->tty = t->process->tty ? file_get(t->process->tty) : NULL;
    p->command_id = t->process->command_id;
    p->dumpable = t->process->dumpable;
    p->exit_signal = r->flags & CLONE_PARENT ? t->process->exit_signal : r->exit_signal;
    if (t->process->exe_path) {
        p->exe_path = kstrdup(t->m, t->process->exe_path, str_len(t->process->exe_path));
    }
    p->exe_file = t->process->exe_file ? file_get(t->process->exe_file) : NULL;
    memcpy(p->rlimits, t->process->rlimits, sizeof p->rlimits);
    proc_fork_done(p, t->process);
    process_signals_fork(p, t->process, (r->flags & CLONE_SIGHAND) != 0);
    return p;
}

static void share_context(struct task *t, struct task *child, uint64_t flags)
{
    struct machine *m = t->m;
    if (flags & CLONE_FILES) {
        t->fds->refs++;
        child->fds = t->fds;
    } else {
        child->fds = fd_table_copy(m, t->fds);
    }
    if (flags & CLONE_FS) {
        t->fs->refs++;
        child->fs = t->fs;
    } else {
        child->fs = fs_context_copy(m, t->fs);
    }
    cred_copy(m, &child->cred, &t->cred);
    memcpy(child->comm, t->comm, sizeof child->comm);
    child->nice = t->nice;
    child->sched_policy = t->sched_policy;
    child->sched_priority = t->sched_priority;
    child->personality = t->personality;
    seccomp_copy(child, t);
    child->timer_slack_ns = t->timer_slack_ns;
    child->ioprio = t->ioprio;
    child->cpu_mask = t->cpu_mask;
}

static void emit_fork(struct task *t, struct process *p)
{
    struct event_process e = {
        .kind = PROCESS_FORK, .parent_pid = (uint32_t)t->process->pid, .command_id = p->command_id};
    struct trace_part parts[] = {{&e, sizeof e}, {t->comm, str_len(t->comm)}};
    trace_event(t->m, EVENT_PROCESS, t->node, (uint32_t)p->pid, parts, 2);
}

/* Gives the child its address space and kernel context. */
static int start_child(struct task *t, struct task *child, const struct clone_request *r)
{
    struct machine *m = t->m;
    child->fork_sp = r->stack;
    child->fork_tls = (r->flags & CLONE_SETTLS) != 0;
    child->fs_base = child->fork_tls ? r->tls : m->port->get_fs();
    child->gs_base = m->port->get_gs();
    if (r->flags & CLONE_VM) {
        child->mm = t->mm;
        t->mm->refs++;
        child->kstack = kstack_alloc(t->mm);
        m->port->prepare_thread(m, t, child);
        return 0;
    }
    struct mm *mm = mm_create(m);
    if (!mm) {
        return -EAGAIN;
    }
    mm_fork(mm, t->mm);
    child->mm = mm;
    child->kstack = t->kstack; /* the host clone copies the stack in place */
    for (uint32_t i = 0; i < mm->kstack_count; i++) {
        if (i != child->kstack) {
            kstack_free(mm, i);
        }
    }
    int err = m->port->fork_mm(m, t, child);
    if (err == 0) {
        mm->host = MM_HOST_ALIVE;
    }
    return err;
}

static void write_tids(struct task *t, struct task *child, const struct clone_request *r)
{
    uint32_t tid = (uint32_t)child->tid;
    if (r->flags & CLONE_PARENT_SETTID) {
        (void)!user_write_u32(t, gaddr_of(r->parent_tid), tid); /* Linux ignores EFAULT here */
    }
    if (r->flags & CLONE_CHILD_SETTID) {
        if (r->flags & CLONE_VM) {
            (void)!user_write_u32(t, gaddr_of(r->child_tid), tid);
        } else {
            child->set_child_tid = r->child_tid; /* written by the child in its own memory */
        }
    }
    if (r->flags & CLONE_CHILD_CLEARTID) {
        child->clear_child_tid = r->child_tid;
    }
}

static struct sysret wait_for_vfork_child(struct task *t)
{
    return t->vfork_waiting ? sys_block_or(0) : sys_done((int64_t)t->call.scratch[0]);
}

static struct sysret do_clone(struct task *t, const struct clone_request *r)
{
    if (t->call.retry) {
        return wait_for_vfork_child(t);
    }
    int err = check_flags(t, r);
    if (err) {
        return sys_done(err);
    }
    int64_t pidfd = r->flags & CLONE_PIDFD ? reserve_pidfd(t, r) : 0;
    if (pidfd < 0) {
        return sys_done(pidfd);
    }
    bool thread = (r->flags & CLONE_THREAD) != 0;
    struct process *p = thread ? t->process : new_process(t, r);
    struct task *child = task_create(p, 0);
    if (!child) {
        ASSERT(thread); /* a process always finds a pid: LIMIT_MMS is far below LIMIT_PID */
        return sys_done(-EAGAIN);
    }
    share_context(t, child, r->flags);
    task_signals_init(child, t, !(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK));
    write_tids(t, child, r);
    if (r->flags & CLONE_PIDFD) {
        int fd = anon_file_install(t, pidfd_create(p, 0), true);
        ASSERT(fd == pidfd);
    }
    err = start_child(t, child, r);
    ASSERT(err == 0);
    if (!thread) {
        emit_fork(t, p);
    }
    int64_t tid = child->tid;
    if (r->flags & CLONE_VFORK) {
        child->vfork_parent = t;
        t->vfork_waiting = true;
        t->call.scratch[0] = (uint64_t)tid;
    }
    sched_enqueue(child);
    return r->flags & CLONE_VFORK ? wait_for_vfork_child(t) : sys_done(tid);
}

/* Checked before anything is built, so that nothing needs to be undone. */
static bool too_many(const struct task *t, uint64_t flags)
{
    if (flags & CLONE_VM) {
        return t->mm->refs >= KSTACK_MAX;
    }
    for (uint32_t i = 1; i < LIMIT_MMS; i++) {
        if (!t->m->mms[i]) {
            return false;
        }
    }
    return true;
}

static struct sysret clone_checked(struct task *t, const struct clone_request *r)
{
    if (r->flags & CLONE_SETTLS && r->tls >= GUEST_HIGH_END) {
        return sys_done(-EPERM); /* arch_prctl(2): not an address of the guest's half */
    }
    if (!t->call.retry && too_many(t, r->flags)) {
        return sys_done(-EAGAIN);
    }
    return do_clone(t, r);
}

struct sysret sys_clone(struct task *t, const struct sysargs *a)
{
    struct clone_request r = {
        .flags = a->a[0] & ~0xffull,
        .exit_signal = (int)(a->a[0] & 0xff),
        .stack = a->a[1],
        .parent_tid = a->a[2],
        .pidfd = a->a[2],
        .child_tid = a->a[3],
        .tls = a->a[4],
    };
    /* Both would be written to the same place (clone(2)). */
    if (r.flags & CLONE_PIDFD && r.flags & CLONE_PARENT_SETTID) {
        return sys_done(-EINVAL);
    }
    return clone_checked(t, &r);
}

struct sysret sys_fork(struct task *t, const struct sysargs *a)
{
    struct clone_request r = {.exit_signal = SIGNAL_CHLD};
    (void)a;
    return clone_checked(t, &r);
}

struct sysret sys_vfork(struct task *t, const struct sysargs *a)
{
    struct clone_request r = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGNAL_CHLD};
    (void)a;
    return clone_checked(t, &r);
}

/* struct clone_args: known bytes are copied, further ones must be zero (copy_struct_from_user). */
static int read_clone_args(struct task *t, uint64_t addr, uint64_t size, struct clone_args *ca)
{
    unsigned char extra;
    *ca = (struct clone_args){0};
    if (size < CLONE_ARGS_SIZE_VER0) {
        return -EINVAL;
    }
    if (size > PAGE_SIZE) {
        return -E2BIG;
    }
    if (user_read(t, ca, gaddr_of(addr), (size_t)min_u64(size, sizeof *ca))) {
        return -EFAULT;
    }
    for (uint64_t i = sizeof *ca; i < size; i++) {
        if (user_read(t, &extra, gaddr_of(addr + i), 1)) {
            return -EFAULT;
        }
        if (extra) {
            return -E2BIG;
        }
    }
    return 0;
}

struct sysret sys_clone3(struct task *t, const struct sysargs *a)
{
    struct clone_args ca;
    int err = read_clone_args(t, a->a[0], a->a[1], &ca);
    if (err) {
        return sys_done(err);
    }
    if (ca.flags & (CLONE_DETACHED | CSIGNAL) || ca.exit_signal > SIG_MAX ||
        (ca.stack == 0) != (ca.stack_size == 0) ||
        (ca.flags & (CLONE_THREAD | CLONE_PARENT) && ca.exit_signal) || ca.set_tid_size > 0) {
        return sys_done(-EINVAL);
    }
    struct clone_request r = {
        .flags = ca.flags,
        .exit_signal = (int)ca.exit_signal,
        .stack = ca.stack ? ca.stack + ca.stack_size : 0,
        .parent_tid = ca.parent_tid,
        .child_tid = ca.child_tid,
        .pidfd = ca.pidfd,
        .tls = ca.tls,
    };
    return clone_checked(t, &r);
}

struct sysret sys_exit(struct task *t, const struct sysargs *a)
{
    task_exit(t, (int)(a->a[0] & 0xff) << 8);
}

struct sysret sys_exit_group(struct task *t, const struct sysargs *a)
{
    task_exit_group(t, (int)(a->a[0] & 0xff) << 8);
}

struct sysret sys_sched_yield(struct task *t, const struct sysargs *a)
{
    (void)a;
    if (!t->call.retry) {
        t->m->sched.slice_calls = SCHED_CALL_SLICE; /* the rule at the end of the call switches */
    }
    return sys_done(0);
}
