/* Members and methods of values, and the few functions that have no owner. */
#include <math.h>
#include <string.h>

#include "server/api/lambda_priv.h"

#define NONE ((size_t)-1)

struct call {
    struct run *r;
    struct value of;
    const struct value *args;
    size_t count;
};

static struct value argument(const struct call *c, size_t i)
{
    return i < c->count ? c->args[i] : (struct value){0};
}

static struct value text_argument(const struct call *c, size_t i)
{
    struct value v = value_to_string(c->r, argument(c, i));
    return c->r->has_failed ? value_text("", 0) : v;
}

/* --- positions: JavaScript counts UTF-16 units ---------------------------------------------------
 */

static size_t units_of(const char *s, size_t len)
{
    size_t units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        units += (c & 0xc0) != 0x80; /* the first byte of a character */
        units += c >= 0xf0;          /* beyond U+FFFF: two units */
    }
    return units;
}

static size_t byte_at(struct value s, size_t unit)
{
    size_t i = 0;
    for (size_t units = 0; i < s.text.len && units < unit; i++) {
        size_t next = i + 1;
        while (next < s.text.len && ((unsigned char)s.text.data[next] & 0xc0) == 0x80) {
            next++;
        }
        units += (unsigned char)s.text.data[i] >= 0xf0 ? 2 : 1;
        i = next - 1;
    }
    return i;
}

/* An index argument within [0, size]; negative ones count from the end when `from_end`. */
static size_t position(struct value v, size_t size, size_t absent, bool from_end)
{
    if (v.kind == VALUE_UNDEFINED) {
        return absent;
    }
    double n = trunc(value_to_number(v));
    if (isnan(n)) {
        return 0;
    }
    n = n < 0 && from_end ? n + (double)size : n;
    return n < 0 ? 0 : n > (double)size ? size : (size_t)n;
}

/* --- texts ---------------------------------------------------------------------------------------
 */

static size_t find(struct value hay, struct value needle)
{
    if (!needle.text.len) {
        return 0;
    }
    const char *at = memmem(hay.text.data, hay.text.len, needle.text.data, needle.text.len);
    return at ? (size_t)(at - hay.text.data) : NONE;
}

static struct value text_includes(const struct call *c)
{
    return value_flag(find(c->of, text_argument(c, 0)) != NONE);
}

static struct value text_index_of(const struct call *c)
{
    size_t at = find(c->of, text_argument(c, 0));
    return value_number(at == NONE ? -1 : (double)units_of(c->of.text.data, at));
}

static struct value text_starts_with(const struct call *c)
{
    struct value s = text_argument(c, 0);
    return value_flag(s.text.len <= c->of.text.len &&
                      memcmp(c->of.text.data, s.text.data, s.text.len) == 0);
}

static struct value text_ends_with(const struct call *c)
{
    struct value s = text_argument(c, 0), t = c->of;
    return value_flag(s.text.len <= t.text.len &&
                      memcmp(t.text.data + t.text.len - s.text.len, s.text.data, s.text.len) == 0);
}

static struct value with_case(const struct call *c, char first, char last, int shift)
{
    char *data = run_alloc(c->r, c->of.text.len + 1);
    for (size_t i = 0; data && i < c->of.text.len; i++) {
        char ch = c->of.text.data[i];
        data[i] = ch >= first && ch <= last ? (char)(ch + shift) : ch;
    }
    return data ? value_text(data, c->of.text.len) : (struct value){0};
}

static struct value text_lower(const struct call *c)
{
    return with_case(c, 'A', 'Z', 'a' - 'A');
}

static struct value text_upper(const struct call *c)
{
    return with_case(c, 'a', 'z', 'A' - 'a');
}

static struct value text_trim(const struct call *c)
{
    const char *s = c->of.text.data;
    size_t len = c->of.text.len;
    while (len && memchr(" \t\r\n\v\f", s[0], 6)) {
        s++;
        len--;
    }
    while (len && memchr(" \t\r\n\v\f", s[len - 1], 6)) {
        len--;
    }
    return value_text(s, len);
}

static struct value part(struct value s, size_t from, size_t to)
{
    size_t start = byte_at(s, from), end = byte_at(s, to);
    return value_text(s.text.data + start, end > start ? end - start : 0);
}

