/* Environment variables of services: `environment`, `env_file`, and `sysctls`, which share a form.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "compose/dotenv.h"
#include "compose/paths.h"
#include "compose/read_parts.h"

/* Plain scalars that YAML 1.1 readers turn into another text than the one written: 0755 becomes
 * 493, 0x1f 31, 1_000 1000, True true. Everett keeps what is written and says so. */
static bool rewritten_elsewhere(const char *s)
{
    const char *d = s + (*s == '-' || *s == '+');
    size_t digits = strspn(d, "0123456789");
    if (digits == 0) {
        return strcmp(s, "True") == 0 || strcmp(s, "TRUE") == 0 || strcmp(s, "False") == 0 ||
               strcmp(s, "FALSE") == 0;
    }
    if (d[0] == '0' && (d[1] == 'x' || d[1] == 'o' || d[1] == 'b')) {
        return true;
    }
    if (d[digits] == 0) {
        return (d[0] == '0' && digits > 1) || *s == '+';
    }
    size_t wide = strspn(d, "0123456789_");
    if (d[wide] == 0) {
        return true;
    }
    size_t number = strspn(d, "0123456789.eE+-");
    return d[number] == 0 && (strchr(d, 'e') || strchr(d, 'E'));
}

static void warn_rewritten(struct reader *r, const struct ynode *v)
{
    if (v->kind != YNODE_MAP) {
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct ynode *value = v->pairs[i].value;
        if (value->kind == YNODE_SCALAR && value->plain && rewritten_elsewhere(value->text)) {
            diag_warn(&r->diags, value->at,
                      "`%s: %s` is passed as written; docker compose may pass another form; "
                      "quote the value to be sure",
                      v->pairs[i].key->text, value->text);
        }
    }
}

int read_environment(struct reader *r, const struct key_rule *rule, void *field,
                     const struct ynode *v)
{
    struct compose_pairs *out = field;
    warn_rewritten(r, v);
    if (read_pairs(r, rule, out, v)) {
        return -1;
    }
    for (size_t i = 0; i < out->n; i++) {
        if (out->v[i].value) {
            continue;
        }
        const struct env_entry *outer = env_find(&r->env, out->v[i].name);
        if (outer && outer->value) {
            out->v[i].value = pool_strdup(r->pool, outer->value);
        } else {
            diag_warn(&r->diags, v->at,
                      "variable `%s` has no value here or in .env; it will not be set",
                      out->v[i].name);
        }
    }
    return 0;
}

struct env_file {
    char *path;
    bool required;
    char *format;
};

/* Parses one file into `out`; its own earlier variables may be used in later values. */
static int load_env_file(struct reader *r, const struct ynode *at, const struct env_file *f,
                         struct env *out)
{
    struct buf text cleanup_buf = {0};
    const char *path = path_below(r->pool, f->path);
    bool raw = f->format && strcmp(f->format, "raw") == 0;
    if (f->format && !raw) {
        return diag_error(&r->diags, at->at, NULL, "env_file format must be `raw`, not `%s`",
                          f->format);
    }
    if (!path || f->path[0] == '/') {
        return diag_error(&r->diags, at->at, "put the file beside the compose file",
                          "env_file `%s` lies outside the compose directory", f->path);
    }
    int rc = dir_read(r->dirfd, path, &text);
    if (rc == -ENOENT && !f->required) {
        return 0;
    }
    if (rc) {
        return diag_error(&r->diags, at->at,
                          rc == -ENOENT ? "paths start at the compose file's directory" : NULL,
                          "env_file `%s`: %s", f->path, strerror(-rc));
    }
    struct source *src = pool_zalloc(r->pool, sizeof *src);
    src->name = path;
    src->text = pool_strndup(r->pool, text.data ? text.data : "", text.len);
    src->len = text.len;
    const struct env *saved = r->interp.first;
    r->interp.first = out;
    rc = dotenv_parse(src, raw ? DOTENV_RAW : DOTENV_COMPOSE, &r->interp, out);
    r->interp.first = saved;
    return rc;
}

static int read_env_file_item(struct reader *r, const struct ynode *item, struct env *out)
{
    static const struct key_rule rules[] = {
        RULE("path", struct env_file, path, read_string),
        RULE("required", struct env_file, required, read_bool),
        RULE("format", struct env_file, format, read_string),
        {0},
    };
    struct env_file f = {.required = true};
    if (item->kind == YNODE_MAP) {
        if (read_map(r, item, rules, &f, "an entry of `env_file`")) {
            return -1;
        }
        if (!f.path) {
            return diag_error(&r->diags, item->at, NULL, "an entry of `env_file` has no `path`");
        }
    } else {
        const char *path = scalar_text(r, item);
        if (!path) {
            return -1;
        }
        f.path = pool_strdup(r->pool, path);
    }
    return load_env_file(r, item, &f, out);
}

int read_env_file(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct env env = {0};
    int rc = 0;
    if (v->kind == YNODE_SEQ) {
        for (size_t i = 0; i < v->count; i++) {
            rc |= read_env_file_item(r, v->items[i], &env);
        }
    } else {
        rc = read_env_file_item(r, v, &env);
    }
    for (size_t i = 0; i < env.n; i++) {
        const char *value = env.v[i].value;
        if (!value) { /* a bare name takes the outer value, if there is one */
            const struct env_entry *outer = env_find(&r->env, env.v[i].name);
            value = outer ? outer->value : NULL;
        }
        if (value) {
            pairs_put(r, field, env.v[i].name, value);
        }
    }
    return rc ? -1 : 0;
}

int read_sysctls(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_pairs *out = field;
    if (read_pairs(r, rule, out, v)) {
        return -1;
    }
    for (size_t i = 0; i < out->n; i++) {
        if (!out->v[i].value) {
            return diag_error(&r->diags, v->at, NULL, "sysctl `%s` has no value", out->v[i].name);
        }
    }
    return 0;
}
