/* One event in words. */
#include "report/describe.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/text.h"
#include "store/hide.h"
#include "store/json_lenient.h"
#include "store/store.h"

void description_init(struct description *d)
{
    *d = (struct description){0};
}

void description_fini(struct description *d)
{
    buf_free(&d->text);
    free(d->assert_id);
    json_decref(d->doc);
    *d = (struct description){0};
}

const char *event_class_name(enum event_class c)
{
    static const char *const names[] = {
        [CLASS_SILENT] = "",     [CLASS_OUT] = "out",       [CLASS_ERR] = "err",
        [CLASS_ASSERT] = "ok",   [CLASS_VIOLATION] = "bad", [CLASS_SDK] = "sdk",
        [CLASS_COMMAND] = "cmd", [CLASS_FAULT] = "fault",   [CLASS_CONTAINER] = "ctr",
        [CLASS_CRASH] = "crash", [CLASS_ENGINE] = "eng"};
    return names[c];
}

static void clean(struct buf *b, const char *s)
{
    text_clean(b, s, strlen(s), DESCRIPTION_LINE_MAX);
}

static void clean_json(struct buf *b, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(16));
    if (text) {
        clean(b, text);
    }
    free(text);
}

/* ---- faults ---- */

static void join(struct buf *b, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (i > 0) {
            buf_puts(b, i + 1 == json_array_size(names) ? " and " : ", ");
        }
        clean(b, !name ? "?" : strcmp(name, "ALL") == 0 ? "every node" : name);
    }
}

static void fault_length(struct buf *b, const json_t *fault)
{
    double seconds = 0;
    if (json_to_double(json_object_get(fault, "max_duration"), &seconds) && seconds > 0) {
        buf_printf(b, ", for up to %.1f s", seconds);
    }
}

static const char *disruption(const json_t *fault)
{
    const char *type = json_text_member(json_object_get(fault, "details"), "disruption_type");
    if (!type) {
        return "packets are disturbed";
    }
    return strcmp(type, "Stopped") == 0  ? "packets are dropped"
           : strcmp(type, "Slowed") == 0 ? "packets are slowed"
           : strcmp(type, "Jammed") == 0 ? "packets are held back, then delivered at once"
                                         : type;
}

static void partition(struct buf *b, const json_t *fault)
{
    const json_t *parts = json_object_get(json_object_get(fault, "details"), "partitions");
    bool asymmetric = json_truthy(json_object_get(json_object_get(fault, "details"), "asymmetric"));
    buf_puts(b, asymmetric ? "one-way network partition: " : "network partition: ");
    for (size_t i = 0; i < json_array_size(parts); i++) {
        buf_puts(b, i ? " | " : "");
        join(b, json_array_get(parts, i));
    }
    buf_puts(b, "; ");
    clean(b, disruption(fault));
}

static void clock_skip(struct buf *b, const json_t *fault)
{
    double offset = 0;
    json_to_double(json_object_get(json_object_get(fault, "details"), "offset"), &offset);
    buf_printf(b, "the wall clock jumps by %+.3f s", offset);
}

void describe_fault(const json_t *fault, struct buf *b)
{
    const char *name = json_text_member(fault, "name");
    const json_t *nodes = json_object_get(fault, "affected_nodes");
    static const struct {
        const char *name, *one, *many;
    } verbs[] = {
        {"kill", " is killed", " are killed"},
        {"stop", " is stopped", " are stopped"},
        {"pause", " is paused", " are paused"},
        {"throttle", " gets less CPU", " get less CPU"},
    };
    if (!name) {
        buf_puts(b, "a fault without a name");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(name, verbs[i].name) == 0) {
            join(b, nodes);
            buf_puts(b, json_array_size(nodes) > 1 ? verbs[i].many : verbs[i].one);
            fault_length(b, fault);
            return;
        }
    }
    if (strcmp(name, "partition") == 0) {
        partition(b, fault);
    } else if (strcmp(name, "clog") == 0) {
        buf_puts(b, "links of ");
        join(b, nodes);
        buf_puts(b, " are clogged; ");
        clean(b, disruption(fault));
    } else if (strcmp(name, "restore") == 0) {
        buf_puts(b, "the network is restored");
        return;
    } else if (strcmp(name, "skip") == 0) {
        clock_skip(b, fault);
    } else {
        clean(b, name);
        if (json_array_size(nodes)) {
            buf_puts(b, " on ");
            join(b, nodes);
        }
    }
    fault_length(b, fault);
}

