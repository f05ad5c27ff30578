/* Signals (signal(7)). */
#ifndef EVERETT_KERNEL_SIGNAL_SIGNAL_H
#define EVERETT_KERNEL_SIGNAL_SIGNAL_H

#include "base/list.h"
#include "kernel/sched/wait.h"
#include "kernel/time/timer.h"

struct machine;
struct node;
struct posix_timer;
struct process;
struct task;

#define SIG_MAX    64
#define SIG_BIT(n) (1ull << ((n)-1))

/* Numbers of signal(7), x86-64. */
enum {
    SIGNAL_HUP = 1,
    SIGNAL_INT = 2,
    SIGNAL_QUIT = 3,
    SIGNAL_ILL = 4,
    SIGNAL_TRAP = 5,
    SIGNAL_ABRT = 6,
    SIGNAL_BUS = 7,
    SIGNAL_FPE = 8,
    SIGNAL_KILL = 9,
    SIGNAL_USR1 = 10,
    SIGNAL_SEGV = 11,
    SIGNAL_USR2 = 12,
    SIGNAL_PIPE = 13,
    SIGNAL_ALRM = 14,
    SIGNAL_TERM = 15,
    SIGNAL_STKFLT = 16,
    SIGNAL_CHLD = 17,
    SIGNAL_CONT = 18,
    SIGNAL_STOP = 19,
    SIGNAL_TSTP = 20,
    SIGNAL_TTIN = 21,
    SIGNAL_TTOU = 22,
    SIGNAL_URG = 23,
    SIGNAL_XCPU = 24,
    SIGNAL_XFSZ = 25,
    SIGNAL_VTALRM = 26,
    SIGNAL_PROF = 27,
    SIGNAL_WINCH = 28,
    SIGNAL_IO = 29,
    SIGNAL_PWR = 30,
    SIGNAL_SYS = 31,
};

/* siginfo_t as the guest sees it, 128 bytes (sigaction(2)); built by the sender. */
struct siginfo {
    int32_t signo, error, code, pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            uint64_t value; /* sigval */
        } kill;
        struct {
            int32_t timerid, overrun;
            uint64_t value;
        } timer;
        struct {
            int32_t pid;
            uint32_t uid;
            int32_t status, pad;
            int64_t utime, stime;
        } child;
        struct {
            uint64_t addr;
        } fault;
        struct {
            int64_t band;
            int32_t fd;
        } poll;
        struct {
            uint64_t call_addr;
            int32_t syscall;
            uint32_t arch;
        } sys;
        unsigned char raw[112];
    };
};

