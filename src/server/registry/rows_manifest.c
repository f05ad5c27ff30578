/* Rows of manifests, their references and tags. */
#include "server/registry/rows_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/registry/manifest.h"

void manifest_row_fini(struct manifest_row *row)
{
    free(row->media_type);
    *row = (struct manifest_row){0};
}

static int manifest_find(struct db *db, const char *repository, const char *reference,
                         struct manifest_row *row, struct err *err)
{
    sqlite3_stmt *st =
        name_is_digest(reference)
            ? db_prepare(db,
                         "SELECT m.digest, m.media_type, m.size FROM manifest m"
                         " JOIN repository r ON r.id=m.repository WHERE r.name=? AND m.digest=?",
                         err)
            : db_prepare(db,
                         "SELECT m.digest, m.media_type, m.size FROM tag t"
                         " JOIN repository r ON r.id=t.repository"
                         " JOIN manifest m ON m.repository=t.repository AND m.digest=t.digest"
                         " WHERE r.name=? AND t.name=?",
                         err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, repository);
    db_text(st, 2, reference);
    int found = db_step(db, st, err);
    if (found == 1) {
        snprintf(row->digest, sizeof row->digest, "%s", db_column(st, 0));
        row->media_type = db_column_dup(st, 1);
        row->size = (uint64_t)db_column_i64(st, 2);
        sqlite3_reset(st);
    }
    return found;
}

int rows_manifest_find(struct registry *r, const char *repository, const char *reference,
                       struct manifest_row *row, struct err *err)
{
    *row = (struct manifest_row){0};
    struct db *db = db_get(r->db);
    int found = manifest_find(db, repository, reference, row, err);
    db_put(r->db, db);
    return found;
}

/* 1: the repository has what a manifest refers to. */
static int has_ref(struct db *db, int64_t repository, const struct manifest_ref *ref,
                   struct err *err)
{
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT 1 FROM repository_blob WHERE repository=?1 AND digest=?2"
                   " UNION ALL"
                   " SELECT 1 FROM manifest WHERE ?3 AND repository=?1 AND digest=?2",
                   err);
    if (st) {
        db_i64(st, 1, repository);
        db_text(st, 2, ref->digest);
        db_i64(st, 3, ref->of_index);
    }
    return rows_any(db, st, err);
}

int rows_manifest_missing(struct registry *r, const char *repository, const struct manifest *m,
                          struct buf *list, struct err *err)
{
    int64_t id = 0; /* of no repository: then all is missing */
    int missing = 0;
    struct db *db = db_get(r->db);
    int found = rows_repository_id(db, repository, &id, err);
    buf_putc(list, '[');
    for (size_t i = 0; found >= 0 && i < m->ref_count; i++) {
        found = has_ref(db, id, &m->refs[i], err);
        if (found == 0) {
            buf_printf(list, "%s{\"digest\":\"%s\"}", missing ? "," : "", m->refs[i].digest);
            missing++;
        }
    }
    buf_putc(list, ']');
    db_put(r->db, db);
    return found < 0 ? -1 : missing;
}

