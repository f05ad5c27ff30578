/* JSON records of the director: containers, composer, fault injector. */
#ifndef EVERETT_DIRECTOR_REPORT_H
#define EVERETT_DIRECTOR_REPORT_H

#include "abi/event.h"
#include "kernel/trace/trace.h"

struct machine;
struct node;

/* A record being written: fill `json`, whose object is already open. */
struct report {
    struct machine *m;
    struct json json;
};

void report_open(struct report *r, struct machine *m);
/* Closes the object, emits it and frees the buffer. node may be NULL; pid 0: not a process. */
void report_send(struct report *r, enum event_type type, const struct node *node, uint32_t pid);

/* "key":"123": this vocabulary has numbers as strings. */
void report_number(struct report *r, const char *key, uint64_t v);
/* The container's 64-digit id and its name. */
void report_container(struct report *r, const struct node *n, const char *id_key,
                      const char *name_key);
/* {"message":"..."} of the composer. */
void report_message(struct machine *m, const struct node *node, const char *fmt, ...)
    printf_like(3, 4);

#endif
