/* The queue of launches and the worker processes that run them.
 *
 * A launch is accepted when its row is committed. Runs wait in order of acceptance for one of
 * config->workers slots; a run is a child process `everett run --json --continue --out ...`, whose
 * lines update the row and the live state. Runs that were cut, by the death of the server or of
 * the child, go on where they were: finished universes are kept, and the time they took counts.
 * After several deaths what there is is reported.
 *
 *   DIR/runs/ID/input/            the config image, unpacked
 *   DIR/runs/ID/images            which stored image each reference means
 *   DIR/runs/ID/images.json       [{"name","image","tag"}], of the registry where they come from it
 *   DIR/runs/ID/faults.yaml       what parameters exclude, if anything
 *   DIR/runs/ID/run/              the run directory
 *   DIR/runs/ID/build_log.ndjson  {"timestamp","text","stream"} lines */
#ifndef EVERETT_SERVER_QUEUE_QUEUE_H
#define EVERETT_SERVER_QUEUE_QUEUE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* Of the interface that the API follows: clients compare it, and read it out of a run's id. */
#define QUEUE_RELEASE "64"

struct queue;
struct server;
struct principal;
struct store;

enum launch_status { /* text in the API: "starting", "in_progress", ... see queue_status_word */
                     LAUNCH_QUEUED = 1,
                     LAUNCH_STARTING, /* resolving images */
                     LAUNCH_RUNNING,
                     LAUNCH_COMPLETED,
                     LAUNCH_CANCELLED,
                     LAUNCH_INCOMPLETE, /* set-up failed, cut, or an error: `error` says */
};

struct launch {
    char *id;
    int64_t number;
    enum launch_status status;
    int64_t created_unix_ms, started_unix_ms, completed_unix_ms; /* 0: not yet */
    char *launcher, *creator_name, *creator_type;
    char *description, *test_name, *source, *commit; /* each may be NULL */
    char *params;                                    /* JSON object */
    char *error;                                     /* or NULL */
    char *verdict; /* "passed", "failed", "setup_failed"; NULL while it runs */
    int64_t duration_s;
    int64_t universes, virtual_ns, wall_ns, behaviours;
    int64_t failed, never, passed; /* properties */
    int64_t found_new, found_rare, found_ongoing, found_resolved;
    bool is_ephemeral, cancel_requested;
};
void launch_fini(struct launch *l);

struct queue *queue_start(struct server *s, struct err *err) must_check;
/* Tells all jobs and waiters that the server stops; returns at once. Accepts NULL. */
void queue_interrupt(struct queue *q);
bool queue_is_stopping(struct queue *q);
/* Waits until running runs have reported what they have; they go on at the next start. Accepts
 * NULL. */
void queue_stop(struct queue *q);

/* Checks the parameters (platform.md 5.1: names and types as users send them; unknown ones kept),
 * commits, and gives the run's id. ERR_USAGE: a parameter is wrong (named); ERR_SETUP: the queue is
 * full. */
int queue_launch(struct queue *q, const char *launcher, const json_t *params,
                 const struct principal *who, struct buf *run_id, struct err *err) must_check;
/* 1 was waiting or running and will end; 0 had ended; -1 unknown id or error. */
int queue_cancel(struct queue *q, const char *run_id, struct err *err) must_check;

/* 1, 0 no such run, -1. */
int queue_find(struct queue *q, const char *run_id, struct launch *out, struct err *err) must_check;
struct launch_filter {
    enum launch_status status;            /* 0: any */
    const char *launcher, *source, *text; /* NULL: any; text: in name, description, id, commit */
    int64_t created_after_ms, created_before_ms; /* 0: any */
    int64_t before_number; /* pagination: only older ones; 0: from the newest */
    unsigned limit;
    bool with_ephemeral;
};
typedef int launch_fn(void *ctx, const struct launch *l);
/* Newest first. */
int queue_each(struct queue *q, const struct launch_filter *f, launch_fn *fn, void *ctx,
               struct err *err) must_check;
const char *queue_status_word(enum launch_status s); /* of the API */

/* Commands at moments are replays, which cost as much as a run does: a few at a time. False: as
 * many as there may be. */
bool queue_take_shell(struct queue *q);
void queue_give_shell(struct queue *q);

/* DIR/runs/ID, /run and /build_log.ndjson below it; the caller frees it. */
char *queue_run_dir(const struct queue *q, const char *run_id);
/* Opens a known run's directory for reading. 1 and *out, which the caller closes; 0: nothing to
 * read yet (the run waits, has just begun, or its set-up failed before it began); -1. */
int queue_open_store(struct queue *q, const char *run_id, struct store **out,
                     struct err *err) must_check;

/* Live state of one run: a number that grows with each change (progress, property, status). Blocks
 * until it differs from `seen` or `timeout_ms` passed; returns it. Any run_id is fine: an ended run
 * never changes. */
uint64_t queue_wait(struct queue *q, const char *run_id, uint64_t seen, unsigned timeout_ms);
/* The last progress object of `everett run --json` as text, or "" ; appended. */
void queue_live(struct queue *q, const char *run_id, struct buf *out);

#endif
