/* Reading, writing and reshaping of file contents. */
#include "kernel/vfs/filedata.h"

#include "abi/layout.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/mm/usercopy.h"
#include "kernel/port.h"
#include "kernel/vfs/vfs_priv.h"

#define CHUNK_BYTES (CHUNK_PAGES * PAGE_SIZE)

struct filedata *filedata_create(struct machine *m, struct inode *inode)
{
    struct filedata *fd = KALLOC(m, struct filedata);
    fd->m = m;
    fd->inode = inode;
    fd->sb = inode->sb;
    list_init(&fd->dirty_link);
    return fd;
}

void filedata_set_base(struct filedata *fd, const unsigned char *base, uint32_t file,
                       uint64_t offset, uint64_t pages)
{
    fd->base = base;
    fd->base_file = file;
    fd->base_offset = offset;
    fd->base_pages = pages;
    fd->synced_size = fd->inode->size;
}

static void account(struct filedata *fd, int64_t pages)
{
    fd->reserved_pages += (uint64_t)pages;
    fd->sb->size_used += (uint64_t)pages * PAGE_SIZE;
}

static bool has_room(const struct filedata *fd, uint64_t pages)
{
    const struct superblock *sb = fd->sb;
    return !sb->size_limit || sb->size_used + pages * PAGE_SIZE <= sb->size_limit;
}

void filedata_destroy(struct filedata *fd)
{
    if (!fd) {
        return;
    }
    ASSERT(fd->shared_maps == 0);
    account(fd, -(int64_t)fd->reserved_pages);
    chunk_free_all(fd);
    list_del(&fd->dirty_link);
    kfree(fd->m, fd);
}

static unsigned char *store_page(const struct filedata *fd, const struct data_chunk *c, uint32_t i)
{
    return fd->m->port->data_base + (c->first_page + i) * PAGE_SIZE;
}

/* --- record of what is not durable ------------------------------------------------------------ */

static void dirty(struct filedata *fd)
{
    if (fd->sb->durable && list_empty(&fd->dirty_link)) {
        list_add_tail(&fd->m->vfs->dirty, &fd->dirty_link);
    }
}

void filedata_meta_changed(struct filedata *fd)
{
    fd->unsynced_meta = true;
    dirty(fd);
}

static void mark_unsynced(struct filedata *fd, struct data_chunk *c, uint32_t first, uint32_t n)
{
    if (!fd->sb->durable) {
        return;
    }
    for (uint32_t i = first; i < first + n; i++) {
        if (!chunk_bit(c->unsynced, i)) {
            chunk_set(c->unsynced, i);
            fd->unsynced_pages++;
        }
    }
    dirty(fd);
}

void filedata_mark_mapped(struct filedata *fd, struct data_chunk *c, uint32_t i)
{
    chunk_set(c->mapped, i);
    mark_unsynced(fd, c, i, 1);
}

static void sync_page(struct filedata *fd, struct data_chunk *c, uint32_t i)
{
    bool still_mapped = fd->shared_maps && chunk_bit(c->mapped, i);
    if (chunk_bit(c->unsynced, i) && !still_mapped) {
        chunk_clear(c->unsynced, i); /* a mapped page may be written at any time after this */
        fd->unsynced_pages--;
    }
}

void filedata_sync_range(struct filedata *fd, uint64_t first_page, uint64_t pages)
{
    uint64_t end = first_page + pages;
    uint64_t index = first_page / CHUNK_PAGES;
    struct data_chunk *c;
    while ((c = chunk_next(fd, &index)) && index * CHUNK_PAGES < end) {
        for (uint32_t i = 0; i < CHUNK_PAGES; i++) {
            uint64_t page = index * CHUNK_PAGES + i;
            if (page >= first_page && page < end) {
                sync_page(fd, c, i);
            }
        }
        index++;
    }
}

void filedata_sync(struct filedata *fd)
{
    if (fd->unsynced_pages) {
        filedata_sync_range(fd, 0, UINT64_MAX / 2);
    }
    fd->synced_size = fd->inode->size;
    fd->unsynced_meta = false;
    if (!fd->unsynced_pages) {
        list_del(&fd->dirty_link);
    }
}

