/* What handlers ask of a request. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "server/config.h"
#include "server/http/http_priv.h"
#include "server/server.h"

struct visit {
    const char *name; /* NULL: all */
    http_value_fn *on_value;
    http_pair_fn *on_pair;
    void *ctx;
    const char *first;
};

static enum MHD_Result visit_one(void *cls, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
    struct visit *v = cls;
    (void)kind;
    if (v->name && strcasecmp(v->name, key) != 0) {
        return MHD_YES;
    }
    value = value ? value : ""; /* "?flag" */
    if (v->on_value) {
        v->on_value(v->ctx, value);
    } else if (v->on_pair) {
        v->on_pair(v->ctx, key, value);
    } else {
        v->first = value;
        return MHD_NO;
    }
    return MHD_YES;
}

static void visit(const struct http_request *rq, enum MHD_ValueKind kind, struct visit *v)
{
    if (rq->conn) {
        MHD_get_connection_values(rq->conn, kind, visit_one, v);
    }
}

const char *http_header(const struct http_request *rq, const char *name)
{
    struct visit v = {.name = name};
    visit(rq, MHD_HEADER_KIND, &v);
    return v.first;
}

void http_each_header(const struct http_request *rq, const char *name, http_value_fn *fn, void *ctx)
{
    struct visit v = {.name = name, .on_value = fn, .ctx = ctx};
    visit(rq, MHD_HEADER_KIND, &v);
}

static void take_exact(void *ctx, const char *name, const char *value)
{
    struct visit *want = ctx;
    if (!want->first && strcmp(want->name, name) == 0) {
        want->first = value;
    }
}

const char *http_query(const struct http_request *rq, const char *name)
{
    struct visit want = {.name = name};
    http_each_query(rq, take_exact, &want);
    return want.first;
}

void http_each_query(const struct http_request *rq, http_pair_fn *fn, void *ctx)
{
    struct visit v = {.on_pair = fn, .ctx = ctx};
    visit(rq, MHD_GET_ARGUMENT_KIND, &v);
}

const char *http_cookie(const struct http_request *rq, const char *name)
{
    struct visit v = {.name = name};
    visit(rq, MHD_COOKIE_KIND, &v);
    return v.first;
}

static int hex(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes up to `end`. */
static void decode_form(const char *p, const char *end, struct buf *out)
{
    for (; p < end; p++) {
        if (*p == '+') {
            buf_putc(out, ' ');
        } else if (*p == '%' && end - p > 2 && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
            buf_putc(out, (char)(hex(p[1]) * 16 + hex(p[2])));
            p += 2;
        } else {
            buf_putc(out, *p);
        }
    }
}

char *http_form(const struct http_request *rq, const char *name)
{
    const char *p = rq->body.data, *end = p + rq->body.len;
    struct buf key = {0}, value = {0};
    bool is_found = false;
    while (p && p < end && !is_found) {
        const char *next = memchr(p, '&', (size_t)(end - p));
        next = next ? next : end;
        const char *eq = memchr(p, '=', (size_t)(next - p));
        buf_reset(&key);
        decode_form(p, eq ? eq : next, &key);
        is_found = key.len == strlen(name) && strcmp(key.data ? key.data : "", name) == 0;
        if (is_found && eq) {
            decode_form(eq + 1, next, &value);
        }
        p = next + 1;
    }
    buf_free(&key);
    if (is_found && (!value.len || !memchr(value.data, 0, value.len))) { /* no text holds a NUL */
        return buf_steal(&value);
    }
    buf_free(&value);
    return NULL;
}

static void direct_peer(const struct http_request *rq, char *out, size_t len)
{
    const union MHD_ConnectionInfo *info =
        rq->conn ? MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS) : NULL;
    const struct sockaddr *addr = info ? info->client_addr : NULL;
    socklen_t addr_len = addr && addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                             : sizeof(struct sockaddr_in);
    if (!addr || getnameinfo(addr, addr_len, out, (socklen_t)len, NULL, 0, NI_NUMERICHOST)) {
        out[0] = 0;
    }
}

static void take_last(void *ctx, const char *value)
{
    *(const char **)ctx = value;
}

/* What a proxy appends is the last element; whatever stands before it, the client may have made
 * up. Only an address is taken. */
void http_peer(const struct http_request *rq, char *out, size_t len)
{
    const char *value = NULL;
    unsigned char binary[sizeof(struct in6_addr)];
    char last[INET6_ADDRSTRLEN];
    direct_peer(rq, out, len);
    if (!rq->conn || !server_config_lists(rq->server->config->trusted_proxies, out)) {
        return;
    }
    http_each_header(rq, "X-Forwarded-For", take_last, &value);
    const char *comma = value ? strrchr(value, ',') : NULL;
    const char *start = comma ? comma + 1 : value ? value : "";
    start += strspn(start, " ");
    size_t n = strcspn(start, " ");
    bool is_alone = start[n + strspn(start + n, " ")] == 0;
    if (is_alone && n < sizeof last && n < len) {
        memcpy(last, start, n);
        last[n] = 0;
        if (inet_pton(AF_INET, last, binary) == 1 || inet_pton(AF_INET6, last, binary) == 1) {
            memcpy(out, last, n + 1);
        }
    }
}

void http_encode(struct buf *b, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *p = text; *p; p++) {
        if (strchr(plain, *p)) {
            buf_putc(b, *p);
        } else {
            buf_printf(b, "%%%02X", (unsigned char)*p);
        }
    }
}
