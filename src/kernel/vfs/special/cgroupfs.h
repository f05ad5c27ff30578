/* The container's own cgroup, mounted at /sys/fs/cgroup (cgroups(7), version 2). */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_CGROUPFS_H
#define EVERETT_KERNEL_VFS_SPECIAL_CGROUPFS_H

struct inode;
struct node;
struct superblock;

/* As procfs_create and its siblings in vfs.h. */
struct superblock *cgroupfs_create(struct node *n, struct inode **root);

#endif
