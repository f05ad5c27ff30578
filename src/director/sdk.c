/* What reaches Everett from the SDKs: calls of the injected library and lines of *.jsonl files. */
#include "abi/guestcall.h"
#include "base/str.h"
#include "director/hooks.h"
#include "director/json_scan.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/node.h"
#include "kernel/syscalls/guestcalls.h"
#include "kernel/task/task.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/vfs.h"

#define MODULE_SHIFT       32
#define LEASE_HITS_MAX     0xfffffu /* what one coverage lease can grant (20 bits) */
#define STOP_FAULTS_MAX_MS (1000ull * 3600 * 24)

/* A *.jsonl file being written: the piece behind its last newline. */
struct sdk_file {
    struct sdk_file *next;
    uint32_t node;
    uint64_t ino;
    char *line;
    size_t len, cap;
};

struct sdk {
    struct sdk_file *files;
    uint32_t modules;
    uint64_t *edges; /* open addressing, 0 = free: every edge seen in this universe */
    uint64_t edge_count, edge_cap;
};

static struct sdk *sdk_of(struct machine *m)
{
    if (!m->sdk) {
        m->sdk = KALLOC(m, struct sdk);
    }
    return m->sdk;
}

static void check_setup(struct machine *m, const char *json, size_t len)
{
    struct json_span setup, status;
    if (m->setup_complete ||
        !json_member((struct json_span){json, len}, "antithesis_setup", &setup)) {
        return;
    }
    if (json_member(setup, "status", &status) && json_is_string(status, "complete")) {
        m->setup_complete = 1;
        director_setup_completed(m);
    }
}

static void record_json(struct node *n, uint32_t pid, uint32_t command_id, uint8_t stream,
                        const char *json, size_t len)
{
    struct event_output head = {.stream = stream, .command_id = command_id};
    struct trace_part parts[] = {{&head, sizeof head}, {json, len}};
    trace_event(n->m, EVENT_SDK, n, pid, parts, 2);
    check_setup(n->m, json, len);
}

/* --- guest calls ------------------------------------------------------------------------------ */

static struct sysret call_random(struct task *t, const struct sysargs *a)
{
    uint64_t v = stream_next(&t->node->streams[STREAM_SDK]);
    trace_mix(t->m, STREAM_SDK, v);
    return sys_done(user_write_u64(t, gaddr_of(a->a[0]), v));
}

static struct sysret call_json(struct task *t, const struct sysargs *a)
{
    uint64_t len = a->a[1];
    if (len > LIMIT_SDK_JSON) {
        trace_unknown(t, "SDK message longer than", LIMIT_SDK_JSON, 0, -E2BIG);
        return sys_done(-E2BIG);
    }
    char *json = kalloc(t->m, len + 1);
    int err = user_read(t, json, gaddr_of(a->a[0]), len);
    if (err == 0) {
        record_json(t->node, (uint32_t)t->process->pid, t->process->command_id, 0, json, len);
    }
    kfree(t->m, json);
    return sys_done(err);
}

static struct sysret call_module(struct task *t, const struct sysargs *a)
{
    struct sdk *s = sdk_of(t->m);
    uint64_t offset = (uint64_t)++s->modules << MODULE_SHIFT;
    return sys_done(user_write_u64(t, gaddr_of(a->a[2]), offset));
}

static bool edge_insert(uint64_t *table, uint64_t cap, uint64_t edge)
{
    uint64_t i = stream_mix(edge) & (cap - 1);
    while (table[i] && table[i] != edge) {
        i = (i + 1) & (cap - 1);
    }
    if (table[i]) {
        return false;
    }
    table[i] = edge;
    return true;
}

static void edges_grow(struct machine *m, struct sdk *s)
{
    uint64_t cap = s->edge_cap ? s->edge_cap * 2 : 1024;
    uint64_t *table = kalloc(m, cap * sizeof *table);
    for (uint64_t i = 0; i < s->edge_cap; i++) {
        if (s->edges[i]) {
            edge_insert(table, cap, s->edges[i]);
        }
    }
    kfree(m, s->edges);
    s->edges = table;
    s->edge_cap = cap;
}

