/* What requests say: Accept, JSON bodies, numbers and times in the query, runs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/api/api_priv.h"
#include "server/log.h"
#include "server/server.h"

/* --- Accept (RFC 9110 section 12.5.1) -----------------------------------------------------------
 */

struct accepting {
    const char *type;
    bool given, accepted;
};

/* "type/subtype;q=0.5" */
static bool range_covers(const char *range, size_t len, const char *type)
{
    size_t n = strcspn(range, "; \t,");
    n = n < len ? n : len;
    const char *slash = strchr(type, '/');
    bool all = n == 3 && memcmp(range, "*/*", 3) == 0;
    bool family = n == (size_t)(slash - type) + 2 && range[n - 1] == '*' &&
                  strncasecmp(range, type, n - 1) == 0;
    bool exact = n == strlen(type) && strncasecmp(range, type, n) == 0;
    if (!all && !family && !exact) {
        return false;
    }
    cleanup_free char *rest = mem_strndup(range + n, len - n);
    const char *q = strcasestr(rest, "q=");
    return !q || strtod(q + 2, NULL) > 0;
}

static void take_accept(void *ctx, const char *value)
{
    struct accepting *a = ctx;
    a->given = true;
    while (*value) {
        value += strspn(value, " \t,");
        size_t len = strcspn(value, ",");
        if (!len) {
            break;
        }
        a->accepted |= range_covers(value, len, a->type) ||
                       (strcmp(a->type, TYPE_NDJSON) == 0 && range_covers(value, len, TYPE_JSON));
        value += len;
    }
}

bool api_accepts(const struct http_request *rq, struct http_response *rs, const char *type)
{
    struct accepting a = {.type = type};
    http_each_header(rq, "Accept", take_accept, &a);
    if (a.given && !a.accepted) {
        http_error(rq, rs, 406, "this endpoint answers %s, which Accept rules out", type);
        return false;
    }
    return true;
}

/* --- bodies -------------------------------------------------------------------------------------
 */

json_t *api_body(const struct http_request *rq, struct http_response *rs)
{
    json_error_t why;
    json_t *doc = json_loadb(rq->body.data ? rq->body.data : "", rq->body.len, 0, &why);
    if (doc && json_is_object(doc)) {
        return doc;
    }
    if (doc) {
        http_error(rq, rs, 400, "the body is JSON, but no object");
    } else {
        http_error(rq, rs, 400, "the body is no JSON object: line %d, column %d: %s", why.line,
                   why.column, why.text);
    }
    json_decref(doc);
    return NULL;
}

bool api_number(const struct http_request *rq, struct http_response *rs, const char *name,
                uint64_t low, uint64_t high, uint64_t *value)
{
    const char *text = http_query(rq, name);
    if (!text) {
        return true;
    }
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || n < low || n > high) {
        http_error(rq, rs, 400, "%s must be a whole number between %" PRIu64 " and %" PRIu64, name,
                   low, high);
        return false;
    }
    *value = n;
    return true;
}

/* "2026-11-22T18:04:05.123+01:00", the time of day optional. */
static bool parse_time(const char *text, int64_t *unix_ms)
{
    struct tm tm = {.tm_mday = 1};
    const char *at = strptime(text, "%Y-%m-%d", &tm);
    double fraction = 0;
    long offset = 0;
    if (at && (*at == 'T' || *at == 't' || *at == ' ')) {
        at = strptime(at + 1, "%H:%M:%S", &tm);
        if (at && *at == '.') {
            char *end;
            fraction = strtod(at, &end);
            at = end > at + 1 ? end : NULL;
        }
        struct tm zone = {0};
        if (at && (*at == 'Z' || *at == 'z')) {
            at++;
        } else if (at && *at && (at = strptime(at, "%z", &zone))) {
            offset = zone.tm_gmtoff;
        }
    }
    time_t t = at && !*at ? timegm(&tm) : -1;
    *unix_ms = ((int64_t)t - offset) * 1000 + (int64_t)(fraction * 1000);
    return at && !*at && tm.tm_year > -1900 && tm.tm_year < 8100;
}

bool api_time(const struct http_request *rq, struct http_response *rs, const char *name,
              int64_t *unix_ms)
{
    const char *text = http_query(rq, name);
    *unix_ms = 0;
    if (!text || parse_time(text, unix_ms)) {
        return true;
    }
    http_error(rq, rs, 400, "%s must be a time such as 2026-11-22T18:04:05Z", name);
    return false;
}

/* --- runs ---------------------------------------------------------------------------------------
 */

bool api_run(const struct http_request *rq, struct http_response *rs, struct launch *l)
{
    cleanup_err struct err err = {0};
    int found = queue_find(rq->server->queue, rq->vars[0], l, &err);
    if (found < 0) {
        http_fail(rq, rs, &err);
    } else if (found == 0) {
        http_error(rq, rs, 404, "Run not found: %s", rq->vars[0]);
    }
    return found == 1;
}

struct store *api_store(const struct http_request *rq, struct http_response *rs,
                        const struct launch *l, bool *missing)
{
    cleanup_err struct err err = {0};
    struct store *s;
    int opened = queue_open_store(rq->server->queue, l->id, &s, &err);
    *missing = opened == 0;
    if (opened < 0) {
        http_fail(rq, rs, &err);
    }
    return s;
}
