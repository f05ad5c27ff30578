/* Accounts, tokens, sessions, lock-out: who is let in and who is not. Requests are made of fake
 * headers: this test supplies what http/ would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "server/auth/auth_priv.h"
#include "server/db/db.h"
#include "server/server.h"

static char dir[] = "/tmp/everett-auth-XXXXXX";
static struct db_pool *pool;
static struct auth *auth;
static const char *authorization, *cookie, *peer = "192.0.2.1";

const char *http_header(const struct http_request *rq, const char *name)
{
    (void)rq;
    return strcmp(name, "Authorization") == 0 ? authorization : NULL;
}

const char *http_cookie(const struct http_request *rq, const char *name)
{
    (void)rq;
    return strcmp(name, AUTH_COOKIE_NAME) == 0 ? cookie : NULL;
}

void http_peer(const struct http_request *rq, char *out, size_t len)
{
    (void)rq;
    snprintf(out, len, "%s", peer);
}

static struct server server = {.public_url = (char *)(uintptr_t) "https://e.example"};
static struct http_request rq;
static unsigned retry_s;

static enum auth_result check(enum http_family family, enum http_method method, unsigned scope)
{
    rq = (struct http_request){.server = &server, .family = family, .method = method};
    return auth_check(auth, &rq, scope, &retry_s);
}

static enum auth_result check_api(unsigned scope)
{
    return check(FAMILY_API, HTTP_POST, scope);
}

static void use_basic(const char *text)
{
    static char value[4096];
    unsigned char encoded[4000];
    EVP_EncodeBlock(encoded, (const unsigned char *)text, (int)strlen(text));
    snprintf(value, sizeof value, "Basic %s", encoded);
    authorization = value;
}

static void use_bearer(const char *token)
{
    static char value[256];
    snprintf(value, sizeof value, "Bearer %s", token);
    authorization = value;
}

static void create(const char *name, const char *password, unsigned scopes)
{
    struct err err = {0};
    assert_int_equal(auth_account_create(pool, name, password, scopes, &err), 0);
}

static char *new_token(const char *account, unsigned scopes, int64_t expires)
{
    struct err err = {0};
    struct buf b = {0};
    assert_int_equal(auth_token_create(pool, account, "test", scopes, expires, &b, &err), 0);
    assert_int_equal(b.len, 4 + 43);
    return buf_steal(&b);
}

static void test_scopes(void **state)
{
    struct err err = {0};
    struct buf b = {0};
    unsigned scopes;
    (void)state;
    assert_int_equal(auth_scopes_parse("read,push", &scopes, &err), 0);
    assert_int_equal(scopes, SCOPE_READ | SCOPE_PUSH);
    auth_scopes_text(scopes, &b);
    assert_string_equal(b.data, "push,read");
    buf_free(&b);
    static const char *const bad[] = {"", "read,", ",read", "reed", "read push", "READ"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(auth_scopes_parse(bad[i], &scopes, &err), -1);
        assert_non_null(strstr(err.hint, "push, launch, read and admin"));
        err_clear(&err);
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", ".a", "-a", "A", "a b", "a/b", "a:b", "\xc3\xa9"};
    char long_name[66] = {0};
    (void)state;
    memset(long_name, 'a', 65);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(auth_is_name(bad[i]));
    }
    assert_false(auth_is_name(long_name));
    assert_true(auth_is_name(long_name + 1));
    assert_true(auth_is_name("ci-2.x_y"));
    struct err err = {0};
    assert_int_equal(auth_account_create(pool, "A", "long enough", SCOPE_READ, &err), -1);
    assert_int_equal(auth_account_create(pool, "short", "123456789", SCOPE_READ, &err), -1);
    assert_non_null(strstr(err.msg, "shorter than 10"));
    err_clear(&err);
}

static void test_password(void **state)
{
    struct err err = {0};
    (void)state;
    create("alice", "correct horse", SCOPE_READ | SCOPE_LAUNCH);
    assert_int_equal(auth_account_create(pool, "alice", "correct horse", 0, &err), -1);
    assert_non_null(strstr(err.msg, "already"));
    use_basic("alice:correct horse");
    assert_int_equal(check_api(SCOPE_LAUNCH), AUTH_OK);
    assert_string_equal(rq.who.name, "alice");
    assert_false(rq.who.by_session);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_FORBIDDEN);
    assert_int_equal(check_api(SCOPE_ADMIN), AUTH_FORBIDDEN);
    assert_int_equal(check(FAMILY_REGISTRY, HTTP_GET, SCOPE_READ), AUTH_OK);
    use_basic("alice:Correct horse");
    assert_int_equal(check_api(SCOPE_READ), AUTH_WRONG);
    assert_int_equal(rq.who.account, 0);
    /* The changed password holds at once, though the old one was just verified. */
    assert_int_equal(auth_account_password(pool, "alice", "battery staple", &err), 0);
    use_basic("alice:correct horse");
    assert_int_equal(check_api(SCOPE_READ), AUTH_WRONG);
    use_basic("alice:battery staple");
    assert_int_equal(check_api(SCOPE_READ), AUTH_OK);
    assert_int_equal(auth_account_disable(pool, "alice", &err), 0);
    assert_int_equal(check_api(SCOPE_READ), AUTH_WRONG);
    assert_int_equal(auth_account_disable(pool, "nobody", &err), -1);
    assert_int_equal(auth_account_password(pool, "nobody", "battery staple", &err), -1);
    err_clear(&err);
}

