/* Compose files that name others: `extends` of a service, `include` of a whole file. */
#ifndef EVERETT_COMPOSE_INCLUDE_H
#define EVERETT_COMPOSE_INCLUDE_H

#include "compose/read.h"

/* Fills in the root's variables, then replaces every service that extends another by the merged
 * mapping and takes over the sections of included files. The keys stay, for the notes. Returns -1
 * after reporting errors. */
int include_resolve(struct reader *r);
/* Copies a text into the project's pool, for messages that point into it. */
const struct source *include_keep_source(struct pool *pool, const char *name, const char *text,
                                         size_t len);

#endif
