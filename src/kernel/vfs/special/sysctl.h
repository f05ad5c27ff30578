/* Values under /proc/sys: defaults in a table, what a guest wrote in the node's procfs. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_SYSCTL_H
#define EVERETT_KERNEL_VFS_SPECIAL_SYSCTL_H

#include "base/base.h"

struct machine;
struct superblock;

struct sysctl_store; /* a procfs superblock's priv */

struct sysctl_store *sysctl_create(struct machine *m);
void sysctl_release(struct superblock *sb);

#endif
