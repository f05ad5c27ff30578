/* Filters that guests put before their own system calls (seccomp(2)). */
#ifndef EVERETT_KERNEL_TASK_SECCOMP_H
#define EVERETT_KERNEL_TASK_SECCOMP_H

#include "kernel/syscalls/sysret.h"

struct machine;
struct seccomp_filter;
struct sysargs;
struct task;

/* Values of task.seccomp_mode and of "Seccomp:" in /proc/PID/status. */
enum seccomp_mode { SECCOMP_NONE, SECCOMP_STRICT, SECCOMP_FILTERED };

/* A new thread or process is under the filters of the one that made it. */
void seccomp_copy(struct task *child, const struct task *parent);
void seccomp_fini(struct task *t);
/* How many filters the thread is under. */
uint32_t seccomp_count(const struct task *t);
/* False: the call may run. True: it must not, and *result is its answer; SYSRET_NORETURN leaves the
 * number in rax, with a signal pending. Does not return when the filters kill the thread. */
bool seccomp_stops(struct task *t, const struct sysargs *a, struct sysret *result);
/* prctl(PR_SET_SECCOMP): mode and filter address. */
int64_t seccomp_set_mode(struct task *t, uint64_t mode, uint64_t addr);

#endif
