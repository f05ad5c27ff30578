/* The list of mappings of an address space and what mmap(2), munmap(2), mprotect(2) do to it.
 *
 * How a mapping is backed on the host: anonymous memory and private file mappings are mapped at
 * once. Shared mappings of files in the data store are mapped on the first access, run by run
 * (mm_fault), because the file may have holes, end earlier or grow; nothing is lost when such a
 * range is unmapped on the host again. */
#include "kernel/mm/mm.h"

#include <linux/mman.h>

#include "abi/layout.h"
#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/limits.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/mm/mm_priv.h"
#include "kernel/port.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/mapping.h"

struct mm *mm_create(struct machine *m)
{
    for (uint32_t slot = 1; slot < LIMIT_MMS; slot++) { /* 0 is the zygote's */
        if (!m->mms[slot]) {
            struct mm *mm = KALLOC(m, struct mm);
            mm->m = m;
            mm->slot = slot;
            mm->refs = 1;
            m->mms[slot] = mm;
            return mm;
        }
    }
    return NULL;
}

void mm_put(struct machine *m, struct mm *mm)
{
    if (--mm->refs > 0) {
        return;
    }
    ASSERT(mm->vma_count == 0);
    m->mms[mm->slot] = NULL;
    kfree(m, mm->vmas);
    kfree(m, mm->kstack_free);
    kfree(m, mm->patches);
    kfree(m, mm);
}

static void vma_opened(struct vma *v)
{
    if (v->file) {
        file_get(v->file);
        if (v->flags & MAP_SHARED && v->file->inode) {
            inode_map_shared(v->file->inode);
        }
    }
}

static void vma_closed(struct machine *m, struct vma *v)
{
    if (v->file) {
        if (v->flags & MAP_SHARED && v->file->inode) {
            inode_unmap_shared(v->file->inode);
        }
        file_put(v->file);
    }
    kfree(m, v);
}

void mm_release_mappings(struct mm *mm)
{
    for (uint32_t i = 0; i < mm->vma_count; i++) {
        vma_closed(mm->m, mm->vmas[i]);
    }
    mm->vma_count = 0;
    mm->total_pages = 0;
}

void mm_fork(struct mm *child, const struct mm *parent)
{
    struct machine *m = parent->m;
    uint32_t slot = child->slot;
    *child = *parent;
    child->slot = slot;
    child->refs = 1;
    child->host = MM_HOST_NONE;
    child->kstack_free = NULL;
    child->kstack_free_count = child->kstack_free_cap = 0;
    child->vma_cap = parent->vma_count;
    child->vmas = kalloc(m, (parent->vma_count + 1) * sizeof(struct vma *));
    for (uint32_t i = 0; i < parent->vma_count; i++) {
        struct vma *v = KALLOC(m, struct vma);
        *v = *parent->vmas[i];
        child->vmas[i] = v;
        vma_opened(v);
    }
    if (parent->patches) {
        size_t size = arena_size(parent->patches);
        child->patches = kalloc(m, size);
        memcpy(child->patches, parent->patches, size);
    }
}

void mm_clear(struct mm *mm)
{
    const struct port *port = mm->m->port;
    mm_release_mappings(mm);
    port->unmap(GUEST_LOW_START, GUEST_LOW_END - GUEST_LOW_START);
    port->unmap(GUEST_HIGH_START, GUEST_HIGH_END - GUEST_HIGH_START);
    mm->brk = mm->brk_start = 0;
    mm->patch_count = 0;
    kfree(mm->m, mm->patches);
    mm->patches = NULL;
}

