/* Networks: the top-level `networks` and `volumes`, and how a service attaches. */
#include <string.h>

#include "compose/read_parts.h"

/* ---- top-level networks ---- */

struct ipam_entry {
    char *subnet, *ip_range, *gateway;
    struct compose_pairs aux;
};

static int parse_subnet_text(struct reader *r, const struct ynode *at, const char *text,
                             struct compose_subnet *out)
{
    bool host_bits = false;
    if (subnet_parse(text, out, &host_bits)) {
        return diag_error(&r->diags, at->at, "like 10.20.0.0/24 or fd00:1::/64",
                          "`%s` is not a subnet", text);
    }
    if (host_bits) {
        char masked[IP_TEXT_MAX];
        subnet_format(out, masked);
        diag_warn(&r->diags, at->at, "subnet `%s` has host bits set; `%s` is used", text, masked);
    }
    return 0;
}

static int apply_aux(struct reader *r, struct compose_network *n, const struct ipam_entry *e,
                     const struct ynode *item)
{
    for (size_t i = 0; i < e->aux.n; i++) {
        struct compose_ip ip = {0};
        if (!e->aux.v[i].value || ip_parse(e->aux.v[i].value, &ip)) {
            return diag_error(&r->diags, item->at, NULL, "auxiliary address `%s` is no IP address",
                              e->aux.v[i].name);
        }
        *POOL_PUSH(r->pool, n->reserved, n->reserved_count, n->reserved_cap) = ip;
    }
    return 0;
}

static int apply_ipam(struct reader *r, struct compose_network *n, const struct ipam_entry *e,
                      const struct ynode *item)
{
    struct compose_subnet net = {0};
    if (!e->subnet) {
        return diag_error(&r->diags, item->at, NULL, "an entry of `ipam.config` has no `subnet`");
    }
    if (parse_subnet_text(r, item, e->subnet, &net)) {
        return -1;
    }
    bool four = net.base.family == 4;
    struct compose_subnet *slot = four ? &n->v4 : &n->v6;
    struct compose_subnet *range = four ? &n->range4 : &n->range6;
    struct compose_ip *gateway = four ? &n->gateway4 : &n->gateway6;
    if (slot->base.family) {
        return diag_error(&r->diags, item->at, NULL,
                          "network `%s` has a second IPv%d subnet; a bridge has one of each kind",
                          n->key, four ? 4 : 6);
    }
    *slot = net;
    if (e->gateway && ip_parse(e->gateway, gateway)) {
        return diag_error(&r->diags, item->at, NULL, "gateway `%s` is no IP address", e->gateway);
    }
    if (e->gateway && !subnet_contains(&net, gateway)) {
        return diag_error(&r->diags, item->at, NULL, "gateway %s lies outside the subnet %s",
                          e->gateway, e->subnet);
    }
    if (e->ip_range) {
        if (parse_subnet_text(r, item, e->ip_range, range)) {
            return -1;
        }
        if (!subnet_contains(&net, &range->base) || range->prefix < net.prefix) {
            return diag_error(&r->diags, item->at, NULL, "ip_range %s lies outside the subnet %s",
                              e->ip_range, e->subnet);
        }
    }
    return apply_aux(r, n, e, item);
}

static int read_ipam_config(struct reader *r, const struct key_rule *rule, void *field,
                            const struct ynode *v)
{
    static const struct key_rule rules[] = {
        RULE("subnet", struct ipam_entry, subnet, read_string),
        RULE("ip_range", struct ipam_entry, ip_range, read_string),
        RULE("gateway", struct ipam_entry, gateway, read_string),
        RULE("aux_addresses", struct ipam_entry, aux, read_pairs),
        {0},
    };
    if (expect_kind(r, v, YNODE_SEQ)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        struct ipam_entry e = {0};
        if (read_map(r, v->items[i], rules, &e, "an entry of `ipam.config`") ||
            apply_ipam(r, field, &e, v->items[i])) {
            rc = -1;
        }
    }
    return rc;
}

static int read_ipam(struct reader *r, const struct key_rule *rule, void *field,
                     const struct ynode *v)
{
    static const char own[] = "addresses are always assigned by the project itself";
    static const struct key_rule rules[] = {
        RULE_WHOLE("config", read_ipam_config),
        RULE_NO_EFFECT("driver", own),
        RULE_NO_EFFECT("options", own),
        {0},
    };
    return read_map(r, v, rules, field, "`ipam`");
}

static int read_driver(struct reader *r, const struct key_rule *rule, void *field,
                       const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (strcmp(s, "bridge") == 0 || strcmp(s, "default") == 0 || strcmp(s, "") == 0) {
        return 0;
    }
    if (strcmp(s, "overlay") == 0 || strcmp(s, "macvlan") == 0 || strcmp(s, "ipvlan") == 0) {
        diag_warn(&r->diags, v->at, "network driver `%s` behaves like `bridge` in a universe", s);
        return 0;
    }
    return diag_error(&r->diags, v->at, "use `bridge`",
                      "network driver `%s` is refused: "
                      "containers of a universe have no host to share",
                      s);
}

