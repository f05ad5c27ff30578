/* eventfd(2): a 64-bit counter as a file. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_EVENTFD_H
#define EVERETT_KERNEL_VFS_SPECIAL_EVENTFD_H

#include "base/base.h"

struct file;
struct machine;

/* flags: O_NONBLOCK. The caller owns the file. */
struct file *eventfd_create(struct machine *m, uint32_t count, bool semaphore, uint32_t flags);

/* For show functions: the counter of an eventfd, or false. */
bool eventfd_count(const struct file *f, uint64_t *count);

#endif
