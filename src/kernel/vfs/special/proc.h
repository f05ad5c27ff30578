/* What exec, fork and reaping do for /proc. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PROC_H
#define EVERETT_KERNEL_VFS_SPECIAL_PROC_H

#include "base/base.h"

struct file;
struct process;
struct task;

/* The new program is loaded and its memory is the running one: keeps a copy of its arguments and
 * environment (at most 16 KiB) for others to read. */
void proc_exec_done(struct task *t);
/* A new process inherits what /proc shows of its parent. */
void proc_fork_done(struct process *child, const struct process *parent);

/* Is it an open /proc/PID directory? Then *p is the process, NULL when it is gone. */
bool proc_is_process_dir(struct task *t, const struct file *f, struct process **p);

#endif
