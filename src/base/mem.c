#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) {
        abort();
    }
    return p;
}

void *mem_grow(void *p, size_t count, size_t *cap, size_t elem_size)
{
    if (count <= *cap) {
        return p;
    }
    size_t want = *cap ? *cap * 2 : 8;
    while (want < count) {
        want *= 2;
    }
    p = reallocarray(p, want, elem_size);
    if (!p) {
        abort();
    }
    memset((char *)p + *cap * elem_size, 0, (want - *cap) * elem_size);
    *cap = want;
    return p;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
    char *d = strndup(s, n);
    if (!d) {
        abort();
    }
    return d;
}

char *mem_vprintf(const char *fmt, va_list ap)
{
    char *text;
    if (vasprintf(&text, fmt, ap) < 0) {
        abort();
    }
    return text;
}
