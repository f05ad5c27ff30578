/* Requests of the Runs page: the list, its rows as they change, cancelling. */
#include "server/pages/runs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/db/db.h"
#include "server/pages/live.h"
#include "server/server.h"

void runs_model_fini(struct runs_model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        launch_fini(&m->rows[i].l);
    }
    free(m->rows);
    *m = (struct runs_model){0};
}

/* Takes what `l` owns. */
static struct launch take(const struct launch *l)
{
    struct launch mine = *l;
    char **texts[] = {&mine.id,          &mine.launcher,  &mine.creator_name, &mine.creator_type,
                      &mine.description, &mine.test_name, &mine.source,       &mine.commit,
                      &mine.params,      &mine.error,     &mine.verdict};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = *texts[i] ? mem_strdup(*texts[i]) : NULL;
    }
    return mine;
}

static int add_row(void *ctx, const struct launch *l)
{
    struct runs_model *m = ctx;
    if (m->count == RUNS_PAGE) {
        m->has_older = true;
        return 1;
    }
    struct run_row *row = ARRAY_PUSH(m->rows, m->count, m->cap);
    row->l = take(l);
    return 0;
}

/* Newest first into the end of the array, so that it reads oldest first. */
static int load_history(struct db *db, struct run_row *row, struct err *err)
{
    if (!row->l.source) {
        return 0;
    }
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT failed FROM run WHERE source = ? AND number <= ? AND "
                                  "status = ? AND is_ephemeral = 0 ORDER BY number DESC LIMIT 20",
                                  err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, row->l.source);
    db_i64(st, 2, row->l.number);
    db_i64(st, 3, LAUNCH_COMPLETED);
    int rc;
    while ((rc = db_step(db, st, err)) == 1) {
        if (row->history_count < RUNS_HISTORY) {
            row->history[row->history_count++] = db_column_i64(st, 0);
        }
    }
    for (size_t i = 0; i < row->history_count / 2; i++) {
        int64_t other = row->history[row->history_count - 1 - i];
        row->history[row->history_count - 1 - i] = row->history[i];
        row->history[i] = other;
    }
    return rc;
}

static int load_histories(struct server *s, struct runs_model *m, struct err *err)
{
    struct db *db = db_get(s->db);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->count; i++) {
        rc = load_history(db, &m->rows[i], err);
    }
    db_put(s->db, db);
    return rc;
}

static enum launch_status status_named(const char *word)
{
    static const struct {
        const char *word;
        enum launch_status status;
    } words[] = {{"queued", LAUNCH_QUEUED},
                 {"running", LAUNCH_RUNNING},
                 {"completed", LAUNCH_COMPLETED},
                 {"cancelled", LAUNCH_CANCELLED},
                 {"incomplete", LAUNCH_INCOMPLETE}};
    for (size_t i = 0; word && i < ARRAY_LEN(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            return words[i].status;
        }
    }
    return 0;
}

static const char *given(const struct http_request *rq, const char *name)
{
    const char *value = http_query(rq, name);
    return value && *value ? value : NULL;
}

static int load(const struct http_request *rq, struct runs_model *m, struct err *err)
{
    const char *before = given(rq, "before");
    m->status = given(rq, "status");
    m->source = given(rq, "source");
    m->text = given(rq, "q");
    m->launcher = given(rq, "launcher");
    m->with_ephemeral = given(rq, "ephemeral");
    m->is_filtered = m->status || m->source || m->text || m->launcher;
    m->is_first_page = !before;
    m->public_url = rq->server->public_url;
    const struct launch_filter filter = {.status = status_named(m->status),
                                         .launcher = m->launcher,
                                         .source = m->source,
                                         .text = m->text,
                                         .before_number = before ? strtoll(before, NULL, 10) : 0,
                                         .limit = RUNS_PAGE + 1,
                                         .with_ephemeral = m->with_ephemeral};
    return queue_each(rq->server->queue, &filter, add_row, m, err) < 0
               ? -1
               : load_histories(rq->server, m, err);
}

