/* The table walk, and the functions for plain field types. */
#include "compose/read.h"

#include <string.h>

#include "compose/paths.h"
#include "compose/units.h"
#include "compose/words.h"

struct mark mark_at(const struct reader *r, uint32_t line, uint32_t col)
{
    return (struct mark){r->source, line, col};
}

void path_push(struct reader *r, const char *key)
{
    ASSERT(r->depth < PATH_DEPTH_MAX);
    r->path[r->depth++] = key;
}

void path_pop(struct reader *r)
{
    ASSERT(r->depth > 0);
    r->depth--;
}

const char *path_text(struct reader *r)
{
    const char *text = "";
    for (size_t i = 0; i < r->depth; i++) {
        text = pool_printf(r->pool, "%s%s%s", text, i ? "." : "", r->path[i]);
    }
    return text;
}

void read_note(struct reader *r, enum compose_class class, struct mark at, const char *reason)
{
    struct compose_project *p = r->project;
    struct compose_note *n = POOL_PUSH(r->pool, p->notes, p->note_count, p->note_cap);
    n->class = class;
    n->path = pool_strdup(r->pool, path_text(r));
    n->reason = reason;
    n->line = at.line;
    n->col = at.col;
}

static const struct key_rule *find_rule(const struct key_rule *rules, const char *name)
{
    for (; rules->name; rules++) {
        if (strcmp(rules->name, name) == 0) {
            return rules;
        }
    }
    return NULL;
}

static int unknown_key(struct reader *r, const struct ynode *key, const struct key_rule *rules,
                       const char *what)
{
    size_t count = 0;
    while (rules[count].name) {
        count++;
    }
    const char *near = suggest_name(key->text, rules, count, sizeof *rules);
    const char *hint = near ? pool_printf(r->pool, "did you mean `%s`?", near) : NULL;
    return diag_error(&r->diags, key->at, hint, "unknown key `%s` in %s", key->text, what);
}

static int read_key(struct reader *r, const struct ypair *pair, const struct key_rule *rules,
                    void *obj, const char *what)
{
    const struct key_rule *rule = find_rule(rules, pair->key->text);
    if (!rule) {
        return unknown_key(r, pair->key, rules, what);
    }
    if (ynode_is_null(pair->value)) {
        return 0;
    }
    read_note(r, rule->class, pair->key->at, rule->reason);
    if (rule->class == COMPOSE_REFUSED) {
        return diag_error(&r->diags, pair->key->at, NULL, "`%s` in %s is refused: %s", rule->name,
                          what, rule->reason);
    }
    return rule->read ? rule->read(r, rule, (char *)obj + rule->offset, pair->value) : 0;
}

int read_map(struct reader *r, const struct ynode *map, const struct key_rule *rules, void *obj,
             const char *what)
{
    if (expect_kind(r, map, YNODE_MAP)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (is_extension(&map->pairs[i])) {
            continue;
        }
        path_push(r, map->pairs[i].key->text);
        if (read_key(r, &map->pairs[i], rules, obj, what)) {
            rc = -1; /* go on: all errors are shown at once */
        }
        path_pop(r);
    }
    return rc;
}

bool is_extension(const struct ypair *pair)
{
    return strncmp(pair->key->text, "x-", 2) == 0;
}

int expect_kind(struct reader *r, const struct ynode *v, enum ynode_kind kind)
{
    static const char *const names[] = {
        [YNODE_SCALAR] = "text", [YNODE_SEQ] = "a list", [YNODE_MAP] = "a mapping"};
    if (v->kind == kind) {
        return 0;
    }
    return diag_error(&r->diags, v->at, NULL, "`%s` must be %s, not %s", path_text(r), names[kind],
                      ynode_kind_name(v));
}

const char *scalar_text(struct reader *r, const struct ynode *v)
{
    if (expect_kind(r, v, YNODE_SCALAR)) {
        return NULL;
    }
    if (ynode_is_null(v)) {
        diag_error(&r->diags, v->at, NULL, "`%s` must not be empty", path_text(r));
        return NULL;
    }
    return v->text;
}

int read_string(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    *(char **)field = pool_strdup(r->pool, s);
    return 0;
}

int read_path(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (s[0] != '/') {
        return diag_error(&r->diags, v->at, NULL, "`%s` must be an absolute path, not `%s`",
                          path_text(r), s);
    }
    *(char **)field = path_normalise(r->pool, s);
    return 0;
}

int read_bool(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (parse_bool(s, field)) {
        return diag_error(&r->diags, v->at, NULL, "`%s` must be true or false, not `%s`",
                          path_text(r), s);
    }
    return 0;
}

static int read_number(struct reader *r, const struct ynode *v, int64_t min, int64_t max,
                       int64_t *out)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (parse_integer(s, min, max, out)) {
        return diag_error(&r->diags, v->at, NULL,
                          "`%s` must be a whole number from %lld to %lld, not `%s`", path_text(r),
                          (long long)min, (long long)max, s);
    }
    return 0;
}

int read_u32(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    int64_t n = 0;
    if (read_number(r, v, 0, UINT32_MAX, &n)) {
        return -1;
    }
    *(uint32_t *)field = (uint32_t)n;
    return 0;
}

int read_i64(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    return read_number(r, v, INT64_MIN, INT64_MAX, field);
}

