/* When faults strike, and when they must not. */
#include "director/faults.h"

#include "base/str.h"
#include "director/decide.h"
#include "director/faults_priv.h"
#include "director/hooks.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"

#define CALM_ONE_IN     10u /* universes without any fault */
#define KIND_OFF_ONE_IN 4u  /* ... and without this kind */

/* --- records ---------------------------------------------------------------------------------- */

void fault_open(struct report *r, struct machine *m, const char *name, const char *type)
{
    report_open(r, m);
    json_open(&r->json, "fault", '{');
    json_cstr(&r->json, "name", name);
    json_cstr(&r->json, "type", type);
}

void fault_affected(struct report *r, const struct machine *m, const uint8_t *member)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->node_count; i++) {
        count += member[i] != 0;
    }
    json_open(&r->json, "affected_nodes", '[');
    if (count == m->node_count) {
        json_cstr(&r->json, NULL, "ALL");
    } else {
        for (uint32_t i = 0; i < m->node_count; i++) {
            if (member[i]) {
                json_cstr(&r->json, NULL, m->nodes[i]->name);
            }
        }
    }
    json_close(&r->json, ']');
}

void fault_send(struct report *r)
{
    json_close(&r->json, '}');
    report_send(r, EVENT_FAULT, NULL, 0);
}

static void info_open(struct report *r, struct machine *m, const char *message)
{
    report_open(r, m);
    json_open(&r->json, "info", '{');
    json_cstr(&r->json, "message", message);
    json_open(&r->json, "details", '{');
}

static void info_send(struct report *r, const struct node *n)
{
    json_close(&r->json, '}');
    json_close(&r->json, '}');
    report_send(r, EVENT_FAULT, n, 0);
}

void fault_info_node(struct machine *m, const char *message, const struct node *n)
{
    struct report r;
    info_open(&r, m, message);
    json_cstr(&r.json, "node", n->name);
    info_send(&r, n);
}

static void info_paused(struct machine *m, const char *message, bool paused)
{
    struct report r;
    info_open(&r, m, message);
    json_bool(&r.json, "paused", paused);
    info_send(&r, NULL);
}

/* --- strikes ---------------------------------------------------------------------------------- */

uint64_t fault_duration(struct machine *m, const struct plan_fault *f)
{
    return decide_range(m, STREAM_FAULT, f->min_duration_ns, f->max_duration_ns, "fault duration");
}

static const struct {
    const char *next, *intensity;
    void (*strike)(struct machine *m);
} kinds[FAULT_KINDS] = {
    [FAULT_PARTITION] = {"next partition", "intensity of partitions", net_fault_partition},
    [FAULT_CLOG] = {"next clog", "intensity of clogs", net_fault_clog},
    [FAULT_PAUSE] = {"next pause", "intensity of pauses", node_fault_pause},
    [FAULT_KILL] = {"next kill", "intensity of kills", node_fault_kill},
};

static void strike_due(struct machine *m, struct timer *t);

static void arm_strike(struct machine *m, enum fault_kind k)
{
    struct fault_schedule *s = &m->faults->schedules[k];
    if (s->plan.mean_interval_ns) {
        uint64_t gap = decide_gap(m, STREAM_FAULT, s->plan.mean_interval_ns, kinds[k].next);
        timer_arm(m, &s->timer, machine_now(m) + gap, TIMER_NO_NODE, strike_due);
    }
}

static void strike_due(struct machine *m, struct timer *t)
{
    struct fault_schedule *s = container_of(t, struct fault_schedule, timer);
    enum fault_kind k = (enum fault_kind)(s - m->faults->schedules);
    kinds[k].strike(m);
    arm_strike(m, k);
}

/* --- on and off ------------------------------------------------------------------------------- */

static void turn_on(struct machine *m)
{
    m->faults->is_on = true;
    for (unsigned k = 0; k < FAULT_KINDS; k++) {
        arm_strike(m, k);
    }
}

static void turn_off(struct machine *m)
{
    m->faults->is_on = false;
    for (unsigned k = 0; k < FAULT_KINDS; k++) {
        timer_disarm(m, &m->faults->schedules[k].timer);
    }
    net_faults_end(m);
    node_faults_end(m);
}

static void update(struct machine *m, struct timer *t)
{
    struct faults *f = m->faults;
    vtime now = machine_now(m);
    bool quiet = f->quiet_until > now;
    bool on = f->has_begun && f->is_allowed && !quiet;
    if (f->is_on && !on) {
        turn_off(m);
    }
    if (quiet != f->is_quiet) {
        f->is_quiet = quiet;
        info_paused(m, quiet ? "fault injection pauses" : "fault injection goes on", quiet);
    }
    if (on && !f->is_on) {
        turn_on(m);
    }
    if (quiet) {
        timer_arm(m, &f->update, f->quiet_until, TIMER_NO_NODE, update);
    }
}

void faults_allow(struct machine *m, bool allowed)
{
    if (m->faults) {
        m->faults->is_allowed = allowed;
        update(m, NULL);
    }
}

/* Asked from inside a system call: the system is restored at the next scheduling point. */
void faults_quiet(struct machine *m, uint64_t ns)
{
    struct faults *f = m->faults;
    if (f) {
        f->quiet_until = max_u64(f->quiet_until, machine_now(m) + ns);
        timer_arm(m, &f->update, machine_now(m), TIMER_NO_NODE, update);
    }
}

/* --- the mix of a universe -------------------------------------------------------------------- */

/* Mean intervals from a quarter to four times the configured one. */
static void draw_intensity(struct machine *m, enum fault_kind k, const struct plan_fault *plan)
{
    struct plan_fault *f = &m->faults->schedules[k].plan;
    *f = *plan;
    if (f->mean_interval_ns == 0) {
        return;
    }
    uint64_t v = decide_below(m, STREAM_FAULT, 5 * KIND_OFF_ONE_IN, kinds[k].intensity);
    if (v % KIND_OFF_ONE_IN == 0) {
        f->mean_interval_ns = 0;
    } else {
        f->mean_interval_ns = max_u64(1, (f->mean_interval_ns << v / KIND_OFF_ONE_IN) / 4);
    }
}

static void draw_mix(struct machine *m)
{
    const struct plan_faults *p = &m->plan->faults;
    struct faults *f = m->faults;
    if (decide_below(m, STREAM_FAULT, CALM_ONE_IN, "a universe without faults") == 0) {
        return;
    }
    draw_intensity(m, FAULT_PARTITION, &p->partition);
    draw_intensity(m, FAULT_CLOG, &p->clog);
    draw_intensity(m, FAULT_PAUSE, &p->pause);
    draw_intensity(m, FAULT_KILL, &p->kill);
    f->disruptions =
        (uint32_t)decide_range(m, STREAM_FAULT, 1, (1u << DISRUPTIONS) - 1, "network disruptions");
}

void faults_boot(struct machine *m)
{
    if (!m->plan->faults.enabled) {
        return;
    }
    struct faults *f = m->faults = KALLOC(m, struct faults);
    list_init(&f->net);
    f->links = kalloc(m, (size_t)m->node_count * m->node_count * sizeof *f->links);
    f->nodes = kalloc(m, m->node_count * sizeof *f->nodes);
    f->is_allowed = true;
}

void faults_begin(struct machine *m)
{
    if (m->faults) {
        draw_mix(m);
        m->faults->has_begun = true;
        update(m, NULL);
    }
}
