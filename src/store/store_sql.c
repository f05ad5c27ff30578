/* Thin checked SQLite: errors become `struct err` with the database's own words and, for a full
 * disk, what to do. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "store/files.h"
#include "store/store_priv.h"

int sql_fail(struct store *s, struct err *err, const char *what)
{
    int code = sqlite3_errcode(s->db);
    int sys = sqlite3_system_errno(s->db);
    if (code == SQLITE_FULL) {
        return files_errno(err, ENOSPC, "%s/run.db: %s", s->dir, what);
    }
    if (code == SQLITE_IOERR && sys) {
        return files_errno(err, sys, "%s/run.db: %s", s->dir, what);
    }
    return err_set(err, ERR_HOST, "%s/run.db: %s: %s", s->dir, what, sqlite3_errmsg(s->db));
}

int sql_exec(struct store *s, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(s, err, sql);
}

sqlite3_stmt *sql_prepare(struct store *s, const char *sql, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        sql_fail(s, err, sql);
    }
    return st;
}

void sql_bind_text(sqlite3_stmt *st, int i, const char *text)
{
    int rc = text ? sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC) : sqlite3_bind_null(st, i);
    ASSERT(rc == SQLITE_OK);
}

void sql_bind_u64(sqlite3_stmt *st, int i, uint64_t value)
{
    int rc = sqlite3_bind_int64(st, i, (sqlite3_int64)value);
    ASSERT(rc == SQLITE_OK);
}

int sql_step(struct store *s, sqlite3_stmt *st, struct err *err)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return rc == SQLITE_ROW;
    }
    return sql_fail(s, err, "cannot read or write");
}

int sql_run(struct store *s, sqlite3_stmt *st, struct err *err)
{
    int rc;
    do {
        rc = sql_step(s, st, err);
    } while (rc == 1);
    sqlite3_finalize(st);
    return rc;
}

const char *sql_text(sqlite3_stmt *st, int column)
{
    return (const char *)sqlite3_column_text(st, column);
}

char *sql_text_dup(sqlite3_stmt *st, int column)
{
    const char *text = sql_text(st, column);
    return text ? mem_strdup(text) : NULL;
}

uint64_t sql_u64(sqlite3_stmt *st, int column)
{
    return (uint64_t)sqlite3_column_int64(st, column);
}
