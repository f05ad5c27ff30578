/* The HTTP layer with routes of this test's own: bodies in memory and in streams, answers from
 * memory, files and streams, early answers, forged forms, ends of streams and of the server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/db/db.h"
#include "server/http/http.h"
#include "server/http/router.h"
#include "server/server.h"

static char dir[] = "/tmp/everett-http-XXXXXX";
static struct server server;
static atomic_uint opened, closed; /* of streamed answers and bodies */

/* ---- routes ---- */

static void echo(struct http_request *rq, struct http_response *rs)
{
    buf_append(&rs->body, rq->body.data, rq->body.len);
    http_set(rs, "Content-Type", "text/plain");
}

static void describe(struct http_request *rq, struct http_response *rs)
{
    const char *q = http_query(rq, "q"), *flag = http_query(rq, "flag");
    buf_printf(&rs->body, "%s|%s|%s|%s", rq->path, rq->vars[0], q ? q : "-", flag ? flag : "-");
    http_set(rs, "X-Twice", "first");
    http_set(rs, "x-twice", "second");
    http_set(rs, "Set-Cookie", "a=1");
    http_set(rs, "Set-Cookie", "b=2");
}

static void form(struct http_request *rq, struct http_response *rs)
{
    char *value = http_form(rq, "name");
    buf_puts(&rs->body, value ? value : "(none)");
    free(value);
}

static void from_file(struct http_request *rq, struct http_response *rs)
{
    (void)rq;
    char path[] = "/tmp/everett-http-file-XXXXXX";
    rs->fd = mkstemp(path);
    unlink(path);
    ssize_t n = write(rs->fd, "0123456789", 10);
    assert_int_equal(n, 10);
    rs->fd_from = 3;
    rs->fd_len = 4;
}

struct counting {
    unsigned left;
    bool breaks;
};

static ssize_t read_counting(void *ctx, char *out, size_t len)
{
    struct counting *c = ctx;
    if (c->left == 0) {
        return c->breaks ? -1 : 0;
    }
    c->left--;
    memset(out, 'x', len < 1000 ? len : 1000);
    return len < 1000 ? (ssize_t)len : 1000;
}

static void close_counting(void *ctx)
{
    atomic_fetch_add(&closed, 1);
    free(ctx);
}

static void start_stream(struct http_response *rs, unsigned blocks, bool breaks)
{
    struct counting *c = mem_zalloc(sizeof *c);
    *c = (struct counting){blocks, breaks};
    atomic_fetch_add(&opened, 1);
    rs->read = read_counting;
    rs->close = close_counting;
    rs->read_ctx = c;
}

static void stream(struct http_request *rq, struct http_response *rs)
{
    start_stream(rs, 50, strcmp(rq->vars[0], "broken") == 0);
}

static void live(struct http_request *rq, struct http_response *rs)
{
    (void)rq;
    start_stream(rs, UINT32_MAX, false);
    rs->is_live = true;
}

struct sum {
    uint64_t bytes;
};

static bool sum_begin(struct http_request *rq, struct http_response *rs)
{
    atomic_fetch_add(&opened, 1);
    rq->stream_state = mem_zalloc(sizeof(struct sum));
    if (http_query(rq, "refuse")) {
        http_error(rq, rs, 409, "not now");
        return false;
    }
    return true;
}

static bool sum_data(struct http_request *rq, const char *bytes, size_t len,
                     struct http_response *rs)
{
    struct sum *s = rq->stream_state;
    (void)bytes;
    s->bytes += len;
    if (s->bytes > 1000000) {
        http_error(rq, rs, 413, "enough");
        return false;
    }
    return true;
}

static void sum_handle(struct http_request *rq, struct http_response *rs)
{
    const struct sum *s = rq->stream_state;
    buf_printf(&rs->body, "%llu", (unsigned long long)s->bytes);
}

static void sum_end(struct http_request *rq)
{
    atomic_fetch_add(&closed, 1);
    free(rq->stream_state);
}

