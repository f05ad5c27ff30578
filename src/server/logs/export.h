/* What a search finds, as a stream: pulled universe by universe, so that memory stays bounded by
 * the hits of one. Shaped to be the body of a response (struct http_response: read, close). */
#ifndef EVERETT_SERVER_LOGS_EXPORT_H
#define EVERETT_SERVER_LOGS_EXPORT_H

#include <sys/types.h>

#include "base/base.h"

struct search;
struct search_export;
struct store;

enum export_format {
    EXPORT_JSON, /* one object of the API a line; an error midway is a last line {"error": TEXT} */
    EXPORT_TEXT, /* "universe vtime container | line" */
    EXPORT_CSV,  /* RFC 4180, with a header */
};

struct export_options {
    enum export_format format;
    uint64_t limit;                      /* events at most; 0: all */
    uint64_t universe_from, universe_to; /* inclusive */
};

/* Takes over query and store. */
struct search_export *search_export_create(struct search *q, struct store *s,
                                           const struct export_options *o);
/* Blocks while it searches; 0 at the end. */
ssize_t search_export_read(void *export, char *out, size_t len);
void search_export_close(void *export);

#endif
