/* Counts of the HTTP server since it started, for /metrics. */
#ifndef EVERETT_SERVER_HTTP_STATS_H
#define EVERETT_SERVER_HTTP_STATS_H

#include "base/base.h"

#define STATS_FAMILIES 4u /* enum http_family */
#define STATS_STATUSES 600u
#define STATS_BOUNDS   7u

struct http_server;

struct http_stats {
    uint64_t answers[STATS_FAMILIES][STATS_STATUSES]; /* by status; 0: cut before an answer */
    /* Of answers that are not live streams: those that took at most stats_bounds_s[i]. */
    uint64_t within[STATS_FAMILIES][STATS_BOUNDS];
    uint64_t timed[STATS_FAMILIES];
    double seconds[STATS_FAMILIES];
    uint64_t sent, received; /* bytes of bodies */
    uint64_t too_slow;       /* connections that the limits in time ended */
    unsigned connections, active;
};

extern const double stats_bounds_s[STATS_BOUNDS];

/* A copy at one moment. */
void http_stats_get(struct http_server *h, struct http_stats *out);

#endif
