/* Tasks (threads) and processes (thread groups). */
#ifndef EVERETT_KERNEL_TASK_TASK_H
#define EVERETT_KERNEL_TASK_TASK_H

#include "abi/linux.h"
#include "base/list.h"
#include "base/stream.h"
#include "kernel/sched/wait.h"
#include "kernel/signal/signal.h"

struct dentry;
struct exec_plan;
struct fd_table;
struct file;
struct machine;
struct mm;
struct mount;
struct node;

enum task_state {
    TASK_RUNNABLE, /* current, in the run queue, or held by a paused node */
    TASK_BLOCKED,  /* waits in a call */
    TASK_STOPPED,  /* job control */
    TASK_DEAD,     /* exited; the leader stays as a zombie until reaped */
};

/* How a task begins on a fresh kernel stack. */
enum task_start {
    START_RETURN, /* return to the registers on its kernel stack */
    START_EXEC,   /* load `exec` into a fresh address space */
};

#define TASK_INLINE_WAITERS 3

/* State of the call in progress; zeroed when a call is first dispatched. */
struct task_call {
    bool retry;          /* this is not the first attempt */
    vtime deadline;      /* of task_call_deadline; 0 = none yet */
    uint64_t progress;   /* bytes or items done in earlier attempts */
    uint64_t scratch[6]; /* the handler's own */
    void *held;          /* kalloc'ed by the handler; freed when the call ends, however it ends */
};

/* fs context: shared with CLONE_FS. */
struct fs_context {
    uint32_t refs;
    uint32_t umask;
    struct mount *cwd_mount, *root_mount;
    struct dentry *cwd, *root; /* hold references */
};

struct credentials {
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint32_t ngroups;
    uint32_t *groups; /* kalloc'ed copy per process */
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
    bool no_new_privs, keep_caps;
    uint32_t securebits;
};

/* kernel/sched/spin.h */
struct task_spin {
    uint64_t entries; /* into the kernel: calls and faults of its own */
    uint64_t watch;   /* entries from which spin_before_return has something to do */
    uint32_t slices;  /* that it lost since its last entry */
    uint32_t told;    /* slices that the record knows of since then */
    uint32_t credit;  /* stretches still to be sliced without being in the plan ... */
    uint32_t budget;  /* ... and slices for them */
    uint32_t found;   /* stretches of it that the plan knew so far */
    bool stepped;     /* runs a slice, not freely */
    bool paused;      /* has lost the processor: blocked, though it runs for the guest */
};

struct task_waiter {
    struct waiter waiter;
    struct task *task;
};

struct task {
    struct machine *m;
    struct node *node;
    struct process *process;
    struct mm *mm;
    uint64_t id; /* creation order in the universe: the comparator wherever tasks order */
    abi_pid tid;
    enum task_state state;
    enum task_start start;
    uint32_t kstack; /* slot in its mm's private area */
    struct list_head run_link;
    struct list_head thread_link; /* in process->threads */

    struct task_call call;
    struct task_waiter waiters[TASK_INLINE_WAITERS];
    uint32_t waiters_used;
    struct task_waiter **heap_waiters;
    uint32_t heap_used, heap_cap;
    struct timer wait_timer;

    struct fd_table *fds;  /* shared with CLONE_FILES */
    struct fs_context *fs; /* shared with CLONE_FS */
    struct credentials cred;
    struct task_signals sig;

