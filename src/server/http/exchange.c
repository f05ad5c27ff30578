/* The life of a request: head, checks, body, handler, log. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/http/http_priv.h"
#include "server/log.h"
#include "server/server.h"

/* A refused body is still read up to here, so that the client gets to read the answer; a longer one
 * is cut. */
#define DRAIN_MAX (64ull * 1024 * 1024)

struct exchange *exchange_create(struct http_server *h, struct conn *c, const char *target)
{
    struct exchange *x = mem_zalloc(sizeof *x);
    x->http = h;
    x->conn = c;
    x->start_ns = clock_host_ns();
    x->path_fault = router_decode(target, &x->path);
    x->rq.server = h->server;
    x->rq.path = x->path.data ? x->path.data : "";
    x->rq.family = router_family(x->rq.path);
    response_init(&x->rs);
    pthread_mutex_lock(&h->lock);
    x->rq.id = h->id_base + h->next_id++;
    c->live = x;
    pthread_mutex_unlock(&h->lock);
    return x;
}

static void refuse(struct exchange *x, unsigned status, const char *text)
{
    error_fill(x->rq.family, &x->rs, status, text);
    x->is_answered = true;
}

static unsigned method_bit(const char *method)
{
    static const struct {
        const char *name;
        enum http_method bit;
    } rows[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_GET},    {"POST", HTTP_POST},
                {"PUT", HTTP_PUT}, {"PATCH", HTTP_PATCH}, {"DELETE", HTTP_DELETE}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, method) == 0) {
            return rows[i].bit;
        }
    }
    return 0;
}

struct framing {
    unsigned lengths, encodings;
    bool is_bad;
    uint64_t length;
};

static void take_length(void *ctx, const char *value)
{
    struct framing *f = ctx;
    f->lengths++;
    f->is_bad |= !*value || strspn(value, "0123456789") != strlen(value) || strlen(value) > 18;
    f->length = f->is_bad ? 0 : strtoull(value, NULL, 10);
}

static void take_encoding(void *ctx, const char *value)
{
    struct framing *f = ctx;
    f->encodings++;
    f->is_bad |= strcasecmp(value, "chunked") != 0;
}

/* RFC 9112 section 6.3: where a body's end can be read in two ways, a proxy in front may read the
 * other one. */
static bool check_framing(struct exchange *x)
{
    struct framing f = {0};
    http_each_header(&x->rq, "Content-Length", take_length, &f);
    http_each_header(&x->rq, "Transfer-Encoding", take_encoding, &f);
    x->body_left = f.encodings ? UINT64_MAX : f.length;
    if (f.is_bad || f.lengths + f.encodings > 1) {
        refuse(x, 400, "the length of the body is ambiguous");
        x->must_close = true;
    }
    return !x->is_answered;
}

static void set_allow(struct exchange *x, unsigned methods)
{
    static const char *const names[] = {"GET, HEAD", "POST", "PUT", "PATCH", "DELETE"};
    struct buf b = {0};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (methods & (1u << i)) {
            buf_printf(&b, "%s%s", b.len ? ", " : "", names[i]);
        }
    }
    http_set(&x->rs, "Allow", b.data);
    buf_free(&b);
}

static bool find_route(struct exchange *x, unsigned bit)
{
    if (x->path_fault) {
        refuse(x, 400, x->path_fault);
        return false;
    }
    router_find(router_tables, router_table_count, bit, x->rq.path, &x->found);
    x->rq.family = x->found.family;
    if (!x->found.route) {
        refuse(x, x->found.allow ? 405 : 404,
               x->found.allow ? "this path does not have that method" : "there is nothing here");
        if (x->found.allow) {
            set_allow(x, x->found.allow);
        }
        return false;
    }
    for (unsigned i = 0; i < x->found.var_count; i++) {
        x->rq.vars[i] = x->found.vars.data + x->found.offsets[i];
    }
    return true;
}

/* No or wrong credentials. */
static void ask_credentials(struct exchange *x, enum auth_result result)
{
    const char *text = result == AUTH_NONE ? "this needs an account: send credentials"
                                           : "name, password or token is wrong";
    if (x->rq.family == FAMILY_PAGE) {
        struct buf to = {0};
        buf_puts(&to, "/login");
        if (x->rq.method == HTTP_GET) {
            buf_puts(&to, "?next=");
            http_encode(&to, x->rq.path);
        }
        http_redirect(&x->rs, to.data);
        buf_free(&to);
        x->is_answered = true;
        return;
    }
    refuse(x, 401, text);
    http_set(&x->rs, "WWW-Authenticate",
             x->rq.family == FAMILY_REGISTRY ? "Basic realm=\"everett\""
                                             : "Bearer realm=\"everett\"");
}