static void fails(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    if (strcmp(rq->vars[0], "usage") == 0) {
        err_set(&err, ERR_USAGE, "wrong <word>");
        err_hint(&err, "try another");
    } else if (strcmp(rq->vars[0], "full") == 0) {
        err_errno(&err, ENOSPC, "/secret/path");
    } else {
        err_set(&err, ERR_ENGINE, "/secret/path");
    }
    http_fail(rq, rs, &err);
}

static const struct http_route routes[] = {
    {HTTP_POST | HTTP_PUT, "/api/echo", FAMILY_API, SCOPE_PUBLIC, BODY_MEMORY, echo, 0, 0, 0},
    {HTTP_GET, "/api/describe/{name}", FAMILY_API, SCOPE_PUBLIC, BODY_NONE, describe, 0, 0, 0},
    {HTTP_POST, "/form", FAMILY_PAGE, SCOPE_PUBLIC, BODY_MEMORY, form, 0, 0, 0},
    {HTTP_POST, "/private", FAMILY_PAGE, SCOPE_READ, BODY_MEMORY, form, 0, 0, 0},
    {HTTP_GET, "/private", FAMILY_PAGE, SCOPE_READ, BODY_NONE, echo, 0, 0, 0},
    {HTTP_GET, "/file", FAMILY_PAGE, SCOPE_PUBLIC, BODY_NONE, from_file, 0, 0, 0},
    {HTTP_GET, "/stream/{kind}", FAMILY_PAGE, SCOPE_PUBLIC, BODY_NONE, stream, 0, 0, 0},
    {HTTP_GET, "/live", FAMILY_PAGE, SCOPE_PUBLIC, BODY_NONE, live, 0, 0, 0},
    {HTTP_POST, "/v2/sum", FAMILY_REGISTRY, SCOPE_PUBLIC, BODY_STREAM, sum_handle, sum_begin,
     sum_data, sum_end},
    {HTTP_GET, "/api/fail/{how}", FAMILY_API, SCOPE_PUBLIC, BODY_NONE, fails, 0, 0, 0},
};
static const size_t route_count = ARRAY_LEN(routes);
/* In place of the service's. */
const struct router_table router_tables[] = {{routes, &route_count}};
const size_t router_table_count = 1;

/* ---- a client ---- */

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *address = http_address(server.http);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void push(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* refused before it was read: the answer tells */
        }
        data += n;
        len -= (size_t)n;
    }
}

static void pull(int fd, struct buf *out)
{
    char block[16384];
    ssize_t n;
    while ((n = recv(fd, block, sizeof block, 0)) > 0) {
        buf_append(out, block, (size_t)n);
    }
    close(fd);
}

/* The whole answer to one request over a connection of its own. `extra`: header lines. */
static char *ask(const char *line, const char *extra, const char *body, size_t len)
{
    struct buf head = {0}, answer = {0};
    int fd = dial();
    buf_printf(&head, "%s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n%s", line, extra);
    if (body) {
        buf_printf(&head, "Content-Length: %zu\r\n", len);
    }
    buf_puts(&head, "\r\n");
    push(fd, head.data, head.len);
    push(fd, body ? body : "", body ? len : 0);
    pull(fd, &answer);
    buf_free(&head);
    return buf_steal(&answer);
}

static void expect(char *answer, int status, const char *body)
{
    const char *blank = strstr(answer, "\r\n\r\n");
    assert_non_null(blank);
    assert_int_equal(atoi(answer + 9), status);
    if (body && strcmp(blank + 4, body) != 0) {
        fail_msg("%s instead of %s", blank + 4, body);
    }
    free(answer);
}

/* ---- tests ---- */

static void test_requests(void **state)
{
    (void)state;
    expect(ask("GET /api/describe/a%20b?q=x%26y+z&flag", "", NULL, 0), 200,
           "/api/describe/a b|a b|x&y z|");
    expect(ask("GET /api/describe/a", "", NULL, 0), 200, "/api/describe/a|a|-|-");
    char *answer = ask("GET /api/describe/a", "", NULL, 0);
    assert_null(strstr(answer, "first"));
    assert_non_null(strcasestr(answer, "x-twice: second"));
    assert_non_null(strstr(answer, "Set-Cookie: a=1"));
    assert_non_null(strstr(answer, "Set-Cookie: b=2"));
    assert_non_null(strstr(answer, "Cache-Control: no-store"));
    free(answer);
}

