/* Run directory: what the running explorer writes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "store/event_log.h"
#include "store/files.h"
#include "store/ingest.h"
#include "store/store_priv.h"

struct store_writer {
    struct store *store; /* borrowed */
    struct store_universe universe;
    struct event_log_writer *log; /* owned */
    struct ingest *ingest;        /* owned */
};

int store_add_input(struct store *s, const char *name, const void *data, size_t len,
                    struct err *err)
{
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return err_set(err, ERR_ENGINE, "\"%s\" is no name for a run's input", name);
    }
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/inputs/%s", s->dir, name);
    return files_replace(path.data, data, len, err);
}

/* ROLLBACK cannot fail in a way that matters: at worst the transaction is gone already. */
static int roll_back(struct store *s)
{
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

static int add_compose_key(struct store *s, const struct store_compose_key *key, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(s, "INSERT OR REPLACE INTO compose_key VALUES (?,?,?)", err);
    if (!st) {
        return -1;
    }
    sql_bind_text(st, 1, key->path);
    sqlite3_bind_int(st, 2, (int)key->effect);
    sql_bind_text(st, 3, key->note);
    return sql_run(s, st, err);
}

int store_add_compose_keys(struct store *s, const struct store_compose_key *keys, size_t count,
                           struct err *err)
{
    if (sql_exec(s, "BEGIN IMMEDIATE", err)) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (add_compose_key(s, &keys[i], err)) {
            return roll_back(s);
        }
    }
    return sql_exec(s, "COMMIT", err) ? roll_back(s) : 0;
}

int store_add_progress(struct store *s, const struct store_progress *p, struct err *err)
{
    sqlite3_stmt *st = sql_prepare(s, "INSERT INTO progress VALUES (NULL,?,?,?,?,?,?)", err);
    if (!st) {
        return -1;
    }
    sql_bind_u64(st, 1, p->wall_ns);
    sql_bind_u64(st, 2, p->virtual_ns);
    sql_bind_u64(st, 3, p->universes);
    sql_bind_u64(st, 4, p->behaviours);
    sql_bind_u64(st, 5, p->properties_seen);
    sql_bind_u64(st, 6, p->failures);
    return sql_run(s, st, err);
}

int store_set_confirmation(struct store *s, const struct store_confirmation *c, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "INSERT OR REPLACE INTO confirmation VALUES (?,?,?,?,?,?,?,?,?)", err);
    if (!st) {
        return -1;
    }
    sql_bind_text(st, 1, c->property_id);
    sql_bind_u64(st, 2, c->universe);
    sql_bind_u64(st, 3, c->vtime_ns);
    sql_bind_u64(st, 4, c->replays);
    sql_bind_u64(st, 5, c->reproduced);
    sqlite3_bind_int(st, 6, c->fault_count);
    sql_bind_text(st, 7, c->minimal);
    sql_bind_u64(st, 8, c->inevitable_ns);
    sql_bind_text(st, 9, c->curve);
    return sql_run(s, st, err);
}

int store_set_status(struct store *s, enum run_status status, const char *text, uint64_t wall_ns,
                     struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "UPDATE run SET status = ?, status_text = ?, wall_ns = ?", err);
    if (!st) {
        return -1;
    }
    sqlite3_bind_int(st, 1, (int)status);
    sql_bind_text(st, 2, text);
    sql_bind_u64(st, 3, wall_ns);
    return sql_run(s, st, err);
}

struct store_writer *store_universe_begin(struct store *s, const struct store_universe *u,
                                          struct err *err)
{
    ASSERT(s->lock_fd >= 0);
    cleanup_free char *path = store_event_path(s->dir, u->number);
    if (access(path, F_OK) == 0) {
        err_set(err, ERR_ENGINE, "universe %" PRIu64 " was stored before", u->number);
        return NULL;
    }
    struct event_log_writer *log = event_log_create(path, err);
    if (!log) {
        return NULL;
    }
    struct store_writer *w = mem_zalloc(sizeof *w);
    w->store = s;
    w->log = log;
    w->universe = (struct store_universe){.number = u->number,
                                          .seed = u->seed,
                                          .input_hash = u->input_hash,
                                          .parent = u->parent,
                                          .branch_vtime_ns = u->branch_vtime_ns};
    w->ingest = ingest_create(u->number, s->node_names, s->node_count);
    return w;
}

static void writer_free(struct store_writer *w)
{
    event_log_discard(w->log);
    ingest_destroy(w->ingest);
    free(w);
}

void store_universe_abort(struct store_writer *w)
{
    if (w) {
        writer_free(w);
    }
}

int store_universe_append(struct store_writer *w, const void *records, size_t len, struct err *err)
{
    if (event_log_append(w->log, records, len, err)) {
        return err_wrap(err, "universe %" PRIu64, w->universe.number);
    }
    cleanup_buf struct buf aligned = {0};
    if ((uintptr_t)records % _Alignof(struct event) != 0) {
        buf_append(&aligned, records, len);
        records = aligned.data;
    }
    const unsigned char *p = records;
    for (size_t at = 0; at < len;) {
        const struct event *ev = (const struct event *)(const void *)(p + at);
        ingest_event(w->ingest, ev);
        at += ev->size;
    }
    return 0;
}

