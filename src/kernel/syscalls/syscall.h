/* System call table and dispatch. One row per call drives dispatch, strace, docs/syscalls.md and
 * the coverage report. */
#ifndef EVERETT_KERNEL_SYSCALLS_SYSCALL_H
#define EVERETT_KERNEL_SYSCALLS_SYSCALL_H

#include "kernel/syscalls/sysret.h"

struct machine;
struct task;

struct sysargs {
    uint64_t nr;
    uint64_t a[6];
};

typedef struct sysret (*syscall_fn)(struct task *t, const struct sysargs *a);

enum syscall_level {
    SYSCALL_FULL,    /* as Linux, as far as tests show */
    SYSCALL_PARTIAL, /* `note` says what is missing; the missing part fails by name */
    SYSCALL_REFUSED, /* always answers the errno in `note`'s sense; named in the report */
};

/* Rows live in syscalls/table_*.def as
 *     SYSCALL(nr, name, "args", LEVEL, "note")
 * with the handler sys_<name>. "args": one letter an argument, for strace:
 *   d int  u unsigned  x hex  o octal  p pointer  f descriptor  s path string
 *   b input buffer whose length is the next argument   B output buffer whose length is the result
 *   g signal number   t timespec pointer   v iovec pointer   a sockaddr pointer */
struct syscall_row {
    const char *name;
    syscall_fn fn; /* NULL: not implemented */
    const char *args;
    enum syscall_level level;
    const char *note;
};

#define SYSCALL_MAX 512
const struct syscall_row *syscall_row(uint64_t nr); /* NULL: no such number */

/* Runs the call in the task's registers to its end: attempts, sleeps, signals. Called by the entry
 * code on the task's kernel stack. */
void syscall_dispatch(struct task *t);

#endif
