/* POST events/search and events/search/count: a query over all histories of a run, also while it
 * goes on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/api/api_priv.h"
#include "server/logs/event_view.h"
#include "server/logs/search.h"
#include "server/server.h"
#include "store/store.h"

#define WAIT_MS 1000

/* Either language. */
struct query {
    struct search *search;
    struct event_set *set;
};

struct searching {
    struct queue *queue;
    char *id; /* owned */
    struct store *store;
    struct event_view *view; /* for event sets */
    struct query query;
    uint64_t left;               /* events that may still be given */
    uint64_t count;              /* of hits */
    struct store_universe *todo; /* owned: found, not searched yet; numbers and hashes only */
    size_t at, todo_count, todo_cap;
    bool *done; /* owned: by number */
    size_t done_count, done_cap;
    uint64_t seen;
    bool follows;    /* waits for more while the run goes on */
    struct buf *out; /* NULL: hits are only counted */
    struct buf line;
};

static void query_free(struct query *q)
{
    search_free(q->search);
    event_set_free(q->set);
    *q = (struct query){0};
}

static int query_parse(struct query *q, const char *text, struct err *err)
{
    *q = (struct query){0};
    if (event_set_is(text)) {
        q->set = event_set_parse(text, err);
    } else {
        q->search = search_parse(text, err);
    }
    return q->set || q->search ? 0 : -1;
}

static void searching_close(void *ctx)
{
    struct searching *x = ctx;
    query_free(&x->query);
    event_view_destroy(x->view);
    store_close(x->store);
    buf_free(&x->line);
    free(x->todo);
    free(x->done);
    free(x->id);
    free(x);
}

/* --- one universe -------------------------------------------------------------------------------
 */

static int take_hit(void *ctx, struct event_view *v)
{
    struct searching *x = ctx;
    x->count++;
    if (x->out && x->left) {
        event_view_json(v, x->out);
        buf_putc(x->out, '\n');
        x->left--;
    }
    return x->out && !x->left;
}

static int ask_set(void *ctx, const struct event *e)
{
    struct searching *x = ctx;
    if (!event_view_load(x->view, e)) {
        return 0;
    }
    buf_reset(&x->line);
    event_view_json(x->view, &x->line);
    json_t *doc = json_loadb(x->line.data, x->line.len, JSON_ALLOW_NUL, NULL);
    bool hit = doc && event_set_has(x->query.set, doc);
    json_decref(doc);
    return hit ? take_hit(x, x->view) : 0;
}

static int search_universe(struct searching *x, const struct store_universe *u, struct err *err)
{
    if (x->query.search) {
        const struct search_range range = {.universe_from = u->number, .universe_to = u->number};
        struct search_result result;
        return search_run(x->query.search, x->store, &range, take_hit, x, &result, err);
    }
    event_set_begin(x->query.set);
    event_view_begin(x->view, u->number, u->input_hash);
    return store_each_event(x->store, u->number, 0, UINT64_MAX, ask_set, x, err);
}

/* --- all of them --------------------------------------------------------------------------------
 */

static int list_one(void *ctx, const struct store_universe *u)
{
    struct searching *x = ctx;
    while (u->number >= x->done_count) {
        *ARRAY_PUSH(x->done, x->done_count, x->done_cap) = false;
    }
    if (!x->done[u->number]) {
        x->done[u->number] = true;
        *ARRAY_PUSH(x->todo, x->todo_count, x->todo_cap) =
            (struct store_universe){.number = u->number, .input_hash = u->input_hash};
    }
    return 0;
}

/* 1 searched one, 0 there is none further (now: universes end in any order), -1. */
static int step(struct searching *x, struct err *err)
{
    if (x->at == x->todo_count) {
        x->at = x->todo_count = 0;
        if (store_each_universe(x->store, list_one, x, err)) {
            return -1;
        }
    }
    if (x->at == x->todo_count) {
        return 0;
    }
    return search_universe(x, &x->todo[x->at++], err) < 0 ? -1 : 1;
}

static bool goes_on(const struct searching *x)
{
    cleanup_err struct err err = {0};
    struct launch l;
    bool live = queue_find(x->queue, x->id, &l, &err) == 1 && l.status < LAUNCH_COMPLETED;
    launch_fini(&l);
    return live;
}