    uint64_t fs_base, gs_base; /* while not running */
    uint64_t fork_sp;          /* fork_mm, prepare_thread: new stack pointer or 0 */
    bool fork_tls;             /* ... and whether fs_base is to be used */
    uint64_t clear_child_tid;  /* guest address or 0 */
    uint64_t set_child_tid;    /* written once by a forked child */
    uint64_t robust_list, robust_list_len;
    uint64_t rseq;
    char comm[16];
    struct task_spin spin;
    vtime cpu_time_ns;  /* modelled */
    vtime cpu_check_ns; /* whoever charges time calls cpu_timers_check from here on */
    vtime start_time;
    struct exec_plan *exec;    /* START_EXEC */
    struct task *vfork_parent; /* waits until this task execs or exits */
    bool vfork_waiting;        /* this task is such a parent */
    int exit_code;             /* wait status */
    bool exiting;
    int parent_death_signal;
    uint32_t personality;
    uint32_t seccomp_mode;          /* enum seccomp_mode */
    struct seccomp_filter *seccomp; /* the newest, counted; or NULL */
    int nice, sched_policy, sched_priority;
    uint32_t ioprio;
    uint64_t cpu_mask; /* sched_setaffinity; 0: every processor */
    uint32_t timer_slack_ns;
    uint64_t restart_nr; /* ERESTART_RESTARTBLOCK: what restart_syscall repeats */
    uint64_t restart_args[6];
    uint64_t restart_deadline;
};

struct rlimit_pair {
    uint64_t soft, hard;
};

#define RLIMIT_COUNT 16

/* Thread group. Lives as long as its leader's zombie is not reaped. */
struct process {
    struct machine *m;
    struct node *node;
    uint64_t id;
    abi_pid pid, pgid, sid;
    struct process *parent;    /* NULL: the kernel (PID 1, test commands) */
    struct list_head children; /* struct process sibling_link, by creation */
    struct list_head sibling_link;
    struct list_head node_link;
    struct list_head threads; /* struct task thread_link, leader first while alive */
    struct task *leader;
    uint32_t thread_count; /* alive */
    struct process_signals sig;
    struct rlimit_pair rlimits[RLIMIT_COUNT];
    struct waitq child_wait; /* wait4 sleeps here */
    bool zombie, group_exit, dumpable, child_subreaper;
    bool kernel_reaps; /* an orphan of a node with `init: true`: nobody else will */
    bool by_injector;  /* its death was a fault or the composer's doing */
    int exit_status;   /* wait status once zombie */
    int exit_signal;   /* to the parent: SIGCHLD, 0, ... */
    bool stop_reported, continue_pending;
    bool exec_done; /* since its fork (setpgid) */
    bool thp_disabled;
    uint32_t membarrier; /* commands registered for */
    char *exe_path;      /* kalloc'ed: /proc/PID/exe */
    struct file *exe_file;
    struct file *tty;    /* controlling terminal */
    uint32_t command_id; /* test command it belongs to, inherited; 0 none */
    vtime start_time, children_cpu_ns;
    vtime dead_cpu_ns;     /* CPU time of threads that have gone */
    struct stream entropy; /* its own getrandom stream */
    /* What exec passed: arguments, then environment (proc_exec_done). kalloc'ed; others see it in
     * /proc/PID/cmdline, as the memory itself can only be read by its owner. */
    char *arg_text;
    uint32_t arg_len, env_len;
    int oom_score_adj;                /* inherited */
    uint32_t coredump_filter_flipped; /* inherited; /proc/PID/coredump_filter xor 0x33 */
    /* Called when it has become a zombie and has no parent process (PID 1, commands). */
    void (*on_exit)(struct machine *m, struct process *p);
    void *on_exit_data;
};

struct task *task_current(struct machine *m);
/* Thread with that tid in the node, or NULL. */
struct task *task_find(struct node *n, abi_pid tid);
struct process *process_find(struct node *n, abi_pid pid);
bool task_capable(const struct task *t, unsigned cap);

/* Makes a blocked task runnable. Harmless otherwise. */
void task_wake(struct task *t);
bool task_signal_pending(const struct task *t);

/* What getppid(2) says: 0 for what the kernel started, 1 for orphans that the kernel reaps. */
static inline abi_pid process_parent_pid(const struct process *p)
{
    return p->parent ? p->parent->pid : p->kernel_reaps ? 1 : 0;
}

#endif
