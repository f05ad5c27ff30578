/* A scene: what one universe did up to a moment, and a little past it. Gathered in one pass over
 * its events; the story, the timeline and the log around the moment are drawn from it. */
#ifndef EVERETT_REPORT_SCENE_H
#define EVERETT_REPORT_SCENE_H

#include "report/describe.h"
#include "store/property.h"

struct report;
struct err;

struct scene_line {
    enum event_class class;
    uint64_t vtime_ns, seq;
    uint16_t node;
    uint32_t pid, command_id;
    char *text; /* owned, clean UTF-8 */
};

/* A stretch of time on one node's row, or on all rows (EVENT_NO_NODE). */
struct scene_span {
    uint64_t from_ns, to_ns;
    uint16_t node;
    unsigned lane; /* commands: 0 is the lowest free one */
    bool is_fault;
    bool is_down;    /* fault: the node does not run */
    bool is_open;    /* no end was seen */
    bool has_failed; /* command: ended by itself with another code than 0 */
    char *text;      /* owned */
    char *key;       /* what ends it: the composer's task; owned or NULL */
};

struct scene_dot {
    uint64_t vtime_ns;
    uint16_t node;
    bool holds;
    bool is_moment; /* the violation the scene is about */
    char *text;     /* owned */
};

struct scene {
    unsigned heading; /* level of the headings of its parts; 5 after scene_load */
    uint64_t universe;
    uint64_t moment_ns, moment_seq;
    uint64_t from_ns, to_ns; /* of the timeline: from set-up on */
    struct scene_line *log;  /* around the moment */
    size_t log_count, log_cap;
    uint64_t log_before, log_after; /* lines left out at each end of the window */
    struct scene_line *story;       /* faults, containers, commands, the violation */
    size_t story_count, story_cap;
    struct scene_span *spans;
    size_t span_count, span_cap;
    struct scene_dot *dots;
    size_t dot_count, dot_cap;
};

struct scene_limits {
    uint64_t around_ns;           /* log on each side of the moment */
    size_t before_max, after_max; /* lines of it */
    bool log_only;
};

/* 0, or -1 with `err`; the caller ends it with scene_fini in both cases. */
int scene_load(struct scene *sc, struct report *r, const struct property_example *x,
               const struct scene_limits *limits, struct err *err) must_check;
void scene_fini(struct scene *sc);

#endif
