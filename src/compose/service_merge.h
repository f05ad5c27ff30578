/* One service's mapping over another's, as `extends` asks (Compose specification, "Merge"). */
#ifndef EVERETT_COMPOSE_SERVICE_MERGE_H
#define EVERETT_COMPOSE_SERVICE_MERGE_H

struct pool;
struct ynode;

/* A new mapping in `pool`; neither argument changes (nodes may be shared by aliases). What is of an
 * unexpected kind is taken from `over` as it stands, for the reader to complain about. */
struct ynode *service_merge(struct pool *pool, const struct ynode *base, const struct ynode *over);

#endif
