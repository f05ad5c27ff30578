/* The resolved project as JSON, in one fixed order of members. The text is also the project's
 * identity: equal projects give equal bytes. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "compose/compose.h"

/* Members are separated where the text so far does not end in an opening bracket. */
static void comma(struct buf *b)
{
    char last = b->len ? b->data[b->len - 1] : '{';
    if (last != '{' && last != '[' && last != ':') {
        buf_putc(b, ',');
    }
}

static void put_text(struct buf *b, const char *s)
{
    comma(b);
    if (s) {
        buf_json_string(b, s, strlen(s));
    } else {
        buf_puts(b, "null");
    }
}

static void put_key(struct buf *b, const char *key)
{
    put_text(b, key);
    buf_putc(b, ':');
}

static void put_open(struct buf *b, const char *key, char bracket)
{
    if (key) {
        put_key(b, key);
    } else {
        comma(b);
    }
    buf_putc(b, bracket);
}

static void member_text(struct buf *b, const char *key, const char *value)
{
    if (value) {
        put_key(b, key);
        put_text(b, value);
    }
}

static void member_number(struct buf *b, const char *key, uint64_t n)
{
    put_key(b, key);
    buf_printf(b, "%" PRIu64, n);
}

static void member_bool(struct buf *b, const char *key, bool on)
{
    put_key(b, key);
    buf_puts(b, on ? "true" : "false");
}

static void member_strings(struct buf *b, const char *key, const struct compose_strings *s)
{
    put_open(b, key, '[');
    for (size_t i = 0; i < s->n; i++) {
        put_text(b, s->v[i]);
    }
    buf_putc(b, ']');
}

/* In the order of the file, which the guest sees: a list of pairs, not an object. */
static void member_pairs(struct buf *b, const char *key, const struct compose_pairs *p)
{
    put_open(b, key, '[');
    for (size_t i = 0; i < p->n; i++) {
        put_open(b, NULL, '[');
        put_text(b, p->v[i].name);
        put_text(b, p->v[i].value);
        buf_putc(b, ']');
    }
    buf_putc(b, ']');
}

static void member_argv(struct buf *b, const char *key, const struct compose_argv *a)
{
    if (a->set) {
        member_strings(b, key, &a->words);
    }
}

static void member_ip(struct buf *b, const char *key, const struct compose_ip *ip)
{
    char text[IP_TEXT_MAX];
    ip_format(ip, text);
    member_text(b, key, text[0] ? text : NULL);
}

static void member_subnet(struct buf *b, const char *key, const struct compose_subnet *net)
{
    char text[IP_TEXT_MAX];
    subnet_format(net, text);
    member_text(b, key, text[0] ? text : NULL);
}

static void put_healthcheck(struct buf *b, const struct compose_healthcheck *h)
{
    static const char *const tests[] = {"image", "none", "exec", "shell"};
    if (!h->present) {
        return;
    }
    put_open(b, "healthcheck", '{');
    member_text(b, "test", tests[h->test]);
    member_strings(b, "argv", &h->argv);
    member_number(b, "interval_ns", h->interval_ns);
    member_number(b, "timeout_ns", h->timeout_ns);
    member_number(b, "start_period_ns", h->start_period_ns);
    member_number(b, "start_interval_ns", h->start_interval_ns);
    member_number(b, "retries", h->retries);
    put_open(b, "given", '[');
    const struct {
        bool on;
        const char *name;
    } given[] = {{h->interval_given, "interval"},
                 {h->timeout_given, "timeout"},
                 {h->start_period_given, "start_period"},
                 {h->start_interval_given, "start_interval"},
                 {h->retries_given, "retries"}};
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        if (given[i].on) {
            put_text(b, given[i].name);
        }
    }
    buf_puts(b, "]}");
}

static void put_mount(struct buf *b, const struct compose_mount *m)
{
    static const char *const types[] = {"volume", "anonymous", "bind", "tmpfs"};
    put_open(b, NULL, '{');
    member_text(b, "type", types[m->type]);
    member_text(b, "source", m->source);
    member_text(b, "target", m->target);
    member_text(b, "subpath", m->subpath);
    member_bool(b, "read_only", m->read_only);
    member_bool(b, "no_copy", m->no_copy);
    member_bool(b, "empty_source", m->empty_source);
    if (m->type == COMPOSE_MOUNT_TMPFS) {
        member_number(b, "size", m->size);
        member_number(b, "mode", m->mode);
        member_number(b, "uid", m->uid);
        member_number(b, "gid", m->gid);
    }
    buf_putc(b, '}');
}

