/* madvise(2), and what it keeps from forked children. */
#include <linux/mman.h>

#include "abi/layout.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/mm/mm_priv.h"
#include "kernel/port.h"
#include "kernel/syscalls/handlers.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/inode.h"

static int discard(struct mm *mm, struct vma *v, uint64_t start, uint64_t end)
{
    if (v->locked) {
        return -EINVAL;
    }
    if (vma_is_lazy(v) || v->backing == VMA_SPECIAL) {
        return 0; /* the pages belong to the file */
    }
    int err = mm->m->port->discard(start, end - start);
    mm_code_mapped(mm->m, v, start, end);
    return err;
}

/* MADV_REMOVE: a hole in the file behind a shared mapping. */
static int remove_pages(const struct vma *v, uint64_t start, uint64_t end)
{
    if (v->locked || !vma_is_lazy(v) || !v->file->inode || !v->file->inode->data) {
        return -EINVAL;
    }
    if (!(v->max_prot & PROT_WRITE)) {
        return -EACCES;
    }
    uint64_t offset = (v->pgoff << PAGE_SHIFT) + (start - v->start);
    return filedata_punch(v->file->inode->data, offset, end - start);
}

/* Advice that is kept with the mapping, for the next fork. */
static int advise_fork(struct mm *mm, uint64_t start, uint64_t end, uint64_t advice)
{
    const struct vma *whole = mm_find(mm, start);
    if (advice == MADV_WIPEONFORK && (whole->backing == VMA_FILE || whole->flags & MAP_SHARED)) {
        return -EINVAL;
    }
    if (whole->backing == VMA_SPECIAL) {
        return advice == MADV_DOFORK ? -EINVAL : 0;
    }
    mm_isolate(mm, start, end);
    struct vma *v = mm_find(mm, start);
    if (advice == MADV_DONTFORK || advice == MADV_DOFORK) {
        v->dontfork = advice == MADV_DONTFORK;
    } else {
        v->wipeonfork = advice == MADV_WIPEONFORK;
    }
    return 0;
}

static int advise_one(struct task *t, struct vma *v, uint64_t start, uint64_t end, uint64_t advice)
{
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_FREE: /* lazily or at once, the guest cannot tell */
        return discard(t->mm, v, start, end);
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
        return advise_fork(t->mm, start, end, advice);
    case MADV_REMOVE:
        return remove_pages(v, start, end);
    default:
        return 0;
    }
}

static bool known_advice(uint64_t advice)
{
    return advice <= 4 || (advice >= 8 && advice <= 25 && advice != 22 && advice != 23);
}

static int advise(struct task *t, uint64_t addr, uint64_t end, uint64_t advice)
{
    int hole = 0;
    for (uint64_t at = addr; at < end;) {
        uint32_t i = mm_position(t->mm, at);
        struct vma *v = i < t->mm->vma_count ? t->mm->vmas[i] : NULL;
        if (!v || v->start >= end) {
            return -ENOMEM;
        }
        if (v->start > at) {
            hole = -ENOMEM; /* Linux goes on and says so at the end */
            at = v->start;
        }
        uint64_t stop = min_u64(v->end, end);
        int err = advise_one(t, v, at, stop, advice);
        if (err) {
            return err;
        }
        at = stop;
    }
    return hole;
}

struct sysret sys_madvise(struct task *t, const struct sysargs *a)
{
    uint64_t addr = a->a[0], len = a->a[1], advice = a->a[2];
    if (!known_advice(advice) || !mm_page_range(addr, &len)) {
        return sys_done(-EINVAL);
    }
    int err = advise(t, addr, addr + len, advice);
    mm_merge_around(t->mm, addr, addr + len);
    return sys_done(err);
}

void mm_forked(struct task *child)
{
    struct mm *mm = child->mm;
    for (uint32_t i = 0; i < mm->vma_count;) {
        const struct vma *v = mm->vmas[i];
        uint64_t start = v->start, len = v->end - v->start;
        if (v->dontfork) {
            int err = mm_unmap(child, start, len);
            ASSERT(err == 0);
            i = mm_position(mm, start);
            continue;
        }
        if (v->wipeonfork) {
            int err = mm->m->port->discard(start, len);
            ASSERT(err == 0);
        }
        i++;
    }
}
