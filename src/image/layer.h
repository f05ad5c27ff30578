/* One image layer, streamed out of its archive: contents go to a DATA file, the rest is a list of
 * changes that is then applied to the tree of the layers below. */
#ifndef EVERETT_IMAGE_LAYER_H
#define EVERETT_IMAGE_LAYER_H

#include "image/data_file.h"
#include "image/source.h"
#include "image/tree.h"

enum layer_change_kind { LAYER_PUT, LAYER_LINK, LAYER_WHITEOUT, LAYER_OPAQUE };

struct layer_change {
    enum layer_change_kind kind;
    char *path;               /* owned; normal form */
    struct tree_inode *inode; /* LAYER_PUT: holds a reference */
    char *target;             /* LAYER_LINK: owned; normal form */
};

struct layer {
    struct layer_change *changes; /* in archive order */
    size_t count, cap;
    char blob[DIGEST_HEX]; /* digest of the bytes as stored */
    char diff[DIGEST_HEX]; /* digest of the uncompressed archive */
    uint64_t blob_len, diff_len;
};

/* Reads the whole stream. Contents are appended to `data`, whose files are numbered
 * `data_number` in the image. */
int layer_read(struct layer *layer, struct source_stream *stream, struct data_file *data,
               uint32_t data_number, const struct image_limits *limits, struct err *err);
void layer_fini(struct layer *layer);

/* Whiteouts first, whatever their place in the archive; then everything else in archive order. */
int layer_apply(const struct layer *layer, struct tree *tree, struct err *err);

#endif
