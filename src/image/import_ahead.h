/* The runner's side of the answers given ahead (abi/import.h). */
#ifndef EVERETT_IMAGE_IMPORT_AHEAD_H
#define EVERETT_IMAGE_IMPORT_AHEAD_H

#include "abi/import.h"
#include "base/base.h"

/* `slots` repeats what is in the area: guests may have scribbled there, so it is only written, but
 * for `taken`, which is no more than a hint. */
struct import_ahead_writer {
    unsigned char *area; /* borrowed, IMPORT_AHEAD_BYTES; NULL: there is none */
    uint64_t used;
    uint32_t count;
    uint32_t slots[IMPORT_AHEAD_SLOTS];
};

/* `area` is zeroed and aligned to a page. */
void import_ahead_init(struct import_ahead_writer *w, void *area);
/* Where the answer is from now on, or 0 when there is no room. The question must be new. */
uint64_t import_ahead_put(struct import_ahead_writer *w, const struct import_request *q,
                          const struct import_response *r);
bool import_ahead_taken(const struct import_ahead_writer *w, uint64_t at);

#endif