/* A verified password is remembered: a hundred requests cost less than two scrypts would. */
static void test_password_is_remembered(void **state)
{
    (void)state;
    create("quick", "correct horse", SCOPE_READ);
    use_basic("quick:correct horse");
    struct timespec t[3];
    clock_gettime(CLOCK_MONOTONIC, &t[0]);
    assert_int_equal(check_api(SCOPE_READ), AUTH_OK);
    clock_gettime(CLOCK_MONOTONIC, &t[1]);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(check_api(SCOPE_READ), AUTH_OK);
    }
    clock_gettime(CLOCK_MONOTONIC, &t[2]);
    double first =
        (double)(t[1].tv_sec - t[0].tv_sec) + (double)(t[1].tv_nsec - t[0].tv_nsec) / 1e9;
    double ten = (double)(t[2].tv_sec - t[1].tv_sec) + (double)(t[2].tv_nsec - t[1].tv_nsec) / 1e9;
    print_message("one scrypt %.0f ms, ten remembered %.2f ms\n", first * 1e3, ten * 1e3);
    assert_true(ten < first * 5);
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {
        "",       "Basic",   "Basic ",      "Basic x",  "Basic ????",        "Basic YQ==",
        "Bearer", "Bearer ", "Bearer evt_", "Digest a", "basicYWxpY2U6eA==", "Basic YQBiOmM=",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        authorization = bad[i];
        assert_int_equal(check_api(SCOPE_READ), AUTH_WRONG);
    }
    char *huge = mem_zalloc(100001);
    memset(huge, 'A', 100000);
    memcpy(huge, "Basic ", 6);
    authorization = huge;
    assert_int_equal(check_api(SCOPE_READ), AUTH_WRONG);
    free(huge);
    authorization = NULL;
    assert_int_equal(check_api(SCOPE_READ), AUTH_NONE);
}

static void test_token(void **state)
{
    struct err err = {0};
    char basic[128];
    (void)state;
    char *token = new_token("ci", SCOPE_PUSH, 0);
    use_bearer(token);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_OK);
    assert_string_equal(rq.who.name, "ci");
    assert_int_equal(check_api(SCOPE_LAUNCH), AUTH_FORBIDDEN);
    snprintf(basic, sizeof basic, "ci:%s", token);
    use_basic(basic);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_OK);
    snprintf(basic, sizeof basic, "other:%s", token);
    use_basic(basic);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_WRONG);
    token[20] ^= 1;
    use_bearer(token);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_WRONG);
    token[20] ^= 1;
    /* An account made for a token has no password that fits, not even an empty one. */
    use_basic("ci:");
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_WRONG);
    char *expired = new_token("ci", SCOPE_PUSH, 1000);
    use_bearer(expired);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_WRONG);
    free(expired);
    assert_int_equal(auth_token_revoke(pool, 1, &err), 0);
    use_bearer(token);
    assert_int_equal(check_api(SCOPE_PUSH), AUTH_WRONG);
    free(token);
    assert_int_equal(auth_token_revoke(pool, 99999, &err), -1);
    err_clear(&err);
    char *admin = new_token("root", SCOPE_ADMIN, 0);
    use_bearer(admin);
    assert_int_equal(check_api(SCOPE_LAUNCH), AUTH_OK);
    assert_int_equal(auth_account_disable(pool, "root", &err), 0);
    assert_int_equal(check_api(SCOPE_LAUNCH), AUTH_WRONG);
    free(admin);
}

static char *log_in(const char *name, const char *password)
{
    struct buf b = {0};
    rq = (struct http_request){.server = &server, .family = FAMILY_PAGE, .method = HTTP_POST};
    assert_int_equal(auth_login(auth, &rq, name, password, &b, &retry_s), AUTH_OK);
    assert_non_null(strstr(b.data, "; HttpOnly; SameSite=Lax; "));
    assert_non_null(strstr(b.data, "; Secure")); /* the address is https */
    char *value = strchr(b.data, '=') + 1;
    char *text = mem_strndup(value, strcspn(value, ";"));
    buf_free(&b);
    return text;
}