static void test_memory_body(void **state)
{
    (void)state;
    expect(ask("POST /api/echo", "", "hello", 5), 200, "hello");
    expect(ask("PUT /api/echo", "", "", 0), 200, "");
    expect(ask("POST /api/echo", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n",
               NULL, 0),
           200, "abcde");
    size_t len = server.config->body_max + 1;
    char *big = mem_zalloc(len + 1);
    memset(big, 'b', len);
    expect(ask("POST /api/echo", "", big, len), 413, NULL);
    big[len - 1] = 0;
    expect(ask("POST /api/echo", "", big, len - 1), 200, big);
    free(big);
}

static void test_forms(void **state)
{
    static const struct {
        const char *body, *want;
    } rows[] = {
        {"name=a+b%21", "a b!"},
        {"x=1&name=2&name=3", "2"},
        {"name", ""},
        {"name=", ""},
        {"n%61me=ok", "ok"},
        {"names=1&xname=2", "(none)"},
        {"", "(none)"},
        {"&&&=&name=%", "%"},
        {"name=%zz%4", "%zz%4"},
        {"name=%C3%A9", "\xc3\xa9"},
        {"name=a%00b", "(none)"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect(ask("POST /form", "", rows[i].body, strlen(rows[i].body)), 200, rows[i].want);
    }
}

static void test_answers(void **state)
{
    (void)state;
    expect(ask("GET /file", "", NULL, 0), 200, "3456");
    char *answer = ask("HEAD /file", "", NULL, 0);
    assert_non_null(strstr(answer, "Content-Length: 4"));
    expect(answer, 200, "");
    answer = ask("GET /stream/whole", "", NULL, 0);
    size_t count = 0;
    for (const char *p = strstr(answer, "\r\n\r\n"); *p; p++) {
        count += *p == 'x';
    }
    assert_int_equal(count, 50000);
    assert_non_null(strstr(answer, "\r\n0\r\n\r\n"));
    free(answer);
    /* A stream that fails has no proper end: the client sees that something is missing. */
    answer = ask("GET /stream/broken", "", NULL, 0);
    assert_null(strstr(answer, "\r\n0\r\n\r\n"));
    free(answer);
    expect(ask("HEAD /stream/whole", "", NULL, 0), 200, "");
}

static void test_stream_body(void **state)
{
    char *big = mem_zalloc(3000001);
    (void)state;
    memset(big, 's', 3000000);
    expect(ask("POST /v2/sum", "", big, 999999), 200, "999999");
    expect(ask("POST /v2/sum", "", "", 0), 200, "0");
    expect(ask("POST /v2/sum?refuse", "", big, 3000000), 409, NULL);
    expect(ask("POST /v2/sum", "", big, 3000000), 413, NULL);
    /* Announced, and then the client goes away: end() is called all the same. */
    int fd = dial();
    const char *head = "POST /v2/sum HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\nabc";
    push(fd, head, strlen(head));
    shutdown(fd, SHUT_WR);
    struct buf rest = {0};
    pull(fd, &rest);
    buf_free(&rest);
    free(big);
}

static void test_errors(void **state)
{
    (void)state;
    expect(ask("GET /api/fail/usage", "", NULL, 0), 400,
           "{\"message\":\"wrong <word> (try another)\"}\n");
    char *answer = ask("GET /api/fail/full", "", NULL, 0);
    assert_null(strstr(answer, "secret"));
    expect(answer, 507, NULL);
    answer = ask("GET /api/fail/other", "", NULL, 0);
    assert_null(strstr(answer, "secret"));
    expect(answer, 500, NULL);
}

/* A browser sends its cookie wherever another site makes it send a form to. */
static void test_forged_forms(void **state)
{
    struct err err = {0};
    struct buf cookie = {0}, header = {0}, body = {0};
    struct http_request rq = {.server = &server, .family = FAMILY_PAGE};
    unsigned retry_s;
    (void)state;
    assert_int_equal(auth_account_create(server.db, "eve", "correct horse", SCOPE_READ, &err), 0);
    assert_int_equal(auth_login(server.auth, &rq, "eve", "correct horse", &cookie, &retry_s),
                     AUTH_OK);
    sqlite3_stmt *st;
    struct db *db = db_get(server.db);
    st = db_prepare(db, "SELECT csrf FROM session", &err);
    assert_int_equal(db_step(db, st, &err), 1);
    buf_printf(&body, "name=done&csrf=%s", db_column(st, 0));
    db_put(server.db, db);
    buf_printf(&header, "Cookie: %.*s\r\n", (int)strcspn(cookie.data, ";"), cookie.data);
    expect(ask("GET /private", header.data, NULL, 0), 200, NULL);
    expect(ask("POST /private", header.data, body.data, body.len), 200, "done");
    expect(ask("POST /private", header.data, "name=done", 9), 403, NULL);
    expect(ask("POST /private", header.data, "name=done&csrf=", 15), 403, NULL);
    expect(ask("POST /private", header.data, "name=done&csrf=wrong", 20), 403, NULL);
    size_t len = header.len;
    buf_puts(&header, "Origin: http://here\r\n");
    expect(ask("POST /private", header.data, body.data, body.len), 200, "done");
    static const char *const strangers[] = {
        "null", "http://there", "http://here.there", "https://here:444", "here", ""};
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        header.len = len;
        buf_printf(&header, "Origin: %s\r\n", strangers[i]);
        expect(ask("POST /private", header.data, body.data, body.len), 403, NULL);
        expect(ask("POST /form", header.data, body.data, body.len), 403, NULL);
    }
    char *answer = ask("POST /private", "", body.data, body.len);
    assert_non_null(strstr(answer, "Location: /login"));
    expect(answer, 303, NULL);
    buf_free(&cookie);
    buf_free(&header);
    buf_free(&body);
}

