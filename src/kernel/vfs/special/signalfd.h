/* signalfd(2): pending signals of whoever reads, as a file. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_SIGNALFD_H
#define EVERETT_KERNEL_VFS_SPECIAL_SIGNALFD_H

#include "base/base.h"

struct file;
struct machine;
struct text;

struct file *signalfd_create(struct machine *m, uint64_t mask, uint32_t flags); /* O_NONBLOCK */
bool file_is_signalfd(const struct file *f);
void signalfd_set_mask(struct file *f, uint64_t mask);
void signalfd_info(struct text *x, const struct file *f);

#endif
