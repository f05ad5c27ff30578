/* Rows of repositories, blobs and uploads. */
#include "server/registry/rows_priv.h"

#include "server/registry/registry.h"

/* A blob that somebody asked for is touched at most this often: asking costs no write. */
#define TOUCH_SECONDS 600

int rows_any(struct db *db, sqlite3_stmt *st, struct err *err)
{
    int r = st ? db_step(db, st, err) : -1;
    if (r == 1) {
        sqlite3_reset(st);
    }
    return r;
}

int rows_repository_id(struct db *db, const char *repository, int64_t *id, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, "SELECT id FROM repository WHERE name=?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, repository);
    int r = db_step(db, st, err);
    if (r == 1) {
        *id = db_column_i64(st, 0);
        sqlite3_reset(st);
    }
    return r;
}

int rows_repository_make(struct db *db, const char *repository, int64_t *id, struct err *err)
{
    int r = rows_repository_id(db, repository, id, err);
    if (r) {
        return r < 0 ? r : 0;
    }
    sqlite3_stmt *st = db_prepare(db, "INSERT INTO repository (name) VALUES (?)", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, repository);
    r = db_run(db, st, err);
    *id = db_last_id(db);
    return r;
}

int rows_blob_insert(struct db *db, int64_t repository, const char *digest, uint64_t size,
                     struct err *err)
{
    int64_t now = time(NULL);
    sqlite3_stmt *st = db_prepare(db,
                                  "INSERT INTO blob (digest, size, created) VALUES (?, ?, ?)"
                                  " ON CONFLICT (digest) DO NOTHING",
                                  err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, digest);
    db_i64(st, 2, (int64_t)size);
    db_i64(st, 3, now);
    if (db_run(db, st, err) < 0) {
        return -1;
    }
    bool is_new = db_changes(db) == 1;
    if (!is_new) {
        st = db_prepare(db, "UPDATE blob SET created=? WHERE digest=?", err);
        if (!st) {
            return -1;
        }
        db_i64(st, 1, now);
        db_text(st, 2, digest);
        if (db_run(db, st, err) < 0) {
            return -1;
        }
    }
    if (repository) {
        st = db_prepare(db, "INSERT OR IGNORE INTO repository_blob VALUES (?, ?)", err);
        if (!st) {
            return -1;
        }
        db_i64(st, 1, repository);
        db_text(st, 2, digest);
        if (db_run(db, st, err) < 0) {
            return -1;
        }
    }
    return is_new;
}

int rows_repository_exists(struct registry *r, const char *repository, struct err *err)
{
    int64_t id;
    struct db *db = db_get(r->db);
    int found = rows_repository_id(db, repository, &id, err);
    db_put(r->db, db);
    return found;
}

int rows_upload_add(struct registry *r, const char *id, const char *repository, int64_t account,
                    struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(
        db, "INSERT INTO upload (uuid, repository, account, created) VALUES (?, ?, ?, ?)", err);
    int result = -1;
    if (st) {
        db_text(st, 1, id);
        db_text(st, 2, repository);
        db_i64(st, 3, account);
        db_i64(st, 4, time(NULL));
        result = db_run(db, st, err);
    }
    db_put(r->db, db);
    return result;
}

int rows_upload_exists(struct registry *r, const char *id, const char *repository, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st =
        db_prepare(db, "SELECT 1 FROM upload WHERE uuid=?1 AND (?2 IS NULL OR repository=?2)", err);
    if (st) {
        db_text(st, 1, id);
        db_text(st, 2, repository);
    }
    int found = rows_any(db, st, err);
    db_put(r->db, db);
    return found;
}

static int upload_delete(struct db *db, const char *id, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, "DELETE FROM upload WHERE uuid=?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, id);
    return db_run(db, st, err);
}

int rows_upload_delete(struct registry *r, const char *id, struct err *err)
{
    struct db *db = db_get(r->db);
    int result = upload_delete(db, id, err);
    db_put(r->db, db);
    return result;
}

int rows_blob_add(struct registry *r, const char *repository, const char *digest, uint64_t size,
                  const char *upload_id, struct err *err)
{
    int64_t id;
    int is_new = -1;
    struct db *db = db_get(r->db);
    if (db_begin(db, err) == 0 && rows_repository_make(db, repository, &id, err) == 0) {
        is_new = rows_blob_insert(db, id, digest, size, err);
        if (is_new >= 0 && (upload_delete(db, upload_id, err) < 0 || db_commit(db, err) < 0)) {
            is_new = -1;
        }
    }
    db_put(r->db, db);
    return is_new;
}

