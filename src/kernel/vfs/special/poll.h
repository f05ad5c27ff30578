/* Readiness of sets of descriptors (poll(2), select(2)). The functions look once; the calls decide
 * whether to sleep. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_POLL_H
#define EVERETT_KERNEL_VFS_SPECIAL_POLL_H

#include "kernel/mm/usercopy.h"

struct task;

/* Looks at a guest array of struct pollfd and fills in every revents. Number of ready entries or
 * -EFAULT. */
int64_t poll_look(struct task *t, gaddr fds, uint32_t nfds);
/* Registers the call with everything the array names. 0 or -EFAULT. */
int poll_register(struct task *t, gaddr fds, uint32_t nfds);

enum { SELECT_IN, SELECT_OUT, SELECT_EX, SELECT_SETS };

struct select_sets {
    gaddr set[SELECT_SETS]; /* null: not asked for */
    uint32_t nfds;
};

/* Counts ready bits; -EBADF, -EFAULT. The guest's sets stay as they are. */
int64_t select_look(struct task *t, const struct select_sets *s);
int select_register(struct task *t, const struct select_sets *s);
/* Replaces the guest's sets by what is ready (or by nothing). 0 or -EFAULT. */
int select_store(struct task *t, const struct select_sets *s, bool empty);

#endif
