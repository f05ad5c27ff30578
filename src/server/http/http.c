/* The daemon: libmicrohttpd with one thread a connection, its callbacks, start and stop. */
#include "server/http/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/config.h"
#include "server/http/http_priv.h"
#include "server/log.h"
#include "server/server.h"

/* Of one connection: line and headers of a request and a response, and the buffer for bodies. A
 * head that does not fit is answered 431 or 414. */
#define CONNECTION_MEMORY (64u * 1024)
/* Deeply nested JSON is the hungriest user. Only touched pages cost memory. */
#define CONNECTION_STACK (1024u * 1024)

/* Called once the request line is complete. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return exchange_create(cls, info->socket_context, target);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    struct exchange *x = *state;
    (void)cls, (void)url, (void)version;
    if (!x->is_started) {
        exchange_start(x, conn, method);
        return exchange_is_early(x) ? response_queue(x) : MHD_YES;
    }
    if (*upload_len) {
        bool is_fine = exchange_data(x, upload, *upload_len);
        *upload_len = 0;
        return is_fine ? MHD_YES : MHD_NO;
    }
    exchange_finish(x);
    return response_queue(x);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)cls, (void)conn, (void)code;
    exchange_complete(*state);
    *state = NULL;
}

static void add_connection(struct http_server *h, struct MHD_Connection *mhd, void **context)
{
    struct conn *c = mem_zalloc(sizeof *c);
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->since_ns = clock_host_ns();
    pthread_mutex_lock(&h->lock);
    c->next = h->conns;
    if (c->next) {
        c->next->prev = c;
    }
    h->conns = c;
    h->stats.connections++;
    pthread_mutex_unlock(&h->lock);
    *context = c;
}

/* The socket is closed after this returns, so that the guard never sees a number used again. */
static void remove_connection(struct http_server *h, struct conn *c)
{
    exchange_complete(c->live); /* a head that never became complete */
    pthread_mutex_lock(&h->lock);
    h->stats.connections--;
    *(c->prev ? &c->prev->next : &h->conns) = c->next;
    if (c->next) {
        c->next->prev = c->prev;
    }
    pthread_mutex_unlock(&h->lock);
    free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        add_connection(cls, mhd, context);
    } else if (*context) {
        remove_connection(cls, *context);
        *context = NULL;
    }
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list ap)
{
    char text[512];
    (void)cls;
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t len = n < 0 ? 0 : min_u64((uint64_t)n, sizeof text - 1);
    while (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    log_message(LOG_LEVEL_INFO, "http", "%.*s", (int)len, text);
}

static char *read_whole(const char *path, struct err *err)
{
    cleanup_fclose FILE *f = fopen(path, "re");
    if (!f) {
        err_errno(err, errno, "%s", path);
        return NULL;
    }
    struct buf b = {0};
    char block[4096];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0) {
        buf_append(&b, block, n);
    }
    return buf_steal(&b);
}

static int load_tls(struct http_server *h, const struct server_config *c, struct err *err)
{
    if (!c->tls_cert) {
        return 0;
    }
    h->is_tls = true;
    h->tls_cert = read_whole(c->tls_cert, err);
    h->tls_key = h->tls_cert ? read_whole(c->tls_key, err) : NULL;
    return h->tls_key ? 0 : -1;
}

static struct MHD_Daemon *start_daemon(struct http_server *h, const struct server_config *c)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG | (h->is_tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, h->tls_key},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, h->tls_cert},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)c->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)c->idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)CONNECTION_STACK, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        h, MHD_OPTION_ARRAY, h->is_tls ? tls : tls + 2, MHD_OPTION_END);
}

static struct http_server *create(struct server *s)
{
    struct http_server *h = mem_zalloc(sizeof *h);
    uint32_t boot;
    h->server = s;
    h->idle_ns = s->config->idle_seconds * 1000000000u;
    h->body_max = s->config->body_max;
    /* Request numbers of different starts of the server differ in the log. */
    ssize_t n = getrandom(&boot, sizeof boot, 0);
    ASSERT(n == (ssize_t)sizeof boot);
    h->id_base = (uint64_t)boot << 32;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->changed, &attr);
    pthread_condattr_destroy(&attr);
    return h;
}

static void destroy(struct http_server *h)
{
    ASSERT(h->conns == NULL);
    if (h->listen_fd >= 0) {
        close(h->listen_fd);
    }
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h->address);
    free(h->tls_cert);
    if (h->tls_key) {
        explicit_bzero(h->tls_key, strlen(h->tls_key));
    }
    free(h->tls_key);
    free(h);
}

struct http_server *http_open(struct server *s, const char *listen, struct err *err)
{
    struct http_server *h = create(s);
    h->listen_fd = load_tls(h, s->config, err) ? -1 : listen_open(listen, &h->address, err);
    if (h->listen_fd < 0) {
        destroy(h);
        return NULL;
    }
    return h;
}

int http_serve(struct http_server *h, struct err *err)
{
    if (guard_start(h, err)) {
        return -1;
    }
    h->daemon = start_daemon(h, h->server->config);
    if (!h->daemon) {
        guard_stop(h);
        return err_set(err, h->is_tls ? ERR_USAGE : ERR_HOST, "the HTTP server does not start%s",
                       h->is_tls ? ": are tls_cert and tls_key a certificate and its key?" : "");
    }
    return 0;
}

const char *http_address(const struct http_server *h)
{
    return h->address;
}

void http_stats_get(struct http_server *h, struct http_stats *out)
{
    pthread_mutex_lock(&h->lock);
    *out = h->stats;
    pthread_mutex_unlock(&h->lock);
}

bool http_is_tls(const struct http_server *h)
{
    return h->is_tls;
}

/* Lets requests in progress end. Idle connections stay: they are cut with the daemon. */
static void wait_idle(struct http_server *h, unsigned grace_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + (uint64_t)grace_ms * 1000000u;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    pthread_mutex_lock(&h->lock);
    h->is_stopping = true;
    while (h->stats.active > 0 && pthread_cond_timedwait(&h->changed, &h->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&h->lock);
}

void http_stop(struct http_server *h, unsigned grace_ms)
{
    if (!h) {
        return;
    }
    if (h->daemon) {
        MHD_quiesce_daemon(h->daemon); /* gives back our own descriptor */
        wait_idle(h, grace_ms);
        MHD_stop_daemon(h->daemon);
        guard_stop(h);
    }
    destroy(h);
}
