/* From a compose directory to a plan, kept and read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/guestcall.h"
#include "abi/plan.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "compose/compose.h"
#include "image/load.h"
#include "image/store.h"
#include "maker.h"
#include "runner/compose_plan.h"
#include "runner/image_pins.h"
#include "runner/run_inputs.h"

static const char config[] =
    "{\"Entrypoint\":[\"/bin/app\"],"
    "\"Cmd\":[\"--image\"],\"Env\":[\"FROM_IMAGE=1\",\"GONE=1\",\"BOTH=image\"],\"User\":"
    "\"worker\","
    "\"WorkingDir\":\"/srv\",\"Volumes\":{\"/data\":{},\"/cache\":{}},\"StopSignal\":\"SIGINT\","
    "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":7000000000}}";

static const char compose_file[] =
    "services:\n"
    "  a:\n"
    "    image: app:v1\n"
    "    environment: {BOTH: compose, GONE: null, ADDED: x}\n"
    "    depends_on: {b: {condition: service_healthy}}\n"
    "    volumes: ['shared:/data', './conf:/etc/conf:ro', './one.txt:/etc/one.txt']\n"
    "    ulimits: {nofile: 77}\n"
    "    restart: on-failure:3\n"
    "    stop_grace_period: 3s\n"
    "    configs: [greeting]\n"
    "    group_add: [staff, '77']\n"
    "    labels: {com.antithesis.exclude_from_faults: 'network,kill'}\n"
    "  b:\n"
    "    image: app:v1\n"
    "    entrypoint: /bin/other --flag\n"
    "    user: '0'\n"
    "    deploy: {replicas: 2}\n"
    "    healthcheck: {test: [CMD, check], retries: 9}\n"
    "configs: {greeting: {content: hello}}\n"
    "volumes: {shared: {}}\n";

struct fixture {
    char *dir, *compose_dir;
    struct image_store *store;
    struct compose_project *project;
    struct fault_config faults;
    struct compose_plan plan;
    struct compose_plan_request request;
};

static void write_file(const char *dir, const char *name, const char *text)
{
    char *path = maker_path(dir, name);
    maker_write(path, text, strlen(text));
    free(path);
}

static void load_image(struct fixture *f)
{
    struct maker m;
    struct err err = {0};
    struct image_load_result r;
    maker_begin(&m);
    maker_bytes(&m, "bin/app", 0755, "\177ELF", 4);
    maker_file(&m, "etc/passwd", 0644,
               "root:x:0:0::/root:/bin/sh\nworker:x:1000:50::/home/w:/bin/sh\n");
    maker_file(&m, "etc/group", 0644, "root:x:0:\nusers:x:50:\nstaff:x:60:\n");
    struct buf layer = maker_end(&m);
    char *path = maker_path(f->dir, "app.tar");
    maker_docker(&(struct maker_image){.layers = &layer, .layer_count = 1, .config = config}, path);
    assert_int_equal(image_load(f->store, path, NULL, &r, &err), 0);
    image_load_result_fini(&r);
    buf_free(&layer);
    free(path);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    struct err err = {0};
    f->dir = maker_temp();
    f->compose_dir = maker_path(f->dir, "system");
    char *home = maker_path(f->dir, "home"), *conf = maker_path(f->compose_dir, "conf");
    mkdir(f->compose_dir, 0755);
    mkdir(conf, 0755);
    write_file(conf, "settings", "a=1\n");
    write_file(f->compose_dir, "one.txt", "one\n");
    write_file(f->compose_dir, "docker-compose.yaml", compose_file);
    write_file(f->dir, "libvoidstar.so", "library");
    write_file(f->dir, "stop-faults", "program");
    f->store = image_store_open(home, &err);
    assert_non_null(f->store);
    load_image(f);
    assert_int_equal(compose_load(f->compose_dir, NULL, &f->project, &err), 0);
    fault_config_default(&f->faults);
    f->request = (struct compose_plan_request){.project = f->project,
                                               .dir = f->compose_dir,
                                               .store = f->store,
                                               .faults = &f->faults,
                                               .libvoidstar = maker_path(f->dir, "libvoidstar.so"),
                                               .stop_faults = maker_path(f->dir, "stop-faults"),
                                               .length_ns = 60,
                                               .setup_limit_ns = 600};
    free(home);
    free(conf);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    compose_plan_fini(&f->plan);
    fault_config_fini(&f->faults);
    compose_destroy(f->project);
    image_store_close(f->store);
    free((void *)(uintptr_t)f->request.libvoidstar);
    free((void *)(uintptr_t)f->request.stop_faults);
    maker_temp_end(f->dir);
    free(f->compose_dir);
    free(f);
    return 0;
}

static void build(struct fixture *f)
{
    struct err err = {0};
    if (compose_plan_build(&f->plan, &f->request, &err)) {
        fail_msg("%s", err.msg);
    }
}

static const struct plan *plan_of(struct fixture *f)
{
    return plan_head(&f->plan.builder);
}

static const struct plan_node *node(struct fixture *f, uint32_t i)
{
    return PLAN_AT(plan_of(f), plan_of(f)->nodes, struct plan_node, i);
}

static const char *str_at(struct fixture *f, struct plan_list list, uint32_t i)
{
    assert_true(i < list.count);
    return PLAN_STR(plan_of(f), *PLAN_AT(plan_of(f), list, plan_str, i));
}

static const char *env_of(struct fixture *f, uint32_t n, const char *name)
{
    size_t len = strlen(name);
    for (uint32_t i = 0; i < node(f, n)->env.count; i++) {
        const char *v = str_at(f, node(f, n)->env, i);
        if (strncmp(v, name, len) == 0 && v[len] == '=') {
            return v + len + 1;
        }
    }
    return NULL;
}

static const struct plan_mount *mount_at(struct fixture *f, uint32_t n, const char *target)
{
    struct plan_list list = node(f, n)->mounts;
    for (uint32_t i = 0; i < list.count; i++) {
        const struct plan_mount *m = PLAN_AT(plan_of(f), list, struct plan_mount, i);
        if (strcmp(PLAN_STR(plan_of(f), m->target), target) == 0) {
            return m;
        }
    }
    fail_msg("no mount at %s", target);
    return NULL;
}

static void what_runs(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_int_equal(plan_of(f)->nodes.count, 3);
    assert_string_equal(PLAN_STR(plan_of(f), node(f, 0)->name), "a");
    assert_string_equal(PLAN_STR(plan_of(f), node(f, 1)->name), "b-1");
    assert_string_equal(str_at(f, node(f, 0)->argv, 0), "/bin/app");
    assert_string_equal(str_at(f, node(f, 0)->argv, 1), "--image");
    assert_int_equal(node(f, 1)->argv.count, 2); /* the entrypoint drops the image's command */
    assert_string_equal(str_at(f, node(f, 1)->argv, 1), "--flag");
    assert_string_equal(PLAN_STR(plan_of(f), node(f, 0)->cwd), "/srv");
}

