/* Checked host allocation: zeroed, never NULL (aborts when the host is out of memory). */
#ifndef EVERETT_BASE_MEM_H
#define EVERETT_BASE_MEM_H

#include <stdarg.h>

#include "base/base.h"

void *mem_zalloc(size_t size);
void *mem_grow(void *p, size_t count, size_t *cap, size_t elem_size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
char *mem_vprintf(const char *fmt, va_list ap) printf_like(1, 0);

/* Appends a zeroed element to a counted array (`items`, `count`, `cap`) and yields its address. */
#define ARRAY_PUSH(items, count, cap)                                                              \
    ((items) = mem_grow((items), (count) + 1, &(cap), sizeof *(items)), &(items)[(count)++])

#endif