static void put_files(struct buf *b, const struct compose_service *s)
{
    put_open(b, "mounts", '[');
    for (size_t i = 0; i < s->mount_count; i++) {
        put_mount(b, &s->mounts[i]);
    }
    buf_putc(b, ']');
    put_open(b, "files", '[');
    for (size_t i = 0; i < s->file_count; i++) {
        const struct compose_file *f = &s->files[i];
        put_open(b, NULL, '{');
        member_text(b, "name", f->name);
        member_text(b, "target", f->target);
        member_text(b, "path", f->path);
        member_text(b, "content", f->content);
        member_number(b, "uid", f->uid);
        member_number(b, "gid", f->gid);
        member_number(b, "mode", f->mode);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    member_bool(b, "read_only", s->read_only);
    member_number(b, "shm_size", s->shm_size);
}

static void put_dependencies(struct buf *b, const struct compose_service *s)
{
    static const char *const conditions[] = {"service_started", "service_healthy",
                                             "service_completed_successfully"};
    put_open(b, "depends_on", '[');
    for (size_t i = 0; i < s->depends_count; i++) {
        const struct compose_dependency *d = &s->depends_on[i];
        put_open(b, NULL, '{');
        member_text(b, "service", d->service);
        member_text(b, "condition", conditions[d->condition]);
        member_bool(b, "required", d->required);
        member_bool(b, "restart", d->restart);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_network_use(struct buf *b, const struct compose_service *s)
{
    static const char *const modes[] = {"networks", "none", "service"};
    member_text(b, "network_mode", modes[s->net_mode]);
    member_text(b, "network_service", s->net_service);
    put_open(b, "networks", '[');
    for (size_t i = 0; i < s->attachment_count; i++) {
        const struct compose_attachment *a = &s->attachments[i];
        put_open(b, NULL, '{');
        member_text(b, "network", a->network);
        member_ip(b, "ipv4_address", &a->ipv4);
        member_ip(b, "ipv6_address", &a->ipv6);
        member_strings(b, "aliases", &a->aliases);
        put_key(b, "gateway_priority");
        buf_printf(b, "%" PRId64, a->gateway_priority);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    put_open(b, "extra_hosts", '[');
    for (size_t i = 0; i < s->extra_host_count; i++) {
        put_open(b, NULL, '{');
        member_text(b, "name", s->extra_hosts[i].name);
        member_ip(b, "address", &s->extra_hosts[i].ip);
        member_bool(b, "host_gateway", s->extra_hosts[i].host_gateway);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void member_limit(struct buf *b, const char *key, uint64_t n)
{
    if (n == UINT64_MAX) {
        member_text(b, key, "unlimited");
    } else {
        member_number(b, key, n);
    }
}

static void put_rights(struct buf *b, const struct compose_service *s)
{
    put_open(b, "ulimits", '[');
    for (size_t i = 0; i < s->ulimit_count; i++) {
        put_open(b, NULL, '{');
        member_text(b, "name", s->ulimits[i].name);
        member_limit(b, "soft", s->ulimits[i].soft);
        member_limit(b, "hard", s->ulimits[i].hard);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    member_number(b, "mem_limit", s->mem_limit);
    member_bool(b, "privileged", s->privileged);
    put_key(b, "capabilities");
    buf_printf(b, "\"%016" PRIx64 "\"", s->capabilities);
    member_pairs(b, "sysctls", &s->sysctls);
    member_pairs(b, "labels", &s->labels);
    member_strings(b, "fault_exclusions", &s->fault_exclusions);
}

static void put_hooks(struct buf *b, const struct compose_service *s)
{
    put_open(b, "post_start", '[');
    for (size_t i = 0; i < s->post_start_count; i++) {
        const struct compose_hook *h = &s->post_start[i];
        put_open(b, NULL, '{');
        member_argv(b, "command", &h->command);
        member_text(b, "user", h->user);
        member_text(b, "working_dir", h->working_dir);
        member_bool(b, "privileged", h->privileged);
        member_pairs(b, "environment", &h->environment);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_service(struct buf *b, const struct compose_service *s)
{
    static const char *const restarts[] = {"no", "always", "on-failure", "unless-stopped"};
    put_open(b, NULL, '{');
    member_text(b, "name", s->name);
    member_bool(b, "active", s->active);
    member_number(b, "replicas", s->replicas);
    member_strings(b, "profiles", &s->profiles);
    member_text(b, "image", s->image);
    member_argv(b, "entrypoint", &s->entrypoint);
    member_argv(b, "command", &s->command);
    member_pairs(b, "environment", &s->environment);
    member_text(b, "working_dir", s->working_dir);
    member_text(b, "user", s->user);
    member_strings(b, "group_add", &s->groups);
    member_bool(b, "init", s->init);
    member_bool(b, "tty", s->tty);
    member_bool(b, "stdin_open", s->stdin_open);
    put_hooks(b, s);
    member_text(b, "container_name", s->container_name);
    member_text(b, "hostname", s->hostname);
    member_text(b, "domainname", s->domainname);
    put_network_use(b, s);
    put_files(b, s);
    put_dependencies(b, s);
    put_healthcheck(b, &s->healthcheck);
    member_text(b, "restart", restarts[s->restart]);
    member_number(b, "restart_max", s->restart_max);
    member_number(b, "stop_signal", (uint64_t)s->stop_signal);
    member_number(b, "stop_grace_ns", s->stop_grace_ns);
    put_rights(b, s);
    buf_putc(b, '}');
}

static void put_network(struct buf *b, const struct compose_network *n)
{
    put_open(b, NULL, '{');
    member_text(b, "key", n->key);
    member_text(b, "name", n->name);
    member_bool(b, "used", n->used);
    member_bool(b, "internal", n->internal);
    member_subnet(b, "ipv4", &n->v4);
    member_ip(b, "ipv4_gateway", &n->gateway4);
    member_subnet(b, "ipv6", &n->v6);
    member_ip(b, "ipv6_gateway", &n->gateway6);
    member_pairs(b, "labels", &n->labels);
    buf_putc(b, '}');
}

static void put_container(struct buf *b, const struct compose_project *p,
                          const struct compose_container *c)
{
    put_open(b, NULL, '{');
    member_text(b, "name", c->name);
    member_text(b, "service", p->services[c->service].name);
    member_number(b, "replica", c->replica);
    member_text(b, "id", c->id);
    member_text(b, "hostname", c->hostname);
    if (c->shares_net_of != SIZE_MAX) {
        member_text(b, "shares_network_of", p->containers[c->shares_net_of].name);
    }
    put_open(b, "endpoints", '[');
    for (size_t i = 0; i < c->endpoint_count; i++) {
        const struct compose_endpoint *e = &c->endpoints[i];
        put_open(b, NULL, '{');
        member_text(b, "network", p->networks[e->network].key);
        member_text(b, "interface", e->interface_name);
        member_ip(b, "ipv4", &e->ipv4);
        member_ip(b, "ipv6", &e->ipv6);
        member_strings(b, "names", &e->names);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}");
}

static void put_volume(struct buf *b, const struct compose_volume *v)
{
    put_open(b, NULL, '{');
    member_text(b, "key", v->key);
    member_text(b, "name", v->name);
    member_pairs(b, "labels", &v->labels);
    buf_putc(b, '}');
}

static void put_notes(struct buf *b, const struct compose_project *p, enum compose_class class,
                      const char *key)
{
    put_open(b, key, '[');
    for (size_t i = 0; i < p->note_count; i++) {
        const struct compose_note *n = &p->notes[i];
        if (n->class != class) {
            continue;
        }
        put_open(b, NULL, '{');
        member_text(b, "path", n->path);
        member_number(b, "line", n->line);
        member_number(b, "column", n->col);
        member_text(b, "reason", n->reason);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_findings(struct buf *b, const struct compose_project *p)
{
    put_open(b, "keys", '{');
    put_notes(b, p, COMPOSE_HONOURED, "honoured");
    put_notes(b, p, COMPOSE_WITHOUT_EFFECT, "without_effect");
    put_notes(b, p, COMPOSE_REFUSED, "refused");
    buf_putc(b, '}');
    put_open(b, "warnings", '[');
    for (size_t i = 0; i < p->warning_count; i++) {
        const struct compose_warning *w = &p->warnings[i];
        put_open(b, NULL, '{');
        member_text(b, "file", w->file);
        member_number(b, "line", w->line);
        member_number(b, "column", w->col);
        member_text(b, "text", w->text);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

void compose_json(const struct compose_project *p, struct buf *b)
{
    struct buf out = {0}; /* own buffer: comma() looks at what stands before */
    put_open(&out, NULL, '{');
    member_text(&out, "name", p->name);
    member_text(&out, "file", p->file);
    put_open(&out, "services", '[');
    for (size_t i = 0; i < p->service_count; i++) {
        put_service(&out, &p->services[i]);
    }
    buf_putc(&out, ']');
    put_open(&out, "containers", '[');
    for (size_t i = 0; i < p->container_count; i++) {
        put_container(&out, p, &p->containers[i]);
    }
    buf_putc(&out, ']');
    put_open(&out, "networks", '[');
    for (size_t i = 0; i < p->network_count; i++) {
        put_network(&out, &p->networks[i]);
    }
    buf_putc(&out, ']');
    put_open(&out, "volumes", '[');
    for (size_t i = 0; i < p->volume_count; i++) {
        put_volume(&out, &p->volumes[i]);
    }
    buf_putc(&out, ']');
    put_open(&out, "start_order", '[');
    for (size_t i = 0; i < p->start_count; i++) {
        put_text(&out, p->services[p->start_order[i]].name);
    }
    buf_putc(&out, ']');
    put_findings(&out, p);
    buf_putc(&out, '}');
    buf_append(b, out.data, out.len);
    buf_free(&out);
}
