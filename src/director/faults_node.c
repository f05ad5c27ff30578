/* Node faults: a container freezes, crashes or is stopped, for a while. One at a time a node. */
#include "director/composer.h"
#include "director/container.h"
#include "director/decide.h"
#include "director/faults_priv.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"

#define STOP_ONE_IN 4u /* of the kills are graceful */

static struct node *draw_node(struct machine *m, uint32_t exclude_bit, const char *what)
{
    uint32_t count = 0;
    struct node **eligible = kalloc(m, (m->node_count + 1) * sizeof *eligible), *chosen = NULL;
    for (uint32_t i = 0; i < m->node_count; i++) {
        struct node *n = m->nodes[i];
        if (m->faults->nodes[i].what == NODE_FAULT_NONE && container_is_usable(n) &&
            !(n->plan->fault_exclude & exclude_bit)) {
            eligible[count++] = n;
        }
    }
    if (count > 0) {
        chosen = eligible[decide_below(m, STREAM_FAULT, count, what)];
    }
    kfree(m, eligible);
    return chosen;
}

static void emit(struct machine *m, const char *name, const struct node *n, uint64_t duration)
{
    struct report r;
    fault_open(&r, m, name, "node");
    json_open(&r.json, "affected_nodes", '[');
    json_cstr(&r.json, NULL, n->name);
    json_close(&r.json, ']');
    json_seconds(&r.json, "max_duration", duration, 3);
    json_open(&r.json, "details", '{');
    json_close(&r.json, '}');
    fault_send(&r);
}

static void end(struct machine *m, struct node *n, bool at_once)
{
    struct node_fault *f = &m->faults->nodes[n->index];
    timer_disarm(m, &f->end);
    if (f->what == NODE_FAULT_PAUSE) {
        node_resume(n);
        fault_info_node(m, "resumed", n);
        composer_poke(m);
    } else if (f->what == NODE_FAULT_DOWN) {
        container_revive(n, at_once);
    }
    f->what = NODE_FAULT_NONE;
}

static void end_due(struct machine *m, struct timer *t)
{
    struct node_fault *f = container_of(t, struct node_fault, end);
    end(m, m->nodes[f - m->faults->nodes], false);
}

static void begin(struct machine *m, struct node *n, int what, uint64_t duration)
{
    struct node_fault *f = &m->faults->nodes[n->index];
    f->what = what;
    timer_arm(m, &f->end, machine_now(m) + duration, n->index, end_due);
}

void node_fault_pause(struct machine *m)
{
    struct node *n = draw_node(m, PLAN_EXCLUDE_PAUSE, "paused node");
    if (n) {
        uint64_t duration = fault_duration(m, &m->faults->schedules[FAULT_PAUSE].plan);
        emit(m, "pause", n, duration);
        begin(m, n, NODE_FAULT_PAUSE, duration);
        node_pause(n);
    }
}

/* The delay until the restart counts from the fault. A stop may take longer than that. */
void node_fault_kill(struct machine *m)
{
    bool stops = decide_below(m, STREAM_FAULT, STOP_ONE_IN, "graceful") == 0;
    struct node *n = draw_node(m, stops ? PLAN_EXCLUDE_STOP : PLAN_EXCLUDE_KILL, "killed node");
    if (n) {
        uint64_t duration = fault_duration(m, &m->faults->schedules[FAULT_KILL].plan);
        emit(m, stops ? "stop" : "kill", n, duration);
        begin(m, n, NODE_FAULT_DOWN, duration);
        if (stops) {
            container_stop(n);
        } else {
            container_kill(n);
        }
    }
}

void node_faults_end(struct machine *m)
{
    for (uint32_t i = 0; i < m->node_count; i++) {
        end(m, m->nodes[i], true);
        container_revive(m->nodes[i], true); /* a stop whose fault is over, but not its grace */
    }
}