static void *ask_many(void *arg)
{
    for (int i = 0; i < 50; i++) {
        char *answer = ask(arg, "", NULL, 0);
        if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
            return answer;
        }
        free(answer);
    }
    return NULL;
}

static void test_threads(void **state)
{
    static char lines[4][32] = {"GET /api/describe/x", "GET /stream/whole", "GET /file",
                                "HEAD /stream/whole"};
    pthread_t threads[16];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, lines[i % 4]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *fault;
        pthread_join(threads[i], &fault);
        assert_null(fault);
    }
}

/* An endless stream does not hold up a server that stops, nor does a client that reads nothing. */
static void test_stop(void **state)
{
    struct buf rest = {0};
    (void)state;
    int watching = dial(), idle = dial();
    const char *head = "GET /live HTTP/1.1\r\nHost: here\r\n\r\n";
    char c;
    push(watching, head, strlen(head));
    assert_int_equal(recv(watching, &c, 1, 0), 1);
    http_stop(server.http, 0);
    server.http = NULL;
    pull(watching, &rest);
    pull(idle, &rest);
    buf_free(&rest);
    assert_int_equal(atomic_load(&opened), atomic_load(&closed));
    assert_in_range(atomic_load(&opened), 300, 100000);
}

static int start(void **state)
{
    struct err err = {0};
    struct buf path = {0};
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    buf_printf(&path, "%s/server.db", dir);
    server.dir = dir;
    server.public_url = (char *)(uintptr_t) "http://everett.example";
    server.config = server_config_load("/nonexistent", &err);
    server.db = server.config ? db_pool_open(path.data, &err) : NULL;
    server.auth = server.db ? auth_create(server.db, &err) : NULL;
    server.http = server.auth ? http_open(&server, "127.0.0.1:0", &err) : NULL;
    buf_free(&path);
    return server.http && http_serve(server.http, &err) == 0 ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    http_stop(server.http, 0);
    auth_destroy(server.auth);
    db_pool_close(server.db);
    server_config_free(server.config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),     cmocka_unit_test(test_memory_body),
        cmocka_unit_test(test_forms),        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_stream_body),  cmocka_unit_test(test_errors),
        cmocka_unit_test(test_forged_forms), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_stop),
    };
    if (!mkdtemp(dir)) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, start, stop);
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) || failed;
}
