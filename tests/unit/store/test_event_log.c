/* Event logs: round trip, reading around a moment, refusing damage. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "event_builder.h"
#include "store/event_log.h"
#include "store/files.h"

#define EVENTS  20000
#define STEP_NS UINT64_C(1000000)

static char dir[64];

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/everett-log.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const char *file(void)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/0.zst", dir);
    return path;
}

static void fill(struct event_builder *b)
{
    for (uint64_t i = 0; i < EVENTS; i++) {
        char line[64];
        snprintf(line, sizeof line, "line %llu", (unsigned long long)i);
        build_at(b, i * STEP_NS);
        build_output(b, (uint16_t)(i % 5), 1, 1, 0, line);
    }
}

static void write_log(const struct event_builder *b)
{
    cleanup_err struct err err = {0};
    struct event_log_writer *w = event_log_create(file(), &err);
    assert_non_null(w);
    assert_int_equal(event_log_append(w, b->out.data, b->out.len, &err), 0);
    assert_int_equal(access(file(), F_OK), -1); /* nothing under the name until it is whole */
    assert_int_equal(event_log_close(w, &err), 0);
}

static int gather(void *ctx, const struct event *ev)
{
    buf_append(ctx, ev, ev->size);
    return 0;
}

static void test_round_trip(void **state)
{
    cleanup_err struct err err = {0};
    struct event_builder b = {0};
    fill(&b);
    write_log(&b);
    struct event_log *log = event_log_open(file(), &err);
    assert_non_null(log);
    assert_int_equal(event_log_count(log), EVENTS);
    cleanup_buf struct buf all = {0};
    assert_int_equal(event_log_visit(log, 0, UINT64_MAX, gather, &all, &err), 0);
    assert_int_equal(all.len, b.out.len);
    assert_memory_equal(all.data, b.out.data, all.len);
    event_log_free(log);
    buf_free(&b.out);
}

struct window {
    uint64_t first, count;
};

static int count_window(void *ctx, const struct event *ev)
{
    struct window *w = ctx;
    if (w->count++ == 0) {
        w->first = ev->seq;
    }
    assert_int_equal(ev->seq, w->first + w->count - 1);
    return 0;
}

static void test_windows(void **state)
{
    cleanup_err struct err err = {0};
    struct event_builder b = {0};
    fill(&b);
    write_log(&b);
    struct event_log *log = event_log_open(file(), &err);
    for (uint64_t from = 0; from < EVENTS; from += 1777) {
        struct window w = {0};
        assert_int_equal(
            event_log_visit(log, from * STEP_NS, (from + 99) * STEP_NS, count_window, &w, &err), 0);
        assert_int_equal(w.first, from);
        assert_int_equal(w.count, min_u64(100, EVENTS - from));
    }
    struct window none = {0};
    assert_int_equal(
        event_log_visit(log, 5 * STEP_NS + 1, 6 * STEP_NS - 1, count_window, &none, &err), 0);
    assert_int_equal(none.count, 0);
    event_log_free(log);
    buf_free(&b.out);
}

static void test_refuses_disorder(void **state)
{
    cleanup_err struct err err = {0};
    struct event_builder b = {0};
    build_output(&b, 0, 1, 1, 0, "a");
    b.seq = 7; /* a gap */
    build_output(&b, 0, 1, 1, 0, "b");
    struct event_log_writer *w = event_log_create(file(), &err);
    assert_int_equal(event_log_append(w, b.out.data, b.out.len, &err), -1);
    assert_int_equal(err.kind, ERR_ENGINE);
    assert_int_equal(event_log_append(w, b.out.data, 20, &err), -1); /* half a header */
    event_log_discard(w);
    char part[128];
    snprintf(part, sizeof part, "%s.part", file());
    assert_int_equal(access(part, F_OK), -1);
    buf_free(&b.out);
}

/* Every truncation and many flipped bytes: an error or the right bytes, never a crash. */
static void test_damage(void **state)
{
    cleanup_err struct err err = {0};
    struct event_builder b = {0};
    fill(&b);
    write_log(&b);
    cleanup_buf struct buf good = {0};
    assert_int_equal(files_read(file(), &good, &err), 0);
    unsigned refused = 0;
    for (size_t i = 0; i < 300; i++) {
        cleanup_buf struct buf bad = {0};
        buf_append(&bad, good.data, good.len);
        size_t at = (i * 7919) % good.len;
        if (i % 3 == 0) {
            bad.len = at;
        } else if (i % 3 == 1) {
            bad.data[at] ^= 0x41;
        } else {
            bad.data[good.len - 1 - i] ^= 0x11; /* the index */
        }
        assert_int_equal(files_replace(file(), bad.data, bad.len, &err), 0);
        struct event_log *log = event_log_open(file(), &err);
        cleanup_buf struct buf all = {0};
        if (!log || event_log_visit(log, 0, UINT64_MAX, gather, &all, &err)) {
            refused++;
        }
        event_log_free(log);
        err_clear(&err);
    }
    assert_true(refused > 200);
    buf_free(&b.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_windows, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_refuses_disorder, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_damage, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
