#ifndef EVERETT_SERVER_DB_SCHEMA_H
#define EVERETT_SERVER_DB_SCHEMA_H

#include "base/base.h"

/* Each is applied once, in a transaction, in order. */
extern const char *const db_migrations[];
extern const size_t db_migration_count;

#endif
