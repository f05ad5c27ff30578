/* The run directory: what is committed stays, whatever happens to the writer or the disk. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "event_builder.h"
#include "store/store.h"

static char base[64];
static char run[96];

static int make_dir(void **state)
{
    snprintf(base, sizeof base, "/tmp/everett-store.XXXXXX");
    bool made = mkdtemp(base) != NULL;
    snprintf(run, sizeof run, "%s/runs/r1", base);
    return made ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

static struct store *create(struct err *err)
{
    struct store_run r = {.id = "abc", .name = "etcd", .seed = UINT64_MAX, .workers = 2};
    struct store_node n[] = {{.name = "etcd0", .image = "etcd:v3"}, {.name = "client1"}};
    return store_create(run, &r, n, ARRAY_LEN(n), err);
}

static void fill(struct event_builder *b, uint64_t number, size_t lines)
{
    for (size_t i = 0; i < lines; i++) {
        char line[128];
        snprintf(line, sizeof line, "universe %llu line %zu %llx", (unsigned long long)number, i,
                 (unsigned long long)(i * 0x9e3779b97f4a7c15u));
        build_at(b, i * 1000);
        build_output(b, 0, 1, 1, 0, line);
    }
    build_assert(b, 1, 5, "holds", "always", true, true, number != 2, "{\"n\":1}");
    build_end(b, END_TIME_LIMIT, true, "");
}

static int add(struct store *s, uint64_t number, size_t lines, struct err *err)
{
    struct event_builder b = {0};
    fill(&b, number, lines);
    struct store_universe u = {
        .number = number, .seed = number * 3, .input_hash = -(int64_t)number - 5, .parent = -1};
    struct store_writer *w = store_universe_begin(s, &u, err);
    int rc = -1;
    if (w && store_universe_append(w, b.out.data, b.out.len, err) == 0) {
        rc = store_universe_commit(w, 1000, NULL, NULL, err);
    } else {
        store_universe_abort(w);
    }
    buf_free(&b.out);
    return rc;
}

static int count_events(void *ctx, const struct event *ev)
{
    ++*(uint64_t *)ctx;
    return 0;
}

static void check_run(uint64_t universes)
{
    cleanup_err struct err err = {0};
    struct store *s = store_open(run, &err);
    assert_non_null(s);
    struct store_totals totals;
    assert_int_equal(store_totals(s, &totals, &err), 0);
    assert_int_equal(totals.universes, universes);
    const struct property *p =
        property_find(store_properties(s), &(struct property_key){"holds", PROPERTY_ALWAYS, true});
    assert_non_null(p);
    assert_int_equal(p->universes, universes);
    assert_int_equal(p->bad, universes > 2 ? 1 : 0);
    for (uint64_t i = 0; i < universes; i++) {
        uint64_t events = 0;
        assert_int_equal(store_each_event(s, i, 0, UINT64_MAX, count_events, &events, &err), 0);
        assert_true(events > 2);
    }
    store_close(s);
}

static void test_round_trip(void **state)
{
    cleanup_err struct err err = {0};
    struct store *s = create(&err);
    assert_non_null(s);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(add(s, i, 50, &err), 0);
    }
    struct store_compose_key keys[] = {{"services.a.logging", EFFECT_NONE, "why"},
                                       {"services.a.image", EFFECT_HONOURED, NULL}};
    assert_int_equal(store_add_compose_keys(s, keys, 2, &err), 0);
    assert_int_equal(store_add_input(s, ".env", "A=1", 3, &err), 0);
    assert_int_equal(store_add_input(s, "../x", "A=1", 3, &err), -1);
    assert_int_equal(store_set_status(s, RUN_COMPLETED, NULL, 60, &err), 0);
    struct store_universe u;
    assert_int_equal(store_universe_by_hash(s, -7, &u, &err), 1);
    assert_int_equal(u.number, 2);
    assert_true(u.setup_complete);
    assert_int_equal(u.digest[0], 0x1122334455667788u);
    store_universe_free(&u);
    store_close(s);
    check_run(4);
    s = store_open(run, &err);
    struct store_run r;
    assert_int_equal(store_run(s, &r, &err), 0);
    assert_int_equal(r.seed, UINT64_MAX);
    assert_int_equal(r.status, RUN_COMPLETED);
    assert_string_equal(store_node_name(s, 1), "client1");
    assert_string_equal(store_node_name(s, EVENT_NO_NODE), "");
    store_run_free(&r);
    store_close(s);
}

static void test_second_writer_is_refused(void **state)
{
    cleanup_err struct err err = {0};
    struct store *s = create(&err);
    assert_null(create(&err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.msg, "in use by another everett"));
    assert_null(store_resume(run, &err));
    store_close(s);
    assert_null(create(&err));
    assert_non_null(strstr(err.msg, "already holds a run"));
    assert_null(store_open(base, &err));
    assert_non_null(strstr(err.msg, "holds no run"));
    s = store_resume(run, &err);
    assert_non_null(s);
    store_close(s);
}

/* Writes universes until killed; tells the parent of each commit through the pipe. */
static void write_forever(int fd)
{
    struct err err = {0};
    struct store *s = create(&err);
    for (uint64_t i = 0; s && add(s, i, 400, &err) == 0; i++) {
        if (write(fd, "x", 1) != 1) {
            break;
        }
    }
    _exit(1);
}

