/* Prototypes of every handler, generated from the table rows. */
#ifndef EVERETT_KERNEL_SYSCALLS_HANDLERS_H
#define EVERETT_KERNEL_SYSCALLS_HANDLERS_H

#include "kernel/syscalls/syscall.h"

#define SYSCALL(nr, name, args, level, note)                                                       \
    struct sysret sys_##name(struct task *t, const struct sysargs *a);
#include "kernel/syscalls/table.def"
#undef SYSCALL

#endif
