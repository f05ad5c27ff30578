#include "server/http/limit.h"

#define MINUTE_NS 60000000000u

static uint64_t still_used(const struct limit_bucket *b, uint64_t now_ns)
{
    uint64_t passed = now_ns - b->at_ns;
    return b->used_ns > passed ? b->used_ns - passed : 0;
}

/* The key's bucket, or the one that tells least: free or full again, else the fullest. */
static struct limit_bucket *find(struct limit *l, uint64_t key, uint64_t now_ns)
{
    struct limit_bucket *best = &l->buckets[0];
    for (size_t i = 0; i < LIMIT_BUCKETS; i++) {
        struct limit_bucket *b = &l->buckets[i];
        if (b->key == key) {
            return b;
        }
        if (still_used(b, now_ns) < still_used(best, now_ns)) {
            best = b;
        }
    }
    *best = (struct limit_bucket){.key = key, .at_ns = now_ns};
    return best;
}

unsigned limit_take(struct limit *l, uint64_t key, uint64_t per_minute, uint64_t now_ns)
{
    if (per_minute == 0) {
        return 0;
    }
    struct limit_bucket *b = find(l, key, now_ns);
    uint64_t cost = MINUTE_NS / per_minute, used = still_used(b, now_ns);
    b->at_ns = now_ns;
    b->used_ns = used;
    if (used + cost > MINUTE_NS) {
        uint64_t wait = used + cost - MINUTE_NS;
        return (unsigned)((wait + 999999999u) / 1000000000u);
    }
    b->used_ns = used + cost;
    return 0;
}
