/* What the store knows of an image beside its packed tree: index/ID.json. An image is there when
 * this file is; it is written last and removed first. */
#ifndef EVERETT_IMAGE_RECORD_H
#define EVERETT_IMAGE_RECORD_H

#include "image/store.h"

struct image_layer_record {
    char diff_id[DIGEST_HEX];
    char digest[DIGEST_HEX]; /* of the layer blob as it came */
    char data[DIGEST_HEX];   /* data/HEX.data */
    uint64_t size;           /* of the layer blob */
};

struct image_record {
    char id[DIGEST_HEX];       /* digest of the config; packed directories: of the index */
    char manifest[DIGEST_HEX]; /* empty when the archive had none */
    char list[DIGEST_HEX];     /* digest of the image index that named the manifest, or empty */
    bool directory;            /* made by image_pack_dir: no config */
    uint64_t data_len;         /* bytes of all data files */
    struct image_layer_record *layers; /* owned; lowest first */
    size_t layer_count, layer_cap;
};

void image_record_fini(struct image_record *r);
int image_record_write(struct image_store *store, const struct image_record *r, struct err *err);
/* 1, 0 (no such image, or packed by another version of the scanner), -1. */
int image_record_read(struct image_store *store, const char *id, struct image_record *r,
                      struct err *err);

#define INDEX_PATH_LEN (sizeof "index/.json" + DIGEST_HEX)
void image_index_path(const char *id, char path[INDEX_PATH_LEN]);

/* Ids of all images, sorted. 0 or -1. The caller frees the strings. */
struct image_strings;
int image_record_list(struct image_store *store, struct image_strings *ids, struct err *err);

#endif
