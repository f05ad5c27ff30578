/* Evaluation of syntax trees. */
#include <math.h>
#include <string.h>

#include "server/api/lambda_priv.h"

/* Names and their values, the innermost first. */
struct scope {
    const struct scope *outer;
    const char *name;
    struct value value;
};

struct closure {
    const struct node *node;
    const struct scope *scope;
};

static struct value evaluate(struct run *r, const struct node *n, const struct scope *s);

static const struct scope *bind(struct run *r, const struct scope *outer, const char *name,
                                struct value value)
{
    struct scope *s = run_alloc(r, sizeof *s);
    if (!s) {
        return outer;
    }
    *s = (struct scope){outer, name, value};
    return s;
}

/* --- statements: true when a `return` was reached -----------------------------------------------
 */

static bool execute(struct run *r, const struct node *n, const struct scope **s,
                    struct value *result);

static bool execute_block(struct run *r, const struct node *n, const struct scope *s,
                          struct value *result)
{
    for (size_t i = 0; i < n->kid_count && !r->has_failed; i++) {
        if (execute(r, n->kids[i], &s, result)) {
            return true;
        }
    }
    return false;
}

static bool execute(struct run *r, const struct node *n, const struct scope **s,
                    struct value *result)
{
    switch (n->kind) {
    case NODE_BLOCK:
        return execute_block(r, n, *s, result);
    case NODE_LET:
        *s = bind(r, *s, n->text, evaluate(r, n->kids[0], *s));
        return false;
    case NODE_RETURN:
        *result = n->kid_count ? evaluate(r, n->kids[0], *s) : (struct value){0};
        return true;
    case NODE_IF:
        if (value_truth(evaluate(r, n->kids[0], *s))) {
            return execute(r, n->kids[1], s, result);
        }
        return n->kid_count > 2 && execute(r, n->kids[2], s, result);
    default:
        evaluate(r, n, *s);
        return false;
    }
}

struct value lambda_call(struct run *r, const struct closure *f, const struct value *args,
                         size_t count)
{
    const struct scope *s = f->scope;
    struct value result = {0};
    if (++r->depth > LAMBDA_DEPTH_MAX) {
        return run_fail(r);
    }
    for (unsigned i = 0; i < f->node->param_count; i++) {
        s = bind(r, s, f->node->params[i], i < count ? args[i] : (struct value){0});
    }
    const struct node *body = f->node->kids[0];
    if (body->kind == NODE_BLOCK) {
        execute_block(r, body, s, &result);
    } else {
        result = evaluate(r, body, s);
    }
    r->depth--;
    return r->has_failed ? (struct value){0} : result;
}

/* --- operators ----------------------------------------------------------------------------------
 */

static struct value joined(struct run *r, struct value a, struct value b)
{
    a = value_to_string(r, a);
    b = value_to_string(r, b);
    char *data = r->has_failed ? NULL : run_alloc(r, a.text.len + b.text.len + 1);
    if (!data) {
        return (struct value){0};
    }
    memcpy(data, a.text.data, a.text.len);
    memcpy(data + a.text.len, b.text.data, b.text.len);
    return value_text(data, a.text.len + b.text.len);
}

/* Bytes of UTF-8 order as code points do; only surrogates would order otherwise. */
static int order_texts(struct value a, struct value b)
{
    size_t len = a.text.len < b.text.len ? a.text.len : b.text.len;
    int c = memcmp(a.text.data, b.text.data, len);
    return c ? c : (a.text.len > b.text.len) - (a.text.len < b.text.len);
}

static struct value compare(enum op op, struct value a, struct value b)
{
    bool less, more;
    if (a.kind == VALUE_STRING && b.kind == VALUE_STRING) {
        int c = order_texts(a, b);
        less = c < 0;
        more = c > 0;
        return value_flag(op == OP_LESS         ? less
                          : op == OP_MORE       ? more
                          : op == OP_LESS_EQUAL ? !more
                                                : !less);
    }
    double x = value_to_number(a), y = value_to_number(b);
    return value_flag(op == OP_LESS         ? x < y
                      : op == OP_MORE       ? x > y
                      : op == OP_LESS_EQUAL ? x <= y
                                            : x >= y);
}

