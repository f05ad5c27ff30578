/* How a service attaches to networks, and the extra names it knows. */
#include <string.h>

#include "compose/read_parts.h"

static int read_v4(struct reader *r, const struct key_rule *rule, void *field,
                   const struct ynode *v)
{
    struct compose_ip *ip = field;
    if (read_ip(r, rule, ip, v)) {
        return -1;
    }
    return ip->family == 4 ? 0
                           : diag_error(&r->diags, v->at, "that is what ipv6_address is for",
                                        "`ipv4_address` is an IPv6 address");
}

static int read_v6(struct reader *r, const struct key_rule *rule, void *field,
                   const struct ynode *v)
{
    struct compose_ip *ip = field;
    if (read_ip(r, rule, ip, v)) {
        return -1;
    }
    return ip->family == 6 ? 0
                           : diag_error(&r->diags, v->at, "that is what ipv4_address is for",
                                        "`ipv6_address` is an IPv4 address");
}

static const struct key_rule attach_rules[] = {
    RULE("ipv4_address", struct compose_attachment, ipv4, read_v4),
    RULE("ipv6_address", struct compose_attachment, ipv6, read_v6),
    RULE("aliases", struct compose_attachment, aliases, read_strings),
    RULE("interface_name", struct compose_attachment, interface_name, read_string),
    RULE("priority", struct compose_attachment, priority, read_i64),
    RULE("gw_priority", struct compose_attachment, gateway_priority, read_i64),
    RULE_NO_EFFECT("mac_address", "link addresses follow from IP addresses"),
    RULE_NO_EFFECT("driver_opts", "links follow the run's own network model"),
    RULE_NO_EFFECT("link_local_ips", "only the assigned addresses exist"),
    {0},
};

static int add_attachment(struct reader *r, struct compose_service *s, const char *name,
                          struct mark at, const struct ynode *v)
{
    for (size_t i = 0; i < s->attachment_count; i++) {
        if (strcmp(s->attachments[i].network, name) == 0) {
            return diag_error(&r->diags, at, NULL, "network `%s` is listed twice", name);
        }
    }
    struct compose_attachment a = {0};
    a.network = pool_strdup(r->pool, name);
    a.line = at.line;
    a.col = at.col;
    int rc = 0;
    if (v && !ynode_is_null(v)) {
        path_push(r, name);
        rc = read_map(r, v, attach_rules, &a, pool_printf(r->pool, "network `%s`", name));
        path_pop(r);
    }
    *POOL_PUSH(r->pool, s->attachments, s->attachment_count, s->attachment_cap) = a;
    return rc;
}

int read_service_networks(struct reader *r, const struct key_rule *rule, void *field,
                          const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    int rc = 0;
    if (v->kind == YNODE_SEQ) {
        for (size_t i = 0; i < v->count; i++) {
            const char *name = scalar_text(r, v->items[i]);
            rc |= name ? add_attachment(r, s, name, v->items[i]->at, NULL) : -1;
        }
        return rc ? -1 : 0;
    }
    if (v->kind != YNODE_MAP) {
        return diag_error(&r->diags, v->at, NULL, "`%s` must be a list or a mapping, not %s",
                          path_text(r), ynode_kind_name(v));
    }
    for (size_t i = 0; i < v->count; i++) {
        rc |= add_attachment(r, s, v->pairs[i].key->text, v->pairs[i].key->at, v->pairs[i].value);
    }
    return rc ? -1 : 0;
}

static int add_extra_host(struct reader *r, struct compose_service *s, const char *name,
                          const char *address, struct mark at)
{
    struct compose_extra_host *h =
        POOL_PUSH(r->pool, s->extra_hosts, s->extra_host_count, s->extra_host_cap);
    h->name = pool_strdup(r->pool, name);
    size_t n = strlen(address);
    if (n > 2 && address[0] == '[' && address[n - 1] == ']') {
        address = pool_strndup(r->pool, address + 1, n - 2);
    }
    h->host_gateway = strcmp(address, "host-gateway") == 0;
    if (h->host_gateway) {
        diag_warn(&r->diags, at,
                  "`%s: host-gateway`: a universe has no host; the name leads to the network's "
                  "gateway, where nothing listens",
                  name);
        return 0;
    }
    if (!*name || ip_parse(address, &h->ip)) {
        return diag_error(&r->diags, at, "write name=address, like `db=10.0.0.5`",
                          "extra host `%s` has no valid address (`%s`)", name, address);
    }
    return 0;
}

static int read_extra_host_text(struct reader *r, struct compose_service *s,
                                const struct ynode *item)
{
    const char *text = scalar_text(r, item);
    if (!text) {
        return -1;
    }
    const char *cut = strchr(text, '=');
    cut = cut ? cut : strchr(text, ':');
    if (!cut) {
        return diag_error(&r->diags, item->at, "write name=address, like `db=10.0.0.5`",
                          "extra host `%s` has no address", text);
    }
    return add_extra_host(r, s, pool_strndup(r->pool, text, (size_t)(cut - text)), cut + 1,
                          item->at);
}

int read_extra_hosts(struct reader *r, const struct key_rule *rule, void *field,
                     const struct ynode *v)
{
    struct compose_service *s = &((struct service_draft *)field)->s;
    int rc = 0;
    if (v->kind == YNODE_SEQ) {
        for (size_t i = 0; i < v->count; i++) {
            rc |= read_extra_host_text(r, s, v->items[i]);
        }
        return rc ? -1 : 0;
    }
    if (expect_kind(r, v, YNODE_MAP)) {
        return -1;
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct ynode *value = v->pairs[i].value;
        struct compose_strings addresses = {0};
        path_push(r, v->pairs[i].key->text);
        rc |= read_strings(r, rule, &addresses, value);
        path_pop(r);
        for (size_t k = 0; k < addresses.n; k++) {
            rc |= add_extra_host(r, s, v->pairs[i].key->text, addresses.v[k], value->at);
        }
    }
    return rc ? -1 : 0;
}
