/* Who sends a request: the credentials it carries, checked. */
#include "server/auth/auth.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"
#include "server/auth/auth_priv.h"
#include "server/db/db.h"
#include "server/log.h"

/* Threads inside scrypt at once: bounds memory, and leaves cores to everything else. */
#define HASHING_MAX 2u
#define BASIC_MAX   2048u

uint64_t auth_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

struct auth *auth_create(struct db_pool *db, struct err *err)
{
    struct auth *a = mem_zalloc(sizeof *a);
    (void)err;
    a->db = db;
    secret_random(a->key, sizeof a->key);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->hashed, NULL);
    return a;
}

void auth_destroy(struct auth *a)
{
    if (!a) {
        return;
    }
    pthread_cond_destroy(&a->hashed);
    pthread_mutex_destroy(&a->lock);
    explicit_bzero(a, sizeof *a);
    free(a);
}

struct stored {
    bool exists, has_password;
    uint8_t salt[AUTH_SALT_LEN], hash[AUTH_HASH_LEN];
};

static int read_stored(struct db *db, const char *name, struct stored *out, struct principal *who,
                       struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db, "SELECT id, name, scopes, salt, hash FROM account WHERE name = ? AND disabled = 0",
        err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, name);
    int r = db_step(db, st, err);
    if (r != 1) {
        return r;
    }
    size_t salt_len, hash_len;
    const void *salt = db_column_blob(st, 3, &salt_len), *hash = db_column_blob(st, 4, &hash_len);
    out->exists = true;
    out->has_password = salt_len == AUTH_SALT_LEN && hash_len == AUTH_HASH_LEN;
    if (out->has_password) {
        memcpy(out->salt, salt, AUTH_SALT_LEN);
        memcpy(out->hash, hash, AUTH_HASH_LEN);
    }
    who->account = db_column_i64(st, 0);
    who->scopes = (unsigned)db_column_i64(st, 2);
    strncpy(who->name, db_column(st, 1), sizeof who->name - 1);
    return 1;
}

static void verified_mac(const struct auth *a, const char *name, const char *password,
                         const uint8_t hash[AUTH_HASH_LEN], uint8_t out[AUTH_HASH_LEN])
{
    struct buf text = {0};
    unsigned len = AUTH_HASH_LEN;
    buf_append(&text, name, strlen(name) + 1);
    buf_append(&text, password, strlen(password) + 1);
    buf_append(&text, hash, AUTH_HASH_LEN);
    HMAC(EVP_sha256(), a->key, sizeof a->key, (const unsigned char *)text.data, text.len, out,
         &len);
    explicit_bzero(text.data, text.len);
    buf_free(&text);
}

/* scrypt, for a few threads at a time. */
static int hash_slowly(struct auth *a, const char *password, const struct stored *s,
                       uint8_t out[AUTH_HASH_LEN], struct err *err)
{
    pthread_mutex_lock(&a->lock);
    while (a->hashing >= HASHING_MAX) {
        pthread_cond_wait(&a->hashed, &a->lock);
    }
    a->hashing++;
    pthread_mutex_unlock(&a->lock);
    int r = secret_scrypt(password, s->salt, out, err);
    pthread_mutex_lock(&a->lock);
    a->hashing--;
    pthread_cond_signal(&a->hashed);
    pthread_mutex_unlock(&a->lock);
    return r;
}

/* 1 right, 0 wrong, -1 error. An account that is missing costs the same time. */
static int verify(struct auth *a, const char *name, const char *password, const struct stored *s,
                  struct err *err)
{
    uint8_t mac[AUTH_HASH_LEN], hash[AUTH_HASH_LEN];
    verified_mac(a, name, password, s->hash, mac);
    struct verified *slot = &a->verified[mac[0] % VERIFIED_SLOTS];
    uint64_t now = auth_now_s();
    pthread_mutex_lock(&a->lock);
    bool is_known = slot->until_s > now && secret_is_equal(slot->mac, mac, sizeof mac);
    pthread_mutex_unlock(&a->lock);
    if (is_known) {
        return 1;
    }
    if (hash_slowly(a, password, s, hash, err)) {
        return -1;
    }
    bool is_right = secret_is_equal(hash, s->hash, sizeof hash) & s->has_password;
    explicit_bzero(hash, sizeof hash);
    if (is_right) {
        pthread_mutex_lock(&a->lock);
        memcpy(slot->mac, mac, sizeof mac);
        slot->until_s = now + VERIFIED_S;
        pthread_mutex_unlock(&a->lock);
    }
    return is_right;
}

