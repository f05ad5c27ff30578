/* The table of a service's keys, and how its fields are put together. */
#include <ctype.h>
#include <string.h>

#include "compose/read_parts.h"

static const char no_host[] = "containers reach each other on their own ports; there is no host";
static const char modelled[] = "processor time and disk are modelled, not shared out";
static const char one_kernel[] = "all containers share the kernel of their universe";
static const char hermetic_dns[] = "names are answered inside the universe only";
static const char no_device[] = "a universe has no devices of a host";
static const char not_read[] = "nothing in a universe reads it";

static int read_network_mode(struct reader *r, const struct key_rule *rule, void *field,
                             const struct ynode *v)
{
    struct service_draft *d = field;
    d->network_mode_at = v->at;
    return read_string(r, rule, &d->network_mode, v);
}

static int read_container_name(struct reader *r, const struct key_rule *rule, void *field,
                               const struct ynode *v)
{
    struct service_draft *d = field;
    d->container_name_at = v->at;
    if (read_string(r, rule, &d->s.container_name, v)) {
        return -1;
    }
    if (!valid_name(d->s.container_name)) {
        return diag_error(&r->diags, v->at,
                          "names are letters, digits, `_`, `.` and `-`, and begin with a letter "
                          "or digit",
                          "`%s` is no name for a container", d->s.container_name);
    }
    return 0;
}

/* A host name as sethostname takes it (hostname(7): up to 64 bytes); the characters are checked so
 * that it can stand in /etc/hosts. */
static int read_hostname(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (n == 0 || s[n] || n > 64 || s[0] == '-' || s[0] == '.') {
        return diag_error(&r->diags, v->at, NULL, "`%s` is no host name", s);
    }
    return read_string(r, rule, field, v);
}

static int read_build(struct reader *r, const struct key_rule *rule, void *field,
                      const struct ynode *v)
{
    ((struct service_draft *)field)->built = true;
    return 0;
}

/* include.c did it. */
static int read_extended(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    return 0;
}

static int read_scale(struct reader *r, const struct key_rule *rule, void *field,
                      const struct ynode *v)
{
    struct service_draft *d = field;
    d->scale_given = true;
    d->scale_at = v->at;
    return read_u32(r, rule, &d->scale, v);
}

static int read_image(struct reader *r, const struct key_rule *rule, void *field,
                      const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    *(char **)field = pool_strdup(r->pool, s); /* even if wrong: it is not missing */
    if (!*s || s[strcspn(s, " \t\r\n")]) {
        return diag_error(&r->diags, v->at, "like `etcd:v3.5` or `registry:5000/team/etcd:v3.5`",
                          "`%s` is no image reference", s);
    }
    return 0;
}

static int read_cap_add(struct reader *r, const struct key_rule *rule, void *field,
                        const struct ynode *v)
{
    struct service_draft *d = field;
    d->cap_at = v->at;
    return read_strings(r, rule, &d->cap_add, v);
}

static int read_cap_drop(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    struct service_draft *d = field;
    d->cap_at = d->cap_add.n ? d->cap_at : v->at;
    return read_strings(r, rule, &d->cap_drop, v);
}

#define S(name, member, fn) RULE(name, struct service_draft, s.member, fn)

