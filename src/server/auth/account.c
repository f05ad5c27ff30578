/* Accounts and tokens, as the command line manages them. */
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "server/auth/auth_priv.h"
#include "server/db/db.h"

#define PASSWORD_MIN 10u

static const struct {
    const char *name;
    unsigned bit;
} scope_names[] = {
    {"push", SCOPE_PUSH}, {"launch", SCOPE_LAUNCH}, {"read", SCOPE_READ}, {"admin", SCOPE_ADMIN}};

static bool add_scope(const char *word, size_t len, unsigned *out)
{
    for (size_t i = 0; i < ARRAY_LEN(scope_names); i++) {
        if (strlen(scope_names[i].name) == len && strncmp(scope_names[i].name, word, len) == 0) {
            *out |= scope_names[i].bit;
            return true;
        }
    }
    return false;
}

int auth_scopes_parse(const char *text, unsigned *out, struct err *err)
{
    unsigned scopes = 0;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        if (!add_scope(p, len, &scopes)) {
            err_set(err, ERR_USAGE, "there is no scope `%.*s`", (int)len, p);
            return err_hint(err, "scopes are push, launch, read and admin, separated by commas");
        }
        p += len;
        if (!*p) {
            *out = scopes;
            return 0;
        }
    }
}

void auth_scopes_text(unsigned scopes, struct buf *b)
{
    const char *comma = "";
    for (size_t i = 0; i < ARRAY_LEN(scope_names); i++) {
        if (scopes & scope_names[i].bit) {
            buf_printf(b, "%s%s", comma, scope_names[i].name);
            comma = ",";
        }
    }
}

bool auth_is_name(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= AUTH_NAME_MAX && strchr(first, name[0]) && strspn(name, rest) == len;
}

static int check_name(const char *name, struct err *err)
{
    if (auth_is_name(name)) {
        return 0;
    }
    err_set(err, ERR_USAGE, "`%s` is no name for an account", name);
    return err_hint(err, "up to 64 of a-z, 0-9, `.`, `_` and `-`, starting with a letter or digit");
}

static int check_password(const char *password, struct err *err)
{
    size_t len = strlen(password);
    return len < PASSWORD_MIN
               ? err_set(err, ERR_USAGE, "the password is shorter than %u characters", PASSWORD_MIN)
           : len > AUTH_PASSWORD_MAX
               ? err_set(err, ERR_USAGE, "the password is longer than %u characters",
                         AUTH_PASSWORD_MAX)
               : 0;
}

static int no_account(const char *name, struct err *err)
{
    err_set(err, ERR_USAGE, "there is no account `%s`", name);
    return err_hint(err, "everett account ls shows all");
}

/* Salt and hash of a password, or nothing. */
struct hashed {
    uint8_t salt[AUTH_SALT_LEN], hash[AUTH_HASH_LEN];
    bool is_set;
};

static int hash_password(const char *password, struct hashed *out, struct err *err)
{
    out->is_set = password != NULL;
    if (!password) {
        return 0;
    }
    secret_random(out->salt, sizeof out->salt);
    return check_password(password, err) ? -1 : secret_scrypt(password, out->salt, out->hash, err);
}

static void bind_password(sqlite3_stmt *st, int i, const struct hashed *h)
{
    if (h->is_set) {
        db_blob(st, i, h->salt, sizeof h->salt);
        db_blob(st, i + 1, h->hash, sizeof h->hash);
    } else {
        db_text(st, i, NULL);
        db_text(st, i + 1, NULL);
    }
}

int auth_account_create(struct db_pool *pool, const char *name, const char *password,
                        unsigned scopes, struct err *err)
{
    struct hashed h;
    if (check_name(name, err) || hash_password(password, &h, err)) {
        return -1;
    }
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(
        db, "INSERT INTO account (name, salt, hash, scopes, created) VALUES (?, ?, ?, ?, ?)", err);
    int r = -1;
    if (st) {
        db_text(st, 1, name);
        bind_password(st, 2, &h);
        db_i64(st, 4, scopes);
        db_i64(st, 5, time(NULL));
        r = db_run(db, st, err);
        if (r && db_is_duplicate(db)) {
            err_set(err, ERR_USAGE, "there is an account `%s` already", name);
            err_hint(err, "everett account password changes its password");
        }
    }
    db_put(pool, db);
    if (r == 0) {
        auth_audit(pool, NULL, NULL, "account.create", name, NULL);
    }
    return r;
}

int auth_account_password(struct db_pool *pool, const char *name, const char *password,
                          struct err *err)
{
    struct hashed h;
    if (hash_password(password, &h, err)) {
        return -1;
    }
    struct db *db = db_get(pool);
    sqlite3_stmt *st =
        db_prepare(db, "UPDATE account SET salt = ?, hash = ?, disabled = 0 WHERE name = ?", err);
    int r = -1;
    if (st) {
        bind_password(st, 1, &h);
        db_text(st, 3, name);
        r = db_run(db, st, err);
        r = r == 0 && db_changes(db) == 0 ? no_account(name, err) : r;
    }
    /* Whoever knew the old one may sit in a browser. */
    st = r == 0 ? db_prepare(db,
                             "DELETE FROM session WHERE account IN"
                             " (SELECT id FROM account WHERE name = ?)",
                             err)
                : NULL;
    if (st) {
        db_text(st, 1, name);
        r = db_run(db, st, err);
    }
    db_put(pool, db);
    if (r == 0) {
        auth_audit(pool, NULL, NULL, "account.password", name, NULL);
    }
    return st ? r : -1;
}

int auth_account_disable(struct db_pool *pool, const char *name, struct err *err)
{
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db, "UPDATE account SET disabled = 1 WHERE name = ?", err);
    int r = -1;
    if (st) {
        db_text(st, 1, name);
        r = db_run(db, st, err);
        r = r == 0 && db_changes(db) == 0 ? no_account(name, err) : r;
    }
    db_put(pool, db);
    if (r == 0) {
        auth_audit(pool, NULL, NULL, "account.disable", name, NULL);
    }
    return r;
}

int auth_each_account(struct db_pool *pool, auth_account_fn *fn, void *ctx, struct err *err)
{
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(
        db, "SELECT created, name, scopes, hash IS NOT NULL, disabled FROM account ORDER BY name",
        err);
    int r = -1, stop = 0;
    while (st && stop == 0 && (r = db_step(db, st, err)) == 1) {
        struct auth_account_row row = {.created = db_column_i64(st, 0),
                                       .name = db_column(st, 1),
                                       .scopes = (unsigned)db_column_i64(st, 2),
                                       .has_password = db_column_i64(st, 3) != 0,
                                       .is_disabled = db_column_i64(st, 4) != 0};
        stop = fn(ctx, &row);
    }
    db_put(pool, db);
    return stop ? stop : r;
}
