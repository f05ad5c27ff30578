/* Birth and death of tasks and processes. */
#ifndef EVERETT_KERNEL_TASK_LIFECYCLE_H
#define EVERETT_KERNEL_TASK_LIFECYCLE_H

#include "abi/linux.h"
#include "base/base.h"

struct machine;
struct mm;
struct node;
struct process;
struct task;

/* The current thread ends; `status` is a wait status (exit code << 8 or signal number | 0x80 for a
 * core). The last thread's end is the process's. */
_Noreturn void task_exit(struct task *t, int status);
/* The whole thread group ends (exit_group, fatal signal). */
_Noreturn void task_exit_group(struct task *t, int status);
/* Marks every other thread of t's process to end at its next scheduling, runnable or not. */
void process_kill_others(struct task *t, int status);

/* A new task in `p`, with a pid of the node (tid 0: the next free one). Not yet runnable. NULL when
 * no pid is free. */
struct task *task_create(struct process *p, abi_pid tid);
/* A new process with no threads in node n. */
struct process *process_create(struct node *n, struct process *parent);
/* A zombie is gone for good: waited for, or nobody will. */
void process_reap(struct process *p);

/* The thread ends or execs: the parts of Linux's mm_release that touch guest memory (robust
 * mutexes, the word that joiners wait for). The old address space is still the running one. */
void task_leave_memory(struct task *t);

/* The child has its own address space now or is gone: its vfork parent goes on. */
void task_release_vfork_parent(struct task *t);

/* The tid means nobody from now on. */
void task_unhash(struct task *t);

/* Frees a TASK_DEAD task that is not on its own stack. */
void task_free(struct task *t);

/* Kernel stack slots of an address space. */
uint32_t kstack_alloc(struct mm *mm);
void kstack_free(struct mm *mm, uint32_t slot);

/* What an START_EXEC task runs on its first stack: loads t->exec and returns to the guest. */
void exec_start(struct task *t);

/* Adds the cost of entering the kernel and of the vDSO reads before it. */
void task_charge(struct task *t);

/* Everything between the end of a call (or a fault) and the guest: pending exit, stops, signals,
 * the time page. Always ends with the task allowed to run guest code. */
void task_return_to_guest(struct task *t);

#endif
