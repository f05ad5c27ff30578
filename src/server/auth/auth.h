/* Accounts, passwords, tokens, browser sessions, lock-out, audit.
 *
 * Passwords are kept as scrypt (N=2^15, r=8, p=1, 16-byte salt); tokens are 256 random bits, shown
 * once, kept as SHA-256; comparisons take constant time. A password that was just verified is
 * remembered in memory (keyed hash, 5 minutes), so that a registry client's hundred Basic requests
 * do not cost a hundred scrypts. Ten wrong passwords of one account from one address within ten
 * minutes lock that pair for ten minutes (429 with Retry-After); unknown names cost the same time.
 * Secrets never reach logs, pages, reports or argv. */
#ifndef EVERETT_SERVER_AUTH_AUTH_H
#define EVERETT_SERVER_AUTH_AUTH_H

#include "base/buf.h"
#include "server/http/http.h"

struct auth;
struct db_pool;

struct auth *auth_create(struct db_pool *db, struct err *err) must_check;
void auth_destroy(struct auth *a);

/* AUTH_FAILED: the server could not tell (the database; it is logged). */
enum auth_result { AUTH_OK, AUTH_NONE, AUTH_WRONG, AUTH_FORBIDDEN, AUTH_LOCKED, AUTH_FAILED };
/* Fills rq->who from Authorization (Basic with a password or a token, Bearer with a token) or the
 * session cookie, which counts for pages, and for reads of the API. AUTH_NONE: no credentials were
 * given, or a session that ended. On AUTH_LOCKED *retry_s says for how long. `scope` is what the
 * route asks for; SCOPE_ADMIN includes all. A token has scopes of its own; an account's are what
 * its password may do. */
enum auth_result auth_check(struct auth *a, struct http_request *rq, unsigned scope,
                            unsigned *retry_s);

/* For the command line: a server may run meanwhile. Names: [a-z0-9][a-z0-9._-]{0,63}. Passwords: at
 * least 10 characters. ERR_USAGE with the reason. */
int auth_account_create(struct db_pool *db, const char *name, const char *password, unsigned scopes,
                        struct err *err) must_check;
int auth_account_password(struct db_pool *db, const char *name, const char *password,
                          struct err *err) must_check;
/* Its password, tokens and sessions are refused from now on. A new password enables it again. */
int auth_account_disable(struct db_pool *db, const char *name, struct err *err) must_check;
struct auth_account_row {
    int64_t created;
    const char *name;
    unsigned scopes;
    bool has_password, is_disabled;
};
typedef int auth_account_fn(void *ctx, const struct auth_account_row *row);
/* By name. Non-zero from `fn` stops and is returned. */
int auth_each_account(struct db_pool *db, auth_account_fn *fn, void *ctx,
                      struct err *err) must_check;
/* Makes the account (without a password) when it is missing. Appends the token's text ("evt_" and
 * 43 characters) to `out`: the only time it is seen. expires_unix 0: never. */
int auth_token_create(struct db_pool *db, const char *account, const char *label, unsigned scopes,
                      int64_t expires_unix, struct buf *out, struct err *err) must_check;
int auth_token_revoke(struct db_pool *db, int64_t id, struct err *err) must_check;
struct auth_token_row {
    int64_t id, created, expires, last_used;
    const char *account, *label;
    unsigned scopes;
    bool revoked;
};
typedef int auth_token_fn(void *ctx, const struct auth_token_row *row);
int auth_each_token(struct db_pool *db, auth_token_fn *fn, void *ctx, struct err *err) must_check;
/* "push,launch,read,admin" both ways. */
int auth_scopes_parse(const char *text, unsigned *out, struct err *err) must_check;
void auth_scopes_text(unsigned scopes, struct buf *b);

/* Browser sessions of two weeks. The password is checked as above; `cookie` gets the value for
 * Set-Cookie. After a logout AUTH_COOKIE_GONE is the value to set. */
#define AUTH_COOKIE_NAME "everett_session"
#define AUTH_COOKIE_GONE AUTH_COOKIE_NAME "=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
enum auth_result auth_login(struct auth *a, struct http_request *rq, const char *name,
                            const char *password, struct buf *cookie, unsigned *retry_s);
void auth_logout(struct auth *a, struct http_request *rq);

/* What somebody did: action "token.create", target "ci". `who` NULL: somebody at the command line
 * of this machine. Never fails the caller; a failure is logged. */
void auth_audit(struct db_pool *db, const struct principal *who, const char *peer,
                const char *action, const char *target, const char *detail);

#endif
