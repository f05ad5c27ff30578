/* Rows for collections of garbage, and counts. */
#include "server/registry/rows_priv.h"

#include "server/registry/registry.h"

/* What keeps the bytes of a blob: a manifest that is these bytes or refers to them. */
#define NOT_REFERRED                                                                               \
    " AND NOT EXISTS (SELECT 1 FROM manifest m WHERE m.digest=blob.digest)"                        \
    " AND NOT EXISTS (SELECT 1 FROM manifest_blob mb WHERE mb.digest=blob.digest)"

static int each_blob(struct db *db, sqlite3_stmt *st, rows_blob_fn *fn, void *ctx, struct err *err)
{
    int r;
    while ((r = db_step(db, st, err)) == 1) {
        if (fn(ctx, db_column(st, 0), (uint64_t)db_column_i64(st, 1), err) < 0) {
            sqlite3_reset(st);
            return -1;
        }
    }
    return r;
}

int rows_each_garbage(struct registry *r, int64_t before_unix, int64_t limit, rows_blob_fn *fn,
                      void *ctx, struct err *err)
{
    int result = -1;
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(
        db, "SELECT digest, size FROM blob WHERE created<?" NOT_REFERRED " LIMIT ?", err);
    if (st) {
        db_i64(st, 1, before_unix);
        db_i64(st, 2, limit);
        result = each_blob(db, st, fn, ctx, err);
    }
    db_put(r->db, db);
    return result;
}

static int forget(struct db *db, const char *digest, int64_t before_unix, struct err *err)
{
    sqlite3_stmt *st =
        db_prepare(db, "SELECT 1 FROM blob WHERE digest=? AND created<?" NOT_REFERRED, err);
    if (st) {
        db_text(st, 1, digest);
        db_i64(st, 2, before_unix);
    }
    int found = rows_any(db, st, err);
    if (found != 1) {
        return found;
    }
    st = db_prepare(db, "DELETE FROM repository_blob WHERE digest=?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, digest);
    if (db_run(db, st, err) < 0 || !(st = db_prepare(db, "DELETE FROM blob WHERE digest=?", err))) {
        return -1;
    }
    db_text(st, 1, digest);
    return db_run(db, st, err) < 0 || db_commit(db, err) < 0 ? -1 : 1;
}

int rows_blob_forget(struct registry *r, const char *digest, int64_t before_unix, struct err *err)
{
    struct db *db = db_get(r->db);
    int result = db_begin(db, err) < 0 ? -1 : forget(db, digest, before_unix, err);
    db_put(r->db, db);
    return result;
}

int rows_blob_known(struct registry *r, const char *digest, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(db, "SELECT 1 FROM blob WHERE digest=?", err);
    if (st) {
        db_text(st, 1, digest);
    }
    int found = rows_any(db, st, err);
    db_put(r->db, db);
    return found;
}

int rows_forget_empty_repositories(struct registry *r, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st =
        db_prepare(db,
                   "DELETE FROM repository WHERE id NOT IN (SELECT repository FROM repository_blob)"
                   " AND id NOT IN (SELECT repository FROM manifest)"
                   " AND id NOT IN (SELECT repository FROM tag)",
                   err);
    int result = st ? db_run(db, st, err) : -1;
    db_put(r->db, db);
    return result;
}

int rows_totals(struct registry *r, struct registry_totals *out, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT (SELECT count(*) FROM repository),"
                                  " (SELECT count(*) FROM tag),"
                                  " (SELECT count(*) FROM blob),"
                                  " (SELECT coalesce(sum(size), 0) FROM blob)",
                                  err);
    int result = st ? db_step(db, st, err) : -1;
    if (result == 1) {
        *out = (struct registry_totals){.repositories = (uint64_t)db_column_i64(st, 0),
                                        .tags = (uint64_t)db_column_i64(st, 1),
                                        .blobs = (uint64_t)db_column_i64(st, 2),
                                        .bytes = (uint64_t)db_column_i64(st, 3)};
        sqlite3_reset(st);
        result = 0;
    }
    db_put(r->db, db);
    return result;
}
