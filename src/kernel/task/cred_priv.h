/* Shared between cred.c, capability.c and prctl.c only. */
#ifndef EVERETT_KERNEL_TASK_CRED_PRIV_H
#define EVERETT_KERNEL_TASK_CRED_PRIV_H

#include "base/base.h"
#include "kernel/syscalls/sysret.h"

struct sysargs;
struct task;

static inline uint64_t cap_bit(uint64_t cap)
{
    return 1ull << cap;
}

/* prctl(2) options about capabilities; a->a[0] is the option. */
struct sysret cap_prctl(struct task *t, const struct sysargs *a);

#endif
