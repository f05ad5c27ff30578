/* The host's tree as a lower layer, for `exec` without an image: asked from the runner through
 * port->import (abi/import.h), each answer kept. */
#ifndef EVERETT_KERNEL_VFS_IMPORTFS_H
#define EVERETT_KERNEL_VFS_IMPORTFS_H

struct pack;
struct superblock;

/* Makes the host's root the lower layer of a fresh memfs. `p` is the plan's image without index:
 * its first data file receives imported contents. */
void importfs_attach(struct superblock *sb, const struct pack *p);

#endif
