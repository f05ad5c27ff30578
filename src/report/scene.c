/* Gathering a scene. */
#include "report/scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/report.h"
#include "report/text.h"
#include "store/json_lenient.h"

#define DOTS_MAX  400u
#define SPANS_MAX 400u
#define LANES_MAX 6u

struct gatherer {
    struct scene *sc;
    struct report *r;
    const struct scene_limits *limits;
    uint64_t last_ns;
    bool setup_seen;
};

static void line_fini(struct scene_line *l)
{
    free(l->text);
}

void scene_fini(struct scene *sc)
{
    for (size_t i = 0; i < sc->log_count; i++) {
        line_fini(&sc->log[i]);
    }
    for (size_t i = 0; i < sc->story_count; i++) {
        line_fini(&sc->story[i]);
    }
    for (size_t i = 0; i < sc->span_count; i++) {
        free(sc->spans[i].text);
        free(sc->spans[i].key);
    }
    for (size_t i = 0; i < sc->dot_count; i++) {
        free(sc->dots[i].text);
    }
    free(sc->log);
    free(sc->story);
    free(sc->spans);
    free(sc->dots);
    *sc = (struct scene){0};
}

static struct scene_line line_of(const struct event *ev, const struct description *d)
{
    struct scene_line l = {.class = d->class,
                           .vtime_ns = ev->vtime_ns,
                           .seq = ev->seq,
                           .node = ev->node,
                           .pid = ev->pid,
                           .text = mem_strdup(d->text.data ? d->text.data : "")};
    if ((ev->type == EVENT_OUTPUT || ev->type == EVENT_SDK) &&
        ev->length >= sizeof(struct event_output)) {
        struct event_output head;
        memcpy(&head, ev->payload, sizeof head);
        l.command_id = head.command_id;
    }
    return l;
}

/* ---- log ---- */

/* Keeps the last before_max lines up to the moment and the first after_max behind it. */
static void add_log(struct gatherer *g, const struct event *ev, const struct description *d)
{
    struct scene *sc = g->sc;
    bool after = ev->seq > sc->moment_seq;
    uint64_t distance =
        ev->vtime_ns > sc->moment_ns ? ev->vtime_ns - sc->moment_ns : sc->moment_ns - ev->vtime_ns;
    if (distance > g->limits->around_ns) {
        return;
    }
    size_t behind = 0;
    while (behind < sc->log_count && sc->log[sc->log_count - 1 - behind].seq > sc->moment_seq) {
        behind++;
    }
    if (after && behind >= g->limits->after_max) {
        sc->log_after++;
        return;
    }
    if (!after && sc->log_count >= g->limits->before_max) {
        line_fini(&sc->log[0]);
        memmove(sc->log, sc->log + 1, --sc->log_count * sizeof *sc->log);
        sc->log_before++;
    }
    *ARRAY_PUSH(sc->log, sc->log_count, sc->log_cap) = line_of(ev, d);
}

/* ---- spans ---- */

static unsigned free_lane(const struct scene *sc, uint16_t node)
{
    for (unsigned lane = 0; lane + 1 < LANES_MAX; lane++) {
        bool taken = false;
        for (size_t i = 0; i < sc->span_count; i++) {
            const struct scene_span *s = &sc->spans[i];
            taken |= !s->is_fault && s->is_open && s->node == node && s->lane == lane;
        }
        if (!taken) {
            return lane;
        }
    }
    return LANES_MAX - 1;
}

static struct scene_span *add_span(struct scene *sc, uint64_t from_ns, uint16_t node,
                                   const char *text)
{
    if (sc->span_count >= SPANS_MAX) {
        return NULL;
    }
    struct scene_span *s = ARRAY_PUSH(sc->spans, sc->span_count, sc->span_cap);
    *s = (struct scene_span){.from_ns = from_ns,
                             .to_ns = UINT64_MAX,
                             .node = node,
                             .is_open = true,
                             .text = mem_strdup(text)};
    return s;
}

static void close_span(struct scene_span *s, uint64_t at_ns)
{
    s->to_ns = min_u64(s->to_ns, at_ns);
    s->is_open = false;
}

