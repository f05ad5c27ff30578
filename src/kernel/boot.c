#include "kernel/boot.h"

#include "base/str.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/net/net.h"
#include "kernel/node.h"
#include "kernel/port.h"
#include "kernel/sched/sched.h"
#include "kernel/sync/futex.h"
#include "kernel/trace/trace.h"
#include "kernel/vfs/vfs.h"

static void create_node(struct machine *m, uint32_t index)
{
    const struct plan *plan = m->plan;
    const struct plan_node *pn = PLAN_AT(plan, plan->nodes, struct plan_node, index);
    struct node *n = KALLOC(m, struct node);
    n->m = m;
    n->index = index;
    n->plan = pn;
    n->name = PLAN_STR(plan, pn->name);
    str_copy(n->hostname, sizeof n->hostname, PLAN_STR(plan, pn->hostname));
    str_copy(n->domainname, sizeof n->domainname, "(none)");
    list_init(&n->processes);
    list_init(&n->held);
    for (uint32_t id = 1; id < STREAM_COUNT; id++) {
        stream_init(&n->streams[id], plan->seed, id, index);
    }
    m->nodes[index] = n;
}

struct machine *machine_boot(void *base, uint64_t length, const struct plan *plan,
                             const struct port *port)
{
    struct machine *m = base;
    uint64_t root = round_up_u64(sizeof *m, 4096);
    arena_init(&m->arena, (char *)base + root, length - root);
    m->port = port;
    m->plan = plan;
    m->clock.call_cost_ns = plan->call_cost_ns;
    m->clock.clock_cost_ns = plan->clock_cost_ns;
    m->clock.realtime_offset_ns = plan->realtime_start_ns;
    /* Containers get their duration when set-up is complete (director). */
    m->ends_at = plan->is_exec ? plan->duration_ns : 0;
    m->trace.digest[0] = plan->seed;
    m->trace.digest[1] = plan->input_hash;
    m->next_anon_ino = 1000;
    m->next_file_id = 1;
    sched_init(m);
    for (uint32_t id = 1; id < STREAM_COUNT; id++) {
        stream_init(&m->streams[id], plan->seed, id, LIMIT_NODES);
    }
    ASSERT(plan->nodes.count <= LIMIT_NODES);
    m->node_count = plan->nodes.count;
    for (uint32_t i = 0; i < m->node_count; i++) {
        create_node(m, i);
    }
    futex_boot(m);
    vfs_boot(m);
    net_boot(m);
    return m;
}

void machine_emit_end(struct machine *m)
{
    struct event_end e = m->end;
    e.reason = m->ending;
    e.setup_complete = m->setup_complete;
    e.calls = m->sched.calls;
    e.switches = m->sched.switches;
    for (unsigned i = 1; i < STREAM_COUNT; i++) {
        e.draws += m->streams[i].count;
    }
    e.digest[0] = m->trace.digest[0];
    e.digest[1] = m->trace.digest[1];
    struct trace_part parts[] = {{&e, sizeof e}, {m->end_text, str_len(m->end_text)}};
    trace_event(m, EVENT_END, NULL, 0, parts, 2);
}
