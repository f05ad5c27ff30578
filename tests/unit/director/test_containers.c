/* Containers: order of start, health checks, restart policies, set-up failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "director_fixture.h"

#define EXIT(code) ((code) << 8)

static struct script forever(void)
{
    return (struct script){.life_ns = VTIME_NEVER};
}

/* --- order ------------------------------------------------------------------------------------ */

static void test_depends_started(void **state)
{
    struct world *w = world_create(2, 1);
    vtime first, second;
    world_depends(w, 0, 1, PLAN_STARTED, true);
    world_boot(w);
    world_run(w, SEC);
    assert_int_equal(world_count(w, "n1", "start", &first), 1);
    assert_int_equal(world_count(w, "n0", "start", &second), 1);
    assert_int_equal(world_count(w, "n0", "create", NULL), 1);
    assert_true(first < second);
    world_destroy(w);
}

/* n1 is a job of five seconds that ends with `data`. */
static struct script job(struct world *w, const struct spawn *s)
{
    return s->node->index == 1
               ? (struct script){.life_ns = 5 * SEC, .status = *(const int *)w->data}
               : forever();
}

static void test_depends_completed(void **state)
{
    int status = 0;
    struct world *w = world_create(2, 1);
    vtime start, died;
    w->script = job;
    w->data = &status;
    world_depends(w, 0, 1, PLAN_COMPLETED, true);
    world_boot(w);
    world_run(w, 10 * SEC);
    assert_int_equal(world_count(w, "n1", "died", &died), 1);
    assert_int_equal(world_count(w, "n0", "start", &start), 1);
    assert_true(start > died);
    assert_int_equal(w->m->ending, 0);
    world_destroy(w);
}

static void test_job_fails(void **state)
{
    int status = EXIT(3);
    struct world *w = world_create(2, 1);
    w->script = job;
    w->data = &status;
    world_depends(w, 0, 1, PLAN_COMPLETED, true);
    world_boot(w);
    world_run(w, 10 * SEC);
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_non_null(strstr(w->m->end_text, "'n1' exited with code 3"));
    assert_int_equal(world_count(w, "n0", "start", NULL), 0);
    world_destroy(w);
}

/* After set-up a dead container is an event, not the end; one that waited for it never starts. */
static void test_job_fails_after_setup(void **state)
{
    int status = EXIT(3);
    struct world *w = world_create(3, 1);
    w->script = job;
    w->data = &status;
    world_depends(w, 0, 1, PLAN_COMPLETED, true);
    world_boot(w);
    world_run(w, SEC);
    world_setup_complete(w);
    world_run(w, 10 * SEC);
    assert_int_equal(w->m->ending, 0);
    assert_int_equal(world_count(w, "n0", "not_started", NULL), 1);
    assert_int_equal(world_count(w, "n1", "died", NULL), 1);
    world_destroy(w);
}

static void test_optional_dependency(void **state)
{
    struct world *w = world_create(2, 1);
    world_depends(w, 0, 1, PLAN_HEALTHY, false); /* n1 has no health check at all */
    world_boot(w);
    world_run(w, SEC);
    assert_int_equal(world_count(w, "n0", "start", NULL), 1);
    world_destroy(w);
}

static void test_no_health_check_to_wait_for(void **state)
{
    struct world *w = world_create(2, 1);
    world_depends(w, 0, 1, PLAN_HEALTHY, true);
    world_boot(w);
    world_run(w, SEC);
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_non_null(strstr(w->m->end_text, "'n1' has no health check"));
    world_destroy(w);
}

static void test_cannot_come_up(void **state)
{
    struct world *w = world_create(1, 1);
    w->up_error = -ENOENT;
    world_boot(w);
    world_run(w, SEC);
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_string_equal(w->m->end_text, "container 'n0' cannot start: the volume is gone");
    world_destroy(w);
}

/* --- health ----------------------------------------------------------------------------------- */

struct probes {
    unsigned count;
    vtime at[32];
    uint64_t life_ns;
    int fail_first; /* that many probes fail */
};

static struct script probe(struct world *w, const struct spawn *s)
{
    struct probes *p = w->data;
    if (strcmp(s->argv[0], "probe") != 0) {
        return forever();
    }
    bool fails = (int)p->count < p->fail_first;
    assert_true(p->count < ARRAY_LEN(p->at));
    p->at[p->count++] = w->m->clock.now;
    return (struct script){.life_ns = p->life_ns, .status = fails ? EXIT(1) : 0};
}

