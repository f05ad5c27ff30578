/* Migrations, statements, transactions, threads that write at once, and what kill -9 leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "server/db/db.h"
#include "server/db/schema.h"

#define SQL_ADD "INSERT INTO audit (at, action) VALUES (?, ?)"

static char dir[] = "/tmp/everett-db-XXXXXX";
static char path[64];

static struct db_pool *open_pool(void)
{
    struct err err = {0};
    struct db_pool *p = db_pool_open(path, &err);
    assert_non_null(p);
    return p;
}

static void add(struct db *db, int64_t at)
{
    struct err err = {0};
    static const char sql[] = SQL_ADD;
    sqlite3_stmt *st = db_prepare(db, sql, &err);
    assert_non_null(st);
    db_i64(st, 1, at);
    db_text(st, 2, "test");
    assert_int_equal(db_run(db, st, &err), 0);
}

static int64_t count(struct db_pool *p, int64_t at)
{
    struct err err = {0};
    struct db *db = db_get(p);
    sqlite3_stmt *st = db_prepare(db, "SELECT count(*) FROM audit WHERE at = ?", &err);
    assert_non_null(st);
    db_i64(st, 1, at);
    assert_int_equal(db_step(db, st, &err), 1);
    int64_t n = db_column_i64(st, 0);
    db_put(p, db);
    return n;
}

static void test_values(void **state)
{
    struct db_pool *p = *state;
    struct err err = {0};
    struct db *db = db_get(p);
    sqlite3_stmt *st = db_prepare(db, "SELECT ?, ?, ?, ?, ?", &err);
    assert_non_null(st);
    db_text(st, 1, "text");
    db_text(st, 2, NULL);
    db_blob(st, 3, "a\0b", 3);
    db_i64(st, 4, INT64_MIN);
    db_blob(st, 5, "", 0);
    assert_int_equal(db_step(db, st, &err), 1);
    size_t len;
    assert_string_equal(db_column(st, 0), "text");
    assert_null(db_column(st, 1));
    assert_null(db_column_dup(st, 1));
    assert_memory_equal(db_column_blob(st, 2, &len), "a\0b", 3);
    assert_int_equal(len, 3);
    assert_true(db_column_i64(st, 3) == INT64_MIN);
    assert_null(db_column_blob(st, 4, &len));
    assert_int_equal(len, 0);
    assert_int_equal(db_step(db, st, &err), 0);
    db_put(p, db);
}

static void test_error_names_the_cause(void **state)
{
    struct db_pool *p = *state;
    struct err err = {0};
    struct db *db = db_get(p);
    assert_null(db_prepare(db, "SELECT x FROM nowhere", &err));
    assert_non_null(strstr(err.msg, "no such table: nowhere"));
    err_clear(&err);
    db_put(p, db);
}

static void test_duplicate_is_told(void **state)
{
    struct db_pool *p = *state;
    struct err err = {0};
    static const char sql[] = "INSERT INTO repository (name) VALUES ('twice')";
    struct db *db = db_get(p);
    sqlite3_stmt *st = db_prepare(db, sql, &err);
    assert_int_equal(db_run(db, st, &err), 0);
    assert_false(db_is_duplicate(db));
    st = db_prepare(db, sql, &err);
    assert_int_equal(db_run(db, st, &err), -1);
    assert_true(db_is_duplicate(db));
    err_clear(&err);
    db_put(p, db);
}

static void test_put_rolls_back(void **state)
{
    struct db_pool *p = *state;
    struct err err = {0};
    struct db *db = db_get(p);
    assert_int_equal(db_begin(db, &err), 0);
    add(db, 1);
    db_put(p, db);
    assert_int_equal(count(p, 1), 0);
    db = db_get(p);
    assert_int_equal(db_begin(db, &err), 0);
    add(db, 1);
    assert_int_equal(db_commit(db, &err), 0);
    db_put(p, db);
    assert_int_equal(count(p, 1), 1);
}

/* A read that was left open must not keep a write from another connection's news. */
static void test_begin_after_open_read(void **state)
{
    struct db_pool *p = *state;
    struct err err = {0};
    struct db *a = db_get(p), *b = db_get(p);
    sqlite3_stmt *st = db_prepare(a, "SELECT 1 FROM audit", &err);
    assert_int_equal(db_step(a, st, &err), 1);
    add(b, 2);
    assert_int_equal(db_begin(a, &err), 0);
    add(a, 2);
    assert_int_equal(db_commit(a, &err), 0);
    db_put(p, a);
    db_put(p, b);
    assert_int_equal(count(p, 2), 2);
}