static int insert_universe(struct store *s, const struct store_universe *u, struct err *err)
{
    sqlite3_stmt *st =
        sql_prepare(s, "INSERT INTO universe VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", err);
    if (!st) {
        return -1;
    }
    sql_bind_u64(st, 1, u->number);
    sql_bind_u64(st, 2, u->seed);
    sqlite3_bind_int64(st, 3, u->input_hash);
    sqlite3_bind_int64(st, 4, u->parent);
    sql_bind_u64(st, 5, u->branch_vtime_ns);
    sql_bind_u64(st, 6, u->virtual_ns);
    sql_bind_u64(st, 7, u->wall_ns);
    sql_bind_u64(st, 8, u->end_reason);
    sql_bind_text(st, 9, u->end_text);
    sql_bind_u64(st, 10, u->digest[0]);
    sql_bind_u64(st, 11, u->digest[1]);
    sql_bind_u64(st, 12, u->calls);
    sql_bind_u64(st, 13, u->switches);
    sql_bind_u64(st, 14, u->draws);
    sqlite3_bind_int(st, 15, u->setup_complete);
    sql_bind_text(st, 16, u->engine_error);
    return sql_run(s, st, err);
}

void store_universe_fill(struct store_universe *u, const struct ingest *in,
                         const char *engine_error)
{
    const struct event_end *end = ingest_end(in, &u->end_text);
    uint64_t last = ingest_last_vtime_ns(in);
    u->virtual_ns = last > u->branch_vtime_ns ? last - u->branch_vtime_ns : 0;
    u->setup_complete = ingest_has_setup_complete(in);
    u->engine_error = engine_error;
    if (end) {
        u->end_reason = end->reason;
        u->digest[0] = end->digest[0];
        u->digest[1] = end->digest[1];
        u->calls = end->calls;
        u->switches = end->switches;
        u->draws = end->draws;
        u->setup_complete |= end->setup_complete != 0;
        if (!engine_error && end->reason == END_ENGINE_ERROR) {
            u->engine_error = *u->end_text ? u->end_text : "unnamed engine error";
        }
    } else if (!engine_error) {
        u->engine_error = "the universe's record stops without an end";
    }
}

static int reload(struct store *s, struct err *err)
{
    struct property_set fresh;
    property_set_init(&fresh);
    if (store_load_set(s, &fresh, err)) {
        property_set_fini(&fresh);
        return -1;
    }
    property_set_fini(&s->props);
    s->props = fresh;
    s->stale = false;
    return 0;
}

static int commit_rows(struct store *s, const struct store_universe *u,
                       const struct property_set *found, struct err *err)
{
    if ((s->stale && reload(s, err)) || sql_exec(s, "BEGIN IMMEDIATE", err)) {
        return -1;
    }
    s->stale = true; /* until the commit has happened */
    property_set_merge(&s->props, found);
    if (insert_universe(s, u, err) || store_save_set(s, found, err) || sql_exec(s, "COMMIT", err)) {
        return roll_back(s);
    }
    s->stale = false;
    return 0;
}

/* The rows of a universe whose events are complete on disk; without rows the events go too, so that
 * it can be stored again. */
static int commit_complete(struct store *s, const struct store_universe *u,
                           const struct property_set *found, struct err *err)
{
    if (commit_rows(s, u, found, err) == 0) {
        return 0;
    }
    cleanup_free char *path = store_event_path(s->dir, u->number);
    unlink(path);
    cleanup_err struct err ignored = {0};
    if (s->stale && reload(s, &ignored)) {
        s->stale = true; /* the next commit tries again, and reports */
    }
    return err_wrap(err, "universe %" PRIu64 " was not stored", u->number);
}

int store_universe_adopt(struct store *s, const struct store_universe *u,
                         const struct property_set *found, struct err *err)
{
    ASSERT(s->lock_fd >= 0);
    cleanup_free char *path = store_event_path(s->dir, u->number);
    if (access(path, F_OK)) {
        return files_errno(err, errno, "the events of universe %" PRIu64, u->number);
    }
    return commit_complete(s, u, found, err);
}

int store_universe_commit(struct store_writer *w, uint64_t wall_ns, const char *engine_error,
                          struct property_set *found, struct err *err)
{
    uint64_t number = w->universe.number;
    ingest_finish(w->ingest, engine_error);
    store_universe_fill(&w->universe, w->ingest, engine_error);
    w->universe.wall_ns = wall_ns;
    int rc = event_log_close(w->log, err);
    w->log = NULL;
    if (rc) {
        err_wrap(err, "universe %" PRIu64 " was not stored", number);
    } else {
        rc = commit_complete(w->store, &w->universe, ingest_set(w->ingest), err);
    }
    if (rc == 0 && found) {
        property_set_init(found);
        property_set_merge(found, ingest_set(w->ingest));
    }
    writer_free(w);
    return rc;
}
