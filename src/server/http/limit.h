/* How often somebody may ask: a token bucket for each account, or address of nobody in particular.
 * A bucket holds a minute's worth, so that a burst is served and a flood is not. */
#ifndef EVERETT_SERVER_HTTP_LIMIT_H
#define EVERETT_SERVER_HTTP_LIMIT_H

#include "base/base.h"

#define LIMIT_BUCKETS 1024u

struct limit_bucket {
    uint64_t key;     /* 0: free */
    uint64_t used_ns; /* what was spent, in time that it takes to fill up again */
    uint64_t at_ns;   /* of the last look */
};
struct limit {
    struct limit_bucket buckets[LIMIT_BUCKETS];
};

/* Takes one of `per_minute` (0: no limit) from the bucket of `key` (not 0). Returns 0, or in how
 * many seconds to come again. `now_ns` is monotonic. The caller locks. */
unsigned limit_take(struct limit *l, uint64_t key, uint64_t per_minute, uint64_t now_ns);

#endif
