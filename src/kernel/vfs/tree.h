/* Changing the tree, with Linux's checks in Linux's order (fs/namei.c): used by the calls, by open,
 * and by the kernel itself (t NULL). Errors are those of the man page of the call of that name. */
#ifndef EVERETT_KERNEL_VFS_TREE_H
#define EVERETT_KERNEL_VFS_TREE_H

#include "kernel/vfs/inode.h"

struct walk;

/* Makes a file, FIFO, socket or device (mode has the type) at the negative entry `d` of `dir`. The
 * umask is applied. */
int tree_create(struct task *t, const struct path *dir, struct dentry *d, uint32_t mode);
int tree_create_node(struct task *t, const struct path *dir, struct dentry *d, uint32_t mode,
                     uint32_t rdev_major, uint32_t rdev_minor);
/* A file without a name in that directory's file system (O_TMPFILE); linkable: link(2) may give it
 * one. *out is counted. */
int tree_make_nameless(struct task *t, const struct path *dir, uint32_t mode, bool linkable,
                       struct path *out);

/* Each takes a walk that was initialised only. */
int tree_mkdir(struct walk *w, uint32_t mode);
int tree_mknod(struct walk *w, uint32_t mode, uint32_t rdev_major, uint32_t rdev_minor);
int tree_symlink(struct walk *w, const char *target);
int tree_link(struct walk *w, const struct path *target);
int tree_unlink(struct walk *w);
int tree_rmdir(struct walk *w);
int tree_rename(struct walk *from, struct walk *to, uint32_t flags);

/* The victim may go from the directory: 0, -EACCES, -EPERM (sticky), -ENOTDIR, -EISDIR. */
int tree_may_delete(struct task *t, const struct inode *dir, const struct inode *victim,
                    bool is_dir);

/* truncate(2), open(O_TRUNC); f NULL when by path. Limits and signals included. */
int vfs_truncate(struct task *t, const struct path *p, uint64_t size, struct file *f);
/* Changes attributes after permission checks (setattr_prepare of fs/attr.c). */
int vfs_setattr(struct task *t, const struct path *p, struct setattr *sa);

#endif
