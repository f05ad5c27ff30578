/* Paths inside containers, and files inside the compose directory: that directory is the whole
 * world of a load, so no path and no symbolic link leads out of it. */
#ifndef EVERETT_COMPOSE_PATHS_H
#define EVERETT_COMPOSE_PATHS_H

#include "base/base.h"

struct buf;
struct pool;

/* An absolute path without `//`, `/./`, `/../` and trailing `/`; `..` stops at the root. */
char *path_normalise(struct pool *pool, const char *absolute);
/* A relative path likewise ("." for nothing); NULL when it climbs out of its directory. */
char *path_below(struct pool *pool, const char *relative);

enum { FILE_BYTES_MAX = 4 << 20 };

/* Appends the regular file `path` below `dirfd`. Links are followed as if `dirfd` were `/`.
 * Returns 0 or a negative errno (-EFBIG above FILE_BYTES_MAX, -EISDIR, -ENOENT for dirfd -1). */
int dir_read(int dirfd, const char *path, struct buf *out);
/* 0 when something is there, else a negative errno. */
int dir_check(int dirfd, const char *path);

#endif
