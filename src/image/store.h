/* The local image store: content-addressed files under one directory.
 *
 *   blobs/sha256/HEX   manifests and configs, byte for byte as they came
 *   data/HEX.data      page-aligned file contents, named by their own SHA-256 (struct pack_data)
 *   index/HEX.idx      packed trees (abi/pack.h), named by image id
 *   index/HEX.json     what else is known of an image: layers, digests (image/record.h)
 *   refs/HEX           one name each: {"ref": NAME, "id": HEX}, named by the SHA-256 of NAME
 *   import/            contents of host files (image/hostimport.h)
 *   tmp/               files in the making
 *
 * A file appears under its name complete or not at all (write, fsync, rename). Adding needs the
 * store lock shared, removing needs it exclusively; what a killed process leaves in tmp/ is removed
 * by the next process that finds itself alone. Blocking: every call may wait for the disk, and the
 * lock calls for other processes. Errors: ERR_HOST with the path. */
#ifndef EVERETT_IMAGE_STORE_H
#define EVERETT_IMAGE_STORE_H

#include "base/err.h"
#include "image/digest.h"

struct image_store;

/* `path` NULL: $EVERETT_HOME, else $XDG_DATA_HOME/everett, else ~/.local/share/everett. Creates
 * what is missing. NULL on error. */
struct image_store *image_store_open(const char *path, struct err *err);
void image_store_close(struct image_store *store);
const char *image_store_path(const struct image_store *store);
int image_store_dirfd(const struct image_store *store);

enum image_store_lock { IMAGE_STORE_SHARED, IMAGE_STORE_EXCLUSIVE };

/* Returns a descriptor whose closing gives the lock back, or -1. A process that holds the lock
 * shared must not ask for it exclusively. */
int image_store_lock(struct image_store *store, enum image_store_lock how, struct err *err);

/* A file in the making. */
struct store_tmp {
    struct image_store *store; /* borrowed */
    int fd;                    /* owned; read and write */
    char name[32];             /* below tmp/ */
};

/* The caller holds the lock. */
int store_tmp_init(struct store_tmp *tmp, struct image_store *store, struct err *err);
/* Gives the file its final name below the store (which may exist: the new file takes its place),
 * read-only and durable. Always ends `tmp`. */
int store_tmp_commit(struct store_tmp *tmp, const char *path, struct err *err);
/* Removes the file; harmless after commit and on a zeroed struct with fd -1. */
void store_tmp_fini(struct store_tmp *tmp);
/* Host path of the file, for libraries that want one. The caller frees it. */
char *store_tmp_path(const struct store_tmp *tmp);

int store_write_file(struct image_store *store, const char *path, const void *data, size_t len,
                     struct err *err);
/* Writes blobs/sha256/<digest of data> and tells the digest. */
int store_put_blob(struct image_store *store, const void *data, size_t len, char hex[DIGEST_HEX],
                   struct err *err);

struct buf;
/* 1 read, 0 no such file, -1 error. Appends to `out`. */
int store_read_file(struct image_store *store, const char *path, struct buf *out, struct err *err);
int store_remove_file(struct image_store *store, const char *path, struct err *err);
bool store_has_file(struct image_store *store, const char *path, uint64_t *size);

#endif
