/* The resolved project as text for people. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "compose/compose.h"
#include "compose/units.h"

static void put_count(struct buf *out, size_t n, const char *one)
{
    buf_printf(out, "%zu %s%s", n, one, n == 1 ? "" : "s");
}

static int widest(const struct compose_project *p)
{
    size_t w = 8;
    for (size_t i = 0; i < p->container_count; i++) {
        size_t n = strlen(p->containers[i].name);
        w = n > w ? n : w;
    }
    return (int)(w < 32 ? w : 32);
}

static void put_endpoints(const struct compose_project *p, const struct compose_container *c,
                          struct buf *out)
{
    const struct compose_service *s = &p->services[c->service];
    if (c->shares_net_of != SIZE_MAX) {
        buf_printf(out, "network of %s", p->containers[c->shares_net_of].name);
    } else if (s->net_mode == COMPOSE_NET_NONE) {
        buf_puts(out, "no network");
    }
    for (size_t i = 0; i < c->endpoint_count; i++) {
        const struct compose_endpoint *e = &c->endpoints[i];
        char v4[IP_TEXT_MAX], v6[IP_TEXT_MAX];
        ip_format(&e->ipv4, v4);
        ip_format(&e->ipv6, v6);
        buf_printf(out, "%s%s %s%s%s", i ? ", " : "", p->networks[e->network].key, v4,
                   v4[0] && v6[0] ? " " : "", v6);
    }
}

static void put_healthcheck(const struct compose_healthcheck *h, struct buf *out)
{
    char text[DURATION_TEXT_MAX];
    if (!h->present) {
        return;
    }
    if (h->test == COMPOSE_TEST_NONE) {
        buf_puts(out, "; healthcheck off");
        return;
    }
    format_duration(h->interval_ns, text);
    buf_printf(out, "; healthcheck every %s, %u tries", text, h->retries);
}

static void put_container(const struct compose_project *p, const struct compose_container *c,
                          int width, struct buf *out)
{
    static const char *const restarts[] = {"", "; restart always", "; restart on failure",
                                           "; restart unless stopped"};
    const struct compose_service *s = &p->services[c->service];
    buf_printf(out, "  %-*s  %s\n  %*s  ", width, c->name, s->image, width, "");
    put_endpoints(p, c, out);
    put_healthcheck(&s->healthcheck, out);
    buf_puts(out, restarts[s->restart]);
    if (s->init) {
        buf_puts(out, "; init");
    }
    if (s->mem_limit) {
        buf_printf(out, "; memory %" PRIu64 " MiB", s->mem_limit >> 20);
    }
    for (size_t i = 0; i < s->fault_exclusions.n; i++) {
        buf_printf(out, "%s%s", i ? ", " : "; no faults: ", s->fault_exclusions.v[i]);
    }
    buf_putc(out, '\n');
}

static void put_start_order(const struct compose_project *p, struct buf *out)
{
    buf_puts(out, "\nStarts in this order (conditions hold services back)\n ");
    for (size_t i = 0; i < p->start_count; i++) {
        buf_printf(out, "%s%s", i ? ", " : " ", p->services[p->start_order[i]].name);
    }
    buf_putc(out, '\n');
    bool first = true;
    for (size_t i = 0; i < p->service_count; i++) {
        if (!p->services[i].active) {
            buf_printf(out, "%s%s", first ? "  off (profiles): " : ", ", p->services[i].name);
            first = false;
        }
    }
    buf_puts(out, first ? "" : "\n");
}

static void put_networks(const struct compose_project *p, struct buf *out)
{
    buf_puts(out, p->network_count ? "\nNetworks\n" : "");
    for (size_t i = 0; i < p->network_count; i++) {
        const struct compose_network *n = &p->networks[i];
        char v4[IP_TEXT_MAX], v6[IP_TEXT_MAX];
        subnet_format(&n->v4, v4);
        subnet_format(&n->v6, v6);
        buf_printf(out, "  %-16s %s%s%s%s%s\n", n->key, v4, v4[0] && v6[0] ? " " : "", v6,
                   n->internal ? ", internal" : "", n->used ? "" : ", not used");
    }
    buf_puts(out, p->volume_count ? "\nVolumes\n" : "");
    for (size_t i = 0; i < p->volume_count; i++) {
        buf_printf(out, "  %s\n", p->volumes[i].key);
    }
}

static void put_notes(const struct compose_project *p, enum compose_class class, const char *title,
                      struct buf *out)
{
    if (compose_note_count(p, class) == 0) {
        return;
    }
    buf_printf(out, "\n%s\n", title);
    for (size_t i = 0; i < p->note_count; i++) {
        const struct compose_note *n = &p->notes[i];
        if (n->class == class) {
            buf_printf(out, "  %s (line %u): %s\n", n->path, n->line, n->reason);
        }
    }
}

static void put_warnings(const struct compose_project *p, struct buf *out)
{
    buf_puts(out, p->warning_count ? "\nWarnings\n" : "");
    for (size_t i = 0; i < p->warning_count; i++) {
        const struct compose_warning *w = &p->warnings[i];
        buf_printf(out, "  %s", w->file);
        if (w->line) {
            buf_printf(out, ":%u:%u", w->line, w->col);
        }
        buf_printf(out, ": %s\n", w->text);
    }
}

void compose_describe(const struct compose_project *p, struct buf *out)
{
    buf_printf(out, "Project %s (%s): ", p->name, p->file);
    put_count(out, p->service_count, "service");
    buf_puts(out, ", ");
    put_count(out, p->container_count, "container");
    buf_puts(out, ", ");
    put_count(out, p->network_count, "network");
    buf_puts(out, ", ");
    put_count(out, p->volume_count, "volume");
    buf_printf(out, "\nKeys: honoured %zu, without effect %zu, refused %zu\n",
               compose_note_count(p, COMPOSE_HONOURED),
               compose_note_count(p, COMPOSE_WITHOUT_EFFECT),
               compose_note_count(p, COMPOSE_REFUSED));
    if (p->container_count) {
        buf_puts(out, "\nContainers\n");
        for (size_t i = 0; i < p->container_count; i++) {
            put_container(p, &p->containers[i], widest(p), out);
        }
        put_start_order(p, out);
        put_networks(p, out);
    }
    put_notes(p, COMPOSE_REFUSED, "Refused", out);
    put_notes(p, COMPOSE_WITHOUT_EFFECT, "Accepted without effect", out);
    put_warnings(p, out);
}