static void fault_event(struct description *d)
{
    const json_t *fault = json_object_get(d->doc, "fault");
    const json_t *info = json_object_get(d->doc, "info");
    d->class = CLASS_FAULT;
    if (json_is_object(fault)) {
        describe_fault(fault, &d->text);
    } else {
        const char *message = json_text_member(info, "message");
        clean(&d->text, message ? message : "fault injector");
        const json_t *details = json_object_get(info, "details");
        if (json_object_size(details)) {
            buf_putc(&d->text, ' ');
            clean_json(&d->text, details);
        }
    }
}

/* ---- composer and containers ---- */

static void composer_event(struct description *d)
{
    const char *status = json_text_member(d->doc, "task_status");
    const char *command = json_text_member(d->doc, "command");
    const char *found = json_text_member(d->doc, "new_command_path");
    d->class = CLASS_COMMAND;
    if (status && command && strcmp(status, "started") == 0) {
        clean(&d->text, command);
        buf_puts(&d->text, " starts");
        return;
    }
    int64_t code = 0;
    if (status && strcmp(status, "finished") == 0) {
        clean(&d->text, command ? command : "a command");
        if (json_truthy(json_object_get(d->doc, "by_injector")) ||
            json_truthy(json_object_get(d->doc, "killed"))) {
            buf_puts(&d->text, " is killed");
        } else if (json_to_i64(json_object_get(d->doc, "command_return_code"), &code)) {
            buf_printf(&d->text, " ends with exit code %" PRId64, code);
        } else {
            buf_puts(&d->text, " ends");
        }
        return;
    }
    const char *message = json_text_member(d->doc, "message");
    if (found) {
        buf_puts(&d->text, "found ");
        clean(&d->text, found);
    } else if (message) {
        clean(&d->text, message);
    } else {
        clean_json(&d->text, d->doc);
    }
}

static void container_event(const struct store *s, const struct event *ev, struct description *d)
{
    const char *what = json_text_member(d->doc, "event");
    const char *name = json_text_member(d->doc, "name");
    d->class = CLASS_CONTAINER;
    clean(&d->text, name ? name : store_node_name(s, ev->node));
    if (!what) {
        buf_putc(&d->text, ' ');
        clean_json(&d->text, d->doc);
        return;
    }
    int64_t code = 0;
    if (strcmp(what, "died") == 0 &&
        json_to_i64(json_object_get(d->doc, "container_exit_code"), &code)) {
        buf_printf(&d->text, " exits with code %" PRId64, code);
    } else if (strcmp(what, "start") == 0) {
        buf_puts(&d->text, " starts");
    } else {
        buf_puts(&d->text, ": ");
        clean(&d->text, what);
    }
}

/* ---- SDK ---- */

static void assertion(const json_t *inner, struct description *d)
{
    const char *id = json_text_member(inner, "id");
    const char *message = json_text_member(inner, "message");
    const char *type = json_text_member(inner, "assert_type");
    if (!json_is_true(json_object_get(inner, "hit"))) {
        d->class = CLASS_SILENT; /* a declaration */
        return;
    }
    bool reach = type && strcmp(type, "reachability") == 0;
    bool holds = reach ? json_is_true(json_object_get(inner, "must_hit"))
                       : json_is_true(json_object_get(inner, "condition"));
    bool may_be_false = type && strcmp(type, "sometimes") == 0;
    d->class = holds ? CLASS_ASSERT : may_be_false ? CLASS_SDK : CLASS_VIOLATION;
    d->assert_id = mem_strdup(id && *id ? id : message ? message : "");
    clean(&d->text, message ? message : d->assert_id);
    buf_puts(&d->text, reach   ? " \xe2\x80\x94 reached"
                       : holds ? " \xe2\x80\x94 true"
                               : " \xe2\x80\x94 false");
    const json_t *details = json_object_get(inner, "details");
    if (json_object_size(details)) {
        buf_putc(&d->text, ' ');
        clean_json(&d->text, details);
    }
}

static void sdk_event(const struct event *ev, struct description *d)
{
    const json_t *inner;
    d->class = CLASS_SDK;
    if (json_is_object(inner = json_object_get(d->doc, "antithesis_assert"))) {
        assertion(inner, d);
    } else if (json_is_object(inner = json_object_get(d->doc, "antithesis_setup"))) {
        buf_puts(&d->text, "set-up is complete ");
        const json_t *details = json_object_get(inner, "details");
        if (json_object_size(details)) {
            clean_json(&d->text, details);
        }
    } else if (json_object_get(d->doc, "antithesis_sdk") ||
               json_object_get(d->doc, "antithesis_guidance")) {
        d->class = CLASS_SILENT;
    } else if (d->doc) {
        clean_json(&d->text, d->doc);
    } else {
        size_t head = sizeof(struct event_output);
        buf_puts(&d->text, "unreadable SDK message: ");
        text_clean(&d->text, (const char *)ev->payload + head, ev->length - head,
                   DESCRIPTION_LINE_MAX);
    }
}

