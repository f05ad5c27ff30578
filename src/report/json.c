/* report.json: the report for programs. Virtual times are decimal seconds as strings, 64-bit hashes
 * and seeds decimal strings, as in the event stream. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report/text.h"
#include "store/moment.h"

static json_t *text(const char *s)
{
    if (!s) {
        return json_null();
    }
    cleanup_buf struct buf clean = {0};
    text_clean(&clean, s, strlen(s), SIZE_MAX);
    return json_stringn(clean.data ? clean.data : "", clean.len);
}

static json_t *number(uint64_t n)
{
    ASSERT(n <= INT64_MAX);
    return json_integer((json_int_t)n);
}

static json_t *big(uint64_t n)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, n);
    return json_string(digits);
}

static json_t *seconds(uint64_t ns)
{
    return json_real((double)ns / 1e9);
}

static json_t *moment_json(int64_t input_hash, uint64_t vtime_ns)
{
    char vtime[VTIME_TEXT_MAX];
    char hash[24];
    vtime_json(vtime_ns, vtime);
    snprintf(hash, sizeof hash, "%" PRId64, input_hash);
    return json_pack("{s:s, s:s}", "input_hash", hash, "vtime", vtime);
}

static json_t *example_json(struct report *r, const struct property_example *x, struct err *err)
{
    struct store_universe u;
    int rc = store_universe(r->store, x->universe, &u, err);
    if (rc <= 0) {
        if (rc == 0) {
            err_set(err, ERR_HOST, "universe %" PRIu64 " is missing", x->universe);
        }
        return NULL;
    }
    char clock[VTIME_TEXT_MAX];
    vtime_clock(x->vtime_ns, clock);
    json_t *o = json_object();
    json_object_set_new(o, "universe", number(x->universe));
    json_object_set_new(o, "moment", moment_json(u.input_hash, x->vtime_ns));
    json_object_set_new(o, "time", json_string(clock));
    json_object_set_new(o, "event", number(x->seq));
    json_object_set_new(o, "node",
                        x->node == EVENT_NO_NODE ? json_null()
                                                 : text(store_node_name(r->store, x->node)));
    json_object_set_new(o, "pid", number(x->pid));
    json_t *details = x->details ? json_loads(x->details, JSON_ALLOW_NUL, NULL) : NULL;
    json_object_set_new(o, "details", details ? details : json_null());
    store_universe_free(&u);
    cleanup_buf struct buf command = {0};
    if (report_replay_command(r, x->universe, x->vtime_ns, &command, err)) {
        json_decref(o);
        return NULL;
    }
    json_object_set_new(o, "replay", text(command.data));
    return o;
}

static json_t *examples_json(struct report *r, const struct property_examples *list,
                             struct err *err)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_t *x = example_json(r, &list->item[i], err);
        if (!x) {
            json_decref(array);
            return NULL;
        }
        json_array_append_new(array, x);
    }
    return array;
}

static json_t *confirmation_json(const struct store_confirmation *c)
{
    if (!c) {
        return json_null();
    }
    json_t *o = json_object();
    json_object_set_new(o, "replays", number(c->replays));
    json_object_set_new(o, "reproduced", number(c->reproduced));
    json_object_set_new(o, "faults",
                        c->fault_count < 0 ? json_null() : json_integer(c->fault_count));
    json_object_set_new(o, "minimal", text(c->minimal));
    char vtime[VTIME_TEXT_MAX];
    vtime_json(c->inevitable_ns, vtime);
    json_object_set_new(o, "inevitable_from", c->inevitable_ns ? json_string(vtime) : json_null());
    return o;
}

static const char *verdict_key(enum verdict v)
{
    return v == VERDICT_NEVER ? "never_reached" : verdict_word(v);
}

static json_t *property_json(struct report *r, const struct report_property *rp, struct err *err)
{
    const struct property *p = rp->p;
    json_t *good = examples_json(r, &p->examples, err);
    json_t *bad = good ? examples_json(r, &p->counterexamples, err) : NULL;
    if (!bad) {
        json_decref(good);
        return NULL;
    }
    cleanup_buf struct buf name = {0};
    report_property_name(&name, p);
    json_t *o = json_object();
    json_object_set_new(o, "id", text(p->id));
    json_object_set_new(o, "name", text(name.data));
    json_object_set_new(o, "group", text(p->group));
    json_object_set_new(o, "item", text(p->item));
    json_object_set_new(o, "type", json_string(property_kind_word(p->kind)));
    json_object_set_new(o, "display_type", text(p->display_type));
    json_object_set_new(o, "must_hit", json_boolean(p->must_hit));
    json_object_set_new(o, "verdict", json_string(verdict_key(rp->verdict)));
    json_object_set_new(o, "finding",
                        rp->finding ? json_string(finding_word(rp->finding)) : json_null());
    json_object_set_new(o, "passing", number(p->good));
    json_object_set_new(o, "failing", number(p->bad));
    json_object_set_new(o, "universes", number(p->universes));
    json_object_set_new(o, "universes_failing", number(p->universes_bad));
    json_t *location = json_null();
    if (p->file) {
        location = json_object();
        json_object_set_new(location, "file", text(p->file));
        json_object_set_new(location, "function", text(p->function));
        json_object_set_new(location, "class", text(p->class_name));
        json_object_set_new(location, "line", json_integer(p->line));
    }
    json_object_set_new(o, "location", location);
    json_object_set_new(o, "confirmation", confirmation_json(rp->confirmation));
    json_object_set_new(o, "examples", good);
    json_object_set_new(o, "counterexamples", bad);
    return o;
}

static const char *status_word(enum run_status s)
{
    switch (s) {
    case RUN_RUNNING:
        return "in_progress";
    case RUN_COMPLETED:
        return "completed";
    case RUN_CANCELLED:
        return "cancelled";
    case RUN_INCOMPLETE:
        return "incomplete";
    }
    return "unknown";
}

static json_t *run_json(const struct report *r)
{
    const struct store_run *run = &r->run;
    cleanup_buf struct buf date = {0};
    text_date(&date, run->started_unix_ns);
    json_t *o = json_object();
    json_object_set_new(o, "id", text(run->id));
    json_object_set_new(o, "name", text(run->name));
    json_object_set_new(o, "source", text(run->source));
    json_object_set_new(o, "commit", text(run->commit));
    json_object_set_new(o, "description", text(run->description));
    json_object_set_new(o, "status", json_string(status_word(run->status)));
    json_object_set_new(o, "status_text", text(run->status_text));
    json_object_set_new(o, "seed", big(run->seed));
    json_object_set_new(o, "started", text(date.data));
    json_object_set_new(o, "directory", text(r->run_path));
    return o;
}

static json_t *images_json(const struct report *r)
{
    size_t count;
    const struct store_node *nodes = store_nodes(r->store, &count);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "container", text(nodes[i].name));
        json_object_set_new(o, "service", text(nodes[i].service));
        json_object_set_new(o, "image", text(nodes[i].image));
        json_object_set_new(o, "digest", text(nodes[i].digest));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *notes_json(const struct report *r, enum note_kind kind)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->set->note_count; i++) {
        const struct note *n = &r->set->notes[i];
        if (n->kind != kind) {
            continue;
        }
        json_t *o = json_object();
        json_object_set_new(o, "what", text(n->text));
        json_object_set_new(o, "count", number(n->count));
        json_object_set_new(o, "universes", number(n->universes));
        if (kind == NOTE_UNKNOWN) {
            const char *name = strerrorname_np((int)-n->value);
            json_object_set_new(o, "answered", json_string(name ? name : "?"));
        }
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *compose_json(const struct report *r)
{
    static const char *const words[] = {"", "honoured", "without_effect", "refused"};
    json_t *o = json_object();
    for (enum compose_effect e = EFFECT_HONOURED; e <= EFFECT_REFUSED; e++) {
        json_t *array = json_array();
        for (size_t i = 0; i < r->compose_count; i++) {
            if (r->compose[i].effect == e) {
                json_array_append_new(array, text(r->compose[i].path));
            }
        }
        json_object_set_new(o, words[e], array);
    }
    return o;
}

static json_t *environment_json(const struct report *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "engine", text(r->run.engine));
    json_object_set_new(o, "cpu", text(r->run.cpu));
    json_object_set_new(o, "containers", images_json(r));
    json_object_set_new(o, "compose", compose_json(r));
    json_object_set_new(o, "not_covered", notes_json(r, NOTE_UNKNOWN));
    json_object_set_new(o, "sdk", notes_json(r, NOTE_SDK));
    json_object_set_new(o, "malformed_messages", notes_json(r, NOTE_MALFORMED));
    json_object_set_new(o, "diagnostics", notes_json(r, NOTE_DIAGNOSTIC));
    return o;
}

static json_t *utilization_json(const struct report *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "universes", number(r->totals.universes));
    json_object_set_new(o, "tested_seconds", seconds(r->totals.virtual_ns));
    json_object_set_new(o, "wall_seconds", seconds(r->run.wall_ns));
    json_object_set_new(o, "workers", number(r->run.workers));
    json_object_set_new(o, "system_calls", number(r->totals.calls));
    json_object_set_new(o, "engine_errors", number(r->totals.engine_errors));
    json_t *samples = json_array();
    for (size_t i = 0; i < r->progress_count; i++) {
        const struct store_progress *p = &r->progress[i];
        json_t *s = json_object();
        json_object_set_new(s, "wall_seconds", seconds(p->wall_ns));
        json_object_set_new(s, "tested_seconds", seconds(p->virtual_ns));
        json_object_set_new(s, "universes", number(p->universes));
        json_object_set_new(s, "behaviours", number(p->behaviours));
        json_array_append_new(samples, s);
    }
    json_object_set_new(o, "progress", samples);
    return o;
}

int report_json(struct report *r, struct buf *out, struct err *err)
{
    json_t *props = json_array();
    for (size_t i = 0; i < r->prop_count; i++) {
        json_t *p = property_json(r, &r->props[i], err);
        if (!p) {
            json_decref(props);
            return -1;
        }
        json_array_append_new(props, p);
    }
    json_t *root = json_object();
    json_object_set_new(root, "version", json_integer(1));
    json_object_set_new(root, "run", run_json(r));
    json_t *verdict = json_object();
    json_object_set_new(verdict, "failed", number(r->counts.failed));
    json_object_set_new(verdict, "never_reached", number(r->counts.never));
    json_object_set_new(verdict, "passed", number(r->counts.passed));
    json_object_set_new(root, "verdict", verdict);
    json_object_set_new(root, "properties", props);
    json_object_set_new(root, "environment", environment_json(r));
    json_object_set_new(root, "utilization", utilization_json(r));
    char *dump = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_decref(root);
    if (!dump) {
        return err_set(err, ERR_ENGINE, "the report cannot be written as JSON");
    }
    buf_puts(out, dump);
    buf_putc(out, '\n');
    free(dump);
    return 0;
}