static bool check_credentials(struct exchange *x)
{
    unsigned retry_s = 0, scope = x->found.route->scope;
    enum auth_result result = auth_check(x->http->server->auth, &x->rq, scope, &retry_s);
    bool is_open = scope == SCOPE_PUBLIC ||
                   (scope == SCOPE_READ && result == AUTH_NONE && x->rq.family != FAMILY_REGISTRY &&
                    x->http->server->config->anonymous_read);
    if (result == AUTH_OK || is_open) {
        return true;
    }
    if (result == AUTH_LOCKED) {
        refuse(x, 429, "too many wrong passwords: wait");
        http_setf(&x->rs, "Retry-After", "%u", retry_s);
    } else if (result == AUTH_FORBIDDEN) {
        refuse(x, 403, "these credentials do not allow that");
    } else if (result == AUTH_FAILED) {
        refuse(x, 503, "the server could not check the credentials; its log says why");
    } else {
        ask_credentials(x, result);
    }
    return false;
}

/* FNV-1a with the highest bit set: never the number of an account. */
static uint64_t peer_key(const struct http_request *rq)
{
    char peer[64];
    uint64_t hash = 14695981039346656037u;
    http_peer(rq, peer, sizeof peer);
    for (const char *p = peer; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    }
    return hash | 1ull << 63;
}

static bool check_rate(struct exchange *x)
{
    struct http_server *h = x->http;
    if (x->rq.family != FAMILY_API && x->rq.family != FAMILY_LAUNCH) {
        return true;
    }
    uint64_t key = x->rq.who.account ? (uint64_t)x->rq.who.account : peer_key(&x->rq);
    uint64_t now_ns = clock_host_ns();
    pthread_mutex_lock(&h->lock);
    unsigned wait_s = limit_take(&h->limit, key, h->server->config->rate_per_minute, now_ns);
    pthread_mutex_unlock(&h->lock);
    if (wait_s) {
        refuse(x, 429, "too many requests: wait as long as Retry-After says");
        http_setf(&x->rs, "Retry-After", "%u", wait_s);
    }
    return wait_s == 0;
}

static bool is_stopping(struct http_server *h)
{
    pthread_mutex_lock(&h->lock);
    bool is = h->is_stopping;
    pthread_mutex_unlock(&h->lock);
    return is;
}

static void check_all(struct exchange *x, const char *method)
{
    if (!check_framing(x) || !find_route(x, method_bit(method))) {
        return;
    }
    if (is_stopping(x->http)) {
        refuse(x, 503, "the server is stopping");
        http_set(&x->rs, "Retry-After", "5");
        x->must_close = true;
        return;
    }
    if (!check_credentials(x) || !check_rate(x)) {
        return;
    }
    const struct http_route *r = x->found.route;
    if (r->body == BODY_MEMORY && x->body_left != UINT64_MAX && x->body_left > x->http->body_max) {
        refuse(x, 413, "the body is too large");
    } else if (r->body == BODY_STREAM && r->begin) {
        x->has_begun = true;
        x->is_answered = !r->begin(&x->rq, &x->rs);
    }
}

void exchange_start(struct exchange *x, struct MHD_Connection *conn, const char *method)
{
    x->is_started = x->is_counted = true;
    pthread_mutex_lock(&x->http->lock);
    x->http->stats.active++;
    pthread_mutex_unlock(&x->http->lock);
    guard_phase(x, CONN_BODY);
    x->rq.conn = conn;
    x->rq.is_head = strcmp(method, "HEAD") == 0;
    x->rq.method = method_bit(method);
    strncpy(x->method, method, sizeof x->method - 1);
    check_all(x, method);
}

bool exchange_is_early(const struct exchange *x)
{
    if (!x->is_answered) {
        return false;
    }
    const char *expect = http_header(&x->rq, "Expect");
    bool waits = expect && strcasecmp(expect, "100-continue") == 0 && x->body_left > 0;
    return x->must_close || waits || (x->body_left != UINT64_MAX && x->body_left > DRAIN_MAX);
}

static bool take_memory(struct exchange *x, const char *bytes, size_t len)
{
    if (x->rq.body.len + len > x->http->body_max) {
        buf_free(&x->rq.body);
        refuse(x, 413, "the body is too large");
        return true;
    }
    buf_append(&x->rq.body, bytes, len);
    return true;
}

