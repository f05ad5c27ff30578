/* Network faults: partitions and clogs. They may overlap; a link then suffers from all of them: it
 * stops if one stops it, else jams if one jams it, delays add up, losses are independent. */
#include "base/str.h"
#include "director/decide.h"
#include "director/faults_priv.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"

#define PPM           1000000u
#define GROUPS_MAX    3u
#define SLOW_MIN_NS   (20 * NSEC_PER_MSEC)
#define SLOW_MAX_NS   (2000 * NSEC_PER_MSEC)
#define SLOW_LOSS_PPM (PPM / 5) /* at most */

static bool is_excluded(const struct machine *m, uint32_t node)
{
    return (m->nodes[node]->plan->fault_exclude & PLAN_EXCLUDE_NETWORK) != 0;
}

/* --- what links suffer ------------------------------------------------------------------------ */

static bool disrupts(const struct net_fault *f, uint32_t from, uint32_t to)
{
    uint8_t a = f->group[from], b = f->group[to];
    if (f->kind == FAULT_CLOG) {
        return (f->clogs_out && a != GROUP_NONE) || (f->clogs_in && b != GROUP_NONE);
    }
    return a != GROUP_NONE && b != GROUP_NONE && (f->asymmetric ? a < b : a != b);
}

static void add_policy(struct link_policy *sum, const struct link_policy *p)
{
    if (p->mode == LINK_STOPPED || sum->mode == LINK_NORMAL) {
        sum->mode = p->mode;
    }
    sum->latency_ns += p->latency_ns;
    sum->jitter_ns += p->jitter_ns;
    uint64_t kept = (uint64_t)(PPM - sum->loss_ppm) * (PPM - p->loss_ppm) / PPM;
    sum->loss_ppm = PPM - (uint32_t)kept;
}

static bool same_policy(const struct link_policy *a, const struct link_policy *b)
{
    return a->mode == b->mode && a->latency_ns == b->latency_ns && a->jitter_ns == b->jitter_ns &&
           a->loss_ppm == b->loss_ppm;
}

/* Excluded nodes keep all their links: clogs of others end at them too. */
static void set_link(struct machine *m, uint32_t from, uint32_t to)
{
    struct link_policy sum = {0}, *told = &m->faults->links[from * m->node_count + to];
    const struct net_fault *f;
    list_for_each_entry (f, &m->faults->net, link) {
        if (disrupts(f, from, to)) {
            add_policy(&sum, &f->policy);
        }
    }
    if (!same_policy(&sum, told)) {
        *told = sum;
        net_link_set(m, from, to, &sum);
    }
}

static void set_links(struct machine *m)
{
    for (uint32_t from = 0; from < m->node_count; from++) {
        for (uint32_t to = 0; to < m->node_count; to++) {
            if (from != to && !is_excluded(m, from) && !is_excluded(m, to)) {
                set_link(m, from, to);
            }
        }
    }
}

/* --- begin and end ---------------------------------------------------------------------------- */

static void emit_restore(struct machine *m)
{
    struct report r;
    fault_open(&r, m, "restore", "network");
    json_open(&r.json, "affected_nodes", '[');
    json_cstr(&r.json, NULL, "ALL");
    json_close(&r.json, ']');
    json_int(&r.json, "max_duration", 0);
    json_open(&r.json, "details", '{');
    json_close(&r.json, '}');
    fault_send(&r);
}

static void drop(struct machine *m, struct net_fault *f)
{
    timer_disarm(m, &f->end);
    list_del(&f->link);
    kfree(m, f);
}

static void fault_over(struct machine *m, struct timer *t)
{
    drop(m, container_of(t, struct net_fault, end));
    set_links(m);
    if (list_empty(&m->faults->net)) {
        emit_restore(m);
    }
}

void net_faults_end(struct machine *m)
{
    struct faults *faults = m->faults;
    if (list_empty(&faults->net)) {
        return;
    }
    while (!list_empty(&faults->net)) {
        drop(m, list_first_entry(&faults->net, struct net_fault, link));
    }
    memset(faults->links, 0, (size_t)m->node_count * m->node_count * sizeof *faults->links);
    net_link_restore_all(m);
    emit_restore(m);
}