static enum auth_result note_result(struct auth *a, const char *name, const char *peer, int right)
{
    pthread_mutex_lock(&a->lock);
    bool is_locked_now = false;
    if (right) {
        lockout_right(&a->lockout, name, peer);
    } else {
        is_locked_now = lockout_wrong(&a->lockout, name, peer, auth_now_s());
    }
    pthread_mutex_unlock(&a->lock);
    if (is_locked_now) {
        struct principal nobody = {0};
        auth_audit(a->db, &nobody, peer, "auth.locked", name, NULL);
        log_message(LOG_LEVEL_WARNING, "auth_locked",
                    "%u wrong passwords of account \"%s\" from %s: locked for %u s", LOCKOUT_WRONG,
                    name, peer, LOCKOUT_WINDOW_S);
    }
    return right ? AUTH_OK : AUTH_WRONG;
}

enum auth_result auth_password(struct auth *a, const char *name, const char *password,
                               const char *peer, struct principal *who, unsigned *retry_s)
{
    cleanup_err struct err err = {0};
    struct stored stored = {0};
    struct principal found = {0};
    if (!auth_is_name(name) || strlen(password) > AUTH_PASSWORD_MAX) {
        return AUTH_WRONG; /* no account can be meant */
    }
    pthread_mutex_lock(&a->lock);
    *retry_s = lockout_check(&a->lockout, name, peer, auth_now_s());
    pthread_mutex_unlock(&a->lock);
    if (*retry_s) {
        return AUTH_LOCKED;
    }
    struct db *db = db_get(a->db);
    int r = read_stored(db, name, &stored, &found, &err);
    db_put(a->db, db);
    r = r < 0 ? r : verify(a, name, password, &stored, &err);
    explicit_bzero(&stored, sizeof stored);
    if (r < 0) {
        log_err("auth", &err);
        return AUTH_FAILED;
    }
    if (r) {
        *who = found;
    }
    return note_result(a, name, peer, r);
}

/* RFC 7617: base64 of "name:password". */
static enum auth_result check_basic(struct auth *a, struct http_request *rq, const char *text,
                                    unsigned *retry_s)
{
    unsigned char plain[BASIC_MAX + 4];
    char peer[64];
    size_t len = strlen(text);
    if (len == 0 || len > BASIC_MAX || len % 4) {
        return AUTH_WRONG;
    }
    int n = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)len);
    if (n < 0) {
        return AUTH_WRONG;
    }
    n -= (text[len - 1] == '=') + (text[len - 2] == '=');
    plain[n] = 0;
    char *name = (char *)plain, *password = strchr(name, ':');
    enum auth_result result = AUTH_WRONG;
    if (password && strlen(name) == (size_t)n) {
        *password++ = 0;
        http_peer(rq, peer, sizeof peer);
        result = strncmp(password, AUTH_TOKEN_PREFIX, strlen(AUTH_TOKEN_PREFIX)) == 0
                     ? auth_token(a, password, name, &rq->who)
                     : auth_password(a, name, password, peer, &rq->who, retry_s);
    }
    explicit_bzero(plain, sizeof plain);
    return result;
}

static const char *scheme(const char *value, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(value, name, len) != 0 || value[len] != ' ') {
        return NULL;
    }
    return value + len + strspn(value + len, " ");
}

static enum auth_result check_any(struct auth *a, struct http_request *rq, unsigned *retry_s)
{
    const char *value = http_header(rq, "Authorization");
    if (value) {
        const char *basic = scheme(value, "Basic"), *bearer = scheme(value, "Bearer");
        return basic    ? check_basic(a, rq, basic, retry_s)
               : bearer ? auth_token(a, bearer, NULL, &rq->who)
                        : AUTH_WRONG;
    }
    bool takes_cookies =
        rq->family == FAMILY_PAGE || (rq->family == FAMILY_API && rq->method == HTTP_GET);
    const char *cookie = takes_cookies ? http_cookie(rq, AUTH_COOKIE_NAME) : NULL;
    return cookie ? auth_session(a, cookie, &rq->who) : AUTH_NONE;
}

enum auth_result auth_check(struct auth *a, struct http_request *rq, unsigned scope,
                            unsigned *retry_s)
{
    enum auth_result result = check_any(a, rq, retry_s);
    if (result == AUTH_OK && scope != SCOPE_PUBLIC && !(rq->who.scopes & (scope | SCOPE_ADMIN))) {
        return AUTH_FORBIDDEN;
    }
    return result;
}
