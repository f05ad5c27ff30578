/* When a service starts, is healthy, restarts and how many of it there are. */
#include <string.h>

#include "compose/read_parts.h"
#include "compose/units.h"

#define SECOND_NS 1000000000ull

static struct compose_dependency *add_dependency(struct reader *r, struct compose_service *s,
                                                 const char *name, struct mark at)
{
    for (size_t i = 0; i < s->depends_count; i++) {
        if (strcmp(s->depends_on[i].service, name) == 0) {
            return &s->depends_on[i];
        }
    }
    struct compose_dependency *d =
        POOL_PUSH(r->pool, s->depends_on, s->depends_count, s->depends_cap);
    d->service = pool_strdup(r->pool, name);
    d->required = true;
    d->line = at.line;
    d->col = at.col;
    return d;
}

static int read_condition(struct reader *r, const struct key_rule *rule, void *field,
                          const struct ynode *v)
{
    static const char *const names[] = {
        [COMPOSE_STARTED] = "service_started",
        [COMPOSE_HEALTHY] = "service_healthy",
        [COMPOSE_COMPLETED] = "service_completed_successfully",
    };
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(s, names[i]) == 0) {
            *(enum compose_condition *)field = (enum compose_condition)i;
            return 0;
        }
    }
    const char *near = suggest_name(s, names, ARRAY_LEN(names), sizeof names[0]);
    return diag_error(&r->diags, v->at,
                      near ? pool_printf(r->pool, "did you mean `%s`?", near)
                           : "conditions: service_started, service_healthy, "
                             "service_completed_successfully",
                      "unknown condition `%s`", s);
}

static const struct key_rule depend_rules[] = {
    RULE("condition", struct compose_dependency, condition, read_condition),
    RULE("required", struct compose_dependency, required, read_bool),
    RULE("restart", struct compose_dependency, restart, read_bool),
    {0},
};

int read_depends_on(struct reader *r, const struct key_rule *rule, void *field,
                    const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    int rc = 0;
    if (v->kind == YNODE_SEQ) {
        for (size_t i = 0; i < v->count; i++) {
            const char *name = scalar_text(r, v->items[i]);
            if (name) {
                add_dependency(r, s, name, v->items[i]->at);
            }
            rc |= name ? 0 : -1;
        }
        return rc;
    }
    if (v->kind != YNODE_MAP) {
        return diag_error(&r->diags, v->at, "write `depends_on: [name]`",
                          "`%s` must be a list or a mapping, not %s", path_text(r),
                          ynode_kind_name(v));
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct ypair *pair = &v->pairs[i];
        struct compose_dependency *d = add_dependency(r, s, pair->key->text, pair->key->at);
        if (ynode_is_null(pair->value)) {
            continue;
        }
        path_push(r, pair->key->text);
        rc |= read_map(r, pair->value, depend_rules, d, "an entry of `depends_on`");
        path_pop(r);
    }
    return rc ? -1 : 0;
}

int read_links(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    for (size_t i = 0; i < v->count; i++) {
        const char *text = scalar_text(r, v->items[i]);
        if (!text) {
            return -1;
        }
        const char *colon = strchr(text, ':');
        size_t len = colon ? (size_t)(colon - text) : 0;
        if (colon && (strncmp(text, colon + 1, len) != 0 || colon[1 + len] != 0)) {
            return diag_error(&r->diags, v->items[i]->at,
                              "give the other service the name by `networks: {default: {aliases: "
                              "[...]}}`",
                              "the link `%s` gives a service a second name", text);
        }
        const char *name = colon ? pool_strndup(r->pool, text, len) : text;
        add_dependency(r, s, name, v->items[i]->at);
    }
    return 0;
}

