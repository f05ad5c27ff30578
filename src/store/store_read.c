/* Run directory: reading. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "store/event_log.h"
#include "store/store_priv.h"

static void drop(const char *text)
{
    free((void *)(uintptr_t)text);
}

int store_run(struct store *s, struct store_run *out, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(
        s,
        "SELECT id, name, source, commit_id, description, config, engine, cpu, seed, workers,"
        " started_unix_ns, wall_ns, status, status_text FROM run",
        err);
    int rc = st ? sql_step(s, st, err) : -1;
    if (rc == 1) {
        *out = (struct store_run){.id = sql_text_dup(st, 0),
                                  .name = sql_text_dup(st, 1),
                                  .source = sql_text_dup(st, 2),
                                  .commit = sql_text_dup(st, 3),
                                  .description = sql_text_dup(st, 4),
                                  .config = sql_text_dup(st, 5),
                                  .engine = sql_text_dup(st, 6),
                                  .cpu = sql_text_dup(st, 7),
                                  .seed = sql_u64(st, 8),
                                  .workers = (uint32_t)sql_u64(st, 9),
                                  .started_unix_ns = sqlite3_column_int64(st, 10),
                                  .wall_ns = sql_u64(st, 11),
                                  .status = (enum run_status)sql_u64(st, 12),
                                  .status_text = sql_text_dup(st, 13)};
    } else if (rc == 0) {
        err_set(err, ERR_HOST, "%s/run.db: no run in it", s->dir);
    }
    sqlite3_finalize(st);
    return rc == 1 ? 0 : -1;
}

void store_run_free(struct store_run *run)
{
    drop(run->id);
    drop(run->name);
    drop(run->source);
    drop(run->commit);
    drop(run->description);
    drop(run->config);
    drop(run->engine);
    drop(run->cpu);
    drop(run->status_text);
    *run = (struct store_run){0};
}

int store_totals(struct store *s, struct store_totals *out, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s,
                    "SELECT count(*), coalesce(sum(virtual_ns), 0), coalesce(sum(calls), 0),"
                    " coalesce(sum(switches), 0), count(engine_error) FROM universe",
                    err);
    int rc = st ? sql_step(s, st, err) : -1;
    if (rc == 1) {
        *out = (struct store_totals){sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2), sql_u64(st, 3),
                                     sql_u64(st, 4)};
    }
    sqlite3_finalize(st);
    return rc == 1 ? 0 : -1;
}

#define UNIVERSE_COLUMNS                                                                           \
    "SELECT number, seed, input_hash, parent, branch_vtime_ns, virtual_ns, wall_ns, end_reason,"   \
    " end_text, digest0, digest1, calls, switches, draws, setup_complete, engine_error"            \
    " FROM universe "

/* Texts stay borrowed from the statement. */
static struct store_universe universe_row(sqlite3_stmt *st)
{
    return (struct store_universe){.number = sql_u64(st, 0),
                                   .seed = sql_u64(st, 1),
                                   .input_hash = sqlite3_column_int64(st, 2),
                                   .parent = sqlite3_column_int64(st, 3),
                                   .branch_vtime_ns = sql_u64(st, 4),
                                   .virtual_ns = sql_u64(st, 5),
                                   .wall_ns = sql_u64(st, 6),
                                   .end_reason = (uint32_t)sql_u64(st, 7),
                                   .end_text = sql_text(st, 8),
                                   .digest = {sql_u64(st, 9), sql_u64(st, 10)},
                                   .calls = sql_u64(st, 11),
                                   .switches = sql_u64(st, 12),
                                   .draws = sql_u64(st, 13),
                                   .setup_complete = sql_u64(st, 14) != 0,
                                   .engine_error = sql_text(st, 15)};
}

int store_each_universe(struct store *s, store_universe_fn *fn, void *ctx, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(s, UNIVERSE_COLUMNS "ORDER BY number", err);
    int rc = st ? 1 : -1;
    int stop = 0;
    while (rc == 1 && !stop && (rc = sql_step(s, st, err)) == 1) {
        struct store_universe u = universe_row(st);
        stop = fn(ctx, &u);
    }
    sqlite3_finalize(st);
    return rc < 0 ? -1 : stop;
}

static int universe_by(struct store *s, const char *sql, int64_t key, struct store_universe *out,
                       struct err *err)
{
    sqlite3_stmt *st = sql_prepare(s, sql, err);
    if (!st) {
        return -1;
    }
    sqlite3_bind_int64(st, 1, key);
    int rc = sql_step(s, st, err);
    if (rc == 1) {
        *out = universe_row(st);
        out->end_text = out->end_text ? mem_strdup(out->end_text) : NULL;
        out->engine_error = out->engine_error ? mem_strdup(out->engine_error) : NULL;
    }
    sqlite3_finalize(st);
    return rc;
}

int store_universe(struct store *s, uint64_t number, struct store_universe *out, struct err *err)
{
    return universe_by(s, UNIVERSE_COLUMNS "WHERE number = ?", (int64_t)number, out, err);
}

