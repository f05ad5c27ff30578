/* devpts: the directory of pseudo-terminals (pts(4)). */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_DEVPTS_H
#define EVERETT_KERNEL_VFS_SPECIAL_DEVPTS_H

struct inode;
struct ptys;

/* The instance an inode belongs to, or NULL. */
struct ptys *devpts_of(const struct inode *inode);

#endif