static enum disruption draw_disruption(struct machine *m)
{
    enum disruption active[DISRUPTIONS];
    uint32_t count = 0;
    for (unsigned d = 0; d < DISRUPTIONS; d++) {
        if (m->faults->disruptions & 1u << d) {
            active[count++] = d;
        }
    }
    ASSERT(count > 0);
    return active[decide_below(m, STREAM_FAULT, count, "disruption")];
}

static void draw_policy(struct machine *m, struct net_fault *f)
{
    f->disruption = draw_disruption(m);
    switch (f->disruption) {
    case DISRUPTION_STOPPED:
        f->policy.mode = LINK_STOPPED;
        break;
    case DISRUPTION_JAMMED:
        f->policy.mode = LINK_JAMMED;
        break;
    default:
        f->policy.latency_ns =
            decide_range(m, STREAM_FAULT, SLOW_MIN_NS, SLOW_MAX_NS, "added latency");
        f->policy.jitter_ns =
            decide_range(m, STREAM_FAULT, 0, 2 * f->policy.latency_ns, "added jitter");
        if (decide_below(m, STREAM_FAULT, 2, "lossy") == 1) {
            f->policy.loss_ppm =
                (uint32_t)decide_range(m, STREAM_FAULT, 1, SLOW_LOSS_PPM, "added loss");
        }
    }
}

static struct net_fault *create(struct machine *m, enum fault_kind kind)
{
    struct net_fault *f = kalloc(m, sizeof *f + m->node_count);
    f->kind = kind;
    memset(f->group, GROUP_NONE, m->node_count);
    return f;
}

/* Latencies in milliseconds, as of a uniform distribution on [l, l + j]: the deviation is
 * j/sqrt(12). */
static void put_disruption(struct report *r, const struct net_fault *f)
{
    static const char *const names[] = {"Stopped", "Slowed", "Jammed"};
    json_cstr(&r->json, "disruption_type", names[f->disruption]);
    json_bool(&r->json, "asymmetric", f->asymmetric);
    if (f->disruption == DISRUPTION_SLOWED) {
        json_open(&r->json, "latency", '{');
        json_int(&r->json, "mean",
                 (int64_t)((f->policy.latency_ns + f->policy.jitter_ns / 2) / NSEC_PER_MSEC));
        json_int(&r->json, "deviation",
                 (int64_t)(f->policy.jitter_ns / 1000 * 289 / NSEC_PER_MSEC));
        json_close(&r->json, '}');
        json_seconds(&r->json, "drop_rate", (uint64_t)f->policy.loss_ppm * 1000, 6);
    }
}

static void begin(struct machine *m, struct net_fault *f, uint64_t duration)
{
    list_add_tail(&m->faults->net, &f->link);
    timer_arm(m, &f->end, machine_now(m) + duration, TIMER_NO_NODE, fault_over);
    set_links(m);
}

/* --- partition -------------------------------------------------------------------------------- */

static uint32_t count_eligible(const struct machine *m)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->node_count; i++) {
        count += !is_excluded(m, i);
    }
    return count;
}

/* The first `groups` nodes of a random order found the groups, so that none stays empty; each other
 * one joins a group of its own drawing. */
static void draw_groups(struct machine *m, struct net_fault *f, uint32_t groups, uint32_t eligible)
{
    for (uint32_t g = 0; g < groups; g++) {
        uint64_t nth = decide_below(m, STREAM_FAULT, eligible - g, "founder of a group");
        for (uint32_t i = 0;; i++) {
            if (!is_excluded(m, i) && f->group[i] == GROUP_NONE && nth-- == 0) {
                f->group[i] = (uint8_t)g;
                break;
            }
        }
    }
    for (uint32_t i = 0; i < m->node_count; i++) {
        if (!is_excluded(m, i) && f->group[i] == GROUP_NONE) {
            f->group[i] = (uint8_t)decide_below(m, STREAM_FAULT, groups, m->nodes[i]->name);
        }
    }
}

