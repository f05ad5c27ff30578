/* The last lines of every container, for the message of a set-up that failed. */
#ifndef EVERETT_EXPLORER_LAST_WORDS_H
#define EVERETT_EXPLORER_LAST_WORDS_H

#include "abi/event.h"
#include "base/buf.h"

#define LAST_WORDS_LINES 8u
#define LAST_WORDS_BYTES 400u /* of a line */

struct last_words;

/* `names` by node; borrowed. */
struct last_words *last_words_create(const char *const *names, size_t count);
void last_words_destroy(struct last_words *l); /* accepts NULL */
void last_words_event(struct last_words *l, const struct event *e);
/* "counter0 exited with code 1; its last lines:\n  ..." for every container that ended by itself;
 * when none did, the last lines of all. */
void last_words_tell(const struct last_words *l, struct buf *out);

#endif