static struct value arithmetic(struct run *r, enum op op, struct value a, struct value b)
{
    bool is_text = a.kind == VALUE_STRING || b.kind == VALUE_STRING || a.kind >= VALUE_ARRAY ||
                   b.kind >= VALUE_ARRAY;
    if (op == OP_ADD && is_text) {
        return joined(r, a, b);
    }
    double x = value_to_number(a), y = value_to_number(b);
    switch (op) {
    case OP_ADD:
        return value_number(x + y);
    case OP_SUBTRACT:
        return value_number(x - y);
    case OP_MULTIPLY:
        return value_number(x * y);
    case OP_DIVIDE:
        return value_number(x / y);
    default:
        return value_number(fmod(x, y));
    }
}

static struct value binary(struct run *r, const struct node *n, const struct scope *s)
{
    struct value a = evaluate(r, n->kids[0], s);
    /* These three leave out their right side. */
    if ((n->op == OP_AND && !value_truth(a)) || (n->op == OP_OR && value_truth(a)) ||
        (n->op == OP_COALESCE && !value_is_nullish(a)) || r->has_failed) {
        return a;
    }
    struct value b = evaluate(r, n->kids[1], s);
    switch (n->op) {
    case OP_AND:
    case OP_OR:
    case OP_COALESCE:
        return b;
    case OP_SAME:
    case OP_NOT_SAME:
        return value_flag(value_same(a, b) == (n->op == OP_SAME));
    case OP_EQUAL:
    case OP_NOT_EQUAL:
        return value_flag(value_equal(a, b) == (n->op == OP_EQUAL));
    case OP_LESS:
    case OP_MORE:
    case OP_LESS_EQUAL:
    case OP_MORE_EQUAL:
        return compare(n->op, a, b);
    default:
        return arithmetic(r, n->op, a, b);
    }
}

static struct value unary(struct run *r, const struct node *n, const struct scope *s)
{
    struct value v = evaluate(r, n->kids[0], s);
    switch (n->op) {
    case OP_NOT:
        return value_flag(!value_truth(v));
    case OP_SUBTRACT:
        return value_number(-value_to_number(v));
    case OP_ADD:
        return value_number(value_to_number(v));
    default: {
        const char *name = value_type_name(v);
        return value_text(name, strlen(name));
    }
    }
}

/* --- members, calls and optional chains ---------------------------------------------------------
 */

/* The values of kids from `first` on. NULL after a failure. */
static struct value *values_of(struct run *r, const struct node *n, size_t first,
                               const struct scope *s)
{
    struct value *v = run_alloc(r, (n->kid_count + 1) * sizeof *v);
    for (size_t i = first; v && i < n->kid_count; i++) {
        v[i - first] = evaluate(r, n->kids[i], s);
    }
    return r->has_failed ? NULL : v;
}

static struct value link(struct run *r, const struct node *n, const struct scope *s, bool *is_cut);

/* The value left of a link; *is_cut when an optional link before found nothing. */
static struct value link_of(struct run *r, const struct node *n, const struct scope *s,
                            bool *is_cut)
{
    bool is_link = n->kind == NODE_MEMBER || n->kind == NODE_INDEX || n->kind == NODE_CALL;
    return is_link && !n->is_grouped ? link(r, n, s, is_cut) : evaluate(r, n, s);
}

static struct value call_method(struct run *r, const struct node *n, const struct scope *s,
                                bool *is_cut)
{
    const struct node *callee = n->kids[0];
    struct value of = link_of(r, callee->kids[0], s, is_cut);
    *is_cut |= callee->is_optional && value_is_nullish(of);
    struct value *args = *is_cut || r->has_failed ? NULL : values_of(r, n, 1, s);
    return args ? lambda_method(r, of, callee, args, n->kid_count - 1) : (struct value){0};
}

static struct value call(struct run *r, const struct node *n, const struct scope *s, bool *is_cut)
{
    const struct node *callee = n->kids[0];
    size_t count = n->kid_count - 1;
    if (lambda_is_global(callee)) {
        struct value *args = values_of(r, n, 1, s);
        return args ? lambda_global(r, callee, args, count) : (struct value){0};
    }
    if (callee->kind == NODE_MEMBER && !callee->is_grouped) {
        return call_method(r, n, s, is_cut);
    }
    struct value f = link_of(r, callee, s, is_cut);
    *is_cut |= n->is_optional && value_is_nullish(f);
    struct value *args = *is_cut || r->has_failed ? NULL : values_of(r, n, 1, s);
    if (!args) {
        return (struct value){0};
    }
    return f.kind == VALUE_FUNCTION ? lambda_call(r, f.function, args, count) : run_fail(r);
}