/* ---- processes and the engine ---- */

static void process_event(const struct event *ev, struct description *d)
{
    struct event_process p;
    if (ev->length < sizeof p) {
        return;
    }
    memcpy(&p, ev->payload, sizeof p);
    if (p.kind != PROCESS_EXIT || !p.core_signal) {
        return;
    }
    const char *name = sigabbrev_np(p.signal);
    d->class = CLASS_CRASH;
    buf_printf(&d->text, "process %" PRIu32 " ", ev->pid);
    text_clean(&d->text, (const char *)ev->payload + sizeof p, ev->length - sizeof p, 200);
    buf_printf(&d->text, " crashes with SIG%s", name ? name : "?");
}

static void end_event(const struct event *ev, struct description *d)
{
    static const char *const reasons[] = {
        "the universe ends",
        [END_TIME_LIMIT] = "the universe ends: its time is over",
        [END_ALL_EXITED] = "the universe ends: nothing is left that could run",
        [END_COMPOSER] = "the universe ends: the last command has finished",
        [END_SETUP_FAILED] = "set-up failed",
        [END_SETUP_TIMEOUT] = "set-up took too long",
        [END_ENGINE_ERROR] = "Everett failed",
        [END_STOPPED] = "the universe was stopped",
        [END_DEADLOCK] = "every process waits for something that cannot come",
        [END_BRANCH] = "the command ended",
        [END_NOT_COVERED] = "the universe ends: something is not covered",
        [END_WALL_LIMIT] = "the universe was stopped: it took too long on the host"};
    struct event_end end = {0};
    d->class = CLASS_ENGINE;
    memcpy(&end, ev->payload, min_u64(ev->length, sizeof end));
    buf_puts(&d->text, reasons[end.reason < ARRAY_LEN(reasons) ? end.reason : 0]);
    if (ev->length > sizeof end) {
        buf_puts(&d->text, ": ");
        text_clean(&d->text, (const char *)ev->payload + sizeof end, ev->length - sizeof end,
                   DESCRIPTION_LINE_MAX);
    }
}

static void unknown_event(const struct event *ev, struct description *d)
{
    struct event_unknown u;
    if (ev->length < sizeof u) {
        return;
    }
    memcpy(&u, ev->payload, sizeof u);
    const char *name = strerrorname_np(-u.answered);
    d->class = CLASS_ENGINE;
    buf_puts(&d->text, "not covered by Everett: ");
    text_clean(&d->text, (const char *)ev->payload + sizeof u, ev->length - sizeof u, 200);
    buf_printf(&d->text, ", answered %s", name ? name : "an error");
}

static void output_event(const struct event *ev, struct description *d)
{
    struct event_output head;
    if (ev->length < sizeof head) {
        return;
    }
    memcpy(&head, ev->payload, sizeof head);
    d->class = head.stream == 2 ? CLASS_ERR : CLASS_OUT;
    if (head.is_probe) {
        buf_puts(&d->text, "health check: ");
    }
    text_clean(&d->text, (const char *)ev->payload + sizeof head, ev->length - sizeof head,
               DESCRIPTION_LINE_MAX);
}

static void parse(const struct event *ev, struct description *d)
{
    size_t head = ev->type == EVENT_SDK ? sizeof(struct event_output) : 0;
    if (ev->length >= head) {
        bool cut;
        d->doc = json_lenient((const char *)ev->payload + head, ev->length - head, &cut);
    }
}

void describe_event(const struct store *s, const struct event *ev, struct description *d)
{
    switch (ev->type) {
    case EVENT_OUTPUT:
        if (!hide_is_hidden(ev)) {
            output_event(ev, d);
        }
        break;
    case EVENT_SDK:
        parse(ev, d);
        if (ev->length >= sizeof(struct event_output)) {
            sdk_event(ev, d);
        }
        break;
    case EVENT_COMPOSER:
        parse(ev, d);
        composer_event(d);
        break;
    case EVENT_FAULT:
        parse(ev, d);
        fault_event(d);
        break;
    case EVENT_CONTAINER:
        parse(ev, d);
        container_event(s, ev, d);
        break;
    case EVENT_PROCESS:
        process_event(ev, d);
        break;
    case EVENT_UNKNOWN:
        unknown_event(ev, d);
        break;
    case EVENT_DIAGNOSTIC:
        d->class = CLASS_ENGINE;
        text_clean(&d->text, (const char *)ev->payload, ev->length, DESCRIPTION_LINE_MAX);
        break;
    case EVENT_END:
        end_event(ev, d);
        break;
    default:
        break;
    }
}
