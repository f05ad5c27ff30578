/* Values as bytes, for messages between the explorer and its workers (one program, one machine).
 * A reader that runs past the end yields zeroes and remembers it. */
#ifndef EVERETT_EXPLORER_WIRE_H
#define EVERETT_EXPLORER_WIRE_H

#include "base/buf.h"

struct property_set;

struct wire {
    const char *data; /* borrowed */
    size_t len, at;
    bool bad;
};

void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_str(struct buf *b, const char *s); /* NULL stays NULL */
uint64_t wire_u64(struct wire *w);
char *wire_str(struct wire *w); /* owned by the caller, or NULL */

void wire_put_set(struct buf *b, const struct property_set *set);
/* Initialises `set`; the caller frees it even when w->bad is set afterwards. */
void wire_set(struct wire *w, struct property_set *set);

#endif
