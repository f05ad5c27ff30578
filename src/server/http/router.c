#include "server/http/router.h"

#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One segment up to a slash, query or end; *p is moved behind it. */
static const char *decode_segment(const char **p, struct buf *path)
{
    size_t start = path->len;
    while (**p && **p != '/' && **p != '?' && **p != '#') {
        int c = (unsigned char)**p;
        (*p)++;
        if (c == '%') {
            int high = hex_digit((*p)[0]);
            int low = high < 0 ? -1 : hex_digit((*p)[1]);
            if (low < 0) {
                return "the path holds a broken percent escape";
            }
            c = high * 16 + low;
            *p += 2;
        }
        if (c == '/') {
            return "the path holds an encoded slash";
        }
        if (c < ' ' || c == 127) {
            return "the path holds a control character";
        }
        buf_putc(path, (char)c);
    }
    size_t len = path->len - start;
    if (len > 0 && len <= 2 && strncmp(path->data + start, "..", len) == 0) {
        return "the path holds a dot segment";
    }
    if (len == 0 && **p == '/') {
        return "the path holds an empty segment";
    }
    return NULL;
}

const char *router_decode(const char *target, struct buf *path)
{
    const char *p = target;
    if (*p != '/') {
        return "the path does not start with a slash";
    }
    while (*p == '/') {
        buf_putc(path, '/');
        p++;
        const char *fault = decode_segment(&p, path);
        if (fault) {
            return fault;
        }
    }
    return *p == '#' ? "a request holds no fragment" : NULL;
}

struct captures {
    struct buf *vars;
    size_t *offsets;
    unsigned *count;
};

static void capture(const struct captures *c, const char *text, size_t len)
{
    ASSERT(*c->count < HTTP_PATH_VARS);
    c->offsets[(*c->count)++] = c->vars->len;
    buf_append(c->vars, text, len);
    buf_putc(c->vars, 0);
}

/* Everything behind {name...}: the longest prefix of whole segments that lets the rest match. Only
 * one such group is allowed in a pattern, so that this never nests. */
static bool match_here(const char *pattern, const char *path, const struct captures *c);

static bool match_rest(const char *pattern, const char *path, const struct captures *c)
{
    size_t vars_len = c->vars->len;
    unsigned count = *c->count;
    for (size_t end = strlen(path); end > 0; end--) {
        if ((path[end] && path[end] != '/') || path[end - 1] == '/') {
            continue;
        }
        capture(c, path, end);
        if (match_here(pattern, path + end, c)) {
            return true;
        }
        c->vars->len = vars_len;
        *c->count = count;
    }
    return false;
}

static bool match_here(const char *pattern, const char *path, const struct captures *c)
{
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++) {
                return false;
            }
            continue;
        }
        const char *close = strchr(pattern, '}');
        ASSERT(close != NULL);
        if (close - pattern > 4 && strncmp(close - 3, "...", 3) == 0) {
            return match_rest(close + 1, path, c);
        }
        size_t len = strcspn(path, "/");
        if (len == 0) {
            return false;
        }
        capture(c, path, len);
        path += len;
        pattern = close + 1;
    }
    return *path == 0;
}

bool router_match(const char *pattern, const char *path, struct buf *vars,
                  size_t offsets[HTTP_PATH_VARS], unsigned *count)
{
    struct captures c = {vars, offsets, count};
    buf_reset(vars);
    *count = 0;
    return match_here(pattern, path, &c);
}

enum http_family router_family(const char *path)
{
    static const struct {
        const char *prefix;
        enum http_family family;
    } rows[] = {{"/v2", FAMILY_REGISTRY},
                {"/api/v1/launch", FAMILY_LAUNCH},
                {"/api/v1/launch_experiment", FAMILY_LAUNCH},
                {"/api", FAMILY_API}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].prefix);
        if (strncmp(path, rows[i].prefix, len) == 0 && (!path[len] || path[len] == '/')) {
            return rows[i].family;
        }
    }
    return FAMILY_PAGE;
}

void router_find(const struct router_table *tables, size_t table_count, unsigned method,
                 const char *path, struct router_found *out)
{
    out->route = NULL;
    out->allow = 0;
    out->family = router_family(path);
    for (size_t t = 0; t < table_count; t++) {
        for (size_t i = 0; i < *tables[t].count; i++) {
            const struct http_route *r = &tables[t].routes[i];
            if (!router_match(r->pattern, path, &out->vars, out->offsets, &out->var_count)) {
                continue;
            }
            out->family = r->family;
            if (r->methods & method) {
                out->route = r;
                return;
            }
            out->allow |= r->methods;
        }
    }
}
