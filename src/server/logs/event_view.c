#include "server/logs/event_view.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/describe.h"
#include "report/text.h"
#include "store/hide.h"
#include "store/json_lenient.h"
#include "store/moment.h"
#include "store/store.h"

struct command_name {
    uint32_t id;
    char *path; /* owned: "main/parallel_driver_put" */
};

struct event_view {
    struct store *store; /* borrowed */
    uint64_t universe;
    int64_t input_hash;
    struct command_name *commands; /* of this universe, by id, ascending */
    size_t command_count, command_cap;

    const struct event *ev;
    bool is_described;
    struct description d;
    struct buf source; /* scratch of FIELD_SOURCE */
};

const char *event_field_name(enum event_field f)
{
    static const char *const names[FIELD_COUNT] = {
        [FIELD_TEXT] = "text",         [FIELD_SOURCE] = "source",   [FIELD_CONTAINER] = "container",
        [FIELD_STREAM] = "stream",     [FIELD_COMMAND] = "command", [FIELD_PROPERTY] = "property",
        [FIELD_STATUS] = "status",     [FIELD_FAULT] = "fault",     [FIELD_TYPE] = "type",
        [FIELD_FUNCTION] = "function", [FIELD_FILE] = "file"};
    return f < FIELD_COUNT ? names[f] : NULL;
}

struct event_view *event_view_create(struct store *s)
{
    struct event_view *v = mem_zalloc(sizeof *v);
    v->store = s;
    description_init(&v->d);
    return v;
}

static void forget_commands(struct event_view *v)
{
    for (size_t i = 0; i < v->command_count; i++) {
        free(v->commands[i].path);
    }
    v->command_count = 0;
}

void event_view_destroy(struct event_view *v)
{
    if (v) {
        forget_commands(v);
        free(v->commands);
        description_fini(&v->d);
        buf_free(&v->source);
        free(v);
    }
}

void event_view_begin(struct event_view *v, uint64_t universe, int64_t input_hash)
{
    forget_commands(v);
    v->universe = universe;
    v->input_hash = input_hash;
    v->ev = NULL;
}

static void describe(struct event_view *v)
{
    if (!v->is_described) {
        describe_event(v->store, v->ev, &v->d);
        v->is_described = true;
    }
}

/* --- test commands ---------------------------------------------------------------------------- */

