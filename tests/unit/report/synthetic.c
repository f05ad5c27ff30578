/* Synthetic runs. Everything is a function of the universe's number: no clock, no randomness. */
#include "synthetic.h"

#include <stdio.h>
#include <string.h>

#include "event_builder.h"
#include "store/store.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

enum { ETCD0, ETCD1, ETCD2, CLIENT1, CLIENT2, NODES };

static const struct store_node nodes[NODES] = {
    {"etcd0", "etcd0", "etcd0", "docker.io/bitnami/etcd:3.5.4",
     "sha256:6b4a3f1c9e5d8a7720c1b9f4e3d2a1908f7e6d5c4b3a29181716151413121110"},
    {"etcd1", "etcd1", "etcd1", "docker.io/bitnami/etcd:3.5.4",
     "sha256:6b4a3f1c9e5d8a7720c1b9f4e3d2a1908f7e6d5c4b3a29181716151413121110"},
    {"etcd2", "etcd2", "etcd2", "docker.io/bitnami/etcd:3.5.4",
     "sha256:6b4a3f1c9e5d8a7720c1b9f4e3d2a1908f7e6d5c4b3a29181716151413121110"},
    {"client1", "client", "client1", "etcd-client:v1",
     "sha256:0c2d4e6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b"},
    {"client2", "client", "client2", "etcd-client:v1",
     "sha256:0c2d4e6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b"},
};

static const struct store_compose_key keys[] = {
    {"services.etcd0.image", EFFECT_HONOURED, NULL},
    {"services.etcd0.environment", EFFECT_HONOURED, NULL},
    {"services.etcd0.healthcheck", EFFECT_HONOURED, NULL},
    {"services.client.depends_on", EFFECT_HONOURED, NULL},
    {"services.etcd0.logging", EFFECT_NONE, "every line is recorded by Everett"},
    {"services.client.cpu_shares", EFFECT_NONE, "a universe has one CPU"},
};

struct world {
    struct event_builder b;
    uint64_t number;
    enum synthetic_kind kind;
    uint32_t pid;
};

static void etcd_line(struct world *w, uint16_t node, const char *message)
{
    char line[256];
    uint64_t ms = w->b.vtime_ns / MS;
    snprintf(line, sizeof line,
             "{\"level\":\"info\",\"ts\":\"2025-01-01T00:00:%02llu.%03lluZ\",\"caller\":"
             "\"raft/raft.go:%u\",\"msg\":\"%s\"}",
             (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000),
             700 + (unsigned)strlen(message), message);
    build_output(&w->b, node, 1, 2, 0, line);
}

static void boot(struct world *w)
{
    for (uint16_t n = 0; n < NODES; n++) {
        char json[160];
        build_at(&w->b, (40 + n * 3) * MS);
        snprintf(json, sizeof json, "{\"event\":\"start\",\"name\":\"%s\",\"image\":\"%s\"}",
                 nodes[n].name, nodes[n].image);
        build_json(&w->b, EVENT_CONTAINER, n, json);
        build_exec(&w->b, n, 1, n < CLIENT1 ? "/opt/bitnami/etcd/bin/etcd" : "/bin/sleep");
    }
    for (uint16_t n = 0; n < CLIENT1; n++) {
        build_at(&w->b, (210 + n * 40) * MS);
        etcd_line(w, n, "starting etcd, version 3.5.4");
        etcd_line(w, n, "became follower at term 1");
    }
    build_at(&w->b, 1300 * MS);
    etcd_line(w, ETCD0, "elected leader 8e9e05c52164694d at term 2");
    build_at(&w->b, 1500 * MS);
}

