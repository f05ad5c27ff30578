/* Byte and string functions for freestanding code; the compiler may also call the mem* ones. */
#ifndef EVERETT_BASE_STR_H
#define EVERETT_BASE_STR_H

#include <stdarg.h>

#include "base/base.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t str_len(const char *s);
size_t str_nlen(const char *s, size_t max);
bool str_eq(const char *a, const char *b);
/* Bytewise order; a proper prefix sorts first. */
int str_cmp(const char *a, size_t a_len, const char *b, size_t b_len);
bool str_starts(const char *s, const char *prefix);
/* First position of c in s[0..n), or NULL. */
const char *str_chr(const char *s, char c, size_t n);
/* First place of needle in hay, or NULL. */
const char *str_find(const char *hay, size_t hay_len, const char *needle);
/* Copies at most cap - 1 bytes and terminates; returns the length copied. */
size_t str_copy(char *dst, size_t cap, const char *src);

/* printf subset: %d %i %u %x %X %o %c %s %p %% with flags 0 - #, width, precision, and l, ll, z, h,
 * hh. Always terminates; returns the length the whole text has. */
size_t str_format(char *dst, size_t cap, const char *fmt, ...) printf_like(3, 4);
size_t str_vformat(char *dst, size_t cap, const char *fmt, va_list ap);

/* Parses an unsigned number in `base` (8, 10, 16); returns false on anything else or overflow. */
bool str_to_u64(const char *s, size_t len, unsigned base, uint64_t *out);

#endif
