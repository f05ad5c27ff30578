/* The composer: finds the test commands in the containers, chooses one template and takes it
 * through its states (docs/composer.md). Without templates it does nothing and the universe just
 * runs. */
#ifndef EVERETT_DIRECTOR_COMPOSER_H
#define EVERETT_DIRECTOR_COMPOSER_H

struct machine;

/* Set-up is complete and the fault injector has begun. From timers only. */
void composer_begin(struct machine *m);
/* A container came up, went down or runs again after a pause: what was waiting may go on. */
void composer_poke(struct machine *m);

#endif
