/* GET runs, runs/{id}, runs/{id}/build_logs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/api/api_priv.h"
#include "server/server.h"
#include "store/files.h"
#include "store/moment.h"
#include "store/store.h"

/* --- one run ------------------------------------------------------------------------------------
 */

/* A link that leads nowhere is none. */
static void put_links(struct buf *b, const struct http_request *rq, const struct launch *l)
{
    cleanup_free char *dir = queue_run_dir(rq->server->queue, l->id);
    cleanup_buf struct buf report = {0}, url = {0};
    buf_printf(&report, "%s/run/report.html", dir);
    buf_puts(b, ",\"links\":");
    if (l->status < LAUNCH_COMPLETED || access(report.data, F_OK)) {
        buf_puts(b, "null");
        return;
    }
    buf_printf(&url, "%s/runs/%s/report", rq->server->public_url, l->id);
    buf_puts(b, "{\"triage_report\":");
    api_put_text(b, url.data);
    buf_putc(b, '}');
}

/* What the interface that this one follows does not have. */
static void put_more(struct buf *b, const struct launch *l)
{
    buf_printf(b, ",\"everett\":{\"number\":%" PRId64 ",\"name\":", l->number);
    api_put_text(b, l->test_name);
    buf_puts(b, ",\"commit\":");
    api_put_text(b, l->commit);
    buf_puts(b, ",\"verdict\":");
    api_put_text(b, l->verdict);
    buf_puts(b, ",\"error\":");
    api_put_text(b, l->error);
    buf_printf(b, ",\"duration_seconds\":%" PRId64 ",\"cancel_requested\":%s", l->duration_s,
               l->cancel_requested ? "true" : "false");
    buf_printf(b,
               ",\"universes\":%" PRId64 ",\"virtual_seconds\":%.3f,\"wall_seconds\":%.3f"
               ",\"behaviours\":%" PRId64,
               l->universes, (double)l->virtual_ns / 1e9, (double)l->wall_ns / 1e9, l->behaviours);
    buf_printf(b,
               ",\"properties\":{\"failed\":%" PRId64 ",\"never_reached\":%" PRId64
               ",\"passed\":%" PRId64 "}",
               l->failed, l->never, l->passed);
    buf_printf(b,
               ",\"findings\":{\"new\":%" PRId64 ",\"rare\":%" PRId64 ",\"ongoing\":%" PRId64
               ",\"resolved\":%" PRId64 "}}",
               l->found_new, l->found_rare, l->found_ongoing, l->found_resolved);
}

/* An open object: the caller closes it. */
static void put_summary(struct buf *b, const struct http_request *rq, const struct launch *l)
{
    buf_puts(b, "{\"run_id\":");
    api_put_text(b, l->id);
    buf_printf(b, ",\"status\":\"%s\",\"created_at\":", queue_status_word(l->status));
    api_put_time(b, l->created_unix_ms);
    buf_puts(b, ",\"started_at\":");
    api_put_time(b, l->started_unix_ms);
    buf_puts(b, ",\"completed_at\":");
    api_put_time(b, l->completed_unix_ms);
    buf_puts(b, ",\"creator\":{\"name\":");
    api_put_text(b, l->creator_name);
    buf_puts(b, ",\"type\":");
    api_put_text(b, l->creator_type);
    buf_puts(b, "},\"launcher\":");
    api_put_text(b, l->launcher);
    buf_puts(b, ",\"description\":");
    api_put_text(b, l->description);
    buf_puts(b, ",\"parameters\":");
    buf_puts(b, l->params ? l->params : "{}");
    put_links(b, rq, l);
    put_more(b, l);
}

/* --- the list -----------------------------------------------------------------------------------
 */

struct listing {
    const struct http_request *rq;
    struct buf *out;
    uint64_t left;
    int64_t last; /* number of the last one shown */
    bool more;
};

static int list_one(void *ctx, const struct launch *l)
{
    struct listing *x = ctx;
    if (x->left == 0) {
        x->more = true;
        return 1;
    }
    x->left--;
    buf_puts(x->out, x->last ? "," : "");
    put_summary(x->out, x->rq, l);
    buf_putc(x->out, '}');
    x->last = l->number;
    return 0;
}

/* False: answered. *none: nothing can be of that status. */
static bool read_status(const struct http_request *rq, struct http_response *rs,
                        enum launch_status *status, bool *none)
{
    static const enum launch_status known[] = {LAUNCH_STARTING, LAUNCH_RUNNING, LAUNCH_COMPLETED,
                                               LAUNCH_CANCELLED, LAUNCH_INCOMPLETE};
    const char *word = http_query(rq, "status");
    *none = word && strcmp(word, "unknown") == 0;
    if (!word || *none) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(queue_status_word(known[i]), word) == 0) {
            *status = known[i];
            return true;
        }
    }
    http_error(rq, rs, 400,
               "status must be one of starting, in_progress, completed, cancelled, "
               "incomplete and unknown");
    return false;
}

static bool read_filter(const struct http_request *rq, struct http_response *rs,
                        struct launch_filter *f, uint64_t *limit, bool *none)
{
    uint64_t after = 0;
    if (!api_number(rq, rs, "limit", 1, 100, limit) ||
        !api_number(rq, rs, "after", 1, INT64_MAX, &after) ||
        !api_time(rq, rs, "created_after", &f->created_after_ms) ||
        !api_time(rq, rs, "created_before", &f->created_before_ms) ||
        !read_status(rq, rs, &f->status, none)) {
        return false;
    }
    f->before_number = (int64_t)after;
    f->launcher = http_query(rq, "launcher");
    f->limit = (unsigned)*limit + 1; /* one more tells whether there is another page */
    f->with_ephemeral = true;
    return true;
}

