/* Health checks in virtual time, by Docker's rules (moby, daemon/health.go): the first probe runs
 * one interval after the start; inside the start period probes run every start_interval and
 * failures do not count; `retries` failures in a row make it unhealthy, one success healthy. */
#include "base/str.h"
#include "director/container.h"
#include "director/container_priv.h"
#include "director/launch.h"
#include "director/report.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/spawn.h"
#include "kernel/task/task.h"
#include "kernel/vfs/vfs.h"

/* What Docker takes for 0. */
#define INTERVAL_NS       (30 * NSEC_PER_SEC)
#define TIMEOUT_NS        (30 * NSEC_PER_SEC)
#define START_INTERVAL_NS (5 * NSEC_PER_SEC)
#define RETRIES           3u

static uint64_t or_default(uint64_t value, uint64_t standard)
{
    return value ? value : standard;
}

static const struct plan_health *rules_of(const struct container *c)
{
    return &c->node->plan->health;
}

static bool in_start_period(const struct container *c, vtime at)
{
    return c->health.status == HEALTH_STARTING && at - c->started_at < rules_of(c)->start_period_ns;
}

static void timer_due(struct machine *m, struct timer *t);

static void arm(struct container *c, uint64_t delay)
{
    struct machine *m = c->node->m;
    timer_arm(m, &c->health.timer, machine_now(m) + delay, c->node->index, timer_due);
}

static void arm_next(struct container *c)
{
    const struct plan_health *r = rules_of(c);
    bool early = in_start_period(c, machine_now(c->node->m));
    arm(c, early ? or_default(r->start_interval_ns, START_INTERVAL_NS)
                 : or_default(r->interval_ns, INTERVAL_NS));
}

static void become(struct container *c, enum health_status status)
{
    if (c->health.status == status) {
        return;
    }
    c->health.status = status;
    bool healthy = status == HEALTH_HEALTHY;
    struct report r;
    container_event_open(&r, c, healthy ? "health_status: healthy" : "health_status: unhealthy");
    json_cstr(&r.json, "health_status", healthy ? "healthy" : "unhealthy");
    container_event_send(&r, c);
}

static void probe_passed(struct container *c)
{
    c->health.streak = 0;
    become(c, HEALTH_HEALTHY);
}

static void probe_failed(struct container *c)
{
    if (in_start_period(c, c->health.probe_started)) {
        return;
    }
    c->health.streak++;
    if (c->health.streak >= or_default(rules_of(c)->retries, RETRIES)) {
        become(c, HEALTH_UNHEALTHY);
    }
}

/* On the stack of the probe's last task: what it changes for others is looked at in the timer. */
static void probe_exited(struct machine *m, struct process *p)
{
    struct container *c = p->on_exit_data;
    if (c->health.probe != p || c->state != CONTAINER_UP) {
        return; /* the container is going down */
    }
    c->health.probe = NULL;
    if (p->exit_status == 0 && !c->health.timed_out) {
        probe_passed(c);
    } else {
        probe_failed(c);
    }
    arm_next(c);
    containers_check_soon(m);
}

static void probe(struct container *c)
{
    struct node *n = c->node;
    const char **argv = plan_strings(n->m, rules_of(c)->test);
    struct spawn s = {.node = n,
                      .argv = argv,
                      .stdio = {NULL, console_create_probe(n, 1), console_create_probe(n, 2)},
                      .on_exit = probe_exited,
                      .on_exit_data = c};
    c->health.timed_out = false;
    c->health.probe_started = machine_now(n->m);
    c->health.probe = launch(&s);
    kfree(n->m, argv);
    arm(c, or_default(rules_of(c)->timeout_ns, TIMEOUT_NS));
}

/* A paused container is not probed, and a probe that froze with it gets its time again. */
static void timer_due(struct machine *m, struct timer *t)
{
    struct container *c = container_of(t, struct container, health.timer);
    if (c->health.probe && c->node->paused) {
        arm(c, or_default(rules_of(c)->timeout_ns, TIMEOUT_NS));
    } else if (c->health.probe) {
        c->health.timed_out = true;
        launch_kill(c->health.probe);
    } else if (c->node->paused) {
        arm_next(c);
    } else {
        probe(c);
    }
}

void health_start(struct container *c)
{
    c->health = (struct health){0};
    if (rules_of(c)->test.count > 0) {
        c->health.status = HEALTH_STARTING;
        arm_next(c);
    }
}

void health_stop(struct container *c)
{
    timer_disarm(c->node->m, &c->health.timer);
    c->health.probe = NULL;
    c->health.status = HEALTH_NONE;
}
