/* Turns a finished tree into the bytes of an INDEX file (abi/pack.h). */
#ifndef EVERETT_IMAGE_INDEX_WRITE_H
#define EVERETT_IMAGE_INDEX_WRITE_H

#include "base/buf.h"
#include "image/tree.h"

/* Appends the index to `out` (empty before). Equal trees and data files give equal bytes. Numbers
 * the inodes of `tree` on the way. Fails only when a count exceeds the format. */
int index_write(struct tree *tree, const struct pack_data *data, size_t data_count, struct buf *out,
                struct err *err);

#endif
