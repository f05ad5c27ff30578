/* Shared among the files of kernel/signal only. */
#ifndef EVERETT_KERNEL_SIGNAL_SIGNAL_PRIV_H
#define EVERETT_KERNEL_SIGNAL_SIGNAL_PRIV_H

#include "abi/signal_abi.h"
#include "kernel/signal/signal.h"

#define SIGRT_MIN       32
#define SIG_KERNEL_ONLY (SIG_BIT(SIGNAL_KILL) | SIG_BIT(SIGNAL_STOP))
#define SIG_KERNEL_STOP                                                                            \
    (SIG_BIT(SIGNAL_STOP) | SIG_BIT(SIGNAL_TSTP) | SIG_BIT(SIGNAL_TTIN) | SIG_BIT(SIGNAL_TTOU))
#define SIG_KERNEL_IGNORE                                                                          \
    (SIG_BIT(SIGNAL_CONT) | SIG_BIT(SIGNAL_CHLD) | SIG_BIT(SIGNAL_WINCH) | SIG_BIT(SIGNAL_URG))
/* Faults of the running instruction: taken before anything else. */
#define SIG_SYNCHRONOUS                                                                            \
    (SIG_BIT(SIGNAL_SEGV) | SIG_BIT(SIGNAL_BUS) | SIG_BIT(SIGNAL_ILL) | SIG_BIT(SIGNAL_TRAP) |     \
     SIG_BIT(SIGNAL_FPE) | SIG_BIT(SIGNAL_SYS))

/* --- pending.c: queues ------------------------------------------------------------------------ */
void sigpending_init(struct sigpending *p);
/* Adds to the queue of `p` and counts it for `owner`. Standard signals merge. 0 or -EAGAIN. */
int sigpending_add(struct sigpending *q, struct process *owner, const struct siginfo *info);
/* Queues a timer's own entry, which the caller knows is free. False if it merged away. */
bool sigpending_add_timer(struct sigpending *q, struct process *owner, struct sigqueue *entry);
bool sigpending_take(struct sigpending *q, uint64_t set, struct siginfo *out);
/* Takes a timer's entry out of whichever queue it is in. */
void sigpending_remove(struct sigpending *q, struct sigqueue *entry);
void sigpending_flush(struct sigpending *q, uint64_t set);
/* Lowest of the set, synchronous ones first; 0 if empty. */
int sigset_lowest(uint64_t set);

/* --- send.c ----------------------------------------------------------------------------------- */
struct sigaction_entry *signal_action(struct process *p, int signo);
/* Default or explicit: sending it has no effect (blocked ones are kept, signal(7)). */
bool signal_would_be_ignored(const struct task *t, int signo, bool force);
bool signal_is_unkillable(const struct process *p);
/* A handler was replaced by something that ignores: what is pending goes. */
void signal_drop_ignored(struct process *p, int signo);
/* Any unblocked signal may now be deliverable to other threads. */
void signal_retarget(struct process *p, const struct task *except);
struct siginfo signal_info_user(const struct task *sender, int signo, int code);

/* --- stop.c ----------------------------------------------------------------------------------- */
/* Begins a group stop by `signo`, noticed by every thread at its return to the guest. */
void signal_group_stop(struct process *p, int signo);
/* The running task takes part in the stop and sleeps until it is continued or killed. */
void signal_stop_here(struct task *t);
/* SIGCONT arrived. */
void signal_group_continue(struct process *p);
/* A thread that had still to stop exits. */
void signal_stop_abandon(struct task *t);
/* SIGKILL and exit: whoever is stopped runs again. */
void signal_unstop_all(struct process *p);

/* --- frame.c ---------------------------------------------------------------------------------- */
/* Builds the frame for the handler and points the registers at it. 0 or -EFAULT. */
int signal_frame_push(struct task *t, const struct sigaction_entry *act, const struct siginfo *info,
                      uint64_t mask);
/* Restores everything from the frame at rsp. 0 or -EFAULT. */
int signal_frame_pop(struct task *t);
bool signal_on_altstack(const struct task *t, uint64_t sp);
/* sigaltstack(2) without the guest copies. */
int signal_set_altstack(struct task *t, const struct abi_stack *ss, uint64_t sp, uint64_t min_size);
struct abi_stack signal_get_altstack(const struct task *t, uint64_t sp);

/* --- frame_fp.c ------------------------------------------------------------------------------- */
uint32_t signal_fp_frame_size(const struct task *t);
int signal_fp_push(struct task *t, uint64_t addr) must_check;
int signal_fp_pop(struct task *t, uint64_t addr) must_check;

#endif