bool exchange_data(struct exchange *x, const char *bytes, size_t len)
{
    const struct http_route *r = x->found.route;
    pthread_mutex_lock(&x->http->lock);
    x->conn->received += len;
    pthread_mutex_unlock(&x->http->lock);
    x->received += len;
    if (x->is_answered || !r || r->body == BODY_NONE) {
        return x->received <= DRAIN_MAX;
    }
    if (r->body == BODY_MEMORY) {
        return take_memory(x, bytes, len);
    }
    if (r->data && !r->data(&x->rq, bytes, len, &x->rs)) {
        x->is_answered = true;
    }
    return true;
}

static bool is_same_text(const char *a, const char *b)
{
    size_t len = strlen(a);
    unsigned differs = len != strlen(b);
    for (size_t i = 0; i < len && !differs; i++) {
        differs |= (unsigned)(a[i] ^ b[i]);
    }
    return !differs && len > 0;
}

/* Origin is "null" or scheme://host[:port]; ours by the configured address or by the Host header.
 */
static bool is_our_origin(const struct exchange *x)
{
    const char *origin = http_header(&x->rq, "Origin"), *host = http_header(&x->rq, "Host");
    if (!origin || strcmp(origin, x->http->server->public_url) == 0) {
        return true;
    }
    const char *name = strstr(origin, "://");
    return name && host && strcasecmp(name + 3, host) == 0;
}

/* A browser attaches the cookie to requests that other sites make it send. */
static bool is_forged(const struct exchange *x)
{
    const struct http_request *rq = &x->rq;
    if (rq->method == HTTP_GET || rq->family != FAMILY_PAGE) {
        return false; /* the API takes cookies for safe methods only, the registry never */
    }
    if (!is_our_origin(x)) {
        return true;
    }
    if (!rq->who.by_session) {
        return false;
    }
    char *field = http_form(rq, "csrf");
    bool is_right = field && is_same_text(rq->who.csrf, field);
    free(field);
    return !is_right;
}

void exchange_finish(struct exchange *x)
{
    guard_phase(x, CONN_ANSWER);
    if (x->is_answered) {
        return;
    }
    if (is_forged(x)) {
        refuse(x, 403, "this form did not come from here, or is too old: load the page again");
        return;
    }
    x->is_answered = true;
    x->found.route->handle(&x->rq, &x->rs);
}

static void log_access(const struct exchange *x)
{
    struct buf b = {0};
    char peer[64];
    http_peer(&x->rq, peer, sizeof peer);
    log_begin(&b, LOG_LEVEL_INFO, "request");
    buf_printf(&b, " id=%016llx", (unsigned long long)x->rq.id);
    log_pair(&b, "peer", peer);
    log_pair(&b, "account", x->rq.who.name[0] ? x->rq.who.name : NULL);
    log_pair(&b, "method", x->method);
    log_pair(&b, "path", x->rq.path); /* without the query, which may hold what users type */
    log_pair_u64(&b, "status", x->is_answered ? x->rs.status : 0);
    log_pair_u64(&b, "bytes", x->sent);
    buf_printf(&b, " ms=%.1f", (double)(clock_host_ns() - x->start_ns) / 1e6);
    log_end(&b);
    buf_free(&b);
}

_Static_assert(FAMILY_REGISTRY + 1 == STATS_FAMILIES, "counts are kept for each family");

/* Under the server's lock. */
static void count(struct http_stats *s, const struct exchange *x)
{
    unsigned family = (unsigned)x->rq.family, status = x->is_answered ? x->rs.status : 0;
    s->answers[family][status < STATS_STATUSES ? status : 0]++;
    s->sent += x->sent;
    s->received += x->received;
    if (x->rs.is_live) {
        return;
    }
    double seconds = (double)(clock_host_ns() - x->start_ns) / 1e9;
    s->timed[family]++;
    s->seconds[family] += seconds;
    for (unsigned i = 0; i < STATS_BOUNDS; i++) {
        s->within[family][i] += seconds <= stats_bounds_s[i];
    }
}

const double stats_bounds_s[STATS_BOUNDS] = {0.005, 0.02, 0.1, 0.2, 1, 5, 30};

void exchange_complete(struct exchange *x)
{
    if (!x) {
        return;
    }
    struct http_server *h = x->http;
    if (x->has_begun && x->found.route->end) {
        x->found.route->end(&x->rq);
    }
    if (x->is_started) {
        pthread_mutex_lock(&h->lock);
        count(&h->stats, x); /* what the log tells is counted */
        pthread_mutex_unlock(&h->lock);
        log_access(x);
    }
    response_fini(&x->rs);
    buf_free(&x->rq.body);
    buf_free(&x->found.vars);
    buf_free(&x->path);
    pthread_mutex_lock(&h->lock);
    h->stats.active -= x->is_counted;
    x->conn->live = NULL;
    x->conn->phase = CONN_HEAD;
    x->conn->since_ns = clock_host_ns();
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    free(x);
}
