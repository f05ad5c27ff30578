/* Processes in a container: its own program, health checks, test commands. */
#ifndef EVERETT_DIRECTOR_LAUNCH_H
#define EVERETT_DIRECTOR_LAUNCH_H

#include "abi/plan.h"

struct machine;
struct node;
struct process;
struct spawn;

/* The strings of a plan list as a NULL-terminated array; the caller frees it (kfree). */
const char **plan_strings(struct machine *m, struct plan_list list);

/* Spawns `s` with the container's environment, working directory, user, groups and an empty
 * standard input; the caller has set node, argv, output and what to call at the end. */
struct process *launch(struct spawn *s);

/* SIGKILL to the process group of `p`, whose end then counts as the injector's doing. */
void launch_kill(struct process *p);

#endif