static int read_health_test(struct reader *r, const struct key_rule *rule, void *field,
                            const struct ynode *v)
{
    struct compose_healthcheck *h = field;
    if (v->kind == YNODE_SCALAR) {
        h->test = COMPOSE_TEST_SHELL;
        strings_add(r, &h->argv, v->text);
        return 0;
    }
    struct compose_strings words = {0};
    if (read_strings(r, rule, &words, v)) {
        return -1;
    }
    const char *kind = words.n ? words.v[0] : "";
    if (strcmp(kind, "NONE") == 0) {
        h->test = COMPOSE_TEST_NONE;
    } else if (strcmp(kind, "CMD") == 0) {
        h->test = COMPOSE_TEST_EXEC;
    } else if (strcmp(kind, "CMD-SHELL") == 0) {
        h->test = COMPOSE_TEST_SHELL;
    } else {
        return diag_error(&r->diags, v->at, "write [\"CMD\", \"program\", ...] or one text",
                          "`test` must begin with NONE, CMD or CMD-SHELL%s%s%s",
                          words.n ? ", not `" : "", kind, words.n ? "`" : "");
    }
    for (size_t i = 1; i < words.n; i++) {
        strings_add(r, &h->argv, words.v[i]);
    }
    if (h->test != COMPOSE_TEST_NONE && h->argv.n == 0) {
        return diag_error(&r->diags, v->at, NULL, "`test` names no command");
    }
    return 0;
}

/* Only checked here: it beats a `test` that stands behind it, so it is applied at the end. */
static int read_health_disable(struct reader *r, const struct key_rule *rule, void *field,
                               const struct ynode *v)
{
    bool off = false;
    return read_bool(r, rule, &off, v);
}

static const struct key_rule health_rules[] = {
    RULE_WHOLE("test", read_health_test),
    RULE("interval", struct compose_healthcheck, interval_ns, read_duration),
    RULE("timeout", struct compose_healthcheck, timeout_ns, read_duration),
    RULE("retries", struct compose_healthcheck, retries, read_u32),
    RULE("start_period", struct compose_healthcheck, start_period_ns, read_duration),
    RULE("start_interval", struct compose_healthcheck, start_interval_ns, read_duration),
    RULE_WHOLE("disable", read_health_disable),
    {0},
};

/* Docker takes zero for "not given" (HEALTHCHECK in the Dockerfile reference gives the defaults).
 */
static bool given_or_default(uint64_t *value, uint64_t otherwise)
{
    bool given = *value != 0;
    if (!given) {
        *value = otherwise;
    }
    return given;
}

int read_healthcheck(struct reader *r, const struct key_rule *rule, void *field,
                     const struct ynode *v)
{
    struct compose_healthcheck *h = field;
    *h = (struct compose_healthcheck){.present = true};
    if (read_map(r, v, health_rules, h, "`healthcheck`")) {
        return -1;
    }
    const struct ynode *disable = ymap_get(v, "disable");
    bool off = false;
    if (disable && disable->kind == YNODE_SCALAR && parse_bool(disable->text, &off) == 0 && off) {
        h->test = COMPOSE_TEST_NONE;
    }
    uint64_t retries = h->retries;
    h->interval_given = given_or_default(&h->interval_ns, 30 * SECOND_NS);
    h->timeout_given = given_or_default(&h->timeout_ns, 30 * SECOND_NS);
    h->start_period_given = given_or_default(&h->start_period_ns, 0);
    h->start_interval_given = given_or_default(&h->start_interval_ns, 5 * SECOND_NS);
    h->retries_given = given_or_default(&retries, 3);
    h->retries = (uint32_t)retries;
    return 0;
}

int read_restart(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct service_draft *d = field;
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    int64_t max = 0;
    d->restart_given = true;
    if (strcmp(s, "no") == 0 || strcmp(s, "") == 0) {
        d->s.restart = COMPOSE_RESTART_NO;
    } else if (strcmp(s, "always") == 0) {
        d->s.restart = COMPOSE_RESTART_ALWAYS;
    } else if (strcmp(s, "unless-stopped") == 0) {
        d->s.restart = COMPOSE_RESTART_UNLESS_STOPPED;
    } else if (strcmp(s, "on-failure") == 0 || (strncmp(s, "on-failure:", 11) == 0 &&
                                                parse_integer(s + 11, 0, UINT32_MAX, &max) == 0)) {
        d->s.restart = COMPOSE_RESTART_ON_FAILURE;
        d->s.restart_max = (uint32_t)max;
    } else {
        return diag_error(&r->diags, v->at,
                          "policies: no, always, on-failure, on-failure:3, unless-stopped",
                          "unknown restart policy `%s`", s);
    }
    return 0;
}

