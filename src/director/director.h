/* The director: brings containers up, runs the composer and plans faults, all in virtual time and
 * from named streams. */
#ifndef EVERETT_DIRECTOR_DIRECTOR_H
#define EVERETT_DIRECTOR_DIRECTOR_H

struct machine;

/* Called once after machine_boot: creates the containers of the plan (or the one command of
 * `exec`). They start in timers, so the caller goes on to schedule. */
void director_boot(struct machine *m);

#endif
