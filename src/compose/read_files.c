/* `configs` and `secrets`: the top-level sections that define them and the services that are
 * granted them as files. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "compose/paths.h"
#include "compose/read_parts.h"
#include "compose/units.h"

struct definition {
    char *file, *environment, *content;
};

static int refuse_external(struct reader *r, const struct key_rule *rule, void *field,
                           const struct ynode *v)
{
    bool external = true;
    if (v->kind == YNODE_SCALAR && read_bool(r, rule, &external, v)) {
        return -1;
    }
    return external ? diag_error(&r->diags, v->at,
                                 "give it by `file:` or `content:` beside the compose file",
                                 "`%s` is refused: nothing outside the project exists in a "
                                 "universe",
                                 path_text(r))
                    : 0;
}

static const struct key_rule definition_rules[] = {
    RULE("file", struct definition, file, read_string),
    RULE("environment", struct definition, environment, read_string),
    RULE("content", struct definition, content, read_string),
    RULE_WHOLE("external", refuse_external),
    RULE_NO_EFFECT("name", "the name inside the project is the one that counts"),
    RULE_NO_EFFECT("labels", "nothing reads labels of a file"),
    RULE_REFUSED("driver", "only a swarm has drivers for secrets"),
    RULE_REFUSED("driver_opts", "only a swarm has drivers for secrets"),
    RULE_REFUSED("template_driver", "only a swarm fills in templates"),
    {0},
};

/* Fills `out->path` or `out->content`. */
static int resolve_definition(struct reader *r, const struct ynode *v, const char *section,
                              const struct definition *d, struct compose_file *out)
{
    int sources = (d->file != NULL) + (d->environment != NULL) + (d->content != NULL);
    if (sources != 1) {
        return diag_error(&r->diags, v->at, NULL,
                          "an entry of `%s` needs exactly one of file, environment and content",
                          section);
    }
    if (d->content) {
        out->content = d->content;
        return 0;
    }
    if (d->environment) {
        const struct env_entry *e = env_find(&r->env, d->environment);
        if (!e || !e->value) {
            return diag_error(&r->diags, v->at, "set it in .env", "variable `%s` is not set",
                              d->environment);
        }
        out->content = pool_strdup(r->pool, e->value);
        return 0;
    }
    out->path = path_below(r->pool, d->file);
    if (!out->path || d->file[0] == '/' || d->file[0] == '~') {
        return diag_error(&r->diags, v->at, "put the file beside the compose file",
                          "file `%s` lies outside the compose directory", d->file);
    }
    int rc = dir_check(r->dirfd, out->path);
    return rc ? diag_error(&r->diags, v->at, NULL, "file `%s`: %s", d->file, strerror(-rc)) : 0;
}

static int read_definition(struct reader *r, const char *section, const struct ypair *pair,
                           struct compose_file *out)
{
    struct definition d = {0};
    path_push(r, pair->key->text);
    const char *what = pool_printf(r->pool, "`%s`", path_text(r));
    int rc = read_map(r, pair->value, definition_rules, &d, what);
    if (!rc) {
        rc = resolve_definition(r, pair->value, section, &d, out);
    }
    path_pop(r);
    return rc;
}

/* The entry `name` of a top-level section. */
static const struct ypair *find_definition(const struct reader *r, const char *section,
                                           const char *name)
{
    const struct ynode *all = ymap_get(r->root, section);
    for (size_t i = 0; all && all->kind == YNODE_MAP && i < all->count; i++) {
        if (strcmp(all->pairs[i].key->text, name) == 0) {
            return &all->pairs[i];
        }
    }
    return NULL;
}

static int check_section(struct reader *r, const struct ynode *all, const char *section)
{
    int rc = expect_kind(r, all, YNODE_MAP);
    for (size_t i = 0; !rc && i < all->count; i++) {
        struct compose_file ignored = {0};
        rc = read_definition(r, section, &all->pairs[i], &ignored);
    }
    return rc;
}

int read_configs_section(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    return check_section(r, v, "configs");
}

int read_secrets_section(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    return check_section(r, v, "secrets");
}

struct grant {
    char *source, *target, *uid, *gid;
    uint32_t mode;
};

static const struct key_rule grant_rules[] = {
    RULE("source", struct grant, source, read_string),
    RULE("target", struct grant, target, read_string),
    RULE("uid", struct grant, uid, read_string),
    RULE("gid", struct grant, gid, read_string),
    RULE("mode", struct grant, mode, read_mode),
    {0},
};

static int read_id(struct reader *r, const struct ynode *v, const char *text, uint32_t *out)
{
    int64_t id = 0;
    if (text && parse_integer(text, 0, UINT32_MAX - 1, &id)) {
        return diag_error(&r->diags, v->at, NULL, "`%s` is not a numeric user or group", text);
    }
    *out = (uint32_t)id;
    return 0;
}

/* `root` is where a grant without a full target lands: "/" or "/run/secrets/". */
static int read_grant(struct reader *r, struct compose_service *s, const struct ynode *item,
                      const char *section, const char *root)
{
    struct grant g = {.mode = 0444};
    if (item->kind == YNODE_MAP) {
        if (read_map(r, item, grant_rules, &g, "a grant")) {
            return -1;
        }
    } else {
        const char *name = scalar_text(r, item);
        g.source = name ? pool_strdup(r->pool, name) : NULL;
        if (!name) {
            return -1;
        }
    }
    if (!g.source) {
        return diag_error(&r->diags, item->at, NULL, "an entry of `%s` has no `source`", section);
    }
    const struct ypair *pair = find_definition(r, section, g.source);
    if (!pair) {
        return diag_error(&r->diags, item->at,
                          pool_printf(r->pool, "define it under the top-level `%s:`", section),
                          "no `%s` is named `%s`", section, g.source);
    }
    const char *target = g.target ? g.target : g.source;
    struct compose_file *f = POOL_PUSH(r->pool, s->files, s->file_count, s->file_cap);
    f->name = g.source;
    f->target = path_normalise(
        r->pool, target[0] == '/' ? target : pool_printf(r->pool, "%s%s", root, target));
    f->mode = g.mode & 0555; /* "Writable bit must be ignored" */
    if (read_id(r, item, g.uid, &f->uid) || read_id(r, item, g.gid, &f->gid)) {
        return -1;
    }
    if (pair->value->kind != YNODE_MAP) {
        return -1; /* reported where the section is checked */
    }
    struct definition d = {0};
    size_t errors = r->diags.errors, notes = r->project->note_count, all = r->diags.n;
    path_push(r, section);
    int rc = read_map(r, pair->value, definition_rules, &d, section) ||
             resolve_definition(r, pair->value, section, &d, f);
    path_pop(r);
    /* The section's own check reports its errors and notes, once. */
    r->diags.errors = errors;
    r->diags.n = all;
    r->project->note_count = notes;
    return rc ? -1 : 0;
}

static int read_grants(struct reader *r, void *field, const struct ynode *v, const char *section,
                       const char *root)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        rc |= read_grant(r, s, v->items[i], section, root);
    }
    return rc ? -1 : 0;
}

int read_service_configs(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    return read_grants(r, field, v, "configs", "/");
}

int read_service_secrets(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    return read_grants(r, field, v, "secrets", "/run/secrets/");
}
