/* A universe of containers without programs: the director runs for real on the fake machine, while
 * processes are only timers that end with a scripted status. */
#ifndef EVERETT_TESTS_DIRECTOR_FIXTURE_H
#define EVERETT_TESTS_DIRECTOR_FIXTURE_H

#include <jansson.h>

#include "fake_machine.h"
#include "kernel/task/spawn.h"

#define WORLD_NODES_MAX 8u
#define MS              NSEC_PER_MSEC
#define SEC             NSEC_PER_SEC

/* What a spawned process will do. */
struct script {
    uint64_t life_ns; /* VTIME_NEVER: until it is killed */
    int status;       /* wait status at its end */
    bool ignores_term;
};

struct world_file {
    uint32_t node;
    const char *path; /* a file, or a directory when it ends with '/' */
    uint32_t mode, uid;
};

struct world {
    struct fake_machine *fm;
    struct machine *m;
    struct node nodes[WORLD_NODES_MAX];
    struct plan_node *plans; /* in the plan's memory */
    const struct world_file *files;
    unsigned file_count;
    /* Chooses what a new process does; NULL: containers live on, everything else ends at once. */
    struct script (*script)(struct world *w, const struct spawn *s);
    /* Sees every process that starts. */
    void (*spawned)(struct world *w, const struct spawn *s);
    uint64_t spawns;
    /* What the network was told. */
    struct link_policy *links; /* [from * nodes + to] */
    bool node_up[WORLD_NODES_MAX], net_up[WORLD_NODES_MAX];
    int up_error;       /* of vfs_node_up */
    uint64_t run_limit; /* world_run ends the test beyond that many timer rounds */
    void *data;         /* the test's own */
};

/* `count` nodes named n0, n1, ... with a command, no restart, seed as given. */
struct world *world_create(uint32_t count, uint64_t seed);
void world_destroy(struct world *w);
/* director_boot. The plan must be complete. */
void world_boot(struct world *w);
/* Runs until virtual time `until` or the end of the universe. */
void world_run(struct world *w, vtime until);
/* The SDK message arrives. */
void world_setup_complete(struct world *w);

struct plan_node *world_plan(struct world *w, uint32_t node);
void world_depends(struct world *w, uint32_t node, uint32_t on, uint32_t condition, bool required);
void world_health(struct world *w, uint32_t node, const char *command);

static inline struct world *world_of(struct machine *m)
{
    extern struct world *the_world;
    return the_world;
}

/* --- records ---------------------------------------------------------------------------------- */

/* The next record of `type` behind `after` (NULL: from the start), or NULL. */
const struct fake_event *world_next(const struct world *w, const struct fake_event *after,
                                    enum event_type type);
/* Its JSON; fails the test if it is none. */
json_t *world_json(const struct fake_event *e);
const struct event *world_event(const struct fake_event *e);
/* Container events `what` of `name`: how many; *last is the time of the last one. */
unsigned world_count(const struct world *w, const char *name, const char *what, vtime *last);
/* Digest of all records. */
uint64_t world_digest(const struct world *w);

#endif
