#include "compose/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct pool_block {
    struct pool_block *next;
    max_align_t data[];
};

void pool_fini(struct pool *pool)
{
    struct pool_block *b = pool->blocks;
    while (b) {
        struct pool_block *next = b->next;
        free(b);
        b = next;
    }
    pool->blocks = NULL;
}

void *pool_zalloc(struct pool *pool, size_t size)
{
    ASSERT(size < SIZE_MAX - sizeof(struct pool_block));
    struct pool_block *b = mem_zalloc(sizeof *b + size);
    b->next = pool->blocks;
    pool->blocks = b;
    return b->data;
}

char *pool_strndup(struct pool *pool, const char *s, size_t n)
{
    char *d = pool_zalloc(pool, n + 1);
    if (n) {
        memcpy(d, s, n);
    }
    return d;
}

char *pool_strdup(struct pool *pool, const char *s)
{
    return pool_strndup(pool, s, strlen(s));
}

char *pool_printf(struct pool *pool, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    char *s = pool_zalloc(pool, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void *pool_grow(struct pool *pool, void *items, size_t count, size_t *cap, size_t elem_size)
{
    if (count + 1 <= *cap) {
        return items;
    }
    size_t want = *cap ? *cap * 2 : 4;
    while (want < count + 1) {
        want *= 2;
    }
    ASSERT(want < SIZE_MAX / elem_size);
    void *grown = pool_zalloc(pool, want * elem_size);
    if (*cap) {
        memcpy(grown, items, *cap * elem_size);
    }
    *cap = want;
    return grown;
}
