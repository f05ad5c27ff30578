/* Runs as rows of server.db. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config.h"
#include "server/db/db.h"
#include "server/queue/queue_priv.h"
#include "server/server.h"

#define EARLIER_MAX 20

static void fill(sqlite3_stmt *st, struct launch *l)
{
    int i = 0;
    *l = (struct launch){0};
    l->id = db_column_dup(st, i++);
    l->number = db_column_i64(st, i++);
    l->status = (enum launch_status)db_column_i64(st, i++);
    l->created_unix_ms = db_column_i64(st, i++);
    l->started_unix_ms = db_column_i64(st, i++);
    l->completed_unix_ms = db_column_i64(st, i++);
    char **const texts[] = {&l->launcher,  &l->creator_name, &l->creator_type, &l->description,
                            &l->test_name, &l->source,       &l->commit,       &l->params,
                            &l->error,     &l->verdict};
    for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
        *texts[k] = db_column_dup(st, i++);
    }
    int64_t *const numbers[] = {&l->duration_s, &l->universes,     &l->virtual_ns,
                                &l->wall_ns,    &l->behaviours,    &l->failed,
                                &l->never,      &l->passed,        &l->found_new,
                                &l->found_rare, &l->found_ongoing, &l->found_resolved};
    for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
        *numbers[k] = db_column_i64(st, i++);
    }
    l->is_ephemeral = db_column_i64(st, i++) != 0;
    l->cancel_requested = db_column_i64(st, i++) != 0;
}

void launch_fini(struct launch *l)
{
    char *const texts[] = {l->id,          l->launcher,  l->creator_name, l->creator_type,
                           l->description, l->test_name, l->source,       l->commit,
                           l->params,      l->error,     l->verdict};
    for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
        free(texts[k]);
    }
    *l = (struct launch){0};
}

/* --- one statement each ------------------------------------------------------------------------
 */

/* 1 when the queue has no room, 0, -1. */
static int is_full(struct queue *q, struct db *db, uint64_t max, struct err *err)
{
    (void)q;
    sqlite3_stmt *st = db_prepare(db, "SELECT count(*) FROM run WHERE status = ?", err);
    if (!st) {
        return -1;
    }
    db_i64(st, 1, LAUNCH_QUEUED);
    if (db_step(db, st, err) != 1) {
        return -1;
    }
    bool full = (uint64_t)db_column_i64(st, 0) >= max;
    return full;
}

static int insert(struct db *db, const struct launch *l, const char *secrets, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db,
        "INSERT INTO run (id, status, created_ms, launcher, creator_name, creator_type,"
        " description, test_name, source, commit_id, params, secrets, duration_s, is_ephemeral)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, l->id);
    db_i64(st, 2, LAUNCH_QUEUED);
    db_i64(st, 3, l->created_unix_ms);
    db_text(st, 4, l->launcher);
    db_text(st, 5, l->creator_name);
    db_text(st, 6, l->creator_type);
    db_text(st, 7, l->description);
    db_text(st, 8, l->test_name);
    db_text(st, 9, l->source);
    db_text(st, 10, l->commit);
    db_text(st, 11, l->params);
    db_text(st, 12, secrets);
    db_i64(st, 13, l->duration_s);
    db_i64(st, 14, l->is_ephemeral);
    return db_run(db, st, err);
}

static int insert_within(struct queue *q, struct db *db, const struct launch *l,
                         const char *secrets, struct err *err)
{
    uint64_t max = q->server->config->queue_max;
    if (db_begin(db, err)) {
        return -1;
    }
    int full = is_full(q, db, max, err);
    if (full == 1) {
        err_set(err, ERR_SETUP, "%llu launches wait already", (unsigned long long)max);
        err_hint(err, "try again when some have run");
    }
    if (full || insert(db, l, secrets, err)) {
        db_rollback(db);
        return -1;
    }
    return db_commit(db, err);
}

int row_insert(struct queue *q, const struct launch *l, const char *secrets, struct err *err)
{
    struct db *db = db_get(q->server->db);
    int r = insert_within(q, db, l, secrets, err);
    db_put(q->server->db, db);
    return r;
}

/* Reads one row of a statement with RUN_COLUMNS. 1, 0, -1. */
static int read_one(struct db *db, sqlite3_stmt *st, struct launch *out, struct err *err)
{
    int r = st ? db_step(db, st, err) : -1;
    if (r == 1) {
        fill(st, out);
        sqlite3_reset(st);
    }
    return r;
}

