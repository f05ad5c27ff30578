/* inotify instances: files that deliver events. */
#ifndef EVERETT_KERNEL_VFS_INOTIFY_H
#define EVERETT_KERNEL_VFS_INOTIFY_H

#include "base/base.h"

struct file;
struct inode;
struct machine;

/* Delivers to every watch of the inode that wants it, in order of the watches' making. */
void inotify_event(struct inode *i, uint32_t mask, uint32_t cookie, const char *name, uint32_t len);
/* Ends every watch of the inode with IN_IGNORED. */
void inotify_forget(struct inode *i);

/* --- for sys_inotify.c ------------------------------------------------------------------------ */
struct file *inotify_create(struct machine *m, uint32_t flags); /* owned by the caller */
bool file_is_inotify(const struct file *f);
/* Watch descriptor, or -EEXIST (IN_MASK_CREATE), -ENOSPC. */
int inotify_add(struct file *f, struct inode *i, uint32_t mask);
int inotify_remove(struct file *f, int wd); /* 0 or -EINVAL */

#endif
