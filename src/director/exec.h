/* `everett exec`: a universe of one command. */
#ifndef EVERETT_DIRECTOR_EXEC_H
#define EVERETT_DIRECTOR_EXEC_H

struct machine;

void exec_boot(struct machine *m);

#endif
