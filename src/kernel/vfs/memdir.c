#include "kernel/vfs/memdir.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/vfs/inode.h"

static int compare(const struct mem_entry *e, const char *name, uint32_t len)
{
    return str_cmp(e->name, e->len, name, len);
}

/* Position of the first entry >= name. A position behind the last entry of a block other than the
 * last one never results: such a name belongs to the next block's front or to this block's end. */
static struct memdir_pos lower_bound(const struct memdir *d, const char *name, uint32_t len)
{
    uint32_t lo = 0, hi = d->block_count;
    while (lo < hi) { /* first block whose last entry is >= name */
        uint32_t mid = (lo + hi) / 2;
        const struct memdir_block *b = d->blocks[mid];
        if (compare(b->e[b->count - 1], name, len) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    struct memdir_pos p = {lo, 0};
    if (lo == d->block_count) {
        return p;
    }
    const struct memdir_block *b = d->blocks[lo];
    uint32_t a = 0, z = b->count;
    while (a < z) {
        uint32_t mid = (a + z) / 2;
        if (compare(b->e[mid], name, len) < 0) {
            a = mid + 1;
        } else {
            z = mid;
        }
    }
    p.index = a;
    return p;
}

struct mem_entry *memdir_at(const struct memdir *d, const struct memdir_pos *p)
{
    return p->block < d->block_count ? d->blocks[p->block]->e[p->index] : NULL;
}

void memdir_next(const struct memdir *d, struct memdir_pos *p)
{
    p->index++;
    if (p->index >= d->blocks[p->block]->count) {
        p->block++;
        p->index = 0;
    }
}

struct mem_entry *memdir_find(const struct memdir *d, const char *name, uint32_t len)
{
    struct memdir_pos p = lower_bound(d, name, len);
    struct mem_entry *e = memdir_at(d, &p);
    return e && compare(e, name, len) == 0 ? e : NULL;
}

static void insert_block(struct machine *m, struct memdir *d, uint32_t at, struct memdir_block *b)
{
    if (d->block_count == d->block_cap) {
        d->block_cap = d->block_cap ? 2 * d->block_cap : 4;
        d->blocks = krealloc(m, d->blocks, d->block_cap * sizeof *d->blocks);
    }
    memmove(&d->blocks[at + 1], &d->blocks[at], (d->block_count - at) * sizeof *d->blocks);
    d->blocks[at] = b;
    d->block_count++;
}

static void split(struct machine *m, struct memdir *d, uint32_t at)
{
    struct memdir_block *b = d->blocks[at], *right = KALLOC(m, struct memdir_block);
    uint32_t keep = b->count / 2;
    right->count = b->count - keep;
    memcpy(right->e, &b->e[keep], right->count * sizeof *b->e);
    b->count = keep;
    insert_block(m, d, at + 1, right);
}

static void insert_entry(struct machine *m, struct memdir *d, struct mem_entry *e)
{
    struct memdir_pos p = lower_bound(d, e->name, e->len);
    if (d->block_count == 0) {
        insert_block(m, d, 0, KALLOC(m, struct memdir_block));
    } else if (p.block == d->block_count) { /* behind everything */
        p.block--;
        p.index = d->blocks[p.block]->count;
    }
    if (d->blocks[p.block]->count == MEMDIR_BLOCK) {
        split(m, d, p.block);
        uint32_t left = d->blocks[p.block]->count;
        if (p.index > left) {
            p.index -= left;
            p.block++;
        }
    }
    struct memdir_block *b = d->blocks[p.block];
    memmove(&b->e[p.index + 1], &b->e[p.index], (b->count - p.index) * sizeof *b->e);
    b->e[p.index] = e;
    b->count++;
    d->entries++;
}

struct mem_entry *memdir_set(struct machine *m, struct memdir *d, const char *name, uint32_t len,
                             struct inode *inode)
{
    struct mem_entry *e = memdir_find(d, name, len);
    if (!e) {
        e = kalloc(m, sizeof *e + len);
        e->len = len;
        memcpy(e->name, name, len);
        e->inode = inode;
        d->whiteouts += !inode;
        insert_entry(m, d, e);
        return e;
    }
    struct inode *old = e->inode;
    d->whiteouts -= !old;
    d->whiteouts += !inode;
    e->inode = inode;
    inode_put(old);
    return e;
}

static void free_entry(struct machine *m, struct memdir *d, struct mem_entry *e)
{
    d->entries--;
    d->whiteouts -= !e->inode;
    inode_put(e->inode);
    kfree(m, e);
}

void memdir_remove(struct machine *m, struct memdir *d, const char *name, uint32_t len)
{
    struct memdir_pos p = lower_bound(d, name, len);
    struct mem_entry *e = memdir_at(d, &p);
    if (!e || compare(e, name, len) != 0) {
        return;
    }
    struct memdir_block *b = d->blocks[p.block];
    b->count--;
    memmove(&b->e[p.index], &b->e[p.index + 1], (b->count - p.index) * sizeof *b->e);
    if (b->count == 0) {
        kfree(m, b);
        d->block_count--;
        memmove(&d->blocks[p.block], &d->blocks[p.block + 1],
                (d->block_count - p.block) * sizeof *d->blocks);
    }
    free_entry(m, d, e);
}

void memdir_clear(struct machine *m, struct memdir *d)
{
    for (uint32_t i = 0; i < d->block_count; i++) {
        for (uint32_t k = 0; k < d->blocks[i]->count; k++) {
            free_entry(m, d, d->blocks[i]->e[k]);
        }
        kfree(m, d->blocks[i]);
    }
    kfree(m, d->blocks);
    *d = (struct memdir){0};
}
