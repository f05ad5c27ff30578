/* Memory that lives as long as one compose project: every string, array and YAML node of a load
 * is freed by a single call. Each allocation is a heap block of its own, so that sanitizers still
 * see overruns. Aborts when the host is out of memory. */
#ifndef EVERETT_COMPOSE_POOL_H
#define EVERETT_COMPOSE_POOL_H

#include "base/base.h"

struct pool_block;

struct pool {
    struct pool_block *blocks; /* owned, newest first */
};

void pool_fini(struct pool *pool);
void *pool_zalloc(struct pool *pool, size_t size);
char *pool_strdup(struct pool *pool, const char *s);
char *pool_strndup(struct pool *pool, const char *s, size_t n);
char *pool_printf(struct pool *pool, const char *fmt, ...) printf_like(2, 3);
/* Makes room for `count` elements plus one zeroed element behind them (so that an array of
 * pointers is always NULL-terminated). The old block stays until the pool ends. */
void *pool_grow(struct pool *pool, void *items, size_t count, size_t *cap, size_t elem_size);

/* Appends a zeroed element to a counted array of the pool and yields its address. */
#define POOL_PUSH(pool, items, count, cap)                                                         \
    ((items) = pool_grow((pool), (items), (count) + 1, &(cap), sizeof *(items)),                   \
     &(items)[(count)++])

#endif