/* 1: the repository (NULL: any) has the blob. */
static int blob_in(struct db *db, const char *repository, const char *digest, struct err *err)
{
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT 1 FROM repository_blob b JOIN repository r ON r.id=b.repository"
                   " WHERE b.digest=?1 AND (?2 IS NULL OR r.name=?2)",
                   err);
    if (st) {
        db_text(st, 1, digest);
        db_text(st, 2, repository);
    }
    return rows_any(db, st, err);
}

int rows_blob_find(struct registry *r, const char *repository, const char *digest, struct err *err)
{
    struct db *db = db_get(r->db);
    int found = blob_in(db, repository, digest, err);
    db_put(r->db, db);
    return found;
}

int rows_blob_touch(struct registry *r, const char *digest, struct err *err)
{
    int64_t now = time(NULL);
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(db, "SELECT 1 FROM blob WHERE digest=? AND created<?", err);
    if (st) {
        db_text(st, 1, digest);
        db_i64(st, 2, now - TOUCH_SECONDS);
    }
    int result = rows_any(db, st, err);
    if (result == 1) {
        st = db_prepare(db, "UPDATE blob SET created=? WHERE digest=?", err);
        result = -1;
        if (st) {
            db_i64(st, 1, now);
            db_text(st, 2, digest);
            result = db_run(db, st, err);
        }
    }
    db_put(r->db, db);
    return result;
}

int rows_blob_mount(struct registry *r, const char *from, const char *repository,
                    const char *digest, struct err *err)
{
    int64_t id;
    struct db *db = db_get(r->db);
    int found = db_begin(db, err) < 0 ? -1 : blob_in(db, from, digest, err);
    if (found == 1) {
        /* The size is only used for a blob that is not there yet. */
        if (rows_repository_make(db, repository, &id, err) < 0 ||
            rows_blob_insert(db, id, digest, 0, err) < 0 || db_commit(db, err) < 0) {
            found = -1;
        }
    }
    db_put(r->db, db);
    return found;
}

int rows_blob_unlink(struct registry *r, const char *repository, const char *digest,
                     struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(db,
                                  "DELETE FROM repository_blob WHERE digest=? AND repository="
                                  "(SELECT id FROM repository WHERE name=?)",
                                  err);
    int result = -1;
    if (st) {
        db_text(st, 1, digest);
        db_text(st, 2, repository);
        result = db_run(db, st, err) < 0 ? -1 : db_changes(db) > 0;
    }
    db_put(r->db, db);
    return result;
}

/* Steps through one text column. */
static int each_name(struct db *db, sqlite3_stmt *st, rows_name_fn *fn, void *ctx, struct err *err)
{
    int r;
    while ((r = db_step(db, st, err)) == 1) {
        if (fn(ctx, db_column(st, 0), err) < 0) {
            sqlite3_reset(st);
            return -1;
        }
    }
    return r;
}

int rows_each_upload(struct registry *r, rows_name_fn *fn, void *ctx, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(db, "SELECT uuid FROM upload", err);
    int result = st ? each_name(db, st, fn, ctx, err) : -1;
    db_put(r->db, db);
    return result;
}

int rows_each_repository(struct registry *r, const char *last, int64_t limit, rows_name_fn *fn,
                         void *ctx, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st = db_prepare(
        db, "SELECT name FROM repository WHERE ?1 IS NULL OR name>?1 ORDER BY name LIMIT ?2", err);
    int result = -1;
    if (st) {
        db_text(st, 1, last);
        db_i64(st, 2, limit);
        result = each_name(db, st, fn, ctx, err);
    }
    db_put(r->db, db);
    return result;
}

int rows_each_tag(struct registry *r, const char *repository, const char *last, int64_t limit,
                  rows_name_fn *fn, void *ctx, struct err *err)
{
    struct db *db = db_get(r->db);
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT t.name FROM tag t JOIN repository r ON r.id=t.repository"
                   " WHERE r.name=?1 AND t.name>coalesce(?2, '') ORDER BY t.name LIMIT ?3",
                   err);
    int result = -1;
    if (st) {
        db_text(st, 1, repository);
        db_text(st, 2, last);
        db_i64(st, 3, limit);
        result = each_name(db, st, fn, ctx, err);
    }
    db_put(r->db, db);
    return result;
}