static void environment(void **state)
{
    struct fixture *f = *state;
    build(f);
    assert_string_equal(env_of(f, 0, "BOTH"), "compose");
    assert_string_equal(env_of(f, 0, "FROM_IMAGE"), "1");
    assert_string_equal(env_of(f, 0, "ADDED"), "x");
    assert_null(env_of(f, 0, "GONE"));
    assert_string_equal(env_of(f, 1, "GONE"), "1");
    assert_string_equal(env_of(f, 0, "HOME"), "/home/w");
    assert_string_equal(env_of(f, 1, "HOME"), "/root");
    assert_string_equal(env_of(f, 0, "ANTITHESIS_OUTPUT_DIR"), GUEST_OUTPUT_DIR);
    assert_string_equal(env_of(f, 0, "ANTITHESIS_STOP_FAULTS"), GUEST_STOP_FAULTS);
    assert_null(env_of(f, 0, "PYTHONHASHSEED"));
}

static void users_and_limits(void **state)
{
    struct fixture *f = *state;
    build(f);
    const struct plan_node *a = node(f, 0);
    assert_int_equal(a->uid, 1000);
    assert_int_equal(a->gid, 50);
    const uint32_t *groups = PLAN_AT(plan_of(f), a->groups, uint32_t, 0);
    assert_int_equal(groups[a->groups.count - 2], 60);
    assert_int_equal(groups[a->groups.count - 1], 77);
    assert_int_equal(node(f, 1)->uid, 0);
    assert_int_equal(PLAN_AT(plan_of(f), a->rlimits, struct plan_rlimit, 0)->soft, 77);
    assert_int_equal(a->restart, PLAN_RESTART_ON_FAILURE);
    assert_int_equal(a->restart_max, 3);
    assert_int_equal(a->stop_signal, 2);
    assert_int_equal(a->stop_grace_ns, 3000000000);
    assert_true(a->fault_exclude & PLAN_EXCLUDE_NETWORK);
    assert_true(a->fault_exclude & PLAN_EXCLUDE_KILL);
    assert_false(a->fault_exclude & PLAN_EXCLUDE_PAUSE);
}

