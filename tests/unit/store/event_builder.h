/* Builds event records as a universe would emit them. */
#ifndef EVERETT_TESTS_EVENT_BUILDER_H
#define EVERETT_TESTS_EVENT_BUILDER_H

#include "abi/event.h"
#include "base/buf.h"

struct event_builder {
    struct buf out; /* whole records */
    uint64_t seq;
    uint64_t vtime_ns;
};

void build_at(struct event_builder *b, uint64_t vtime_ns);
void build_record(struct event_builder *b, enum event_type type, uint16_t node, uint32_t pid,
                  const void *head, size_t head_len, const char *text);
void build_output(struct event_builder *b, uint16_t node, uint32_t pid, int stream,
                  uint32_t command_id, const char *line);
void build_sdk(struct event_builder *b, uint16_t node, uint32_t pid, uint32_t command_id,
               const char *json);
void build_json(struct event_builder *b, enum event_type type, uint16_t node, const char *json);
/* An assertion as the SDKs send it. `details` is JSON text. */
void build_assert(struct event_builder *b, uint16_t node, uint32_t pid, const char *message,
                  const char *type, bool must_hit, bool hit, bool condition, const char *details);
void build_exit(struct event_builder *b, uint16_t node, uint32_t pid, int signal, bool core,
                bool by_injector, const char *text);
void build_exec(struct event_builder *b, uint16_t node, uint32_t pid, const char *path);
void build_end(struct event_builder *b, enum event_end_reason reason, bool setup_complete,
               const char *text);

#endif
