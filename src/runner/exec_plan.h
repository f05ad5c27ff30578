/* The plan of `everett exec`: one node, one command. */
#ifndef EVERETT_RUNNER_EXEC_PLAN_H
#define EVERETT_RUNNER_EXEC_PLAN_H

#include "abi/plan.h"
#include "base/err.h"

struct hostimport;
struct image;
struct plan_builder;

struct exec_request {
    char *const *argv; /* NULL-terminated */
    char *const *env;  /* "K=V", NULL-terminated; on top of the image's or the default ones */
    const char *cwd;   /* NULL: the image's, or / */
    uint64_t seed;
    uint64_t duration_ns; /* 0: until the command ends */
    bool strace, no_patch, strict;
    uint32_t preempt_mean_calls;
    struct image *image; /* NULL: the host root through `import` */
    struct hostimport *import;
};

int exec_plan_build(struct plan_builder *b, const struct exec_request *r, struct err *err);

/* Adds an opened image's files; the strings and lists it refers to are in the plan. */
struct plan_image plan_image_of(struct plan_builder *b, const struct image *image,
                                const char *name);

/* Values every plan shares: modelled costs, clock, machine size. */
void plan_set_defaults(struct plan *p, uint64_t seed);

#endif
