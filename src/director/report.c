#include "director/report.h"

#include "base/str.h"
#include "base/stream.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"

#define TEXT_MAX 512u /* one name: 255 bytes, twice (template/command) */

/* Room for the largest record: a list of every node's name (a partition) beside fixed members and a
 * few file names, each byte escaped. */
static size_t capacity(const struct machine *m)
{
    size_t names = 0;
    for (uint32_t i = 0; i < m->node_count; i++) {
        names += str_len(m->nodes[i]->name) + 1;
    }
    return 6 * (8 * TEXT_MAX + 2 * names) + 4096;
}

void report_open(struct report *r, struct machine *m)
{
    size_t cap = capacity(m);
    r->m = m;
    json_init(&r->json, kalloc(m, cap), cap);
    json_open(&r->json, NULL, '{');
}

void report_send(struct report *r, enum event_type type, const struct node *node, uint32_t pid)
{
    json_close(&r->json, '}');
    struct trace_part part = {r->json.buf, r->json.len};
    trace_event(r->m, type, node, pid, &part, 1);
    kfree(r->m, r->json.buf);
}

void report_number(struct report *r, const char *key, uint64_t v)
{
    char text[24];
    str_format(text, sizeof text, "%lu", (unsigned long)v);
    json_cstr(&r->json, key, text);
}

void report_container(struct report *r, const struct node *n, const char *id_key,
                      const char *name_key)
{
    char id[65];
    uint64_t h = n->index;
    for (const char *c = n->name; *c; c++) {
        h = stream_mix(h ^ (unsigned char)*c);
    }
    for (unsigned i = 0; i < 4; i++) {
        h = stream_mix(h + i);
        str_format(id + 16 * i, 17, "%016lx", (unsigned long)h);
    }
    json_cstr(&r->json, id_key, id);
    json_cstr(&r->json, name_key, n->name);
}

void report_message(struct machine *m, const struct node *node, const char *fmt, ...)
{
    char text[3 * TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    str_vformat(text, sizeof text, fmt, ap);
    va_end(ap);
    struct report r;
    report_open(&r, m);
    json_cstr(&r.json, "message", text);
    report_send(&r, EVENT_COMPOSER, node, 0);
}
