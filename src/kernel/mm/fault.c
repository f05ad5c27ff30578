/* Page faults of guests and of the kernel on their behalf. */
#include <linux/mman.h>

#include "abi/layout.h"
#include "abi/signal_abi.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/mm/mm_priv.h"
#include "kernel/port.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/mapping.h"

#define FAULT_RUN_PAGES 256 /* what one fault maps at most: a chunk of the data store */

static bool allowed(const struct vma *v, bool write, bool exec)
{
    if (write) {
        return v->prot & PROT_WRITE;
    }
    if (exec) {
        return v->prot & PROT_EXEC;
    }
    return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* Maps the run around the page, extended backwards to the chunk's start. */
static bool map_run(struct machine *m, struct vma *v, uint64_t va, int *signo, int *code)
{
    uint64_t page = v->pgoff + ((va - v->start) >> PAGE_SHIFT);
    uint64_t room = (v->end - round_down_u64(va, PAGE_SIZE)) >> PAGE_SHIFT;
    bool writable = v->prot & PROT_WRITE;
    struct page_run run =
        inode_page_run(m, v->file->inode, page, min_u64(room, FAULT_RUN_PAGES), true, writable);
    if (run.beyond_end || run.store == PAGES_NONE) {
        *signo = SIGNAL_BUS;
        *code = 2; /* BUS_ADRERR */
        return false;
    }
    uint64_t n = min_u64(run.pages, room);
    bool shared = run.store == PAGES_DATA;
    int err =
        m->port->map(round_down_u64(va, PAGE_SIZE), n << PAGE_SHIFT, v->prot,
                     shared ? PORT_MAP_DATA : PORT_MAP_PACK, run.pack_file, run.offset, shared);
    if (err) {
        m->port->panic("the host refused to map file pages");
    }
    return true;
}

static void shrink_mapping(struct vma *v, uint64_t end)
{
    if (v->pgoff + ((v->end - v->start) >> PAGE_SHIFT) > end) {
        v->shrunk_from = v->shrunk ? min_u64(v->shrunk_from, end) : end;
        v->shrunk = true;
    }
}

void mm_file_shrunk(struct machine *m, const struct inode *inode, uint64_t end)
{
    for (uint32_t slot = 0; slot < LIMIT_MMS; slot++) {
        struct mm *mm = m->mms[slot];
        for (uint32_t i = 0; mm && i < mm->vma_count; i++) {
            struct vma *v = mm->vmas[i];
            if (vma_is_lazy(v) && v->file->inode == inode) {
                shrink_mapping(v, end);
                mm->shrunk |= v->shrunk;
            }
        }
    }
    const struct task *running = m->sched.current;
    if (running && running->mm) {
        mm_catch_up(running->mm);
    }
}

void mm_catch_up(struct mm *mm)
{
    for (uint32_t i = 0; mm->shrunk && i < mm->vma_count; i++) {
        struct vma *v = mm->vmas[i];
        if (v->shrunk) {
            uint64_t kept = v->shrunk_from > v->pgoff ? v->shrunk_from - v->pgoff : 0;
            uint64_t from = v->start + (kept << PAGE_SHIFT);
            v->shrunk = false;
            if (from < v->end) { /* the rest may have been unmapped by others of the process */
                mm->m->port->unmap(from, v->end - from);
            }
        }
    }
    mm->shrunk = false;
}

bool mm_fault(struct task *t, uint64_t va, bool write, bool exec, int *signo, int *code)
{
    struct vma *v = mm_find(t->mm, va);
    *signo = SIGNAL_SEGV;
    if (!v) {
        *code = ABI_SEGV_MAPERR;
        return false;
    }
    if (!allowed(v, write, exec)) {
        *code = ABI_SEGV_ACCERR;
        return false;
    }
    if (vma_is_lazy(v)) {
        return map_run(t->m, v, va, signo, code);
    }
    /* Everything else is mapped already, so only the end of a private file mapping is left. */
    if (v->backing == VMA_FILE) {
        *signo = SIGNAL_BUS;
        *code = 2;
    } else {
        *code = ABI_SEGV_ACCERR;
    }
    return false;
}