static int claim(struct db *db, struct launch *out, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db, "SELECT " RUN_COLUMNS " FROM run WHERE status = ? ORDER BY number LIMIT 1", err);
    if (st) {
        db_i64(st, 1, LAUNCH_QUEUED);
    }
    int found = read_one(db, st, out, err);
    if (found != 1) {
        return found;
    }
    st = db_prepare(db, "UPDATE run SET status = ?, started_ms = ? WHERE number = ?", err);
    if (!st) {
        return -1;
    }
    out->status = LAUNCH_STARTING;
    out->started_unix_ms = out->started_unix_ms ? out->started_unix_ms : queue_now_ms();
    db_i64(st, 1, out->status);
    db_i64(st, 2, out->started_unix_ms);
    db_i64(st, 3, out->number);
    return db_run(db, st, err) ? -1 : 1;
}

int row_claim(struct queue *q, struct launch *out, struct err *err)
{
    struct db *db = db_get(q->server->db);
    *out = (struct launch){0};
    int r = db_begin(db, err) ? -1 : claim(db, out, err);
    if (r == 1 && db_commit(db, err)) {
        r = -1;
    } else if (r != 1) {
        db_rollback(db);
    }
    if (r < 0) {
        launch_fini(out);
    }
    db_put(q->server->db, db);
    return r;
}

int row_recover(struct queue *q, struct err *err)
{
    struct db *db = db_get(q->server->db);
    sqlite3_stmt *st =
        db_prepare(db, "UPDATE run SET status = ?, cuts = cuts + 1 WHERE status IN (?, ?)", err);
    int r = -1;
    if (st) {
        db_i64(st, 1, LAUNCH_QUEUED);
        db_i64(st, 2, LAUNCH_STARTING);
        db_i64(st, 3, LAUNCH_RUNNING);
        r = db_run(db, st, err) ? -1 : (int)db_changes(db);
    }
    db_put(q->server->db, db);
    return r;
}

static int update(struct db *db, const struct launch *l, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db,
        "UPDATE run SET status = ?, completed_ms = ?, error = ?, verdict = ?, universes = ?,"
        " virtual_ns = ?, wall_ns = ?, behaviours = ?, failed = ?, never = ?, passed = ?,"
        " found_new = ?, found_rare = ?, found_ongoing = ?, found_resolved = ? WHERE id = ?",
        err);
    if (!st) {
        return -1;
    }
    const int64_t numbers[] = {l->universes,  l->virtual_ns,    l->wall_ns,       l->behaviours,
                               l->failed,     l->never,         l->passed,        l->found_new,
                               l->found_rare, l->found_ongoing, l->found_resolved};
    db_i64(st, 1, l->status);
    db_i64(st, 2, l->completed_unix_ms);
    db_text(st, 3, l->error);
    db_text(st, 4, l->verdict);
    int at = 5;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        db_i64(st, at++, numbers[i]);
    }
    db_text(st, at, l->id);
    return db_run(db, st, err);
}

int row_update(struct queue *q, const struct launch *l, struct err *err)
{
    struct db *db = db_get(q->server->db);
    int r = update(db, l, err);
    db_put(q->server->db, db);
    return r;
}

static int count_cut(struct db *db, const char *id, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, "UPDATE run SET cuts = cuts + 1 WHERE id = ?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, id);
    if (db_run(db, st, err)) {
        return -1;
    }
    st = db_prepare(db, "SELECT cuts FROM run WHERE id = ?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, id);
    int r = db_step(db, st, err);
    int cuts = r == 1 ? (int)db_column_i64(st, 0) : -1;
    sqlite3_reset(st);
    return cuts;
}

int row_count_cut(struct queue *q, const char *id, struct err *err)
{
    struct db *db = db_get(q->server->db);
    int r = count_cut(db, id, err);
    db_put(q->server->db, db);
    return r;
}

/* --- cancelling ------------------------------------------------------------------------------- */

static int cancel_waiting(struct db *db, const char *id, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db,
                                  "UPDATE run SET status = ?, completed_ms = ?,"
                                  " cancel_requested = 1, error = 'cancelled before it started'"
                                  " WHERE id = ? AND status = ? AND started_ms = 0",
                                  err);
    if (!st) {
        return -1;
    }
    db_i64(st, 1, LAUNCH_CANCELLED);
    db_i64(st, 2, queue_now_ms());
    db_text(st, 3, id);
    db_i64(st, 4, LAUNCH_QUEUED);
    return db_run(db, st, err) ? -1 : (int)db_changes(db);
}

