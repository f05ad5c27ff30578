/* Shared by the files that implement the API (api_routes); for them only. */
#ifndef EVERETT_SERVER_API_API_PRIV_H
#define EVERETT_SERVER_API_API_PRIV_H

#include <jansson.h>

#include "server/http/http.h"
#include "server/queue/queue.h"

struct event_view;
struct property_example;
struct store;

#define API_VERSION "v1"
#define API_RELEASE QUEUE_RELEASE ".0"
#define TYPE_JSON   "application/json"
#define TYPE_NDJSON "application/x-ndjson"

/* --- request.c ----------------------------------------------------------------------------------
 */

/* False: answered 406, because Accept rules out `type` (NDJSON counts as JSON too). */
bool api_accepts(const struct http_request *rq, struct http_response *rs, const char *type);
/* The body as a JSON object, whatever its content type is called; NULL: answered 400. */
json_t *api_body(const struct http_request *rq, struct http_response *rs);
/* A whole number in the query. False: answered 400. */
bool api_number(const struct http_request *rq, struct http_response *rs, const char *name,
                uint64_t low, uint64_t high, uint64_t *value);
/* A time in the query (RFC 3339). 0 when absent. False: answered 400. */
bool api_time(const struct http_request *rq, struct http_response *rs, const char *name,
              int64_t *unix_ms);
/* The run of vars[0]. False: answered. launch_fini() in both cases. */
bool api_run(const struct http_request *rq, struct http_response *rs, struct launch *l);
/* Its store, opened for reading; NULL with *missing when there is none yet, or answered. */
struct store *api_store(const struct http_request *rq, struct http_response *rs,
                        const struct launch *l, bool *missing);
/* --- json.c -------------------------------------------------------------------------------------
 */

/* "2026-11-22T18:04:05.123Z" as a JSON string; null for 0. */
void api_put_time(struct buf *b, int64_t unix_ms);
void api_put_text(struct buf *b, const char *text); /* NULL: null */
/* A value of JSON as text, for streams. */
void api_put_json(struct buf *b, const json_t *v);

/* --- stream.c: bodies of lines ------------------------------------------------------------------
 */

/* Fills `out` with the next lines; false at the end. May block. */
typedef bool api_fill_fn(void *ctx, struct buf *out);
struct api_stream {
    api_fill_fn *fill;
    void (*close)(void *ctx);
    void *ctx;
    struct buf out; /* zeroed at the start; what the reader does not have yet */
    size_t given;
};
/* Gives the response this body; the stream (on the heap) and its ctx are freed with it. */
void api_respond(struct http_response *rs, struct api_stream *s, const char *type);
/* {"error": TEXT} and a newline. */
void api_put_error(struct buf *b, const struct err *err);

/* --- events.c -----------------------------------------------------------------------------------
 */

/* The event of an example as JSON; a bare moment when it is gone. */
int api_put_event(struct store *s, struct event_view *view, const struct property_example *x,
                  struct buf *b, struct err *err) must_check;

/* --- event_set.c: the query language of events/search -------------------------------------------
 */

struct event_set;
/* True when the text is a pipeline of verbs rather than a query of logs/search.h. */
bool event_set_is(const char *text);
struct event_set *event_set_parse(const char *text, struct err *err) must_check;
void event_set_free(struct event_set *s); /* accepts NULL */
/* A new universe begins. */
void event_set_begin(struct event_set *s);
bool event_set_has(struct event_set *s, const json_t *event);

/* --- handlers -----------------------------------------------------------------------------------
 */

http_handler api_launch, api_launch_debugging, api_launch_logs, api_cancel;
http_handler api_runs, api_run_detail, api_properties, api_build_logs;
http_handler api_logs, api_events, api_search, api_search_count;
http_handler api_command, api_execute_command, api_version, api_openapi;

#endif