static uint16_t node_index(const struct report *r, const char *name)
{
    size_t count;
    const struct store_node *nodes = store_nodes(r->store, &count);
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(nodes[i].name, name) == 0) {
            return (uint16_t)i;
        }
    }
    return EVENT_NO_NODE;
}

static void command_span(struct gatherer *g, const struct event *ev, const json_t *doc)
{
    struct scene *sc = g->sc;
    const char *status = json_text_member(doc, "task_status");
    const char *command = json_text_member(doc, "command");
    const char *start = json_text_member(doc, "started_task");
    const char *end = json_text_member(doc, "finished_task");
    const char *key = end ? end : start ? start : json_text_member(doc, "task");
    if (!status || !key) {
        return;
    }
    if (strcmp(status, "started") == 0) {
        unsigned lane = free_lane(sc, ev->node);
        struct scene_span *s = add_span(sc, ev->vtime_ns, ev->node, command ? command : key);
        if (s) {
            s->lane = lane;
            s->key = mem_strdup(key);
        }
        return;
    }
    for (size_t i = sc->span_count; i-- > 0;) {
        struct scene_span *s = &sc->spans[i];
        if (s->is_open && s->key && strcmp(s->key, key) == 0) {
            int64_t code = 0;
            json_to_i64(json_object_get(doc, "command_return_code"), &code);
            s->has_failed = code != 0 && !json_truthy(json_object_get(doc, "by_injector")) &&
                            !json_truthy(json_object_get(doc, "killed"));
            close_span(s, ev->vtime_ns);
            return;
        }
    }
}

static void fault_node(struct gatherer *g, const struct event *ev, const json_t *fault,
                       const char *node, const char *text)
{
    const char *name = json_text_member(fault, "name");
    struct scene_span *s = add_span(g->sc, ev->vtime_ns, node_index(g->r, node), text);
    if (!s) {
        return;
    }
    double seconds = 0;
    json_to_double(json_object_get(fault, "max_duration"), &seconds);
    s->is_fault = true;
    s->is_down = strcmp(name, "kill") == 0 || strcmp(name, "stop") == 0;
    if (strcmp(name, "skip") == 0 && !(seconds > 0)) {
        s->to_ns = ev->vtime_ns; /* an instant */
        s->is_open = false;
    } else if (!s->is_down && seconds > 0 && seconds < 1e9) {
        s->to_ns = ev->vtime_ns + (uint64_t)(seconds * 1e9); /* or sooner, if restored */
    }
}

static void restore_network(struct scene *sc, uint64_t at_ns)
{
    for (size_t i = 0; i < sc->span_count; i++) {
        struct scene_span *s = &sc->spans[i];
        if (s->is_fault && s->is_open && s->key && strcmp(s->key, "network") == 0) {
            close_span(s, at_ns);
        }
    }
}

static void fault_span(struct gatherer *g, const struct event *ev, const json_t *doc,
                       const char *text)
{
    const json_t *fault = json_object_get(doc, "fault");
    const json_t *nodes = json_object_get(fault, "affected_nodes");
    const char *name = json_text_member(fault, "name");
    const char *type = json_text_member(fault, "type");
    if (!name) {
        return;
    }
    if (strcmp(name, "restore") == 0) {
        restore_network(g->sc, ev->vtime_ns);
        return;
    }
    size_t first = g->sc->span_count;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        fault_node(g, ev, fault, json_string_value(json_array_get(nodes, i)), text);
    }
    if (json_array_size(nodes) == 0) {
        fault_node(g, ev, fault, "ALL", text);
    }
    for (size_t i = first; type && i < g->sc->span_count; i++) {
        g->sc->spans[i].key = mem_strdup(type);
    }
}

static void container_span(struct gatherer *g, const struct event *ev, const json_t *doc)
{
    const char *what = json_text_member(doc, "event");
    if (!what || strcmp(what, "start") != 0) {
        return;
    }
    for (size_t i = 0; i < g->sc->span_count; i++) {
        struct scene_span *s = &g->sc->spans[i];
        if (s->is_fault && s->is_down && s->is_open && s->node == ev->node) {
            close_span(s, ev->vtime_ns);
        }
    }
}