static void test_session(void **state)
{
    struct err err = {0};
    (void)state;
    create("bob", "correct horse", SCOPE_READ);
    authorization = NULL;
    char *session = log_in("bob", "correct horse");
    cookie = session;
    assert_int_equal(check(FAMILY_PAGE, HTTP_POST, SCOPE_READ), AUTH_OK);
    assert_true(rq.who.by_session);
    assert_int_equal(strlen(rq.who.csrf), 43);
    assert_int_equal(check(FAMILY_API, HTTP_GET, SCOPE_READ), AUTH_OK);
    assert_int_equal(check(FAMILY_API, HTTP_POST, SCOPE_READ), AUTH_NONE);
    assert_int_equal(check(FAMILY_REGISTRY, HTTP_GET, SCOPE_READ), AUTH_NONE);
    check(FAMILY_PAGE, HTTP_POST, SCOPE_READ);
    auth_logout(auth, &rq);
    assert_int_equal(check(FAMILY_PAGE, HTTP_GET, SCOPE_READ), AUTH_NONE);
    free(session);
    cookie = session = log_in("bob", "correct horse");
    assert_int_equal(auth_account_password(pool, "bob", "battery staple", &err), 0);
    assert_int_equal(check(FAMILY_PAGE, HTTP_GET, SCOPE_READ), AUTH_NONE);
    cookie = NULL;
    free(session);
}

static void test_lockout(void **state)
{
    (void)state;
    create("carol", "correct horse", SCOPE_READ);
    use_basic("carol:wrong password");
    for (unsigned i = 0; i < LOCKOUT_WRONG; i++) {
        assert_int_equal(check_api(SCOPE_READ), AUTH_WRONG);
    }
    use_basic("carol:correct horse");
    assert_int_equal(check_api(SCOPE_READ), AUTH_LOCKED);
    assert_in_range(retry_s, LOCKOUT_WINDOW_S - 30, LOCKOUT_WINDOW_S);
    peer = "192.0.2.2";
    assert_int_equal(check_api(SCOPE_READ), AUTH_OK);
    peer = "192.0.2.1";
    assert_int_equal(check_api(SCOPE_READ), AUTH_LOCKED);
}

static void test_lockout_times(void **state)
{
    struct lockout *l = mem_zalloc(sizeof *l);
    (void)state;
    for (unsigned i = 0; i + 1 < LOCKOUT_WRONG; i++) {
        assert_false(lockout_wrong(l, "a", "p", 100));
    }
    /* The window passed: counted from one again. */
    assert_false(lockout_wrong(l, "a", "p", 101 + LOCKOUT_WINDOW_S));
    assert_int_equal(lockout_check(l, "a", "p", 101 + LOCKOUT_WINDOW_S), 0);
    for (unsigned i = 0; i + 2 < LOCKOUT_WRONG; i++) {
        assert_false(lockout_wrong(l, "a", "p", 800));
    }
    assert_true(lockout_wrong(l, "a", "p", 800));
    assert_int_equal(lockout_check(l, "a", "p", 800), LOCKOUT_WINDOW_S);
    assert_int_equal(lockout_check(l, "a", "p", 800 + LOCKOUT_WINDOW_S), 0);
    assert_int_equal(lockout_check(l, "b", "p", 800), 0);
    /* A flood of other names does not grow the table, and pushes out the oldest. */
    char name[16];
    for (unsigned i = 0; i < 2 * LOCKOUT_PAIRS; i++) {
        snprintf(name, sizeof name, "n%u", i);
        assert_false(lockout_wrong(l, name, "p", 900));
    }
    lockout_right(l, "n2000", "p");
    assert_int_equal(lockout_check(l, "n2000", "p", 900), 0);
    free(l);
}

/* Nothing that lets somebody in stands in the database. */
static void test_no_secret_is_kept(void **state)
{
    struct err err = {0};
    (void)state;
    char *token = new_token("keeper", SCOPE_READ, 0);
    create("dave", "correct horse battery", SCOPE_READ);
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db, "PRAGMA wal_checkpoint(TRUNCATE)", &err);
    assert_int_equal(db_run(db, st, &err), 0);
    db_put(pool, db);
    char path[64];
    snprintf(path, sizeof path, "%s/server.db", dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *bytes = mem_zalloc(4 << 20);
    size_t n = fread(bytes, 1, 4 << 20, f);
    fclose(f);
    assert_non_null(memmem(bytes, n, "keeper", 6));
    assert_null(memmem(bytes, n, token, strlen(token)));
    assert_null(memmem(bytes, n, token + 4, 20));
    assert_null(memmem(bytes, n, "correct horse", 13));
    free(bytes);
    free(token);
}

static int count_row(void *ctx, const struct auth_account_row *row)
{
    (*(int *)ctx)++;
    return strcmp(row->name, "alice") == 0 && row->is_disabled ? 7 : 0;
}

static void test_list(void **state)
{
    struct err err = {0};
    int n = 0;
    (void)state;
    assert_int_equal(auth_each_account(pool, count_row, &n, &err), 7);
    assert_int_equal(n, 1); /* alice comes first by name, and stopped it */
}

static int start(void **state)
{
    struct err err = {0};
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/server.db", dir);
    pool = db_pool_open(path, &err);
    auth = pool ? auth_create(pool, &err) : NULL;
    return auth ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    auth_destroy(auth);
    db_pool_close(pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_password),      cmocka_unit_test(test_password_is_remembered),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_token),
        cmocka_unit_test(test_session),       cmocka_unit_test(test_lockout),
        cmocka_unit_test(test_lockout_times), cmocka_unit_test(test_no_secret_is_kept),
        cmocka_unit_test(test_list),
    };
    if (!mkdtemp(dir)) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, start, stop);
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) || failed;
}
