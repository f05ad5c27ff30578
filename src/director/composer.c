/* The composer's states. Every step is taken in a timer: what ends commands, brings containers up
 * or resumes them only asks for the next step. */
#include "director/composer.h"

#include "base/str.h"
#include "director/branch.h"
#include "director/composer_priv.h"
#include "director/container.h"
#include "director/decide.h"
#include "director/faults.h"
#include "director/report.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/node.h"

#define COPIES_MAX          4u
#define WITHOUT_DURATION_NS (60 * NSEC_PER_SEC) /* what the driving time is a part of, then */
#define BUDGET_AGAIN_NS     NSEC_PER_SEC

static void step(struct machine *m, struct timer *t);

static void step_soon(struct machine *m)
{
    timer_arm(m, &m->composer->step, machine_now(m), TIMER_NO_NODE, step);
}

void composer_poke(struct machine *m)
{
    if (m->composer && m->composer->phase != PHASE_NONE) {
        step_soon(m);
    }
}

static uint32_t running(const struct composer *c, enum command_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->template->count; i++) {
        n += c->template->commands[i].kind == kind ? c->template->commands[i].alive : 0;
    }
    return n;
}

/* Some container that holds a command of that kind is up or may still come up. */
static bool can_come(const struct composer *c, enum command_kind kind)
{
    for (uint32_t i = 0; i < c->template->count; i++) {
        const struct command *cmd = &c->template->commands[i];
        if (cmd->kind == kind && cmd->node->container->state != CONTAINER_EXITED) {
            return true;
        }
    }
    return false;
}

void composer_command_ended(struct machine *m, const struct command *cmd, bool was_natural)
{
    struct composer *c = m->composer;
    c->has_unnatural_end |= !was_natural;
    if (c->phase == PHASE_LAST) {
        c->phase = PHASE_OVER;
        if (!branch_is_open(m)) {
            machine_end(m, END_COMPOSER, "%s/%s has ended", c->template->name, cmd->name);
        }
    }
    step_soon(m);
}

/* --- driving ---------------------------------------------------------------------------------- */

static bool wants_driver(const struct composer *c)
{
    switch (c->mode) {
    case COMMAND_PARALLEL:
        return running(c, COMMAND_PARALLEL) < c->copies_max;
    case COMMAND_SERIAL:
        return running(c, COMMAND_SERIAL) == 0;
    case COMMAND_SINGLETON:
        return !c->has_driver_started;
    default:
        return false;
    }
}

static void driver_due(struct machine *m, struct timer *t)
{
    struct composer *c = m->composer;
    if (c->phase != PHASE_DRIVE || !wants_driver(c)) {
        return;
    }
    struct command *cmd = composer_pick(m, c->mode, false, "driver");
    if (cmd) {
        c->has_driver_started = true;
        composer_start(m, cmd);
        step_soon(m);
    } /* else a container that comes up asks for a step */
}

static void anytime_due(struct machine *m, struct timer *t)
{
    struct composer *c = m->composer;
    if (c->phase != PHASE_DRIVE) {
        return;
    }
    struct command *cmd = composer_pick(m, COMMAND_ANYTIME, true, "anytime command");
    if (cmd) {
        c->has_driver_started |= c->mode == COMMAND_ANYTIME; /* what else could drive? */
        composer_start(m, cmd);
    }
    uint64_t gap = decide_gap(m, STREAM_COMPOSER, c->anytime_mean_ns, "next anytime command");
    timer_arm(m, &c->anytime, machine_now(m) + gap, TIMER_NO_NODE, anytime_due);
}

static bool has_last(const struct composer *c)
{
    return c->template->kinds[COMMAND_EVENTUALLY] || c->template->kinds[COMMAND_FINALLY];
}

static bool eventually_is_possible(const struct composer *c)
{
    return c->template->kinds[COMMAND_EVENTUALLY] && c->has_driver_started;
}

static bool finally_is_possible(const struct composer *c)
{
    return c->template->kinds[COMMAND_FINALLY] && c->has_driver_started && !c->has_unnatural_end;
}

static void clear_for(struct machine *m, enum command_kind last)
{
    struct composer *c = m->composer;
    c->phase = PHASE_CLEAR;
    c->last = last;
    faults_allow(m, false);
    if (last == COMMAND_EVENTUALLY) {
        composer_kill_all(m);
    }
    step_soon(m);
}

static vtime time_left(const struct machine *m)
{
    return m->ends_at ? m->ends_at - min_u64(m->ends_at, machine_now(m)) : WITHOUT_DURATION_NS;
}

static void budget_over(struct machine *m, struct timer *t);

