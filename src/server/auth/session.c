/* Browser sessions: a random cookie, kept as SHA-256; log in, log out, audit. */
#include <string.h>
#include <time.h>

#include "server/auth/auth_priv.h"
#include "server/db/db.h"
#include "server/log.h"
#include "server/server.h"

#define SESSION_S (14 * 86400)

static int look_up(struct db *db, const uint8_t hash[AUTH_HASH_LEN], struct principal *who,
                   struct err *err)
{
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT s.account, s.csrf, a.name, a.scopes FROM session s"
                                  " JOIN account a ON a.id = s.account"
                                  " WHERE s.hash = ? AND s.expires > ? AND a.disabled = 0",
                                  err);
    if (!st) {
        return -1;
    }
    db_blob(st, 1, hash, AUTH_HASH_LEN);
    db_i64(st, 2, time(NULL));
    int r = db_step(db, st, err);
    if (r == 1) {
        who->account = db_column_i64(st, 0);
        strncpy(who->csrf, db_column(st, 1), sizeof who->csrf - 1);
        strncpy(who->name, db_column(st, 2), sizeof who->name - 1);
        who->scopes = (unsigned)db_column_i64(st, 3);
        who->by_session = true;
    }
    return r;
}

enum auth_result auth_session(struct auth *a, const char *text, struct principal *who)
{
    cleanup_err struct err err = {0};
    uint8_t hash[AUTH_HASH_LEN];
    secret_sha256(text, hash);
    struct db *db = db_get(a->db);
    int r = look_up(db, hash, who, &err);
    db_put(a->db, db);
    if (r < 0) {
        log_err("auth", &err);
    }
    return r == 1 ? AUTH_OK : r == 0 ? AUTH_NONE : AUTH_FAILED;
}

static int store(struct auth *a, int64_t account, const char *text, struct err *err)
{
    uint8_t hash[AUTH_HASH_LEN];
    struct buf csrf = {0};
    int64_t now = time(NULL);
    secret_sha256(text, hash);
    secret_text(&csrf);
    struct db *db = db_get(a->db);
    sqlite3_stmt *st = db_prepare(db, "DELETE FROM session WHERE expires <= ?", err);
    int r = -1;
    if (st) {
        db_i64(st, 1, now);
        r = db_run(db, st, err);
    }
    st = r == 0 ? db_prepare(db,
                             "INSERT INTO session (hash, account, csrf, created, expires)"
                             " VALUES (?, ?, ?, ?, ?)",
                             err)
                : NULL;
    if (st) {
        db_blob(st, 1, hash, sizeof hash);
        db_i64(st, 2, account);
        db_text(st, 3, csrf.data);
        db_i64(st, 4, now);
        db_i64(st, 5, now + SESSION_S);
        r = db_run(db, st, err);
    }
    db_put(a->db, db);
    buf_free(&csrf);
    return st ? r : -1;
}

enum auth_result auth_login(struct auth *a, struct http_request *rq, const char *name,
                            const char *password, struct buf *cookie, unsigned *retry_s)
{
    cleanup_err struct err err = {0};
    struct principal who = {0};
    char peer[64];
    http_peer(rq, peer, sizeof peer);
    enum auth_result result = auth_password(a, name, password, peer, &who, retry_s);
    if (result != AUTH_OK) {
        return result;
    }
    struct buf text = {0};
    secret_text(&text);
    if (store(a, who.account, text.data, &err)) {
        log_err("login", &err);
        result = AUTH_FAILED;
    } else {
        bool is_https = strncmp(rq->server->public_url, "https:", 6) == 0;
        buf_printf(cookie, "%s=%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%d%s", AUTH_COOKIE_NAME,
                   text.data, SESSION_S, is_https ? "; Secure" : "");
        auth_audit(a->db, &who, peer, "login", name, NULL);
    }
    explicit_bzero(text.data, text.len);
    buf_free(&text);
    return result;
}

void auth_logout(struct auth *a, struct http_request *rq)
{
    cleanup_err struct err err = {0};
    const char *text = http_cookie(rq, AUTH_COOKIE_NAME);
    uint8_t hash[AUTH_HASH_LEN];
    if (!text) {
        return;
    }
    secret_sha256(text, hash);
    struct db *db = db_get(a->db);
    sqlite3_stmt *st = db_prepare(db, "DELETE FROM session WHERE hash = ?", &err);
    int r = -1;
    if (st) {
        db_blob(st, 1, hash, sizeof hash);
        r = db_run(db, st, &err);
    }
    db_put(a->db, db);
    if (r) {
        log_err("logout", &err);
    }
}

void auth_audit(struct db_pool *pool, const struct principal *who, const char *peer,
                const char *action, const char *target, const char *detail)
{
    cleanup_err struct err err = {0};
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db,
                                  "INSERT INTO audit (at, account, peer, action, target, detail)"
                                  " VALUES (?, ?, ?, ?, ?, ?)",
                                  &err);
    int r = -1;
    if (st) {
        db_i64(st, 1, time(NULL));
        db_text(st, 2, who ? who->name : NULL);
        db_text(st, 3, peer);
        db_text(st, 4, action);
        db_text(st, 5, target);
        db_text(st, 6, detail);
        r = db_run(db, st, &err);
    }
    db_put(pool, db);
    if (r) {
        log_err("audit", &err);
    }
}
