/* Ingest: dispatch of one universe's events to the SDK reader and the built-in rules. */
#include "store/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ingest_priv.h"

struct ingest *ingest_create(uint64_t universe, const char *const *nodes, size_t node_count)
{
    struct ingest *in = mem_zalloc(sizeof *in);
    in->universe = universe;
    in->nodes = nodes;
    in->node_count = node_count;
    in->node_killed = mem_zalloc(node_count * sizeof *in->node_killed);
    property_set_init(&in->set);
    ingest_rules_declare(in);
    return in;
}

void ingest_destroy(struct ingest *in)
{
    if (!in) {
        return;
    }
    for (size_t i = 0; i < in->task_count; i++) {
        free(in->tasks[i].id);
        free(in->tasks[i].command);
    }
    for (size_t i = 0; i < in->proc_count; i++) {
        free(in->procs[i].path);
    }
    free(in->tasks);
    free(in->procs);
    free(in->node_killed);
    free(in->end_text);
    property_set_fini(&in->set);
    free(in);
}

struct property_example ingest_example(const struct ingest *in, const struct event *ev)
{
    return (struct property_example){.universe = in->universe,
                                     .vtime_ns = ev->vtime_ns,
                                     .seq = ev->seq,
                                     .node = ev->node,
                                     .pid = ev->pid};
}

const char *ingest_node_name(const struct ingest *in, uint16_t node)
{
    return node < in->node_count ? in->nodes[node] : "";
}

/* Copies the payload behind a fixed head as text; "" when there is none. */
static char *payload_text(const struct event *ev, size_t head)
{
    size_t len = ev->length > head ? ev->length - head : 0;
    return mem_strndup((const char *)ev->payload + (len ? head : 0), len);
}

static void ingest_unknown(struct ingest *in, const struct event *ev)
{
    struct event_unknown unknown;
    if (ev->length < sizeof unknown) {
        return;
    }
    memcpy(&unknown, ev->payload, sizeof unknown);
    char *text = payload_text(ev, sizeof unknown);
    note_add(&in->set, NOTE_UNKNOWN, text, unknown.answered, in->universe, ev->vtime_ns);
    free(text);
}

static void ingest_end_record(struct ingest *in, const struct event *ev)
{
    if (ev->length < sizeof in->end) {
        return;
    }
    memcpy(&in->end, ev->payload, sizeof in->end);
    free(in->end_text);
    in->end_text = payload_text(ev, sizeof in->end);
    in->has_end = true;
}

void ingest_event(struct ingest *in, const struct event *ev)
{
    in->last_vtime_ns = ev->vtime_ns;
    in->last_seq = ev->seq;
    switch (ev->type) {
    case EVENT_SDK:
        ingest_sdk(in, ev);
        break;
    case EVENT_COMPOSER:
        ingest_composer(in, ev);
        break;
    case EVENT_FAULT:
        ingest_fault(in, ev);
        break;
    case EVENT_CONTAINER:
        ingest_container(in, ev);
        break;
    case EVENT_PROCESS:
        ingest_process(in, ev);
        break;
    case EVENT_UNKNOWN:
        ingest_unknown(in, ev);
        break;
    case EVENT_DIAGNOSTIC: {
        char *text = payload_text(ev, 0);
        note_add(&in->set, NOTE_DIAGNOSTIC, text, 0, in->universe, ev->vtime_ns);
        free(text);
        break;
    }
    case EVENT_END:
        ingest_end_record(in, ev);
        break;
    default: /* output, strace, decisions, terminal bytes: nothing to judge */
        break;
    }
}

void ingest_finish(struct ingest *in, const char *engine_error)
{
    ingest_rules_finish(in, engine_error);
}

const struct property_set *ingest_set(const struct ingest *in)
{
    return &in->set;
}

const struct event_end *ingest_end(const struct ingest *in, const char **text)
{
    *text = in->end_text ? in->end_text : "";
    return in->has_end ? &in->end : NULL;
}

uint64_t ingest_last_vtime_ns(const struct ingest *in)
{
    return in->last_vtime_ns;
}

bool ingest_has_setup_complete(const struct ingest *in)
{
    return in->setup_complete;
}