static void arm_budget(struct machine *m, uint64_t delay)
{
    timer_arm(m, &m->composer->budget, machine_now(m) + delay, TIMER_NO_NODE, budget_over);
}

/* The time for driving is over. A choice that turns out impossible leaves the other one. */
static void end_driving(struct machine *m)
{
    struct composer *c = m->composer;
    bool eventually = eventually_is_possible(c), finally = finally_is_possible(c);
    timer_disarm(m, &c->budget);
    if (eventually && finally) {
        finally = decide_below(m, STREAM_COMPOSER, 2, "eventually_ or finally_") == 1;
    }
    if (finally) {
        c->phase = PHASE_DRAIN;
        if (c->template->kinds[COMMAND_EVENTUALLY]) {
            arm_budget(m, time_left(m) / 2);
        }
        step_soon(m);
    } else if (eventually) {
        clear_for(m, COMMAND_EVENTUALLY);
    } else if (!c->has_driver_started) {
        arm_budget(m, BUDGET_AGAIN_NS); /* nothing could start so far */
    }
}

static void budget_over(struct machine *m, struct timer *t)
{
    struct composer *c = m->composer;
    if (c->phase == PHASE_DRIVE) {
        end_driving(m);
    } else if (c->phase == PHASE_DRAIN && eventually_is_possible(c)) {
        clear_for(m, COMMAND_EVENTUALLY); /* something does not end by itself */
    }
}

/* --- choices ---------------------------------------------------------------------------------- */

static bool is_eligible(struct machine *m, const struct template *t)
{
    const char *only = m->plan->template_only ? PLAN_STR(m->plan, m->plan->template_only) : "";
    if (*only && !str_eq(t->name, only)) {
        return false;
    }
    if (t->kinds[COMMAND_PARALLEL] || t->kinds[COMMAND_SERIAL] || t->kinds[COMMAND_SINGLETON] ||
        t->kinds[COMMAND_ANYTIME]) {
        return true;
    }
    report_message(m, NULL, "test template '%s' has no driver and no anytime_ command", t->name);
    return false;
}

static struct template *choose_template(struct machine *m)
{
    struct composer *c = m->composer;
    uint32_t *eligible = kalloc(m, (c->template_count + 1) * sizeof *eligible);
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->template_count; i++) {
        if (is_eligible(m, &c->templates[i])) {
            eligible[count++] = i;
        }
    }
    struct template *chosen = NULL;
    if (count > 0) {
        chosen = &c->templates[eligible[decide_below(m, STREAM_COMPOSER, count, "test template")]];
        report_message(m, NULL, "test template '%s' is chosen", chosen->name);
    }
    kfree(m, eligible);
    return chosen;
}

static enum command_kind choose_mode(struct machine *m)
{
    static const enum command_kind modes[] = {COMMAND_PARALLEL, COMMAND_SERIAL, COMMAND_SINGLETON};
    enum command_kind present[ARRAY_LEN(modes)];
    uint32_t count = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (m->composer->template->kinds[modes[i]]) {
            present[count++] = modes[i];
        }
    }
    return count ? present[decide_below(m, STREAM_COMPOSER, count, "driver mode")]
                 : COMMAND_ANYTIME;
}

/* Some commands are left out, others are frequent: what a system does under one mix it may not do
 * under another (swarm testing). Never all of them. */
static void draw_weights(struct machine *m, enum command_kind kind)
{
    static const uint32_t weights[] = {0, 1, 2, 4};
    struct template *t = m->composer->template;
    uint32_t total = 0;
    for (uint32_t i = 0; i < t->count && t->kinds[kind] > 1; i++) {
        if (t->commands[i].kind == kind) {
            uint64_t w = decide_below(m, STREAM_COMPOSER, ARRAY_LEN(weights), t->commands[i].name);
            t->commands[i].weight = weights[w];
            total += weights[w];
        }
    }
    for (uint32_t i = 0; i < t->count && total == 0; i++) {
        if (t->commands[i].kind == kind) {
            t->commands[i].weight = 1;
        }
    }
}

static void draw_mix(struct machine *m)
{
    static const uint64_t pauses_ms[] = {20, 200, 1000, 5000};
    static const uint64_t anytimes_ms[] = {500, 2000, 10000};
    struct composer *c = m->composer;
    c->mode = choose_mode(m);
    if (c->mode == COMMAND_PARALLEL) {
        c->copies_max =
            (uint32_t)decide_range(m, STREAM_COMPOSER, 1, COPIES_MAX, "parallel copies");
    }
    uint64_t i = decide_below(m, STREAM_COMPOSER, ARRAY_LEN(pauses_ms), "pause between drivers");
    c->pause_mean_ns = pauses_ms[i] * NSEC_PER_MSEC;
    i = decide_below(m, STREAM_COMPOSER, ARRAY_LEN(anytimes_ms), "pause between anytime_");
    c->anytime_mean_ns = anytimes_ms[i] * NSEC_PER_MSEC;
    if (c->mode == COMMAND_PARALLEL || c->mode == COMMAND_SERIAL) {
        draw_weights(m, c->mode);
    }
    draw_weights(m, COMMAND_ANYTIME);
}

