/* One event in words: the same sentence in the log, the story and the timeline's tooltips. */
#ifndef EVERETT_REPORT_DESCRIBE_H
#define EVERETT_REPORT_DESCRIBE_H

#include <jansson.h>

#include "abi/event.h"
#include "base/buf.h"

struct store;

enum event_class {
    CLASS_SILENT = 0, /* not shown to people */
    CLASS_OUT,        /* a line on standard output */
    CLASS_ERR,        /* a line on standard error */
    CLASS_ASSERT,     /* an evaluation that holds */
    CLASS_VIOLATION,  /* an evaluation that is false */
    CLASS_SDK,        /* set-up, guidance, user events */
    CLASS_COMMAND,    /* the composer starts or ends a command, or says something */
    CLASS_FAULT,
    CLASS_CONTAINER,
    CLASS_CRASH,
    CLASS_ENGINE, /* unknown calls, diagnostics, the end */
};

struct description {
    enum event_class class;
    struct buf text; /* clean UTF-8, one or more lines */
    char *assert_id; /* identity of the property, for CLASS_ASSERT and CLASS_VIOLATION; or NULL */
    json_t *doc;     /* the event's JSON, or NULL */
};

#define DESCRIPTION_LINE_MAX 2000u /* bytes of a log line that are shown */

void description_init(struct description *d);
void description_fini(struct description *d);
/* Fills a freshly initialised description. */
void describe_event(const struct store *s, const struct event *ev, struct description *d);
/* "replica1 is killed", "network partition: a | b, c; packets are dropped, for up to 10.0 s" */
void describe_fault(const json_t *fault, struct buf *b);
/* CSS class of a log line. */
const char *event_class_name(enum event_class c);

#endif
