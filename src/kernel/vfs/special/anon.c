#include "kernel/vfs/special/anon.h"

#include "kernel/vfs/vfs.h"

struct file *anon_file_create(struct machine *m, const struct file_ops *ops, const char *kind,
                              uint32_t flags, void *priv, struct waitq *wq)
{
    struct file *f = file_create(m, ops, flags);
    f->inode = anon_inode_create(m, kind, 0600);
    f->priv = priv;
    f->wq = wq;
    return f;
}

int anon_file_install(struct task *t, struct file *f, bool cloexec)
{
    int fd = fd_install(t, f, 0, cloexec);
    if (fd < 0) {
        file_put(f);
    }
    return fd;
}

int64_t anon_lseek(struct task *t, struct file *f, int64_t off, int whence)
{
    return 0;
}
