/* make_large DIR PROPERTIES UNIVERSES [NAME]: a run with many properties, some of which fail, for
 * tests of how pages behave at size. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "event_builder.h"
#include "store/store.h"

#define MS UINT64_C(1000000)

static const struct store_node nodes[] = {{"app", "app", "app", "app:v1", "sha256:00"},
                                          {"client", "client", "client", "client:v1", "sha256:11"}};

/* Every hundredth fails now and then, every fiftieth is never reached. */
static void evaluate(struct event_builder *b, uint64_t universe, unsigned i)
{
    char name[96];
    snprintf(name, sizeof name, "Shard %u keeps invariant %u of its replicas", i / 40, i % 40);
    build_assert(b, 1, 7, name, "always", true, false, false, "{}");
    if (i % 50 != 49) {
        bool fails = i % 100 == 17 && (universe + i) % 3 == 0;
        build_assert(b, 1, 7, name, "always", true, true, !fails, "{\"expected\":3,\"read\":2}");
    }
}

static int add_universe(struct store *s, uint64_t number, unsigned properties, struct err *err)
{
    struct event_builder b = {0};
    struct store_universe u = {
        .number = number, .seed = number, .input_hash = (int64_t)number + 1, .parent = -1};
    struct store_writer *w = store_universe_begin(s, &u, err);
    if (!w) {
        return -1;
    }
    build_at(&b, 100 * MS);
    build_sdk(&b, 1, 7, 0, "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":{}}}");
    for (unsigned i = 0; i < properties; i++) {
        build_at(&b, b.vtime_ns + MS);
        evaluate(&b, number, i);
        if (i % 10 == 0) {
            build_output(&b, 0, 1, 1, 0, "request served");
        }
    }
    build_end(&b, END_TIME_LIMIT, true, "");
    int rc = store_universe_append(w, b.out.data, b.out.len, err);
    buf_free(&b.out);
    if (rc) {
        store_universe_abort(w);
        return -1;
    }
    return store_universe_commit(w, 500 * MS, NULL, NULL, err);
}

static int make(const char *dir, unsigned properties, uint64_t universes, const char *name,
                struct err *err)
{
    struct store_run run = {.id = "00112233",
                            .name = name,
                            .source = "large",
                            .engine = "everett",
                            .cpu = "a CPU",
                            .workers = 2,
                            .started_unix_ns = INT64_C(1795370647) * 1000000000};
    struct store *s = store_create(dir, &run, nodes, ARRAY_LEN(nodes), err);
    int rc = s ? 0 : -1;
    for (uint64_t i = 0; rc == 0 && i < universes; i++) {
        struct store_progress p = {
            (i + 1) * 1000 * MS, (i + 1) * 9000 * MS, i + 1, 30 * (i + 1), 5, 0};
        rc = add_universe(s, i, properties, err) ? -1 : store_add_progress(s, &p, err);
    }
    rc = rc ? -1 : store_set_status(s, RUN_COMPLETED, NULL, universes * 1000 * MS, err);
    store_close(s);
    return rc;
}

int main(int argc, char **argv)
{
    cleanup_err struct err err = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: make_large DIR PROPERTIES UNIVERSES [NAME]\n");
        return 2;
    }
    if (make(argv[1], (unsigned)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
             argc > 4 ? argv[4] : "large", &err)) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    return 0;
}