static int read_policy_condition(struct reader *r, const struct key_rule *rule, void *field,
                                 const struct ynode *v)
{
    struct service_draft *d = field;
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    d->policy_given = true;
    if (strcmp(s, "none") == 0) {
        d->policy = COMPOSE_RESTART_NO;
    } else if (strcmp(s, "any") == 0) {
        d->policy = COMPOSE_RESTART_ALWAYS;
    } else if (strcmp(s, "on-failure") == 0) {
        d->policy = COMPOSE_RESTART_ON_FAILURE;
    } else {
        return diag_error(&r->diags, v->at, "conditions: none, on-failure, any",
                          "unknown restart condition `%s`", s);
    }
    return 0;
}

static int read_policy(struct reader *r, const struct key_rule *rule, void *field,
                       const struct ynode *v)
{
    static const char backoff[] = "restarts follow Docker's back-off";
    static const struct key_rule rules[] = {
        RULE_WHOLE("condition", read_policy_condition),
        RULE("max_attempts", struct service_draft, policy_max, read_u32),
        RULE_NO_EFFECT("delay", backoff),
        RULE_NO_EFFECT("window", backoff),
        {0},
    };
    struct service_draft *d = field;
    d->policy_given = true;
    d->policy = COMPOSE_RESTART_ALWAYS; /* the specification's default is `any` */
    return read_map(r, v, rules, field, "`restart_policy`");
}

static int read_limits(struct reader *r, const struct key_rule *rule, void *field,
                       const struct ynode *v)
{
    static const struct key_rule rules[] = {
        RULE("memory", struct service_draft, deploy_memory, read_size),
        RULE_NO_EFFECT("cpus", "processor time is modelled, not shared out"),
        RULE_NO_EFFECT("pids", "the engine's own limit holds"),
        {0},
    };
    return read_map(r, v, rules, field, "`limits`");
}

static int read_resources(struct reader *r, const struct key_rule *rule, void *field,
                          const struct ynode *v)
{
    static const struct key_rule rules[] = {
        RULE_WHOLE("limits", read_limits),
        RULE_NO_EFFECT("reservations", "a universe has what its containers need"),
        {0},
    };
    return read_map(r, v, rules, field, "`resources`");
}

static int read_replicas(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    struct service_draft *d = field;
    d->replicas_given = true;
    return read_u32(r, rule, &d->deploy_replicas, v);
}

static int read_mode_of_deploy(struct reader *r, const struct key_rule *rule, void *field,
                               const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (strcmp(s, "replicated") != 0 && strcmp(s, "global") != 0) {
        return diag_error(&r->diags, v->at,
                          "write a service with depends_on and a command that "
                          "ends",
                          "deploy mode `%s` needs a swarm", s);
    }
    return 0;
}

int read_deploy(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    static const char swarm[] = "only a swarm acts on it";
    static const struct key_rule rules[] = {
        RULE_WHOLE("replicas", read_replicas),    RULE_WHOLE("mode", read_mode_of_deploy),
        RULE_WHOLE("resources", read_resources),  RULE_WHOLE("restart_policy", read_policy),
        RULE_NO_EFFECT("labels", swarm),          RULE_NO_EFFECT("endpoint_mode", swarm),
        RULE_NO_EFFECT("placement", swarm),       RULE_NO_EFFECT("update_config", swarm),
        RULE_NO_EFFECT("rollback_config", swarm), {0},
    };
    return read_map(r, v, rules, field, "`deploy`");
}

int read_hooks(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    static const struct key_rule rules[] = {
        RULE("command", struct compose_hook, command, read_argv),
        RULE("user", struct compose_hook, user, read_string),
        RULE("working_dir", struct compose_hook, working_dir, read_path),
        RULE("privileged", struct compose_hook, privileged, read_bool),
        RULE("environment", struct compose_hook, environment, read_environment),
        {0},
    };
    struct compose_service *s = &((struct service_draft *)field)->s;
    int rc = expect_kind(r, v, YNODE_SEQ);
    for (size_t i = 0; !rc && i < v->count; i++) {
        struct compose_hook hook = {0};
        rc = read_map(r, v->items[i], rules, &hook, "an entry of `post_start`");
        if (!rc && hook.command.words.n == 0) {
            rc = diag_error(&r->diags, v->items[i]->at, NULL,
                            "an entry of `post_start` has no `command`");
        }
        *POOL_PUSH(r->pool, s->post_start, s->post_start_count, s->post_start_cap) = hook;
    }
    return rc;
}
