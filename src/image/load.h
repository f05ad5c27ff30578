/* Bringing images into the store: `docker save` archives (old, and mixed with an OCI layout as
 * Docker 25 writes them), OCI layouts and OCI archives; plain, gzip and zstd layers.
 *
 * Digests and diff_ids are verified. Layers are never extracted to the file system: they are
 * streamed into one DATA file each and a tree in memory. */
#ifndef EVERETT_IMAGE_LOAD_H
#define EVERETT_IMAGE_LOAD_H

#include "image/config.h"
#include "image/limits.h"
#include "image/store.h"

struct image_loaded {
    char id[DIGEST_HEX];
    struct image_strings refs; /* names it got, normal form; may be empty */
};

struct image_load_result {
    struct image_loaded *images; /* owned; in the order of the archive */
    size_t count, cap;
};

/* Loads every linux/amd64 image in the archive or directory at `path` ("-" is standard input).
 * `limits` NULL: the default. Takes the store lock, shared. On failure images that came before the
 * failing one stay loaded; `result` is empty. Errors name the file, the image and the layer. */
int image_load(struct image_store *store, const char *path, const struct image_limits *limits,
               struct image_load_result *result, struct err *err);
void image_load_result_fini(struct image_load_result *result);

#endif
