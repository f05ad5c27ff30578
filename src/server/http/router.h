/* Paths and routes: pure functions.
 *
 * A path is decoded segment by segment (RFC 3986 section 2.1), so that an encoded slash, a dot
 * segment or a NUL can never reach a handler. */
#ifndef EVERETT_SERVER_HTTP_ROUTER_H
#define EVERETT_SERVER_HTTP_ROUTER_H

#include "base/buf.h"
#include "server/http/http.h"

/* Appends the decoded path of a request target ("/a%20b?x=y"). Returns NULL, or why it is refused:
 * no slash in front, an empty segment inside, `.` or `..`, an encoded slash, a control character, a
 * broken escape. A slash at the end is kept. */
const char *router_decode(const char *target, struct buf *path);

/* Whether `pattern` matches all of `path`. The values of {name} are appended to `vars` one after
 * another, each with its NUL; `offsets` says where; *count how many. */
bool router_match(const char *pattern, const char *path, struct buf *vars,
                  size_t offsets[HTTP_PATH_VARS], unsigned *count);

struct router_found {
    const struct http_route *route; /* NULL: none */
    unsigned allow;          /* without a route: methods that the path has; 0: no such path */
    enum http_family family; /* of the route, or of the path when there is none */
    struct buf vars;         /* owned by the caller */
    size_t offsets[HTTP_PATH_VARS];
    unsigned var_count;
};
struct router_table {
    const struct http_route *routes;
    const size_t *count;
};
/* The first route in the tables' order that takes the method. HEAD is looked up as HTTP_GET. */
void router_find(const struct router_table *tables, size_t table_count, unsigned method,
                 const char *path, struct router_found *out);
/* By its beginning: /v2, /api, anything else. */
enum http_family router_family(const char *path);

/* Tables of all parts, in the order of matching (routes.c). */
extern const struct router_table router_tables[];
extern const size_t router_table_count;

#endif