static const struct key_rule service_rules[] = {
    S("image", image, read_image),
    S("command", command, read_argv),
    S("entrypoint", entrypoint, read_argv),
    S("environment", environment, read_environment),
    RULE("env_file", struct service_draft, env_files, read_env_file),
    S("working_dir", working_dir, read_path),
    S("user", user, read_string),
    S("group_add", groups, read_strings),
    S("init", init, read_bool),
    S("tty", tty, read_bool),
    S("stdin_open", stdin_open, read_bool),
    RULE_WHOLE("post_start", read_hooks),
    RULE_WHOLE("extends", read_extended),
    RULE_WHOLE("container_name", read_container_name),
    S("hostname", hostname, read_hostname),
    S("domainname", domainname, read_hostname),
    RULE_WHOLE("networks", read_service_networks),
    RULE_WHOLE("network_mode", read_network_mode),
    RULE_WHOLE("extra_hosts", read_extra_hosts),
    RULE_WHOLE("links", read_links),
    RULE_WHOLE("volumes", read_volumes),
    RULE_WHOLE("tmpfs", read_tmpfs),
    RULE_WHOLE("configs", read_service_configs),
    RULE_WHOLE("secrets", read_service_secrets),
    S("read_only", read_only, read_bool),
    S("shm_size", shm_size, read_size),
    RULE_WHOLE("depends_on", read_depends_on),
    S("healthcheck", healthcheck, read_healthcheck),
    RULE_WHOLE("restart", read_restart),
    S("stop_signal", stop_signal, read_stop_signal),
    S("stop_grace_period", stop_grace_ns, read_duration),
    S("profiles", profiles, read_strings),
    RULE_WHOLE("deploy", read_deploy),
    RULE_WHOLE("scale", read_scale),
    RULE_WHOLE("ulimits", read_ulimits),
    S("mem_limit", mem_limit, read_size),
    S("privileged", privileged, read_bool),
    RULE_WHOLE("cap_add", read_cap_add),
    RULE_WHOLE("cap_drop", read_cap_drop),
    RULE_WHOLE("security_opt", read_security_opt),
    S("sysctls", sysctls, read_sysctls),
    S("labels", labels, read_pairs),
    RULE_WHOLE("platform", read_platform),
    {"build", COMPOSE_WITHOUT_EFFECT, read_build, 0, "images are pushed, not built here"},
    RULE_NO_EFFECT("ports", no_host),
    RULE_NO_EFFECT("expose", no_host),
    RULE_NO_EFFECT("annotations", not_read),
    RULE_NO_EFFECT("attach", "all output is collected"),
    RULE_NO_EFFECT("logging", "all output is collected"),
    RULE_NO_EFFECT("blkio_config", modelled),
    RULE_NO_EFFECT("cpu_count", modelled),
    RULE_NO_EFFECT("cpu_percent", modelled),
    RULE_NO_EFFECT("cpu_period", modelled),
    RULE_NO_EFFECT("cpu_quota", modelled),
    RULE_NO_EFFECT("cpu_rt_period", modelled),
    RULE_NO_EFFECT("cpu_rt_runtime", modelled),
    RULE_NO_EFFECT("cpu_shares", modelled),
    RULE_NO_EFFECT("cpus", modelled),
    RULE_NO_EFFECT("cpuset", modelled),
    RULE_NO_EFFECT("mem_reservation", modelled),
    RULE_NO_EFFECT("mem_swappiness", "a universe has no swap"),
    RULE_NO_EFFECT("memswap_limit", "a universe has no swap"),
    RULE_NO_EFFECT("oom_kill_disable", modelled),
    RULE_NO_EFFECT("oom_score_adj", modelled),
    RULE_NO_EFFECT("pids_limit", "the engine's own limit holds"),
    RULE_NO_EFFECT("storage_opt", modelled),
    RULE_NO_EFFECT("cgroup", one_kernel),
    RULE_NO_EFFECT("cgroup_parent", one_kernel),
    RULE_NO_EFFECT("ipc", one_kernel),
    RULE_NO_EFFECT("pid", one_kernel),
    RULE_NO_EFFECT("userns_mode", one_kernel),
    RULE_NO_EFFECT("uts", one_kernel),
    RULE_NO_EFFECT("isolation", one_kernel),
    RULE_NO_EFFECT("runtime", one_kernel),
    RULE_NO_EFFECT("dns", hermetic_dns),
    RULE_NO_EFFECT("dns_opt", hermetic_dns),
    RULE_NO_EFFECT("dns_search", hermetic_dns),
    RULE_NO_EFFECT("mac_address", "link addresses follow from IP addresses"),
    RULE_NO_EFFECT("develop", not_read),
    RULE_NO_EFFECT("pull_policy", "images come from the run's own store"),
    RULE_NO_EFFECT("pull_refresh_after", "images come from the run's own store"),
    RULE_NO_EFFECT("pre_stop", "containers end by signals and faults only"),
    RULE_REFUSED("pre_start", "hooks before the start are not supported; use a service of its own "
                              "and depends_on with service_completed_successfully"),
    RULE_REFUSED("volumes_from", "name the volumes in both services"),
    RULE_REFUSED("external_links", "nothing outside the project exists in a universe"),
    RULE_REFUSED("label_file", "write the labels under `labels`"),
    RULE_REFUSED("devices", no_device),
    RULE_REFUSED("device_cgroup_rules", no_device),
    RULE_REFUSED("gpus", no_device),
    RULE_REFUSED("credential_spec", "it exists for Windows only"),
    RULE_REFUSED("models", "a universe has no model runner"),
    RULE_REFUSED("provider", "nothing outside the project exists in a universe"),
    RULE_REFUSED("use_api_socket", "a universe has no container engine"),
    {0},
};

