/* Lenient JSON: strict parsing first; a failed document is rewritten into a valid one and retried.
 *
 * The rewriter walks the bytes once, mending what can be mended in place, and remembers the last
 * point at which everything before it was a complete value. A document that stops early is cut back
 * to that point and its brackets are closed: a string or number that may be incomplete is dropped,
 * never guessed. */
#include "store/json_lenient.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define DEPTH_MAX  256
#define LOAD_FLAGS (JSON_ALLOW_NUL | JSON_DECODE_ANY)

struct mender {
    const char *in;
    size_t len, at;
    struct buf out;
    char stack[DEPTH_MAX]; /* closing brackets owed */
    size_t depth;
    size_t safe; /* length of `out` up to the last complete value */
    bool done;   /* the top value is closed */
};

static unsigned hex4(const char *p)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 0x10000u;
        if (digit > 15) {
            return 0x10000;
        }
        value = value << 4 | digit;
    }
    return value;
}

/* At a backslash. Copies one escape, or its replacement. */
static void mend_escape(struct mender *m)
{
    const char *p = m->in + m->at;
    size_t left = m->len - m->at;
    if (left < 2) {
        m->at = m->len; /* the document ends inside the string */
        return;
    }
    if (p[1] != 'u') {
        if (strchr("\"\\/bfnrt", p[1])) {
            buf_append(&m->out, p, 2);
        } else {
            buf_puts(&m->out, "\\\\");
            m->at--; /* the character stands for itself */
        }
        m->at += 2;
        return;
    }
    unsigned high = left >= 6 ? hex4(p + 2) : 0x10000;
    unsigned low = left >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : 0x10000;
    bool pair = high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
    if (pair) {
        buf_append(&m->out, p, 12);
        m->at += 12;
    } else if (high < 0xd800 || (high >= 0xe000 && high < 0x10000)) {
        buf_append(&m->out, p, 6);
        m->at += 6;
    } else {
        buf_puts(&m->out, "\\ufffd");
        m->at += high < 0x10000 ? 6 : 2;
    }
}

/* At an opening quote: copies the string. Plain runs go through buf_json_string, which mends UTF-8
 * and control characters. */
static void mend_string(struct mender *m)
{
    buf_putc(&m->out, '"');
    m->at++;
    while (m->at < m->len && m->in[m->at] != '"') {
        if (m->in[m->at] == '\\') {
            mend_escape(m);
            continue;
        }
        size_t start = m->at;
        while (m->at < m->len && m->in[m->at] != '"' && m->in[m->at] != '\\') {
            m->at++;
        }
        cleanup_buf struct buf run = {0};
        buf_json_string(&run, m->in + start, m->at - start);
        buf_append(&m->out, run.data + 1, run.len - 2);
    }
    if (m->at < m->len) {
        buf_putc(&m->out, '"');
        m->at++;
    }
}

static bool mend_word(struct mender *m)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if (m->len - m->at >= n && memcmp(m->in + m->at, words[i], n) == 0) {
            buf_printf(&m->out, "\"%s\"", words[i]);
            m->at += n;
            return true;
        }
    }
    return false;
}

/* False when the document cannot be mended. */
static bool mend_structure(struct mender *m)
{
    char c = m->in[m->at++];
    if (c == ',') {
        m->safe = m->out.len;
    }
    buf_putc(&m->out, c);
    if (c == '{' || c == '[') {
        if (m->depth == DEPTH_MAX) {
            return false;
        }
        m->stack[m->depth++] = c == '{' ? '}' : ']';
        m->safe = m->out.len;
    } else if (c == '}' || c == ']') {
        if (m->depth == 0 || m->stack[m->depth - 1] != c) {
            return false;
        }
        m->depth--;
        m->safe = m->out.len;
        m->done = m->depth == 0;
    }
    return true;
}

static bool mend(struct mender *m)
{
    while (m->at < m->len && !m->done) {
        char c = m->in[m->at];
        if (c == '"') {
            mend_string(m);
        } else if (!mend_word(m) && !mend_structure(m)) {
            return false;
        }
    }
    if (!m->done) {
        m->out.len = m->safe;
        while (m->depth > 0) {
            buf_putc(&m->out, m->stack[--m->depth]);
        }
    }
    return m->out.len > 0;
}

json_t *json_lenient(const char *text, size_t len, bool *cut)
{
    *cut = false;
    json_t *doc = json_loadb(text, len, LOAD_FLAGS, NULL);
    if (doc) {
        return doc;
    }
    struct mender m = {.in = text, .len = len};
    if (mend(&m)) {
        *cut = !m.done;
        doc = json_loadb(m.out.data, m.out.len, LOAD_FLAGS, NULL);
        if (!doc) { /* integers beyond 64 bits */
            doc = json_loadb(m.out.data, m.out.len, LOAD_FLAGS | JSON_DECODE_INT_AS_REAL, NULL);
        }
    }
    buf_free(&m.out);
    return doc;
}

bool json_truthy(const json_t *value)
{
    const char *s = json_string_value(value);
    return json_is_true(value) || json_integer_value(value) != 0 ||
           (s && (strcmp(s, "true") == 0 || strcmp(s, "1") == 0));
}

bool json_to_i64(const json_t *value, int64_t *out)
{
    const char *s = json_string_value(value);
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (!s || !*s) {
        return false;
    }
    errno = 0;
    char *end = NULL;
    *out = strtoll(s, &end, 10);
    return errno == 0 && *end == 0;
}

bool json_to_double(const json_t *value, double *out)
{
    const char *s = json_string_value(value);
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    if (!s || !*s) {
        return false;
    }
    char *end = NULL;
    *out = strtod(s, &end); /* also reads the SDKs' "NaN" and "Infinity" */
    return *end == 0;
}

const char *json_text_member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}
