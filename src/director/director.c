#include "director/director.h"

#include "director/branch.h"
#include "director/composer.h"
#include "director/container.h"
#include "director/exec.h"
#include "director/faults.h"
#include "director/hooks.h"
#include "director/report.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"

/* What the parts share: timers of the universe as a whole. */
struct director {
    struct timer setup_limit;
    struct timer begin; /* set-up is complete */
    struct timer check; /* containers_check_soon */
    struct branch branch;
};

struct branch *director_branch(struct machine *m)
{
    return &m->director->branch;
}

static void setup_too_long(struct machine *m, struct timer *t)
{
    char text[800];
    containers_describe_waiting(m, text, sizeof text);
    machine_end(m, END_SETUP_TIMEOUT, "set-up was not complete after %lu s: %s",
                (unsigned long)(m->plan->setup_limit_ns / NSEC_PER_SEC), text);
}

/* The root moment: from here on the duration counts, commands run and faults strike. */
static void begin(struct machine *m, struct timer *t)
{
    struct report r;
    report_open(&r, m);
    json_cstr(&r.json, "env_setup", "complete");
    json_open(&r.json, "source", '{');
    json_cstr(&r.json, "name", "env_root");
    json_close(&r.json, '}');
    report_send(&r, EVENT_COMPOSER, NULL, 0);
    if (m->plan->duration_ns) {
        m->ends_at = machine_now(m) + m->plan->duration_ns;
    }
    containers_check(m);
    faults_begin(m);
    composer_begin(m);
}

/* Comes from inside a system call; everything else waits for the next scheduling point. */
void director_setup_completed(struct machine *m)
{
    struct director *d = m->director;
    if (d) {
        timer_disarm(m, &d->setup_limit);
        timer_arm(m, &d->begin, machine_now(m), TIMER_NO_NODE, begin);
    }
}

static void check(struct machine *m, struct timer *t)
{
    containers_check(m);
}

void containers_check_soon(struct machine *m)
{
    timer_arm(m, &m->director->check, machine_now(m), TIMER_NO_NODE, check);
}

void director_boot(struct machine *m)
{
    if (m->plan->is_exec) {
        exec_boot(m);
        return;
    }
    m->director = KALLOC(m, struct director);
    if (m->plan->setup_limit_ns) {
        timer_arm(m, &m->director->setup_limit, machine_now(m) + m->plan->setup_limit_ns,
                  TIMER_NO_NODE, setup_too_long);
    }
    branch_boot(m);
    faults_boot(m);
    containers_boot(m);
}