static struct world *health_world(struct probes *p)
{
    struct world *w = world_create(2, 1);
    w->script = probe;
    w->data = p;
    world_health(w, 0, "probe");
    world_depends(w, 1, 0, PLAN_HEALTHY, true);
    world_boot(w);
    return w;
}

static void test_health_interval(void **state)
{
    struct probes p = {.life_ns = 100 * MS};
    struct world *w = health_world(&p);
    vtime up, healthy, next;
    world_run(w, 25 * SEC);
    assert_int_equal(world_count(w, "n0", "start", &up), 1);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.at[0], up + 10 * SEC); /* the first probe waits for an interval */
    assert_int_equal(p.at[1], p.at[0] + 100 * MS + 10 * SEC);
    assert_int_equal(world_count(w, "n0", "health_status: healthy", &healthy), 1);
    assert_int_equal(healthy, p.at[0] + 100 * MS);
    assert_int_equal(world_count(w, "n1", "start", &next), 1);
    assert_true(next > healthy);
    world_destroy(w);
}

static void test_health_retries(void **state)
{
    struct probes p = {.life_ns = 0, .fail_first = 2};
    struct world *w = health_world(&p);
    vtime healthy;
    world_run(w, 35 * SEC);
    assert_int_equal(world_count(w, "n0", "health_status: healthy", &healthy), 1);
    assert_int_equal(healthy, p.at[2]);
    assert_int_equal(w->m->ending, 0);
    world_destroy(w);
}

static void test_unhealthy(void **state)
{
    struct probes p = {.life_ns = 0, .fail_first = 30};
    struct world *w = health_world(&p);
    vtime unhealthy;
    world_run(w, 60 * SEC);
    assert_int_equal(p.count, 3);
    assert_int_equal(world_count(w, "n0", "health_status: unhealthy", &unhealthy), 1);
    assert_int_equal(unhealthy, p.at[2]);
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_non_null(strstr(w->m->end_text, "'n1' cannot start: container 'n0' is unhealthy"));
    world_destroy(w);
}

static void test_probe_timeout(void **state)
{
    struct probes p = {.life_ns = VTIME_NEVER};
    struct world *w = health_world(&p);
    world_run(w, 60 * SEC);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.at[1], p.at[0] + 2 * SEC + 10 * SEC);
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    world_destroy(w);
}

static void test_start_period(void **state)
{
    struct probes p = {.life_ns = 0, .fail_first = 7};
    struct world *w = world_create(1, 1);
    vtime up, healthy;
    w->script = probe;
    w->data = &p;
    world_health(w, 0, "probe");
    world_plan(w, 0)->health.start_period_ns = 20 * SEC;
    world_plan(w, 0)->health.start_interval_ns = 4 * SEC;
    world_boot(w);
    world_run(w, 60 * SEC);
    world_count(w, "n0", "start", &up);
    /* 4, 8, 12, 16 s do not count; the probe at 20 s is the first that does. */
    assert_int_equal(p.at[0], up + 4 * SEC);
    assert_int_equal(p.at[4], up + 20 * SEC);
    assert_int_equal(p.at[5], up + 30 * SEC);
    assert_int_equal(world_count(w, "n0", "health_status: unhealthy", NULL), 1);
    assert_int_equal(world_count(w, "n0", "health_status: healthy", &healthy), 1);
    assert_int_equal(healthy, p.at[7]); /* unhealthy at 40 s, well again at 50 s */
    world_destroy(w);
}

/* --- restart ---------------------------------------------------------------------------------- */

static struct script crash(struct world *w, const struct spawn *s)
{
    return (struct script){.life_ns = *(const uint64_t *)w->data, .status = EXIT(7)};
}

static void starts_of(const struct world *w, vtime *at, unsigned max)
{
    unsigned count = 0;
    for (const struct fake_event *e = NULL; (e = world_next(w, e, EVENT_CONTAINER));) {
        json_t *j = world_json(e);
        if (strcmp(json_string_value(json_object_get(j, "event")), "start") == 0) {
            assert_true(count < max);
            at[count++] = world_event(e)->vtime_ns;
        }
        json_decref(j);
    }
}