static void declare(struct world *w)
{
    build_sdk(&w->b, CLIENT1, 7, 0,
              "{\"antithesis_sdk\":{\"language\":{\"name\":\"Python\",\"version\":\"3.11.2\"},"
              "\"sdk_version\":\"0.2.0\",\"protocol_version\":\"1.0.0\"}}");
    build_assert(&w->b, CLIENT1, 7, LOST, "always", true, false, false, "{}");
    build_assert(&w->b, CLIENT1, 7, "Database key values stay consistent", "always", true, false,
                 false, "{}");
    build_assert(&w->b, CLIENT1, 7, "Client put requests can fail", "sometimes", true, false, false,
                 "{}");
    build_assert(&w->b, CLIENT1, 7, "Client can recover from a full disk", "sometimes", true, false,
                 false, "{}");
    build_sdk(&w->b, CLIENT1, 7, 0,
              "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":{\"Message\":"
              "\"ETCD cluster is healthy\"}}}");
}

static void command_started(struct world *w, uint16_t node, const char *task, const char *command)
{
    char json[256];
    snprintf(json, sizeof json,
             "{\"started_task\":\"%s\",\"task_status\":\"started\",\"command\":\"%s\","
             "\"container_id\":\"%s\",\"tasks_len\":\"1\"}",
             task, command, nodes[node].name);
    build_json(&w->b, EVENT_COMPOSER, node, json);
}

static void command_finished(struct world *w, uint16_t node, const char *task, const char *command,
                             int code)
{
    char json[256];
    snprintf(json, sizeof json,
             "{\"finished_task\":\"%s\",\"task_status\":\"finished\",\"command\":\"%s\","
             "\"command_return_code\":\"%d\",\"command_runtime\":\"1.03\"}",
             task, command, code);
    build_json(&w->b, EVENT_COMPOSER, node, json);
}

/* Ten increments by one command, each acknowledged; a failing one now and then. */
static void traffic(struct world *w, uint16_t node, unsigned round)
{
    char task[32];
    const char *command =
        round % 3 ? "counter/parallel_driver_add.py" : "counter/parallel_driver_check.py";
    snprintf(task, sizeof task, "t%u_%u", node, round);
    command_started(w, node, task, command);
    for (unsigned i = 0; i < 5; i++) {
        char line[160];
        build_at(&w->b, w->b.vtime_ns + (30 + (round * 7 + i * 13 + w->number) % 90) * MS);
        snprintf(line, sizeof line, "Client: successful put with key 'k%u-%u' and value '%u'",
                 round, i, round * 100 + i);
        build_output(&w->b, node, 40 + round, 1, round, line);
        etcd_line(w, (uint16_t)((round + i) % 3), "applied entry");
    }
    bool fails = (round + w->number) % 4 == 0;
    build_assert(&w->b, node, 40 + round, "Client put requests can fail", "sometimes", true, true,
                 fails, fails ? "{\"error\":\"etcdserver: request timed out\"}" : "{}");
    build_assert(&w->b, node, 40 + round, "Database key values stay consistent", "always", true,
                 true, true, "{\"mismatch\":null}");
    command_finished(w, node, task, command, 0);
}

static void hostile(struct world *w)
{
    build_output(&w->b, CLIENT2, 50, 1, 3,
                 "</ol></details><script>document.title='broken out'</script><img src=x "
                 "onerror=alert(1)>");
    build_output(&w->b, CLIENT2, 50, 2, 3,
                 "\033[31mred\033[0m \xff\xfe bad bytes, nul-free \x01 and \xe2\x80\xaereversed");
    build_output(&w->b, CLIENT2, 50, 1, 3, "\" onmouseover=\"alert(2)\" ]]> &amp; 'quoted'");
}

static void faults(struct world *w)
{
    build_json(&w->b, EVENT_FAULT, EVENT_NO_NODE,
               "{\"fault\":{\"name\":\"partition\",\"type\":\"network\",\"affected_nodes\":"
               "[\"etcd0\",\"etcd1\",\"etcd2\"],\"max_duration\":2.5,\"details\":{"
               "\"disruption_type\":\"Stopped\",\"asymmetric\":false,\"partitions\":[[\"etcd0\"],"
               "[\"etcd1\",\"etcd2\"]]}}}");
}

static void kill_leader(struct world *w)
{
    build_json(&w->b, EVENT_FAULT, EVENT_NO_NODE,
               "{\"fault\":{\"name\":\"kill\",\"type\":\"node\",\"affected_nodes\":[\"etcd0\"],"
               "\"max_duration\":3.1,\"details\":{}}}");
    build_exit(&w->b, ETCD0, 1, 9, false, true, "");
    build_json(&w->b, EVENT_CONTAINER, ETCD0,
               "{\"event\":\"died\",\"name\":\"etcd0\",\"container_exit_code\":\"137\"}");
    build_at(&w->b, w->b.vtime_ns + 128 * MS);
    etcd_line(w, ETCD1, "lost leader 8e9e05c52164694d at term 2");
    etcd_line(w, ETCD1, "elected leader 91bc3c398fb3c146 at term 3");
}

static void check_counter(struct world *w, bool lost)
{
    char details[96];
    unsigned expected = 40 + (unsigned)w->number;
    build_at(&w->b, w->b.vtime_ns + 172 * MS);
    command_started(w, CLIENT1, "tc", "counter/parallel_driver_check.py");
    hostile(w);
    build_output(&w->b, CLIENT1, 61, 1, 9,
                 lost ? "Client: read 1 less than was acknowledged" : "Client: validation ok!");
    snprintf(details, sizeof details, "{\"expected\":%u,\"read\":%u,\"node\":\"etcd1\"}", expected,
             expected - lost);
    build_assert(&w->b, CLIENT1, 61, LOST, "always", true, true, !lost, details);
    build_at(&w->b, w->b.vtime_ns + 40 * MS);
    command_finished(w, CLIENT1, "tc", "counter/parallel_driver_check.py", lost);
}

static void setup_fails(struct world *w)
{
    build_output(&w->b, ETCD2, 1, 2, 0, "etcd: error while loading configuration: no such file");
    build_json(&w->b, EVENT_CONTAINER, ETCD2,
               "{\"event\":\"died\",\"name\":\"etcd2\",\"container_exit_code\":\"2\"}");
    build_end(&w->b, END_SETUP_FAILED, false, "container etcd2 exited with code 2 during set-up");
}

static void play(struct world *w)
{
    boot(w);
    if (w->kind == SYNTHETIC_SETUP_FAILED) {
        setup_fails(w);
        return;
    }
    declare(w);
    bool earlier = w->kind == SYNTHETIC_EARLIER;
    bool lost = w->kind == SYNTHETIC_FAILING && w->number % 5 == 2;
    for (unsigned round = 1; round < 14; round++) {
        build_at(&w->b, w->b.vtime_ns + (200 + w->number * 11 % 70) * MS);
        traffic(w, round % 2 ? CLIENT1 : CLIENT2, round);
        if (round == 5) {
            faults(w);
        }
    }
    if (earlier && w->number == 3) {
        build_assert(&w->b, CLIENT1, 61, "Database key values stay consistent", "always", true,
                     true, false, "{}");
    }
    struct event_unknown unknown = {.number = 16, .answered = -25};
    build_record(&w->b, EVENT_UNKNOWN, CLIENT1, 61, &unknown, sizeof unknown,
                 "ioctl 0x5413 <on a pipe>");
    kill_leader(w);
    check_counter(w, lost);
    build_at(&w->b, w->b.vtime_ns + 3 * S);
    build_json(&w->b, EVENT_CONTAINER, ETCD0, "{\"event\":\"start\",\"name\":\"etcd0\"}");
    for (unsigned round = 20; round < 24; round++) {
        traffic(w, round % 2 ? CLIENT1 : CLIENT2, round);
    }
    build_end(&w->b, END_TIME_LIMIT, true, "");
}

static int add_universe(struct store *s, uint64_t number, enum synthetic_kind kind, struct err *err)
{
    struct world w = {.number = number, .kind = kind};
    struct store_universe u = {.number = number,
                               .seed = number * 7919,
                               .input_hash = (int64_t)(number * 0x9e3779b97f4a7c15u + 1),
                               .parent = -1};
    struct store_writer *writer = store_universe_begin(s, &u, err);
    if (!writer) {
        return -1;
    }
    play(&w);
    int rc = store_universe_append(writer, w.b.out.data, w.b.out.len, err);
    buf_free(&w.b.out);
    if (rc) {
        store_universe_abort(writer);
        return -1;
    }
    return store_universe_commit(writer, 280 * MS, NULL, NULL, err);
}

static int fill(struct store *s, enum synthetic_kind kind, struct err *err)
{
    unsigned count = kind == SYNTHETIC_EMPTY          ? 0
                     : kind == SYNTHETIC_SETUP_FAILED ? 1
                                                      : SYNTHETIC_UNIVERSES;
    if (store_add_compose_keys(s, keys, ARRAY_LEN(keys), err)) {
        return -1;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct store_progress p = {(i + 1) * S, (i + 1) * 14 * S,
                                   i + 1,       40 * i / (i + 4) + i / 3,
                                   5,           kind == SYNTHETIC_FAILING && i > 1};
        if (add_universe(s, i, kind, err) || store_add_progress(s, &p, err)) {
            return -1;
        }
    }
    struct store_confirmation c = {
        LOST,
        2,
        0,
        20,
        20,
        1,
        "kill etcd0",
        9181 * MS,
        "[[1.5,0.02],[4,0.02],[6,0.03],[7.5,0.05],[9.1,0.11],[9.181,1],[10,1]]"};
    if (kind == SYNTHETIC_FAILING && store_set_confirmation(s, &c, err)) {
        return -1;
    }
    return kind == SYNTHETIC_EMPTY ? 0
           : kind == SYNTHETIC_SETUP_FAILED
               ? store_set_status(s, RUN_INCOMPLETE,
                                  "container etcd2 exited with code 2 during set-up", 2 * S, err)
               : store_set_status(s, RUN_COMPLETED, NULL, 60 * S, err);
}

int synthetic_run(const char *dir, enum synthetic_kind kind, struct err *err)
{
    struct store_run run = {
        .id = "5f0c2a9e71d34b86",
        .name = "etcd-tutorial",
        .source = "main",
        .commit = "3141cf8",
        .description = "Counter on three etcd members under partitions and kills",
        .config = "{\"duration\":\"60s\",\"faults\":{\"kill\":true}}",
        .engine = "everett 0.1.0 (build 9d41c07e)",
        .cpu = "Intel(R) Xeon(R) Processor @ 2.80GHz",
        .seed = 42,
        .workers = 2,
        .started_unix_ns = INT64_C(1795370647) * 1000000000 -
                           (kind == SYNTHETIC_EARLIER ? INT64_C(86400) * 1000000000 : 0)};
    struct store *s = store_create(dir, &run, nodes, NODES, err);
    int rc = s ? fill(s, kind, err) : -1;
    store_close(s);
    return rc;
}
