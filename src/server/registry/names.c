/* Grammar of names, digests and ranges, written out by hand: each is a short scan. */
#include "server/registry/names.h"

#include <string.h>

static bool is_low_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of a separator at `s`: ".", "_", "__" or dashes; 0 when there is none. */
static size_t separator_len(const char *s)
{
    if (*s == '-') {
        return strspn(s, "-");
    }
    if (*s == '_') {
        return s[1] == '_' ? 2 : 1;
    }
    return *s == '.' ? 1 : 0;
}

/* One part between slashes; NULL when it is malformed, else where it ends. */
static const char *skip_part(const char *s)
{
    for (;;) {
        if (!is_low_alnum(*s)) {
            return NULL;
        }
        while (is_low_alnum(*s)) {
            s++;
        }
        size_t separator = separator_len(s);
        if (!separator) {
            return s;
        }
        s += separator;
    }
}

bool name_is_repository(const char *s)
{
    if (strlen(s) > NAME_MAX_LEN) {
        return false;
    }
    while ((s = skip_part(s)) && *s == '/') {
        s++;
    }
    return s && !*s;
}

bool name_is_tag(const char *s)
{
    static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t len = strlen(s), first = strspn(s, alnum);
    if (!first || len > TAG_MAX_LEN) {
        return false;
    }
    for (size_t i = first; i < len; i++) {
        if (s[i] != '.' && s[i] != '-' && !strchr(alnum, s[i])) {
            return false;
        }
    }
    return true;
}

static bool is_hex(const char *s, size_t digits)
{
    return strspn(s, "0123456789abcdef") == digits && !s[digits];
}

bool name_is_digest(const char *s)
{
    return (strncmp(s, "sha256:", strlen("sha256:")) == 0 && is_hex(s + 7, 64)) ||
           (strncmp(s, "sha512:", strlen("sha512:")) == 0 && is_hex(s + 7, 128));
}

bool name_is_upload(const char *s)
{
    return is_hex(s, UPLOAD_ID_CHARS);
}

/* Digits at *s; moves *s behind them. */
static bool take_number(const char **s, uint64_t *out)
{
    const char *start = *s;
    *out = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++) {
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(**s - '0'), out)) {
            return false;
        }
    }
    return *s != start;
}

bool name_content_range(const char *s, uint64_t *start, uint64_t *end)
{
    uint64_t total = UINT64_MAX;
    if (strncmp(s, "bytes ", strlen("bytes ")) == 0) {
        s += strlen("bytes ");
    }
    if (!take_number(&s, start) || *s++ != '-' || !take_number(&s, end)) {
        return false;
    }
    if (*s == '/' && strcmp(s, "/*") != 0) {
        s++;
        if (!take_number(&s, &total)) {
            return false;
        }
    } else if (*s == '/') {
        s += 2;
    }
    return !*s && *start <= *end && *end < total;
}

static enum range_kind last_bytes(const char *s, uint64_t size, uint64_t *from, uint64_t *len)
{
    uint64_t count;
    if (!take_number(&s, &count) || *s) {
        return RANGE_ALL;
    }
    if (!count || !size) {
        return RANGE_BEYOND;
    }
    *len = min_u64(count, size);
    *from = size - *len;
    return RANGE_PART;
}

bool name_number(const char *s, uint64_t *out)
{
    return take_number(&s, out) && !*s;
}

enum range_kind name_range(const char *header, uint64_t size, uint64_t *from, uint64_t *len)
{
    const char *s = header;
    uint64_t first, last = UINT64_MAX - 1;
    *from = 0;
    *len = size;
    if (!s || strncmp(s, "bytes=", strlen("bytes=")) != 0) {
        return RANGE_ALL;
    }
    s += strlen("bytes=");
    if (*s == '-') {
        return last_bytes(s + 1, size, from, len);
    }
    if (!take_number(&s, &first) || *s++ != '-') {
        return RANGE_ALL;
    }
    if ((*s && !take_number(&s, &last)) || *s || last < first) {
        return RANGE_ALL;
    }
    if (first >= size) {
        return RANGE_BEYOND;
    }
    *from = first;
    *len = min_u64(last, size - 1) - first + 1;
    return RANGE_PART;
}