#undef S

bool valid_name(const char *name)
{
    if (!isalnum((unsigned char)name[0])) {
        return false;
    }
    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.' && *c != '-') {
            return false;
        }
    }
    return strlen(name) <= 255;
}

static int finish_network_mode(struct reader *r, struct service_draft *d)
{
    const char *mode = d->network_mode;
    if (!mode) {
        return 0;
    }
    if (d->s.attachment_count) {
        return diag_error(&r->diags, d->network_mode_at, NULL,
                          "service `%s` has both `networks` and `network_mode`", d->s.name);
    }
    if (strcmp(mode, "none") == 0) {
        d->s.net_mode = COMPOSE_NET_NONE;
    } else if (strncmp(mode, "service:", 8) == 0) {
        d->s.net_mode = COMPOSE_NET_SERVICE;
        d->s.net_service = pool_strdup(r->pool, mode + 8);
    } else if (strcmp(mode, "bridge") == 0 || strcmp(mode, "default") == 0) {
        diag_warn(&r->diags, d->network_mode_at,
                  "network_mode `%s` means the project's default network here", mode);
    } else if (strcmp(mode, "host") == 0) {
        return diag_error(&r->diags, d->network_mode_at,
                          "remove it; the project's default network connects all services",
                          "network_mode `host` is refused: a universe has no host");
    } else {
        return diag_error(&r->diags, d->network_mode_at, "modes: none, bridge, service:NAME",
                          "network_mode `%s` is refused", mode);
    }
    return 0;
}

static int finish_replicas(struct reader *r, struct service_draft *d)
{
    enum { REPLICAS_MAX = 256 };
    struct mark at = d->scale_given ? d->scale_at : mark_at(r, d->s.line, d->s.col);
    if (d->scale_given && d->replicas_given && d->scale != d->deploy_replicas) {
        return diag_error(&r->diags, at, NULL, "`scale` is %u but `deploy.replicas` is %u",
                          d->scale, d->deploy_replicas);
    }
    d->s.replicas = d->scale_given ? d->scale : d->replicas_given ? d->deploy_replicas : 1;
    if (d->s.replicas > REPLICAS_MAX) {
        return diag_error(&r->diags, at, NULL, "service `%s` has more than %d replicas", d->s.name,
                          REPLICAS_MAX);
    }
    if (d->s.replicas > 1 && d->s.container_name) {
        return diag_error(&r->diags, d->container_name_at, NULL,
                          "service `%s` has %u replicas, which cannot share a container_name",
                          d->s.name, d->s.replicas);
    }
    return 0;
}

static void finish_environment(struct reader *r, struct service_draft *d)
{
    struct compose_pairs all = {0};
    for (size_t i = 0; i < d->env_files.n; i++) {
        pairs_put(r, &all, d->env_files.v[i].name, d->env_files.v[i].value);
    }
    for (size_t i = 0; i < d->s.environment.n; i++) {
        pairs_put(r, &all, d->s.environment.v[i].name, d->s.environment.v[i].value);
    }
    d->s.environment = all;
}

