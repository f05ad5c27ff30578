/* Prints calls as strace(1) does, with virtual times, as EVENT_STRACE. */
#ifndef EVERETT_KERNEL_STRACE_STRACE_H
#define EVERETT_KERNEL_STRACE_STRACE_H

#include "kernel/syscalls/syscall.h"

/* row may be NULL (unknown call). Reads guest strings, so t must be current. */
void strace_call(struct task *t, const struct syscall_row *row, const struct sysargs *a,
                 struct sysret r);

#endif
