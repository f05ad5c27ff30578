/* The same history without the failure: of the universes of a run, the one that has most in common
 * with a failing history and in which the property was judged and did not fail. */
#ifndef EVERETT_REPORT_COUNTERPART_H
#define EVERETT_REPORT_COUNTERPART_H

#include "report/scene.h"

struct report_property;

#define COUNTERPART_COMMON_MAX 4u  /* lines before the first difference */
#define COUNTERPART_LINES_MAX  60u /* of each side from there on */

struct counterpart_side {
    struct scene_line *lines; /* owned, with their texts */
    size_t count, cap;
    uint64_t left_out; /* lines behind those, up to a little past the failure */
};

struct counterpart {
    uint64_t universe;    /* the one without the failure */
    uint64_t differs_ns;  /* time of the first record that differs */
    uint64_t differs_seq; /* its position in both */
    bool has_common_past; /* it branches from the same history; else it began with other choices */
    struct counterpart_side common, failing, other;
};

/* 1 and `out`, 0 when none was seen, -1 with `err`. The caller ends it with counterpart_fini in
 * every case. Reads the events of a few universes. */
int counterpart_find(struct counterpart *out, struct report *r, const struct report_property *rp,
                     const struct property_example *x, struct err *err) must_check;
void counterpart_fini(struct counterpart *c);

#endif
