/* What a run that goes on has done already. */
#ifndef EVERETT_EXPLORER_RESUME_H
#define EVERETT_EXPLORER_RESUME_H

#include "base/err.h"

struct novelty;
struct store;

struct resumed {
    uint64_t universes, setups, virtual_ns, engine_errors;
    uint64_t wall_ns;     /* spent, as the last progress row says */
    uint64_t next_number; /* behind the highest that was stored */
    uint64_t digest[2];   /* of universe 0, or zeros */
};

/* Of a store opened for writing; all zeros for a new one. `seen` gets the behaviours of the stored
 * universes, for which their events are read once. */
int resume_read(struct store *s, struct resumed *out, struct novelty *seen,
                struct err *err) must_check;

#endif