void api_runs(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf list = {0};
    struct launch_filter f = {0};
    uint64_t limit = 50;
    bool none = false;
    if (!api_accepts(rq, rs, TYPE_JSON) || !read_filter(rq, rs, &f, &limit, &none)) {
        return;
    }
    struct listing x = {.rq = rq, .out = &list, .left = limit};
    if (!none && queue_each(rq->server->queue, &f, list_one, &x, &err) < 0) {
        http_fail(rq, rs, &err);
        return;
    }
    http_json(rs, 200);
    buf_printf(&rs->body, "{\"data\":[%s],\"next_cursor\":", list.data ? list.data : "");
    if (x.more) {
        buf_printf(&rs->body, "\"%" PRId64 "\"}\n", x.last);
    } else {
        buf_puts(&rs->body, "null}\n");
    }
}

/* --- details ------------------------------------------------------------------------------------
 */

/* As the queue resolved them. */
static void put_images(struct buf *b, const struct http_request *rq, const struct launch *l)
{
    cleanup_free char *dir = queue_run_dir(rq->server->queue, l->id);
    cleanup_buf struct buf path = {0}, text = {0};
    cleanup_err struct err missing = {0};
    buf_printf(&path, "%s/images.json", dir);
    buf_puts(b, files_read(path.data, &text, &missing) == 0 ? text.data : "[]");
}

/* The end of the first universe, where set-up failed. */
static int put_failure(struct buf *b, struct store *s, struct err *err)
{
    struct store_universe u;
    int found = store_universe(s, 0, &u, err);
    if (found == 1) {
        moment_put_json(b, u.input_hash, u.branch_vtime_ns + u.virtual_ns);
        store_universe_free(&u);
    } else {
        buf_puts(b, "null");
    }
    return found < 0 ? -1 : 0;
}

void api_run_detail(struct http_request *rq, struct http_response *rs)
{
    struct launch l = {0};
    cleanup_err struct err err = {0};
    if (!api_accepts(rq, rs, TYPE_JSON) || !api_run(rq, rs, &l)) {
        launch_fini(&l);
        return;
    }
    bool missing;
    struct store *s = api_store(rq, rs, &l, &missing);
    if (s || missing) {
        http_json(rs, 200);
        put_summary(&rs->body, rq, &l);
        buf_puts(&rs->body,
                 ",\"results\":{\"environment\":{\"antithesis_version\":\"v" QUEUE_RELEASE "-0\","
                 "\"everett_version\":\"" EVERETT_VERSION "\",\"images\":");
        put_images(&rs->body, rq, &l);
        buf_puts(&rs->body, "}}");
        if (l.status == LAUNCH_RUNNING) {
            buf_puts(&rs->body, ",\"sub_status\":\"Ready\"");
        }
        buf_puts(&rs->body, ",\"failure_moment\":");
        if (!s || l.status != LAUNCH_INCOMPLETE) {
            buf_puts(&rs->body, "null");
        } else if (put_failure(&rs->body, s, &err)) {
            http_fail(rq, rs, &err);
            store_close(s);
            launch_fini(&l);
            return;
        }
        buf_puts(&rs->body, "}\n");
    }
    store_close(s);
    launch_fini(&l);
}

/* --- build logs ---------------------------------------------------------------------------------
 */

struct build_log_stream {
    struct queue *queue;
    struct http_response *rs;
    char *id; /* owned */
    int fd;   /* owned; -1: not there yet */
    uint64_t seen;
    bool is_over;
};

static void open_build_log(struct build_log_stream *b)
{
    cleanup_free char *dir = queue_run_dir(b->queue, b->id);
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/build_log.ndjson", dir);
    b->fd = b->fd >= 0 ? b->fd : open(path.data, O_RDONLY | O_CLOEXEC);
}

/* Follows the log until the run has left its set-up behind. */
static bool fill_build_log(void *ctx, struct buf *out)
{
    enum { WAIT_MS = 1000, CHUNK = 65536 };
    struct build_log_stream *b = ctx;
    for (;;) {
        open_build_log(b);
        buf_reserve(out, CHUNK);
        ssize_t n = b->fd >= 0 ? read(b->fd, out->data, CHUNK - 1) : 0;
        if (n > 0) {
            out->len = (size_t)n;
            return true;
        }
        if (n < 0 || b->is_over) {
            return false;
        }
        cleanup_err struct err err = {0};
        struct launch l;
        b->seen = queue_wait(b->queue, b->id, b->seen, WAIT_MS);
        int found = queue_find(b->queue, b->id, &l, &err);
        b->is_over = found != 1 || l.status > LAUNCH_STARTING /* once more, to the end */ ||
                     queue_is_stopping(b->queue);
        launch_fini(&l);
    }
}

static void close_build_log(void *ctx)
{
    struct build_log_stream *b = ctx;
    if (b->fd >= 0) {
        close(b->fd);
    }
    free(b->id);
    free(b);
}

void api_build_logs(struct http_request *rq, struct http_response *rs)
{
    struct launch l = {0};
    if (api_accepts(rq, rs, TYPE_NDJSON) && api_run(rq, rs, &l)) {
        struct build_log_stream *b = mem_zalloc(sizeof *b);
        *b = (struct build_log_stream){.queue = rq->server->queue,
                                       .id = mem_strdup(l.id),
                                       .fd = -1,
                                       .is_over = l.status > LAUNCH_STARTING};
        struct api_stream *s = mem_zalloc(sizeof *s);
        *s = (struct api_stream){.fill = fill_build_log, .close = close_build_log, .ctx = b};
        api_respond(rs, s, TYPE_NDJSON);
        rs->is_live = true;
    }
    launch_fini(&l);
}