void filedata_for_unsynced(struct filedata *fd, void (*fn)(void *ctx, uint64_t pgoff), void *ctx)
{
    struct data_chunk *c;
    for (uint64_t index = 0; (c = chunk_next(fd, &index)); index++) {
        for (uint32_t i = 0; i < CHUNK_PAGES; i++) {
            if (chunk_bit(c->unsynced, i)) {
                fn(ctx, index * CHUNK_PAGES + i);
            }
        }
    }
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Gives page i its contents in the store. False: disk full. */
static bool materialise(struct filedata *fd, struct data_chunk *c, uint64_t index, uint32_t i)
{
    if (chunk_bit(c->present, i)) {
        return true;
    }
    bool charge = !chunk_bit(c->reserved, i);
    if ((charge && !has_room(fd, 1)) || !chunk_place(fd, c)) {
        return false;
    }
    uint64_t pgoff = index * CHUNK_PAGES + i;
    if (pgoff < fd->base_pages && !chunk_bit(c->mapped, i)) {
        memcpy(store_page(fd, c, i), fd->base + pgoff * PAGE_SIZE, PAGE_SIZE);
    }
    chunk_set(c->present, i);
    if (charge) {
        chunk_set(c->reserved, i);
        account(fd, 1);
    }
    return true;
}

unsigned char *filedata_page(struct filedata *fd, uint64_t pgoff)
{
    struct data_chunk *c = chunk_make(fd, pgoff / CHUNK_PAGES);
    uint32_t i = (uint32_t)(pgoff % CHUNK_PAGES);
    return materialise(fd, c, pgoff / CHUNK_PAGES, i) ? store_page(fd, c, i) : NULL;
}

/* Where the bytes at `off` come from, and how many follow from the same place. */
static const unsigned char *source(const struct filedata *fd, uint64_t off, uint64_t len,
                                   uint64_t *run)
{
    uint64_t pgoff = off / PAGE_SIZE, last = (off + len - 1) / PAGE_SIZE;
    const struct data_chunk *c = chunk_find(fd, pgoff / CHUNK_PAGES);
    uint32_t i = (uint32_t)(pgoff % CHUNK_PAGES);
    bool stored = chunk_has(c, i), based = !stored && pgoff < fd->base_pages;
    uint64_t n = 1;
    while (pgoff + n <= last && i + n < CHUNK_PAGES && chunk_has(c, i + (uint32_t)n) == stored &&
           (stored || (pgoff + n < fd->base_pages) == based)) {
        n++;
    }
    *run = min_u64(len, (pgoff + n) * PAGE_SIZE - off);
    if (stored) {
        return store_page(fd, c, i) + off % PAGE_SIZE;
    }
    return based ? fd->base + off : NULL;
}

int64_t filedata_read(struct filedata *fd, struct uio *to, uint64_t off, uint64_t len)
{
    uint64_t done = 0;
    len = min_u64(len, to->left);
    while (done < len) {
        uint64_t run;
        const unsigned char *src = source(fd, off + done, len - done, &run);
        int64_t n = src ? uio_copy_to(to, src, run) : uio_zero(to, run);
        if (n <= 0) {
            return done ? (int64_t)done : n;
        }
        done += (uint64_t)n;
        if ((uint64_t)n < run) {
            break;
        }
    }
    return (int64_t)done;
}

/* Pages [i, i + n) ready to be written into; returns how many (disk full: fewer). */
static uint32_t materialise_run(struct filedata *fd, struct data_chunk *c, uint64_t index,
                                uint32_t i, uint32_t n)
{
    uint32_t k = 0;
    while (k < n && materialise(fd, c, index, i + k)) {
        k++;
    }
    return k;
}

int64_t filedata_write(struct filedata *fd, struct uio *from, uint64_t off, uint64_t len)
{
    uint64_t done = 0;
    int64_t error = 0;
    len = min_u64(len, from->left);
    while (done < len) {
        uint64_t at = off + done, index = at / CHUNK_BYTES, in = at % CHUNK_BYTES;
        uint64_t want = min_u64(len - done, CHUNK_BYTES - in);
        uint32_t i = (uint32_t)(in / PAGE_SIZE);
        uint32_t pages = (uint32_t)((in + want - 1) / PAGE_SIZE) - i + 1;
        struct data_chunk *c = chunk_make(fd, index);
        uint32_t ready = materialise_run(fd, c, index, i, pages);
        if (ready == 0) {
            error = -ENOSPC;
            break;
        }
        uint64_t room = min_u64(want, (uint64_t)(i + ready) * PAGE_SIZE - in);
        int64_t n = uio_copy_from(from, store_page(fd, c, 0) + in, room);
        if (n <= 0) {
            error = n;
            break;
        }
        mark_unsynced(fd, c, i, (uint32_t)((in + (uint64_t)n - 1) / PAGE_SIZE) - i + 1);
        done += (uint64_t)n;
        if ((uint64_t)n < room) {
            break;
        }
    }
    if (done && off + done > fd->inode->size) {
        fd->inode->size = off + done;
        filedata_meta_changed(fd);
    }
    return done ? (int64_t)done : error;
}

/* --- shape ------------------------------------------------------------------------------------ */

/* Pages dropped at once that are zeroed here rather than given back by the host. */
#define DROP_BY_HAND_PAGES 16u

static void zero_pages(struct filedata *fd, const struct data_chunk *c, uint32_t from, uint32_t to)
{
    uint32_t used = 0;
    for (uint32_t i = from; i < to; i++) {
        used += chunk_has(c, i);
    }
    if (used > DROP_BY_HAND_PAGES) {
        fd->m->port->data_discard(c->first_page + from, to - from);
        return;
    }
    for (uint32_t i = from; used > 0 && i < to; i++) {
        if (chunk_has(c, i)) {
            memset(store_page(fd, c, i), 0, PAGE_SIZE);
            used--;
        }
    }
}

static void drop_in_chunk(struct filedata *fd, struct data_chunk *c, uint32_t from, uint32_t to)
{
    zero_pages(fd, c, from, to);
    for (uint32_t i = from; i < to; i++) {
        chunk_clear(c->present, i);
        if (chunk_bit(c->reserved, i)) {
            chunk_clear(c->reserved, i);
            account(fd, -1);
        }
        if (chunk_bit(c->unsynced, i)) {
            chunk_clear(c->unsynced, i);
            fd->unsynced_pages--;
        }
        if (!fd->shared_maps) {
            chunk_clear(c->mapped, i);
        }
    }
}

/* Chunks keep their places: a mapping made earlier may still show them. */
static void drop_pages(struct filedata *fd, uint64_t first, uint64_t end)
{
    uint64_t index = first / CHUNK_PAGES;
    struct data_chunk *c;
    while ((c = chunk_next(fd, &index)) && index * CHUNK_PAGES < end) {
        uint64_t base = index * CHUNK_PAGES;
        uint32_t from = first > base ? (uint32_t)(first - base) : 0;
        drop_in_chunk(fd, c, from, (uint32_t)min_u64(CHUNK_PAGES, end - base));
        index++;
    }
}

/* Zeroes bytes within one page, if it has any other contents. */
static int zero_within(struct filedata *fd, uint64_t off, uint64_t len)
{
    uint64_t pgoff = off / PAGE_SIZE;
    const struct data_chunk *c = chunk_find(fd, pgoff / CHUNK_PAGES);
    bool based = pgoff < fd->base_pages;
    if (!len || (!chunk_has(c, (uint32_t)(pgoff % CHUNK_PAGES)) && !based)) {
        return 0;
    }
    unsigned char *p = filedata_page(fd, pgoff);
    if (!p) {
        return -ENOSPC;
    }
    memset(p + off % PAGE_SIZE, 0, len);
    mark_unsynced(fd, chunk_make(fd, pgoff / CHUNK_PAGES), (uint32_t)(pgoff % CHUNK_PAGES), 1);
    return 0;
}

int filedata_truncate(struct filedata *fd, uint64_t size)
{
    uint64_t old = fd->inode->size;
    uint64_t edge = min_u64(old, size), tail = round_up_u64(edge, PAGE_SIZE) - edge;
    /* Behind the smaller size the last page must be zero: cut off, or scribbled by a mapping. */
    int r = zero_within(fd, edge, tail);
    if (r) {
        return r;
    }
    if (size < old) {
        uint64_t keep = (size + PAGE_SIZE - 1) / PAGE_SIZE;
        fd->base_pages = min_u64(fd->base_pages, keep);
        drop_pages(fd, keep, UINT64_MAX / 2);
        if (fd->shared_maps) {
            mm_file_shrunk(fd->m, fd->inode, keep);
        }
    }
    fd->inode->size = size;
    filedata_meta_changed(fd);
    return 0;
}

/* Whole pages become holes; over a base that takes a page of zeroes of our own. */
static int punch_pages(struct filedata *fd, uint64_t first, uint64_t end)
{
    drop_pages(fd, first, end);
    for (uint64_t p = first; p < min_u64(end, fd->base_pages); p++) {
        unsigned char *page = filedata_page(fd, p);
        if (!page) {
            return -ENOSPC;
        }
        memset(page, 0, PAGE_SIZE);
    }
    filedata_meta_changed(fd);
    return 0;
}

int filedata_punch(struct filedata *fd, uint64_t off, uint64_t len)
{
    uint64_t end = off + len;
    uint64_t first = round_up_u64(off, PAGE_SIZE), last = round_down_u64(end, PAGE_SIZE);
    if (first > last) {
        return zero_within(fd, off, len); /* inside one page */
    }
    int r = zero_within(fd, off, first - off);
    if (!r) {
        r = zero_within(fd, last, end - last);
    }
    return r ? r : punch_pages(fd, first / PAGE_SIZE, last / PAGE_SIZE);
}

static uint64_t unreserved(const struct filedata *fd, uint64_t first, uint64_t end)
{
    uint64_t taken = 0, index = first / CHUNK_PAGES;
    const struct data_chunk *c;
    while ((c = chunk_next(fd, &index)) && index * CHUNK_PAGES < end) {
        for (uint32_t i = 0; i < CHUNK_PAGES; i++) {
            uint64_t p = index * CHUNK_PAGES + i;
            taken += p >= first && p < end && chunk_bit(c->reserved, i);
        }
        index++;
    }
    return end - first - taken;
}

int filedata_reserve(struct filedata *fd, uint64_t off, uint64_t len)
{
    uint64_t first = off / PAGE_SIZE, end = (off + len + PAGE_SIZE - 1) / PAGE_SIZE;
    uint64_t limit_pages = fd->sb->size_limit / PAGE_SIZE;
    if ((fd->sb->size_limit && end - first > limit_pages + fd->reserved_pages) ||
        !has_room(fd, unreserved(fd, first, end))) {
        return -ENOSPC;
    }
    for (uint64_t p = first; p < end; p++) {
        struct data_chunk *c = chunk_make(fd, p / CHUNK_PAGES);
        uint32_t i = (uint32_t)(p % CHUNK_PAGES);
        if (!chunk_bit(c->reserved, i)) {
            chunk_set(c->reserved, i);
            account(fd, 1);
        }
    }
    return 0;
}

uint64_t filedata_seek(struct filedata *fd, uint64_t off, bool data)
{
    uint64_t size = fd->inode->size;
    while (off < size) {
        uint64_t pgoff = off / PAGE_SIZE, index = pgoff / CHUNK_PAGES;
        const struct data_chunk *c = chunk_find(fd, index);
        bool is_data = chunk_has(c, (uint32_t)(pgoff % CHUNK_PAGES)) || pgoff < fd->base_pages;
        if (is_data == data) {
            return off;
        }
        if (!c && pgoff >= fd->base_pages && !chunk_next(fd, &index)) {
            return UINT64_MAX; /* nothing but a hole up to the end */
        }
        off = !c && pgoff >= fd->base_pages ? index * CHUNK_BYTES : (pgoff + 1) * PAGE_SIZE;
    }
    return data ? UINT64_MAX : size;
}

uint64_t filedata_blocks(const struct filedata *fd)
{
    uint64_t pages = fd->reserved_pages + fd->base_pages, index = 0;
    const struct data_chunk *c;
    for (; fd->base_pages && (c = chunk_next(fd, &index)); index++) {
        for (uint32_t i = 0; i < CHUNK_PAGES; i++) { /* pages of ours that hide one of the base */
            bool hides = index * CHUNK_PAGES + i < fd->base_pages && chunk_bit(c->reserved, i);
            pages -= hides;
        }
    }
    return pages * (PAGE_SIZE / 512);
}
