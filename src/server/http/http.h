/* HTTP on top of libmicrohttpd: requests, responses, routes.
 *
 * One thread a connection; handlers may block. A request's strings live until its handler's last
 * call returned. Limits (header bytes, body bytes, connections, idle time) come from server_config
 * and are enforced before a handler is called. Source: RFC 9110, RFC 9112. */
#ifndef EVERETT_SERVER_HTTP_HTTP_H
#define EVERETT_SERVER_HTTP_HTTP_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct server;
struct http_server;
struct MHD_Connection;

#define HTTP_PATH_VARS 4u

enum http_method {
    HTTP_GET = 1, /* routes of GET answer HEAD too; the body is dropped */
    HTTP_POST = 2,
    HTTP_PUT = 4,
    HTTP_PATCH = 8,
    HTTP_DELETE = 16,
};

/* Who may call a route. Each scope is given to a token or account (auth/auth.h). */
enum scope {
    SCOPE_PUBLIC = 0,
    SCOPE_READ = 1,
    SCOPE_LAUNCH = 2,
    SCOPE_PUSH = 4,
    SCOPE_ADMIN = 8,
};

/* How a route reports errors and asks for credentials. */
enum http_family {
    FAMILY_PAGE,   /* HTML; redirects to /login; unsafe methods need the form field `csrf` when the
                      credentials are a session cookie, and the Origin to be ours */
    FAMILY_API,    /* {"message": TEXT}; session cookies are accepted for safe methods only */
    FAMILY_LAUNCH, /* {"statusCode", "runId": null, "message"}; no session cookies */
    FAMILY_REGISTRY, /* {"errors": [{"code","message","detail"}]}; 401 with WWW-Authenticate Basic
                      */
};

struct principal {
    int64_t account; /* 0: nobody */
    char name[65];   /* "" : nobody */
    unsigned scopes; /* enum scope bits */
    bool by_session; /* a browser's cookie */
    char csrf[65];   /* of the session */
};

struct http_request {
    struct server *server;
    enum http_method method;
    enum http_family family;
    bool is_head;
    const char *path;                 /* percent-decoded, normalised, starts with a slash */
    const char *vars[HTTP_PATH_VARS]; /* what matched {name} in the route, in order */
    struct buf body;                  /* whole body of a route with BODY_MEMORY */
    struct principal who;
    void *stream_state;          /* of a BODY_STREAM route's own */
    struct MHD_Connection *conn; /* of http.c */
    uint64_t id;                 /* in the log and in X-Request-Id */
};

/* First value or NULL. Header names compare without case. */
const char *http_header(const struct http_request *rq, const char *name);
const char *http_query(const struct http_request *rq, const char *name);
/* Visits all values of one name (several Accept lines). */
typedef void http_value_fn(void *ctx, const char *value);
void http_each_header(const struct http_request *rq, const char *name, http_value_fn *fn,
                      void *ctx);
/* Each pair of the query in order. */
typedef void http_pair_fn(void *ctx, const char *name, const char *value);
void http_each_query(const struct http_request *rq, http_pair_fn *fn, void *ctx);
/* Field of an application/x-www-form-urlencoded body in rq->body; the caller frees it; or NULL,
 * also for one that holds a NUL. */
char *http_form(const struct http_request *rq, const char *name);
const char *http_cookie(const struct http_request *rq, const char *name); /* or NULL */
/* The client's address as text: the peer's, or what a trusted proxy says. */
void http_peer(const struct http_request *rq, char *out, size_t len);

/* What a handler fills in. Default: status 200, no body. */
struct http_response {
    unsigned status;
    struct buf headers; /* "Name: value\n" lines; http_set() */
    struct buf body;
    int fd; /* body from a file, owned; -1: none */
    uint64_t fd_from, fd_len;
    /* Streamed body: fills at most `len` bytes and may block; 0 at the end, -1 cuts the connection.
     * `close` is called once in every case. */
    ssize_t (*read)(void *ctx, char *out, size_t len);
    void (*close)(void *ctx);
    void *read_ctx;
    bool is_live; /* endless (server-sent events): ended at once when the server stops, so that its
                     read() had better look up every second or two */
};

/* Replaces a header of the same name, but for Set-Cookie, Link and WWW-Authenticate, which may be
 * there several times. Values with control characters are refused by an assertion: encode before.
 * Content-Length follows from the body. Every response gets X-Request-Id and nosniff; HTML a strict
 * Content-Security-Policy and pages and API `Cache-Control: no-store` unless the handler said
 * otherwise. */
void http_set(struct http_response *rs, const char *name, const char *value);
void http_setf(struct http_response *rs, const char *name, const char *fmt, ...) printf_like(3, 4);
/* Replaces the body by an error in the route's family. The text is for people. In the registry's
 * family the code follows from the status; http_error_code() names another ("BLOB_UNKNOWN"). */
void http_error(const struct http_request *rq, struct http_response *rs, unsigned status,
                const char *fmt, ...) printf_like(4, 5);
void http_error_code(struct http_response *rs, unsigned status, const char *code,
                     const char *message);
/* The same from a struct err: USAGE 400, HOST with ENOSPC 507, others 500 (logged, not shown). */
void http_fail(const struct http_request *rq, struct http_response *rs, const struct err *err);
void http_json(struct http_response *rs, unsigned status); /* sets the content type */
void http_html(struct http_response *rs, unsigned status);
void http_redirect(struct http_response *rs, const char *to); /* 303 */

typedef void http_handler(struct http_request *rq, struct http_response *rs);

enum http_body {
    BODY_NONE,
    BODY_MEMORY, /* rq->body, at most config->body_max: 413 */
    BODY_STREAM, /* begin, data..., then handle */
};

struct http_route {
    unsigned methods; /* enum http_method bits */
    /* "/api/v0/runs/{id}/logs". {name} is one segment, {name...} one or more: at most one such. */
    const char *pattern;
    enum http_family family;
    unsigned scope; /* enum scope bits: any of them will do; 0: public */
    enum http_body body;
    http_handler *handle;
    /* BODY_STREAM: begin returns false when it has already answered by filling `rs` (the rest of
     * the body is read and dropped); so may data. `end` frees stream_state, always called. */
    bool (*begin)(struct http_request *rq, struct http_response *rs);
    bool (*data)(struct http_request *rq, const char *bytes, size_t len, struct http_response *rs);
    void (*end)(struct http_request *rq);
};

/* Tables of the parts; routes.c lists them and the first match is taken. A path that matches only
 * with another method gives 405 with Allow. */
extern const struct http_route registry_routes[], api_routes[], pages_routes[], server_routes[];
extern const size_t registry_route_count, api_route_count, pages_route_count, server_route_count;

/* Binds the address; from then on connections wait. */
struct http_server *http_open(struct server *s, const char *listen, struct err *err) must_check;
/* Begins to answer them. */
int http_serve(struct http_server *h, struct err *err) must_check;
const char *http_address(const struct http_server *h); /* "127.0.0.1:41234" */
bool http_is_tls(const struct http_server *h);
/* No new connections; requests in progress may end within `grace_ms`, then they are cut. */
void http_stop(struct http_server *h, unsigned grace_ms);

/* Appends `text` percent-encoded as a path segment or query value. */
void http_encode(struct buf *b, const char *text);

#endif