/* The first hit of an edge is what guides; after it the longest lease is granted. */
static struct sysret call_edge(struct task *t, const struct sysargs *a)
{
    struct sdk *s = sdk_of(t->m);
    uint64_t edge = a->a[0] + 1; /* 0 marks a free slot */
    if (2 * s->edge_count >= s->edge_cap) {
        edges_grow(t->m, s);
    }
    if (edge && edge_insert(s->edges, s->edge_cap, edge)) {
        s->edge_count++;
        t->m->end.edges = s->edge_count;
    }
    return sys_done(LEASE_HITS_MAX);
}

static struct sysret call_source_name(struct task *t, const struct sysargs *a)
{
    char name[65];
    int64_t n = user_read_str(t, name, gaddr_of(a->a[0]), sizeof name);
    if (n < 0) {
        return sys_done(n);
    }
    char text[256];
    struct json j;
    json_init(&j, text, sizeof text);
    json_open(&j, NULL, '{');
    json_str(&j, "source_name", name, (size_t)n);
    json_close(&j, '}');
    record_json(t->node, (uint32_t)t->process->pid, t->process->command_id, 0, text, j.len);
    return sys_done(0);
}

struct sysret guestcall(struct task *t, const struct sysargs *a)
{
    switch ((enum guestcall)a->nr) {
    case GUESTCALL_RANDOM:
        return call_random(t, a);
    case GUESTCALL_JSON:
        return call_json(t, a);
    case GUESTCALL_FLUSH:
        return sys_done(0); /* nothing is ever buffered on our side */
    case GUESTCALL_COVERAGE_MODULE:
        return call_module(t, a);
    case GUESTCALL_COVERAGE_EDGE:
        return call_edge(t, a);
    case GUESTCALL_STOP_FAULTS:
        faults_quiet(t->m, min_u64(a->a[0], STOP_FAULTS_MAX_MS) * NSEC_PER_MSEC);
        return sys_done(0);
    case GUESTCALL_SOURCE_NAME:
        return call_source_name(t, a);
    case GUESTCALL_END:
        break;
    }
    return sys_done(-ENOSYS);
}

/* --- jsonl files ------------------------------------------------------------------------------ */

static struct sdk_file *file_of(struct node *n, uint64_t ino)
{
    struct sdk *s = sdk_of(n->m);
    for (struct sdk_file *f = s->files; f; f = f->next) {
        if (f->node == n->index && f->ino == ino) {
            return f;
        }
    }
    struct sdk_file *f = KALLOC(n->m, struct sdk_file);
    f->node = n->index;
    f->ino = ino;
    f->next = s->files;
    s->files = f;
    return f;
}

static void add_to_line(struct machine *m, struct sdk_file *f, const char *data, size_t len)
{
    if (f->len + len > LIMIT_SDK_JSON) {
        len = LIMIT_SDK_JSON - f->len; /* the rest of an endless line is dropped; it cannot parse */
    }
    if (f->len + len > f->cap) {
        f->cap = 2 * (f->len + len);
        f->line = krealloc(m, f->line, f->cap);
    }
    memcpy(f->line + f->len, data, len);
    f->len += len;
}

void sdk_file_written(struct node *n, uint64_t ino, uint64_t off, const void *data, size_t len)
{
    struct sdk_file *f = file_of(n, ino);
    struct task *t = task_current(n->m);
    const char *p = data;
    (void)off; /* SDKs append */
    while (len > 0) {
        const char *nl = str_chr(p, '\n', len);
        size_t piece = nl ? (size_t)(nl - p) : len;
        add_to_line(n->m, f, p, piece);
        if (nl) {
            if (f->len > 0) {
                record_json(n, t ? (uint32_t)t->process->pid : 0, t ? t->process->command_id : 0, 1,
                            f->line, f->len);
            }
            f->len = 0;
            piece++;
        }
        p += piece;
        len -= piece;
    }
}
