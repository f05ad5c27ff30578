/* The composer: what holds in every universe, over many seeds; and what it finds and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "director_fixture.h"

#define SEEDS 400
#define ROOT  "/opt/antithesis/test/v1/"

/* --- a monitor that reads the records of a universe in order ---------------------------------- */

enum kind { FIRST, PARALLEL, SERIAL, SINGLETON, ANYTIME, EVENTUALLY, FINALLY, KINDS };

static const char *const prefixes[KINDS] = {"first_",   "parallel_",   "serial_", "singleton_",
                                            "anytime_", "eventually_", "finally_"};

struct monitor {
    uint64_t seed;
    unsigned started[KINDS], running[KINDS], all_running;
    unsigned unnatural, by_fault, by_composer;
    bool net_fault, paused[WORLD_NODES_MAX], down[WORLD_NODES_MAX];
    unsigned strikes;
    bool ended;
};

#define HOLDS(mo, cond)                                                                            \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fail_msg("seed %lu: %s", (unsigned long)(mo)->seed, #cond);                            \
        }                                                                                          \
    } while (0)

static const char *text_of(json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

static enum kind kind_of(json_t *j)
{
    const char *name = strchr(text_of(j, "command"), '/');
    assert_non_null(name);
    for (unsigned k = 0; k < KINDS; k++) {
        if (strncmp(name + 1, prefixes[k], strlen(prefixes[k])) == 0) {
            return k;
        }
    }
    fail_msg("no kind: %s", name);
    return KINDS;
}

static void all_is_well(struct monitor *mo)
{
    HOLDS(mo, !mo->net_fault);
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        HOLDS(mo, !mo->paused[i] && !mo->down[i]);
    }
}

static void see_start(struct monitor *mo, json_t *j, uint16_t node)
{
    enum kind k = kind_of(j);
    unsigned drivers = mo->started[PARALLEL] + mo->started[SERIAL] + mo->started[SINGLETON];
    HOLDS(mo, !mo->paused[node] && !mo->down[node]);
    HOLDS(mo, !mo->ended);
    HOLDS(mo, mo->running[FIRST] + mo->running[EVENTUALLY] + mo->running[FINALLY] == 0);
    HOLDS(mo, mo->started[EVENTUALLY] + mo->started[FINALLY] == 0);
    switch (k) {
    case FIRST:
        HOLDS(mo, mo->started[FIRST] == 0 && drivers + mo->started[ANYTIME] == 0);
        all_is_well(mo);
        break;
    case PARALLEL:
        HOLDS(mo, mo->running[PARALLEL] < 4 && drivers == mo->started[PARALLEL]);
        break;
    case SERIAL:
        HOLDS(mo, mo->running[SERIAL] == 0 && drivers == mo->started[SERIAL]);
        break;
    case SINGLETON:
        HOLDS(mo, drivers == 0);
        break;
    case ANYTIME:
        break;
    case EVENTUALLY:
        HOLDS(mo, drivers > 0 && mo->all_running == 0);
        all_is_well(mo);
        break;
    default:
        HOLDS(mo, drivers > 0 && mo->unnatural == 0 && mo->all_running == 0);
        all_is_well(mo);
    }
    mo->started[k]++;
    mo->running[k]++;
    mo->all_running++;
    HOLDS(mo, (unsigned)atoi(text_of(j, "tasks_len")) == mo->all_running);
}

static void see_finish(struct monitor *mo, json_t *j)
{
    enum kind k = kind_of(j);
    const char *killer = text_of(j, "killed_by");
    HOLDS(mo, mo->running[k] > 0);
    HOLDS(mo, !*killer || json_is_true(json_object_get(j, "by_injector")));
    HOLDS(mo, !*killer || strcmp(text_of(j, "command_return_code"), "137") == 0);
    mo->running[k]--;
    mo->all_running--;
    mo->unnatural += *killer != 0;
    mo->by_fault += strcmp(killer, "fault") == 0;
    mo->by_composer += strcmp(killer, "composer") == 0;
    mo->ended = k == EVENTUALLY || k == FINALLY;
}

static unsigned node_of(json_t *fault)
{
    json_t *nodes = json_object_get(fault, "affected_nodes");
    assert_int_equal(json_array_size(nodes), 1);
    return (unsigned)json_string_value(json_array_get(nodes, 0))[1] - '0';
}

static void see_fault(struct monitor *mo, json_t *record)
{
    json_t *fault = json_object_get(record, "fault");
    json_t *details = json_object_get(json_object_get(record, "info"), "details");
    if (!fault) {
        const char *node = text_of(details, "node");
        if (*node) {
            mo->paused[node[1] - '0'] = false;
        }
        return;
    }
    const char *name = text_of(fault, "name");
    if (strcmp(name, "restore") == 0) {
        mo->net_fault = false;
        return;
    }
    mo->strikes++;
    HOLDS(mo, mo->running[FIRST] + mo->running[EVENTUALLY] + mo->running[FINALLY] == 0);
    HOLDS(mo, !mo->ended);
    if (strcmp(text_of(fault, "type"), "network") == 0) {
        mo->net_fault = true;
        return;
    }
    unsigned n = node_of(fault);
    HOLDS(mo, !mo->paused[n] && !mo->down[n]);
    if (strcmp(name, "pause") == 0) {
        mo->paused[n] = true;
    } else {
        mo->down[n] = true;
    }
}