static void test_kill_keeps_what_finished(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        write_forever(fds[1]);
    }
    close(fds[1]);
    uint64_t told = 0;
    char c;
    while (told < 7 && read(fds[0], &c, 1) == 1) {
        told++;
    }
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    while (read(fds[0], &c, 1) == 1) {
        told++;
    }
    close(fds[0]);
    assert_true(WIFSIGNALED(status));
    cleanup_err struct err err = {0};
    struct store *s = store_resume(run, &err); /* the lock went with the process */
    assert_non_null(s);
    struct store_totals totals;
    assert_int_equal(store_totals(s, &totals, &err), 0);
    assert_in_range(totals.universes, told, told + 1);
    assert_int_equal(add(s, totals.universes, 10, &err), 0);
    store_close(s);
    check_run(totals.universes + 1);
}

/* A full disk, modelled by the file size limit: an error that names it, and nothing lost. */
static void fill_up(void)
{
    struct err err = {0};
    struct store *s = create(&err);
    if (!s || add(s, 0, 20, &err) || add(s, 1, 20, &err)) {
        _exit(10);
    }
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    if (add(s, 2, 5000, &err) == 0 || !err.hint || !strstr(err.hint, "is kept")) {
        _exit(11);
    }
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    err_clear(&err);
    if (add(s, 2, 5000, &err) || store_properties(s)->prop_count == 0) {
        _exit(12);
    }
    store_close(s);
    err_clear(&err);
    _exit(0);
}

static void test_full_disk(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        fill_up();
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    check_run(3);
}

/* The database is what runs full: the file limit lies between the log's size and the WAL's. */
static void fill_up_db(void)
{
    struct err err = {0};
    struct store *s = create(&err);
    uint64_t n = 0;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {200 << 10, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    while (n < 100 && add(s, n, 3, &err) == 0) {
        n++;
    }
    if (n < 3 || n == 100 || !strstr(err.msg, "was not stored")) {
        _exit(11);
    }
    const struct property *p =
        property_find(store_properties(s), &(struct property_key){"holds", PROPERTY_ALWAYS, true});
    if (p->universes != n) {
        _exit(12); /* memory ran ahead of the disk */
    }
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    err_clear(&err);
    if (add(s, n, 3, &err)) {
        _exit(13);
    }
    store_close(s);
    _exit((int)n + 20);
}

static void test_full_database(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        fill_up_db();
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) > 20);
    check_run((uint64_t)WEXITSTATUS(status) - 20 + 1);
}

struct seen {
    uint64_t next;
};

static int in_order(void *ctx, const struct event *ev)
{
    struct seen *seen = ctx;
    assert_int_equal(ev->seq, seen->next++);
    return 0;
}

static void test_branch_continues_its_parent(void **state)
{
    cleanup_err struct err err = {0};
    struct store *s = create(&err);
    assert_int_equal(add(s, 0, 100, &err), 0);
    struct event_builder b = {.seq = 41, .vtime_ns = 40500};
    build_output(&b, 0, 1, 1, 0, "another history");
    build_end(&b, END_TIME_LIMIT, true, "");
    struct store_universe u = {
        .number = 1, .input_hash = 99, .parent = 0, .branch_vtime_ns = 40500};
    struct store_writer *w = store_universe_begin(s, &u, &err);
    assert_int_equal(store_universe_append(w, b.out.data, b.out.len, &err), 0);
    struct property_set found;
    assert_int_equal(store_universe_commit(w, 1, NULL, &found, &err), 0);
    assert_true(found.prop_count > 0);
    property_set_fini(&found);
    struct seen seen = {0};
    assert_int_equal(store_each_event(s, 1, 0, UINT64_MAX, in_order, &seen, &err), 0);
    assert_int_equal(seen.next, 43);
    buf_free(&b.out);
    store_close(s);
}

static void test_lost_universe_is_an_engine_error(void **state)
{
    cleanup_err struct err err = {0};
    struct store *s = create(&err);
    struct store_universe u = {.number = 0, .input_hash = 1, .parent = -1};
    struct store_writer *w = store_universe_begin(s, &u, &err);
    assert_int_equal(store_universe_commit(w, 1, "runner died of SIGSEGV", NULL, &err), 0);
    assert_int_equal(store_universe(s, 0, &u, &err), 1);
    assert_string_equal(u.engine_error, "runner died of SIGSEGV");
    store_universe_free(&u);
    assert_int_equal(property_set_count(store_properties(s)).failed, 1);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_second_writer_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_kill_keeps_what_finished, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_full_disk, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_full_database, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_branch_continues_its_parent, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_lost_universe_is_an_engine_error, make_dir,
                                        remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
