/* One load from start to end: find the files, read .env, the tree, its variables, the sections,
 * then resolve. Phases stop at the first that fails, but each reports all errors it finds. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/mem.h"
#include "compose/dotenv.h"
#include "compose/include.h"
#include "compose/paths.h"
#include "compose/read_parts.h"

struct owned_project {
    struct compose_project project;
    struct pool pool;
};

void compose_destroy(struct compose_project *p)
{
    if (p) {
        struct owned_project *o = container_of(p, struct owned_project, project);
        pool_fini(&o->pool);
        free(o);
    }
}

const struct compose_service *compose_service_find(const struct compose_project *p,
                                                   const char *name)
{
    for (size_t i = 0; i < p->service_count; i++) {
        if (strcmp(p->services[i].name, name) == 0) {
            return &p->services[i];
        }
    }
    return NULL;
}

size_t compose_note_count(const struct compose_project *p, enum compose_class class)
{
    size_t n = 0;
    for (size_t i = 0; i < p->note_count; i++) {
        n += p->notes[i].class == class;
    }
    return n;
}

/* `name` is read before everything else, because variables depend on it; `include` by include.c. */
static int read_resolved(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    return 0;
}

static const struct key_rule top_rules[] = {
    RULE_WHOLE("name", read_resolved),
    RULE_WHOLE("services", read_services_section),
    RULE_WHOLE("networks", read_networks_section),
    RULE_WHOLE("volumes", read_volumes_section),
    RULE_WHOLE("configs", read_configs_section),
    RULE_WHOLE("secrets", read_secrets_section),
    RULE_NO_EFFECT("version", "compose files have no version any more"),
    RULE_WHOLE("include", read_resolved),
    RULE_REFUSED("models", "a universe has no model runner"),
    {0},
};

static int load_dotenv(struct reader *r)
{
    struct buf text cleanup_buf = {0};
    int rc = dir_read(r->dirfd, ".env", &text);
    if (rc == -ENOENT) {
        return 0;
    }
    const struct source *src =
        include_keep_source(r->pool, ".env", text.data ? text.data : "", text.len);
    if (rc) {
        return diag_error(&r->diags, (struct mark){src, 0, 0}, NULL, "%s", strerror(-rc));
    }
    return dotenv_parse(src, DOTENV_COMPOSE, &r->interp, &r->env);
}

static bool valid_project_name(const char *s)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n > 0 && n <= 63 && s[n] == 0 && strchr(chars, s[0]) != NULL;
}

static int set_project_name(struct reader *r)
{
    struct ynode *v = ymap_get(r->root, "name");
    const char *name = NULL;
    struct mark at = mark_at(r, 0, 0);
    if (v && !ynode_is_null(v)) {
        interpolate_tree(&r->interp, v);
        if (v->kind != YNODE_SCALAR) {
            return diag_error(&r->diags, v->at, NULL, "`name` must be text, not %s",
                              ynode_kind_name(v));
        }
        name = v->text;
        at = v->at;
    }
    const struct env_entry *e = env_find(&r->env, "COMPOSE_PROJECT_NAME");
    if (e && e->value && *e->value) {
        name = e->value;
    }
    if (r->opts && r->opts->project_name) {
        name = r->opts->project_name;
    }
    name = name ? name : "project";
    if (!valid_project_name(name)) {
        return diag_error(&r->diags, at,
                          "project names are lower-case letters, digits, `_` and `-`, and begin "
                          "with a letter or digit",
                          "`%s` is no name for a project", name);
    }
    r->project->name = pool_strdup(r->pool, name);
    env_put(r->pool, &r->env, "COMPOSE_PROJECT_NAME", name);
    return 0;
}

static int read_tree(struct reader *r)
{
    r->root = yaml_load(r->pool, r->source, &r->diags);
    if (!r->root) {
        return -1;
    }
    if (r->root->kind != YNODE_MAP) {
        return diag_error(&r->diags, r->root->at, NULL,
                          "a compose file must be a mapping with `services:`, not %s",
                          ynode_kind_name(r->root));
    }
    if (set_project_name(r)) {
        return -1;
    }
    if (include_resolve(r)) {
        return -1;
    }
    if (!ymap_get(r->root, "services")) {
        diag_error(&r->diags, mark_at(r, 0, 0), NULL, "the file has no `services`");
    }
    return read_map(r, r->root, top_rules, r->project, "the compose file");
}

static int by_note(const void *pa, const void *pb)
{
    const struct compose_note *a = pa, *b = pb;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    if (a->col != b->col) {
        return a->col < b->col ? -1 : 1;
    }
    return strcmp(a->path, b->path);
}

