/* Descriptor tables. The lowest free descriptor is always taken (open(2)). */
#include "base/str.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/locks.h"

#define RLIMIT_NOFILE 7

struct fd_table *fd_table_create(struct machine *m)
{
    struct fd_table *ft = KALLOC(m, struct fd_table);
    ft->refs = 1;
    ft->cap = 32;
    ft->slots = kalloc(m, ft->cap * sizeof *ft->slots);
    return ft;
}

struct fd_table *fd_table_copy(struct machine *m, const struct fd_table *src)
{
    struct fd_table *ft = KALLOC(m, struct fd_table);
    ft->refs = 1;
    ft->cap = src->cap;
    ft->next_free = src->next_free;
    ft->slots = kalloc(m, ft->cap * sizeof *ft->slots);
    for (uint32_t i = 0; i < ft->cap; i++) {
        if (src->slots[i].file) {
            ft->slots[i].file = file_get(src->slots[i].file);
            ft->slots[i].cloexec = src->slots[i].cloexec;
        }
    }
    return ft;
}

/* Takes the entry out and lets go of its file. POSIX locks of the table's owner on that inode end
 * with any of its descriptors (fcntl(2)). */
static void close_slot(struct task *t, struct fd_table *ft, uint32_t fd)
{
    struct file *f = ft->slots[fd].file;
    ft->slots[fd] = (struct fd_entry){0};
    if (fd < ft->next_free) {
        ft->next_free = fd;
    }
    if (f->inode) {
        locks_release_posix(f->inode, ft);
    }
    if (f->ops->flush) {
        f->ops->flush(t, f);
    }
    file_put(f);
}

void fd_table_put(struct task *t, struct fd_table *ft)
{
    if (!ft) {
        return;
    }
    ASSERT(ft->refs > 0);
    if (--ft->refs > 0) {
        return;
    }
    for (uint32_t fd = 0; fd < ft->cap; fd++) {
        if (ft->slots[fd].file) {
            close_slot(t, ft, fd);
        }
    }
    kfree(t->m, ft->slots);
    kfree(t->m, ft);
}

void fd_table_close_on_exec(struct task *t, struct fd_table *ft)
{
    for (uint32_t fd = 0; fd < ft->cap; fd++) {
        if (ft->slots[fd].file && ft->slots[fd].cloexec) {
            close_slot(t, ft, fd);
        }
    }
}

struct file *fd_file(struct task *t, int fd)
{
    const struct fd_table *ft = t->fds;
    return fd >= 0 && (uint32_t)fd < ft->cap ? ft->slots[fd].file : NULL;
}

struct file *fd_file_io(struct task *t, int fd)
{
    struct file *f = fd_file(t, fd);
    return f && !(f->flags & O_PATH) ? f : NULL;
}

static void grow(struct machine *m, struct fd_table *ft, uint32_t need)
{
    uint32_t cap = ft->cap;
    while (cap < need) {
        cap *= 2;
    }
    if (cap != ft->cap) {
        ft->slots = krealloc(m, ft->slots, cap * sizeof *ft->slots);
        ft->cap = cap;
    }
}

static uint64_t fd_limit(const struct task *t)
{
    return min_u64(t->process->rlimits[RLIMIT_NOFILE].soft, LIMIT_FDS);
}

bool fd_room(struct task *t)
{
    const struct fd_table *ft = t->fds;
    uint32_t fd = ft->next_free;
    while (fd < ft->cap && ft->slots[fd].file) {
        fd++;
    }
    return fd < fd_limit(t);
}

int fd_install(struct task *t, struct file *f, int min, bool cloexec)
{
    struct fd_table *ft = t->fds;
    uint64_t limit = fd_limit(t);
    if (min < 0 || (uint64_t)min >= limit) {
        return min == 0 ? -EMFILE : -EINVAL;
    }
    uint32_t fd = (uint32_t)min > ft->next_free ? (uint32_t)min : ft->next_free;
    while (fd < ft->cap && ft->slots[fd].file) {
        fd++;
    }
    if (fd >= limit) {
        return -EMFILE;
    }
    grow(t->m, ft, fd + 1);
    ft->slots[fd] = (struct fd_entry){f, cloexec};
    if ((uint32_t)min <= ft->next_free) {
        ft->next_free = fd + 1;
    }
    return (int)fd;
}

void fd_install_at(struct task *t, struct file *f, int fd, bool cloexec)
{
    struct fd_table *ft = t->fds;
    ASSERT(fd >= 0);
    grow(t->m, ft, (uint32_t)fd + 1);
    struct file *old = ft->slots[fd].file;
    if (old) {
        file_get(old); /* keep it until the new one is in place: its release may look around */
        close_slot(t, ft, (uint32_t)fd);
    }
    ft->slots[fd] = (struct fd_entry){f, cloexec};
    if ((uint32_t)fd == ft->next_free) {
        ft->next_free++;
    }
    file_put(old);
}

int fd_close(struct task *t, int fd)
{
    if (!fd_file(t, fd)) {
        return -EBADF;
    }
    close_slot(t, t->fds, (uint32_t)fd);
    return 0;
}
