/* A node's tree as the kernel itself builds and uses it. Internal to the vfs. */
#ifndef EVERETT_KERNEL_VFS_NODE_TREE_H
#define EVERETT_KERNEL_VFS_NODE_TREE_H

#include "base/base.h"

struct node;
struct path;

/* The directory at `path`, made with its parents where missing; counted in *out (may be NULL).
 * 0 or -errno (-ENOTDIR: something else is in the way). */
int node_make_dirs(struct node *n, const char *path, uint32_t mode, struct path *out);
/* The object at `path`, links followed; counted. */
int node_lookup(struct node *n, const char *path, struct path *out);

#endif