static void keep_notes_and_warnings(struct reader *r)
{
    struct compose_project *p = r->project;
    if (p->note_count) {
        qsort(p->notes, p->note_count, sizeof *p->notes, by_note);
    }
    diags_sort(&r->diags);
    for (size_t i = 0; i < r->diags.n; i++) {
        const struct diag *d = &r->diags.v[i];
        bool repeated = i && strcmp(d->text, r->diags.v[i - 1].text) == 0 &&
                        d->at.line == r->diags.v[i - 1].at.line &&
                        d->at.col == r->diags.v[i - 1].at.col;
        if (d->is_error || repeated) { /* an alias may bring one place into several services */
            continue;
        }
        struct compose_warning *w =
            POOL_PUSH(r->pool, p->warnings, p->warning_count, p->warning_cap);
        w->file = pool_strdup(r->pool, d->at.source ? d->at.source->name : "");
        w->line = d->at.line;
        w->col = d->at.col;
        w->text = d->text;
    }
}

static int run_phases(struct reader *r)
{
    if (load_dotenv(r) || read_tree(r) || r->diags.errors) {
        return -1;
    }
    if (r->project->service_count == 0) {
        return diag_error(&r->diags, mark_at(r, 0, 0), NULL, "the file defines no service");
    }
    if (resolve_project(r) || r->diags.errors) {
        return -1;
    }
    return assign_addresses(r);
}

int compose_parse(const struct compose_text *in, const struct compose_opts *opts,
                  struct compose_project **out, struct err *err)
{
    struct owned_project *o = mem_zalloc(sizeof *o);
    struct reader r = {.project = &o->project, .pool = &o->pool, .dirfd = in->dirfd, .opts = opts};
    r.diags.pool = r.pool;
    r.interp = (struct interp){.pool = r.pool, .diags = &r.diags, .first = &r.env};
    r.source = include_keep_source(r.pool, in->file, in->text, in->len);
    r.project->file = pool_strdup(r.pool, in->file);
    r.project->name = pool_strdup(r.pool, "project");
    if (in->warning) {
        diag_warn(&r.diags, mark_at(&r, 0, 0), "%s", in->warning);
    }
    int rc = run_phases(&r);
    ASSERT((rc != 0) == (r.diags.errors != 0));
    keep_notes_and_warnings(&r);
    if (rc) {
        diags_to_err(&r.diags, err);
    }
    *out = rc && !(opts && opts->keep_partial) ? NULL : &o->project;
    if (!*out) {
        compose_destroy(&o->project);
    }
    return rc ? -1 : 0;
}

/* Chooses the file's name in the directory. */
static const char *find_file(const char *dir, int dirfd, const char **warning, struct err *err)
{
    static const struct {
        const char *old, *new;
    } renamed[] = {{"docker-compose.yml", "docker-compose.yaml"}, {"compose.yml", "compose.yaml"}};
    bool docker = dir_check(dirfd, "docker-compose.yaml") == 0;
    bool plain = dir_check(dirfd, "compose.yaml") == 0;
    bool manifests = dir_check(dirfd, "manifests") == 0;
    if ((docker || plain) && manifests) {
        err_set(err, ERR_USAGE, "%s holds both a compose file and manifests/", dir);
        err_hint(err, "keep the one that the run should use");
        return NULL;
    }
    if (docker) {
        *warning = plain ? "compose.yaml stands beside it and is not read" : NULL;
        return "docker-compose.yaml";
    }
    if (plain) {
        return "compose.yaml";
    }
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
        if (dir_check(dirfd, renamed[i].old) == 0) {
            err_set(err, ERR_USAGE, "%s/%s: the file must be called %s", dir, renamed[i].old,
                    renamed[i].new);
            err_hint(err, "mv %s/%s %s/%s", dir, renamed[i].old, dir, renamed[i].new);
            return NULL;
        }
    }
    if (manifests) {
        err_set(err, ERR_USAGE, "%s holds Kubernetes manifests, which are not supported", dir);
    } else {
        err_set(err, ERR_USAGE, "%s has no docker-compose.yaml", dir);
    }
    err_hint(err, "write a docker-compose.yaml in %s", dir);
    return NULL;
}

int compose_load(const char *dir, const struct compose_opts *opts, struct compose_project **out,
                 struct err *err)
{
    *out = NULL;
    int dirfd cleanup_close = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0) {
        return err_set(err, ERR_USAGE, "compose directory %s: %s", dir, strerror(errno));
    }
    const char *warning = NULL;
    const char *file = find_file(dir, dirfd, &warning, err);
    if (!file) {
        return -1;
    }
    static const char *const overrides[] = {"docker-compose.override.yaml",
                                            "docker-compose.override.yml", "compose.override.yaml",
                                            "compose.override.yml"};
    for (size_t i = 0; i < ARRAY_LEN(overrides) && !warning; i++) {
        if (dir_check(dirfd, overrides[i]) == 0) {
            warning = "an override file stands beside it and is not read";
        }
    }
    struct buf text cleanup_buf = {0};
    int rc = dir_read(dirfd, file, &text);
    if (rc) {
        return err_errno(err, -rc, "%s/%s", dir, file);
    }
    const struct compose_text in = {.file = file,
                                    .text = text.data ? text.data : "",
                                    .len = text.len,
                                    .dirfd = dirfd,
                                    .warning = warning};
    return compose_parse(&in, opts, out, err);
}
