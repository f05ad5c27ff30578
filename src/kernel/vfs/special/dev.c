/* Character devices: the memory devices, random, and the way to the terminals. */
#include "kernel/vfs/special/dev.h"

#include <linux/random.h>

#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/node.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/tty.h"
#include "kernel/vfs/vfs.h"

#define MAJOR_MEM 1u

#define ENTROPY_BITS 256 /* what a seeded pool reports since Linux 5.18 */

static int64_t null_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    return 0;
}

static int64_t null_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    int64_t n = (int64_t)from->left;

    from->left = 0;
    return n;
}

static int64_t full_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    return from->left ? -ENOSPC : 0;
}

static int64_t zero_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    return to->left ? uio_zero(to, to->left) : 0;
}

/* Every position is the beginning (null_lseek). */
static int64_t mem_lseek(struct task *t, struct file *f, int64_t off, int whence)
{
    f->pos = 0;
    return 0;
}

/* A mapping of /dev/zero is anonymous memory, shared or private (null(4)). */
static int zero_mmap(struct task *t, struct file *f, struct vma *v)
{
    v->backing = VMA_ANON;
    return 0;
}

void entropy_bytes(struct task *t, void *dst, size_t n)
{
    stream_bytes(&t->process->entropy, dst, n);
}

static int64_t random_read(struct task *t, struct file *f, struct uio *to, uint64_t *pos)
{
    int64_t total = 0;

    while (to->left > 0) {
        unsigned char block[256];
        uint64_t n = min_u64(sizeof block, to->left);
        int64_t r;

        entropy_bytes(t, block, n);
        r = uio_copy_to(to, block, n);
        if (r < 0) {
            return total ? total : r;
        }
        total += r;
        if ((uint64_t)r < n) {
            break;
        }
    }
    return total;
}

/* What is written is accepted and adds nothing: entropy here is a function of the seed. */
static int64_t random_write(struct task *t, struct file *f, struct uio *from, uint64_t *pos)
{
    return null_write(t, f, from, pos);
}

static uint32_t random_poll(struct file *f)
{
    return ABI_POLLIN | ABI_POLLOUT | ABI_POLLRDNORM | ABI_POLLWRNORM;
}

#define CAP_SYS_ADMIN_BIT 21

static int64_t random_ioctl(struct task *t, struct file *f, uint32_t cmd, uint64_t arg)
{
    switch (cmd) {
    case RNDGETENTCNT:
        return user_write_u32(t, gaddr_of(arg), ENTROPY_BITS);
    case RNDADDTOENTCNT:
    case RNDADDENTROPY:
    case RNDZAPENTCNT:
    case RNDCLEARPOOL:
    case RNDRESEEDCRNG:
        return task_capable(t, CAP_SYS_ADMIN_BIT) ? 0 : -EPERM;
    default:
        return -EINVAL;
    }
}

static const struct file_ops null_ops = {
    .name = "null", .read = null_read, .write = null_write, .lseek = mem_lseek, .seekable = true};
static const struct file_ops zero_ops = {.name = "zero",
                                         .read = zero_read,
                                         .write = null_write,
                                         .lseek = mem_lseek,
                                         .mmap = zero_mmap,
                                         .seekable = true};
static const struct file_ops full_ops = {
    .name = "full", .read = zero_read, .write = full_write, .lseek = mem_lseek, .seekable = true};
static const struct file_ops random_ops = {.name = "random",
                                           .read = random_read,
                                           .write = random_write,
                                           .poll = random_poll,
                                           .ioctl = random_ioctl,
                                           .lseek = mem_lseek,
                                           .seekable = true};

static const struct {
    uint32_t major, minor;
    const struct file_ops *ops;
} mem_devices[] = {
    {MAJOR_MEM, 3, &null_ops},   {MAJOR_MEM, 5, &zero_ops},   {MAJOR_MEM, 7, &full_ops},
    {MAJOR_MEM, 8, &random_ops}, {MAJOR_MEM, 9, &random_ops},
};

int device_open(struct task *t, struct inode *inode, struct file *f)
{
    if ((inode->mode & ABI_S_IFMT) != ABI_S_IFCHR) {
        return -ENXIO;
    }
    for (unsigned i = 0; i < ARRAY_LEN(mem_devices); i++) {
        if (inode->rdev_major == mem_devices[i].major &&
            inode->rdev_minor == mem_devices[i].minor) {
            f->ops = mem_devices[i].ops;
            return 0;
        }
    }
    return tty_open(t, inode, f);
}

struct file *devnull_open(struct node *n, uint32_t flags)
{
    struct file *f;

    /* A container may hide /dev; its processes still need something on descriptor 0. */
    if (vfs_node_open(n, "/dev/null", flags, 0, &f)) {
        f = file_create(n->m, &null_ops, flags);
        f->inode = anon_inode_create(n->m, "null", ABI_S_IFCHR | 0666);
        f->inode->rdev_major = MAJOR_MEM;
        f->inode->rdev_minor = 3;
    }
    return f;
}
