/* The run directory: everything that is kept of one run.
 *
 *   RUN/run.db              SQLite (WAL): the run, its universes, properties, notes, progress
 *   RUN/events/000007.zst   the event records of universe 7 (event_log.h)
 *   RUN/inputs/             copies of compose file, .env, run configuration
 *   RUN/lock                held by the one process that writes
 *
 * One process writes; any number read, also during the run. A universe's events are complete and
 * synced before its row commits, so that killing the writer at any moment keeps every finished
 * universe and nothing of an unfinished one. After an error from a writing call (a full disk, say)
 * what was committed before is intact and later calls may succeed again.
 *
 * Handles are not shared between threads nor carried over fork(). */
#ifndef EVERETT_STORE_STORE_H
#define EVERETT_STORE_STORE_H

#include "abi/event.h"
#include "base/err.h"
#include "store/property.h"

struct store;
struct event_log;

enum run_status { RUN_RUNNING = 1, RUN_COMPLETED, RUN_CANCELLED, RUN_INCOMPLETE };

/* Texts are owned by the struct when it came from store_run(), else borrowed. NULL: not known. */
struct store_run {
    const char *id;     /* stable identity, e.g. hex of a digest */
    const char *name;   /* shown as title; the compose project */
    const char *source; /* whose history this run belongs to, e.g. "main" */
    const char *commit; /* of the source */
    const char *description;
    const char *config; /* run configuration, JSON text */
    const char *engine; /* engine build: version and digest */
    const char *cpu;    /* CPU model of this host */
    uint64_t seed;
    uint32_t workers;
    int64_t started_unix_ns; /* host clock */
    uint64_t wall_ns;        /* so far */
    enum run_status status;
    const char *status_text; /* why it is incomplete or cancelled */
};

struct store_node {
    const char *name; /* container name; position = node index in the plan */
    const char *service, *hostname;
    const char *image, *digest; /* "etcd:v3.5", "sha256:..." */
};

enum compose_effect { EFFECT_HONOURED = 1, EFFECT_NONE, EFFECT_REFUSED };

struct store_compose_key {
    const char *path; /* "services.etcd0.logging" */
    enum compose_effect effect;
    const char *note; /* why, or NULL */
};

struct store_universe {
    uint64_t number; /* 0, 1, 2 ... in the order they were begun */
    uint64_t seed;
    int64_t input_hash;
    int64_t parent; /* universe it branches from, or -1 */
    uint64_t branch_vtime_ns;
    uint64_t virtual_ns, wall_ns;
    uint32_t end_reason; /* enum event_end_reason; 0: no end record */
    const char *end_text;
    uint64_t digest[2];
    uint64_t calls, switches, draws;
    bool setup_complete;
    const char *engine_error; /* NULL: none */
};

struct store_progress {
    uint64_t wall_ns, virtual_ns;
    uint64_t universes;
    uint64_t behaviours; /* distinct, as the explorer counts novelty */
    uint64_t properties_seen, failures;
};

/* What the explorer found out about a failing property after it was found. */
struct store_confirmation {
    const char *property_id; /* struct property.id */
    uint64_t universe;       /* the minimal failing universe */
    uint64_t vtime_ns;       /* where it violates there */
    uint32_t replays, reproduced;
    int32_t fault_count;    /* of the minimal history; -1: not minimised */
    const char *minimal;    /* "kill replica2" */
    uint64_t inevitable_ns; /* from here on it always fails; 0: not known */
    const char *curve;      /* JSON [[vtime seconds, probability 0..1], ...] or NULL */
};

/* ---- writing ---- */

/* Makes the directory (parents too). ERR_USAGE when it holds a run or another process writes to
 * it. `run` and the arrays are borrowed for the call. */
struct store *store_create(const char *dir, const struct store_run *run,
                           const struct store_node *nodes, size_t node_count,
                           struct err *err) must_check;
/* Continues a run: ERR_USAGE when there is none or another process writes to it. Leftovers of an
 * unfinished universe are removed. */
struct store *store_resume(const char *dir, struct err *err) must_check;
int store_add_input(struct store *s, const char *name, const void *data, size_t len,
                    struct err *err) must_check;
int store_add_compose_keys(struct store *s, const struct store_compose_key *keys, size_t count,
                           struct err *err) must_check;
int store_add_progress(struct store *s, const struct store_progress *p, struct err *err) must_check;
/* Replaces an earlier one of the same property. */
int store_set_confirmation(struct store *s, const struct store_confirmation *c,
                           struct err *err) must_check;