static void note_command(struct event_view *v)
{
    int64_t id;
    describe(v);
    const char *path = json_text_member(v->d.doc, "command");
    const char *status = json_text_member(v->d.doc, "task_status");
    if (path && status && strcmp(status, "started") == 0 &&
        json_to_i64(json_object_get(v->d.doc, "command_id"), &id) && id > 0 && id <= UINT32_MAX &&
        (!v->command_count || v->commands[v->command_count - 1].id < id)) {
        struct command_name *c = ARRAY_PUSH(v->commands, v->command_count, v->command_cap);
        *c = (struct command_name){(uint32_t)id, mem_strdup(path)};
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = ((const struct command_name *)a)->id, y = ((const struct command_name *)b)->id;
    return (x > y) - (x < y);
}

static const char *command_path(const struct event_view *v, uint32_t id)
{
    const struct command_name key = {.id = id};
    const struct command_name *c =
        id && v->command_count
            ? bsearch(&key, v->commands, v->command_count, sizeof key, compare_ids)
            : NULL;
    return c ? c->path : NULL;
}

/* --- the current event ------------------------------------------------------------------------ */

static struct event_output output_head(const struct event *ev)
{
    struct event_output head = {0};
    memcpy(&head, ev->payload, min_u64(ev->length, sizeof head));
    return head;
}

bool event_view_load(struct event_view *v, const struct event *ev)
{
    if (v->is_described) {
        description_fini(&v->d);
        description_init(&v->d);
        v->is_described = false;
    }
    v->ev = ev;
    switch (ev->type) {
    case EVENT_OUTPUT:
        return ev->length >= sizeof(struct event_output) && !hide_is_hidden(ev);
    case EVENT_COMPOSER:
        note_command(v);
        return true;
    case EVENT_SDK:
    case EVENT_PROCESS:
        describe(v);
        return v->d.class != CLASS_SILENT;
    case EVENT_FAULT:
    case EVENT_CONTAINER:
    case EVENT_UNKNOWN:
    case EVENT_DIAGNOSTIC:
    case EVENT_END:
        return true;
    default:
        return false;
    }
}

const struct event *event_view_event(const struct event_view *v)
{
    return v->ev;
}

uint64_t event_view_universe(const struct event_view *v)
{
    return v->universe;
}

int64_t event_view_hash(const struct event_view *v)
{
    return v->input_hash;
}

/* Lines that programs print as JSON count as documents too. */
const json_t *event_view_doc(struct event_view *v)
{
    const size_t head = sizeof(struct event_output);
    describe(v);
    if (!v->d.doc && v->ev->type == EVENT_OUTPUT && v->ev->length > head &&
        v->ev->payload[head] == '{') {
        bool cut;
        v->d.doc = json_lenient((const char *)v->ev->payload + head, v->ev->length - head, &cut);
    }
    return v->d.doc;
}

/* --- fields ----------------------------------------------------------------------------------- */

static struct text text_of(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}

static const char *node_of(const struct event_view *v)
{
    const char *name = store_node_name(v->store, v->ev->node);
    return *name ? name : NULL;
}

/* Names of sources are the platform's (API: event stream format). */
static const char *source_of(struct event_view *v)
{
    const struct event *ev = v->ev;
    const char *node = node_of(v), *path = NULL;
    switch (ev->type) {
    case EVENT_OUTPUT:
        path = command_path(v, output_head(ev).command_id);
        if (output_head(ev).is_probe) {
            return "health";
        }
        if (!path) {
            return node;
        }
        buf_reset(&v->source);
        buf_printf(&v->source, "antithesis/pods/%s/commands/%s.%s", node ? node : "", path,
                   output_head(ev).stream == 2 ? "err" : "out");
        return v->source.data;
    case EVENT_SDK:
        return node;
    case EVENT_COMPOSER: {
        const char *name = json_text_member(json_object_get(event_view_doc(v), "source"), "name");
        return name ? name : "antithesis_test_composer";
    }
    case EVENT_FAULT:
        return "fault_injector";
    case EVENT_CONTAINER:
        return "containers_meta";
    case EVENT_PROCESS:
        return "processes_terminated_with_signal";
    default:
        return "everett";
    }
}

static const char *type_of(struct event_view *v)
{
    static const char *const names[] = {
        [EVENT_OUTPUT] = "output",       [EVENT_COMPOSER] = "command", [EVENT_FAULT] = "fault",
        [EVENT_CONTAINER] = "container", [EVENT_PROCESS] = "crash",    [EVENT_UNKNOWN] = "engine",
        [EVENT_DIAGNOSTIC] = "engine",   [EVENT_END] = "engine"};
    if (v->ev->type == EVENT_SDK) {
        return json_object_get(event_view_doc(v), "antithesis_assert") ? "assertion" : "sdk";
    }
    return v->ev->type < ARRAY_LEN(names) ? names[v->ev->type] : NULL;
}

static const json_t *assertion(struct event_view *v)
{
    return v->ev->type == EVENT_SDK ? json_object_get(event_view_doc(v), "antithesis_assert")
                                    : NULL;
}

static const char *status_of(struct event_view *v)
{
    if (!assertion(v)) {
        return NULL;
    }
    describe(v);
    return v->d.class == CLASS_VIOLATION ? "violated" : "holds";
}

static const char *command_of(struct event_view *v)
{
    return v->ev->type == EVENT_OUTPUT     ? command_path(v, output_head(v->ev).command_id)
           : v->ev->type == EVENT_COMPOSER ? json_text_member(event_view_doc(v), "command")
                                           : NULL;
}

static struct text text_field(struct event_view *v)
{
    const size_t head = sizeof(struct event_output);
    if (v->ev->type == EVENT_OUTPUT) {
        return (struct text){(const char *)v->ev->payload + head, v->ev->length - head};
    }
    describe(v);
    return (struct text){v->d.text.data, v->d.text.len};
}

struct text event_view_field(struct event_view *v, enum event_field f)
{
    switch (f) {
    case FIELD_TEXT:
        return text_field(v);
    case FIELD_SOURCE:
        return text_of(source_of(v));
    case FIELD_CONTAINER:
        return text_of(node_of(v));
    case FIELD_STREAM:
        return text_of(v->ev->type != EVENT_OUTPUT      ? NULL
                       : output_head(v->ev).stream == 2 ? "error"
                                                        : "out");
    case FIELD_COMMAND:
        return text_of(command_of(v));
    case FIELD_PROPERTY:
        return text_of(json_text_member(assertion(v), "message"));
    case FIELD_STATUS:
        return text_of(status_of(v));
    case FIELD_FAULT:
        return text_of(v->ev->type == EVENT_FAULT
                           ? json_text_member(json_object_get(event_view_doc(v), "fault"), "name")
                           : NULL);
    case FIELD_TYPE:
        return text_of(type_of(v));
    case FIELD_FUNCTION:
        return text_of(json_text_member(json_object_get(assertion(v), "location"), "function"));
    case FIELD_FILE:
        return text_of(json_text_member(json_object_get(assertion(v), "location"), "file"));
    default:
        return (struct text){NULL, 0};
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void put_member(struct buf *b, const char *key, const char *value)
{
    if (value) {
        buf_printf(b, ",\"%s\":", key);
        buf_json_string(b, value, strlen(value));
    }
}

static void put_source(struct event_view *v, struct buf *b)
{
    const char *name = source_of(v);
    buf_puts(b, ",\"source\":{\"name\":");
    buf_json_string(b, name ? name : "", name ? strlen(name) : 0);
    if (v->ev->type != EVENT_FAULT) {
        put_member(b, "container", node_of(v));
    }
    put_member(b, "stream", event_view_field(v, FIELD_STREAM).data);
    if (v->ev->pid) {
        buf_printf(b, ",\"pid\":%" PRIu32, v->ev->pid);
    }
    uint32_t command =
        v->ev->type == EVENT_OUTPUT || v->ev->type == EVENT_SDK ? output_head(v->ev).command_id : 0;
    if (command) {
        buf_printf(b, ",\"command_id\":%" PRIu32, command);
    }
    buf_putc(b, '}');
}

/* The members of the event's own document; moment and source are ours. */
static void put_members(const json_t *doc, struct buf *b)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)doc, key, value)
    {
        if (strcmp(key, "moment") == 0 || strcmp(key, "source") == 0) {
            continue;
        }
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        if (text) {
            buf_putc(b, ',');
            buf_json_string(b, key, strlen(key));
            buf_putc(b, ':');
            buf_puts(b, text);
        }
        free(text);
    }
}

