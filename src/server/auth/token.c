/* Tokens: 256 random bits, shown once, kept as SHA-256. */
#include <string.h>
#include <time.h>

#include "server/auth/auth_priv.h"
#include "server/db/db.h"
#include "server/log.h"

/* A busy token would otherwise cost a write a request. */
#define LAST_USED_STEP_S 60

static int find_account(struct db *db, const char *name, int64_t *id, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, "SELECT id FROM account WHERE name = ?", err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, name);
    int r = db_step(db, st, err);
    *id = r == 1 ? db_column_i64(st, 0) : 0;
    return r < 0 ? -1 : 0;
}

static int make_account(struct db_pool *pool, const char *name, unsigned scopes, int64_t *id,
                        struct err *err)
{
    struct db *db = db_get(pool);
    int r = find_account(db, name, id, err);
    db_put(pool, db);
    if (r || *id) {
        return r;
    }
    if (auth_account_create(pool, name, NULL, scopes, err)) {
        return -1;
    }
    db = db_get(pool);
    r = find_account(db, name, id, err);
    db_put(pool, db);
    return r;
}

int auth_token_create(struct db_pool *pool, const char *account, const char *label, unsigned scopes,
                      int64_t expires_unix, struct buf *out, struct err *err)
{
    int64_t id;
    if (make_account(pool, account, scopes, &id, err)) {
        return -1;
    }
    size_t start = out->len;
    uint8_t hash[AUTH_HASH_LEN];
    buf_puts(out, AUTH_TOKEN_PREFIX);
    secret_text(out);
    secret_sha256(out->data + start, hash);
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db,
                                  "INSERT INTO token (account, label, hash, scopes, created,"
                                  " expires) VALUES (?, ?, ?, ?, ?, ?)",
                                  err);
    int r = -1;
    if (st) {
        db_i64(st, 1, id);
        db_text(st, 2, label);
        db_blob(st, 3, hash, sizeof hash);
        db_i64(st, 4, scopes);
        db_i64(st, 5, time(NULL));
        db_i64(st, 6, expires_unix);
        r = db_run(db, st, err);
    }
    db_put(pool, db);
    if (r) {
        explicit_bzero(out->data + start, out->len - start);
        out->len = start;
        return -1;
    }
    auth_audit(pool, NULL, NULL, "token.create", account, label);
    return 0;
}

int auth_token_revoke(struct db_pool *pool, int64_t id, struct err *err)
{
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db, "UPDATE token SET revoked = 1 WHERE id = ?", err);
    int r = -1;
    if (st) {
        db_i64(st, 1, id);
        r = db_run(db, st, err);
    }
    if (r == 0 && db_changes(db) == 0) {
        r = err_set(err, ERR_USAGE, "there is no token %lld", (long long)id);
        err_hint(err, "everett token ls shows all");
    }
    db_put(pool, db);
    if (r == 0) {
        struct buf target = {0};
        buf_printf(&target, "%lld", (long long)id);
        auth_audit(pool, NULL, NULL, "token.revoke", target.data, NULL);
        buf_free(&target);
    }
    return r;
}

int auth_each_token(struct db_pool *pool, auth_token_fn *fn, void *ctx, struct err *err)
{
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(
        db,
        "SELECT t.id, t.created, t.expires, t.last_used, a.name, t.label, t.scopes, t.revoked"
        " FROM token t JOIN account a ON a.id = t.account ORDER BY t.id",
        err);
    int r = -1, stop = 0;
    while (st && stop == 0 && (r = db_step(db, st, err)) == 1) {
        struct auth_token_row row = {.id = db_column_i64(st, 0),
                                     .created = db_column_i64(st, 1),
                                     .expires = db_column_i64(st, 2),
                                     .last_used = db_column_i64(st, 3),
                                     .account = db_column(st, 4),
                                     .label = db_column(st, 5),
                                     .scopes = (unsigned)db_column_i64(st, 6),
                                     .revoked = db_column_i64(st, 7) != 0};
        stop = fn(ctx, &row);
    }
    db_put(pool, db);
    return stop ? stop : r;
}

static void note_use(struct db *db, int64_t id, int64_t now)
{
    cleanup_err struct err err = {0};
    sqlite3_stmt *st = db_prepare(db, "UPDATE token SET last_used = ? WHERE id = ?", &err);
    if (st) {
        db_i64(st, 1, now);
        db_i64(st, 2, id);
    }
    if (!st || db_run(db, st, &err)) {
        log_err("token_use", &err); /* the token is good all the same */
    }
}

/* 1 good, 0 not, -1 error. */
static int look_up(struct db *db, const uint8_t hash[AUTH_HASH_LEN], const char *name,
                   struct principal *who, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT t.id, t.account, t.scopes, t.expires, t.last_used, a.name"
                                  " FROM token t JOIN account a ON a.id = t.account"
                                  " WHERE t.hash = ? AND t.revoked = 0 AND a.disabled = 0",
                                  err);
    if (!st) {
        return -1;
    }
    db_blob(st, 1, hash, AUTH_HASH_LEN);
    int r = db_step(db, st, err);
    if (r != 1) {
        return r;
    }
    int64_t now = time(NULL), id = db_column_i64(st, 0), expires = db_column_i64(st, 3);
    int64_t last_used = db_column_i64(st, 4);
    const char *account = db_column(st, 5);
    if ((expires && expires <= now) || (name && strcmp(name, account) != 0)) {
        return 0;
    }
    who->account = db_column_i64(st, 1);
    who->scopes = (unsigned)db_column_i64(st, 2);
    strncpy(who->name, account, sizeof who->name - 1);
    sqlite3_reset(st);
    if (now - last_used >= LAST_USED_STEP_S) {
        note_use(db, id, now);
    }
    return 1;
}

enum auth_result auth_token(struct auth *a, const char *text, const char *name,
                            struct principal *who)
{
    cleanup_err struct err err = {0};
    uint8_t hash[AUTH_HASH_LEN];
    secret_sha256(text, hash);
    struct db *db = db_get(a->db);
    int r = look_up(db, hash, name, who, &err);
    db_put(a->db, db);
    if (r < 0) {
        log_err("auth", &err);
    }
    return r == 1 ? AUTH_OK : r == 0 ? AUTH_WRONG : AUTH_FAILED;
}
