/* From services to containers: profiles, references between sections, the start order and its
 * cycles, names. Every order here is by name, never by position in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "compose/read_parts.h"

enum { CONTAINERS_MAX = 1024 };

static int by_service_name(const void *a, const void *b)
{
    return strcmp(((const struct compose_service *)a)->name,
                  ((const struct compose_service *)b)->name);
}

static int by_network_key(const void *a, const void *b)
{
    return strcmp(((const struct compose_network *)a)->key,
                  ((const struct compose_network *)b)->key);
}

static int by_volume_key(const void *a, const void *b)
{
    return strcmp(((const struct compose_volume *)a)->key, ((const struct compose_volume *)b)->key);
}

/* Higher priority first, then by name. */
static int by_attachment(const void *pa, const void *pb)
{
    const struct compose_attachment *a = pa, *b = pb;
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return strcmp(a->network, b->network);
}

static void sort(void *v, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n) {
        qsort(v, n, size, compare);
    }
}

static size_t find_service(const struct compose_project *p, const char *name)
{
    for (size_t i = 0; i < p->service_count; i++) {
        if (strcmp(p->services[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static size_t find_network(const struct compose_project *p, const char *key)
{
    for (size_t i = 0; i < p->network_count; i++) {
        if (strcmp(p->networks[i].key, key) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* ---- profiles ---- */

static bool in_list(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *s = list; *s;) {
        s += strspn(s, ", \t");
        size_t n = strcspn(s, ", \t");
        if (n && n == len && strncmp(s, word, n) == 0) {
            return true;
        }
        s += n;
    }
    return false;
}

static bool profile_on(const struct reader *r, const char *profile)
{
    const struct env_entry *e = env_find(&r->env, "COMPOSE_PROFILES");
    if (e && e->value && (in_list(e->value, profile) || in_list(e->value, "*"))) {
        return true;
    }
    for (size_t i = 0; r->opts && i < r->opts->profile_count; i++) {
        const char *on = r->opts->profiles[i];
        if (strcmp(on, profile) == 0 || strcmp(on, "*") == 0) {
            return true;
        }
    }
    return false;
}

static void apply_profiles(struct reader *r)
{
    struct compose_project *p = r->project;
    for (size_t i = 0; i < p->service_count; i++) {
        struct compose_service *s = &p->services[i];
        s->active = s->profiles.n == 0;
        for (size_t k = 0; k < s->profiles.n; k++) {
            s->active |= profile_on(r, s->profiles.v[k]);
        }
    }
}

/* ---- references ---- */

static const char *suggest_service(struct reader *r, const char *name)
{
    const struct compose_project *p = r->project;
    const char **names = pool_zalloc(r->pool, p->service_count * sizeof *names);
    for (size_t i = 0; i < p->service_count; i++) {
        names[i] = p->services[i].name;
    }
    const char *near = suggest_name(name, names, p->service_count, sizeof *names);
    return near ? pool_printf(r->pool, "did you mean `%s`?", near) : NULL;
}

/* A dependency that is not required may be missing or off, and is dropped then. */
static int check_dependency(struct reader *r, const struct compose_service *s,
                            const struct compose_dependency *d, bool *drop)
{
    struct mark at = mark_at(r, d->line, d->col);
    size_t target = find_service(r->project, d->service);
    *drop = false;
    if (target == SIZE_MAX) {
        return diag_error(&r->diags, at, suggest_service(r, d->service),
                          "service `%s` depends on `%s`, which does not exist", s->name,
                          d->service);
    }
    const struct compose_service *t = &r->project->services[target];
    if (!s->active || t->active) {
        return 0;
    }
    if (!d->required) {
        *drop = true;
        return 0;
    }
    return diag_error(&r->diags, at,
                      pool_printf(r->pool, "switch on the profile `%s`, or set required: false",
                                  t->profiles.v[0]),
                      "service `%s` depends on `%s`, whose profiles are off", s->name, d->service);
}

static int check_dependencies(struct reader *r, struct compose_service *s)
{
    int rc = 0;
    size_t kept = 0;
    for (size_t i = 0; i < s->depends_count; i++) {
        bool drop = false;
        rc |= check_dependency(r, s, &s->depends_on[i], &drop);
        if (!drop) {
            s->depends_on[kept++] = s->depends_on[i];
        }
    }
    s->depends_count = kept;
    return rc;
}

/* network_mode: service:x starts behind x. */
static int check_shared_network(struct reader *r, struct compose_service *s)
{
    if (s->net_mode != COMPOSE_NET_SERVICE) {
        return 0;
    }
    struct mark at = mark_at(r, s->line, s->col);
    size_t target = find_service(r->project, s->net_service);
    if (target == SIZE_MAX || target == (size_t)(s - r->project->services)) {
        return diag_error(&r->diags, at, suggest_service(r, s->net_service),
                          "service `%s` shares the network of `%s`, which is no other service",
                          s->name, s->net_service);
    }
    const struct compose_service *t = &r->project->services[target];
    if (t->net_mode == COMPOSE_NET_SERVICE) {
        return diag_error(&r->diags, at, "name the service that owns the network",
                          "service `%s` shares the network of `%s`, which itself shares another's",
                          s->name, t->name);
    }
    if (s->active && (!t->active || t->replicas != 1)) {
        return diag_error(&r->diags, at, NULL,
                          "service `%s` shares the network of `%s`, which does not run as exactly "
                          "one container",
                          s->name, t->name);
    }
    for (size_t i = 0; i < s->depends_count; i++) {
        if (strcmp(s->depends_on[i].service, t->name) == 0) {
            return 0;
        }
    }
    struct compose_dependency *d =
        POOL_PUSH(r->pool, s->depends_on, s->depends_count, s->depends_cap);
    *d = (struct compose_dependency){
        .service = t->name, .required = true, .line = s->line, .col = s->col};
    return 0;
}

static int check_attachments(struct reader *r, struct compose_service *s)
{
    int rc = 0;
    if (s->net_mode != COMPOSE_NET_NETWORKS) {
        return 0;
    }
    if (s->attachment_count == 0) {
        struct compose_attachment *a =
            POOL_PUSH(r->pool, s->attachments, s->attachment_count, s->attachment_cap);
        a->network = pool_strdup(r->pool, "default");
        a->line = s->line;
        a->col = s->col;
    }
    for (size_t i = 0; i < s->attachment_count; i++) {
        const struct compose_attachment *a = &s->attachments[i];
        struct mark at = mark_at(r, a->line, a->col);
        size_t n = find_network(r->project, a->network);
        if (n == SIZE_MAX) {
            const struct compose_project *p = r->project;
            const char *near =
                suggest_name(a->network, p->networks, p->network_count, sizeof *p->networks);
            rc = diag_error(&r->diags, at,
                            near ? pool_printf(r->pool, "did you mean `%s`?", near)
                                 : "define it under the top-level `networks:`",
                            "service `%s` uses the network `%s`, which is not defined", s->name,
                            a->network);
        } else if (s->active) {
            r->project->networks[n].used = true;
        }
        if (s->replicas > 1 && (a->ipv4.family || a->ipv6.family)) {
            rc = diag_error(&r->diags, at, NULL,
                            "service `%s` has %u replicas, which cannot share a static address",
                            s->name, s->replicas);
        }
    }
    sort(s->attachments, s->attachment_count, sizeof *s->attachments, by_attachment);
    return rc;
}

static int check_mounts(struct reader *r, const struct compose_service *s)
{
    const struct compose_project *p = r->project;
    int rc = 0;
    for (size_t i = 0; i < s->mount_count; i++) {
        const struct compose_mount *m = &s->mounts[i];
        struct mark at = mark_at(r, m->line, m->col);
        for (size_t k = 0; k < i; k++) {
            if (m->target && s->mounts[k].target && strcmp(m->target, s->mounts[k].target) == 0) {
                rc = diag_error(&r->diags, at, NULL, "service `%s` mounts `%s` twice", s->name,
                                m->target);
            }
        }
        bool found = m->type != COMPOSE_MOUNT_VOLUME || !m->source;
        for (size_t k = 0; k < p->volume_count && !found; k++) {
            found = strcmp(p->volumes[k].key, m->source) == 0;
        }
        if (!found) {
            const char *near =
                suggest_name(m->source, p->volumes, p->volume_count, sizeof *p->volumes);
            rc = diag_error(&r->diags, at,
                            near ? pool_printf(r->pool, "did you mean `%s`?", near)
                                 : "define it under the top-level `volumes:`, or begin a path "
                                   "with `./`",
                            "service `%s` uses the volume `%s`, which is not defined", s->name,
                            m->source);
        }
    }
    return rc;
}

/* ---- start order ---- */

struct order {
    struct reader *r;
    uint8_t *state; /* 0 unseen, 1 on the stack, 2 done */
    size_t *stack;
    size_t depth;
};

static int report_cycle(struct order *o, size_t to)
{
    const struct compose_service *services = o->r->project->services;
    struct buf text cleanup_buf = {0};
    size_t from = 0;
    while (o->stack[from] != to) {
        from++;
    }
    for (size_t i = from; i < o->depth; i++) {
        buf_printf(&text, "%s -> ", services[o->stack[i]].name);
    }
    buf_puts(&text, services[to].name);
    const struct compose_service *last = &services[o->stack[o->depth - 1]];
    struct mark at = mark_at(o->r, last->line, last->col);
    for (size_t i = 0; i < last->depends_count; i++) {
        if (strcmp(last->depends_on[i].service, services[to].name) == 0) {
            at = mark_at(o->r, last->depends_on[i].line, last->depends_on[i].col);
        }
    }
    return diag_error(&o->r->diags, at, NULL, "services wait for each other: %s", text.data);
}

static int by_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Depth first; dependencies in order of their names, so that ties never follow the file. The depth
 * is bounded by the number of services. */
static int visit(struct order *o, size_t i)
{
    struct compose_project *p = o->r->project;
    const struct compose_service *s = &p->services[i];
    if (o->state[i] == 2) {
        return 0;
    }
    if (o->state[i] == 1) {
        return report_cycle(o, i);
    }
    o->state[i] = 1;
    o->stack[o->depth++] = i;
    const char **names = pool_zalloc(o->r->pool, s->depends_count * sizeof *names);
    for (size_t k = 0; k < s->depends_count; k++) {
        names[k] = s->depends_on[k].service;
    }
    sort(names, s->depends_count, sizeof *names, by_string);
    int rc = 0;
    for (size_t k = 0; k < s->depends_count && !rc; k++) {
        size_t next = find_service(p, names[k]);
        rc = next == SIZE_MAX ? 0 : visit(o, next);
    }
    o->depth--;
    o->state[i] = 2;
    if (s->active) {
        p->start_order[p->start_count++] = i;
    }
    return rc;
}

static int order_services(struct reader *r)
{
    struct compose_project *p = r->project;
    struct order o = {.r = r};
    o.state = pool_zalloc(r->pool, p->service_count);
    o.stack = pool_zalloc(r->pool, p->service_count * sizeof *o.stack);
    p->start_order = pool_zalloc(r->pool, p->service_count * sizeof *p->start_order);
    int rc = 0;
    for (size_t i = 0; i < p->service_count && !rc; i++) {
        rc = visit(&o, i);
    }
    return rc;
}

/* ---- containers ---- */

/* Stable over machines and directories: SHA-256 of the three names. */
static void make_id(const struct compose_project *p, const struct compose_service *s,
                    uint32_t replica, char id[65])
{
    struct buf text cleanup_buf = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    buf_printf(&text, "everett container\n%s\n%s\n%u", p->name, s->name, replica);
    int ok = EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL);
    ASSERT(ok == 1);
    for (size_t i = 0; i < 32; i++) {
        snprintf(id + 2 * i, 3, "%02x", digest[i]);
    }
}

static void add_name(struct reader *r, struct compose_strings *names, const char *name)
{
    if (name && !strings_has(names, name)) {
        strings_add(r, names, name);
    }
}

static void add_endpoints(struct reader *r, const struct compose_service *s,
                          struct compose_container *c)
{
    for (size_t i = 0; i < s->attachment_count; i++) {
        const struct compose_attachment *a = &s->attachments[i];
        struct compose_endpoint *e =
            POOL_PUSH(r->pool, c->endpoints, c->endpoint_count, c->endpoint_cap);
        e->network = find_network(r->project, a->network);
        e->ipv4 = a->ipv4;
        e->ipv6 = a->ipv6;
        e->interface_name =
            a->interface_name ? a->interface_name : pool_printf(r->pool, "eth%zu", i);
        add_name(r, &e->names, s->name);
        add_name(r, &e->names, c->name);
        add_name(r, &e->names,
                 pool_printf(r->pool, "%s-%s-%u", r->project->name, s->name, c->replica));
        add_name(r, &e->names, c->hostname);
        for (size_t k = 0; k < a->aliases.n; k++) {
            add_name(r, &e->names, a->aliases.v[k]);
        }
    }
}

static void add_container(struct reader *r, size_t service, uint32_t replica)
{
    struct compose_project *p = r->project;
    const struct compose_service *s = &p->services[service];
    struct compose_container *c =
        POOL_PUSH(r->pool, p->containers, p->container_count, p->container_cap);
    c->service = service;
    c->replica = replica;
    c->shares_net_of = SIZE_MAX;
    make_id(p, s, replica, c->id);
    c->name = s->container_name ? s->container_name
              : s->replicas > 1 ? pool_printf(r->pool, "%s-%u", s->name, replica)
                                : s->name;
    c->hostname = s->hostname ? s->hostname : pool_strndup(r->pool, c->id, 12);
    add_endpoints(r, s, c);
}

static int check_container_names(struct reader *r)
{
    const struct compose_project *p = r->project;
    int rc = 0;
    for (size_t i = 0; i < p->container_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct compose_service *a = &p->services[p->containers[i].service];
            const struct compose_service *b = &p->services[p->containers[k].service];
            if (strcmp(p->containers[i].name, p->containers[k].name) == 0) {
                rc = diag_error(&r->diags, mark_at(r, a->line, a->col), NULL,
                                "services `%s` and `%s` both have a container named `%s`", b->name,
                                a->name, p->containers[i].name);
            }
        }
    }
    return rc;
}

static int make_containers(struct reader *r)
{
    struct compose_project *p = r->project;
    uint64_t total = 0;
    for (size_t i = 0; i < p->service_count; i++) {
        total += p->services[i].active ? p->services[i].replicas : 0;
    }
    if (total > CONTAINERS_MAX) {
        return diag_error(&r->diags, mark_at(r, 0, 0), NULL,
                          "the project has more than %d containers", CONTAINERS_MAX);
    }
    for (size_t i = 0; i < p->service_count; i++) {
        for (uint32_t n = 1; p->services[i].active && n <= p->services[i].replicas; n++) {
            add_container(r, i, n);
        }
    }
    for (size_t i = 0; i < p->container_count; i++) {
        const struct compose_service *s = &p->services[p->containers[i].service];
        for (size_t k = 0; s->net_mode == COMPOSE_NET_SERVICE && k < p->container_count; k++) {
            if (strcmp(p->services[p->containers[k].service].name, s->net_service) == 0) {
                p->containers[i].shares_net_of = k;
            }
        }
    }
    return check_container_names(r);
}

static void name_parts(struct reader *r)
{
    struct compose_project *p = r->project;
    bool needs_default = false;
    for (size_t i = 0; i < p->service_count; i++) {
        const struct compose_service *s = &p->services[i];
        needs_default |= s->net_mode == COMPOSE_NET_NETWORKS && s->attachment_count == 0;
        for (size_t k = 0; k < s->attachment_count; k++) {
            needs_default |= strcmp(s->attachments[k].network, "default") == 0;
        }
    }
    if (needs_default && find_network(p, "default") == SIZE_MAX) {
        struct compose_network *n =
            POOL_PUSH(r->pool, p->networks, p->network_count, p->network_cap);
        n->key = pool_strdup(r->pool, "default");
    }
    for (size_t i = 0; i < p->network_count; i++) {
        struct compose_network *n = &p->networks[i];
        n->name = n->name ? n->name : pool_printf(r->pool, "%s_%s", p->name, n->key);
    }
    for (size_t i = 0; i < p->volume_count; i++) {
        struct compose_volume *v = &p->volumes[i];
        v->name = v->name ? v->name : pool_printf(r->pool, "%s_%s", p->name, v->key);
    }
}

int resolve_project(struct reader *r)
{
    struct compose_project *p = r->project;
    name_parts(r);
    sort(p->services, p->service_count, sizeof *p->services, by_service_name);
    sort(p->networks, p->network_count, sizeof *p->networks, by_network_key);
    sort(p->volumes, p->volume_count, sizeof *p->volumes, by_volume_key);
    apply_profiles(r);
    int rc = 0;
    for (size_t i = 0; i < p->service_count; i++) {
        rc |= check_shared_network(r, &p->services[i]);
        rc |= check_dependencies(r, &p->services[i]);
        rc |= check_attachments(r, &p->services[i]);
        rc |= check_mounts(r, &p->services[i]);
    }
    rc |= order_services(r);
    if (rc) {
        return -1;
    }
    return make_containers(r);
}
