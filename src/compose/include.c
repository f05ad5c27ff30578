#include "compose/include.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "compose/paths.h"
#include "compose/service_merge.h"

enum { FILES_MAX = 64, CHAIN_MAX = 32 };

struct file {
    const char *name;
    struct ynode *root; /* variables filled in */
};

struct resolver {
    struct reader *r;
    struct file files[FILES_MAX]; /* each is read once */
    size_t count;
};

/* A service on its way through a chain of `extends`. */
struct link {
    const struct file *file;
    const char *service;
    const struct link *from;
    size_t depth;
};

const struct source *include_keep_source(struct pool *pool, const char *name, const char *text,
                                         size_t len)
{
    struct source *src = pool_zalloc(pool, sizeof *src);
    src->name = pool_strdup(pool, name);
    src->text = pool_strndup(pool, text, len);
    src->len = len;
    return src;
}

/* Extensions only matter where an alias takes them in, and a variable there may be meant for
 * something else: what stands under x-* itself stays as it is unless it is shared. */
static void fill_in(struct reader *r, struct ynode *root)
{
    for (size_t i = 0; i < root->count; i++) {
        if (!is_extension(&root->pairs[i])) {
            interpolate_tree(&r->interp, root->pairs[i].value);
        }
    }
}

static const struct file *open_file(struct resolver *v, const char *path, struct mark at)
{
    struct reader *r = v->r;
    char *name = path[0] == '/' ? NULL : path_below(r->pool, path);
    if (!name || strchr(name, '/')) {
        diag_error(&r->diags, at,
                   "put it beside this file: relative paths in it would mean other files elsewhere",
                   "`%s` does not lie in the folder of the compose file", path);
        return NULL;
    }
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->files[i].name, name) == 0) {
            return &v->files[i];
        }
    }
    if (v->count == FILES_MAX) {
        diag_error(&r->diags, at, NULL, "more than %d files", FILES_MAX);
        return NULL;
    }
    struct buf text cleanup_buf = {0};
    int rc = dir_read(r->dirfd, name, &text);
    if (rc) {
        diag_error(&r->diags, at, NULL, "%s: %s", name, strerror(-rc));
        return NULL;
    }
    const struct source *src =
        include_keep_source(r->pool, name, text.data ? text.data : "", text.len);
    struct ynode *root = yaml_load(r->pool, src, &r->diags);
    if (!root) {
        return NULL;
    }
    if (root->kind != YNODE_MAP) {
        diag_error(&r->diags, root->at, NULL, "a compose file must be a mapping, not %s",
                   ynode_kind_name(root));
        return NULL;
    }
    fill_in(r, root);
    strings_add(r, &r->project->others, name);
    v->files[v->count] = (struct file){pool_strdup(r->pool, name), root};
    return &v->files[v->count++];
}

/* --- extends ---------------------------------------------------------------------------------- */

static const char *text_of(struct reader *r, const struct ynode *map, const char *key)
{
    const struct ynode *n = ymap_get(map, key);
    if (!n || ynode_is_null(n)) {
        return NULL;
    }
    if (n->kind != YNODE_SCALAR) {
        diag_error(&r->diags, n->at, NULL, "`extends.%s` must be text, not %s", key,
                   ynode_kind_name(n));
        return NULL;
    }
    return n->text;
}

/* The mapping that `extends` asks for stands in `*file` under `*service`. */
static int read_extends(struct resolver *v, const struct ynode *extends, const struct file **file,
                        const char **service)
{
    struct reader *r = v->r;
    if (extends->kind == YNODE_SCALAR) {
        *service = extends->text;
        return 0;
    }
    if (extends->kind != YNODE_MAP) {
        return diag_error(&r->diags, extends->at, NULL,
                          "`extends` must be a service's name or a mapping, not %s",
                          ynode_kind_name(extends));
    }
    for (size_t i = 0; i < extends->count; i++) {
        const struct ynode *key = extends->pairs[i].key;
        if (strcmp(key->text, "file") != 0 && strcmp(key->text, "service") != 0) {
            return diag_error(&r->diags, key->at, "`extends` has `file` and `service`",
                              "unknown key `%s` in `extends`", key->text);
        }
    }
    const char *path = text_of(r, extends, "file");
    *service = text_of(r, extends, "service");
    if (!*service) {
        return diag_error(&r->diags, extends->at, NULL, "`extends` names no `service`");
    }
    *file = path ? open_file(v, path, extends->at) : *file;
    return *file ? 0 : -1;
}

static int check_chain(struct reader *r, const struct link *l, struct mark at)
{
    for (const struct link *up = l->from; up; up = up->from) {
        if (up->file == l->file && strcmp(up->service, l->service) == 0) {
            return l->service[0]
                       ? diag_error(&r->diags, at, NULL, "service `%s` extends itself", l->service)
                       : diag_error(&r->diags, at, NULL, "%s includes itself", l->file->name);
        }
    }
    return l->depth < CHAIN_MAX
               ? 0
               : diag_error(&r->diags, at, NULL, "`extends` goes through more than %d services",
                            CHAIN_MAX);
}

