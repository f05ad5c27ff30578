/* Limits, rights, signals and the platform of a service. */
#include <string.h>
#include <strings.h>

#include "compose/read_parts.h"
#include "compose/units.h"

/* Numbers of Linux (include/uapi/asm-generic/resource.h). */
static const char *const limit_names[] = {
    "cpu",     "fsize", "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
    "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};

static int read_limit_value(struct reader *r, const struct key_rule *rule, void *field,
                            const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    int64_t n = 0;
    if (!s) {
        return -1;
    }
    if (parse_integer(s, -1, INT64_MAX, &n) && strcmp(s, "unlimited") != 0) {
        return diag_error(&r->diags, v->at, NULL,
                          "`%s` must be a whole number, or -1 for no limit, not `%s`", path_text(r),
                          s);
    }
    *(uint64_t *)field = n < 0 || strcmp(s, "unlimited") == 0 ? UINT64_MAX : (uint64_t)n;
    return 0;
}

static int read_ulimit(struct reader *r, const struct ypair *pair, struct compose_ulimit *u)
{
    static const struct key_rule rules[] = {
        RULE("soft", struct compose_ulimit, soft, read_limit_value),
        RULE("hard", struct compose_ulimit, hard, read_limit_value),
        {0},
    };
    const struct ynode *v = pair->value;
    if (v->kind == YNODE_SCALAR) {
        if (read_limit_value(r, NULL, &u->soft, v)) {
            return -1;
        }
        u->hard = u->soft;
        return 0;
    }
    if (read_map(r, v, rules, u, "an entry of `ulimits`")) {
        return -1;
    }
    if (!ymap_get(v, "soft") || !ymap_get(v, "hard")) {
        return diag_error(&r->diags, v->at, NULL, "ulimit `%s` needs both `soft` and `hard`",
                          u->name);
    }
    if (u->soft > u->hard) {
        return diag_error(&r->diags, v->at, NULL, "ulimit `%s`: soft is above hard", u->name);
    }
    return 0;
}

int read_ulimits(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    if (expect_kind(r, v, YNODE_MAP)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        const char *name = v->pairs[i].key->text;
        int resource = -1;
        for (size_t k = 0; k < ARRAY_LEN(limit_names); k++) {
            resource = strcmp(name, limit_names[k]) == 0 ? (int)k : resource;
        }
        if (resource < 0) {
            const char *near =
                suggest_name(name, limit_names, ARRAY_LEN(limit_names), sizeof limit_names[0]);
            rc = diag_error(&r->diags, v->pairs[i].key->at,
                            near ? pool_printf(r->pool, "did you mean `%s`?", near) : NULL,
                            "unknown ulimit `%s`", name);
            continue;
        }
        struct compose_ulimit *u = POOL_PUSH(r->pool, s->ulimits, s->ulimit_count, s->ulimit_cap);
        u->name = pool_strdup(r->pool, name);
        u->resource = resource;
        path_push(r, name);
        rc |= read_ulimit(r, &v->pairs[i], u);
        path_pop(r);
    }
    return rc ? -1 : 0;
}

/* One option, with `:` or `=` before its value (docker run, "Security configuration"). */
static void apply_security(struct reader *r, struct compose_service *s, const char *option,
                           struct mark at)
{
    size_t n = strcspn(option, ":=");
    const char *value = option[n] ? option + n + 1 : "";
    if (n == strlen("no-new-privileges") && strncmp(option, "no-new-privileges", n) == 0) {
        s->no_new_privs = strcmp(value, "false") != 0;
        return;
    }
    diag_warn(&r->diags, at,
              "security option `%s` has no effect: all containers share the kernel of their "
              "universe, which has no such modules",
              option);
}

int read_security_opt(struct reader *r, const struct key_rule *rule, void *field,
                      const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    for (size_t i = 0; i < v->count; i++) {
        const char *option = scalar_text(r, v->items[i]);
        if (!option) {
            return -1;
        }
        apply_security(r, s, option, v->items[i]->at);
    }
    return 0;
}

int read_stop_signal(struct reader *r, const struct key_rule *rule, void *field,
                     const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (parse_signal(s, field)) {
        return diag_error(&r->diags, v->at, "like SIGTERM, SIGQUIT or 15", "`%s` is not a signal",
                          s);
    }
    return 0;
}

int read_platform(struct reader *r, const struct key_rule *rule, void *field, const struct ynode *v)
{
    static const char *const ours[] = {"linux/amd64",    "linux/amd64/v1", "linux/amd64/v2",
                                       "linux/amd64/v3", "linux/x86_64",   "amd64",
                                       "x86_64",         "linux"};
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (strcasecmp(s, ours[i]) == 0) {
            return 0;
        }
    }
    return diag_error(&r->diags, v->at, "build the image for linux/amd64 and set that here",
                      "platform `%s` is refused: universes run linux/amd64", s);
}

