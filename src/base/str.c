#include "base/str.h"

#ifndef EVERETT_HOST_BUILD

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;
    if (d <= s || d >= s + n) {
        return memcpy(dst, src, n);
    }
    while (n > 0) {
        n--;
        d[n] = s[n];
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

#endif

size_t str_len(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        n++;
    }
    return n;
}

size_t str_nlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n]) {
        n++;
    }
    return n;
}

bool str_eq(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int str_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return c ? c : a_len < b_len ? -1 : a_len > b_len;
}

bool str_starts(const char *s, const char *prefix)
{
    while (*prefix) {
        if (*s++ != *prefix++) {
            return false;
        }
    }
    return true;
}

const char *str_chr(const char *s, char c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == c) {
            return s + i;
        }
    }
    return NULL;
}

const char *str_find(const char *hay, size_t hay_len, const char *needle)
{
    size_t n = str_len(needle);
    for (size_t i = 0; i + n <= hay_len; i++) {
        if (hay[i] == needle[0] && memcmp(hay + i, needle, n) == 0) {
            return hay + i;
        }
    }
    return NULL;
}

size_t str_copy(char *dst, size_t cap, const char *src)
{
    if (cap == 0) {
        return 0;
    }
    size_t n = str_nlen(src, cap - 1);
    memcpy(dst, src, n);
    dst[n] = 0;
    return n;
}

bool str_to_u64(const char *s, size_t len, unsigned base, uint64_t *out)
{
    uint64_t v = 0;
    if (len == 0) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned d;
        if (s[i] >= '0' && s[i] <= '9') {
            d = (unsigned)(s[i] - '0');
        } else if ((s[i] | 32) >= 'a' && (s[i] | 32) <= 'f') {
            d = (unsigned)((s[i] | 32) - 'a') + 10;
        } else {
            return false;
        }
        uint64_t scaled;
        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &scaled) ||
            __builtin_add_overflow(scaled, (uint64_t)d, &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}
