/* Reads one universe's events and judges them: SDK assertions, guidance and catalogues, the
 * built-in rules, and notes about what Everett does not cover. */
#ifndef EVERETT_STORE_INGEST_H
#define EVERETT_STORE_INGEST_H

#include "abi/event.h"
#include "store/property.h"

struct ingest;

/* `nodes` names the nodes by their index in the plan; borrowed for the ingest's life. */
struct ingest *ingest_create(uint64_t universe, const char *const *nodes, size_t node_count);
void ingest_destroy(struct ingest *in); /* accepts NULL */

/* In order, each once. The record must be well-formed (event_log.h); it is borrowed. */
void ingest_event(struct ingest *in, const struct event *ev);
/* After the last event. `engine_error` is the runner's own account when the universe has no
 * EVENT_END record (its process died), else NULL; a missing record counts as an engine error. */
void ingest_finish(struct ingest *in, const char *engine_error);

const struct property_set *ingest_set(const struct ingest *in);
/* The EVENT_END record, or NULL; `*text` gets its text (NUL-terminated, maybe empty). */
const struct event_end *ingest_end(const struct ingest *in, const char **text);
uint64_t ingest_last_vtime_ns(const struct ingest *in);
bool ingest_has_setup_complete(const struct ingest *in); /* an antithesis_setup was seen */

/* The ids under which built-in rules appear, so that others can find them. */
#define RULE_COMMAND_ZERO "Commands finish with zero exit code"
#define RULE_COMMAND_ONCE "Every test command exits 0 at least once"
#define RULE_CONTAINER    "No unexpected container exits"
#define RULE_CRASH        "No unexpected crashes"
#define RULE_SETUP        "Set-up completed"
#define RULE_ENGINE       "No engine errors"

#endif
