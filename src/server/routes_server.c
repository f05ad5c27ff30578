/* Health and metrics. */
#include <string.h>

#include "server/http/http.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/server.h"

static void plain(struct http_response *rs, unsigned status, const char *text)
{
    rs->status = status;
    http_set(rs, "Content-Type", "text/plain; charset=utf-8");
    buf_puts(&rs->body, text);
}

/* The process lives. */
static void healthz(struct http_request *rq, struct http_response *rs)
{
    (void)rq;
    plain(rs, 200, "ok\n");
}

/* It can do its work. */
static void readyz(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    if (server_check(rq->server, &err) < 0) {
        log_err("not_ready", &err);
        plain(rs, 503, "the database does not answer; the server's log says why\n");
        return;
    }
    plain(rs, 200, "ok\n");
}

const struct http_route server_routes[] = {
    {HTTP_GET, "/healthz", FAMILY_PAGE, SCOPE_PUBLIC, BODY_NONE, healthz, NULL, NULL, NULL},
    {HTTP_GET, "/readyz", FAMILY_PAGE, SCOPE_PUBLIC, BODY_NONE, readyz, NULL, NULL, NULL},
    {HTTP_GET, "/metrics", FAMILY_API, SCOPE_READ, BODY_NONE, metrics_handle, NULL, NULL, NULL},
};
const size_t server_route_count = ARRAY_LEN(server_routes);
