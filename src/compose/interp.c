#include "compose/interp.h"

#include <string.h>

#include "base/buf.h"
#include "compose/pool.h"
#include "compose/yaml_tree.h"

const struct env_entry *env_find(const struct env *env, const char *name)
{
    for (size_t i = 0; env && i < env->n; i++) {
        if (strcmp(env->v[i].name, name) == 0) {
            return &env->v[i];
        }
    }
    return NULL;
}

void env_put(struct pool *pool, struct env *env, const char *name, const char *value)
{
    char *copy = value ? pool_strdup(pool, value) : NULL;
    for (size_t i = 0; i < env->n; i++) {
        if (strcmp(env->v[i].name, name) == 0) {
            env->v[i].value = copy;
            return;
        }
    }
    struct env_entry *e = POOL_PUSH(pool, env->v, env->n, env->cap);
    e->name = pool_strdup(pool, name);
    e->value = copy;
}

static bool name_start(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool name_char(char c)
{
    return name_start(c) || (c >= '0' && c <= '9');
}

static const char *lookup(const struct interp *in, const char *name)
{
    const struct env_entry *e = env_find(in->first, name);
    if (!e || !e->value) {
        e = env_find(in->second, name);
    }
    return e ? e->value : NULL;
}

/* The brace that closes the `${` whose inside starts at `s`; only `${` nests. */
static const char *closing_brace(const char *s)
{
    int open = 1;
    for (; *s; s++) {
        if (s[0] == '$' && s[1] == '$') {
            s++;
        } else if (s[0] == '$' && s[1] == '{') {
            open++;
            s++;
        } else if (s[0] == '}' && --open == 0) {
            return s;
        }
    }
    return NULL;
}

static int expand(struct interp *in, struct mark at, const char *s, size_t len, struct buf *out);

static void put_unset(struct interp *in, struct mark at, const char *name)
{
    diag_warn(in->diags, at, "variable `%s` is not set in .env; an empty value takes its place",
              name);
}

/* The text behind an operator, which may hold variables again. */
static int expand_inner(struct interp *in, struct mark at, const char *rest, const char *end,
                        struct buf *out)
{
    in->depth++;
    int rc = expand(in, at, rest, (size_t)(end - rest), out);
    in->depth--;
    return rc;
}

/* What `${name<op>rest}` stands for. `colon`: an empty value counts as unset. */
static int expand_operator(struct interp *in, struct mark at, const char *name, const char *op,
                           const char *end, struct buf *out)
{
    const char *value = lookup(in, name);
    bool colon = op[0] == ':';
    const char *rest = op + (colon ? 2 : 1);
    bool set = value && (!colon || value[0]);
    switch (op[colon]) {
    case '-':
        if (!set) {
            return expand_inner(in, at, rest, end, out);
        }
        break;
    case '+':
        return set ? expand_inner(in, at, rest, end, out) : 0;
    case '?':
        if (!set) {
            struct buf msg cleanup_buf = {0};
            if (expand_inner(in, at, rest, end, &msg)) {
                return -1;
            }
            const char *hint = pool_printf(in->pool, "set it in .env: %s=...", name);
            return diag_error(in->diags, at, hint, "variable `%s` is required%s%s", name,
                              msg.len ? ": " : "", msg.len ? msg.data : "");
        }
        break;
    default:
        return diag_error(in->diags, at,
                          "forms: ${VAR}, ${VAR:-default}, ${VAR-default}, ${VAR:?error}, "
                          "${VAR:+other}; write $$ for a plain dollar sign",
                          "`${%s%.*s}` is not a form of variable that compose knows", name,
                          (int)(end - op), op);
    }
    buf_puts(out, value);
    return 0;
}

/* `s` points behind `${`. Returns where to go on, NULL after an error. */
static const char *expand_braced(struct interp *in, struct mark at, const char *s, struct buf *out)
{
    const char *end = closing_brace(s);
    const char *op = s;
    while (name_char(*op)) {
        op++;
    }
    if (!end) {
        diag_error(in->diags, at, "write $$ for a plain dollar sign", "`${` without its `}`");
        return NULL;
    }
    if (!name_start(*s)) {
        diag_error(in->diags, at, "write $$ for a plain dollar sign",
                   "`${%.*s}` does not name a variable", (int)(end - s), s);
        return NULL;
    }
    const char *name = pool_strndup(in->pool, s, (size_t)(op - s));
    if (op == end) {
        const char *value = lookup(in, name);
        if (!value) {
            put_unset(in, at, name);
        }
        buf_puts(out, value ? value : "");
    } else if (expand_operator(in, at, name, op, end, out)) {
        return NULL;
    }
    return end + 1;
}

static const char *expand_simple(struct interp *in, struct mark at, const char *s, struct buf *out)
{
    const char *end = s;
    while (name_char(*end)) {
        end++;
    }
    const char *name = pool_strndup(in->pool, s, (size_t)(end - s));
    const char *value = lookup(in, name);
    if (!value) {
        put_unset(in, at, name);
    }
    buf_puts(out, value ? value : "");
    return end;
}

static int expand(struct interp *in, struct mark at, const char *text, size_t len, struct buf *out)
{
    if (in->depth > INTERP_DEPTH_MAX) {
        return diag_error(in->diags, at, NULL, "variables nested deeper than %d", INTERP_DEPTH_MAX);
    }
    char *copy = pool_strndup(in->pool, text, len);
    for (const char *s = copy; s && *s;) {
        size_t run = strcspn(s, "$");
        buf_append(out, s, run);
        s += run;
        if (*s == 0) {
            break;
        }
        if (s[1] == '$') {
            buf_putc(out, '$');
            s += 2;
        } else if (s[1] == '{') {
            s = expand_braced(in, at, s + 2, out);
            if (!s) {
                return -1;
            }
        } else if (name_start(s[1])) {
            s = expand_simple(in, at, s + 1, out);
        } else {
            buf_putc(out, *s++);
        }
        if (in->produced + out->len > INTERP_BYTES_MAX) {
            return diag_error(in->diags, at, NULL, "variables expand to more than %d bytes",
                              INTERP_BYTES_MAX);
        }
    }
    return 0;
}

const char *interpolate(struct interp *in, struct mark at, const char *text)
{
    if (!strchr(text, '$')) {
        return text;
    }
    struct buf out cleanup_buf = {0};
    if (expand(in, at, text, strlen(text), &out)) {
        return NULL;
    }
    in->produced += out.len;
    return pool_strndup(in->pool, out.data ? out.data : "", out.len);
}

void interpolate_tree(struct interp *in, struct ynode *node)
{
    if (node->visited) {
        return;
    }
    node->visited = true;
    if (node->kind == YNODE_MAP) {
        for (size_t i = 0; i < node->count; i++) {
            interpolate_tree(in, node->pairs[i].value);
        }
        return;
    }
    if (node->kind == YNODE_SEQ) {
        for (size_t i = 0; i < node->count; i++) {
            interpolate_tree(in, node->items[i]);
        }
        return;
    }
    if (!strchr(node->text, '$')) {
        return;
    }
    const char *text = interpolate(in, node->at, node->text);
    if (text) {
        node->text = pool_strdup(in->pool, text);
        node->plain = false; /* an empty result is an empty text, not null */
    }
}
