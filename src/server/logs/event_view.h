/* One event after another of a universe, as fields that people ask for and as the JSON of the API.
 *
 * A view is fed the events of one universe in order (it keeps the names of the test commands in
 * flight); everything else is computed from the current event when it is first asked for, so that a
 * search over millions of lines parses only what it must. Texts live until the next event. */
#ifndef EVERETT_SERVER_LOGS_EVENT_VIEW_H
#define EVERETT_SERVER_LOGS_EVENT_VIEW_H

#include <jansson.h>

#include "abi/event.h"
#include "base/buf.h"

struct store;
struct event_view;

struct text { /* not NUL-terminated; data NULL: the event has no such field */
    const char *data;
    size_t len;
};

enum event_field {
    FIELD_TEXT,      /* what the log shows: the line printed, or the event in words */
    FIELD_SOURCE,    /* source.name of the API: "etcd0", "fault_injector", ... */
    FIELD_CONTAINER, /* name */
    FIELD_STREAM,    /* "out", "error" */
    FIELD_COMMAND,   /* "main/parallel_driver_put" of a test command's line, start or end */
    FIELD_PROPERTY,  /* message of an assertion */
    FIELD_STATUS,    /* of an assertion: "holds", "violated" */
    FIELD_FAULT,     /* "partition", "kill", ... */
    FIELD_TYPE, /* "output", "assertion", "sdk", "command", "fault", "container", "crash", "engine"
                 */
    FIELD_FUNCTION, /* of an assertion's location */
    FIELD_FILE,
    FIELD_COUNT,
};

const char *event_field_name(enum event_field f); /* "text", ... */

struct event_view *event_view_create(struct store *s);
void event_view_destroy(struct event_view *v); /* accepts NULL */
/* A new universe begins. */
void event_view_begin(struct event_view *v, uint64_t universe, int64_t input_hash);
/* Makes `ev` (borrowed until the next call) the current one. False: it is none that people see
 * (forks, decisions, declarations), yet it must have been shown to the view. */
bool event_view_load(struct event_view *v, const struct event *ev);

const struct event *event_view_event(const struct event_view *v);
uint64_t event_view_universe(const struct event_view *v);
int64_t event_view_hash(const struct event_view *v);
struct text event_view_field(struct event_view *v, enum event_field f);
/* The event's JSON document, or NULL; borrowed. */
const json_t *event_view_doc(struct event_view *v);
/* One object as GET /logs writes it: moment, source, and the members of its kind. Appended without
 * a newline. */
void event_view_json(struct event_view *v, struct buf *b);

#endif