/* Splits com.antithesis.exclude_from_faults at commas and blanks. */
static void finish_fault_exclusions(struct reader *r, struct compose_service *s)
{
    static const char *const known[] = {"network",  "kill",  "pause", "stop",
                                        "throttle", "clock", "node",  "all"};
    const char *text = pairs_get(&s->labels, "com.antithesis.exclude_from_faults");
    for (; text && *text; text += strspn(text, ", \t")) {
        size_t n = strcspn(text, ", \t");
        char *word = pool_strndup(r->pool, text, n);
        text += n;
        if (!n) {
            continue;
        }
        for (char *c = word; *c; c++) {
            *c = (char)tolower((unsigned char)*c);
        }
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            found |= strcmp(word, known[i]) == 0;
        }
        found |= strcmp(word, "true") == 0;
        if (!found) {
            diag_warn(&r->diags, mark_at(r, s->line, s->col),
                      "service `%s`: label com.antithesis.exclude_from_faults names the unknown "
                      "fault `%s`",
                      s->name, word);
        }
        strings_add(r, &s->fault_exclusions, strcmp(word, "true") == 0 ? "all" : word);
    }
}

static int finish_image(struct reader *r, struct service_draft *d)
{
    if (d->s.image) {
        return 0;
    }
    if (!d->built) {
        return diag_error(&r->diags, mark_at(r, d->s.line, d->s.col), NULL,
                          "service `%s` has no `image`", d->s.name);
    }
    d->s.image = pool_printf(r->pool, "%s-%s", r->project->name, d->s.name);
    diag_warn(&r->diags, mark_at(r, d->s.line, d->s.col),
              "service `%s` is built but has no `image`; its image must be pushed as `%s`",
              d->s.name, d->s.image);
    return 0;
}

static int finish_service(struct reader *r, struct service_draft *d)
{
    struct compose_service *s = &d->s;
    if (!d->restart_given && d->policy_given) {
        s->restart = d->policy;
        s->restart_max = d->policy_max;
    }
    s->mem_limit = d->deploy_memory ? d->deploy_memory : s->mem_limit;
    s->capabilities = capability_mask(r, d->cap_at, &d->cap_add, &d->cap_drop);
    if (s->privileged) {
        s->capabilities = (1ull << CAPABILITY_COUNT) - 1;
    }
    finish_environment(r, d);
    finish_fault_exclusions(r, s);
    int rc = finish_image(r, d);
    rc |= finish_network_mode(r, d);
    rc |= finish_replicas(r, d);
    return rc ? -1 : 0;
}

static int read_service(struct reader *r, const struct ypair *pair)
{
    struct compose_project *p = r->project;
    struct service_draft d = {0};
    const char *name = pair->key->text;
    if (!valid_name(name)) {
        return diag_error(&r->diags, pair->key->at, "names are letters, digits, `_`, `.` and `-`",
                          "`%s` is no name for a service", name);
    }
    d.s.name = pool_strdup(r->pool, name);
    d.s.line = pair->key->at.line;
    d.s.col = pair->key->at.col;
    d.s.shm_size = 64ull << 20;
    d.s.stop_grace_ns = 10000000000ull;
    int rc;
    if (ynode_is_null(pair->value)) {
        rc = diag_error(&r->diags, pair->key->at, NULL, "service `%s` is empty", name);
    } else {
        path_push(r, name);
        rc =
            read_map(r, pair->value, service_rules, &d, pool_printf(r->pool, "service `%s`", name));
        path_pop(r);
        rc |= pair->value->kind == YNODE_MAP ? finish_service(r, &d) : -1;
    }
    *POOL_PUSH(r->pool, p->services, p->service_count, p->service_cap) = d.s;
    return rc ? -1 : 0;
}

int read_services_section(struct reader *r, const struct key_rule *rule, void *field,
                          const struct ynode *v)
{
    if (expect_kind(r, v, YNODE_MAP)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        if (!is_extension(&v->pairs[i])) {
            rc |= read_service(r, &v->pairs[i]);
        }
    }
    return rc ? -1 : 0;
}
