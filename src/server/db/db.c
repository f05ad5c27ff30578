#include "server/db/db.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "server/db/schema.h"

/* Enough for the threads that do short operations at once: SQLite lets one write at a time, and
 * readers hardly wait. */
#define POOL_SIZE       8u
#define BUSY_TIMEOUT_MS 10000

struct cached {
    const char *sql; /* the literal's address is the key */
    sqlite3_stmt *st;
};

struct db {
    struct db *next; /* in the pool's list of free, used or extra ones */
    struct db_pool *pool;
    pthread_t holder; /* while it is lent */
    bool is_extra;    /* beyond the pool: closed when it comes back */
    sqlite3 *handle;  /* NULL until first used */
    struct cached *cache;
    size_t cache_count, cache_cap;
};

struct db_pool {
    char *path;
    pthread_mutex_t lock; /* for the lists */
    pthread_cond_t freed;
    struct db *free, *lent;
    struct db all[POOL_SIZE];
};

static int db_error(struct db *db, struct err *err, const char *what)
{
    int code = sqlite3_errcode(db->handle);
    if (code == SQLITE_FULL) {
        return err_errno(err, ENOSPC, "database: %s", what);
    }
    int host = sqlite3_system_errno(db->handle);
    err_set(err, code == SQLITE_MISUSE || code == SQLITE_ERROR ? ERR_ENGINE : ERR_HOST,
            "database: %s: %s", what, sqlite3_errmsg(db->handle));
    err->host_errno = code == SQLITE_IOERR || code == SQLITE_CANTOPEN ? host : 0;
    return -1;
}

static int db_exec(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : db_error(db, err, "statement failed");
}

static void db_close(struct db *db)
{
    for (size_t i = 0; i < db->cache_count; i++) {
        sqlite3_finalize(db->cache[i].st);
    }
    free(db->cache);
    db->cache = NULL;
    db->cache_count = db->cache_cap = 0;
    sqlite3_close(db->handle);
    db->handle = NULL;
}

static int db_open(struct db *db, struct err *err)
{
    if (db->handle) {
        return 0;
    }
    /* A connection is used by one thread at a time: SQLite need not lock it again. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(db->pool->path, &db->handle, flags, NULL) != SQLITE_OK) {
        int r = db->handle ? db_error(db, err, db->pool->path)
                           : err_errno(err, ENOMEM, "database: %s", db->pool->path);
        db_close(db);
        return r;
    }
    sqlite3_extended_result_codes(db->handle, 0);
    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    if (db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
                err)) {
        err_wrap(err, "%s", db->pool->path);
        db_close(db);
        return -1;
    }
    return 0;
}

static int read_version(struct db *db, int64_t *version, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db, "PRAGMA user_version", err);
    if (!st || db_step(db, st, err) != 1) {
        return -1;
    }
    *version = db_column_i64(st, 0);
    sqlite3_reset(st);
    return 0;
}

/* Several programs may open a fresh database at once (the server, `everett token create`): the
 * version is read again inside the transaction. */
static int migrate_one(struct db *db, bool *is_done, struct err *err)
{
    int64_t version;
    if (db_begin(db, err) || read_version(db, &version, err)) {
        return -1;
    }
    if (version > (int64_t)db_migration_count) {
        err_set(err, ERR_USAGE,
                "%s was written by a newer Everett (schema %lld, this one knows %zu)",
                db->pool->path, (long long)version, db_migration_count);
        return err_hint(err, "use that version or newer");
    }
    *is_done = version == (int64_t)db_migration_count;
    if (*is_done) {
        db_rollback(db);
        return 0;
    }
    cleanup_buf struct buf pragma = {0};
    buf_printf(&pragma, "PRAGMA user_version=%lld", (long long)version + 1);
    if (db_exec(db, db_migrations[version], err) || db_exec(db, pragma.data, err)) {
        return err_wrap(err, "migration %lld", (long long)version + 1);
    }
    return db_commit(db, err);
}

static int migrate(struct db_pool *p, struct err *err)
{
    struct db *db = db_get(p);
    bool is_done = false;
    int r = db_open(db, err);
    while (r == 0 && !is_done) {
        r = migrate_one(db, &is_done, err);
    }
    db_put(p, db);
    return r;
}

struct db_pool *db_pool_open(const char *path, struct err *err)
{
    struct db_pool *p = mem_zalloc(sizeof *p);
    p->path = mem_strdup(path);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->freed, NULL);
    for (unsigned i = 0; i < POOL_SIZE; i++) {
        p->all[i].pool = p;
        p->all[i].next = p->free;
        p->free = &p->all[i];
    }
    if (migrate(p, err)) {
        db_pool_close(p);
        return NULL;
    }
    chmod(path, 0600); /* it holds hashes of secrets; best effort on odd file systems */
    return p;
}

void db_pool_close(struct db_pool *p)
{
    if (!p) {
        return;
    }
    for (unsigned i = 0; i < POOL_SIZE; i++) {
        db_close(&p->all[i]);
    }
    pthread_cond_destroy(&p->freed);
    pthread_mutex_destroy(&p->lock);
    free(p->path);
    free(p);
}