/* ---- the pass ---- */

static void add_dot(struct gatherer *g, const struct event *ev, const struct description *d)
{
    struct scene *sc = g->sc;
    bool is_moment = ev->seq == sc->moment_seq;
    if (sc->dot_count >= DOTS_MAX && !is_moment) {
        return;
    }
    struct scene_dot *dot = ARRAY_PUSH(sc->dots, sc->dot_count, sc->dot_cap);
    *dot = (struct scene_dot){.vtime_ns = ev->vtime_ns,
                              .node = ev->node,
                              .holds = d->class == CLASS_ASSERT,
                              .is_moment = is_moment,
                              .text = mem_strdup(d->text.data ? d->text.data : "")};
}

/* What belongs in a story: it changed the world, or it is what the story is about. Starts during
 * set-up did neither. */
static bool is_story(const struct gatherer *g, const struct event *ev, const struct description *d)
{
    const struct scene *sc = g->sc;
    const char *what = json_text_member(d->doc, "event");
    bool start = what && strcmp(what, "start") == 0;
    switch (d->class) {
    case CLASS_FAULT:
    case CLASS_CRASH:
    case CLASS_VIOLATION:
        return ev->seq <= sc->moment_seq;
    case CLASS_CONTAINER:
        return ev->seq <= sc->moment_seq && (g->setup_seen || !start);
    case CLASS_COMMAND:
        return ev->seq <= sc->moment_seq && json_text_member(d->doc, "task_status");
    default:
        return ev->seq == sc->moment_seq;
    }
}

static void draw(struct gatherer *g, const struct event *ev, const struct description *d)
{
    if (d->class == CLASS_COMMAND) {
        command_span(g, ev, d->doc);
    } else if (d->class == CLASS_FAULT) {
        fault_span(g, ev, d->doc, d->text.data ? d->text.data : "");
    } else if (d->class == CLASS_CONTAINER) {
        container_span(g, ev, d->doc);
    } else if (d->class == CLASS_ASSERT || d->class == CLASS_VIOLATION) {
        add_dot(g, ev, d);
    }
    if (is_story(g, ev, d)) {
        *ARRAY_PUSH(g->sc->story, g->sc->story_count, g->sc->story_cap) = line_of(ev, d);
    }
}

static int gather(void *ctx, const struct event *ev)
{
    struct gatherer *g = ctx;
    struct description d;
    description_init(&d);
    describe_event(g->r->store, ev, &d);
    g->last_ns = ev->vtime_ns;
    if (!g->setup_seen && ev->type == EVENT_SDK && json_object_get(d.doc, "antithesis_setup")) {
        g->setup_seen = true;
        g->sc->from_ns = ev->vtime_ns;
    }
    if (d.class != CLASS_SILENT) {
        add_log(g, ev, &d);
        if (!g->limits->log_only) {
            draw(g, ev, &d);
        }
    }
    description_fini(&d);
    return 0;
}

int scene_load(struct scene *sc, struct report *r, const struct property_example *x,
               const struct scene_limits *limits, struct err *err)
{
    *sc = (struct scene){
        .heading = 5, .universe = x->universe, .moment_ns = x->vtime_ns, .moment_seq = x->seq};
    struct gatherer g = {.sc = sc, .r = r, .limits = limits};
    uint64_t around = limits->around_ns;
    uint64_t from = limits->log_only && x->vtime_ns > around ? x->vtime_ns - around : 0;
    if (store_each_event(r->store, x->universe, from, x->vtime_ns + around, gather, &g, err)) {
        return -1;
    }
    sc->to_ns = max_u64(g.last_ns, sc->moment_ns);
    if (sc->from_ns > sc->moment_ns) {
        sc->from_ns = 0; /* the moment lies within set-up */
    }
    for (size_t i = 0; i < sc->span_count; i++) {
        sc->spans[i].to_ns = min_u64(sc->spans[i].to_ns, sc->to_ns);
        sc->spans[i].to_ns = max_u64(sc->spans[i].to_ns, sc->spans[i].from_ns);
    }
    return 0;
}
