/* GET logs and events, POST events/search: the events of a run as lines. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/api/api_priv.h"
#include "server/logs/event_view.h"
#include "server/logs/export.h"
#include "server/logs/search.h"
#include "server/server.h"
#include "store/moment.h"
#include "store/store.h"

#define CHUNK_BYTES (64u << 10)

/* --- one event ----------------------------------------------------------------------------------
 */

struct finding_event {
    struct event_view *view;
    uint64_t seq;
    struct buf *out;
};

static int put_if_it(void *ctx, const struct event *e)
{
    struct finding_event *f = ctx;
    if (e->seq != f->seq) {
        return 0;
    }
    event_view_load(f->view, e);
    event_view_json(f->view, f->out);
    return 1;
}

int api_put_event(struct store *s, struct event_view *view, const struct property_example *x,
                  struct buf *b, struct err *err)
{
    struct store_universe u;
    int found = store_universe(s, x->universe, &u, err);
    if (found <= 0) {
        buf_puts(b, "{\"moment\":{\"input_hash\":\"0\",\"vtime\":\"0\"}}");
        return found;
    }
    struct finding_event f = {view, x->seq, b};
    event_view_begin(view, x->universe, u.input_hash);
    int r = store_each_event(s, x->universe, x->vtime_ns, x->vtime_ns, put_if_it, &f, err);
    if (r == 0) {
        buf_puts(b, "{\"moment\":");
        moment_put_json(b, u.input_hash, x->vtime_ns);
        buf_putc(b, '}');
    }
    store_universe_free(&u);
    return r < 0 ? -1 : 0;
}

/* --- logs: one history up to a moment -----------------------------------------------------------
 */

struct log_stream {
    struct store *store;     /* owned */
    struct event_view *view; /* owned */
    uint64_t universe, begin_ns, end_ns;
    uint64_t next_ns, next_seq; /* where to go on */
    struct buf *out;
};

static int put_log_event(void *ctx, const struct event *e)
{
    struct log_stream *l = ctx;
    if (e->seq < l->next_seq) {
        return 0; /* of the same time as the last one of the chunk before */
    }
    l->next_seq = e->seq + 1;
    l->next_ns = e->vtime_ns;
    if (event_view_load(l->view, e) && e->vtime_ns >= l->begin_ns) {
        event_view_json(l->view, l->out);
        buf_putc(l->out, '\n');
    }
    return l->out->len >= CHUNK_BYTES;
}

static bool fill_log(void *ctx, struct buf *out)
{
    struct log_stream *l = ctx;
    cleanup_err struct err err = {0};
    l->out = out;
    if (l->next_ns > l->end_ns) {
        return false;
    }
    int r = store_each_event(l->store, l->universe, l->next_ns, l->end_ns, put_log_event, l, &err);
    if (r < 0) {
        api_put_error(out, &err);
    }
    if (r <= 0) {
        l->end_ns = 0; /* over */
        l->next_ns = 1;
    }
    return r > 0;
}

static void close_log(void *ctx)
{
    struct log_stream *l = ctx;
    event_view_destroy(l->view);
    store_close(l->store);
    free(l);
}

/* "HASH" and "SECONDS" of the query. False: answered. */
static bool read_moment(const struct http_request *rq, struct http_response *rs, const char *hash,
                        const char *vtime, struct moment *m)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "%s@%s", hash, vtime);
    if (moment_parse(text.data, m, &err)) {
        http_error(rq, rs, 400, "input_hash %s with vtime %s is no moment of a run", hash, vtime);
        return false;
    }
    return true;
}

static bool read_log_query(const struct http_request *rq, struct http_response *rs,
                           struct moment *end, struct moment *begin)
{
    const char *hash = http_query(rq, "input_hash"), *vtime = http_query(rq, "vtime");
    const char *from_hash = http_query(rq, "begin_input_hash");
    const char *from = http_query(rq, "begin_vtime");
    *begin = (struct moment){0};
    if (!hash || !vtime) {
        http_error(rq, rs, 400, "%s is missing: both name the moment up to which the log is wanted",
                   hash ? "vtime" : "input_hash");
        return false;
    }
    if (from_hash && !from) {
        http_error(rq, rs, 400, "begin_input_hash needs begin_vtime beside it");
        return false;
    }
    return read_moment(rq, rs, hash, vtime, end) &&
           (!from || read_moment(rq, rs, from_hash ? from_hash : hash, from, begin));
}

/* Takes the store. */
static void respond_log(struct http_request *rq, struct http_response *rs, struct store *s,
                        const struct moment *end, const struct moment *begin)
{
    cleanup_err struct err err = {0};
    struct store_universe u;
    int found = store_universe_by_hash(s, end->input_hash, &u, &err);
    if (found <= 0) {
        store_close(s);
        if (found < 0) {
            http_fail(rq, rs, &err);
        } else {
            http_error(rq, rs, 400, "no history of run %s has input_hash %" PRId64, rq->vars[0],
                       end->input_hash);
        }
        return;
    }
    struct log_stream *l = mem_zalloc(sizeof *l);
    *l = (struct log_stream){.store = s,
                             .view = event_view_create(s),
                             .universe = u.number,
                             .begin_ns = begin->vtime_ns,
                             .end_ns = end->vtime_ns ? end->vtime_ns : UINT64_MAX};
    event_view_begin(l->view, u.number, u.input_hash);
    store_universe_free(&u);
    struct api_stream *stream = mem_zalloc(sizeof *stream);
    *stream = (struct api_stream){.fill = fill_log, .close = close_log, .ctx = l};
    api_respond(rs, stream, TYPE_NDJSON);
}

void api_logs(struct http_request *rq, struct http_response *rs)
{
    struct launch l = {0};
    struct moment end, begin;
    bool missing;
    if (api_accepts(rq, rs, TYPE_NDJSON) && api_run(rq, rs, &l) &&
        read_log_query(rq, rs, &end, &begin)) {
        struct store *s = api_store(rq, rs, &l, &missing);
        if (s) {
            respond_log(rq, rs, s, &end, &begin);
        } else if (missing) {
            http_error(rq, rs, 404, "Run %s has no logs yet", l.id);
        }
    }
    launch_fini(&l);
}

/* --- events: a plain search ---------------------------------------------------------------------
 */

static void empty_lines(struct http_response *rs)
{
    rs->status = 200;
    http_set(rs, "Content-Type", TYPE_NDJSON);
}

void api_events(struct http_request *rq, struct http_response *rs)
{
    struct launch l = {0};
    uint64_t limit = 50;
    bool missing;
    if (api_accepts(rq, rs, TYPE_NDJSON) && api_run(rq, rs, &l) &&
        api_number(rq, rs, "limit", 1, 999, &limit)) {
        const char *q = http_query(rq, "q");
        struct store *s = api_store(rq, rs, &l, &missing);
        if (s) {
            rs->status = 200;
            http_set(rs, "Content-Type", TYPE_NDJSON);
            const struct export_options o = {
                .format = EXPORT_JSON, .limit = limit, .universe_to = UINT64_MAX};
            rs->read_ctx = search_export_create(search_plain(q ? q : ""), s, &o);
            rs->read = search_export_read;
            rs->close = search_export_close;
        } else if (missing) {
            empty_lines(rs);
        }
    }
    launch_fini(&l);
}
