/* Operations on address spaces, for the loader, /proc and the memory calls. They act on the current
 * host process: t->mm is the running one. */
#ifndef EVERETT_KERNEL_MM_MM_OPS_H
#define EVERETT_KERNEL_MM_MM_OPS_H

#include "kernel/mm/mm.h"

struct mm *mm_create(struct machine *m); /* NULL when LIMIT_MMS is reached */
void mm_put(struct machine *m, struct mm *mm);
/* Drops file references of every mapping; the host process is about to end or to be reused. */
void mm_release_mappings(struct mm *mm);
/* Copies the description of parent into child for fork; the host clone copies the pages. */
void mm_fork(struct mm *child, const struct mm *parent);
/* In the forked child, before it runs: what the parent kept from its children (MADV_DONTFORK,
 * MADV_WIPEONFORK) goes. */
void mm_forked(struct task *child);
/* Removes every guest mapping of the running address space. */
void mm_clear(struct mm *mm);

struct map_request {
    uint64_t addr, len;
    uint32_t prot, flags; /* PROT_*, MAP_* */
    uint32_t no_prot;     /* PROT_* bits mprotect may never add */
    enum vma_backing backing;
    struct file *file; /* borrowed */
    uint64_t pgoff;
    const char *name;
};

/* Highest free range of that length below the mmap top, or 0. */
uint64_t mm_free_range(const struct mm *mm, uint64_t len);
/* Address or negative errno, with Linux's rules (mmap(2)). */
int64_t mm_map(struct task *t, const struct map_request *r);
int mm_unmap(struct task *t, uint64_t addr, uint64_t len);
int mm_protect(struct task *t, uint64_t addr, uint64_t len, uint32_t prot);

/* A guest access faulted at va. True if the mapping's page is there now (retry the access); false:
 * *signo and *code tell which signal the guest gets (SIGSEGV MAPERR/ACCERR, SIGBUS ADRERR). */
bool mm_fault(struct task *t, uint64_t va, bool write, bool exec, int *signo, int *code);

#endif
