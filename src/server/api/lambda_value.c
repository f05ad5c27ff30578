/* Values: from JSON, to truth, numbers and text, and when two are equal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/lambda_priv.h"

struct value value_text(const char *data, size_t len)
{
    return (struct value){.kind = VALUE_STRING, .text = {data, len}};
}

struct value value_number(double n)
{
    return (struct value){.kind = VALUE_NUMBER, .number = n};
}

struct value value_flag(bool flag)
{
    return (struct value){.kind = VALUE_BOOL, .flag = flag};
}

static struct value list_of_json(struct run *r, const json_t *v)
{
    size_t count = json_array_size(v);
    struct value *items = run_alloc(r, (count + 1) * sizeof *items);
    for (size_t i = 0; items && i < count; i++) {
        items[i] = value_of_json(r, json_array_get(v, i));
    }
    return items ? (struct value){.kind = VALUE_ARRAY, .array = {items, count}} : (struct value){0};
}

struct value value_of_json(struct run *r, const json_t *v)
{
    if (!v) {
        return (struct value){0};
    }
    switch (json_typeof(v)) {
    case JSON_NULL:
        return (struct value){.kind = VALUE_NULL};
    case JSON_TRUE:
    case JSON_FALSE:
        return value_flag(json_is_true(v));
    case JSON_INTEGER:
    case JSON_REAL:
        return value_number(json_number_value(v));
    case JSON_STRING:
        return value_text(json_string_value(v), json_string_length(v));
    case JSON_ARRAY:
        return list_of_json(r, v);
    case JSON_OBJECT:
        return (struct value){.kind = VALUE_OBJECT, .object = v};
    }
    return (struct value){0};
}

bool value_is_nullish(struct value v)
{
    return v.kind == VALUE_UNDEFINED || v.kind == VALUE_NULL;
}

bool value_truth(struct value v)
{
    switch (v.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        return v.flag;
    case VALUE_NUMBER:
        return !isnan(v.number) && v.number != 0;
    case VALUE_STRING:
        return v.text.len > 0;
    default:
        return true;
    }
}

/* Blanks around it are fine, an empty text is 0 (ECMAScript 7.1.4.1). */
static double number_of_text(const char *s, size_t len)
{
    char copy[64], *end;
    while (len && strchr(" \t\r\n", s[0])) {
        s++;
        len--;
    }
    while (len && strchr(" \t\r\n", s[len - 1])) {
        len--;
    }
    if (!len) {
        return 0;
    }
    if (len >= sizeof copy) {
        return NAN;
    }
    memcpy(copy, s, len);
    copy[len] = 0;
    double n = strtod(copy, &end);
    return *end || strpbrk(copy, "nNpP") ? NAN : n;
}

double value_to_number(struct value v)
{
    switch (v.kind) {
    case VALUE_NULL:
        return 0;
    case VALUE_BOOL:
        return v.flag;
    case VALUE_NUMBER:
        return v.number;
    case VALUE_STRING:
        return number_of_text(v.text.data, v.text.len);
    default:
        return NAN;
    }
}

static struct value copied(struct run *r, const char *s)
{
    size_t len = strlen(s);
    char *data = run_alloc(r, len + 1);
    if (!data) {
        return (struct value){0};
    }
    memcpy(data, s, len + 1);
    return value_text(data, len);
}

/* The shortest digits that mean this number. */
static struct value text_of_number(struct run *r, double n)
{
    char text[40];
    if (isnan(n) || isinf(n)) {
        return copied(r, isnan(n) ? "NaN" : n > 0 ? "Infinity" : "-Infinity");
    }
    if (n == floor(n) && fabs(n) < 1e21) {
        snprintf(text, sizeof text, "%.0f", n == 0 ? 0.0 : n);
        return copied(r, text);
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, n);
        if (strtod(text, NULL) == n) {
            break;
        }
    }
    return copied(r, text);
}

static struct value text_of_list(struct run *r, struct value v)
{
    struct value all = value_text("", 0);
    for (size_t i = 0; i < v.array.count && !r->has_failed; i++) {
        struct value one = value_is_nullish(v.array.items[i])
                               ? value_text("", 0)
                               : value_to_string(r, v.array.items[i]);
        size_t len = all.text.len + (i > 0) + one.text.len;
        char *data = r->has_failed ? NULL : run_alloc(r, len + 1);
        if (!data) {
            return (struct value){0};
        }
        memcpy(data, all.text.data, all.text.len);
        memcpy(data + all.text.len, ",", i > 0 ? 1 : 0);
        memcpy(data + all.text.len + (i > 0), one.text.data, one.text.len);
        all = value_text(data, len);
    }
    return all;
}

struct value value_to_string(struct run *r, struct value v)
{
    switch (v.kind) {
    case VALUE_UNDEFINED:
        return value_text("undefined", 9);
    case VALUE_NULL:
        return value_text("null", 4);
    case VALUE_BOOL:
        return v.flag ? value_text("true", 4) : value_text("false", 5);
    case VALUE_NUMBER:
        return text_of_number(r, v.number);
    case VALUE_STRING:
        return v;
    case VALUE_ARRAY:
        /* Lists in lists cannot be circular, but deep. */
        if (++r->depth > LAMBDA_DEPTH_MAX) {
            return run_fail(r);
        }
        v = text_of_list(r, v);
        r->depth--;
        return v;
    case VALUE_OBJECT:
        return value_text("[object Object]", 15);
    case VALUE_FUNCTION:
    case VALUE_REGEX:
        break;
    }
    return run_fail(r);
}

bool value_same(struct value a, struct value b)
{
    if (a.kind != b.kind) {
        return false;
    }
    switch (a.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a.flag == b.flag;
    case VALUE_NUMBER:
        return a.number == b.number;
    case VALUE_STRING:
        return a.text.len == b.text.len && memcmp(a.text.data, b.text.data, a.text.len) == 0;
    case VALUE_ARRAY:
        return a.array.items == b.array.items;
    case VALUE_OBJECT:
        return a.object == b.object;
    case VALUE_FUNCTION:
        return a.function == b.function;
    case VALUE_REGEX:
        return a.regex == b.regex;
    }
    return false;
}

static bool is_simple(struct value v)
{
    return v.kind == VALUE_BOOL || v.kind == VALUE_NUMBER || v.kind == VALUE_STRING;
}

bool value_equal(struct value a, struct value b)
{
    if (value_is_nullish(a) || value_is_nullish(b)) {
        return value_is_nullish(a) && value_is_nullish(b);
    }
    return a.kind != b.kind && is_simple(a) && is_simple(b)
               ? value_to_number(a) == value_to_number(b)
               : value_same(a, b);
}

const char *value_type_name(struct value v)
{
    static const char *const names[] = {
        [VALUE_UNDEFINED] = "undefined", [VALUE_NULL] = "object",       [VALUE_BOOL] = "boolean",
        [VALUE_NUMBER] = "number",       [VALUE_STRING] = "string",     [VALUE_ARRAY] = "object",
        [VALUE_OBJECT] = "object",       [VALUE_FUNCTION] = "function", [VALUE_REGEX] = "object"};
    return names[v.kind];
}