static bool fill_hits(void *ctx, struct buf *out)
{
    struct searching *x = ctx;
    cleanup_err struct err err = {0};
    x->out = out;
    while (x->left && !out->len) {
        bool live = x->follows && goes_on(x); /* asked first: what it did until then is found */
        int r = step(x, &err);
        if (r < 0) {
            api_put_error(out, &err);
            x->left = 0;
        } else if (r == 0 && !live) {
            return false;
        } else if (r == 0) {
            x->seen = queue_wait(x->queue, x->id, x->seen, WAIT_MS);
            return !queue_is_stopping(x->queue);
        }
    }
    return out->len > 0;
}

static void respond_count(struct http_request *rq, struct http_response *rs, struct searching *x)
{
    cleanup_err struct err err = {0};
    int r = 1;
    while (x->store && r == 1) {
        r = step(x, &err);
    }
    if (r < 0) {
        http_fail(rq, rs, &err);
    } else {
        http_json(rs, 200);
        buf_printf(&rs->body, "{\"count\":%" PRIu64 "}\n", x->count);
    }
    searching_close(x);
}

/* --- requests -----------------------------------------------------------------------------------
 */

struct wanted {
    const char *query;
    bool streaming, count, validate;
    uint64_t limit;
};

static bool read_flag(const struct http_request *rq, struct http_response *rs, const json_t *body,
                      const char *name, bool *out)
{
    const json_t *v = json_object_get(body, name);
    *out = json_is_true(v);
    if (v && !json_is_boolean(v)) {
        http_error(rq, rs, 400, "%s must be true or false", name);
        return false;
    }
    return true;
}

static bool read_wanted(const struct http_request *rq, struct http_response *rs, const json_t *body,
                        struct wanted *w)
{
    const json_t *limit = json_object_get(body, "limit");
    w->query = json_string_value(json_object_get(body, "query"));
    if (!w->query) {
        http_error(rq, rs, 400, "query is missing, or no string");
        return false;
    }
    if (!read_flag(rq, rs, body, "is_streaming", &w->streaming) ||
        !read_flag(rq, rs, body, "count_only", &w->count) ||
        !read_flag(rq, rs, body, "validate_only", &w->validate)) {
        return false;
    }
    if (limit && (!json_is_integer(limit) || json_integer_value(limit) < 1 ||
                  json_integer_value(limit) > 999)) {
        http_error(rq, rs, 400, "limit must be a whole number between 1 and 999");
        return false;
    }
    w->limit = limit ? (uint64_t)json_integer_value(limit) : w->streaming ? UINT64_MAX : 50;
    return true;
}

static void respond(struct http_request *rq, struct http_response *rs, const struct wanted *w,
                    const struct launch *l)
{
    cleanup_err struct err err = {0};
    struct query q;
    bool missing;
    if (query_parse(&q, w->query, &err)) {
        http_error(rq, rs, 400, "query: %s%s%s", err.msg, err.hint ? "; " : "",
                   err.hint ? err.hint : "");
        return;
    }
    struct store *s = w->validate ? NULL : api_store(rq, rs, l, &missing);
    if (!s && (w->validate || !missing)) {
        query_free(&q);
        return; /* nothing to say, or said */
    }
    struct searching *x = mem_zalloc(sizeof *x);
    *x = (struct searching){.queue = rq->server->queue,
                            .id = mem_strdup(l->id),
                            .store = s,
                            .view = s ? event_view_create(s) : NULL,
                            .query = q,
                            .left = s ? w->limit : 0,
                            .follows = w->streaming};
    if (w->count) {
        respond_count(rq, rs, x);
        return;
    }
    struct api_stream *stream = mem_zalloc(sizeof *stream);
    *stream = (struct api_stream){.fill = fill_hits, .close = searching_close, .ctx = x};
    api_respond(rs, stream, TYPE_NDJSON);
    rs->is_live = w->streaming;
}

static void answer(struct http_request *rq, struct http_response *rs, bool is_count)
{
    struct launch l = {0};
    struct wanted w = {0};
    json_t *body = NULL;
    if (api_accepts(rq, rs, is_count ? TYPE_JSON : TYPE_NDJSON) && api_run(rq, rs, &l)) {
        body = api_body(rq, rs);
        if (body && read_wanted(rq, rs, body, &w)) {
            w.count |= is_count;
            respond(rq, rs, &w, &l);
        }
    }
    json_decref(body);
    launch_fini(&l);
}

void api_search(struct http_request *rq, struct http_response *rs)
{
    answer(rq, rs, false);
}

void api_search_count(struct http_request *rq, struct http_response *rs)
{
    answer(rq, rs, true);
}
