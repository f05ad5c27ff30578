/* From a compose project and its images to the boot plan of a universe.
 *
 * The plan's seed, input_hash and preempt_mean_calls are left zero: all universes of a run share
 * the other bytes. Node i of the plan is container i of the project. */
#ifndef EVERETT_RUNNER_COMPOSE_PLAN_H
#define EVERETT_RUNNER_COMPOSE_PLAN_H

#include "base/err.h"
#include "runner/fault_config.h"
#include "runner/plan_builder.h"
#include "runner/system_images.h"

struct compose_project;
struct image_pins;
struct image_store;

struct compose_plan_request {
    const struct compose_project *project;
    const char *dir;           /* the compose directory: binds, configs and secrets lie below it */
    struct image_store *store; /* keeps packed binds */
    const struct image_pins *pins;         /* NULL: images are looked up by name */
    const char *libvoidstar, *stop_faults; /* host files, injected into every container */
    const struct fault_config *faults;
    const char *template_only; /* NULL: the composer chooses */
    uint64_t length_ns;        /* virtual */
    uint64_t setup_limit_ns;   /* virtual */
};

struct compose_plan {
    struct plan_builder builder;
    struct system_images images; /* in the order of the plan's images */
    char **warnings;             /* owned: what the file asks for and a universe does not do */
    size_t warning_count, warning_cap;
};

/* Everything is borrowed for the call. ERR_USAGE for what the user can mend; what the engine cannot
 * do yet is refused by name. After a failure only compose_plan_fini may follow. */
int compose_plan_build(struct compose_plan *cp, const struct compose_plan_request *r,
                       struct err *err) must_check;
void compose_plan_fini(struct compose_plan *cp);

#endif