/* `body` with everything it extends below it; NULL after an error. */
static struct ynode *expand(struct resolver *v, const struct link *l, struct ynode *body)
{
    struct ynode *extends = body->kind == YNODE_MAP ? ymap_get(body, "extends") : NULL;
    if (!extends || ynode_is_null(extends)) {
        return body;
    }
    struct link next = {.file = l->file, .from = l, .depth = l->depth + 1};
    if (read_extends(v, extends, &next.file, &next.service) ||
        check_chain(v->r, &next, extends->at)) {
        return NULL;
    }
    struct ynode *services = ymap_get(next.file->root, "services");
    struct ynode *base = services ? ymap_get(services, next.service) : NULL;
    if (!base || base->kind != YNODE_MAP) {
        diag_error(&v->r->diags, extends->at, NULL, "%s has no service `%s` to extend",
                   next.file->name, next.service);
        return NULL;
    }
    base = expand(v, &next, base);
    return base ? service_merge(v->r->pool, base, body) : NULL;
}

static int expand_services(struct resolver *v, const struct file *f)
{
    struct ynode *services = ymap_get(f->root, "services");
    int rc = 0;
    if (!services || services->kind != YNODE_MAP) {
        return 0;
    }
    /* All from the services as written, so that their order does not matter. */
    struct ynode *out = pool_zalloc(v->r->pool, sizeof *out);
    *out = (struct ynode){.kind = YNODE_MAP, .at = services->at};
    for (size_t i = 0; i < services->count; i++) {
        const struct ypair *p = &services->pairs[i];
        const struct link l = {.file = f, .service = p->key->text};
        struct ynode *body = is_extension(p) ? p->value : expand(v, &l, p->value);
        rc |= body ? 0 : -1;
        *POOL_PUSH(v->r->pool, out->pairs, out->count, out->cap) =
            (struct ypair){p->key, body ? body : p->value};
    }
    for (size_t i = 0; i < f->root->count; i++) {
        if (f->root->pairs[i].value == services) {
            f->root->pairs[i].value = out;
        }
    }
    return rc;
}

/* --- include ---------------------------------------------------------------------------------- */

static int add_section(struct reader *r, struct ynode *into, const struct ypair *section,
                       const char *file)
{
    struct ynode *mine = ymap_get(into, section->key->text);
    if (!mine || ynode_is_null(mine)) {
        *POOL_PUSH(r->pool, into->pairs, into->count, into->cap) = *section;
        return 0;
    }
    if (mine->kind != YNODE_MAP || section->value->kind != YNODE_MAP) {
        return 0; /* reported where the section is read */
    }
    int rc = 0;
    for (size_t i = 0; i < section->value->count; i++) {
        const struct ypair *p = &section->value->pairs[i];
        struct ynode *other = ymap_get(mine, p->key->text);
        if (!other) {
            *POOL_PUSH(r->pool, mine->pairs, mine->count, mine->cap) = *p;
        } else if (other != p->value) {
            rc = diag_error(&r->diags, p->key->at, NULL,
                            "`%s.%s` of the included %s stands in the including file too",
                            section->key->text, p->key->text, file);
        }
    }
    return rc;
}

static int include_file(struct resolver *v, const char *path, struct mark at,
                        const struct link *from);

static int include_all(struct resolver *v, const struct file *f, const struct link *from)
{
    struct reader *r = v->r;
    const struct ynode *list = ymap_get(f->root, "include");
    if (!list || ynode_is_null(list)) {
        return 0;
    }
    if (list->kind != YNODE_SEQ) {
        return diag_error(&r->diags, list->at, NULL, "`include` must be a list, not %s",
                          ynode_kind_name(list));
    }
    int rc = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct ynode *item = list->items[i];
        const struct ynode *path = item->kind == YNODE_MAP ? ymap_get(item, "path") : item;
        if (!path || path->kind != YNODE_SCALAR || (item->kind == YNODE_MAP && item->count > 1)) {
            rc = diag_error(&r->diags, item->at, "write `- FILE` or `- path: FILE`",
                            "an entry of `include` is not understood");
            continue;
        }
        rc |= include_file(v, path->text, path->at, from);
    }
    return rc;
}

static int include_file(struct resolver *v, const char *path, struct mark at,
                        const struct link *from)
{
    const struct file *f = open_file(v, path, at);
    if (!f) {
        return -1;
    }
    const struct link l = {f, "", from, from->depth + 1};
    if (check_chain(v->r, &l, at)) {
        return -1;
    }
    int rc = expand_services(v, f) | include_all(v, f, &l);
    for (size_t i = 0; i < f->root->count; i++) {
        const char *key = f->root->pairs[i].key->text;
        if (!is_extension(&f->root->pairs[i]) && strcmp(key, "name") != 0 &&
            strcmp(key, "version") != 0 && strcmp(key, "include") != 0) {
            rc |= add_section(v->r, v->files[0].root, &f->root->pairs[i], f->name);
        }
    }
    return rc;
}

int include_resolve(struct reader *r)
{
    struct resolver *v = pool_zalloc(r->pool, sizeof *v);
    v->r = r;
    v->files[v->count++] = (struct file){r->source->name, r->root};
    fill_in(r, r->root);
    const struct link top = {.file = &v->files[0], .service = ""};
    int rc = expand_services(v, &v->files[0]) | include_all(v, &v->files[0], &top);
    return rc || r->diags.errors ? -1 : 0;
}