static bool holds_one(const struct db_pool *p, pthread_t thread)
{
    for (const struct db *db = p->lent; db; db = db->next) {
        if (pthread_equal(db->holder, thread)) {
            return true;
        }
    }
    return false;
}

/* A thread that holds one already must not wait for another: the others may all wait like it. */
struct db *db_get(struct db_pool *p)
{
    pthread_t self = pthread_self();
    pthread_mutex_lock(&p->lock);
    struct db *db = NULL;
    if (!p->free && holds_one(p, self)) {
        db = mem_zalloc(sizeof *db);
        db->pool = p;
        db->is_extra = true;
    }
    while (!db && !p->free) {
        pthread_cond_wait(&p->freed, &p->lock);
    }
    if (!db) {
        db = p->free;
        p->free = db->next;
    }
    db->holder = self;
    db->next = p->lent;
    p->lent = db;
    pthread_mutex_unlock(&p->lock);
    return db;
}

static void end_reads(struct db *db)
{
    for (size_t i = 0; i < db->cache_count; i++) {
        sqlite3_reset(db->cache[i].st);
    }
}

void db_put(struct db_pool *p, struct db *db)
{
    if (db->handle) {
        end_reads(db);
        db_rollback(db);
    }
    pthread_mutex_lock(&p->lock);
    struct db **link = &p->lent;
    while (*link != db) {
        link = &(*link)->next;
    }
    *link = db->next;
    if (!db->is_extra) {
        db->next = p->free;
        p->free = db;
        pthread_cond_signal(&p->freed);
    }
    pthread_mutex_unlock(&p->lock);
    if (db->is_extra) {
        db_close(db);
        free(db);
    }
}

sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err)
{
    if (db_open(db, err)) {
        return NULL;
    }
    for (size_t i = 0; i < db->cache_count; i++) {
        if (db->cache[i].sql == sql) {
            sqlite3_reset(db->cache[i].st);
            sqlite3_clear_bindings(db->cache[i].st);
            return db->cache[i].st;
        }
    }
    sqlite3_stmt *st;
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) !=
        SQLITE_OK) {
        db_error(db, err, sql);
        return NULL;
    }
    struct cached *c = ARRAY_PUSH(db->cache, db->cache_count, db->cache_cap);
    c->sql = sql;
    c->st = st;
    return st;
}

/* Binding fails for an index that the statement lacks: a mistake of the caller. */
void db_text(sqlite3_stmt *st, int i, const char *text)
{
    int r = sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT);
    ASSERT(r == SQLITE_OK);
}

void db_blob(sqlite3_stmt *st, int i, const void *data, size_t len)
{
    int r = sqlite3_bind_blob64(st, i, data, len, SQLITE_TRANSIENT);
    ASSERT(r == SQLITE_OK);
}

void db_i64(sqlite3_stmt *st, int i, int64_t value)
{
    int r = sqlite3_bind_int64(st, i, value);
    ASSERT(r == SQLITE_OK);
}

int db_step(struct db *db, sqlite3_stmt *st, struct err *err)
{
    int r = sqlite3_step(st);
    if (r == SQLITE_ROW) {
        return 1;
    }
    if (r != SQLITE_DONE) {
        db_error(db, err, sqlite3_sql(st));
        sqlite3_reset(st);
        return -1;
    }
    sqlite3_reset(st);
    return 0;
}

int db_run(struct db *db, sqlite3_stmt *st, struct err *err)
{
    int r;
    do {
        r = db_step(db, st, err);
    } while (r == 1);
    return r;
}

const char *db_column(sqlite3_stmt *st, int i)
{
    return (const char *)sqlite3_column_text(st, i);
}

char *db_column_dup(sqlite3_stmt *st, int i)
{
    const char *text = db_column(st, i);
    return text ? mem_strdup(text) : NULL;
}

const void *db_column_blob(sqlite3_stmt *st, int i, size_t *len)
{
    const void *data = sqlite3_column_blob(st, i);
    *len = (size_t)sqlite3_column_bytes(st, i);
    return data;
}

int64_t db_column_i64(sqlite3_stmt *st, int i)
{
    return sqlite3_column_int64(st, i);
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t db_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

bool db_is_duplicate(struct db *db)
{
    int code = db->handle ? sqlite3_extended_errcode(db->handle) : 0;
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY;
}

int db_begin(struct db *db, struct err *err)
{
    if (db_open(db, err)) {
        return -1;
    }
    end_reads(db);
    return db_exec(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct err *err)
{
    end_reads(db);
    if (db_exec(db, "COMMIT", err)) {
        db_rollback(db);
        return -1;
    }
    return 0;
}

void db_rollback(struct db *db)
{
    if (db->handle && !sqlite3_get_autocommit(db->handle)) {
        end_reads(db);
        /* Fails only when the transaction is gone already, which is what is wanted. */
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}
