/* The in-memory part of a directory: names in bytewise order, in blocks of a bounded size, so that
 * search is logarithmic, insertion cheap, and the listing order a property of the names alone. */
#ifndef EVERETT_KERNEL_VFS_MEMDIR_H
#define EVERETT_KERNEL_VFS_MEMDIR_H

#include "base/base.h"

struct inode;
struct machine;

struct mem_entry {
    struct inode *inode; /* counted; NULL: whiteout */
    uint32_t len;
    bool hides;  /* the lower layer has this name too: kept as a whiteout when removed */
    char name[]; /* not terminated */
};

#define MEMDIR_BLOCK 128u

struct memdir_block {
    uint32_t count;
    struct mem_entry *e[MEMDIR_BLOCK];
};

/* Zero-initialised is empty. */
struct memdir {
    struct memdir_block **blocks;
    uint32_t block_count, block_cap;
    uint32_t entries; /* whiteouts included */
    uint32_t whiteouts;
};

/* Cursor for a walk in order. */
struct memdir_pos {
    uint32_t block, index;
};

struct mem_entry *memdir_find(const struct memdir *d, const char *name, uint32_t len);
/* Adds or replaces; takes over the inode reference (NULL: whiteout). A new entry hides nothing
 * until the caller says so. */
struct mem_entry *memdir_set(struct machine *m, struct memdir *d, const char *name, uint32_t len,
                             struct inode *inode);
/* Removes the entry if there is one. */
void memdir_remove(struct machine *m, struct memdir *d, const char *name, uint32_t len);
struct mem_entry *memdir_at(const struct memdir *d, const struct memdir_pos *p); /* NULL: end */
void memdir_next(const struct memdir *d, struct memdir_pos *p);
void memdir_clear(struct machine *m, struct memdir *d);

#endif