/* By number (capabilities(7), include/uapi/linux/capability.h). */
static const char *const capability_names[CAPABILITY_COUNT] = {"CHOWN",
                                                               "DAC_OVERRIDE",
                                                               "DAC_READ_SEARCH",
                                                               "FOWNER",
                                                               "FSETID",
                                                               "KILL",
                                                               "SETGID",
                                                               "SETUID",
                                                               "SETPCAP",
                                                               "LINUX_IMMUTABLE",
                                                               "NET_BIND_SERVICE",
                                                               "NET_BROADCAST",
                                                               "NET_ADMIN",
                                                               "NET_RAW",
                                                               "IPC_LOCK",
                                                               "IPC_OWNER",
                                                               "SYS_MODULE",
                                                               "SYS_RAWIO",
                                                               "SYS_CHROOT",
                                                               "SYS_PTRACE",
                                                               "SYS_PACCT",
                                                               "SYS_ADMIN",
                                                               "SYS_BOOT",
                                                               "SYS_NICE",
                                                               "SYS_RESOURCE",
                                                               "SYS_TIME",
                                                               "SYS_TTY_CONFIG",
                                                               "MKNOD",
                                                               "LEASE",
                                                               "AUDIT_WRITE",
                                                               "AUDIT_CONTROL",
                                                               "SETFCAP",
                                                               "MAC_OVERRIDE",
                                                               "MAC_ADMIN",
                                                               "SYSLOG",
                                                               "WAKE_ALARM",
                                                               "BLOCK_SUSPEND",
                                                               "AUDIT_READ",
                                                               "PERFMON",
                                                               "BPF",
                                                               "CHECKPOINT_RESTORE"};

/* What Docker leaves to a container's root ("Runtime privilege and Linux capabilities"). */
static const char *const default_capabilities[] = {
    "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",
    "MKNOD",   "NET_RAW",      "SETGID",           "SETUID",
    "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT",
    "KILL",    "AUDIT_WRITE"};

/* The bit of a name, all bits for ALL, 0 for an unknown name. */
static uint64_t capability_bit(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0) {
        name += 4;
    }
    if (strcasecmp(name, "ALL") == 0) {
        return (1ull << CAPABILITY_COUNT) - 1;
    }
    for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
        if (strcasecmp(name, capability_names[i]) == 0) {
            return 1ull << i;
        }
    }
    return 0;
}

static uint64_t bits_of(struct reader *r, struct mark at, const struct compose_strings *names)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < names->n; i++) {
        uint64_t bit = capability_bit(names->v[i]);
        if (!bit) {
            const char *near = suggest_name(names->v[i], capability_names, CAPABILITY_COUNT,
                                            sizeof capability_names[0]);
            diag_error(&r->diags, at,
                       near ? pool_printf(r->pool, "did you mean `%s`?", near) : NULL,
                       "unknown capability `%s`", names->v[i]);
        }
        bits |= bit;
    }
    return bits;
}

uint64_t capability_mask(struct reader *r, struct mark at, const struct compose_strings *add,
                         const struct compose_strings *drop)
{
    uint64_t base = 0;
    uint64_t all = (1ull << CAPABILITY_COUNT) - 1;
    for (size_t i = 0; i < ARRAY_LEN(default_capabilities); i++) {
        base |= capability_bit(default_capabilities[i]);
    }
    uint64_t added = bits_of(r, at, add), dropped = bits_of(r, at, drop);
    /* Docker takes ALL first and single names second, so that `drop ALL, add X` leaves X. */
    if (dropped == all) {
        return added;
    }
    return (base | added) & ~dropped;
}
