/* What memory management asks of regular files. Implemented in kernel/vfs. */
#ifndef EVERETT_KERNEL_VFS_MAPPING_H
#define EVERETT_KERNEL_VFS_MAPPING_H

#include "base/base.h"

struct file;
struct inode;
struct machine;
struct pack_patch;

enum page_store {
    PAGES_NONE, /* nothing there: a hole (zeroes), or beyond the end (SIGBUS) */
    PAGES_PACK, /* read-only pack data: port file `pack_file`, from byte `offset` */
    PAGES_DATA, /* the universe's file-data store, from byte `offset` */
};

struct page_run {
    enum page_store store;
    uint32_t pack_file; /* index in plan->files */
    uint64_t offset;    /* page-aligned */
    uint64_t pages;     /* how many follow contiguously (>= 1 unless beyond the end) */
    bool beyond_end;    /* the page lies wholly beyond the end of the file */
};

/* The run of pages that backs file page `pgoff`, at most `max_pages`. With `alloc`, holes of a
 * writable file get a zero page in the data store first, so that a shared mapping of the run stays
 * coherent with read and write. Marks the pages as possibly dirty when `will_write`. */
struct page_run inode_page_run(struct machine *m, struct inode *inode, uint64_t pgoff,
                               uint64_t max_pages, bool alloc, bool will_write);

/* A shared mapping of the inode begins or ends: its pages keep their place in the data store while
 * any exist. */
void inode_map_shared(struct inode *inode);
void inode_unmap_shared(struct inode *inode);

/* The file behind a shared mapping was written through it, now at the latest. */
void inode_touch_mtime(struct inode *inode);

/* An unlinked, zero-filled file of that size in the data store: shared anonymous memory, memfd,
 * SysV segments. Returns a file the caller owns. */
struct file *shmem_file_create(struct machine *m, const char *name, uint64_t size, uint32_t flags);

/* Call sites of an ELF file, ascending by offset; 0 if none are known. */
uint32_t inode_patches(const struct inode *inode, const struct pack_patch **first);

#endif