static void *write_many(void *arg)
{
    struct db_pool *p = arg;
    struct err err = {0};
    for (int i = 0; i < 50; i++) {
        struct db *db = db_get(p);
        if (db_begin(db, &err)) {
            return err.msg;
        }
        add(db, 3);
        if (db_commit(db, &err)) {
            return err.msg;
        }
        db_put(p, db);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[20];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, *state), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *message;
        pthread_join(threads[i], &message);
        assert_null(message);
    }
    assert_int_equal(count(*state, 3), 20 * 50);
}

/* Each holds one connection and asks for a second: nobody waits for ever. */
static void *nest(void *arg)
{
    struct db_pool *p = arg;
    for (int i = 0; i < 20; i++) {
        struct db *outer = db_get(p), *inner = db_get(p);
        add(inner, 5);
        db_put(p, inner);
        add(outer, 5);
        db_put(p, outer);
    }
    return NULL;
}

static void test_nested(void **state)
{
    pthread_t threads[20];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, nest, *state), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(count(*state, 5), 20 * 20 * 2);
}

/* The child tells what it committed, one byte each, and is killed in the middle. */
static void test_kill_keeps_commits(void **state)
{
    int pipe_fd[2];
    (void)state;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct db_pool *p = open_pool();
        for (;;) {
            struct db *db = db_get(p);
            add(db, 4);
            db_put(p, db);
            if (write(pipe_fd[1], "x", 1) != 1) {
                _exit(1);
            }
        }
    }
    close(pipe_fd[1]);
    int64_t told = 0;
    char c;
    while (told < 100 && read(pipe_fd[0], &c, 1) == 1) {
        told++;
    }
    kill(pid, SIGKILL);
    while (read(pipe_fd[0], &c, 1) == 1) {
        told++;
    }
    waitpid(pid, NULL, 0);
    close(pipe_fd[0]);
    int64_t kept = count(*state, 4);
    assert_in_range(kept, told, told + 1);
}

/* Several programs that find no database make one together. */
static void test_open_at_once(void **state)
{
    char fresh[64];
    pid_t pids[8];
    (void)state;
    snprintf(fresh, sizeof fresh, "%s/fresh.db", dir);
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct err err = {0};
            struct db_pool *p = db_pool_open(fresh, &err);
            if (!p) {
                fprintf(stderr, "%s\n", err.msg);
            }
            _exit(p ? 0 : 1);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
}

static void test_newer_is_refused(void **state)
{
    char newer[64];
    sqlite3 *handle;
    struct err err = {0};
    (void)state;
    snprintf(newer, sizeof newer, "%s/newer.db", dir);
    assert_int_equal(sqlite3_open(newer, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version=9999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    assert_null(db_pool_open(newer, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, "newer Everett"));
    err_clear(&err);
}

static void test_no_directory(void **state)
{
    struct err err = {0};
    (void)state;
    assert_null(db_pool_open("/nonexistent/server.db", &err));
    assert_non_null(strstr(err.msg, "/nonexistent/server.db"));
    err_clear(&err);
}

static int open_one(void **state)
{
    *state = open_pool();
    return 0;
}

static int close_one(void **state)
{
    db_pool_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_error_names_the_cause),
        cmocka_unit_test(test_duplicate_is_told),
        cmocka_unit_test(test_put_rolls_back),
        cmocka_unit_test(test_begin_after_open_read),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_kill_keeps_commits),
        cmocka_unit_test(test_open_at_once),
        cmocka_unit_test(test_newer_is_refused),
        cmocka_unit_test(test_no_directory),
    };
    if (!mkdtemp(dir)) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/server.db", dir);
    int failed = cmocka_run_group_tests(tests, open_one, close_one);
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) || failed;
}
