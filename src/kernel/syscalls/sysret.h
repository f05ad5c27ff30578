/* What a system call handler returns. */
#ifndef EVERETT_KERNEL_SYSCALLS_SYSRET_H
#define EVERETT_KERNEL_SYSCALLS_SYSRET_H

#include "base/base.h"

enum sysret_kind {
    SYSRET_DONE,     /* value: result or negative errno (ERESTART* allowed) */
    SYSRET_BLOCK,    /* sleep until woken, then call again; value: -errno if a signal comes first */
    SYSRET_NORETURN, /* the task's registers are what they must be (exec, sigreturn, exit) */
};

struct sysret {
    enum sysret_kind kind;
    int64_t value;
};

static inline struct sysret sys_done(int64_t value)
{
    return (struct sysret){SYSRET_DONE, value};
}

/* Restartable when a signal interrupts it (ERESTARTSYS): read, write, accept, wait4, futex ... */
static inline struct sysret sys_block(void)
{
    return (struct sysret){SYSRET_BLOCK, -512};
}

/* With another errno when a signal interrupts it: -EINTR for poll, epoll_wait, select, sigwait */
static inline struct sysret sys_block_or(int64_t errno_if_signal)
{
    return (struct sysret){SYSRET_BLOCK, errno_if_signal};
}

static inline struct sysret sys_noreturn(void)
{
    return (struct sysret){SYSRET_NORETURN, 0};
}

#endif