void page_runs(struct http_request *rq, struct http_response *rs)
{
    static const struct html_key keys[] = {{"j k", "next and previous run"},
                                           {"x", "tick the run for a comparison"}};
    struct runs_model m = {0};
    cleanup_err struct err err = {0};
    if (load(rq, &m, &err)) {
        http_fail(rq, rs, &err);
    } else {
        struct frame f = frame_for(rq, PLACE_RUNS, "Runs");
        f.scripts = (const char *const[]){"runs.js", NULL};
        f.is_wide = true;
        f.keys = keys;
        f.key_count = ARRAY_LEN(keys);
        frame_open(&rs->body, &f);
        runs_html(&rs->body, &f, &m);
        frame_close(&rs->body, &f);
        frame_send(rs, 200);
    }
    runs_model_fini(&m);
}

void page_cancel(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf to = {0};
    int rc = queue_cancel(rq->server->queue, rq->vars[0], &err);
    if (rc < 0) {
        http_fail(rq, rs, &err);
        return;
    }
    run_url(&to, rq->vars[0], rc ? "?done=cancelled" : "?done=was-over");
    http_redirect(rs, to.data);
}

/* ---- rows as they change ---- */

struct rows_live {
    struct server *server; /* outlives its connections */
    struct principal who;
    char *ids[RUNS_PAGE]; /* owned */
    uint64_t seen[RUNS_PAGE];
    bool is_over[RUNS_PAGE];
    size_t count;
};

static void rows_destroy(void *ctx)
{
    struct rows_live *live = ctx;
    for (size_t i = 0; i < live->count; i++) {
        free(live->ids[i]);
    }
    free(live);
}

static void send_row(struct rows_live *live, size_t i, struct buf *out)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf json = {0};
    cleanup_buf struct buf cells = {0};
    const struct frame f = {.who = &live->who};
    struct run_row row = {0};
    int rc = queue_find(live->server->queue, live->ids[i], &row.l, &err);
    if (rc != 1) {
        live->is_over[i] = true;
        return;
    }
    struct db *db = db_get(live->server->db);
    rc = load_history(db, &row, &err);
    db_put(live->server->db, db);
    live->is_over[i] = rc != 0 || run_is_over(&row.l);
    runs_cells(&cells, &f, &row);
    buf_puts(&json, "{\"id\":");
    buf_json_string(&json, live->ids[i], strlen(live->ids[i]));
    buf_printf(&json, ",\"going\":%s,\"cells\":", run_is_over(&row.l) ? "false" : "true");
    buf_json_string(&json, cells.data, cells.len);
    buf_putc(&json, '}');
    live_event(out, "row", &json);
    launch_fini(&row.l);
}

static bool rows_next(void *ctx, struct buf *out)
{
    struct rows_live *live = ctx;
    unsigned wait_ms = LIVE_WAIT_MS; /* on one of them; the others are looked at afterwards */
    bool any = false;
    for (size_t i = 0; i < live->count; i++) {
        if (live->is_over[i]) {
            continue;
        }
        uint64_t now = queue_wait(live->server->queue, live->ids[i], live->seen[i], wait_ms);
        wait_ms = 0;
        if (now != live->seen[i]) {
            live->seen[i] = now;
            send_row(live, i, out);
        }
        any |= !live->is_over[i];
    }
    if (!any) {
        buf_puts(out, "event: end\ndata: {}\n\n");
    }
    return any;
}

static void add_id(void *ctx, const char *name, const char *value)
{
    struct rows_live *live = ctx;
    if (strcmp(name, "id") == 0 && live->count < RUNS_PAGE) {
        live->ids[live->count++] = mem_strdup(value);
    }
}

void page_runs_live(struct http_request *rq, struct http_response *rs)
{
    struct rows_live *live = mem_zalloc(sizeof *live);
    live->server = rq->server;
    live->who = rq->who;
    http_each_query(rq, add_id, live);
    live_start(rs, rows_next, rows_destroy, live);
}
