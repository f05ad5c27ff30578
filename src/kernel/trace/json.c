#include "base/str.h"
#include "base/utf8.h"
#include "kernel/trace/trace.h"

void json_init(struct json *j, char *buf, size_t cap)
{
    *j = (struct json){.buf = buf, .cap = cap};
}

static void put(struct json *j, const char *s, size_t n)
{
    ASSERT(j->len + n < j->cap);
    memcpy(j->buf + j->len, s, n);
    j->len += n;
    j->buf[j->len] = 0;
}

static void put_string(struct json *j, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    put(j, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence(s + i, len - i);
        char esc[8];
        if (n == 0) {
            put(j, "\\ufffd", 6);
            i++;
        } else if (s[i] == '"' || s[i] == '\\') {
            esc[0] = '\\';
            esc[1] = (char)s[i++];
            put(j, esc, 2);
        } else if (s[i] == '\n') {
            put(j, "\\n", 2);
            i++;
        } else if (s[i] < 0x20 || s[i] == 0x7f) {
            put(j, esc, str_format(esc, sizeof esc, "\\u%04x", s[i++]));
        } else {
            put(j, text + i, n);
            i += n;
        }
    }
    put(j, "\"", 1);
}

static void begin(struct json *j, const char *key)
{
    if (j->comma) {
        put(j, ",", 1);
    }
    if (key) {
        put_string(j, key, str_len(key));
        put(j, ":", 1);
    }
    j->comma = true;
}

void json_open(struct json *j, const char *key, char bracket)
{
    begin(j, key);
    put(j, &bracket, 1);
    j->comma = false;
}

void json_close(struct json *j, char bracket)
{
    put(j, &bracket, 1);
    j->comma = true;
}

void json_str(struct json *j, const char *key, const char *s, size_t len)
{
    begin(j, key);
    put_string(j, s, len);
}

void json_cstr(struct json *j, const char *key, const char *s)
{
    json_str(j, key, s, str_len(s));
}

void json_int(struct json *j, const char *key, int64_t v)
{
    char text[24];
    begin(j, key);
    put(j, text, str_format(text, sizeof text, "%ld", (long)v));
}

void json_bool(struct json *j, const char *key, bool v)
{
    begin(j, key);
    put(j, v ? "true" : "false", v ? 4 : 5);
}

void json_seconds(struct json *j, const char *key, uint64_t ns, unsigned digits)
{
    char text[40];
    uint64_t unit = 1000000000ull;
    for (unsigned i = 0; i < digits && i < 9; i++) {
        unit /= 10;
    }
    begin(j, key);
    size_t n = digits ? str_format(text, sizeof text, "%lu.%0*lu", (unsigned long)(ns / 1000000000),
                                   (int)digits, (unsigned long)(ns % 1000000000 / unit))
                      : str_format(text, sizeof text, "%lu", (unsigned long)(ns / 1000000000));
    put(j, text, n);
}