static int read_enable_ipv4(struct reader *r, const struct key_rule *rule, void *field,
                            const struct ynode *v)
{
    bool on = true;
    if (read_bool(r, rule, &on, v)) {
        return -1;
    }
    *(bool *)field = !on;
    return 0;
}

/* An external network is simply one more network of the universe. */
static int read_external(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    bool external = true;
    if (v->kind == YNODE_SCALAR && read_bool(r, rule, &external, v)) {
        return -1;
    }
    if (external) {
        diag_warn(&r->diags, v->at,
                  "`%s`: nothing outside the project exists in a universe; it is made afresh",
                  path_text(r));
    }
    return 0;
}

static const struct key_rule network_rules[] = {
    RULE("name", struct compose_network, name, read_string),
    RULE_WHOLE("driver", read_driver),
    RULE_WHOLE("ipam", read_ipam),
    RULE("internal", struct compose_network, internal, read_bool),
    RULE("enable_ipv4", struct compose_network, no_ipv4, read_enable_ipv4),
    RULE("enable_ipv6", struct compose_network, want_ipv6, read_bool),
    RULE("labels", struct compose_network, labels, read_pairs),
    RULE_WHOLE("external", read_external),
    RULE_NO_EFFECT("attachable", "every container is in the project"),
    RULE_NO_EFFECT("driver_opts", "links follow the run's own network model"),
    {0},
};

static int bad_name(struct reader *r, const struct ypair *pair, const char *what)
{
    return diag_error(&r->diags, pair->key->at, NULL, "`%s` is no name for a %s", pair->key->text,
                      what);
}

/* The body of one entry of a top-level section; none at all means every default. */
static int read_entry(struct reader *r, const struct ypair *pair, const struct key_rule *rules,
                      void *out, const char *what)
{
    const char *key = pair->key->text;
    int rc = 0;
    path_push(r, key);
    if (!ynode_is_null(pair->value)) {
        rc = read_map(r, pair->value, rules, out, pool_printf(r->pool, "%s `%s`", what, key));
    }
    path_pop(r);
    return rc;
}

int read_networks_section(struct reader *r, const struct key_rule *rule, void *field,
                          const struct ynode *v)
{
    struct compose_project *p = r->project;
    if (expect_kind(r, v, YNODE_MAP)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        const struct ypair *pair = &v->pairs[i];
        if (is_extension(pair)) {
            continue;
        }
        if (!valid_name(pair->key->text)) {
            rc = bad_name(r, pair, "network");
            continue;
        }
        struct compose_network n = {0};
        n.key = pool_strdup(r->pool, pair->key->text);
        n.line = pair->key->at.line;
        n.col = pair->key->at.col;
        rc |= read_entry(r, pair, network_rules, &n, "network");
        *POOL_PUSH(r->pool, p->networks, p->network_count, p->network_cap) = n;
    }
    return rc ? -1 : 0;
}

/* ---- top-level volumes ---- */

static int read_volume_driver(struct reader *r, const struct key_rule *rule, void *field,
                              const struct ynode *v)
{
    const char *s = scalar_text(r, v);
    if (!s) {
        return -1;
    }
    if (strcmp(s, "local") == 0 || strcmp(s, "default") == 0) {
        return 0;
    }
    return diag_error(&r->diags, v->at, "use `local`",
                      "volume driver `%s` is refused: a universe has local volumes only", s);
}

static int read_volume_opts(struct reader *r, const struct key_rule *rule, void *field,
                            const struct ynode *v)
{
    struct compose_pairs opts = {0};
    if (read_pairs(r, rule, &opts, v)) {
        return -1;
    }
    const char *type = pairs_get(&opts, "type"), *device = pairs_get(&opts, "device");
    if ((!type || strcmp(type, "tmpfs") == 0) && (!device || strcmp(device, "tmpfs") == 0)) {
        return 0; /* a tmpfs volume: every volume of a universe starts empty anyway */
    }
    return diag_error(&r->diags, v->at, "mount a directory beside the compose file instead",
                      "volume of type `%s` on device `%s` is refused: there is no host",
                      type ? type : "", device ? device : "");
}

static const struct key_rule volume_rules[] = {
    RULE("name", struct compose_volume, name, read_string),
    RULE("labels", struct compose_volume, labels, read_pairs),
    RULE_WHOLE("driver", read_volume_driver),
    RULE_WHOLE("driver_opts", read_volume_opts),
    RULE_WHOLE("external", read_external),
    {0},
};

int read_volumes_section(struct reader *r, const struct key_rule *rule, void *field,
                         const struct ynode *v)
{
    struct compose_project *p = r->project;
    if (expect_kind(r, v, YNODE_MAP)) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; i < v->count; i++) {
        const struct ypair *pair = &v->pairs[i];
        if (is_extension(pair)) {
            continue;
        }
        if (!valid_name(pair->key->text)) {
            rc = bad_name(r, pair, "volume");
            continue;
        }
        struct compose_volume vol = {0};
        vol.key = pool_strdup(r->pool, pair->key->text);
        rc |= read_entry(r, pair, volume_rules, &vol, "volume");
        *POOL_PUSH(r->pool, p->volumes, p->volume_count, p->volume_cap) = vol;
    }
    return rc ? -1 : 0;
}
