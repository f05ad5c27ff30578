/* Futexes (futex(2), futex(7), get_robust_list(2)). Waiters of one key wake in the order in which
 * they came; keys hash only to find them, and no order follows from the hash. */
#ifndef EVERETT_KERNEL_SYNC_FUTEX_H
#define EVERETT_KERNEL_SYNC_FUTEX_H

#include "base/base.h"

struct machine;
struct task;

void futex_boot(struct machine *m); /* m->futexes */

/* The thread ends or replaces its program: marks every robust mutex it still holds
 * FUTEX_OWNER_DIED and wakes one waiter each, then does the same for PI futexes others wait for.
 * Reads and writes guest memory: the task's address space must be the running one. */
void futex_exit_robust(struct task *t);

/* Wakes up to n waiters of the shared or private futex at addr in t's address space, as FUTEX_WAKE
 * without FUTEX_PRIVATE_FLAG does for CLONE_CHILD_CLEARTID. Returns how many. */
int futex_wake_addr(struct task *t, uint64_t addr, int n);

#endif
