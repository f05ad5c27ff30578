/* What handlers fill in, and how it becomes an answer. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/http/http_priv.h"

#define STREAM_BLOCK (32u * 1024)

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'";

void response_init(struct http_response *rs)
{
    rs->status = 200;
    rs->fd = -1;
}

void response_fini(struct http_response *rs)
{
    buf_free(&rs->headers);
    buf_free(&rs->body);
    if (rs->fd >= 0) {
        close(rs->fd);
        rs->fd = -1;
    }
    if (rs->close) {
        rs->close(rs->read_ctx);
        rs->close = NULL;
    }
}

/* Start of the line of that header, or NULL. */
static char *find_line(const struct http_response *rs, const char *name)
{
    size_t len = strlen(name);
    for (char *p = rs->headers.data; p && *p; p = strchr(p, '\n') + 1) {
        if (strncasecmp(p, name, len) == 0 && p[len] == ':') {
            return p;
        }
    }
    return NULL;
}

static void remove_line(struct http_response *rs, const char *name)
{
    char *line = find_line(rs, name);
    if (line) {
        char *next = strchr(line, '\n') + 1;
        memmove(line, next, strlen(next) + 1);
        rs->headers.len -= (size_t)(next - line);
    }
}

void http_set(struct http_response *rs, const char *name, const char *value)
{
    static const char *const repeated[] = {"Set-Cookie", "Link", "WWW-Authenticate"};
    bool is_repeated = false;
    for (size_t i = 0; i < ARRAY_LEN(repeated); i++) {
        is_repeated |= strcasecmp(repeated[i], name) == 0;
    }
    for (const char *p = value; *p; p++) {
        ASSERT((unsigned char)*p >= ' ' && *p != 127);
    }
    if (!is_repeated) {
        remove_line(rs, name);
    }
    buf_printf(&rs->headers, "%s: %s\n", name, value);
}

void http_setf(struct http_response *rs, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = mem_vprintf(fmt, ap);
    va_end(ap);
    http_set(rs, name, text);
}

void http_json(struct http_response *rs, unsigned status)
{
    rs->status = status;
    http_set(rs, "Content-Type", "application/json");
}

void http_html(struct http_response *rs, unsigned status)
{
    rs->status = status;
    http_set(rs, "Content-Type", "text/html; charset=utf-8");
}

void http_redirect(struct http_response *rs, const char *to)
{
    buf_reset(&rs->body);
    rs->status = 303;
    http_set(rs, "Location", to);
}

static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct exchange *x = cls;
    (void)pos;
    if (x->rs.is_live) {
        pthread_mutex_lock(&x->http->lock);
        bool ends = x->http->is_stopping;
        pthread_mutex_unlock(&x->http->lock);
        if (ends) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
    }
    ssize_t n = x->rs.read(x->rs.read_ctx, out, max);
    x->sent += n > 0 ? (uint64_t)n : 0;
    return n > 0    ? n
           : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                    : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* The exchange outlives its response and closes the stream itself. */
static struct MHD_Response *make(struct exchange *x)
{
    struct http_response *rs = &x->rs;
    if (rs->read) {
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x,
                                                 NULL);
    }
    if (rs->fd >= 0) {
        int fd = rs->fd;
        rs->fd = -1;
        x->sent = rs->fd_len;
        struct MHD_Response *r =
            MHD_create_response_from_fd_at_offset64(rs->fd_len, fd, rs->fd_from);
        if (!r) {
            close(fd);
        }
        return r;
    }
    x->sent = rs->body.len;
    size_t len = rs->body.len;
    return MHD_create_response_from_buffer(len, buf_steal(&rs->body), MHD_RESPMEM_MUST_FREE);
}

static void add_defaults(struct exchange *x)
{
    struct http_response *rs = &x->rs;
    http_setf(rs, "X-Request-Id", "%016llx", (unsigned long long)x->rq.id);
    http_set(rs, "X-Content-Type-Options", "nosniff");
    if (x->rq.family == FAMILY_REGISTRY) {
        http_set(rs, "Docker-Distribution-API-Version", "registry/2.0");
    } else if (!find_line(rs, "Cache-Control")) {
        http_set(rs, "Cache-Control", "no-store");
    }
    const char *type = find_line(rs, "Content-Type");
    if (type && strncmp(type, "Content-Type: text/html", 23) == 0) {
        if (!find_line(rs, "Content-Security-Policy")) {
            http_set(rs, "Content-Security-Policy", page_policy);
        }
        http_set(rs, "X-Frame-Options", "DENY");
        http_set(rs, "Referrer-Policy", "same-origin");
    }
    if (x->must_close) {
        http_set(rs, "Connection", "close");
    }
}

static bool add_headers(struct MHD_Response *r, const struct http_response *rs)
{
    cleanup_free char *copy = strdup(rs->headers.data);
    bool is_ok = copy != NULL;
    char *save = NULL;
    for (char *line = is_ok ? strtok_r(copy, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        char *colon = strchr(line, ':');
        *colon = 0;
        is_ok &= MHD_add_response_header(r, line, colon + 2) == MHD_YES;
    }
    return is_ok;
}

enum MHD_Result response_queue(struct exchange *x)
{
    guard_phase(x, CONN_ANSWER);
    add_defaults(x);
    struct MHD_Response *r = make(x);
    if (!r) {
        return MHD_NO;
    }
    if (x->rs.read && x->rq.is_head) {
        /* libmicrohttpd would end the body that HEAD has not with a last chunk, which a client
         * takes for the next answer: as in HTTP/1.0, the end of the connection is the end. */
        MHD_set_response_options(r, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
    }
    enum MHD_Result result =
        add_headers(r, &x->rs) ? MHD_queue_response(x->rq.conn, x->rs.status, r) : MHD_NO;
    MHD_destroy_response(r);
    return result;
}