static struct value text_slice(const struct call *c)
{
    size_t size = units_of(c->of.text.data, c->of.text.len);
    return part(c->of, position(argument(c, 0), size, 0, true),
                position(argument(c, 1), size, size, true));
}

static struct value text_substring(const struct call *c)
{
    size_t size = units_of(c->of.text.data, c->of.text.len);
    size_t a = position(argument(c, 0), size, 0, false);
    size_t b = position(argument(c, 1), size, size, false);
    return part(c->of, a < b ? a : b, a < b ? b : a);
}

static struct value text_split(const struct call *c)
{
    struct value rest = c->of, by = text_argument(c, 0);
    size_t count = 0, cap = by.text.len ? c->of.text.len / by.text.len + 1 : 0;
    struct value *items = cap ? run_alloc(c->r, cap * sizeof *items) : NULL;
    if (!items) {
        return run_fail(c->r); /* into characters: not served */
    }
    for (size_t at; (at = find(rest, by)) != NONE;) {
        items[count++] = value_text(rest.text.data, at);
        rest = value_text(rest.text.data + at + by.text.len, rest.text.len - at - by.text.len);
    }
    items[count++] = rest;
    return (struct value){.kind = VALUE_ARRAY, .array = {items, count}};
}

static bool regex_finds(struct run *r, const struct node *regex, struct value s)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    bool found = false;
    if (data && limits) {
        pcre2_set_match_limit(limits, 100000);
        int n = pcre2_match(regex->regex, (PCRE2_SPTR)s.text.data, s.text.len, 0, 0, data, limits);
        found = n >= 0;
        r->has_failed |= n < 0 && n != PCRE2_ERROR_NOMATCH;
    }
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    return found;
}

/* Only whether there is one: groups are not served. */
static struct value text_match(const struct call *c)
{
    struct value re = argument(c, 0);
    if (re.kind != VALUE_REGEX) {
        return run_fail(c->r);
    }
    return regex_finds(c->r, re.regex, c->of)
               ? (struct value){.kind = VALUE_ARRAY, .array = {&c->of, 0}}
               : (struct value){.kind = VALUE_NULL};
}

static struct value regex_test(const struct call *c)
{
    return value_flag(regex_finds(c->r, c->of.regex, text_argument(c, 0)));
}

static struct value to_text(const struct call *c)
{
    return value_to_string(c->r, c->of);
}

/* --- lists ---------------------------------------------------------------------------------------
 */

/* The callback's answer for an element. */
static struct value ask(const struct call *c, size_t i)
{
    struct value f = argument(c, 0), args[] = {c->of.array.items[i], value_number((double)i)};
    return f.kind == VALUE_FUNCTION ? lambda_call(c->r, f.function, args, 2) : run_fail(c->r);
}

/* The first element for which the callback answers `wanted`. */
static size_t first_that(const struct call *c, bool wanted)
{
    for (size_t i = 0; i < c->of.array.count && !c->r->has_failed; i++) {
        if (value_truth(ask(c, i)) == wanted) {
            return c->r->has_failed ? NONE : i;
        }
    }
    return NONE;
}

static struct value list_every(const struct call *c)
{
    return value_flag(first_that(c, false) == NONE);
}

static struct value list_some(const struct call *c)
{
    return value_flag(first_that(c, true) != NONE);
}

static struct value list_find(const struct call *c)
{
    size_t i = first_that(c, true);
    return i == NONE ? (struct value){0} : c->of.array.items[i];
}

static struct value mapped(const struct call *c, bool keep)
{
    size_t count = 0;
    struct value *items = run_alloc(c->r, (c->of.array.count + 1) * sizeof *items);
    for (size_t i = 0; items && i < c->of.array.count && !c->r->has_failed; i++) {
        struct value answer = ask(c, i);
        if (!keep) {
            items[count++] = answer;
        } else if (value_truth(answer)) {
            items[count++] = c->of.array.items[i];
        }
    }
    return items ? (struct value){.kind = VALUE_ARRAY, .array = {items, count}} : (struct value){0};
}

static struct value list_filter(const struct call *c)
{
    return mapped(c, true);
}

