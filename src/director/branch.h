/* A branch of a history (struct plan_branch): everything happens as in the plan without it until
 * the moment has passed; then a command starts in a container that is up, and the universe ends
 * with it. Composer and faults go on meanwhile: what they draw is what they would have drawn. */
#ifndef EVERETT_DIRECTOR_BRANCH_H
#define EVERETT_DIRECTOR_BRANCH_H

#include "kernel/time/timer.h"

struct machine;

struct branch {
    struct timer begin;
    struct timer timeout;
};

/* Once, before anything runs. */
void branch_boot(struct machine *m);
/* A branch is still to come or runs: nothing else ends the universe early. */
bool branch_is_open(struct machine *m);

#endif