static void watch(const struct world *w, struct monitor *mo)
{
    for (const struct fake_event *e = w->fm->events; e; e = e->next) {
        const struct event *ev = world_event(e);
        if (ev->type == EVENT_DECISION) {
            continue;
        }
        json_t *j = world_json(e);
        const char *status = text_of(j, "task_status");
        if (ev->type == EVENT_FAULT) {
            see_fault(mo, j);
        } else if (strcmp(text_of(j, "event"), "start") == 0) {
            mo->down[ev->node] = false;
        } else if (strcmp(status, "started") == 0) {
            see_start(mo, j, ev->node);
        } else if (strcmp(status, "finished") == 0) {
            see_finish(mo, j);
        }
        json_decref(j);
    }
}

/* --- universes -------------------------------------------------------------------------------- */

static const struct world_file all_kinds[] = {
    {0, ROOT "t/anytime_a", 0755, 0},
    {0, ROOT "t/eventually_e", 0755, 0},
    {0, ROOT "t/finally_f", 0755, 0},
    {0, ROOT "t/first_1", 0755, 0},
    {0, ROOT "t/helper_lib", 0644, 0},
    {0, ROOT "t/parallel_driver_p", 0755, 0},
    {0, ROOT "t/singleton_driver_x", 0755, 0},
    {1, ROOT "t/finally_f", 0755, 0},
    {1, ROOT "t/first_2", 0755, 0},
    {1, ROOT "t/parallel_driver_p", 0755, 0},
    {1, ROOT "t/parallel_driver_q", 0755, 0},
    {1, ROOT "t/serial_driver_s", 0755, 0},
    {1, ROOT "u/anytime_b", 0755, 0},
    {1, ROOT "u/parallel_driver_r", 0755, 0},
};

/* Commands take up to two seconds; every other container lets its stop signal pass by. */
static struct script act(struct world *w, const struct spawn *s)
{
    if (s->new_pid1) {
        return (struct script){.life_ns = VTIME_NEVER, .ignores_term = s->node->index % 2};
    }
    struct stream *life = w->data;
    return (struct script){.life_ns = stream_below(life, 2 * SEC),
                           .status = stream_below(life, 8) == 0 ? 1 << 8 : 0};
}

static void wild_faults(struct plan *plan, uint64_t mean_ns)
{
    struct plan_fault f = {mean_ns, 100 * MS, 3 * SEC};
    plan->faults =
        (struct plan_faults){.enabled = 1, .partition = f, .clog = f, .pause = f, .kill = f};
}

static struct world *universe(uint64_t seed, struct stream *life, uint64_t fault_mean_ns)
{
    struct world *w = world_create(3, seed);
    struct plan *plan = fake_plan(w->fm);
    w->files = all_kinds;
    w->file_count = ARRAY_LEN(all_kinds);
    w->script = act;
    w->data = life;
    stream_init(life, seed, 100, 0);
    plan->compose_test = 1;
    plan->duration_ns = 60 * SEC;
    wild_faults(plan, fault_mean_ns);
    world_boot(w);
    world_run(w, 2 * SEC);
    world_setup_complete(w);
    world_run(w, 1000 * SEC);
    return w;
}

static void test_properties(void **state)
{
    struct monitor sum = {0};
    unsigned finals = 0, eventuals = 0, untouched = 0, other_template = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct stream life;
        struct monitor mo = {.seed = seed};
        struct world *w = universe(seed, &life, seed % 4 == 0 ? 40 * SEC : 3 * SEC);
        watch(w, &mo);
        HOLDS(&mo, mo.ended == (w->m->ending == END_COMPOSER));
        HOLDS(&mo, w->m->ending == END_COMPOSER || w->m->ending == END_TIME_LIMIT);
        for (unsigned k = 0; k < KINDS; k++) {
            sum.started[k] += mo.started[k];
        }
        sum.by_fault += mo.by_fault;
        sum.by_composer += mo.by_composer;
        finals += mo.started[FINALLY];
        eventuals += mo.started[EVENTUALLY];
        untouched += mo.strikes == 0;
        other_template += mo.started[FIRST] == 0;
        world_destroy(w);
    }
    /* Every state was visited often enough for the above to mean something. */
    for (unsigned k = 0; k < KINDS; k++) {
        assert_true(sum.started[k] > 10);
    }
    assert_true(finals > 20 && eventuals > 50);
    assert_true(sum.by_fault > 50 && sum.by_composer > 50);
    assert_true(untouched > 10 && untouched < SEEDS / 2);
    assert_in_range(other_template, SEEDS / 3, SEEDS * 2 / 3);
}

static void test_same_seed_same_history(void **state)
{
    struct stream life;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *w = universe(seed, &life, 3 * SEC);
        uint64_t first = world_digest(w);
        world_destroy(w);
        w = universe(seed, &life, 3 * SEC);
        assert_int_equal(world_digest(w), first);
        world_destroy(w);
        w = universe(seed + 1000, &life, 3 * SEC);
        assert_int_not_equal(world_digest(w), first);
        world_destroy(w);
    }
}

