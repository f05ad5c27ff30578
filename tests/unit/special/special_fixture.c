#include "special_fixture.h"

#include "kernel/vfs/special/epoll.h"
#include "kernel/vfs/special/pipe.h"
#include "kernel/vfs/special/pty.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

struct file *file_create(struct machine *m, const struct file_ops *ops, uint32_t flags)
{
    struct file *f = KALLOC(m, struct file);

    f->ops = ops;
    f->m = m;
    f->refs = 1;
    f->flags = flags;
    f->id = ++m->next_file_id;
    list_init(&f->epoll_links);
    return f;
}

struct file *file_get(struct file *f)
{
    f->refs++;
    return f;
}

void file_put(struct file *f)
{
    if (f && --f->refs == 0) {
        struct machine *m = f->m;

        epoll_file_released(f);
        if (f->ops->release) {
            f->ops->release(m, f);
        }
        if (f->inode && --f->inode->refs == 0) {
            if ((f->inode->mode & ABI_S_IFMT) == ABI_S_IFIFO && f->inode->pipe) {
                fifo_evict(f->inode);
            }
            if (f->inode->ops && f->inode->ops->evict) {
                f->inode->ops->evict(f->inode);
            }
            kfree(m, f->inode);
        }
        kfree(m, f);
    }
}

static struct superblock the_sb;

struct inode *anon_inode_create(struct machine *m, const char *kind, uint32_t mode)
{
    struct inode *i = KALLOC(m, struct inode);

    the_sb.m = m;
    inode_init(i, &the_sb, NULL, mode, ++m->next_anon_ino);
    return i;
}

void inode_init(struct inode *i, struct superblock *sb, const struct inode_ops *ops, uint32_t mode,
                uint64_t ino)
{
    i->sb = sb ? sb : &the_sb;
    i->ops = ops;
    i->refs = 1;
    i->mode = mode;
    i->ino = ino;
}

struct inode *inode_get(struct inode *i)
{
    i->refs++;
    return i;
}

int fd_install(struct task *t, struct file *f, int min, bool cloexec)
{
    return -EMFILE;
}

/* Sessions are no part of these tests: everybody is in the foreground. */
int tty_check_foreground(struct task *t, struct tty *y, int signo)
{
    return 0;
}

void tty_signal_foreground(struct tty *y, int signo)
{
}

void tty_hangup(struct tty *y)
{
}

int64_t tty_ioctl(struct task *t, struct tty *y, bool master, uint32_t cmd, uint64_t arg)
{
    return -ENOTTY;
}

int64_t file_write_bytes(struct task *t, struct file *f, const void *data, size_t n)
{
    struct uio u;

    uio_init_kernel(&u, (void *)(uintptr_t)data, n);
    return f->ops->write(t, f, &u, &f->pos);
}

int64_t file_read_bytes(struct task *t, struct file *f, void *data, size_t n)
{
    struct uio u;

    uio_init_kernel(&u, data, n);
    return f->ops->read(t, f, &u, &f->pos);
}
