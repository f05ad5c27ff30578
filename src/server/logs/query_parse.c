/* Both written forms of a query, and its canonical text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/logs/query.h"
#include "server/logs/search.h"

#define WITHIN_MAX_S 1e9

static void rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct row *r = &rows->items[i];
        free(r->path);
        free(r->value);
        if (r->has_regex) {
            regfree(&r->regex);
        }
    }
    free(rows->items);
}

void search_free(struct search *q)
{
    if (q) {
        rows_fini(&q->where);
        rows_fini(&q->clause);
        free(q);
    }
}

static int no_such_field(const char *name, struct err *err)
{
    cleanup_buf struct buf names = {0};
    for (int f = 0; f < FIELD_COUNT; f++) {
        buf_printf(&names, "%s, ", event_field_name((enum event_field)f));
    }
    err_set(err, ERR_USAGE, "there is no field `%s`", name);
    return err_hint(err, "fields: %sany, time, universe, or a path such as .counter.value",
                    names.data);
}

static int find_op(const char *name, enum row_op *op)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(name, row_op_name((enum row_op)i)) == 0) {
            *op = (enum row_op)i;
            return 0;
        }
    }
    return -1;
}

/* Takes over `value`. */
static int add_row(struct rows *rows, const char *field, enum row_op op, char *value, bool is_or,
                   struct err *err)
{
    if (rows->count == QUERY_ROWS_MAX) {
        free(value);
        return err_set(err, ERR_USAGE, "a query has at most %u rows", QUERY_ROWS_MAX);
    }
    struct row *r = ARRAY_PUSH(rows->items, rows->count, rows->cap);
    *r = (struct row){.op = op, .value = value, .is_or = is_or};
    return row_field_of(field, r) ? no_such_field(field, err) : row_finish(r, err);
}

/* --- text ------------------------------------------------------------------------------------- */

struct reader {
    const char *start, *p;
    char *word; /* owned: the current one, NULL at the end */
    bool quoted;
};

static int at_place(const struct reader *r, struct err *err, const char *expected)
{
    return err_set(err, ERR_USAGE, "at character %zu of the query: expected %s, found %s%s%s",
                   (size_t)(r->p - r->start) + 1 - (r->word ? strlen(r->word) : 0), expected,
                   r->word ? "`" : "", r->word ? r->word : "the end", r->word ? "`" : "");
}

static int read_quoted(struct reader *r, struct buf *b, struct err *err)
{
    for (r->p++; *r->p != '"'; r->p++) {
        if (*r->p == '\\' && r->p[1]) {
            r->p++;
        }
        if (!*r->p) {
            return err_set(err, ERR_USAGE, "a quoted value of the query has no end");
        }
        buf_putc(b, *r->p);
    }
    r->p++;
    return 0;
}

static int next(struct reader *r, struct err *err)
{
    struct buf b = {0};
    free(r->word);
    r->word = NULL;
    r->p += strspn(r->p, " \t\r\n");
    r->quoted = *r->p == '"';
    if (!*r->p) {
        return 0;
    }
    if (r->quoted && read_quoted(r, &b, err)) {
        buf_free(&b);
        return -1;
    }
    if (!r->quoted) {
        size_t len = strcspn(r->p, " \t\r\n");
        buf_append(&b, r->p, len);
        r->p += len;
    }
    r->word = buf_steal(&b);
    return 0;
}

static bool at_word(const struct reader *r, const char *word)
{
    return r->word && !r->quoted && strcmp(r->word, word) == 0;
}

static bool at_clause(const struct reader *r)
{
    return at_word(r, "not") || at_word(r, "preceded") || at_word(r, "followed");
}

/* "is not" is a spelling of is_not. */
static int read_op(struct reader *r, enum row_op *op, struct err *err)
{
    if (!r->word || r->quoted || find_op(r->word, op)) {
        return at_place(r, err, "contains, excludes, is, is not, matches, before or after");
    }
    if (next(r, err)) {
        return -1;
    }
    if (*op == OP_IS && at_word(r, "not")) {
        *op = OP_IS_NOT;
        return next(r, err);
    }
    return 0;
}

