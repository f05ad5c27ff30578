/* Calls of injected code (abi/guestcall.h). Implemented by director/sdk.c. */
#ifndef EVERETT_KERNEL_SYSCALLS_GUESTCALLS_H
#define EVERETT_KERNEL_SYSCALLS_GUESTCALLS_H

#include "kernel/syscalls/syscall.h"

/* a->nr is one of enum guestcall. */
struct sysret guestcall(struct task *t, const struct sysargs *a);

#endif