/* Position of the first mapping that ends above va. */
uint32_t mm_position(const struct mm *mm, uint64_t va)
{
    uint32_t lo = 0, hi = mm->vma_count;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (mm->vmas[mid]->end > va) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

struct vma *mm_find(struct mm *mm, uint64_t va)
{
    uint32_t i = mm_position(mm, va);
    return i < mm->vma_count && mm->vmas[i]->start <= va ? mm->vmas[i] : NULL;
}

static void insert_at(struct mm *mm, uint32_t i, struct vma *v)
{
    if (mm->vma_count >= mm->vma_cap) {
        mm->vma_cap = mm->vma_cap ? mm->vma_cap * 2 : 32;
        mm->vmas = krealloc(mm->m, mm->vmas, mm->vma_cap * sizeof(struct vma *));
    }
    memmove(mm->vmas + i + 1, mm->vmas + i, (mm->vma_count - i) * sizeof(struct vma *));
    mm->vmas[i] = v;
    mm->vma_count++;
}

static void remove_at(struct mm *mm, uint32_t i)
{
    mm->vma_count--;
    memmove(mm->vmas + i, mm->vmas + i + 1, (mm->vma_count - i) * sizeof(struct vma *));
}

/* Splits the mapping at position i so that `va` becomes a boundary. */
static void split(struct mm *mm, uint32_t i, uint64_t va)
{
    struct vma *low = mm->vmas[i];
    struct vma *high = KALLOC(mm->m, struct vma);
    *high = *low;
    high->start = va;
    if (high->file) {
        high->pgoff += (va - low->start) >> PAGE_SHIFT;
    }
    low->end = va;
    vma_opened(high);
    insert_at(mm, i + 1, high);
}

uint32_t mm_isolate(struct mm *mm, uint64_t start, uint64_t end)
{
    uint32_t i = mm_position(mm, start);
    if (i < mm->vma_count && mm->vmas[i]->start < start) {
        split(mm, i, start);
        i++;
    }
    for (uint32_t j = i; j < mm->vma_count && mm->vmas[j]->start < end; j++) {
        if (mm->vmas[j]->end > end) {
            split(mm, j, end);
        }
    }
    return i;
}

static bool can_merge(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->backing == VMA_ANON && b->backing == VMA_ANON &&
           a->prot == b->prot && a->flags == b->flags && a->name == b->name &&
           a->locked == b->locked && a->dontfork == b->dontfork && a->wipeonfork == b->wipeonfork;
}

void mm_merge_around(struct mm *mm, uint64_t start, uint64_t end)
{
    uint32_t i = mm_position(mm, start ? start - 1 : 0);
    while (i + 1 < mm->vma_count && mm->vmas[i]->start <= end) {
        struct vma *a = mm->vmas[i], *b = mm->vmas[i + 1];
        if (can_merge(a, b)) {
            a->end = b->end;
            remove_at(mm, i + 1);
            kfree(mm->m, b);
        } else {
            i++;
        }
    }
}

bool vma_is_lazy(const struct vma *v)
{
    return v->backing == VMA_FILE && v->flags & MAP_SHARED;
}

/* Highest gap of `len` bytes below the top, or 0. */
static uint64_t find_gap(const struct mm *mm, uint64_t len, uint64_t bottom, uint64_t top)
{
    uint64_t end = top;
    for (uint32_t i = mm->vma_count; i > 0; i--) {
        const struct vma *v = mm->vmas[i - 1];
        if (v->start >= end) {
            continue;
        }
        if (v->end < end && end - v->end >= len) {
            break;
        }
        end = v->start;
    }
    return end >= bottom + len ? end - len : 0;
}

bool mm_range_free(const struct mm *mm, uint64_t addr, uint64_t len)
{
    uint32_t i = mm_position(mm, addr);
    return i >= mm->vma_count || mm->vmas[i]->start >= addr + len;
}

static bool in_trampolines(uint64_t addr, uint64_t len)
{
    static const uint64_t pools[] = {TRAMPOLINE_LOW, TRAMPOLINE_PIE, TRAMPOLINE_HIGH};
    for (unsigned i = 0; i < ARRAY_LEN(pools); i++) {
        if (addr < pools[i] + TRAMPOLINE_SIZE && addr + len > pools[i]) {
            return true;
        }
    }
    return false;
}

uint64_t mm_choose(const struct mm *mm, uint64_t hint, uint64_t len, uint32_t flags)
{
    if (hint && hint >= GUEST_LOW_START && gaddr_range_ok(gaddr_of(hint), len) &&
        mm_range_free(mm, hint, len) && !in_trampolines(hint, len)) {
        return hint;
    }
    if (flags & MAP_32BIT) {
        return find_gap(mm, len, 0x40000000, TRAMPOLINE_LOW);
    }
    uint64_t addr = find_gap(mm, len, GUEST_HIGH_START, GUEST_MMAP_TOP);
    return addr ? addr : find_gap(mm, len, GUEST_PIE_BASE + (1ull << 36), GUEST_LOW_END);
}

uint64_t mm_free_range(const struct mm *mm, uint64_t len)
{
    return mm_choose(mm, 0, len, 0);
}

static int host_map_pages(struct machine *m, const struct vma *v, uint64_t va, uint64_t pages,
                          const struct page_run *run)
{
    bool shared = v->flags & MAP_SHARED && run->store == PAGES_DATA;
    enum port_map_store store = run->store == PAGES_NONE   ? PORT_MAP_ANON
                                : run->store == PAGES_PACK ? PORT_MAP_PACK
                                                           : PORT_MAP_DATA;
    return m->port->map(va, pages << PAGE_SHIFT, v->prot, store, run->pack_file, run->offset,
                        shared);
}

/* A private mapping: everything the file has, holes as zero pages, nothing beyond its end. */
static int map_private_file(struct machine *m, const struct vma *v)
{
    uint64_t pages = (v->end - v->start) >> PAGE_SHIFT;
    for (uint64_t done = 0; done < pages;) {
        struct page_run run =
            inode_page_run(m, v->file->inode, v->pgoff + done, pages - done, false, false);
        if (run.beyond_end) {
            return 0;
        }
        uint64_t n = min_u64(run.pages ? run.pages : 1, pages - done);
        int err = host_map_pages(m, v, v->start + (done << PAGE_SHIFT), n, &run);
        if (err) {
            return err;
        }
        done += n;
    }
    return 0;
}

void mm_code_mapped(struct machine *m, const struct vma *v, uint64_t start, uint64_t end)
{
    if (v->backing == VMA_FILE && v->prot & PROT_EXEC && !(v->flags & MAP_SHARED)) {
        m->port->code_mapped(v, start, end);
    }
}

int mm_host_map(struct machine *m, const struct vma *v)
{
    if (vma_is_lazy(v)) {
        return 0;
    }
    if (v->backing == VMA_FILE) {
        int err = map_private_file(m, v);
        if (!err) {
            mm_code_mapped(m, v, v->start, v->end);
        }
        return err;
    }
    return m->port->map(v->start, v->end - v->start, v->prot, PORT_MAP_ANON, 0, 0, false);
}

static int64_t place(struct mm *mm, const struct map_request *r)
{
    if (!(r->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
        uint64_t addr = mm_choose(mm, round_down_u64(r->addr, PAGE_SIZE), r->len, r->flags);
        return addr ? (int64_t)addr : -ENOMEM;
    }
    if (r->addr & (PAGE_SIZE - 1)) {
        return -EINVAL;
    }
    if (r->addr < GUEST_LOW_START) {
        return -EPERM; /* vm.mmap_min_addr */
    }
    if (!gaddr_range_ok(gaddr_of(r->addr), r->len) || in_trampolines(r->addr, r->len)) {
        return -ENOMEM;
    }
    if (r->flags & MAP_FIXED_NOREPLACE && !mm_range_free(mm, r->addr, r->len)) {
        return -EEXIST;
    }
    return (int64_t)r->addr;
}

int64_t mm_map(struct task *t, const struct map_request *r)
{
    struct mm *mm = t->mm;
    int64_t addr = place(mm, r);
    if (addr < 0) {
        return addr;
    }
    if (mm->vma_count + 2 > LIMIT_VMAS) {
        return -ENOMEM;
    }
    uint64_t start = (uint64_t)addr, end = start + r->len;
    if (!mm_range_free(mm, start, r->len)) {
        mm_unmap(t, start, r->len);
    }
    struct vma *v = KALLOC(mm->m, struct vma);
    *v = (struct vma){
        .start = start,
        .end = end,
        .prot = r->prot,
        .max_prot = (PROT_READ | PROT_WRITE | PROT_EXEC) & ~r->no_prot,
        .flags = r->flags & (MAP_SHARED | MAP_PRIVATE | MAP_NORESERVE | MAP_GROWSDOWN),
        .backing = r->backing,
        .file = r->file,
        .pgoff = r->pgoff,
        .name = r->name,
    };
    if (r->file && r->flags & MAP_SHARED && (r->file->flags & O_ACCMODE) == O_RDONLY) {
        v->max_prot &= ~(uint32_t)PROT_WRITE;
    }
    int err = mm_host_map(mm->m, v);
    if (err) {
        mm->m->port->unmap(start, r->len);
        kfree(mm->m, v);
        return err;
    }
    vma_opened(v);
    insert_at(mm, mm_position(mm, start), v);
    mm->total_pages += r->len >> PAGE_SHIFT;
    mm_merge_around(mm, start, end);
    return addr;
}

int mm_unmap(struct task *t, uint64_t addr, uint64_t len)
{
    struct mm *mm = t->mm;
    uint32_t i = mm_isolate(mm, addr, addr + len);
    bool any = false;
    while (i < mm->vma_count && mm->vmas[i]->start < addr + len) {
        struct vma *v = mm->vmas[i];
        mm->total_pages -= (v->end - v->start) >> PAGE_SHIFT;
        remove_at(mm, i);
        vma_closed(mm->m, v);
        any = true;
    }
    return any ? mm->m->port->unmap(addr, len) : 0;
}

static int protect_one(struct mm *mm, struct vma *v, uint32_t prot)
{
    if (prot & ~v->max_prot & PROT_WRITE) {
        return -EACCES;
    }
    v->prot = prot;
    if (vma_is_lazy(v)) {
        return mm->m->port->unmap(v->start, v->end - v->start);
    }
    int err = mm->m->port->protect(v->start, v->end - v->start, prot);
    mm_code_mapped(mm->m, v, v->start, v->end);
    /* The part of a private file mapping beyond the end of the file has no host mapping. */
    return v->backing == VMA_FILE ? 0 : err;
}

int mm_protect(struct task *t, uint64_t addr, uint64_t len, uint32_t prot)
{
    struct mm *mm = t->mm;
    uint64_t end = addr + len, at = addr;
    uint32_t i = mm_isolate(mm, addr, end);
    int err = 0;
    for (; at < end; i++) {
        if (i >= mm->vma_count || mm->vmas[i]->start != at) {
            err = -ENOMEM; /* Linux changes what comes before the hole */
            break;
        }
        at = mm->vmas[i]->end;
        if (mm->vmas[i]->prot != prot) {
            err = protect_one(mm, mm->vmas[i], prot);
            if (err) {
                break;
            }
        }
    }
    mm_merge_around(mm, addr, end);
    return err;
}
