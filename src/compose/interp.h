/* Variables, and `${VAR}` in values (compose specification, "Interpolation"). The shell's
 * environment never enters: a variable comes from `.env` beside the compose file or from the
 * project itself. */
#ifndef EVERETT_COMPOSE_INTERP_H
#define EVERETT_COMPOSE_INTERP_H

#include "compose/diag.h"

struct pool;
struct ynode;

struct env_entry {
    char *name;
    char *value; /* NULL: named without a value */
};

/* In order of first appearance; a later value replaces an earlier one in place. */
struct env {
    struct env_entry *v;
    size_t n, cap;
};

const struct env_entry *env_find(const struct env *env, const char *name);
/* Copies both strings into `pool`; `value` may be NULL. */
void env_put(struct pool *pool, struct env *env, const char *name, const char *value);

enum {
    INTERP_BYTES_MAX = 16 << 20, /* all text made by one load */
    INTERP_DEPTH_MAX = 16,       /* ${A:-${B:-...}} */
};

struct interp {
    struct pool *pool;
    struct diags *diags;
    const struct env *first, *second; /* looked up in this order; either may be NULL */
    int depth;                        /* of the nesting being expanded, against INTERP_DEPTH_MAX */
    uint64_t produced;                /* bytes so far, against INTERP_BYTES_MAX */
};

/* `text` with its variables replaced (`text` itself when there are none), NULL after an error at
 * `at`. An unset variable without a default is empty and warned about. */
const char *interpolate(struct interp *in, struct mark at, const char *text);
/* Interpolates every value (not key) below `node` in place, each shared node once. */
void interpolate_tree(struct interp *in, struct ynode *node);

#endif
