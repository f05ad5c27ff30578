/* The container of an image: a directory or an archive (plain or compressed) whose members are
 * manifests, configs and layers. Members can be read in any order and more than once. */
#ifndef EVERETT_IMAGE_SOURCE_H
#define EVERETT_IMAGE_SOURCE_H

#include <sys/types.h>

#include "base/buf.h"
#include "image/limits.h"
#include "image/store.h"

struct source;
struct source_stream;

/* `path` is an archive or a directory; what is not a regular file (a pipe) or is compressed is
 * copied to the store's tmp/ first. The caller holds the store lock until source_close. */
struct source *source_open(const char *path, struct image_store *store,
                           const struct image_limits *limits, struct err *err);
void source_close(struct source *src);

/* Symbolic and hard links between members are followed; nothing outside is ever opened. */
bool source_has(struct source *src, const char *name);
/* 0, or -1: no such member, larger than limits->json_max, unreadable. Appends to `out`. */
int source_read(struct source *src, const char *name, struct buf *out, struct err *err);

/* NULL: no such member. */
struct source_stream *source_stream_open(struct source *src, const char *name, struct err *err);
/* A stream over bytes in memory (borrowed). */
struct source_stream *source_stream_memory(const void *data, size_t len);
/* Bytes in *block (valid until the next call), 0 at the end, -1. */
ssize_t source_stream_next(struct source_stream *st, const void **block, struct err *err);
void source_stream_close(struct source_stream *st);

#endif