static void put_crash(struct event_view *v, struct buf *b)
{
    struct event_process p;
    cleanup_buf struct buf inner = {0};
    memcpy(&p, v->ev->payload, sizeof p);
    buf_puts(&inner, "{\"executable\":");
    buf_json_string(&inner, (const char *)v->ev->payload + sizeof p, v->ev->length - sizeof p);
    buf_printf(&inner, ",\"signal\":%u,\"pid\":%" PRIu32 "}", p.signal, v->ev->pid);
    put_member(b, "output_text", inner.data);
    buf_printf(b, ",\"signal\":%u", p.signal);
}

void event_view_json(struct event_view *v, struct buf *b)
{
    buf_puts(b, "{\"moment\":");
    moment_put_json(b, v->input_hash, v->ev->vtime_ns);
    put_source(v, b);
    const json_t *doc = v->ev->type == EVENT_OUTPUT ? NULL : event_view_doc(v);
    if (v->ev->type == EVENT_PROCESS) {
        put_crash(v, b);
    } else if (json_is_object(doc)) {
        put_members(doc, b);
    } else {
        struct text text = text_field(v);
        buf_puts(b, ",\"output_text\":");
        buf_json_string(b, text.data ? text.data : "", text.len);
    }
    buf_putc(b, '}');
}