static int read_row(struct reader *r, struct rows *rows, bool is_or, struct err *err)
{
    enum row_op op;
    if (!r->word || r->quoted) {
        return at_place(r, err, "a field");
    }
    cleanup_free char *field = mem_strdup(r->word);
    struct row probe = {0};
    int known = row_field_of(field, &probe);
    free(probe.path);
    if (known) {
        return no_such_field(field, err);
    }
    if (next(r, err) || read_op(r, &op, err)) {
        return -1;
    }
    if (!r->word) {
        return at_place(r, err, "a value");
    }
    char *value = r->word;
    r->word = NULL;
    return add_row(rows, field, op, value, is_or, err) ? -1 : next(r, err);
}

static int read_rows(struct reader *r, struct rows *rows, struct err *err)
{
    for (bool is_or = false;;) {
        if (read_row(r, rows, is_or, err)) {
            return -1;
        }
        if (!at_word(r, "and") && !at_word(r, "or")) {
            return 0;
        }
        is_or = at_word(r, "or");
        if (next(r, err)) {
            return -1;
        }
    }
}

static int read_within(struct reader *r, double *seconds, struct err *err)
{
    char *end = NULL;
    if (next(r, err)) {
        return -1;
    }
    *seconds = r->word ? strtod(r->word, &end) : 0;
    bool has_unit = end && (strcmp(end, "s") == 0 || !*end);
    if (!r->word || end == r->word || !has_unit || !(*seconds > 0) || *seconds > WITHIN_MAX_S) {
        return at_place(r, err, "a number of seconds behind `within`");
    }
    if (next(r, err)) {
        return -1;
    }
    return at_word(r, "s") || at_word(r, "seconds") ? next(r, err) : 0;
}

static int read_clause(struct reader *r, struct search *q, struct err *err)
{
    q->has_clause = true;
    q->is_negated = at_word(r, "not");
    if (q->is_negated && next(r, err)) {
        return -1;
    }
    q->looks_ahead = at_word(r, "followed");
    if (!q->looks_ahead && !at_word(r, "preceded")) {
        return at_place(r, err, "preceded by or followed by");
    }
    if (next(r, err)) {
        return -1;
    }
    if (!at_word(r, "by")) {
        return at_place(r, err, "by");
    }
    if (next(r, err) || read_rows(r, &q->clause, err)) {
        return -1;
    }
    return at_word(r, "within") ? read_within(r, &q->within_s, err) : 0;
}

