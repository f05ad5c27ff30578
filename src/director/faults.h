/* The fault injector: partitions, clogged links, paused, killed and stopped containers.
 *
 * Faults are on only after set-up, where the composer allows them and outside quiet periods; when
 * they go off, the network is restored and every paused, killed or stopped container comes back.
 * Each universe draws which kinds are active and how intense they are (swarm testing, Groce et al.
 * 2012), so that some universes are nearly calm and some wild. */
#ifndef EVERETT_DIRECTOR_FAULTS_H
#define EVERETT_DIRECTOR_FAULTS_H

#include "base/base.h"

struct machine;

/* Before the first container starts. */
void faults_boot(struct machine *m);
/* Set-up is complete: draws this universe's mix and turns faults on. */
void faults_begin(struct machine *m);
/* The composer's word; they are allowed at first. From timers only. */
void faults_allow(struct machine *m, bool allowed);

#endif
