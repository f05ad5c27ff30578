/* The chunks of a file: a radix tree of 64-way nodes over the chunk number, and the places of
 * chunks in the file-data store. */
#include "abi/layout.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/port.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/vfs_priv.h"

#define FANOUT_BITS 6
#define FANOUT      (1u << FANOUT_BITS)
/* Pages a freed chunk may have for zeroing them to be cheaper than asking the host. */
#define ZERO_BY_HAND_PAGES 16u

struct chunk_node {
    void *child[FANOUT]; /* struct chunk_node, at height 1 struct data_chunk */
};

static bool in_reach(const struct filedata *fd, uint64_t index)
{
    uint32_t bits = fd->height * FANOUT_BITS;
    return fd->height > 0 && (bits >= 64 || index >> bits == 0);
}

static uint32_t slot_of(uint64_t index, uint32_t height)
{
    return (uint32_t)(index >> ((height - 1) * FANOUT_BITS)) & (FANOUT - 1);
}

struct data_chunk *chunk_find(const struct filedata *fd, uint64_t index)
{
    if (!in_reach(fd, index)) {
        return NULL;
    }
    void *p = fd->root;
    for (uint32_t h = fd->height; p && h > 0; h--) {
        p = ((struct chunk_node *)p)->child[slot_of(index, h)];
    }
    return p;
}

struct data_chunk *chunk_make(struct filedata *fd, uint64_t index)
{
    while (!in_reach(fd, index)) {
        struct chunk_node *top = KALLOC(fd->m, struct chunk_node);
        top->child[0] = fd->root;
        fd->root = top;
        fd->height++;
    }
    void **p = &fd->root;
    for (uint32_t h = fd->height; h > 0; h--) {
        if (!*p) {
            *p = KALLOC(fd->m, struct chunk_node);
        }
        p = &((struct chunk_node *)*p)->child[slot_of(index, h)];
    }
    if (!*p) {
        struct data_chunk *c = KALLOC(fd->m, struct data_chunk);
        c->first_page = CHUNK_NO_PLACE;
        *p = c;
    }
    return *p;
}

/* First chunk at or behind `index` below `p`; *index becomes its number. */
static struct data_chunk *next_below(void *p, uint32_t height, uint64_t *index)
{
    if (height == 0 || !p) {
        return p;
    }
    uint64_t step = 1ull << ((height - 1) * FANOUT_BITS), base = *index / step / FANOUT * FANOUT;
    for (uint32_t i = slot_of(*index, height); i < FANOUT; i++) {
        struct data_chunk *c = next_below(((struct chunk_node *)p)->child[i], height - 1, index);
        if (c) {
            return c;
        }
        *index = (base + i + 1) * step; /* start of the next slot */
    }
    return NULL;
}

struct data_chunk *chunk_next(const struct filedata *fd, uint64_t *index)
{
    return in_reach(fd, *index) ? next_below(fd->root, fd->height, index) : NULL;
}

bool chunk_place(struct filedata *fd, struct data_chunk *c)
{
    if (c->first_page != CHUNK_NO_PLACE) {
        return true;
    }
    struct data_store *s = &fd->m->vfs->store;
    uint64_t number;
    if (s->free_count > 0) {
        number = s->free[--s->free_count];
    } else if (s->next_chunk < DATA_MAX_BYTES / (CHUNK_PAGES * PAGE_SIZE)) {
        number = s->next_chunk++;
    } else {
        return false;
    }
    c->first_page = number * CHUNK_PAGES;
    return true;
}

static void release_place(struct filedata *fd, const struct data_chunk *c)
{
    struct machine *m = fd->m;
    struct data_store *s = &m->vfs->store;
    uint32_t used = 0;
    for (uint32_t w = 0; w < CHUNK_WORDS; w++) {
        used += (uint32_t)__builtin_popcountll(c->present[w] | c->mapped[w]);
    }
    if (used > ZERO_BY_HAND_PAGES) {
        m->port->data_discard(c->first_page, CHUNK_PAGES);
    } else {
        for (uint32_t i = 0; used > 0 && i < CHUNK_PAGES; i++) {
            if (chunk_has(c, i)) {
                memset(m->port->data_base + (c->first_page + i) * PAGE_SIZE, 0, PAGE_SIZE);
                used--;
            }
        }
    }
    if (s->free_count == s->free_cap) {
        s->free_cap = s->free_cap ? 2 * s->free_cap : 64;
        s->free = krealloc(m, s->free, s->free_cap * sizeof *s->free);
    }
    s->free[s->free_count++] = c->first_page / CHUNK_PAGES;
}

/* Depth is at most 8: 48 bits of chunk number. */
static void free_below(struct filedata *fd, void *p, uint32_t height)
{
    if (!p) {
        return;
    }
    if (height == 0) {
        struct data_chunk *c = p;
        if (c->first_page != CHUNK_NO_PLACE) {
            release_place(fd, c);
        }
    } else {
        for (uint32_t i = 0; i < FANOUT; i++) {
            free_below(fd, ((struct chunk_node *)p)->child[i], height - 1);
        }
    }
    kfree(fd->m, p);
}

void chunk_free_all(struct filedata *fd)
{
    free_below(fd, fd->root, fd->height);
    fd->root = NULL;
    fd->height = 0;
}
