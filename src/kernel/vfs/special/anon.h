/* What every descriptor without a name in the tree needs: an anonymous inode and a number. */
#ifndef EVERETT_KERNEL_VFS_SPECIAL_ANON_H
#define EVERETT_KERNEL_VFS_SPECIAL_ANON_H

#include "base/base.h"
#include "kernel/vfs/file.h"

struct machine;
struct task;
struct waitq;

/* A file on an anonymous inode; `kind` as for anon_inode_create. Owned by the caller. */
struct file *anon_file_create(struct machine *m, const struct file_ops *ops, const char *kind,
                              uint32_t flags, void *priv, struct waitq *wq);
/* Gives f the lowest free descriptor; takes the reference even on failure. fd or -EMFILE. */
int anon_file_install(struct task *t, struct file *f, bool cloexec);
/* lseek of kinds without a position that do not refuse it (noop_llseek): always 0. */
int64_t anon_lseek(struct task *t, struct file *f, int64_t off, int whence);

#endif
