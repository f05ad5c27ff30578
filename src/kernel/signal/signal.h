/* Signals (signal(7)). */
#ifndef EVERETT_KERNEL_SIGNAL_SIGNAL_H
#define EVERETT_KERNEL_SIGNAL_SIGNAL_H

#include "base/list.h"
#include "kernel/sched/wait.h"
#include "kernel/time/timer.h"

struct machine;
struct process;
struct task;

#define SIG_MAX 64
#define SIG_BIT(n) (1ull << ((n)-1))

/* Numbers of signal(7), x86-64. */
enum {
    SIGNAL_HUP = 1, SIGNAL_INT = 2, SIGNAL_QUIT = 3, SIGNAL_ILL = 4, SIGNAL_TRAP = 5,
    SIGNAL_ABRT = 6, SIGNAL_BUS = 7, SIGNAL_FPE = 8, SIGNAL_KILL = 9, SIGNAL_USR1 = 10,
    SIGNAL_SEGV = 11, SIGNAL_USR2 = 12, SIGNAL_PIPE = 13, SIGNAL_ALRM = 14, SIGNAL_TERM = 15,
    SIGNAL_STKFLT = 16, SIGNAL_CHLD = 17, SIGNAL_CONT = 18, SIGNAL_STOP = 19, SIGNAL_TSTP = 20,
    SIGNAL_TTIN = 21, SIGNAL_TTOU = 22, SIGNAL_URG = 23, SIGNAL_XCPU = 24, SIGNAL_XFSZ = 25,
    SIGNAL_VTALRM = 26, SIGNAL_PROF = 27, SIGNAL_WINCH = 28, SIGNAL_IO = 29, SIGNAL_PWR = 30,
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
};

struct sigpending {
    uint64_t set;
    struct list_head queue; /* struct sigqueue, by arrival */
};

struct task_signals {
    uint64_t blocked;
    uint64_t saved_blocked;  /* to restore after sigsuspend, ppoll, epoll_pwait ... */
    bool restore_blocked;
    struct sigpending pending;
    uint64_t altstack_sp, altstack_size;
    uint32_t altstack_flags;
    struct waitq wait; /* signalfd and sigtimedwait */
};

struct process_signals {
    struct sigaction_entry *actions; /* [SIG_MAX], shared with CLONE_SIGHAND through `shared` */
    uint32_t *actions_refs;
    struct sigpending pending;
    struct timer itimer_real;
    vtime itimer_real_interval;
    struct list_head posix_timers;
    uint32_t next_timer_id;
    uint32_t queued;
};

/* Sends to a process (any thread may take it) or to one thread. 0, or -EAGAIN when a real-time
 * queue is full. Wakes whoever should see it. info->signo is the signal. */
int signal_send_process(struct process *p, const struct siginfo *info);
int signal_send_task(struct task *t, const struct siginfo *info);
/* Kernel-generated signal without further information (SI_KERNEL). */
void signal_kernel(struct process *p, int signo);
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

#endif
