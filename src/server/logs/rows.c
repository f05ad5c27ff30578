/* Rows of a query: checked when they are made, then asked of each event. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/logs/query.h"
#include "store/json_lenient.h"

const char *row_op_name(enum row_op op)
{
    static const char *const names[OP_COUNT] = {
        [OP_CONTAINS] = "contains", [OP_EXCLUDES] = "excludes", [OP_IS] = "is",
        [OP_IS_NOT] = "is_not",     [OP_MATCHES] = "matches",   [OP_BEFORE] = "before",
        [OP_AFTER] = "after"};
    return names[op];
}

int row_field_of(const char *name, struct row *r)
{
    static const struct {
        const char *name;
        int field;
    } others[] = {{"universe", ROW_UNIVERSE}, {"time", ROW_TIME}, {"any", ROW_ANY}};
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (strcmp(name, event_field_name((enum event_field)f)) == 0) {
            r->field = f;
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (strcmp(name, others[i].name) == 0) {
            r->field = others[i].field;
            return 0;
        }
    }
    if (name[0] != '.' || !name[1]) {
        return -1;
    }
    r->field = ROW_PATH;
    r->path = mem_strdup(name);
    return 0;
}

/* "17", "-3.5"; true and false count as 1 and 0. */
static bool number_of(const char *text, size_t len, double *out)
{
    char copy[64], *end;
    if (len == 0 || len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = 0;
    if (strcmp(copy, "true") == 0 || strcmp(copy, "false") == 0) {
        *out = copy[0] == 't';
        return true;
    }
    if (strspn(copy, "+-.0123456789eE") != len) {
        return false; /* no "nan", no hexadecimal */
    }
    *out = strtod(copy, &end);
    return *end == 0 && isfinite(*out);
}

int row_finish(struct row *r, struct err *err)
{
    size_t len = strlen(r->value);
    r->is_number = number_of(r->value, len, &r->number);
    bool by_number = r->op == OP_BEFORE || r->op == OP_AFTER || r->field == ROW_TIME;
    if (len > QUERY_VALUE_MAX) {
        return err_set(err, ERR_USAGE, "a value is longer than %u bytes", QUERY_VALUE_MAX);
    }
    if (by_number && !r->is_number) {
        return err_set(err, ERR_USAGE, "`%s` needs a number, and `%s` is none",
                       r->field == ROW_TIME ? "time" : row_op_name(r->op), r->value);
    }
    if (r->op == OP_CONTAINS && len == 0) {
        return err_set(err, ERR_USAGE, "`contains` needs a text: every line contains nothing");
    }
    if (r->op == OP_MATCHES) {
        int code = regcomp(&r->regex, r->value, REG_EXTENDED | REG_NOSUB);
        if (code) {
            char why[128];
            regerror(code, &r->regex, why, sizeof why);
            return err_set(err, ERR_USAGE, "the expression `%s` is wrong: %s", r->value, why);
        }
        r->has_regex = true;
    }
    return 0;
}

/* --- matching --------------------------------------------------------------------------------- */

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static bool equal_folded(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (fold((unsigned char)a[i]) != fold((unsigned char)b[i])) {
            return false;
        }
    }
    return true;
}

/* Without regard to ASCII case. */
static bool contains(struct text t, const char *what)
{
    size_t len = strlen(what);
    unsigned char first = fold((unsigned char)what[0]);
    if (len == 0) {
        return true;
    }
    for (size_t i = 0; i + len <= t.len; i++) {
        if (fold((unsigned char)t.data[i]) == first && equal_folded(t.data + i, what, len)) {
            return true;
        }
    }
    return false;
}

static bool is_equal(const struct row *r, struct text t)
{
    double number;
    return (t.len == strlen(r->value) && memcmp(t.data, r->value, t.len) == 0) ||
           (r->is_number && number_of(t.data, t.len, &number) && number == r->number);
}

static bool matches_regex(const struct row *r, struct text t)
{
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)min_u64(t.len, 1u << 20)};
    return regexec(&r->regex, t.data, 1, &range, REG_STARTEND) == 0;
}

static bool match_text(const struct row *r, struct text t)
{
    double number;
    if (!t.data) {
        return false;
    }
    switch (r->op) {
    case OP_CONTAINS:
        return contains(t, r->value);
    case OP_EXCLUDES:
        return !contains(t, r->value);
    case OP_IS:
        return is_equal(r, t);
    case OP_IS_NOT:
        return !is_equal(r, t);
    case OP_MATCHES:
        return matches_regex(r, t);
    case OP_BEFORE:
        return number_of(t.data, t.len, &number) && number < r->number;
    case OP_AFTER:
        return number_of(t.data, t.len, &number) && number > r->number;
    default:
        return false;
    }
}

static bool match_number(const struct row *r, double number)
{
    switch (r->op) {
    case OP_IS:
        return number == r->number;
    case OP_IS_NOT:
        return number != r->number;
    case OP_BEFORE:
        return number < r->number;
    case OP_AFTER:
        return number > r->number;
    default:
        return false;
    }
}

/* ".a.0.b": members and positions. */
static const json_t *at_path(const json_t *doc, const char *path)
{
    while (doc && *path == '.') {
        char name[256];
        size_t len = strcspn(++path, ".");
        if (len == 0 || len >= sizeof name) {
            return NULL;
        }
        memcpy(name, path, len);
        name[len] = 0;
        doc = json_is_array(doc) ? json_array_get(doc, strtoul(name, NULL, 10))
                                 : json_object_get(doc, name);
        path += len;
    }
    return doc;
}

static bool match_path(const struct row *r, struct event_view *v)
{
    const json_t *value = at_path(event_view_doc(v), r->path);
    if (!value) {
        return false;
    }
    if (json_is_string(value)) {
        return match_text(r, (struct text){json_string_value(value), json_string_length(value)});
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    bool yes = text && match_text(r, (struct text){text, strlen(text)});
    free(text);
    return yes;
}

static bool match_any(const struct row *r, struct event_view *v)
{
    static const enum event_field fields[] = {FIELD_TEXT, FIELD_PROPERTY, FIELD_COMMAND,
                                              FIELD_FUNCTION};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (match_text(r, event_view_field(v, fields[i]))) {
            return true;
        }
    }
    return false;
}

static bool row_matches(const struct row *r, struct event_view *v)
{
    switch (r->field) {
    case ROW_UNIVERSE:
        return match_number(r, (double)event_view_universe(v));
    case ROW_TIME:
        return match_number(r, (double)event_view_event(v)->vtime_ns / 1e9);
    case ROW_PATH:
        return match_path(r, v);
    case ROW_ANY:
        return match_any(r, v);
    default:
        return match_text(r, event_view_field(v, (enum event_field)r->field));
    }
}

bool rows_match(const struct rows *rows, struct event_view *v)
{
    bool any = false, all = true;
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *r = &rows->items[i];
        if (r->is_or) {
            any |= all;
            all = true;
        }
        all = all && row_matches(r, v);
    }
    return any || all;
}
