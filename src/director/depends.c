/* Who may start, who waits for whom, and when nobody can go on any more. */
#include "base/str.h"
#include "director/container.h"
#include "director/container_priv.h"
#include "director/report.h"
#include "kernel/machine.h"
#include "kernel/node.h"
#include "kernel/task/task.h"

enum verdict {
    DEPENDS_WAIT,
    DEPENDS_MET,
    DEPENDS_NEVER, /* `why` says so */
};

static enum verdict wait_healthy(const struct container *c, char *why, size_t cap)
{
    if (c->node->plan->health.test.count == 0) {
        str_format(why, cap, "container '%s' has no health check", c->node->name);
        return DEPENDS_NEVER;
    }
    if (c->state == CONTAINER_EXITED) {
        str_format(why, cap, "container '%s' exited with code %u", c->node->name, c->exit_code);
        return DEPENDS_NEVER;
    }
    if (c->health.status == HEALTH_UNHEALTHY) {
        str_format(why, cap, "container '%s' is unhealthy", c->node->name);
        return DEPENDS_NEVER;
    }
    return c->health.status == HEALTH_HEALTHY ? DEPENDS_MET : DEPENDS_WAIT;
}

static enum verdict wait_completed(const struct container *c, char *why, size_t cap)
{
    if (c->state != CONTAINER_EXITED) {
        return DEPENDS_WAIT;
    }
    if (c->exit_code == 0 && c->has_started) {
        return DEPENDS_MET;
    }
    str_format(why, cap, "container '%s' exited with code %u", c->node->name, c->exit_code);
    return DEPENDS_NEVER;
}

/* As `docker compose up` judges (Compose specification, depends_on). */
static enum verdict judge(const struct machine *m, const struct plan_depends *d, char *why,
                          size_t cap)
{
    const struct container *c = m->nodes[d->node]->container;
    switch ((enum plan_condition)d->condition) {
    case PLAN_STARTED:
        return c->has_started ? DEPENDS_MET : DEPENDS_WAIT;
    case PLAN_HEALTHY:
        return wait_healthy(c, why, cap);
    case PLAN_COMPLETED:
        return wait_completed(c, why, cap);
    }
    str_format(why, cap, "the plan has an unknown condition for '%s'", c->node->name);
    return DEPENDS_NEVER;
}

static enum verdict judge_all(const struct container *c, char *why, size_t cap)
{
    struct machine *m = c->node->m;
    struct plan_list depends = c->node->plan->depends;
    enum verdict all = DEPENDS_MET;
    for (uint32_t i = 0; i < depends.count; i++) {
        const struct plan_depends *d = PLAN_AT(m->plan, depends, struct plan_depends, i);
        enum verdict v = judge(m, d, why, cap);
        if (v == DEPENDS_NEVER && !d->required) {
            v = DEPENDS_MET;
        }
        if (v == DEPENDS_NEVER) {
            return v;
        }
        if (v == DEPENDS_WAIT) {
            all = v;
        }
    }
    return all;
}

static void cannot_start(struct container *c, const char *why)
{
    struct machine *m = c->node->m;
    c->state = CONTAINER_EXITED;
    if (!m->setup_complete) {
        machine_end(m, END_SETUP_FAILED, "container '%s' cannot start: %s", c->node->name, why);
        return;
    }
    struct report r;
    container_event_open(&r, c, "not_started");
    json_cstr(&r.json, "reason", why);
    container_event_send(&r, c);
}

static void check_all_ended(struct machine *m)
{
    for (uint32_t i = 0; i < m->node_count; i++) {
        if (m->nodes[i]->container->state != CONTAINER_EXITED) {
            return;
        }
    }
    if (m->setup_complete) {
        machine_end(m, END_ALL_EXITED, "every container has ended");
    } else {
        machine_end(m, END_SETUP_FAILED, "every container ended before set-up was complete");
    }
}

void containers_check(struct machine *m)
{
    bool changed;
    char why[256];
    do {
        changed = false;
        for (uint32_t i = 0; i < m->node_count; i++) {
            struct container *c = m->nodes[i]->container;
            if (c->state != CONTAINER_CREATED) {
                continue;
            }
            enum verdict v = judge_all(c, why, sizeof why);
            if (v == DEPENDS_MET) {
                container_start_soon(c);
            } else if (v == DEPENDS_NEVER) {
                cannot_start(c, why);
                changed = true; /* others may have waited for it */
            }
        }
    } while (changed);
    check_all_ended(m);
}

/* Loops without calls, so that nothing of it can come. */
static bool is_spinning(const struct node *n)
{
    for (uint32_t pid = 0; pid < n->pid_cap; pid++) {
        if (n->pids[pid] && n->pids[pid]->spin.slices >= SPIN_SLICES) {
            return true;
        }
    }
    return false;
}

static const char *waiting_for(const struct container *c)
{
    switch (c->state) {
    case CONTAINER_CREATED:
        return "waits for what it depends on";
    case CONTAINER_STARTING:
        return "is about to start";
    case CONTAINER_RESTARTING:
        return "keeps exiting and is restarted";
    case CONTAINER_UP:
        return c->health.status == HEALTH_UNHEALTHY  ? "is unhealthy"
               : c->health.status == HEALTH_STARTING ? "is not healthy yet"
               : is_spinning(c->node)                ? "computes and makes no system calls"
                                                     : NULL;
    case CONTAINER_ENDING:
    case CONTAINER_HELD:
    case CONTAINER_EXITED:
        return NULL;
    }
    return NULL;
}

void containers_describe_waiting(const struct machine *m, char *text, size_t cap)
{
    size_t len = 0;
    for (uint32_t i = 0; i < m->node_count; i++) {
        const struct container *c = m->nodes[i]->container;
        const char *why = waiting_for(c);
        if (why && len < cap) {
            len +=
                str_format(text + len, cap - len, "%s'%s' %s", len ? "; " : "", c->node->name, why);
        }
    }
    if (len == 0) {
        str_format(text, cap, "all containers are up, but none has sent antithesis_setup");
    }
}
