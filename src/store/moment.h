/* Moments: the address of a point in a history, {input_hash, virtual time}, and the three ways
 * virtual time is written. Internally time is nanoseconds since boot. */
#ifndef EVERETT_STORE_MOMENT_H
#define EVERETT_STORE_MOMENT_H

#include "base/err.h"

struct buf;

struct moment {
    int64_t input_hash; /* hash of every decision up to here; 0 with vtime 0: no moment */
    uint64_t vtime_ns;
};

#define VTIME_TEXT_MAX  40
#define MOMENT_TEXT_MAX 64

/* Ticks of 2^-32 s, nearest; vtime_from_ticks(vtime_ticks(t)) == t below 2^32 s. */
uint64_t vtime_ticks(uint64_t vtime_ns);
uint64_t vtime_from_ticks(uint64_t ticks);
/* "398.4898056755774": ticks / 2^32 as the shortest decimal that reads back as the same double,
 * never with an exponent. The form of every JSON output. */
void vtime_json(uint64_t vtime_ns, char out[static VTIME_TEXT_MAX]);
/* "00:00:18.402" for people; truncated, so that it never names a later moment. */
void vtime_clock(uint64_t vtime_ns, char out[static VTIME_TEXT_MAX]);
/* "18.402": exact nanoseconds without trailing zeros, for command lines. */
void vtime_seconds(uint64_t vtime_ns, char out[static VTIME_TEXT_MAX]);
/* "7402112918@18.402" */
void moment_text(const struct moment *m, char out[static MOMENT_TEXT_MAX]);
/* {"input_hash":"7402112918","vtime":"18.402"}: the form of every JSON output. Appended. */
void moment_put_json(struct buf *b, int64_t input_hash, uint64_t vtime_ns);
/* Reads HASH@SECONDS in any of the forms above (seconds to the nearest nanosecond). */
int moment_parse(const char *text, struct moment *out, struct err *err) must_check;

#endif
