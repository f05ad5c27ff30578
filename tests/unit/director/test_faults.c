/* The fault injector: form of the records, exclusions, when faults are off, how links add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "director/faults.h"
#include "director/hooks.h"
#include "director_fixture.h"
#include "kernel/net/net.h"

#define SEEDS 100

static struct world *world_of_faults(uint32_t nodes, uint64_t seed)
{
    struct world *w = world_create(nodes, seed);
    struct plan *plan = fake_plan(w->fm);
    struct plan_fault f = {3 * SEC, 100 * MS, 4 * SEC};
    plan->faults =
        (struct plan_faults){.enabled = 1, .partition = f, .clog = f, .pause = f, .kill = f};
    for (uint32_t i = 0; i < nodes; i++) {
        world_plan(w, i)->stop_grace_ns = 2 * SEC;
    }
    return w;
}

static void begin(struct world *w)
{
    world_boot(w);
    world_run(w, SEC);
    world_setup_complete(w);
}

static const char *text_of(json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

static unsigned count_faults(const struct world *w, const char *name)
{
    unsigned count = 0;
    for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_FAULT));) {
        json_t *j = world_json(e);
        const char *n = text_of(json_object_get(j, "fault"), "name");
        count += name ? strcmp(n, name) == 0 : *n && strcmp(n, "restore") != 0;
        json_decref(j);
    }
    return count;
}

static bool is_normal(const struct link_policy *p)
{
    return p->mode == LINK_NORMAL && !p->latency_ns && !p->jitter_ns && !p->loss_ppm;
}

static bool links_are_normal(const struct world *w)
{
    unsigned n = w->m->node_count * w->m->node_count;
    for (unsigned i = 0; i < n; i++) {
        if (!is_normal(&w->links[i])) {
            return false;
        }
    }
    return true;
}

/* --- records ---------------------------------------------------------------------------------- */

static void check_partition(json_t *fault, json_t *details)
{
    json_t *parts = json_object_get(details, "partitions");
    size_t members = 0, groups = json_array_size(parts);
    assert_in_range(groups, 2, 3);
    for (size_t i = 0; i < groups; i++) {
        assert_true(json_array_size(json_array_get(parts, i)) > 0);
        members += json_array_size(json_array_get(parts, i));
    }
    json_t *nodes = json_object_get(fault, "affected_nodes");
    const char *first = json_string_value(json_array_get(nodes, 0));
    assert_true(strcmp(first, "ALL") == 0 ? members == 4 : members == json_array_size(nodes));
}

static void check_disruption(json_t *details)
{
    const char *type = text_of(details, "disruption_type");
    json_t *latency = json_object_get(details, "latency");
    assert_true(json_is_boolean(json_object_get(details, "asymmetric")));
    if (strcmp(type, "Slowed") == 0) {
        double drop = json_number_value(json_object_get(details, "drop_rate"));
        assert_true(json_integer_value(json_object_get(latency, "mean")) > 0);
        assert_true(json_is_integer(json_object_get(latency, "deviation")));
        assert_true(drop >= 0 && drop <= 0.2);
    } else {
        assert_true(strcmp(type, "Stopped") == 0 || strcmp(type, "Jammed") == 0);
        assert_null(latency);
    }
}

static void check_record(json_t *fault)
{
    const char *name = text_of(fault, "name"), *type = text_of(fault, "type");
    json_t *details = json_object_get(fault, "details");
    double seconds = json_number_value(json_object_get(fault, "max_duration"));
    assert_true(json_is_number(json_object_get(fault, "max_duration")));
    assert_true(json_is_object(details));
    if (strcmp(name, "restore") == 0) {
        assert_string_equal(type, "network");
        return;
    }
    assert_true(seconds >= 0.1 && seconds <= 4.0);
    if (strcmp(name, "partition") == 0 || strcmp(name, "clog") == 0) {
        assert_string_equal(type, "network");
        check_disruption(details);
    } else {
        assert_string_equal(type, "node");
        assert_int_equal(json_array_size(json_object_get(fault, "affected_nodes")), 1);
        assert_true(strcmp(name, "pause") == 0 || strcmp(name, "kill") == 0 ||
                    strcmp(name, "stop") == 0);
    }
    if (strcmp(name, "partition") == 0) {
        check_partition(fault, details);
    }
}

