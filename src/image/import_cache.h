/* Copies of host files, kept in the store across runs.
 *
 * Contents lie in one page-aligned file that only grows, `import/files.data`; an SQLite table says
 * where, keyed by device, inode, size, mtime and ctime of the host file and by the version of the
 * call-site scanner. A row is written only after its pages are durable. Several processes may share
 * a cache; one handle belongs to one thread and must not be used after fork(2). */
#ifndef EVERETT_IMAGE_IMPORT_CACHE_H
#define EVERETT_IMAGE_IMPORT_CACHE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "abi/pack.h"
#include "image/store.h"

struct import_cache;
struct buf;

struct import_file {
    uint64_t page;
    uint8_t sha256[DIGEST_LEN]; /* of the contents */
    struct pack_patch *patches; /* owned */
    size_t patch_count;
};

struct import_cache *import_cache_create(struct image_store *store, struct err *err);
/* Keeps what was copied (as import_cache_flush does, but cannot report). */
void import_cache_destroy(struct import_cache *cache);

/* Descriptor of files.data; borrowed, stays the same. */
int import_cache_fd(const struct import_cache *cache);

/* Looks the open regular file up, copying it when it is new. `st` is its state; when the file
 * changes while it is copied: -1. The caller frees `patches`. */
int import_cache_get(struct import_cache *cache, int fd, const struct stat *st,
                     struct import_file *file, struct err *err);
/* The same without copying: false when it is new. */
bool import_cache_find(struct import_cache *cache, const struct stat *st, struct import_file *file);

/* Small notes across runs, a value by key. They may be lost, or cut off, at any time. recall
 * appends to `out`. */
bool import_cache_recall(struct import_cache *cache, const struct buf *key, struct buf *out);
void import_cache_note(struct import_cache *cache, const struct buf *key, const struct buf *value);

/* Makes copies durable and known to later runs. */
int import_cache_flush(struct import_cache *cache, struct err *err);

#endif
