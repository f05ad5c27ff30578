/* Contents of a regular file: pages of the universe's file-data store over an optional read-only
 * base in a pack. Pages never move while the file exists, so mappings, read and write see the same
 * bytes.
 *
 * What a power loss would find is kept apart: per page "written since the last fsync", and the size
 * as of then. The decision over that record (each unsynced page kept, lost or torn) is the fault
 * planner's; nothing here draws. */
#ifndef EVERETT_KERNEL_VFS_FILEDATA_H
#define EVERETT_KERNEL_VFS_FILEDATA_H

#include "base/list.h"
#include "kernel/vfs/mapping.h"

struct machine;
struct superblock;
struct uio;

#define CHUNK_PAGES    256u
#define CHUNK_WORDS    (CHUNK_PAGES / 64)
#define CHUNK_NO_PLACE UINT64_MAX

/* 1 MiB of a file. */
struct data_chunk {
    uint64_t first_page;            /* in the store; CHUNK_NO_PLACE until a page needs one */
    uint64_t present[CHUNK_WORDS];  /* has contents in the store */
    uint64_t mapped[CHUNK_WORDS];   /* may be written through a shared mapping */
    uint64_t reserved[CHUNK_WORDS]; /* counts as allocated: present, or fallocate */
    uint64_t unsynced[CHUNK_WORDS]; /* written since the last fsync */
};

struct filedata {
    struct machine *m;
    struct inode *inode;       /* owner */
    struct superblock *sb;     /* accounts for the pages */
    const unsigned char *base; /* pack contents, zero-padded to a page; NULL: none */
    uint32_t base_file;        /* index in plan->files */
    uint64_t base_offset;      /* of its first byte there */
    uint64_t base_pages;       /* pages below this that are not present read from the base */
    void *root;                /* radix tree: chunk number -> struct data_chunk */
    uint32_t height;           /* 0: empty */
    uint64_t reserved_pages;
    uint32_t shared_maps;
    uint32_t seals;        /* F_SEAL_* of memfds */
    bool opened_for_write; /* once: read-only shared mappings then need a place in the store */
    bool unsynced_meta;    /* size or attributes changed since the last fsync */
    uint64_t synced_size;
    uint64_t unsynced_pages;
    struct list_head dirty_link; /* vfs->dirty while anything is unsynced */
};

/* An empty file, or one whose contents start as `base_pages` pages at `base`. Owned by the inode.
 */
struct filedata *filedata_create(struct machine *m, struct inode *inode);
void filedata_set_base(struct filedata *fd, const unsigned char *base, uint32_t file,
                       uint64_t offset, uint64_t pages);
void filedata_destroy(struct filedata *fd); /* accepts NULL */

/* Moves bytes at `off`; the caller has clipped to the size. Count or -EFAULT. */
int64_t filedata_read(struct filedata *fd, struct uio *to, uint64_t off, uint64_t len);
/* Writes and extends inode->size. Count (short at a bad address or a full disk), -EFAULT, -ENOSPC.
 */
int64_t filedata_write(struct filedata *fd, struct uio *from, uint64_t off, uint64_t len);
/* Kernel's view of the page, which is given a place and contents first. NULL: disk full. */
unsigned char *filedata_page(struct filedata *fd, uint64_t pgoff);

/* A shared mapping may write page i of the chunk from now on. */
void filedata_mark_mapped(struct filedata *fd, struct data_chunk *c, uint32_t i);

/* Sets inode->size; what lies beyond is gone, what comes new reads as zero. 0 or -ENOSPC. */
int filedata_truncate(struct filedata *fd, uint64_t size);
/* Zeroes a byte range; whole pages become holes. */
int filedata_punch(struct filedata *fd, uint64_t off, uint64_t len);
/* Accounts for the range without touching memory. 0 or -ENOSPC. */
int filedata_reserve(struct filedata *fd, uint64_t off, uint64_t len);
/* First offset >= off that is data (or a hole), or UINT64_MAX. */
uint64_t filedata_seek(struct filedata *fd, uint64_t off, bool data);
uint64_t filedata_blocks(const struct filedata *fd); /* of 512 bytes */

/* --- durability ------------------------------------------------------------------------------- */

/* Everything written so far is durable. */
void filedata_sync(struct filedata *fd);
void filedata_sync_range(struct filedata *fd, uint64_t first_page, uint64_t pages);
void filedata_meta_changed(struct filedata *fd);
/* The record for a power loss: calls fn for every page written since the last sync, ascending. */
void filedata_for_unsynced(struct filedata *fd, void (*fn)(void *ctx, uint64_t pgoff), void *ctx);

/* --- chunk tree (chunk_tree.c) ---------------------------------------------------------------- */

struct data_chunk *chunk_find(const struct filedata *fd, uint64_t index); /* NULL: none */
struct data_chunk *chunk_make(struct filedata *fd, uint64_t index);
/* First existing chunk with number >= *index, which is set to its number; NULL: no more. */
struct data_chunk *chunk_next(const struct filedata *fd, uint64_t *index);
void chunk_free_all(struct filedata *fd);
/* A place in the store for the chunk, once and for ever. False: the store is full. */
bool chunk_place(struct filedata *fd, struct data_chunk *c);

static inline bool chunk_bit(const uint64_t *words, uint32_t i)
{
    return words[i / 64] >> (i % 64) & 1;
}

static inline void chunk_set(uint64_t *words, uint32_t i)
{
    words[i / 64] |= 1ull << (i % 64);
}

static inline void chunk_clear(uint64_t *words, uint32_t i)
{
    words[i / 64] &= ~(1ull << (i % 64));
}

/* The page's contents are in the store. */
static inline bool chunk_has(const struct data_chunk *c, uint32_t i)
{
    return c && (chunk_bit(c->present, i) || chunk_bit(c->mapped, i));
}

#endif