static void test_records(void **state)
{
    static const char *const names[] = {"partition", "clog", "pause", "kill", "stop", "restore"};
    unsigned counts[ARRAY_LEN(names)] = {0}, calm = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_of_faults(4, seed);
        begin(w);
        world_run(w, 60 * SEC);
        for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_FAULT));) {
            json_t *j = world_json(e), *fault = json_object_get(j, "fault");
            if (fault) {
                check_record(fault);
            }
            json_decref(j);
        }
        for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
            counts[i] += count_faults(w, names[i]);
        }
        calm += count_faults(w, NULL) == 0;
        assert_int_equal(w->m->ending, 0);
        world_destroy(w);
    }
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        assert_true(counts[i] > SEEDS);
    }
    assert_in_range(calm, 1, SEEDS / 4);
}

/* --- exclusions ------------------------------------------------------------------------------- */

static bool mentions(json_t *names, const char *node)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *s = json_string_value(json_array_get(names, i));
        if (s && (strcmp(s, node) == 0 || strcmp(s, "ALL") == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_network(json_t *fault)
{
    return strcmp(text_of(fault, "type"), "network") == 0 &&
           strcmp(text_of(fault, "name"), "restore") != 0;
}

/* n0: no network faults; n1: no node faults. */
static void test_exclusions(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
        struct world *w = world_of_faults(4, seed);
        world_plan(w, 0)->fault_exclude = PLAN_EXCLUDE_NETWORK;
        world_plan(w, 1)->fault_exclude =
            PLAN_EXCLUDE_PAUSE | PLAN_EXCLUDE_KILL | PLAN_EXCLUDE_STOP;
        begin(w);
        for (vtime t = 2 * SEC; t < 40 * SEC; t += 100 * MS) {
            world_run(w, t);
            for (unsigned i = 0; i < 4; i++) {
                assert_true(is_normal(&w->links[i]));
                assert_true(is_normal(&w->links[i * 4]));
            }
        }
        for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_FAULT));) {
            json_t *j = world_json(e), *fault = json_object_get(j, "fault");
            json_t *nodes = json_object_get(fault, "affected_nodes");
            assert_false(is_network(fault) && mentions(nodes, "n0"));
            assert_false(strcmp(text_of(fault, "type"), "node") == 0 && mentions(nodes, "n1"));
            json_decref(j);
        }
        world_destroy(w);
    }
}

/* --- links ------------------------------------------------------------------------------------ */

/* A partition of two nodes: both directions, or only one when it is one-sided. */
static void test_partition_sides(void **state)
{
    unsigned one = 0, both = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_of_faults(2, seed);
        struct plan_faults *f = &fake_plan(w->fm)->faults;
        f->clog.mean_interval_ns = f->pause.mean_interval_ns = f->kill.mean_interval_ns = 0;
        f->partition = (struct plan_fault){100 * SEC, 1000 * SEC, 1000 * SEC};
        begin(w);
        while (count_faults(w, NULL) == 0 && w->m->clock.now < 1000 * SEC) {
            world_run(w, w->m->clock.now + SEC);
        }
        if (count_faults(w, NULL) == 1) {
            bool ab = !is_normal(&w->links[1]), ba = !is_normal(&w->links[2]);
            assert_true(ab || ba);
            both += ab && ba;
            one += ab != ba;
        }
        world_destroy(w);
    }
    assert_true(one > 10 && both > one);
}

static void test_links_restored(void **state)
{
    unsigned disturbed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_of_faults(4, seed);
        begin(w);
        world_run(w, 20 * SEC);
        disturbed += !links_are_normal(w);
        faults_allow(w->m, false);
        assert_true(links_are_normal(w));
        unsigned before = count_faults(w, NULL);
        world_run(w, 60 * SEC);
        assert_true(links_are_normal(w));
        assert_int_equal(count_faults(w, NULL), before);
        for (uint32_t i = 0; i < 4; i++) {
            assert_false(w->nodes[i].paused);
            assert_true(w->node_up[i] && w->nodes[i].init);
        }
        world_destroy(w);
    }
    assert_true(disturbed > SEEDS / 4);
}

/* --- off and on ------------------------------------------------------------------------------- */

static void test_none_before_setup(void **state)
{
    struct world *w = world_of_faults(4, 7);
    world_boot(w);
    world_run(w, 100 * SEC);
    assert_null(world_next(w, NULL, EVENT_FAULT));
    assert_null(world_next(w, NULL, EVENT_COMPOSER));
    world_destroy(w);
}

