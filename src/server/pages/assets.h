/* The files of web/ that pages refer to, embedded at build time. Their addresses hold a digest of
 * their content, so that browsers may keep them for ever. */
#ifndef EVERETT_SERVER_PAGES_ASSETS_H
#define EVERETT_SERVER_PAGES_ASSETS_H

#include "base/base.h"

struct asset {
    const char *name; /* "base.css" */
    const char *path; /* "/static/base.0123456789ab.css" */
    const char *type; /* content type */
    const char *data; /* NUL-terminated */
    size_t len;
};

extern const struct asset assets[];
extern const size_t asset_count;

/* By name, which must be one of web/; by the last part of its path: NULL when there is none. */
const struct asset *asset_named(const char *name);
const struct asset *asset_at(const char *file);

#endif
