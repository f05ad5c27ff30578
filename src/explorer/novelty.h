/* Behaviours: what a universe did, as a set of hashes. A run counts the distinct ones of all its
 * universes; that number does not depend on the order in which universes finish.
 *
 * A behaviour is the shape of a line that a service printed (numbers and identifiers left out), an
 * outcome of a property, a way in which a container or a command ended, or a kind of fault that hit
 * a node. */
#ifndef EVERETT_EXPLORER_NOVELTY_H
#define EVERETT_EXPLORER_NOVELTY_H

#include "abi/event.h"
#include "base/base.h"

struct property_set;

struct novelty {
    uint64_t *table; /* owned; open addressing, 0 is free */
    size_t count, cap;
};

/* More shapes than this of one universe are not counted: lines of pure noise. */
#define NOVELTY_UNIVERSE_MAX 20000u

void novelty_fini(struct novelty *n);
/* True when it was not there before. */
bool novelty_add(struct novelty *n, uint64_t behaviour);
void novelty_event(struct novelty *n, const struct event *e);
void novelty_properties(struct novelty *n, const struct property_set *set);

#endif
