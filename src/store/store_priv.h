/* Shared by the files that implement store.h; for them only. */
#ifndef EVERETT_STORE_STORE_PRIV_H
#define EVERETT_STORE_STORE_PRIV_H

#include <sqlite3.h>

#include "store/store.h"

struct store {
    char *dir;
    sqlite3 *db;
    int lock_fd;              /* -1: read-only */
    struct store_node *nodes; /* owned, with their texts */
    const char **node_names;  /* borrowed from nodes */
    size_t node_count;
    struct property_set props; /* of all committed universes */
    enum store_part part;      /* how much of them is read */
    bool stale;                /* props ran ahead of a failed commit: reload before use */
};

/* ---- store_sql.c: thin checked SQLite ---- */

int sql_fail(struct store *s, struct err *err, const char *what);
int sql_exec(struct store *s, const char *sql, struct err *err) must_check;
sqlite3_stmt *sql_prepare(struct store *s, const char *sql, struct err *err) must_check;
void sql_bind_text(sqlite3_stmt *st, int i, const char *text); /* NULL binds NULL; borrowed */
void sql_bind_u64(sqlite3_stmt *st, int i, uint64_t value);    /* bit pattern as signed */
/* Runs to the end and finalizes. */
int sql_run(struct store *s, sqlite3_stmt *st, struct err *err) must_check;
/* 1 row, 0 done, -1 error. */
int sql_step(struct store *s, sqlite3_stmt *st, struct err *err) must_check;
const char *sql_text(sqlite3_stmt *st, int column); /* NULL for NULL; until the next step */
char *sql_text_dup(sqlite3_stmt *st, int column);
uint64_t sql_u64(sqlite3_stmt *st, int column);

extern const char store_schema[]; /* store_schema.c */
#define STORE_SCHEMA_VERSION 1

/* store_property.c: inside the caller's transaction. */
int store_save_set(struct store *s, const struct property_set *changed, struct err *err) must_check;
int store_load_set(struct store *s, struct property_set *out, struct err *err) must_check;

#endif