struct sigaction_entry {
    uint64_t handler; /* 0 SIG_DFL, 1 SIG_IGN, else guest address */
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct sigqueue {
    struct list_head link;
    struct siginfo info;
    struct process *owner;     /* whose `queued` counts it */
    struct posix_timer *timer; /* embedded in that timer: never freed by itself; or NULL */
};

struct sigpending {
    uint64_t set;
    struct list_head queue; /* struct sigqueue, by arrival */
};

struct task_signals {
    uint64_t blocked;
    uint64_t saved_blocked; /* to restore after sigsuspend, ppoll, epoll_pwait ... */
    bool restore_blocked;
    struct sigpending pending;
    uint64_t altstack_sp, altstack_size;
    uint32_t altstack_flags;
    struct waitq wait;                              /* signalfd and sigtimedwait */
    bool stop_pending;                              /* has still to take part in the group stop */
    uint64_t fault_trapno, fault_error, fault_addr; /* last synchronous fault, for signal frames */
};

struct process_signals {
    struct sigaction_entry *actions; /* [SIG_MAX], shared with CLONE_SIGHAND through `shared` */
    uint32_t *actions_refs;
    struct sigpending pending;
    struct timer itimer_real;
    vtime itimer_real_interval;
    struct list_head posix_timers; /* by id */
    uint32_t next_timer_id;
    uint32_t queued; /* entries queued for the process and its threads */
    struct cpu_itimer {
        vtime expires_ns, interval_ns; /* in modelled CPU time of the process; 0 = off */
    } itimer_cpu[2];                   /* VIRTUAL, PROF */
    int stop_signo;                    /* job control: what stopped it, 0 while it runs */
    bool stopped;                      /* every thread has stopped */
    bool stop_initiated;               /* by a terminal, for orphaned groups */
    bool killable;                     /* PID 1 that faulted: its immunity is gone */
};

/* Sends to a process (any thread may take it) or to one thread. 0, or -EAGAIN when a real-time
 * queue is full. Wakes whoever should see it. info->signo is the signal. */
int signal_send_process(struct process *p, const struct siginfo *info);
int signal_send_task(struct task *t, const struct siginfo *info);
/* Every process of the group, in order of creation; 0, or -ESRCH when there is none. */
int signal_send_group(struct node *n, int32_t pgid, const struct siginfo *info);
/* Kernel-generated signal without further information (SI_KERNEL). */
void signal_kernel(struct process *p, int signo);
/* A timer's own queue entry, to one thread or (NULL) to its process. 1: queued; 0: ignored. */
int signal_send_timer(struct posix_timer *pt, struct task *target);
/* SIGPIPE for the writing thread. */
void signal_pipe(struct task *t);
/* Takes the lowest pending signal within `set`; false if none. */
bool signal_dequeue(struct task *t, uint64_t set, struct siginfo *out);
/* Pending for this thread or its process, blocked or not. */
uint64_t signal_pending_set(const struct task *t);

/* Replaces the blocked set for the duration of this call (ppoll, epoll_pwait, sigsuspend); the old
 * one comes back after a handler ran or when the call returns. Size must be 8, else -EINVAL.
 * A null address changes nothing. Harmless on a retry. */
int signal_call_mask(struct task *t, uint64_t set_addr, uint64_t set_size);
/* Ends the replacement when the call returns without a signal. */
void signal_call_mask_end(struct task *t);

/* --- for the entry code and the dispatcher ------------------------------------------------------
 * task_signal_pending (task.h) is implemented here: something unblocked is pending, or a group stop
 * or exit waits for the task. */

/* On the way back to the guest, when task_signal_pending or sig.restore_blocked: takes pending
 * signals until one has a handler (its frame is then built) or none is left; resolves ERESTART*;
 * stops or ends the process as the default actions say. The FP image is current (fp_save) before a
 * frame is built; it is restored by this call when it changed. Does not return if the task dies. */
void signal_deliver(struct task *t);
/* A synchronous fault of the running task: blocked or ignored signals kill (Linux
 * force_sig_fault). trapno and error_code appear in the frame. */
void signal_force_fault(struct task *t, int signo, int code, uint64_t addr, uint64_t trapno,
                        uint64_t error_code);
/* SIGSYS for a call that a filter trapped (SYS_SECCOMP); forced likewise. */
void signal_force_sys(struct task *t, uint64_t call_addr, int32_t nr, int32_t error);
/* Forces SIGSEGV as when a frame cannot be written. */
void signal_force_segv(struct task *t);
bool signal_default_is_core(int signo);

/* --- life cycle, called by task/ -------------------------------------------------------------- */

void process_signals_init(struct process *p);
/* fork, or CLONE_SIGHAND into another process when `share_actions`. Nothing pending, no timers. */
void process_signals_fork(struct process *child, const struct process *parent, bool share_actions);
void process_signals_fini(struct process *p);
/* New thread or first thread of a child: inherits the mask; the alternate stack unless it shares
 * the address space without CLONE_VFORK (sigaltstack(2)). `parent` NULL: nothing blocked. */
void task_signals_init(struct task *t, const struct task *parent, bool keep_altstack);
/* The thread exits: pending signals vanish, a group stop no longer waits for it, and what is
 * pending for the process finds another thread. Call while it is still in process->threads. */
void task_signals_fini(struct task *t);
/* execve(2): handlers become default, alternate stack and POSIX timers go. */
void signals_exec(struct task *t);
/* The process has just become a zombie (exit_status set): tells its parent by exit_signal. True if
 * the parent ignores it (SIG_IGN or SA_NOCLDWAIT), so that the zombie is reaped at once. */
bool signal_child_exited(struct process *child);
/* The parent's thread exits: children that asked (PR_SET_PDEATHSIG) get their signal. */
void signal_parent_died(struct process *parent);

#endif
