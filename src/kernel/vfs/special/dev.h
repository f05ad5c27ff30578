/* Character devices (null(4), full(4), random(4), tty(4)). */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_DEV_H
#define EVERETT_KERNEL_VFS_SPECIAL_DEV_H

#include "base/base.h"

struct file;
struct inode;
struct task;

/* Opens a device node by its numbers, wherever it lies: sets f->ops and the rest. -ENXIO for block
 * devices and unknown numbers, or what opening a terminal says. */
int device_open(struct task *t, struct inode *inode, struct file *f);

/* Fills from the process's entropy stream. */
void entropy_bytes(struct task *t, void *dst, size_t n);

#endif