static void health_and_order(void **state)
{
    struct fixture *f = *state;
    build(f);
    const struct plan_node *a = node(f, 0), *b = node(f, 1);
    assert_string_equal(str_at(f, a->health.test, 0), "/bin/sh"); /* the image's */
    assert_int_equal(a->health.interval_ns, 7000000000);
    assert_string_equal(str_at(f, b->health.test, 0), "check");
    assert_int_equal(b->health.retries, 9);
    assert_int_equal(b->health.interval_ns, 7000000000); /* not given: the image's beats defaults */
    assert_int_equal(b->health.timeout_ns, 30000000000);
    assert_int_equal(a->depends.count, 2); /* each replica */
    assert_int_equal(PLAN_AT(plan_of(f), a->depends, struct plan_depends, 1)->node, 2);
    assert_int_equal(PLAN_AT(plan_of(f), a->depends, struct plan_depends, 0)->condition,
                     PLAN_HEALTHY);
}

static void mounts(void **state)
{
    struct fixture *f = *state;
    build(f);
    const struct plan *p = plan_of(f);
    assert_int_equal(mount_at(f, 0, "/data")->kind, PLAN_MOUNT_VOLUME);
    assert_int_equal(mount_at(f, 0, "/data")->source, 0);
    assert_int_equal(mount_at(f, 0, "/cache")->kind, PLAN_MOUNT_VOLUME); /* the image's VOLUME */
    assert_int_not_equal(mount_at(f, 0, "/cache")->source, mount_at(f, 1, "/cache")->source);
    assert_true(mount_at(f, 0, "/etc/conf")->read_only);
    assert_string_equal(PLAN_STR(p, mount_at(f, 0, "/etc/one.txt")->subpath), "/one.txt");
    assert_int_equal(mount_at(f, 0, "/greeting")->kind, PLAN_MOUNT_PACK);
    assert_int_equal(mount_at(f, 2, GUEST_OUTPUT_DIR)->kind, PLAN_MOUNT_SDK);
    assert_string_equal(PLAN_STR(p, mount_at(f, 1, GUEST_LIBVOIDSTAR)->subpath), GUEST_LIBVOIDSTAR);
    struct plan_list list = node(f, 0)->mounts;
    for (uint32_t i = 1; i < list.count; i++) { /* parents before children */
        const struct plan_mount *m = PLAN_AT(p, list, struct plan_mount, i);
        assert_true(strcmp(PLAN_STR(p, m[-1].target), PLAN_STR(p, m->target)) <= 0);
    }
}

/* Equal inputs give equal plans; what was kept reads back as the same plan with the same files. */
static void round_trip(void **state)
{
    struct fixture *f = *state;
    struct compose_plan again, back;
    struct run_identity one, two;
    struct run_inputs inputs = {0};
    struct err err = {0};
    char engine[DIGEST_HEX];
    build(f);
    assert_int_equal(compose_plan_build(&again, &f->request, &err), 0);
    assert_int_equal(f->plan.builder.bytes.len, again.builder.bytes.len);
    assert_memory_equal(f->plan.builder.bytes.data, again.builder.bytes.data,
                        again.builder.bytes.len);
    assert_int_equal(run_identity_of(&f->plan, f->request.stop_faults, &one, &err), 0);
    assert_int_equal(run_inputs_collect(&f->plan, &one, &inputs, &err), 0);
    for (size_t i = 0; i < inputs.count; i++) {
        char *path = maker_path(f->dir, inputs.items[i].name);
        maker_write(path, inputs.items[i].data.data, inputs.items[i].data.len);
        free(path);
    }
    if (run_inputs_load(f->dir, f->store, &back, engine, &err)) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(run_identity_of(&back, f->request.stop_faults, &two, &err), 0);
    assert_memory_equal(one.sum, two.sum, sizeof one.sum);
    assert_string_equal(engine, one.engine);
    assert_int_equal(back.builder.fd_count, f->plan.builder.fd_count);
    run_inputs_fini(&inputs);
    compose_plan_fini(&again);
    compose_plan_fini(&back);
}

