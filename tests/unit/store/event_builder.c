/* Event records for tests. */
#include "event_builder.h"

#include <string.h>

void build_at(struct event_builder *b, uint64_t vtime_ns)
{
    ASSERT(vtime_ns >= b->vtime_ns);
    b->vtime_ns = vtime_ns;
}

void build_record(struct event_builder *b, enum event_type type, uint16_t node, uint32_t pid,
                  const void *head, size_t head_len, const char *text)
{
    size_t length = head_len + strlen(text);
    struct event ev = {.size = (uint32_t)round_up_u64(sizeof ev + length, 8),
                       .type = (uint16_t)type,
                       .node = node,
                       .vtime_ns = b->vtime_ns,
                       .seq = b->seq++,
                       .pid = pid,
                       .length = (uint32_t)length};
    static const char zeros[8];
    buf_append(&b->out, &ev, sizeof ev);
    buf_append(&b->out, head, head_len);
    buf_append(&b->out, text, strlen(text));
    buf_append(&b->out, zeros, ev.size - sizeof ev - length);
}

void build_output(struct event_builder *b, uint16_t node, uint32_t pid, int stream,
                  uint32_t command_id, const char *line)
{
    struct event_output head = {.stream = (uint8_t)stream, .command_id = command_id};
    build_record(b, EVENT_OUTPUT, node, pid, &head, sizeof head, line);
}

void build_sdk(struct event_builder *b, uint16_t node, uint32_t pid, uint32_t command_id,
               const char *json)
{
    struct event_output head = {.command_id = command_id};
    build_record(b, EVENT_SDK, node, pid, &head, sizeof head, json);
}

void build_json(struct event_builder *b, enum event_type type, uint16_t node, const char *json)
{
    build_record(b, type, node, 0, "", 0, json);
}

void build_assert(struct event_builder *b, uint16_t node, uint32_t pid, const char *message,
                  const char *type, bool must_hit, bool hit, bool condition, const char *details)
{
    cleanup_buf struct buf json = {0};
    buf_puts(&json, "{\"antithesis_assert\":{\"id\":");
    buf_json_string(&json, message, strlen(message));
    buf_puts(&json, ",\"message\":");
    buf_json_string(&json, message, strlen(message));
    buf_printf(&json, ",\"hit\":%s,\"must_hit\":%s,\"condition\":%s,\"assert_type\":\"%s\"",
               hit ? "true" : "false", must_hit ? "true" : "false", condition ? "true" : "false",
               type);
    buf_puts(&json, ",\"location\":{\"class\":\"\",\"function\":\"main\",\"file\":\"/app/x.py\","
                    "\"begin_line\":42,\"begin_column\":0}");
    buf_printf(&json, ",\"details\":%s}}", details ? details : "null");
    build_sdk(b, node, pid, 0, json.data);
}

void build_exit(struct event_builder *b, uint16_t node, uint32_t pid, int signal, bool core,
                bool by_injector, const char *text)
{
    struct event_process head = {.kind = PROCESS_EXIT,
                                 .core_signal = core,
                                 .signal = (uint16_t)signal,
                                 .by_injector = by_injector};
    build_record(b, EVENT_PROCESS, node, pid, &head, sizeof head, text);
}

void build_exec(struct event_builder *b, uint16_t node, uint32_t pid, const char *path)
{
    struct event_process head = {.kind = PROCESS_EXEC};
    build_record(b, EVENT_PROCESS, node, pid, &head, sizeof head, path);
}

void build_end(struct event_builder *b, enum event_end_reason reason, bool setup_complete,
               const char *text)
{
    struct event_end head = {.reason = reason,
                             .setup_complete = setup_complete,
                             .digest = {0x1122334455667788u, b->seq},
                             .calls = b->seq * 97,
                             .switches = b->seq * 13};
    build_record(b, EVENT_END, EVENT_NO_NODE, 0, &head, sizeof head, text);
}
