/* server.db: connections, statements, transactions, schema.
 *
 * A thread borrows a connection for the length of one operation. Writers wait for each other (busy
 * timeout 10 s). SQLite in WAL mode with synchronous=FULL: what a call committed survives kill -9
 * and power loss. */
#ifndef EVERETT_SERVER_DB_DB_H
#define EVERETT_SERVER_DB_DB_H

#include <sqlite3.h>

#include "base/err.h"

struct db_pool;
struct db; /* one connection */

/* Creates or migrates the database. NULL with `err`. */
struct db_pool *db_pool_open(const char *path, struct err *err) must_check;
void db_pool_close(struct db_pool *p);
/* Blocks until a connection is free, but not in a thread that holds one already (from within a
 * visitor, say), which gets another; never fails (a connection that cannot be opened is reported by
 * the first statement). Put it back in the same thread. */
struct db *db_get(struct db_pool *p);
void db_put(struct db_pool *p, struct db *db); /* rolls back an open transaction */

/* A prepared statement from the connection's cache, reset and unbound; NULL with `err`. `sql` must
 * be a string literal: the cache is keyed by its address. Values are bound with the calls below,
 * counted from 1; columns are counted from 0, as in SQLite. */
sqlite3_stmt *db_prepare(struct db *db, const char *sql, struct err *err) must_check;
void db_text(sqlite3_stmt *st, int i, const char *text); /* copied; NULL: null */
void db_blob(sqlite3_stmt *st, int i, const void *data, size_t len);
void db_i64(sqlite3_stmt *st, int i, int64_t value);
/* 1 a row, 0 done, -1 error. Resets the statement at the end. */
int db_step(struct db *db, sqlite3_stmt *st, struct err *err) must_check;
/* Runs to the end, ignoring rows. */
int db_run(struct db *db, sqlite3_stmt *st, struct err *err) must_check;
const char *db_column(sqlite3_stmt *st, int i); /* NULL for null; until the next step */
char *db_column_dup(sqlite3_stmt *st, int i);
/* NULL for null and for an empty blob; until the next step. */
const void *db_column_blob(sqlite3_stmt *st, int i, size_t *len);
int64_t db_column_i64(sqlite3_stmt *st, int i);
int64_t db_changes(struct db *db); /* rows of the last statement */
int64_t db_last_id(struct db *db);
/* Whether the last statement failed because a row with that key was there already. */
bool db_is_duplicate(struct db *db);

/* BEGIN IMMEDIATE ... COMMIT. The begin ends all reads of the connection that are still open: a
 * transaction on top of an old snapshot could never write. */
int db_begin(struct db *db, struct err *err) must_check;
int db_commit(struct db *db, struct err *err) must_check;
void db_rollback(struct db *db);

#endif
