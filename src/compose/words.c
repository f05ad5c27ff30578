#include "compose/words.h"

#include <string.h>

#include "base/buf.h"
#include "compose/pool.h"
#include "compose/service.h"

/* Inside double quotes a backslash keeps its meaning only before these (XCU 2.2.3). */
static bool escapes_in_double(char c)
{
    return c == '$' || c == '`' || c == '"' || c == '\\' || c == '\n';
}

static const char *read_single(const char *s, struct buf *word)
{
    const char *end = strchr(s, '\'');
    if (!end) {
        return NULL;
    }
    buf_append(word, s, (size_t)(end - s));
    return end + 1;
}

static const char *read_double(const char *s, struct buf *word)
{
    for (; *s && *s != '"'; s++) {
        if (*s == '\\' && escapes_in_double(s[1])) {
            s++;
            if (*s == '\n') {
                continue; /* line continuation */
            }
        }
        buf_putc(word, *s);
    }
    return *s ? s + 1 : NULL;
}

/* `2>` redirects as well as `>`. */
static bool is_operator(const char *s)
{
    size_t digits = strspn(s, "0123456789");
    if (digits) {
        return s[digits] == '<' || s[digits] == '>';
    }
    return strchr(";|<>&", *s) != NULL;
}

/* Reads one word at `*s` (not a blank) and moves `*s` behind it. */
static enum words_result read_word(const char **s, struct buf *word)
{
    const char *p = *s;
    while (*p && !strchr(" \t\r\n", *p)) {
        if (*p == '\'') {
            p = read_single(p + 1, word);
        } else if (*p == '"') {
            p = read_double(p + 1, word);
        } else if (*p == '\\') {
            if (p[1] == 0) {
                return WORDS_TRAILING_ESCAPE;
            }
            if (p[1] != '\n') {
                buf_putc(word, p[1]);
            }
            p += 2;
        } else {
            buf_putc(word, *p++);
        }
        if (!p) {
            return WORDS_OPEN_QUOTE;
        }
    }
    *s = p;
    return WORDS_OK;
}

enum words_result words_split(struct pool *pool, const char *text, struct compose_strings *out,
                              const char **operator_at)
{
    *operator_at = NULL;
    const char *s = text;
    for (;;) {
        s += strspn(s, " \t\r\n");
        if (*s == '\\' && s[1] == '\n') { /* a continuation between words makes no word */
            s += 2;
            continue;
        }
        if (!*s) {
            return WORDS_OK;
        }
        if (!*operator_at && is_operator(s)) {
            *operator_at = s;
        }
        struct buf word cleanup_buf = {0};
        enum words_result rc = read_word(&s, &word);
        if (rc != WORDS_OK) {
            return rc;
        }
        *POOL_PUSH(pool, out->v, out->n, out->cap) =
            pool_strndup(pool, word.data ? word.data : "", word.len);
    }
}