static struct value list_map(const struct call *c)
{
    return mapped(c, false);
}

static size_t list_find_value(const struct call *c)
{
    for (size_t i = 0; i < c->of.array.count; i++) {
        if (value_same(c->of.array.items[i], argument(c, 0))) {
            return i;
        }
    }
    return NONE;
}

static struct value list_includes(const struct call *c)
{
    return value_flag(list_find_value(c) != NONE);
}

static struct value list_index_of(const struct call *c)
{
    size_t i = list_find_value(c);
    return value_number(i == NONE ? -1 : (double)i);
}

/* --- tables --------------------------------------------------------------------------------------
 */

static const struct {
    enum value_kind of;
    const char *name;
    struct value (*run)(const struct call *c);
} methods[] = {
    {VALUE_STRING, "includes", text_includes},
    {VALUE_STRING, "indexOf", text_index_of},
    {VALUE_STRING, "startsWith", text_starts_with},
    {VALUE_STRING, "endsWith", text_ends_with},
    {VALUE_STRING, "toLowerCase", text_lower},
    {VALUE_STRING, "toUpperCase", text_upper},
    {VALUE_STRING, "trim", text_trim},
    {VALUE_STRING, "slice", text_slice},
    {VALUE_STRING, "substring", text_substring},
    {VALUE_STRING, "split", text_split},
    {VALUE_STRING, "match", text_match},
    {VALUE_STRING, "toString", to_text},
    {VALUE_NUMBER, "toString", to_text},
    {VALUE_BOOL, "toString", to_text},
    {VALUE_REGEX, "test", regex_test},
    {VALUE_ARRAY, "every", list_every},
    {VALUE_ARRAY, "some", list_some},
    {VALUE_ARRAY, "find", list_find},
    {VALUE_ARRAY, "filter", list_filter},
    {VALUE_ARRAY, "map", list_map},
    {VALUE_ARRAY, "includes", list_includes},
    {VALUE_ARRAY, "indexOf", list_index_of},
};

bool lambda_is_method(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return true;
        }
    }
    return strcmp(name, "isArray") == 0;
}

struct value lambda_method(struct run *r, struct value of, const struct node *name,
                           const struct value *args, size_t count)
{
    const struct call c = {r, of, args, count};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (methods[i].of == of.kind && strcmp(methods[i].name, name->text) == 0) {
            return methods[i].run(&c);
        }
    }
    return run_fail(r);
}

struct value lambda_member(struct run *r, struct value of, const char *name, size_t len)
{
    bool is_length = len == strlen("length") && memcmp(name, "length", len) == 0;
    switch (of.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NULL:
        return run_fail(r);
    case VALUE_STRING:
        return is_length ? value_number((double)units_of(of.text.data, of.text.len))
                         : (struct value){0};
    case VALUE_ARRAY:
        return is_length ? value_number((double)of.array.count) : (struct value){0};
    case VALUE_OBJECT:
        return value_of_json(r, json_object_getn(of.object, name, len));
    default:
        return (struct value){0};
    }
}

static bool is_list_check(const struct node *callee)
{
    return callee->kind == NODE_MEMBER && callee->kids[0]->kind == NODE_NAME &&
           strcmp(callee->kids[0]->text, "Array") == 0 && strcmp(callee->text, "isArray") == 0;
}

static const char *const converters[] = {"String", "Number", "Boolean"};

bool lambda_is_global(const struct node *callee)
{
    for (size_t i = 0; callee->kind == NODE_NAME && i < ARRAY_LEN(converters); i++) {
        if (strcmp(callee->text, converters[i]) == 0) {
            return true;
        }
    }
    return is_list_check(callee);
}

struct value lambda_global(struct run *r, const struct node *callee, const struct value *args,
                           size_t count)
{
    struct value v = count ? args[0] : (struct value){0};
    if (callee->kind == NODE_MEMBER) {
        return value_flag(v.kind == VALUE_ARRAY);
    }
    if (callee->text[0] == 'S') {
        return count ? value_to_string(r, v) : value_text("", 0);
    }
    return callee->text[0] == 'N' ? value_number(count ? value_to_number(v) : 0)
                                  : value_flag(value_truth(v));
}
