/* The director: brings containers up, runs the composer and plans faults, all in virtual time and
 * from named streams. */
#ifndef EVERETT_DIRECTOR_DIRECTOR_H
#define EVERETT_DIRECTOR_DIRECTOR_H

struct machine;

/* Called once after machine_boot: starts the first containers of the plan. */
void director_boot(struct machine *m);

#endif