int read_size(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (parse_size(s, field)) {
        return diag_error(&r->diags, v->at, "sizes read like `64m`, `1.5g` or a number of bytes",
                          "`%s` must be a size, not `%s`", path_text(r), s);
    }
    return 0;
}

int read_mode(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (parse_mode(s, field)) {
        return diag_error(&r->diags, v->at, "modes are octal, like `0440`",
                          "`%s` must be a file mode, not `%s`", path_text(r), s);
    }
    return 0;
}

int read_duration(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    int64_t plain = 0;
    if (!s) {
        return -1;
    }
    if (parse_duration(s, field) == 0) {
        return 0;
    }
    const char *hint = "durations read like `500ms`, `30s` or `1m30s`";
    if (parse_integer(s, 1, INT64_MAX, &plain) == 0) {
        hint = pool_printf(r->pool, "a unit is missing: write `%ss`", s);
    }
    return diag_error(&r->diags, v->at, hint, "`%s` must be a duration, not `%s`", path_text(r), s);
}

int read_ip(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (ip_parse(s, field)) {
        return diag_error(&r->diags, v->at, NULL, "`%s` must be an IP address, not `%s`",
                          path_text(r), s);
    }
    return 0;
}

void strings_add(struct reader *r, struct compose_strings *s, const char *text)
{
    *POOL_PUSH(r->pool, s->v, s->n, s->cap) = pool_strdup(r->pool, text);
}

bool strings_has(const struct compose_strings *s, const char *text)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->v[i], text) == 0) {
            return true;
        }
    }
    return false;
}

int read_strings(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_strings *out = field;
    if (v->kind == YNODE_SCALAR) {
        strings_add(r, out, v->text);
        return 0;
    }
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    for (size_t i = 0; i < v->count; i++) {
        const char *s = scalar_text(r, v->items[i]);
        if (!s) {
            return -1;
        }
        strings_add(r, out, s);
    }
    return 0;
}

static int split_words(struct reader *r, const struct ynode *v, struct compose_strings *out)
{
    const char *operator_at = NULL;
    switch (words_split(r->pool, v->text, out, &operator_at)) {
    case WORDS_OPEN_QUOTE:
        return diag_error(&r->diags, v->at, NULL, "a quote in `%s` is never closed", path_text(r));
    case WORDS_TRAILING_ESCAPE:
        return diag_error(&r->diags, v->at, NULL, "`%s` ends in a backslash", path_text(r));
    case WORDS_OK:
    default:
        break;
    }
    bool shell = out->n >= 2 && strcmp(out->v[1], "-c") == 0;
    if (operator_at && !shell) {
        diag_warn(&r->diags, v->at,
                  "no shell runs `%s`: `%.*s` is passed as a plain word; write "
                  "[\"sh\", \"-c\", \"...\"] if a shell is meant",
                  path_text(r), (int)strcspn(operator_at, " \t\r\n"), operator_at);
    }
    return 0;
}

int read_argv(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_argv *out = field;
    out->set = true;
    if (v->kind == YNODE_SCALAR) {
        return split_words(r, v, &out->words);
    }
    return read_strings(r, rule, &out->words, v);
}

void pairs_put(struct reader *r, struct compose_pairs *p, const char *name, const char *value)
{
    char *copy = value ? pool_strdup(r->pool, value) : NULL;
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->v[i].name, name) == 0) {
            p->v[i].value = copy;
            return;
        }
    }
    struct compose_pair *one = POOL_PUSH(r->pool, p->v, p->n, p->cap);
    one->name = pool_strdup(r->pool, name);
    one->value = copy;
}

const char *pairs_get(const struct compose_pairs *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->v[i].name, name) == 0) {
            return p->v[i].value;
        }
    }
    return NULL;
}

/* One item of the list form: NAME=value or NAME. */
static int read_pair_item(struct reader *r, struct compose_pairs *out, const struct ynode *item)
{
    const char *s = scalar_text(r, item);
    if (!s) {
        return -1;
    }
    const char *eq = strchr(s, '=');
    const char *name = eq ? pool_strndup(r->pool, s, (size_t)(eq - s)) : s;
    if (!*name) {
        return diag_error(&r->diags, item->at, NULL, "an entry of `%s` has no name", path_text(r));
    }
    pairs_put(r, out, name, eq ? eq + 1 : NULL);
    return 0;
}

int read_pairs(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_pairs *out = field;
    int rc = 0;
    if (v->kind == YNODE_SEQ) {
        for (size_t i = 0; i < v->count; i++) {
            rc |= read_pair_item(r, out, v->items[i]);
        }
        return rc;
    }
    if (v->kind != YNODE_MAP) {
        return diag_error(&r->diags, v->at, NULL,
                          "`%s` must be a mapping or a list of NAME=value, not %s", path_text(r),
                          ynode_kind_name(v));
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct ynode *value = v->pairs[i].value;
        path_push(r, v->pairs[i].key->text);
        if (!*v->pairs[i].key->text) {
            rc = diag_error(&r->diags, v->pairs[i].key->at, NULL, "an entry has no name");
        } else if (ynode_is_null(value)) {
            pairs_put(r, out, v->pairs[i].key->text, NULL);
        } else if (expect_kind(r, value, YNODE_SCALAR)) {
            rc = -1;
        } else {
            pairs_put(r, out, v->pairs[i].key->text, value->text);
        }
        path_pop(r);
    }
    return rc;
}