static int insert_manifest(struct db *db, int64_t repository, const struct manifest_put *put,
                           struct err *err)
{
    const struct manifest *m = put->manifest;
    sqlite3_stmt *st =
        db_prepare(db, "INSERT OR REPLACE INTO manifest VALUES (?, ?, ?, ?, ?, ?, ?, ?)", err);
    if (!st) {
        return -1;
    }
    db_i64(st, 1, repository);
    db_text(st, 2, put->digest);
    db_text(st, 3, m->media_type);
    db_i64(st, 4, (int64_t)put->size);
    db_text(st, 5, *m->subject ? m->subject : NULL);
    db_text(st, 6, m->artifact_type);
    db_text(st, 7, m->annotations);
    db_i64(st, 8, time(NULL));
    if (db_run(db, st, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < m->ref_count; i++) {
        st = db_prepare(db, "INSERT OR IGNORE INTO manifest_blob VALUES (?, ?, ?)", err);
        if (!st) {
            return -1;
        }
        db_i64(st, 1, repository);
        db_text(st, 2, put->digest);
        db_text(st, 3, m->refs[i].digest);
        if (db_run(db, st, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int set_tag(struct db *db, int64_t repository, const char *tag, const char *digest,
                   struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, "INSERT OR REPLACE INTO tag VALUES (?, ?, ?, ?)", err);
    if (!st) {
        return -1;
    }
    db_i64(st, 1, repository);
    db_text(st, 2, tag);
    db_text(st, 3, digest);
    db_i64(st, 4, time(NULL));
    return db_run(db, st, err);
}

static int put_all(struct db *db, const struct manifest_put *put, struct err *err)
{
    int64_t id;
    if (rows_repository_make(db, put->repository, &id, err) < 0) {
        return -1;
    }
    int is_new = rows_blob_insert(db, 0, put->digest, put->size, err);
    if (is_new < 0 || insert_manifest(db, id, put, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < put->tag_count; i++) {
        if (set_tag(db, id, put->tags[i], put->digest, err) < 0) {
            return -1;
        }
    }
    return db_commit(db, err) < 0 ? -1 : is_new;
}

int rows_manifest_put(struct registry *r, const struct manifest_put *put, struct err *err)
{
    struct db *db = db_get(r->db);
    int is_new = db_begin(db, err) < 0 ? -1 : put_all(db, put, err);
    db_put(r->db, db);
    return is_new;
}

/* Runs a deletion with the repository's id and a name; 1 when it removed rows. */
static int delete_by(struct db *db, sqlite3_stmt *st, int64_t repository, const char *name,
                     struct err *err)
{
    if (!st) {
        return -1;
    }
    db_i64(st, 1, repository);
    db_text(st, 2, name);
    return db_run(db, st, err) < 0 ? -1 : db_changes(db) > 0;
}

static int delete_manifest(struct db *db, int64_t id, const char *digest, struct err *err)
{
    if (delete_by(db, db_prepare(db, "DELETE FROM tag WHERE repository=? AND digest=?", err), id,
                  digest, err) < 0 ||
        delete_by(
            db, db_prepare(db, "DELETE FROM manifest_blob WHERE repository=? AND manifest=?", err),
            id, digest, err) < 0) {
        return -1;
    }
    return delete_by(db,
                     db_prepare(db, "DELETE FROM manifest WHERE repository=? AND digest=?", err),
                     id, digest, err);
}

int rows_manifest_delete(struct registry *r, const char *repository, const char *digest,
                         struct err *err)
{
    int64_t id;
    struct db *db = db_get(r->db);
    int found = db_begin(db, err) < 0 ? -1 : rows_repository_id(db, repository, &id, err);
    found = found == 1 ? delete_manifest(db, id, digest, err) : found;
    if (found >= 0 && db_commit(db, err) < 0) {
        found = -1;
    }
    db_put(r->db, db);
    return found;
}

int rows_tag_delete(struct registry *r, const char *repository, const char *tag, struct err *err)
{
    int64_t id;
    struct db *db = db_get(r->db);
    int found = rows_repository_id(db, repository, &id, err);
    if (found == 1) {
        found = delete_by(db, db_prepare(db, "DELETE FROM tag WHERE repository=? AND name=?", err),
                          id, tag, err);
    }
    db_put(r->db, db);
    return found;
}

static int each_image(struct db *db, sqlite3_stmt *st, rows_image_fn *fn, void *ctx,
                      struct err *err)
{
    int r;
    while ((r = db_step(db, st, err)) == 1) {
        if (fn(ctx, db_column(st, 0), db_column(st, 1), err) < 0) {
            sqlite3_reset(st);
            return -1;
        }
    }
    return r;
}

int rows_each_named(struct registry *r, const char *last_part, const char *reference,
                    rows_image_fn *fn, void *ctx, struct err *err)
{
    int result = -1;
    struct db *db = db_get(r->db);
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT r.name, m.digest FROM repository r JOIN manifest m ON m.repository=r.id"
                   " WHERE (r.name=?1 OR substr(r.name, -length(?1)-1)='/'||?1)"
                   " AND (m.digest=?2 OR m.digest=(SELECT t.digest FROM tag t"
                   " WHERE t.repository=r.id AND t.name=?2)) ORDER BY r.name",
                   err);
    if (st) {
        db_text(st, 1, last_part);
        db_text(st, 2, reference);
        result = each_image(db, st, fn, ctx, err);
    }
    db_put(r->db, db);
    return result;
}

static int each_referrer(struct db *db, sqlite3_stmt *st, rows_referrer_fn *fn, void *ctx,
                         struct err *err)
{
    int r;
    while ((r = db_step(db, st, err)) == 1) {
        struct referrer_row row = {.digest = db_column(st, 0),
                                   .media_type = db_column(st, 1),
                                   .artifact_type = db_column(st, 2),
                                   .annotations = db_column(st, 3),
                                   .size = (uint64_t)db_column_i64(st, 4)};
        if (fn(ctx, &row, err) < 0) {
            sqlite3_reset(st);
            return -1;
        }
    }
    return r;
}

int rows_each_referrer(struct registry *r, const struct referrer_query *q, rows_referrer_fn *fn,
                       void *ctx, struct err *err)
{
    int result = -1;
    struct db *db = db_get(r->db);
    sqlite3_stmt *st =
        db_prepare(db,
                   "SELECT m.digest, m.media_type, m.artifact_type, m.annotations, m.size"
                   " FROM manifest m JOIN repository r ON r.id=m.repository"
                   " WHERE r.name=?1 AND m.subject=?2 AND (?3 IS NULL OR m.artifact_type=?3)"
                   " AND m.digest>coalesce(?4, '') ORDER BY m.digest LIMIT ?5",
                   err);
    if (st) {
        db_text(st, 1, q->repository);
        db_text(st, 2, q->subject);
        db_text(st, 3, q->artifact_type);
        db_text(st, 4, q->last);
        db_i64(st, 5, q->limit);
        result = each_referrer(db, st, fn, ctx, err);
    }
    db_put(r->db, db);
    return result;
}
