#include "kernel/trace/trace.h"

#include "base/str.h"
#include "base/stream.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/task/task.h"

#define RECORD_MAX (LIMIT_SDK_JSON + 4096)

struct seen {
    uint64_t what, number, detail;
};

void trace_mix(struct machine *m, uint64_t a, uint64_t b)
{
    uint64_t *d = m->trace.digest;
    d[0] = (d[0] ^ a) * 0x9ddfea08eb382d69ull;
    d[0] ^= d[0] >> 29;
    d[1] = (d[1] ^ b ^ d[0]) * 0xc2b2ae3d27d4eb4full;
    d[1] ^= d[1] >> 31;
}

static void mix_bytes(struct machine *m, const unsigned char *p, size_t n)
{
    for (; n >= 16; n -= 16, p += 16) {
        uint64_t w[2];
        memcpy(w, p, 16);
        trace_mix(m, w[0], w[1]);
    }
    uint64_t tail[2] = {0};
    memcpy(tail, p, n);
    trace_mix(m, tail[0], tail[1] ^ n << 56);
}

/* The record is put together in the arena's scratch block, so that its padding is known zero. */
void trace_event(struct machine *m, enum event_type type, const struct node *node, uint32_t pid,
                 const struct trace_part *parts, unsigned nparts)
{
    size_t length = 0;
    for (unsigned i = 0; i < nparts; i++) {
        length += parts[i].len;
    }
    ASSERT(length < RECORD_MAX);
    size_t size = round_up_u64(sizeof(struct event) + length, 8);
    struct event *e = kalloc(m, size);
    e->size = (uint32_t)size;
    e->type = (uint16_t)type;
    e->node = node ? (uint16_t)node->index : EVENT_NO_NODE;
    e->vtime_ns = m->clock.now;
    e->pid = pid;
    e->length = (uint32_t)length;
    bool counted = type != EVENT_STRACE && type != EVENT_DIAGNOSTIC;
    e->seq = m->trace.seq;
    if (counted) {
        m->trace.seq++;
    }
    unsigned char *p = e->payload;
    for (unsigned i = 0; i < nparts; i++) {
        memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }
    if (counted) {
        mix_bytes(m, (const unsigned char *)e, size);
    }
    m->port->emit(e, size);
    kfree(m, e);
}

void trace_text(struct machine *m, enum event_type type, const struct node *node, const char *text,
                size_t len)
{
    struct trace_part part = {text, len};
    trace_event(m, type, node, 0, &part, 1);
}

static bool seen_before(struct machine *m, struct seen key)
{
    struct seen *s = m->trace.seen_unknown;
    for (uint32_t i = 0; i < m->trace.seen_count; i++) {
        if (s[i].what == key.what && s[i].number == key.number && s[i].detail == key.detail) {
            return true;
        }
    }
    if (m->trace.seen_count == m->trace.seen_cap) {
        m->trace.seen_cap = m->trace.seen_cap ? m->trace.seen_cap * 2 : 32;
        s = m->trace.seen_unknown = krealloc(m, s, m->trace.seen_cap * sizeof *s);
    }
    s[m->trace.seen_count++] = key;
    return false;
}

void trace_unknown(struct task *t, const char *what, uint64_t number, uint64_t detail, int answered)
{
    struct machine *m = t->m;
    struct seen key = {0, number, detail};
    for (const char *c = what; *c; c++) {
        key.what = stream_mix(key.what ^ (unsigned char)*c);
    }
    if (seen_before(m, key)) {
        return;
    }
    struct event_unknown head = {(uint32_t)number, answered};
    char text[160];
    size_t len = detail ? str_format(text, sizeof text, "%s %#lx (%#lx) by %s", what,
                                     (unsigned long)number, (unsigned long)detail, t->comm)
                        : str_format(text, sizeof text, "%s %#lx by %s", what,
                                     (unsigned long)number, t->comm);
    struct trace_part parts[] = {{&head, sizeof head}, {text, min_u64(len, sizeof text - 1)}};
    trace_event(m, EVENT_UNKNOWN, t->node, (uint32_t)t->process->pid, parts, 2);
    if (m->plan->strict) {
        machine_end(m, END_NOT_COVERED, "strict: Everett does not cover %s (errno %d)", text,
                    -answered);
    }
}

void trace_decision(struct machine *m, uint32_t stream, const struct node *node, uint64_t index,
                    uint64_t value, const char *what)
{
    struct event_decision d = {.stream = stream, .index = index, .value = value};
    struct trace_part parts[] = {{&d, sizeof d}, {what, str_len(what)}};
    trace_event(m, EVENT_DECISION, node, 0, parts, 2);
}

void machine_end(struct machine *m, enum event_end_reason reason, const char *fmt, ...)
{
    if (m->ending) {
        return;
    }
    m->ending = (uint32_t)reason;
    va_list ap;
    va_start(ap, fmt);
    str_vformat(m->end_text, sizeof m->end_text, fmt, ap);
    va_end(ap);
}
