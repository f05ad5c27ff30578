/* Small statements that the files of rows share. Each runs on a connection that the caller holds.
 */
#ifndef EVERETT_SERVER_REGISTRY_ROWS_PRIV_H
#define EVERETT_SERVER_REGISTRY_ROWS_PRIV_H

#include <time.h>

#include "server/db/db.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"

/* Steps once and resets: 1 there was a row, 0 none, -1. Columns are gone afterwards. */
int rows_any(struct db *db, sqlite3_stmt *st, struct err *err) must_check;
/* 1 and *id, 0 no such repository, -1. */
int rows_repository_id(struct db *db, const char *repository, int64_t *id,
                       struct err *err) must_check;
/* Creates it when missing. */
int rows_repository_make(struct db *db, const char *repository, int64_t *id,
                         struct err *err) must_check;
/* A repository has the blob (or the blob is a manifest's bytes: `repository` 0). 1: the blob is
 * new. */
int rows_blob_insert(struct db *db, int64_t repository, const char *digest, uint64_t size,
                     struct err *err) must_check;

#endif