int store_universe_by_hash(struct store *s, int64_t input_hash, struct store_universe *out,
                           struct err *err)
{
    return universe_by(s, UNIVERSE_COLUMNS "WHERE input_hash = ? ORDER BY number LIMIT 1",
                       input_hash, out, err);
}

void store_universe_free(struct store_universe *u)
{
    drop(u->end_text);
    drop(u->engine_error);
    *u = (struct store_universe){0};
}

int store_each_compose_key(struct store *s, store_compose_fn *fn, void *ctx, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "SELECT path, effect, note FROM compose_key ORDER BY path", err);
    int rc = st ? 1 : -1;
    int stop = 0;
    while (rc == 1 && !stop && (rc = sql_step(s, st, err)) == 1) {
        struct store_compose_key key = {sql_text(st, 0), (enum compose_effect)sql_u64(st, 1),
                                        sql_text(st, 2)};
        stop = fn(ctx, &key);
    }
    sqlite3_finalize(st);
    return rc < 0 ? -1 : stop;
}

int store_each_progress(struct store *s, store_progress_fn *fn, void *ctx, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s,
                    "SELECT wall_ns, virtual_ns, universes, behaviours, properties_seen, failures"
                    " FROM progress ORDER BY sample",
                    err);
    int rc = st ? 1 : -1;
    int stop = 0;
    while (rc == 1 && !stop && (rc = sql_step(s, st, err)) == 1) {
        struct store_progress p = {sql_u64(st, 0), sql_u64(st, 1), sql_u64(st, 2),
                                   sql_u64(st, 3), sql_u64(st, 4), sql_u64(st, 5)};
        stop = fn(ctx, &p);
    }
    sqlite3_finalize(st);
    return rc < 0 ? -1 : stop;
}

int store_each_confirmation(struct store *s, store_confirmation_fn *fn, void *ctx, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(
        s,
        "SELECT property_id, universe, vtime_ns, replays, reproduced, fault_count, minimal,"
        " inevitable_ns, curve FROM confirmation ORDER BY property_id",
        err);
    int rc = st ? 1 : -1;
    int stop = 0;
    while (rc == 1 && !stop && (rc = sql_step(s, st, err)) == 1) {
        struct store_confirmation c = {
            sql_text(st, 0),          sql_u64(st, 1),           sql_u64(st, 2),
            (uint32_t)sql_u64(st, 3), (uint32_t)sql_u64(st, 4), sqlite3_column_int(st, 5),
            sql_text(st, 6),          sql_u64(st, 7),           sql_text(st, 8)};
        stop = fn(ctx, &c);
    }
    sqlite3_finalize(st);
    return rc < 0 ? -1 : stop;
}

/* ---- events ---- */

struct history_visit {
    store_event_fn *fn;
    void *ctx;
    uint64_t end_seq; /* the child's history takes over here */
};

static int visit_until_branch(void *ctx, const struct event *ev)
{
    struct history_visit *v = ctx;
    return ev->seq < v->end_seq ? v->fn(v->ctx, ev) : 0;
}

#define HISTORY_DEPTH_MAX 100000 /* a longer chain of branches is a loop */

static int visit_history(struct store *s, uint64_t universe, uint64_t from_ns, uint64_t to_ns,
                         struct history_visit *v, int depth, struct err *err)
{
    struct store_universe u;
    int rc = store_universe(s, universe, &u, err);
    if (rc <= 0) {
        return rc < 0 ? -1
                      : err_set(err, ERR_USAGE, "%s holds no universe %llu", s->dir,
                                (unsigned long long)universe);
    }
    int64_t parent = u.parent;
    uint64_t branch_ns = u.branch_vtime_ns;
    store_universe_free(&u);
    cleanup_free char *path = store_event_path(s->dir, universe);
    struct event_log *log = event_log_open(path, err);
    if (!log) {
        return -1;
    }
    rc = 0;
    uint64_t first = event_log_count(log) ? event_log_first_seq(log) : UINT64_MAX;
    if (parent >= 0 && first > 0 && from_ns <= branch_ns && depth < HISTORY_DEPTH_MAX) {
        struct history_visit before = {v->fn, v->ctx, min_u64(first, v->end_seq)};
        rc = visit_history(s, (uint64_t)parent, from_ns, min_u64(to_ns, branch_ns), &before,
                           depth + 1, err);
    }
    if (rc == 0) {
        rc = event_log_visit(log, from_ns, to_ns, visit_until_branch, v, err);
    }
    event_log_free(log);
    return rc;
}

int store_each_event(struct store *s, uint64_t universe, uint64_t from_ns, uint64_t to_ns,
                     store_event_fn *fn, void *ctx, struct err *err)
{
    struct history_visit v = {fn, ctx, UINT64_MAX};
    return visit_history(s, universe, from_ns, to_ns, &v, 0, err);
}