static void test_backoff(void **state)
{
    uint64_t life = 0;
    vtime at[8] = {0};
    struct world *w = world_create(1, 1);
    w->script = crash;
    w->data = &life;
    world_plan(w, 0)->restart = PLAN_RESTART_ON_FAILURE;
    world_plan(w, 0)->restart_max = 4;
    world_boot(w);
    world_run(w, 60 * SEC);
    starts_of(w, at, 8);
    assert_int_equal(world_count(w, "n0", "restart", NULL), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(at[i + 1] - at[i], (100 * MS) << i);
    }
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_non_null(strstr(w->m->end_text, "'n0' exited with code 7"));
    world_destroy(w);
}

static void test_backoff_limit_and_reset(void **state)
{
    uint64_t life = 0;
    vtime at[64] = {0};
    struct world *w = world_create(1, 1);
    w->script = crash;
    w->data = &life;
    world_plan(w, 0)->restart = PLAN_RESTART_ALWAYS;
    world_boot(w);
    world_run(w, 400 * SEC);
    unsigned count = world_count(w, "n0", "start", NULL);
    starts_of(w, at, 64);
    assert_int_equal(at[count - 1] - at[count - 2], 60 * SEC);
    life = 10 * SEC; /* long enough to be forgiven */
    world_run(w, 600 * SEC);
    count = world_count(w, "n0", "start", NULL);
    starts_of(w, at, 64);
    assert_int_equal(at[count - 1] - at[count - 2], 10 * SEC + 100 * MS);
    assert_int_equal(w->m->ending, 0);
    world_destroy(w);
}

static struct script clean_exit(struct world *w, const struct spawn *s)
{
    return (struct script){.life_ns = SEC};
}

static void test_all_exit(void **state)
{
    struct world *w = world_create(2, 1);
    w->script = clean_exit;
    world_boot(w);
    world_run(w, 60 * SEC);
    assert_int_equal(w->m->ending, END_SETUP_FAILED);
    assert_string_equal(w->m->end_text, "every container ended before set-up was complete");
    world_destroy(w);
    w = world_create(2, 1);
    w->script = clean_exit;
    world_boot(w);
    world_run(w, SEC / 2);
    world_setup_complete(w);
    world_run(w, 60 * SEC);
    assert_int_equal(w->m->ending, END_ALL_EXITED);
    world_destroy(w);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void test_setup_timeout(void **state)
{
    struct probes p = {.life_ns = 0, .fail_first = 30};
    struct world *w = world_create(3, 1);
    w->script = probe;
    w->data = &p;
    fake_plan(w->fm)->setup_limit_ns = 25 * SEC;
    world_health(w, 0, "probe");
    world_depends(w, 1, 0, PLAN_HEALTHY, true);
    world_boot(w);
    world_run(w, 60 * SEC);
    assert_int_equal(w->m->ending, END_SETUP_TIMEOUT);
    assert_int_equal(w->m->clock.now, 25 * SEC);
    assert_string_equal(w->m->end_text, "set-up was not complete after 25 s: 'n0' is not healthy "
                                        "yet; 'n1' waits for what it depends on");
    world_destroy(w);
}

static void test_duration_counts_from_setup(void **state)
{
    struct world *w = world_create(1, 1);
    fake_plan(w->fm)->setup_limit_ns = 60 * SEC;
    fake_plan(w->fm)->duration_ns = 5 * SEC;
    world_boot(w);
    world_run(w, 20 * SEC);
    assert_int_equal(w->m->ending, 0);
    world_setup_complete(w);
    world_run(w, 200 * SEC);
    assert_int_equal(w->m->ending, END_TIME_LIMIT);
    assert_int_equal(w->m->clock.now, 25 * SEC);
    json_t *j = world_json(world_next(w, NULL, EVENT_COMPOSER));
    assert_string_equal(json_string_value(json_object_get(j, "env_setup")), "complete");
    json_decref(j);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depends_started),
        cmocka_unit_test(test_depends_completed),
        cmocka_unit_test(test_job_fails),
        cmocka_unit_test(test_job_fails_after_setup),
        cmocka_unit_test(test_optional_dependency),
        cmocka_unit_test(test_no_health_check_to_wait_for),
        cmocka_unit_test(test_cannot_come_up),
        cmocka_unit_test(test_health_interval),
        cmocka_unit_test(test_health_retries),
        cmocka_unit_test(test_unhealthy),
        cmocka_unit_test(test_probe_timeout),
        cmocka_unit_test(test_start_period),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_backoff_limit_and_reset),
        cmocka_unit_test(test_all_exit),
        cmocka_unit_test(test_setup_timeout),
        cmocka_unit_test(test_duration_counts_from_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
