/* Between the files of the containers. */
#ifndef EVERETT_DIRECTOR_CONTAINER_PRIV_H
#define EVERETT_DIRECTOR_CONTAINER_PRIV_H

struct container;
struct report;

/* A life cycle event with the container's id and name; the caller may add members and sends it. */
void container_event_open(struct report *r, const struct container *c, const char *event);
void container_event_send(struct report *r, const struct container *c);

/* Starts it after a drawn delay. */
void container_start_soon(struct container *c);

#endif
