/* Shared between the files of kernel/mm. */
#ifndef EVERETT_KERNEL_MM_MM_PRIV_H
#define EVERETT_KERNEL_MM_MM_PRIV_H

#include "abi/layout.h"
#include "kernel/mm/mm.h"

/* Rounds *len up to pages; false: not a page-aligned range of addresses a guest can have. */
static inline bool mm_page_range(uint64_t addr, uint64_t *len)
{
    uint64_t end;
    *len = round_up_u64(*len, PAGE_SIZE);
    return !(addr & (PAGE_SIZE - 1)) && !__builtin_add_overflow(addr, *len, &end) &&
           end <= GUEST_HIGH_END;
}

uint32_t mm_position(const struct mm *mm, uint64_t va);
/* Makes start and end boundaries; returns the position of the first mapping at or above start. */
uint32_t mm_isolate(struct mm *mm, uint64_t start, uint64_t end);
void mm_merge_around(struct mm *mm, uint64_t start, uint64_t end);
bool mm_range_free(const struct mm *mm, uint64_t addr, uint64_t len);
/* An address for `len` bytes: the hint if free, else the highest gap; 0 if there is none. */
uint64_t mm_choose(const struct mm *mm, uint64_t hint, uint64_t len, uint32_t flags);
int mm_host_map(struct machine *m, const struct vma *v);
/* Tells the port of code in [start, end) of `v`, where instructions may have to trap. */
void mm_code_mapped(struct machine *m, const struct vma *v, uint64_t start, uint64_t end);
/* Mapped on the host page run by page run, on access. */
bool vma_is_lazy(const struct vma *v);

#endif
