#include "director/json_scan.h"

#include "base/str.h"

struct scan {
    const char *p, *end;
};

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) {
        s->p++;
    }
}

static bool take(struct scan *s, char c)
{
    skip_blanks(s);
    if (s->p < s->end && *s->p == c) {
        s->p++;
        return true;
    }
    return false;
}

static bool scan_string(struct scan *s, struct json_span *out)
{
    if (!take(s, '"')) {
        return false;
    }
    out->text = s->p;
    while (s->p < s->end && *s->p != '"') {
        s->p += *s->p == '\\' && s->end - s->p > 1 ? 2 : 1;
    }
    if (s->p >= s->end) {
        return false;
    }
    out->len = (size_t)(s->p - out->text);
    s->p++;
    return true;
}

/* Any value: strings are skipped whole, brackets only counted. */
static bool scan_value(struct scan *s, struct json_span *out)
{
    skip_blanks(s);
    out->text = s->p;
    unsigned depth = 0;
    while (s->p < s->end) {
        char c = *s->p;
        struct json_span ignored;
        if (c == '"') {
            if (!scan_string(s, &ignored)) {
                return false;
            }
            if (depth == 0) {
                break;
            }
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                break;
            }
            if (--depth == 0) {
                s->p++;
                break;
            }
        } else if (c == ',' && depth == 0) {
            break;
        }
        s->p++;
    }
    out->len = (size_t)(s->p - out->text);
    return out->len > 0;
}

bool json_member(struct json_span in, const char *key, struct json_span *value)
{
    struct scan s = {in.text, in.text + in.len};
    struct json_span name;
    if (!take(&s, '{')) {
        return false;
    }
    do {
        if (!scan_string(&s, &name) || !take(&s, ':') || !scan_value(&s, value)) {
            return false;
        }
        if (name.len == str_len(key) && memcmp(name.text, key, name.len) == 0) {
            return true;
        }
    } while (take(&s, ','));
    return false;
}

bool json_is_string(struct json_span value, const char *s)
{
    struct scan sc = {value.text, value.text + value.len};
    struct json_span text;
    return scan_string(&sc, &text) && text.len == str_len(s) && memcmp(text.text, s, text.len) == 0;
}
