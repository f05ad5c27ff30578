/* A compose directory made ready: read, its images open, its plan built. Shared by run and
 * validate. */
#ifndef EVERETT_CLI_SYSTEM_H
#define EVERETT_CLI_SYSTEM_H

#include "cli/cli.h"
#include "compose/compose.h"
#include "runner/compose_plan.h"
#include "runner/image_pins.h"
#include "runner/test_commands.h"

struct system_request {
    const char *dir;
    const struct cli_list *profiles;
    const char *template_only; /* NULL: any */
    const char *faults;        /* file, "none", or NULL: the default ones */
    const char *images;        /* file of runner/image_pins.h, or NULL */
    uint64_t length_ns, setup_limit_ns;
};

struct system_ready {
    struct image_store *store;
    struct compose_project *project;
    struct fault_config faults;
    struct image_pins pins;
    struct compose_plan plan;
    struct test_commands commands;
};

/* Until the compose file is read; *out can be freed afterwards in every case. With keep_partial a
 * project with errors is handed out beside them. */
int system_load(struct system_ready *out, const struct system_request *r, bool keep_partial,
                struct err *err) must_check;
/* The rest. */
int system_build(struct system_ready *s, const struct system_request *r,
                 struct err *err) must_check;
void system_fini(struct system_ready *s);

#endif