static int mark_cancelled(struct db *db, const char *id, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db, "UPDATE run SET cancel_requested = 1 WHERE id = ? AND status IN (?, ?, ?)", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, id);
    db_i64(st, 2, LAUNCH_QUEUED);
    db_i64(st, 3, LAUNCH_STARTING);
    db_i64(st, 4, LAUNCH_RUNNING);
    return db_run(db, st, err) ? -1 : (int)db_changes(db);
}

int row_cancel(struct queue *q, const char *id, struct err *err)
{
    struct db *db = db_get(q->server->db);
    int r = db_begin(db, err) ? -1 : cancel_waiting(db, id, err);
    if (r == 0) {
        r = mark_cancelled(db, id, err);
        r = r > 0 ? 2 : r;
    }
    if (r < 0 || db_commit(db, err)) {
        db_rollback(db);
        r = -1;
    }
    db_put(q->server->db, db);
    return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

int queue_find(struct queue *q, const char *run_id, struct launch *out, struct err *err)
{
    struct db *db = db_get(q->server->db);
    *out = (struct launch){0};
    sqlite3_stmt *st = db_prepare(db, "SELECT " RUN_COLUMNS " FROM run WHERE id = ?", err);
    if (st) {
        db_text(st, 1, run_id);
    }
    int r = read_one(db, st, out, err);
    db_put(q->server->db, db);
    return r;
}

/* Null parameters switch their condition off, so that one statement serves every filter. */
#define EACH_SQL                                                                                   \
    "SELECT " RUN_COLUMNS " FROM run WHERE number < ?1"                                            \
    " AND (?2 = 0 OR status = ?2 OR (?2 = 2 AND status = 1))"                                      \
    " AND (?3 IS NULL OR launcher = ?3) AND (?4 IS NULL OR source = ?4)"                           \
    " AND (?5 IS NULL OR instr(lower(id || ' ' || coalesce(test_name, '') || ' ' ||"               \
    " coalesce(description, '') || ' ' || coalesce(source, '') || ' ' ||"                          \
    " coalesce(commit_id, '')), lower(?5)) > 0)"                                                   \
    " AND (?6 = 0 OR created_ms > ?6) AND (?7 = 0 OR created_ms < ?7)"                             \
    " AND (?8 OR NOT is_ephemeral) ORDER BY number DESC LIMIT ?9"

static sqlite3_stmt *prepare_each(struct db *db, const struct launch_filter *f, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, EACH_SQL, err);
    if (st) {
        db_i64(st, 1, f->before_number ? f->before_number : INT64_MAX);
        db_i64(st, 2, f->status);
        db_text(st, 3, f->launcher);
        db_text(st, 4, f->source);
        db_text(st, 5, f->text);
        db_i64(st, 6, f->created_after_ms);
        db_i64(st, 7, f->created_before_ms);
        db_i64(st, 8, f->with_ephemeral);
        db_i64(st, 9, f->limit ? f->limit : 50);
    }
    return st;
}

int queue_each(struct queue *q, const struct launch_filter *f, launch_fn *fn, void *ctx,
               struct err *err)
{
    struct db *db = db_get(q->server->db);
    sqlite3_stmt *st = prepare_each(db, f, err);
    int r = st ? 0 : -1, step;
    while (r == 0 && (step = db_step(db, st, err)) != 0) {
        struct launch l;
        if (step < 0) {
            r = -1;
            break;
        }
        fill(st, &l);
        r = fn(ctx, &l);
        launch_fini(&l);
    }
    if (r > 0) {
        sqlite3_reset(st);
    }
    db_put(q->server->db, db);
    return r;
}

int row_each_earlier(struct queue *q, const struct launch *l, row_id_fn *fn, void *ctx,
                     struct err *err)
{
    struct db *db = db_get(q->server->db);
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT id FROM run WHERE number < ? AND source IS ? AND status = ?"
                   " AND (source IS NOT NULL OR test_name IS ?) AND NOT is_ephemeral"
                   " ORDER BY number DESC LIMIT ?",
                   err);
    int r = st ? 1 : -1;
    if (st) {
        db_i64(st, 1, l->number);
        db_text(st, 2, l->source);
        db_i64(st, 3, LAUNCH_COMPLETED);
        db_text(st, 4, l->test_name);
        db_i64(st, 5, EARLIER_MAX);
    }
    while (r == 1 && (r = db_step(db, st, err)) == 1) {
        fn(ctx, db_column(st, 0));
    }
    db_put(q->server->db, db);
    return r;
}
