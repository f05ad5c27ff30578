/* File system events for inotify(7). An inode that nobody watches costs one test. */
#ifndef EVERETT_KERNEL_VFS_NOTIFY_H
#define EVERETT_KERNEL_VFS_NOTIFY_H

#include <linux/inotify.h>

#include "kernel/vfs/inode.h"

/* Something happened to entry d of the directory. */
void notify_name(struct inode *dir, uint32_t mask, uint32_t cookie, const struct dentry *d);
/* Something happened to an object reached as d: its own watches and its directory's. */
void notify_object(const struct dentry *d, uint32_t mask);
/* The inode lost a name: IN_ATTRIB, or IN_DELETE_SELF and IN_IGNORED when it was the last. */
void notify_gone(struct inode *i);

#endif
