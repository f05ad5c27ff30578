/* State shared by the files that implement ingest.h; for them only. */
#ifndef EVERETT_STORE_INGEST_PRIV_H
#define EVERETT_STORE_INGEST_PRIV_H

#include <jansson.h>

#include "store/ingest.h"

/* A test command that the composer started and that has not finished. */
struct task {
    char *id;      /* the composer's name for it */
    char *command; /* "template/command" */
    uint64_t started_ns;
    uint16_t node;
    bool killed; /* by the injector or the composer */
};

/* A live process, for the name of its executable. */
struct proc {
    uint16_t node;
    uint32_t pid;
    char *path;
};

struct ingest {
    uint64_t universe;
    const char *const *nodes; /* borrowed */
    size_t node_count;
    struct property_set set;

    struct task *tasks;
    size_t task_count, task_cap;
    struct proc *procs;
    size_t proc_count, proc_cap;
    bool *node_killed; /* node_count elements: down because of a fault */

    bool setup_complete;
    bool has_end;
    struct event_end end;
    char *end_text;
    uint64_t last_vtime_ns, last_seq;
};

/* "Where": universe, time, node and process of an event, without details. */
struct property_example ingest_example(const struct ingest *in, const struct event *ev);
const char *ingest_node_name(const struct ingest *in, uint16_t node); /* "" when unknown */

/* ingest_sdk.c */
void ingest_sdk(struct ingest *in, const struct event *ev);
/* ingest_rules.c */
void ingest_rules_declare(struct ingest *in);
void ingest_composer(struct ingest *in, const struct event *ev);
void ingest_fault(struct ingest *in, const struct event *ev);
void ingest_container(struct ingest *in, const struct event *ev);
void ingest_process(struct ingest *in, const struct event *ev);
void ingest_rules_finish(struct ingest *in, const char *engine_error);

#endif