/* Another fault setting is another identity: its moments must not be taken for ours. */
static void identity(void **state)
{
    struct fixture *f = *state;
    struct compose_plan other;
    struct run_identity one, two;
    struct err err = {0};
    build(f);
    f->faults.faults.kill.mean_interval_ns++;
    assert_int_equal(compose_plan_build(&other, &f->request, &err), 0);
    assert_int_equal(run_identity_of(&f->plan, f->request.stop_faults, &one, &err), 0);
    assert_int_equal(run_identity_of(&other, f->request.stop_faults, &two, &err), 0);
    assert_memory_not_equal(one.sum, two.sum, sizeof one.sum);
    compose_plan_fini(&other);
}

static void bind_outside(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char *path = maker_path(f->compose_dir, "one.txt");
    unlink(path);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(compose_plan_build(&f->plan, &f->request, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, "leads out of the compose directory"));
    err_clear(&err);
    free(path);
}

static void read_faults(struct fixture *f, const char *text, int expected)
{
    struct err err = {0};
    char *path = maker_path(f->dir, "faults.yaml");
    maker_write(path, text, strlen(text));
    fault_config_fini(&f->faults);
    assert_int_equal(fault_config_read(&f->faults, path, &err), expected);
    err_clear(&err);
    free(path);
}

static void exclusions(void **state)
{
    struct fixture *f = *state;
    struct buf json = {0};
    read_faults(f, "exclude: {pause: ['b*'], all: nobody}\n", 0);
    fault_config_json(&f->faults, &json);
    assert_non_null(strstr(json.data, ",\"exclude\":{\"pause\":[\"b*\"],\"all\":[\"nobody\"]}}"));
    buf_free(&json);
    build(f);
    assert_int_equal(node(f, 0)->fault_exclude, PLAN_EXCLUDE_NETWORK | PLAN_EXCLUDE_KILL);
    assert_int_equal(node(f, 1)->fault_exclude, PLAN_EXCLUDE_PAUSE);
    assert_int_equal(node(f, 2)->fault_exclude, PLAN_EXCLUDE_PAUSE);
    read_faults(f, "exclude: {weather: b}\n", -1);
    read_faults(f, "exclude: {pause: [{}]}\n", -1);
    read_faults(f, "exclude: b\n", -1);
}

/* A pinned reference is not looked up by name: another image may have that name by now. */
static void pins(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct image_pins p = {0};
    char *path = maker_path(f->dir, "pins");
    maker_write(path, "app:v1 sha256:12\n", 17);
    assert_int_equal(image_pins_read(&p, path, &err), -1);
    assert_non_null(strstr(err.msg, "pins:1: expected"));
    err_clear(&err);
    struct buf text = {0};
    buf_printf(&text, "# chosen\napp:v1 sha256:%064d\n", 0);
    maker_write(path, text.data, text.len);
    assert_int_equal(image_pins_read(&p, path, &err), 0);
    f->request.pins = &p;
    assert_int_equal(compose_plan_build(&f->plan, &f->request, &err), -1);
    assert_non_null(strstr(err.msg, "app:v1"));
    err_clear(&err);
    image_pins_fini(&p);
    buf_free(&text);
    free(path);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_runs),  TEST(environment), TEST(users_and_limits), TEST(health_and_order),
        TEST(mounts),     TEST(round_trip),  TEST(identity),         TEST(bind_outside),
        TEST(exclusions), TEST(pins),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