static void put_partitions(struct report *r, const struct machine *m, const struct net_fault *f,
                           uint32_t groups)
{
    json_open(&r->json, "partitions", '[');
    for (uint32_t g = 0; g < groups; g++) {
        json_open(&r->json, NULL, '[');
        for (uint32_t i = 0; i < m->node_count; i++) {
            if (f->group[i] == g) {
                json_cstr(&r->json, NULL, m->nodes[i]->name);
            }
        }
        json_close(&r->json, ']');
    }
    json_close(&r->json, ']');
}

static void put_members(struct report *r, struct machine *m, const struct net_fault *f)
{
    uint8_t *member = kalloc(m, m->node_count);
    for (uint32_t i = 0; i < m->node_count; i++) {
        member[i] = f->group[i] != GROUP_NONE;
    }
    fault_affected(r, m, member);
    kfree(m, member);
}

void net_fault_partition(struct machine *m)
{
    uint32_t eligible = count_eligible(m);
    if (eligible < 2) {
        return;
    }
    struct net_fault *f = create(m, FAULT_PARTITION);
    uint32_t most = (uint32_t)min_u64(eligible, GROUPS_MAX);
    uint32_t groups = (uint32_t)decide_range(m, STREAM_FAULT, 2, most, "groups");
    draw_groups(m, f, groups, eligible);
    f->asymmetric = decide_below(m, STREAM_FAULT, 3, "one-sided") == 0;
    draw_policy(m, f);
    uint64_t duration = fault_duration(m, &m->faults->schedules[FAULT_PARTITION].plan);
    struct report r;
    fault_open(&r, m, "partition", "network");
    put_members(&r, m, f);
    json_seconds(&r.json, "max_duration", duration, 3);
    json_open(&r.json, "details", '{');
    put_disruption(&r, f);
    put_partitions(&r, m, f, groups);
    json_close(&r.json, '}');
    fault_send(&r);
    begin(m, f, duration);
}

/* --- clog ------------------------------------------------------------------------------------- */

/* One node half of the time, otherwise any number but all. */
static void draw_clogged(struct machine *m, struct net_fault *f, uint32_t eligible)
{
    uint32_t count = 1;
    if (eligible > 2 && decide_below(m, STREAM_FAULT, 2, "several nodes") == 1) {
        count = (uint32_t)decide_range(m, STREAM_FAULT, 2, eligible - 1, "clogged nodes");
    }
    for (uint32_t c = 0; c < count; c++) {
        uint64_t nth = decide_below(m, STREAM_FAULT, eligible - c, "clogged node");
        for (uint32_t i = 0;; i++) {
            if (!is_excluded(m, i) && f->group[i] == GROUP_NONE && nth-- == 0) {
                f->group[i] = 1;
                break;
            }
        }
    }
}

void net_fault_clog(struct machine *m)
{
    static const char *const directions[] = {"both", "in", "out"};
    uint32_t eligible = count_eligible(m);
    if (eligible == 0 || m->node_count < 2) {
        return;
    }
    struct net_fault *f = create(m, FAULT_CLOG);
    draw_clogged(m, f, eligible);
    uint64_t direction = decide_below(m, STREAM_FAULT, ARRAY_LEN(directions), "direction");
    f->clogs_in = direction != 2;
    f->clogs_out = direction != 1;
    f->asymmetric = direction != 0;
    draw_policy(m, f);
    uint64_t duration = fault_duration(m, &m->faults->schedules[FAULT_CLOG].plan);
    struct report r;
    fault_open(&r, m, "clog", "network");
    put_members(&r, m, f);
    json_seconds(&r.json, "max_duration", duration, 3);
    json_open(&r.json, "details", '{');
    put_disruption(&r, f);
    json_cstr(&r.json, "direction", directions[direction]);
    json_close(&r.json, '}');
    fault_send(&r);
    begin(m, f, duration);
}
