/* The logs explorer: a search over all histories of a run, as a list of events or as one row a
 * history; and the page of any moment of any history. */
#ifndef EVERETT_SERVER_PAGES_LOGS_H
#define EVERETT_SERVER_PAGES_LOGS_H

#include "server/logs/search.h"
#include "server/pages/frame.h"

#define LOGS_HISTORIES_MAX 60u /* shown on one page */
#define LOGS_EVENTS_MAX    5u  /* shown of one of them, in the list */
#define LOGS_DOTS_MAX      200u

struct logs_model {
    const char *run_id, *title; /* borrowed */
    const char *text;           /* the query as typed or canonical; "" : none yet */
    const char *error;          /* what is wrong with it, or NULL */
    const char *hint;
    bool is_tree, is_running;
    bool is_part;        /* only the results: for the script that goes on */
    uint64_t from;       /* universe that the search began at */
    uint64_t longest_ns; /* of all histories: the scale of the rows */
    uint64_t universes;  /* the run has so far */
    /* What was found: the markup of the histories, and the counts. */
    struct buf hits;
    struct search_result result;
};

/* The event's line or dot, into m->hits. */
void logs_history_open(struct logs_model *m, uint64_t universe, int64_t input_hash);
void logs_event(struct logs_model *m, struct event_view *v);
void logs_history_close(struct logs_model *m, uint64_t universe, uint64_t events);
void logs_html(struct buf *b, const struct logs_model *m);

extern const struct http_route logs_routes[];
extern const size_t logs_route_count;

#endif
