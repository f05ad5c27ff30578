/* /proc/PID/{maps,smaps,smaps_rollup,numa_maps} (proc(5)). */
#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/task/task.h"
#include "kernel/vfs/special/proc_priv.h"
#include "kernel/vfs/vfs.h"

#define MAP_SHARED_BIT 1u
#define NAME_COLUMN    73 /* where Linux aligns the path */

/* The name Linux shows: a path, "[heap]", or nothing. */
static void vma_name(struct text *x, struct pseudo_ctx *c, const struct vma *v, size_t line_start)
{
    char *path;
    int64_t n;

    if (!v->name && !v->file) {
        return;
    }
    while (x->len - line_start < NAME_COLUMN) {
        text_append(x, " ", 1);
    }
    if (v->name) {
        text_puts(x, v->name);
        return;
    }
    path = kalloc(c->m, LIMIT_PATH);
    n = vfs_file_string(c->t, v->file, path, LIMIT_PATH);
    if (n > 0) {
        text_escaped(x, path, (size_t)n, "\n");
    }
    kfree(c->m, path);
}

static void vma_line(struct text *x, struct pseudo_ctx *c, const struct vma *v)
{
    const struct inode *inode = v->file ? v->file->inode : NULL;
    size_t start = x->len;

    text_printf(x, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
                v->prot & 1 ? 'r' : '-', v->prot & 2 ? 'w' : '-', v->prot & 4 ? 'x' : '-',
                v->flags & MAP_SHARED_BIT ? 's' : 'p', v->file ? v->pgoff * 4096 : 0, 0u,
                inode ? inode->sb->dev_minor : 0u, inode ? inode->ino : 0ul);
    vma_name(x, c, v, start);
    text_puts(x, "\n");
}

static const struct mm *mm_of(const struct pseudo_ctx *c)
{
    return c->process->zombie ? NULL : c->target->mm;
}

void proc_maps(struct text *x, struct pseudo_ctx *c)
{
    const struct mm *mm = mm_of(c);

    for (uint32_t i = 0; mm && i < mm->vma_count; i++) {
        vma_line(x, c, mm->vmas[i]);
    }
}

struct sizes {
    uint64_t rss, shared_clean, private_clean, private_dirty, anonymous;
};

/* kB, from the same model as statm. */
static struct sizes sizes_of(const struct vma *v)
{
    uint64_t kb = v->prot ? min_u64((v->end - v->start) / 1024, 16384) : 0;
    struct sizes s = {.rss = kb};

    if (v->backing != VMA_FILE) {
        s.private_dirty = s.anonymous = kb;
    } else if (v->flags & MAP_SHARED_BIT) {
        s.shared_clean = kb;
    } else {
        s.private_clean = kb;
    }
    return s;
}

static void sizes_text(struct text *x, const struct sizes *s)
{
    text_printf(x, "Rss:            %8lu kB\nPss:            %8lu kB\n", s->rss, s->rss);
    text_printf(x, "Pss_Dirty:      %8lu kB\n", s->private_dirty);
    text_printf(x, "Shared_Clean:   %8lu kB\nShared_Dirty:          0 kB\n", s->shared_clean);
    text_printf(x, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n", s->private_clean,
                s->private_dirty);
    text_printf(x, "Referenced:     %8lu kB\nAnonymous:      %8lu kB\n", s->rss, s->anonymous);
    text_puts(x, "LazyFree:              0 kB\nAnonHugePages:         0 kB\n"
                 "ShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
                 "Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\n"
                 "Swap:                  0 kB\nSwapPss:               0 kB\n"
                 "Locked:                0 kB\n");
}

void proc_smaps(struct text *x, struct pseudo_ctx *c)
{
    const struct mm *mm = mm_of(c);

    for (uint32_t i = 0; mm && i < mm->vma_count; i++) {
        const struct vma *v = mm->vmas[i];
        struct sizes s = sizes_of(v);

        vma_line(x, c, v);
        text_printf(x,
                    "Size:           %8lu kB\nKernelPageSize:        4 kB\n"
                    "MMUPageSize:           4 kB\n",
                    (v->end - v->start) / 1024);
        sizes_text(x, &s);
        text_printf(x, "THPeligible:    0\nVmFlags: %s%s%s%smr mw me %s\n",
                    v->prot & 1 ? "rd " : "", v->prot & 2 ? "wr " : "", v->prot & 4 ? "ex " : "",
                    v->flags & MAP_SHARED_BIT ? "sh " : "",
                    v->backing == VMA_STACK  ? "gd ac"
                    : v->backing == VMA_FILE ? ""
                                             : "ac");
    }
}

void proc_smaps_rollup(struct text *x, struct pseudo_ctx *c)
{
    const struct mm *mm = mm_of(c);
    struct sizes sum = {0};

    if (!mm || mm->vma_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < mm->vma_count; i++) {
        struct sizes s = sizes_of(mm->vmas[i]);

        sum.rss += s.rss;
        sum.shared_clean += s.shared_clean;
        sum.private_clean += s.private_clean;
        sum.private_dirty += s.private_dirty;
        sum.anonymous += s.anonymous;
    }
    text_printf(x, "%08lx-%08lx ---p 00000000 00:00 0 [rollup]\n", mm->vmas[0]->start,
                mm->vmas[mm->vma_count - 1]->end);
    sizes_text(x, &sum);
}

void proc_numa_maps(struct text *x, struct pseudo_ctx *c)
{
    const struct mm *mm = mm_of(c);

    for (uint32_t i = 0; mm && i < mm->vma_count; i++) {
        const struct vma *v = mm->vmas[i];
        uint64_t pages = sizes_of(v).rss / 4;

        text_printf(x, "%08lx default", v->start);
        if (v->backing == VMA_FILE) {
            char *path = kalloc(c->m, LIMIT_PATH);
            int64_t n = vfs_file_string(c->t, v->file, path, LIMIT_PATH);

            text_puts(x, " file=");
            text_escaped(x, path, n > 0 ? (size_t)n : 0, "\n\t= ");
            kfree(c->m, path);
        } else if (v->name) {
            text_puts(x, v->backing == VMA_STACK     ? " stack"
                         : str_eq(v->name, "[heap]") ? " heap"
                                                     : "");
        }
        if (pages) {
            text_printf(x, v->backing == VMA_FILE ? " mapped=%lu N0=%lu" : " anon=%lu N0=%lu",
                        pages, pages);
            text_puts(x, " kernelpagesize_kB=4");
        }
        text_puts(x, "\n");
    }
}
