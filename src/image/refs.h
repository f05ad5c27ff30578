/* Names of stored images: which name means which image. */
#ifndef EVERETT_IMAGE_REFS_H
#define EVERETT_IMAGE_REFS_H

#include "image/ref.h"
#include "image/store.h"

struct image_name {
    char *ref; /* owned; normal form */
    char id[DIGEST_HEX];
};

struct image_names {
    struct image_name *items; /* owned; sorted by ref */
    size_t count, cap;
};

int image_names_read(struct image_store *store, struct image_names *names, struct err *err);
void image_names_fini(struct image_names *names);

/* Makes `ref` (any form without a digest) mean `id`, whatever it meant before. */
int image_name_set(struct image_store *store, const char *ref, const char *id, struct err *err);
int image_name_remove(struct image_store *store, const struct image_name *name, struct err *err);

/* Finds the image a user means: an exact name; else NAME@sha256:D or sha256:D (digest of manifest,
 * index or config); else 12 or more digits of an id; else the only image whose name has the same
 * last part and tag ("registry/x/etcd:v1" and "etcd:v1" find each other). ERR_USAGE when there is
 * none or more than one. */
int image_resolve(struct image_store *store, const char *text, char id[DIGEST_HEX],
                  struct err *err);

#endif
