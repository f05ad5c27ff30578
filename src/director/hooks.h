/* What the parts of the director tell each other. */
#ifndef EVERETT_DIRECTOR_HOOKS_H
#define EVERETT_DIRECTOR_HOOKS_H

#include <stdint.h>

struct machine;

/* The first antithesis_setup "complete" arrived: commands and faults may begin. Called once. */
void director_setup_completed(struct machine *m);

/* No faults from now on for `ns`; overlapping requests merge to the largest. */
void faults_quiet(struct machine *m, uint64_t ns);

struct branch *director_branch(struct machine *m);

#endif
