/* One container of the project as a node of the plan. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "abi/guestcall.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "compose/units.h"
#include "runner/compose_plan_priv.h"

#define SIGTERM_LINUX            15
#define HEALTH_INTERVAL_NS       (30ull * 1000000000) /* Docker's defaults */
#define HEALTH_TIMEOUT_NS        (30ull * 1000000000)
#define HEALTH_START_INTERVAL_NS (5ull * 1000000000)
#define HEALTH_RETRIES           3u

/* --- what runs -------------------------------------------------------------------------------- */

struct words {
    char **v; /* borrowed strings */
    size_t n, cap;
};

static void add_words(struct words *w, char *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *ARRAY_PUSH(w->v, w->n, w->cap) = v[i];
    }
}

/* Docker's rule: an entrypoint given in the compose file drops the image's command as well. */
static int put_argv(struct composing *c, const struct node_source *s, struct plan_list *out)
{
    const struct compose_service *sv = s->service;
    const struct image_config *ic = &s->image->config;
    struct words w = {0};
    if (sv->entrypoint.set) {
        add_words(&w, sv->entrypoint.words.v, sv->entrypoint.words.n);
    } else {
        add_words(&w, ic->entrypoint.items, ic->entrypoint.count);
    }
    if (sv->command.set) {
        add_words(&w, sv->command.words.v, sv->command.words.n);
    } else if (!sv->entrypoint.set) {
        add_words(&w, ic->cmd.items, ic->cmd.count);
    }
    *out = plan_put_strs(&c->out->builder, w.v, w.n);
    free(w.v);
    if (out->count == 0) {
        err_set(c->err, ERR_USAGE,
                "service %s: neither the compose file nor image %s says what to "
                "run",
                sv->name, sv->image);
        return err_hint(c->err, "give it a `command:`");
    }
    return 0;
}

struct env {
    char **v; /* owned strings "NAME=VALUE" */
    size_t n, cap;
};

