/* Arena allocator. All kernel state that outlives a call lives in the arena; addresses depend only
 * on the order of calls. Size classes with LIFO free lists, page runs above 16 KiB, memory always
 * zeroed. Exhaustion ends the universe as an engine error: a guest-visible ENOMEM comes only from
 * modelled limits. */
#ifndef EVERETT_KERNEL_ALLOC_H
#define EVERETT_KERNEL_ALLOC_H

#include "base/base.h"

struct machine;

/* The first bytes of the arena, before the machine root. */
struct arena {
    uint64_t base, end; /* usable range */
    uint64_t brk;       /* high-water mark: everything above was never used */
    uint64_t free_list[40];
    uint64_t bytes_live;
    uint64_t objects_live;
};

void arena_init(struct arena *a, void *base, uint64_t length);
void *arena_alloc(struct arena *a, size_t size);
void arena_free(struct arena *a, void *p);
/* Usable size of the block at p. */
size_t arena_size(const void *p);

void *kalloc(struct machine *m, size_t size);                /* never NULL */
void *krealloc(struct machine *m, void *p, size_t size);     /* new bytes zeroed; p may be NULL */
void kfree(struct machine *m, void *p);                      /* accepts NULL */
char *kstrdup(struct machine *m, const char *s, size_t len); /* adds the NUL */

/* Bytes that a pure byte buffer needs need not be zeroed first. */
#define KALLOC(m, type) ((type *)kalloc((m), sizeof(type)))

#endif
