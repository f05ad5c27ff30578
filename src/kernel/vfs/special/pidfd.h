/* pidfd_open(2): a process as a file, readable once it has ended. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_PIDFD_H
#define EVERETT_KERNEL_VFS_SPECIAL_PIDFD_H

#include "base/base.h"

struct file;
struct process;
struct text;

/* flags: O_NONBLOCK. Owned by the caller. For pidfd_open and CLONE_PIDFD. */
struct file *pidfd_create(struct process *p, uint32_t flags);
bool file_is_pidfd(const struct file *f);
/* The process, alive or zombie; NULL once it has been waited for. */
struct process *pidfd_process(const struct file *f);
void pidfd_info(struct text *x, const struct file *f);

#endif