static unsigned faults_between(const struct world *w, vtime from, vtime to)
{
    unsigned count = 0;
    for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_FAULT));) {
        json_t *j = world_json(e);
        vtime at = world_event(e)->vtime_ns;
        const char *name = text_of(json_object_get(j, "fault"), "name");
        count += at >= from && at < to && *name && strcmp(name, "restore") != 0;
        json_decref(j);
    }
    return count;
}

/* Requests at 10 s for 20 s and at 15 s for 5 s: quiet until 30 s. The second one is inside. */
static void test_quiet_merges(void **state)
{
    unsigned before = 0, after = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = world_of_faults(4, seed);
        begin(w);
        world_run(w, 10 * SEC);
        faults_quiet(w->m, 20 * SEC);
        world_run(w, 10 * SEC);
        assert_true(links_are_normal(w));
        world_run(w, 15 * SEC);
        faults_quiet(w->m, 5 * SEC);
        world_run(w, 25 * SEC);
        for (uint32_t i = 0; i < 4; i++) {
            assert_false(w->nodes[i].paused);
            assert_non_null(w->nodes[i].init);
        }
        world_run(w, 90 * SEC);
        assert_int_equal(faults_between(w, 10 * SEC, 30 * SEC), 0);
        before += faults_between(w, 0, 10 * SEC);
        after += faults_between(w, 30 * SEC, 90 * SEC);
        world_destroy(w);
    }
    assert_true(before > SEEDS && after > 5 * SEEDS);
}

/* Quiet requests before set-up count from their own time; the composer's word stands beside. */
static void test_quiet_before_setup(void **state)
{
    struct world *w = world_of_faults(4, 3);
    world_boot(w);
    world_run(w, SEC);
    faults_quiet(w->m, 30 * SEC);
    world_run(w, 2 * SEC);
    world_setup_complete(w);
    world_run(w, 20 * SEC);
    faults_allow(w->m, false);
    world_run(w, 40 * SEC);
    assert_int_equal(count_faults(w, NULL), 0);
    faults_allow(w->m, true);
    world_run(w, 200 * SEC);
    assert_true(count_faults(w, NULL) > 0);
    world_destroy(w);
}

static void test_disabled(void **state)
{
    struct world *w = world_of_faults(4, 3);
    fake_plan(w->fm)->faults.enabled = 0;
    begin(w);
    faults_quiet(w->m, SEC);
    world_run(w, 100 * SEC);
    assert_null(world_next(w, NULL, EVENT_FAULT));
    world_destroy(w);
}

/* --- killed containers ------------------------------------------------------------------------ */

static struct script stubborn(struct world *w, const struct spawn *s)
{
    return (struct script){.life_ns = VTIME_NEVER, .ignores_term = true};
}

/* Kills and stops only, of a container that ignores its stop signal: it always comes back, its
 * deaths are the injector's, and its restart policy does not interfere. */
static void test_kill_and_return(void **state)
{
    unsigned deaths = 0;
    for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
        struct world *w = world_of_faults(2, seed);
        struct plan_faults *f = &fake_plan(w->fm)->faults;
        f->partition.mean_interval_ns = f->clog.mean_interval_ns = f->pause.mean_interval_ns = 0;
        w->script = stubborn;
        world_plan(w, 0)->restart = PLAN_RESTART_ALWAYS;
        begin(w);
        world_run(w, 100 * SEC);
        faults_allow(w->m, false);
        world_run(w, 101 * SEC);
        for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_CONTAINER));) {
            json_t *j = world_json(e);
            if (strcmp(text_of(j, "event"), "died") == 0) {
                deaths++;
                assert_true(json_is_true(json_object_get(j, "by_injector")));
                assert_string_equal(text_of(j, "container_exit_code"), "137");
            }
            json_decref(j);
        }
        assert_int_equal(world_count(w, "n0", "restart", NULL), 0);
        for (uint32_t i = 0; i < 2; i++) {
            const char *name = w->nodes[i].name;
            assert_non_null(w->nodes[i].init);
            assert_int_equal(world_count(w, name, "start", NULL),
                             world_count(w, name, "died", NULL) + 1);
        }
        world_destroy(w);
    }
    assert_true(deaths > SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_exclusions),
        cmocka_unit_test(test_partition_sides),
        cmocka_unit_test(test_links_restored),
        cmocka_unit_test(test_none_before_setup),
        cmocka_unit_test(test_quiet_merges),
        cmocka_unit_test(test_quiet_before_setup),
        cmocka_unit_test(test_disabled),
        cmocka_unit_test(test_kill_and_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
