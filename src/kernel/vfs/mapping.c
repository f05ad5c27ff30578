/* File pages for memory management. */
#include "kernel/vfs/mapping.h"

#include "abi/layout.h"
#include "kernel/machine.h"
#include "kernel/vfs/filedata.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs_priv.h"

void inode_touch_mtime(struct inode *inode)
{
    if (inode->data) {
        inode->mtime = inode->ctime = vfs_now(inode->sb->m);
    }
}

/* Gives the page a place in the store so that a mapping of it stays coherent. False: disk full. */
static bool settle(struct filedata *fd, uint64_t pgoff, bool will_write)
{
    struct data_chunk *c = chunk_make(fd, pgoff / CHUNK_PAGES);
    uint32_t i = (uint32_t)(pgoff % CHUNK_PAGES);
    bool based = pgoff < fd->base_pages && !chunk_has(c, i);
    if (based && !filedata_page(fd, pgoff)) {
        return false;
    }
    if (!chunk_place(fd, c)) {
        return false;
    }
    if (will_write) {
        filedata_mark_mapped(fd, c, i);
    }
    return true;
}

static enum page_store store_of(const struct filedata *fd, uint64_t pgoff, bool placed_counts)
{
    const struct data_chunk *c = chunk_find(fd, pgoff / CHUNK_PAGES);
    if (chunk_has(c, (uint32_t)(pgoff % CHUNK_PAGES))) {
        return PAGES_DATA;
    }
    if (pgoff < fd->base_pages) {
        return PAGES_PACK;
    }
    return placed_counts && c && c->first_page != CHUNK_NO_PLACE ? PAGES_DATA : PAGES_NONE;
}

static uint64_t offset_of(const struct filedata *fd, enum page_store store, uint64_t pgoff)
{
    if (store == PAGES_PACK) {
        return fd->base_offset + pgoff * PAGE_SIZE;
    }
    if (store == PAGES_NONE) {
        return 0;
    }
    const struct data_chunk *c = chunk_find(fd, pgoff / CHUNK_PAGES);
    return (c->first_page + pgoff % CHUNK_PAGES) * PAGE_SIZE;
}

struct page_run inode_page_run(struct machine *m, struct inode *inode, uint64_t pgoff,
                               uint64_t max_pages, bool alloc, bool will_write)
{
    struct page_run run = {.store = PAGES_NONE};
    struct filedata *fd = inode->data;
    uint64_t end = (inode->size + PAGE_SIZE - 1) / PAGE_SIZE;
    if (!fd || pgoff >= end || max_pages == 0) {
        run.beyond_end = true;
        return run;
    }
    uint64_t last = min_u64(end, pgoff + max_pages);
    /* A read-only shared mapping of a file nobody opened for writing may show the pack itself. */
    bool settles = alloc && (will_write || fd->opened_for_write || !fd->base);
    for (uint64_t p = pgoff; settles && p < last; p++) {
        if (!settle(fd, p, will_write)) {
            last = p; /* what has no room is reported as absent below */
        }
    }
    if (last == pgoff) {
        run.beyond_end = true; /* disk full: SIGBUS, as a full tmpfs gives */
        return run;
    }
    run.store = store_of(fd, pgoff, alloc);
    run.pack_file = fd->base_file;
    run.offset = offset_of(fd, run.store, pgoff);
    run.pages = 1;
    while (pgoff + run.pages < last) {
        uint64_t p = pgoff + run.pages;
        bool joins = store_of(fd, p, alloc) == run.store &&
                     (run.store == PAGES_NONE ||
                      offset_of(fd, run.store, p) == run.offset + run.pages * PAGE_SIZE);
        if (!joins) {
            break;
        }
        run.pages++;
    }
    return run;
}

void inode_map_shared(struct inode *inode)
{
    if (inode->data) {
        inode->data->shared_maps++;
    }
}

void inode_unmap_shared(struct inode *inode)
{
    struct filedata *fd = inode->data;
    if (fd) {
        ASSERT(fd->shared_maps > 0);
        fd->shared_maps--;
    }
}