int store_set_status(struct store *s, enum run_status status, const char *text, uint64_t wall_ns,
                     struct err *err) must_check;

/* One universe: begin, append its records as they come, commit or abort. Several may be open. */
struct store_writer;
/* Only number, seed, input_hash, parent and branch_vtime_ns of `u` are read. */
struct store_writer *store_universe_begin(struct store *s, const struct store_universe *u,
                                          struct err *err) must_check;
/* Whole records; borrowed. */
int store_universe_append(struct store_writer *w, const void *records, size_t len,
                          struct err *err) must_check;
/* Judges, syncs and commits. `engine_error`: the runner's account when the universe ended without
 * an END record, else NULL. `found`, if not NULL, is initialised with what this universe showed and
 * then owned by the caller. Frees `w` in every case. */
int store_universe_commit(struct store_writer *w, uint64_t wall_ns, const char *engine_error,
                          struct property_set *found, struct err *err) must_check;
void store_universe_abort(struct store_writer *w); /* accepts NULL */

/* A universe whose events another process has written, whole and closed, to store_event_path
 * (event_log.h) and judged (ingest.h), so that the one writer only commits rows. */
int store_universe_adopt(struct store *s, const struct store_universe *u,
                         const struct property_set *found, struct err *err) must_check;
struct ingest;
/* What the judged events say: end, times, digest, set-up, engine error. Texts stay the ingest's. */
void store_universe_fill(struct store_universe *u, const struct ingest *in,
                         const char *engine_error);
/* DIR/events/000007.zst; the caller frees it. */
char *store_event_path(const char *dir, uint64_t universe);

/* ---- reading (of a store opened either way) ---- */

/* Read-only; works while another process writes. */
struct store *store_open(const char *dir, struct err *err) must_check;
/* How much of the judgement is read at once; a run may have tens of thousands of properties. */
enum store_part {
    STORE_ALL,
    STORE_COUNTS, /* properties without examples; no guidance, no notes */
    STORE_RUN,    /* no properties */
};
struct store *store_open_part(const char *dir, enum store_part part, struct err *err) must_check;
void store_close(struct store *s); /* accepts NULL */

const char *store_dir(const struct store *s);
int store_run(struct store *s, struct store_run *out, struct err *err) must_check;
void store_run_free(struct store_run *run);
/* Valid until the store closes. */
const struct store_node *store_nodes(const struct store *s, size_t *count);
const char *store_node_name(const struct store *s, uint16_t node); /* "" when it is none */
/* Everything judged so far. A reader sees the state at store_open. Valid until the next commit. */
const struct property_set *store_properties(const struct store *s);

struct store_totals {
    uint64_t universes, virtual_ns, calls, switches, engine_errors;
};
int store_totals(struct store *s, struct store_totals *out, struct err *err) must_check;

/* The visitors return non-zero to stop, which the call returns; texts are borrowed. */
typedef int store_universe_fn(void *ctx, const struct store_universe *u);
int store_each_universe(struct store *s, store_universe_fn *fn, void *ctx,
                        struct err *err) must_check;
/* 1 and `out` (texts owned by it: store_universe_free), 0 when there is none, -1 on error. */
int store_universe(struct store *s, uint64_t number, struct store_universe *out,
                   struct err *err) must_check;
/* The same by its input_hash (of a moment). */
int store_universe_by_hash(struct store *s, int64_t input_hash, struct store_universe *out,
                           struct err *err) must_check;
void store_universe_free(struct store_universe *u);
typedef int store_compose_fn(void *ctx, const struct store_compose_key *key);
int store_each_compose_key(struct store *s, store_compose_fn *fn, void *ctx,
                           struct err *err) must_check;
typedef int store_progress_fn(void *ctx, const struct store_progress *p);
int store_each_progress(struct store *s, store_progress_fn *fn, void *ctx,
                        struct err *err) must_check;
typedef int store_confirmation_fn(void *ctx, const struct store_confirmation *c);
int store_each_confirmation(struct store *s, store_confirmation_fn *fn, void *ctx,
                            struct err *err) must_check;

/* Events of a universe's whole history between two times, through the universes it branches from.
 * As event_log_visit. */
typedef int store_event_fn(void *ctx, const struct event *ev);
int store_each_event(struct store *s, uint64_t universe, uint64_t from_ns, uint64_t to_ns,
                     store_event_fn *fn, void *ctx, struct err *err) must_check;

#endif