static int parse_text(const char *text, struct search *q, struct err *err)
{
    struct reader r = {.start = text, .p = text};
    int status =
        next(&r, err) || read_rows(&r, &q->where, err) || (at_clause(&r) && read_clause(&r, q, err))
            ? -1
            : 0;
    if (status == 0 && r.word) {
        status = at_place(&r, err, q->has_clause ? "the end" : "and, or, preceded by, followed by");
    }
    free(r.word);
    return status;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static char *value_text(const json_t *value)
{
    return json_is_string(value) ? mem_strdup(json_string_value(value))
                                 : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static int rows_from_json(const json_t *list, struct rows *rows, struct err *err)
{
    size_t i;
    json_t *item;
    if (!json_array_size(list)) {
        return err_set(err, ERR_USAGE, "`where` must be a list of rows that is not empty");
    }
    json_array_foreach(list, i, item)
    {
        enum row_op op;
        const char *field = json_string_value(json_object_get(item, "field"));
        const char *name = json_string_value(json_object_get(item, "op"));
        const char *join = json_string_value(json_object_get(item, "join"));
        const json_t *value = json_object_get(item, "value");
        if (!field || !name || !value || find_op(name, &op)) {
            return err_set(err, ERR_USAGE,
                           "row %zu of the query needs `field`, `value` and one of the known `op`s",
                           i + 1);
        }
        if (add_row(rows, field, op, value_text(value), join && strcmp(join, "or") == 0, err)) {
            return -1;
        }
    }
    return 0;
}

static int read_kind(struct search *q, const char *kind, struct err *err)
{
    q->has_clause = true;
    q->is_negated = strncmp(kind, "not ", 4) == 0;
    const char *what = kind + (q->is_negated ? 4 : 0);
    q->looks_ahead = strcmp(what, "followed by") == 0;
    return q->looks_ahead || strcmp(what, "preceded by") == 0
               ? 0
               : err_set(err, ERR_USAGE,
                         "a clause is [not ]preceded by or [not ]followed by, not `%s`", kind);
}

static int clause_from_json(const json_t *doc, struct search *q, struct err *err)
{
    const char *kind = json_string_value(json_object_get(doc, "kind"));
    double within = json_number_value(json_object_get(doc, "within"));
    if (read_kind(q, kind ? kind : "", err)) {
        return -1;
    }
    if (within < 0 || within > WITHIN_MAX_S) {
        return err_set(err, ERR_USAGE, "`within` is a number of seconds");
    }
    q->within_s = within;
    return rows_from_json(json_object_get(doc, "where"), &q->clause, err);
}

static int parse_json(const char *text, struct search *q, struct err *err)
{
    json_error_t why;
    json_t *doc = json_loads(text, 0, &why);
    if (!doc) {
        return err_set(err, ERR_USAGE, "the query is no JSON: %s at character %d", why.text,
                       why.position);
    }
    const json_t *clause = json_object_get(doc, "clause");
    int status = rows_from_json(json_object_get(doc, "where"), &q->where, err);
    if (status == 0 && json_is_object(clause)) {
        status = clause_from_json(clause, q, err);
    }
    json_decref(doc);
    return status;
}

struct search *search_parse(const char *text, struct err *err)
{
    struct search *q = mem_zalloc(sizeof *q);
    const char *p = text + strspn(text, " \t\r\n");
    if (*p == '{' ? parse_json(p, q, err) : parse_text(p, q, err)) {
        search_free(q);
        return NULL;
    }
    return q;
}

struct search *search_plain(const char *text)
{
    struct search *q = mem_zalloc(sizeof *q);
    struct row *r = ARRAY_PUSH(q->where.items, q->where.count, q->where.cap);
    *r = (struct row){
        .field = ROW_ANY, .op = OP_CONTAINS, .value = mem_strndup(text, QUERY_VALUE_MAX)};
    return q;
}

/* --- forms ------------------------------------------------------------------------------------ */

static int add_typed(struct rows *rows, bool is_or, const char *const row[static 3],
                     struct err *err)
{
    enum row_op op;
    if (find_op(row[1], &op)) {
        return err_set(err, ERR_USAGE, "there is no operator `%s`", row[1]);
    }
    return add_row(rows, row[0], op, mem_strdup(row[2]), is_or, err);
}

struct search *search_add(struct search *q, bool is_or, const char *const row[static 3],
                          struct err *err)
{
    q = q ? q : mem_zalloc(sizeof *q);
    if (add_typed(&q->where, is_or, row, err)) {
        search_free(q);
        return NULL;
    }
    return q;
}

static int set_clause(struct search *q, const char *kind, const char *within,
                      const char *const row[static 3], struct err *err)
{
    char *end;
    double seconds = strtod(within, &end);
    rows_fini(&q->clause);
    q->clause = (struct rows){0};
    if (*end || seconds < 0 || !(seconds <= WITHIN_MAX_S)) {
        return err_set(err, ERR_USAGE, "`within` is a number of seconds, not `%s`", within);
    }
    q->within_s = seconds;
    return read_kind(q, kind, err) ? -1 : add_typed(&q->clause, false, row, err);
}

struct search *search_clause(struct search *q, const char *kind, const char *within,
                             const char *const row[static 3], struct err *err)
{
    if (set_clause(q, kind, within, row, err)) {
        search_free(q);
        return NULL;
    }
    return q;
}

/* --- canonical text --------------------------------------------------------------------------- */

static void put_value(struct buf *b, const char *value)
{
    if (*value && strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:") == strlen(value)) {
        buf_puts(b, value);
        return;
    }
    buf_putc(b, '"');
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') {
            buf_putc(b, '\\');
        }
        buf_putc(b, *value);
    }
    buf_putc(b, '"');
}

static void put_rows(struct buf *b, const struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *r = &rows->items[i];
        const char *field = r->field < FIELD_COUNT ? event_field_name((enum event_field)r->field)
                            : r->field == ROW_UNIVERSE ? "universe"
                            : r->field == ROW_TIME     ? "time"
                            : r->field == ROW_ANY      ? "any"
                                                       : r->path;
        const char *op = r->op == OP_IS_NOT ? "is not" : row_op_name(r->op);
        buf_printf(b, "%s%s %s ", i == 0 ? "" : r->is_or ? " or " : " and ", field, op);
        put_value(b, r->value);
    }
}

void search_text(const struct search *q, struct buf *b)
{
    put_rows(b, &q->where);
    if (!q->has_clause) {
        return;
    }
    buf_printf(b, "%s %s by ", q->is_negated ? " not" : "",
               q->looks_ahead ? "followed" : "preceded");
    put_rows(b, &q->clause);
    if (q->within_s > 0) {
        buf_printf(b, " within %g", q->within_s);
    }
}