static size_t env_find(const struct env *e, const char *name, size_t len)
{
    for (size_t i = 0; i < e->n; i++) {
        if (strncmp(e->v[i], name, len) == 0 && e->v[i][len] == '=') {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Replaces in place, so that the order stays the one of first mention; NULL removes. */
static void env_set(struct env *e, const char *name, size_t len, const char *value)
{
    size_t at = env_find(e, name, len);
    if (at != SIZE_MAX) {
        free(e->v[at]);
    }
    if (!value) {
        if (at != SIZE_MAX) {
            memmove(&e->v[at], &e->v[at + 1], (e->n - at - 1) * sizeof *e->v);
            e->n--;
        }
        return;
    }
    struct buf b = {0};
    buf_append(&b, name, len);
    buf_printf(&b, "=%s", value);
    if (at != SIZE_MAX) {
        e->v[at] = buf_steal(&b);
    } else {
        *ARRAY_PUSH(e->v, e->n, e->cap) = buf_steal(&b);
    }
}

static void env_default(struct env *e, const char *name, const char *value)
{
    if (env_find(e, name, strlen(name)) == SIZE_MAX) {
        env_set(e, name, strlen(name), value);
    }
}

static void env_fill(struct env *e, const struct node_source *s)
{
    env_set(e, "PATH", 4, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    env_set(e, "HOSTNAME", 8, s->container->hostname);
    if (s->service->tty) {
        env_set(e, "TERM", 4, "xterm");
    }
    for (size_t i = 0; i < s->image->config.env.count; i++) {
        const char *entry = s->image->config.env.items[i], *eq = strchr(entry, '=');
        if (eq) {
            env_set(e, entry, (size_t)(eq - entry), eq + 1);
        }
    }
    for (size_t i = 0; i < s->service->environment.n; i++) {
        const struct compose_pair *p = &s->service->environment.v[i];
        env_set(e, p->name, strlen(p->name), p->value);
    }
    env_default(e, "HOME", s->user.home && s->user.home[0] ? s->user.home : "/");
    env_set(e, "ANTITHESIS_OUTPUT_DIR", strlen("ANTITHESIS_OUTPUT_DIR"), GUEST_OUTPUT_DIR);
    env_set(e, "ANTITHESIS_STOP_FAULTS", strlen("ANTITHESIS_STOP_FAULTS"), GUEST_STOP_FAULTS);
}

static struct plan_list put_env(struct composing *c, const struct node_source *s)
{
    struct env e = {0};
    env_fill(&e, s);
    struct plan_list out = plan_put_strs(&c->out->builder, e.v, e.n);
    for (size_t i = 0; i < e.n; i++) {
        free(e.v[i]);
    }
    free(e.v);
    return out;
}

/* --- who runs it ------------------------------------------------------------------------------ */

static int add_group(struct composing *c, const struct node_source *s, const char *name,
                     uint32_t **groups, size_t *count, size_t *cap)
{
    cleanup_buf struct buf spec = {0};
    struct image_user found = {0};
    buf_printf(&spec, "0:%s", name); /* the group half of USER: a number or a row of /etc/group */
    if (image_user_init(&found, s->image, spec.data, c->err)) {
        return err_wrap(c->err, "service %s: group_add", s->service->name);
    }
    *ARRAY_PUSH(*groups, *count, *cap) = found.gid;
    image_user_fini(&found);
    return 0;
}

static int put_groups(struct composing *c, const struct node_source *s, struct plan_list *out)
{
    uint32_t *groups = NULL;
    size_t count = 0, cap = 0;
    int r = 0;
    for (size_t i = 0; i < s->user.group_count; i++) {
        *ARRAY_PUSH(groups, count, cap) = s->user.groups[i];
    }
    for (size_t i = 0; r == 0 && i < s->service->groups.n; i++) {
        r = add_group(c, s, s->service->groups.v[i], &groups, &count, &cap);
    }
    *out = plan_put_list(&c->out->builder, groups, count, sizeof *groups);
    free(groups);
    return r;
}

/* --- its life --------------------------------------------------------------------------------- */

static uint64_t pick(bool given, uint64_t compose, int64_t image, uint64_t fallback)
{
    return given ? compose : image > 0 ? (uint64_t)image : fallback;
}

static struct plan_list image_test(struct composing *c, const struct image_strings *t)
{
    struct words w = {0};
    if (t->count && strcmp(t->items[0], "CMD") == 0) {
        add_words(&w, t->items + 1, t->count - 1);
    } else if (t->count > 1 && strcmp(t->items[0], "CMD-SHELL") == 0) {
        char *shell[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", t->items[1]};
        add_words(&w, shell, ARRAY_LEN(shell));
    }
    struct plan_list out = plan_put_strs(&c->out->builder, w.v, w.n);
    free(w.v);
    return out;
}

static struct plan_list health_test(struct composing *c, const struct node_source *s)
{
    const struct compose_healthcheck *h = &s->service->healthcheck;
    struct words w = {0};
    if (!h->present || h->test == COMPOSE_TEST_UNSET) {
        return image_test(c, &s->image->config.healthcheck.test);
    }
    if (h->test == COMPOSE_TEST_SHELL) {
        char *shell[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c"};
        add_words(&w, shell, ARRAY_LEN(shell));
    }
    if (h->test != COMPOSE_TEST_NONE) {
        add_words(&w, h->argv.v, h->argv.n);
    }
    struct plan_list out = plan_put_strs(&c->out->builder, w.v, w.n);
    free(w.v);
    return out;
}

static void put_health(struct composing *c, const struct node_source *s, struct plan_health *out)
{
    const struct compose_healthcheck *h = &s->service->healthcheck;
    const struct image_healthcheck *i = &s->image->config.healthcheck;
    out->test = health_test(c, s);
    out->interval_ns = pick(h->interval_given, h->interval_ns, i->interval_ns, HEALTH_INTERVAL_NS);
    out->timeout_ns = pick(h->timeout_given, h->timeout_ns, i->timeout_ns, HEALTH_TIMEOUT_NS);
    out->start_period_ns = pick(h->start_period_given, h->start_period_ns, i->start_period_ns, 0);
    out->start_interval_ns = pick(h->start_interval_given, h->start_interval_ns,
                                  i->start_interval_ns, HEALTH_START_INTERVAL_NS);
    out->retries = (uint32_t)pick(h->retries_given, h->retries, i->retries, HEALTH_RETRIES);
}

static uint32_t plan_condition(enum compose_condition c)
{
    switch (c) {
    case COMPOSE_STARTED:
        return PLAN_STARTED;
    case COMPOSE_HEALTHY:
        return PLAN_HEALTHY;
    case COMPOSE_COMPLETED:
        return PLAN_COMPLETED;
    }
    ASSERT(!"condition");
    return 0;
}

static uint32_t plan_restart(enum compose_restart r)
{
    switch (r) {
    case COMPOSE_RESTART_NO:
        return PLAN_RESTART_NO;
    case COMPOSE_RESTART_ALWAYS:
        return PLAN_RESTART_ALWAYS;
    case COMPOSE_RESTART_ON_FAILURE:
        return PLAN_RESTART_ON_FAILURE;
    case COMPOSE_RESTART_UNLESS_STOPPED:
        return PLAN_RESTART_UNLESS_STOPPED;
    }
    ASSERT(!"restart");
    return 0;
}

/* A dependency on a service is one on each of its containers. */
static struct plan_list put_depends(struct composing *c, const struct node_source *s)
{
    struct plan_depends *v = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < s->service->depends_count; i++) {
        const struct compose_dependency *d = &s->service->depends_on[i];
        for (size_t k = 0; k < c->p->container_count; k++) {
            if (strcmp(c->p->services[c->p->containers[k].service].name, d->service) == 0) {
                *ARRAY_PUSH(v, n, cap) =
                    (struct plan_depends){(uint32_t)k, plan_condition(d->condition), d->required};
            }
        }
    }
    struct plan_list out = plan_put_list(&c->out->builder, v, n, sizeof *v);
    free(v);
    return out;
}

static int put_stop_signal(struct composing *c, const struct node_source *s, uint32_t *out)
{
    int signal = s->service->stop_signal;
    const char *image = s->image->config.stop_signal;
    if (!signal && image && image[0] && parse_signal(image, &signal)) {
        return err_set(c->err, ERR_USAGE, "image %s: stop signal `%s` is not known",
                       s->service->image, image);
    }
    *out = signal ? (uint32_t)signal : SIGTERM_LINUX;
    return 0;
}

/* --- limits and network ----------------------------------------------------------------------- */

static struct plan_list put_rlimits(struct composing *c, const struct node_source *s)
{
    struct plan_rlimit *v = mem_zalloc((s->service->ulimit_count + 1) * sizeof *v);
    for (size_t i = 0; i < s->service->ulimit_count; i++) {
        const struct compose_ulimit *u = &s->service->ulimits[i];
        v[i].resource = (uint32_t)u->resource;
        v[i].soft = u->soft;
        v[i].hard = u->hard;
    }
    struct plan_list out = plan_put_list(&c->out->builder, v, s->service->ulimit_count, sizeof *v);
    free(v);
    return out;
}

static struct plan_list put_attaches(struct composing *c, const struct node_source *s)
{
    struct plan_attach *v = mem_zalloc((s->container->endpoint_count + 1) * sizeof *v);
    for (size_t i = 0; i < s->container->endpoint_count; i++) {
        const struct compose_endpoint *e = &s->container->endpoints[i];
        v[i].network = (uint32_t)e->network;
        memcpy(v[i].addr4, e->ipv4.bytes, sizeof v[i].addr4);
        memcpy(v[i].addr6, e->ipv6.bytes, sizeof v[i].addr6);
        v[i].aliases = plan_put_strs(&c->out->builder, e->names.v, e->names.n);
    }
    struct plan_list out =
        plan_put_list(&c->out->builder, v, s->container->endpoint_count, sizeof *v);
    free(v);
    return out;
}

static struct plan_list put_hosts(struct composing *c, const struct node_source *s)
{
    struct plan_host_entry *v = mem_zalloc((s->service->extra_host_count + 1) * sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < s->service->extra_host_count; i++) {
        const struct compose_extra_host *h = &s->service->extra_hosts[i];
        char text[IP_TEXT_MAX];
        if (h->ip.family == 0) {
            composing_warn(c, "service %s: host %s has no address without a network",
                           s->service->name, h->name);
            continue;
        }
        ip_format(&h->ip, text);
        v[n].name = plan_put_str(&c->out->builder, h->name);
        v[n++].address = plan_put_str(&c->out->builder, text);
    }
    struct plan_list out = plan_put_list(&c->out->builder, v, n, sizeof *v);
    free(v);
    return out;
}

static uint32_t fault_exclude(struct composing *c, const struct node_source *src)
{
    const struct compose_service *s = src->service;
    uint32_t bits = fault_config_excluded(c->r->faults, src->container->name, s->name);
    for (size_t i = 0; i < s->fault_exclusions.n; i++) {
        uint32_t hit = fault_exclude_bits(s->fault_exclusions.v[i]);
        if (!hit) {
            composing_warn(c, "service %s: fault exclusion `%s` names no fault", s->name,
                           s->fault_exclusions.v[i]);
        }
        bits |= hit;
    }
    return bits;
}

/* --- the node --------------------------------------------------------------------------------- */

/* Leaving these out in silence would test another system than the file describes. */
static int refuse_unserved(struct composing *c, const struct node_source *s)
{
    const struct compose_service *sv = s->service;
    const char *what = s->container->shares_net_of != SIZE_MAX ? "network_mode: service:NAME"
                       : sv->post_start_count                  ? "post_start"
                                                               : NULL;
    if (what) {
        return err_set(c->err, ERR_USAGE, "service %s: `%s` is not served by universes yet",
                       sv->name, what);
    }
    if (sv->sysctls.n) {
        composing_warn(c, "service %s: sysctls are kept, the kernel's own values hold", sv->name);
    }
    return 0;
}

static void put_texts(struct composing *c, const struct node_source *s, struct plan_node *n)
{
    struct plan_builder *b = &c->out->builder;
    n->name = plan_put_str(b, s->container->name);
    n->hostname = plan_put_str(b, s->container->hostname);
    n->service = plan_put_str(b, s->service->name);
    const char *cwd = s->service->working_dir ? s->service->working_dir : s->image->config.workdir;
    n->cwd = plan_put_str(b, cwd && cwd[0] ? cwd : "/");
    n->env = put_env(c, s);
}

int composing_node(struct composing *c, const struct node_source *s, struct plan_node *n)
{
    const struct compose_service *sv = s->service;
    if (refuse_unserved(c, s) || put_argv(c, s, &n->argv) || put_groups(c, s, &n->groups) ||
        put_stop_signal(c, s, &n->stop_signal) || composing_mounts(c, s, &n->mounts)) {
        return -1;
    }
    put_texts(c, s, n);
    n->image = (uint32_t)system_images_find(&c->out->images, SYSTEM_IMAGE_STORED, sv->image);
    n->uid = s->user.uid;
    n->gid = s->user.gid;
    n->init = sv->init;
    n->is_tty = sv->tty;
    n->capabilities = sv->capabilities;
    n->no_new_privs = sv->no_new_privs;
    n->read_only_root = sv->read_only;
    n->restart = plan_restart(sv->restart);
    n->restart_max = sv->restart_max;
    n->stop_grace_ns = sv->stop_grace_ns;
    n->memory_limit_bytes = sv->mem_limit;
    n->shm_bytes = sv->shm_size;
    put_health(c, s, &n->health);
    n->depends = put_depends(c, s);
    n->attaches = put_attaches(c, s);
    n->rlimits = put_rlimits(c, s);
    n->hosts = put_hosts(c, s);
    n->fault_exclude = fault_exclude(c, s);
    return 0;
}
