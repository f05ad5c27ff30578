/* Part of everett.h: JSON documents (RFC 8259) written from details. */
#ifndef EVERETT_IMPL_JSON_H
#define EVERETT_IMPL_JSON_H

#include "everett/impl/send.h"
#include "everett/impl/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A growing text. When memory runs out it becomes empty and stays so; everett_text_send then says
 * that a message was lost. */
struct everett_text {
    char *bytes;
    size_t length, size;
    bool failed;
};

void everett_text_add(struct everett_text *text, const char *bytes, size_t length);
void everett_text_string(struct everett_text *text, const char *s);
void everett_text_value(struct everett_text *text, const struct everett_value *value);
void everett_text_send(struct everett_text *text);

EVERETT_SHARED void everett_text_add(struct everett_text *text, const char *bytes, size_t length)
{
    if (text->length + length + 1 > text->size && !text->failed) {
        size_t size = (text->length + length + 1) * 2 + 512;
        char *grown = (char *)realloc(text->bytes, size);
        text->failed = grown == NULL;
        text->bytes = text->failed ? text->bytes : grown;
        text->size = text->failed ? text->size : size;
    }
    if (!text->failed) {
        memcpy(text->bytes + text->length, bytes, length);
        text->length += length;
    }
}

static inline void everett_text_put(struct everett_text *text, const char *s)
{
    everett_text_add(text, s, strlen(s));
}

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629), or 0. The terminating NUL is no
 * continuation byte, so it also ends a cut-off sequence. */
static inline size_t everett_utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    size_t n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

/* Bytes that are no UTF-8 become U+FFFD: a document must be valid whatever a program holds. */
EVERETT_SHARED void everett_text_string(struct everett_text *text, const char *s)
{
    everett_text_put(text, "\"");
    while (*s != '\0') {
        size_t n = everett_utf8_length((const unsigned char *)s);
        if (n == 0) {
            everett_text_put(text, "\\ufffd");
            n = 1;
        } else if ((unsigned char)*s < 0x20) {
            char escape[8];
            snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)*s);
            everett_text_put(text, escape);
        } else {
            if (*s == '"' || *s == '\\') {
                everett_text_put(text, "\\");
            }
            everett_text_add(text, s, n);
        }
        s += n;
    }
    everett_text_put(text, "\"");
}

/* The shortest of 15 to 17 digits that reads back equal. JSON has no infinities: they and NaN go as
 * strings. The program's locale may have another decimal point. */
static inline void everett_text_double(struct everett_text *text, double value)
{
    char digits[40];
    if (value != value || value - value != 0) {
        everett_text_put(text, value != value ? "\"NaN\""
                                              : (value > 0 ? "\"Infinity\"" : "\"-Infinity\""));
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value) {
            break;
        }
    }
    for (char *c = digits; *c != '\0'; c++) {
        bool number = (*c >= '0' && *c <= '9') || *c == '-' || *c == '+' || *c == 'e';
        *c = number ? *c : '.';
    }
    everett_text_put(text, digits);
}

EVERETT_SHARED void everett_text_value(struct everett_text *text, const struct everett_value *value)
{
    char digits[24];
    if (value->kind == EVERETT_DOUBLE) {
        everett_text_double(text, value->d);
    } else if (value->kind == EVERETT_BOOL) {
        everett_text_put(text, value->i != 0 ? "true" : "false");
    } else if (value->kind == EVERETT_STRING && value->s != NULL) {
        everett_text_string(text, value->s);
    } else if (value->kind == EVERETT_JSON && value->s != NULL) {
        everett_text_put(text, value->s);
    } else if (value->kind == EVERETT_INT) {
        snprintf(digits, sizeof(digits), "%lld", (long long)value->i);
        everett_text_put(text, digits);
    } else if (value->kind == EVERETT_UINT) {
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value->u);
        everett_text_put(text, digits);
    } else {
        everett_text_put(text, "null");
    }
}

/* `"name":value` pairs with commas between; `more` says that some came before. */
static inline bool everett_text_pairs(struct everett_text *text, const struct everett_pair *pairs,
                                      size_t count, bool more)
{
    for (size_t i = 0; i < count; i++) {
        if (pairs[i].value.kind != EVERETT_END) {
            everett_text_put(text, more ? "," : "");
            everett_text_string(text, pairs[i].name);
            everett_text_put(text, ":");
            everett_text_value(text, &pairs[i].value);
            more = true;
        }
    }
    return more;
}

/* Sends the document and frees it. */
EVERETT_SHARED void everett_text_send(struct everett_text *text)
{
    static const char lost[] =
        "{\"antithesis_error\":{\"message\":\"everett.h: no memory for a message\",\"code\":12}}\n";
    everett_text_add(text, "\n", 1);
    if (text->failed) {
        everett_sink_send(lost, sizeof(lost) - 2);
    } else {
        everett_sink_send(text->bytes, text->length - 1);
    }
    free(text->bytes);
}

#ifdef __cplusplus
}
#endif

#endif