static struct value element(struct run *r, struct value of, struct value at)
{
    double i = at.kind == VALUE_NUMBER ? at.number : NAN;
    if (of.kind == VALUE_ARRAY && i >= 0 && i < (double)of.array.count && i == floor(i)) {
        return of.array.items[(size_t)i];
    }
    at = value_to_string(r, at);
    return r->has_failed ? (struct value){0} : lambda_member(r, of, at.text.data, at.text.len);
}

static struct value link(struct run *r, const struct node *n, const struct scope *s, bool *is_cut)
{
    if (n->kind == NODE_CALL) {
        return call(r, n, s, is_cut);
    }
    struct value of = link_of(r, n->kids[0], s, is_cut);
    *is_cut |= n->is_optional && value_is_nullish(of);
    if (*is_cut || r->has_failed) {
        return (struct value){0};
    }
    return n->kind == NODE_MEMBER ? lambda_member(r, of, n->text, n->text_len)
                                  : element(r, of, evaluate(r, n->kids[1], s));
}

/* --- all of them --------------------------------------------------------------------------------
 */

static struct value name(struct run *r, const struct node *n, const struct scope *s)
{
    for (; s; s = s->outer) {
        if (strcmp(s->name, n->text) == 0) {
            return s->value;
        }
    }
    return run_fail(r);
}

static struct value template(struct run *r, const struct node *n, const struct scope *s)
{
    struct value all = value_text("", 0);
    for (size_t i = 0; i < n->kid_count && !r->has_failed; i++) {
        all = joined(r, all, evaluate(r, n->kids[i], s));
    }
    return all;
}

static struct value function(struct run *r, const struct node *n, const struct scope *s)
{
    struct closure *f = run_alloc(r, sizeof *f);
    if (!f) {
        return (struct value){0};
    }
    *f = (struct closure){n, s};
    return (struct value){.kind = VALUE_FUNCTION, .function = f};
}

static struct value compound(struct run *r, const struct node *n, const struct scope *s)
{
    bool is_cut = false;
    struct value *items;
    switch (n->kind) {
    case NODE_NAME:
        return name(r, n, s);
    case NODE_TEMPLATE:
        return template(r, n, s);
    case NODE_ARRAY:
        items = values_of(r, n, 0, s);
        return items ? (struct value){.kind = VALUE_ARRAY, .array = {items, n->kid_count}}
                     : (struct value){0};
    case NODE_ARROW:
        return function(r, n, s);
    case NODE_UNARY:
        return unary(r, n, s);
    case NODE_BINARY:
        return binary(r, n, s);
    case NODE_TERNARY:
        return evaluate(r, n->kids[value_truth(evaluate(r, n->kids[0], s)) ? 1 : 2], s);
    default:
        return link(r, n, s, &is_cut);
    }
}

static struct value evaluate(struct run *r, const struct node *n, const struct scope *s)
{
    if (r->has_failed || r->steps-- == 0) {
        r->steps = 0;
        return run_fail(r);
    }
    switch (n->kind) {
    case NODE_UNDEFINED:
        return (struct value){0};
    case NODE_NULL:
        return (struct value){.kind = VALUE_NULL};
    case NODE_TRUE:
    case NODE_FALSE:
        return value_flag(n->kind == NODE_TRUE);
    case NODE_NUMBER:
        return value_number(n->number);
    case NODE_STRING:
        return value_text(n->text, n->text_len);
    case NODE_REGEX:
        return (struct value){.kind = VALUE_REGEX, .regex = n};
    default: {
        struct value v = compound(r, n, s);
        return r->has_failed ? (struct value){0} : v;
    }
    }
}

struct value lambda_evaluate(struct run *r, const json_t *event)
{
    struct value v = {.kind = VALUE_OBJECT, .object = event};
    struct closure f = {r->lambda->root, NULL};
    return lambda_call(r, &f, &v, 1);
}
