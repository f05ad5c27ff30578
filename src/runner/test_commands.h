/* Test commands in the images of a system: /opt/antithesis/test/v1/TEMPLATE/PREFIX_NAME. Found and
 * checked in the image index, without running anything. */
#ifndef EVERETT_RUNNER_TEST_COMMANDS_H
#define EVERETT_RUNNER_TEST_COMMANDS_H

#include "base/base.h"

#define TEST_COMMANDS_DIR "/opt/antithesis/test/v1"

struct compose_project;
struct system_images;

struct test_command {
    char *template, *name; /* owned */
    char *container;       /* owned: the first container that holds it */
};

/* A problem stops the command from ever running; a remark is worth knowing. */
struct test_finding {
    bool is_problem;
    char *text; /* owned: "service client1: /opt/...: not executable" */
    char *hint; /* owned or NULL */
};

struct test_commands {
    struct test_command *commands; /* owned; ordered by template, name; each once */
    size_t count, cap;
    struct test_finding *findings; /* owned; in the order of containers and names */
    size_t finding_count, finding_cap;
};

/* Every active container's image must be open in `images`. */
void test_commands_find(struct test_commands *t, const struct compose_project *project,
                        const struct system_images *images);
void test_commands_fini(struct test_commands *t);
bool test_commands_has_template(const struct test_commands *t, const char *name);

#endif