static void begin_driving(struct machine *m)
{
    struct composer *c = m->composer;
    c->phase = PHASE_DRIVE;
    faults_allow(m, true);
    draw_mix(m);
    if (c->template->kinds[COMMAND_ANYTIME]) {
        uint64_t gap = decide_gap(m, STREAM_COMPOSER, c->anytime_mean_ns, "next anytime command");
        timer_arm(m, &c->anytime, machine_now(m) + gap, TIMER_NO_NODE, anytime_due);
    }
    if (has_last(c)) {
        vtime left = time_left(m);
        arm_budget(m, decide_range(m, STREAM_COMPOSER, left / 20, left / 4 * 3, "driving time"));
    }
    step_soon(m);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void step_first(struct machine *m)
{
    struct composer *c = m->composer;
    if (c->is_running_one) {
        if (c->run_count == 0) {
            begin_driving(m);
        }
        return;
    }
    struct command *cmd = composer_pick(m, COMMAND_FIRST, false, "first_ command");
    if (cmd) {
        c->is_running_one = true;
        composer_start(m, cmd);
    } else if (!can_come(c, COMMAND_FIRST)) {
        report_message(m, NULL, "no container is left that could run a first_ command");
        begin_driving(m);
    }
}

static void step_drive(struct machine *m)
{
    struct composer *c = m->composer;
    bool singleton_over =
        c->mode == COMMAND_SINGLETON && c->has_driver_started && running(c, COMMAND_SINGLETON) == 0;
    if (singleton_over && timer_armed(&c->budget)) {
        end_driving(m);
    } else if (wants_driver(c) && !timer_armed(&c->driver)) {
        uint64_t pause = decide_gap(m, STREAM_COMPOSER, c->pause_mean_ns, "next driver");
        timer_arm(m, &c->driver, machine_now(m) + pause, TIMER_NO_NODE, driver_due);
    }
}

static void step_drain(struct machine *m)
{
    struct composer *c = m->composer;
    if (c->has_unnatural_end) {
        timer_disarm(m, &c->budget);
        if (eventually_is_possible(c)) {
            clear_for(m, COMMAND_EVENTUALLY);
        } else {
            c->phase = PHASE_DRIVE; /* no last command any more: on to the end of the duration */
            if (c->template->kinds[COMMAND_ANYTIME] && !timer_armed(&c->anytime)) {
                anytime_due(m, &c->anytime);
            }
            step_soon(m);
        }
    } else if (c->run_count == 0) {
        clear_for(m, COMMAND_FINALLY);
    }
}

static void step_clear(struct machine *m)
{
    struct composer *c = m->composer;
    if (c->run_count > 0 || !containers_settled(m)) {
        return;
    }
    struct command *cmd = composer_pick(m, c->last, false, "last command");
    if (cmd) {
        c->phase = PHASE_LAST;
        composer_start(m, cmd);
    } else if (!can_come(c, c->last)) {
        report_message(m, NULL, "no container is left that could run the last command");
        c->phase = PHASE_OVER;
    }
}

static void step(struct machine *m, struct timer *t)
{
    switch (m->composer->phase) {
    case PHASE_FIRST:
        step_first(m);
        break;
    case PHASE_DRIVE:
        step_drive(m);
        break;
    case PHASE_DRAIN:
        step_drain(m);
        break;
    case PHASE_CLEAR:
        step_clear(m);
        break;
    case PHASE_NONE:
    case PHASE_LAST:
    case PHASE_OVER:
        break;
    }
}

void composer_begin(struct machine *m)
{
    if (!m->plan->compose_test) {
        return;
    }
    struct composer *c = m->composer = KALLOC(m, struct composer);
    list_init(&c->runs);
    composer_find(m, c);
    c->template = choose_template(m);
    if (!c->template) {
        if (m->plan->template_only && *PLAN_STR(m->plan, m->plan->template_only)) {
            machine_end(m, END_SETUP_FAILED, "no running container has the test template '%s'",
                        PLAN_STR(m->plan, m->plan->template_only));
        }
        return;
    }
    if (c->template->kinds[COMMAND_FIRST]) {
        c->phase = PHASE_FIRST;
        faults_allow(m, false);
        step_soon(m);
    } else {
        begin_driving(m);
    }
}