/* --- discovery -------------------------------------------------------------------------------- */

static unsigned count_messages(const struct world *w, const char *part)
{
    unsigned count = 0;
    for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_COMPOSER));) {
        json_t *j = world_json(e);
        count += strstr(text_of(j, "message"), part) != NULL;
        json_decref(j);
    }
    return count;
}

static unsigned count_found(const struct world *w)
{
    unsigned count = 0;
    for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_COMPOSER));) {
        json_t *j = world_json(e);
        count += *text_of(j, "new_command_path") != 0;
        json_decref(j);
    }
    return count;
}

static struct world *with_files(const struct world_file *files, unsigned count, const char *only)
{
    struct world *w = world_create(2, 5);
    struct plan *plan = fake_plan(w->fm);
    w->files = files;
    w->file_count = count;
    plan->compose_test = 1;
    plan->duration_ns = 10 * SEC;
    plan->template_only = only ? fake_plan_str(w->fm, only) : 0;
    world_plan(w, 0)->uid = 1000;
    world_plan(w, 0)->gid = 1000;
    world_boot(w);
    world_run(w, 2 * SEC);
    world_setup_complete(w);
    world_run(w, 100 * SEC);
    return w;
}

static void test_discovery(void **state)
{
    static const struct world_file files[] = {
        {0, ROOT "README", 0644, 0},
        {0, ROOT "helper_things/x", 0755, 0},
        {0, ROOT "t/anytime_not_mine", 0700, 0},
        {0, ROOT "t/driver_wrong", 0755, 0},
        {0, ROOT "t/helper_lib", 0644, 0},
        {0, ROOT "t/parallel_driver_ok", 0755, 0},
        {0, ROOT "t/parallel_driver_owned", 0500, 1000},
        {0, ROOT "t/sub/parallel_driver_deep", 0755, 0},
        {1, ROOT "empty/eventually_alone", 0755, 0},
    };
    struct world *w = with_files(files, ARRAY_LEN(files), NULL);
    assert_int_equal(count_found(w), 3); /* ok, owned, alone */
    assert_int_equal(count_messages(w, "is left out"), 3);
    assert_int_equal(count_messages(w, "README in container 'n0' is not a directory"), 1);
    assert_int_equal(count_messages(w, "driver_wrong in container 'n0' is not named like"), 1);
    assert_int_equal(count_messages(w, "anytime_not_mine in container 'n0' is not executable"), 1);
    assert_int_equal(count_messages(w, "'empty' has no driver and no anytime_ command"), 1);
    assert_int_equal(count_messages(w, "test template 't' is chosen"), 1);
    assert_int_equal(w->m->ending, END_TIME_LIMIT);
    world_destroy(w);
}

static void test_no_template(void **state)
{
    struct world *w = with_files(NULL, 0, NULL);
    assert_int_equal(w->m->ending, END_TIME_LIMIT);
    assert_int_equal(w->spawns, 2);
    world_destroy(w);
}

static void test_template_only(void **state)
{
    struct world *w = with_files(all_kinds, ARRAY_LEN(all_kinds), "u");
    assert_int_equal(count_messages(w, "test template 'u' is chosen"), 1);
    world_destroy(w);
    w = with_files(all_kinds, ARRAY_LEN(all_kinds), "nowhere");
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_string_equal(w->m->end_text, "no running container has the test template 'nowhere'");
    world_destroy(w);
}

/* The container of a command ends by itself: not killed by anybody, but no natural end either. */
static struct script short_lived(struct world *w, const struct spawn *s)
{
    return (struct script){.life_ns = s->new_pid1 && s->node->index == 0 ? 6 * SEC : VTIME_NEVER};
}

static void test_container_takes_command_along(void **state)
{
    static const struct world_file files[] = {
        {0, ROOT "t/finally_f", 0755, 0},
        {0, ROOT "t/parallel_driver_p", 0755, 0},
        {1, ROOT "t/finally_g", 0755, 0},
    };
    unsigned started = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *w = world_create(2, seed);
        struct monitor mo = {.seed = seed};
        struct plan *plan = fake_plan(w->fm);
        w->files = files;
        w->file_count = ARRAY_LEN(files);
        w->script = short_lived;
        plan->compose_test = 1;
        plan->duration_ns = 100 * SEC;
        world_boot(w);
        world_run(w, 2 * SEC);
        world_setup_complete(w);
        world_run(w, 200 * SEC);
        watch(w, &mo);
        started += mo.started[PARALLEL];
        HOLDS(&mo, mo.by_fault + mo.by_composer == 0);
        HOLDS(&mo, mo.started[FINALLY] == 0);
        HOLDS(&mo, mo.all_running == 0);
        world_destroy(w);
    }
    assert_true(started > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),    cmocka_unit_test(test_same_seed_same_history),
        cmocka_unit_test(test_discovery),     cmocka_unit_test(test_no_template),
        cmocka_unit_test(test_template_only), cmocka_unit_test(test_container_takes_command_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
