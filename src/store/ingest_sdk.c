/* SDK messages: assertions, guidance, lifecycle, banners. Anything with another top-level key is a
 * user's own event, which needs no judging. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/ingest_priv.h"
#include "store/json_lenient.h"

#define SAMPLE_MAX 160 /* bytes of a malformed message that are shown */

static void malformed(struct ingest *in, const struct event *ev, const char *why)
{
    size_t head = sizeof(struct event_output);
    size_t len = ev->length > head ? ev->length - head : 0;
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "%s: %.*s", why, (int)min_u64(len, SAMPLE_MAX),
               (const char *)ev->payload + head);
    note_add(&in->set, NOTE_MALFORMED, text.data, 0, in->universe, ev->vtime_ns);
}

static bool kind_of(const char *assert_type, bool must_hit, enum property_kind *kind)
{
    if (strcmp(assert_type, "always") == 0) {
        *kind = PROPERTY_ALWAYS;
    } else if (strcmp(assert_type, "sometimes") == 0) {
        *kind = PROPERTY_SOMETIMES;
    } else if (strcmp(assert_type, "reachability") == 0) {
        *kind = must_hit ? PROPERTY_REACHABLE : PROPERTY_UNREACHABLE;
    } else {
        return false;
    }
    return true;
}

static const char *default_display(const struct property *p)
{
    switch (p->kind) {
    case PROPERTY_ALWAYS:
        return p->must_hit ? "Always" : "AlwaysOrUnreachable";
    case PROPERTY_SOMETIMES:
        return "Sometimes";
    case PROPERTY_REACHABLE:
        return "Reachable";
    case PROPERTY_UNREACHABLE:
        return "Unreachable";
    }
    return "";
}

/* The identity of an assertion or guidance: `id`, else `message`; cut, never empty. */
static char *identity(const json_t *inner)
{
    const char *id = json_text_member(inner, "id");
    if (!id || !*id) {
        id = json_text_member(inner, "message");
    }
    return id && *id ? mem_strndup(id, PROPERTY_NAME_MAX) : NULL;
}

static char *details_text(const json_t *details)
{
    if (!json_is_object(details) || json_object_size(details) == 0) {
        return NULL;
    }
    char *text = json_dumps(details, JSON_COMPACT | JSON_REAL_PRECISION(16));
    if (text && strlen(text) > PROPERTY_DETAILS_MAX) {
        struct buf cut = {0};
        buf_puts(&cut, "{\"details cut short\":");
        buf_json_string(&cut, text, PROPERTY_DETAILS_MAX);
        buf_putc(&cut, '}');
        free(text);
        return buf_steal(&cut);
    }
    return text;
}

static void set_text(char **field, const char *value)
{
    if (!*field && value && *value) {
        *field = mem_strndup(value, PROPERTY_NAME_MAX);
    }
}

/* First seen wins within a universe, as in the SDKs. */
static void describe(struct property *p, const json_t *inner)
{
    if (!p->group) {
        p->group = mem_strdup("SDK");
        const char *message = json_text_member(inner, "message");
        if (message && *message) {
            free(p->name);
            p->name = mem_strndup(message, PROPERTY_NAME_MAX);
        }
    }
    set_text(&p->display_type, json_text_member(inner, "display_type"));
    if (!p->display_type) {
        p->display_type = mem_strdup(default_display(p));
    }
    const json_t *location = json_object_get(inner, "location");
    if (!p->file && json_is_object(location)) {
        set_text(&p->file, json_text_member(location, "file"));
        set_text(&p->function, json_text_member(location, "function"));
        set_text(&p->class_name, json_text_member(location, "class"));
        json_to_i64(json_object_get(location, "begin_line"), &p->line);
    }
}

static void ingest_assert(struct ingest *in, const struct event *ev, const json_t *inner,
                          uint32_t command_id)
{
    const char *type = json_text_member(inner, "assert_type");
    const json_t *hit = json_object_get(inner, "hit");
    const json_t *condition = json_object_get(inner, "condition");
    const json_t *must_hit = json_object_get(inner, "must_hit");
    if (!type || !json_is_boolean(hit) || !json_is_boolean(condition) ||
        !json_is_boolean(must_hit)) {
        malformed(in, ev, "assertion without assert_type, hit, must_hit or condition");
        return;
    }
    enum property_kind kind;
    if (!kind_of(type, json_is_true(must_hit), &kind)) {
        malformed(in, ev, "assertion of unknown assert_type");
        return;
    }
    char *id = identity(inner);
    if (!id) {
        malformed(in, ev, "assertion without id and message");
        return;
    }
    struct property_key key = {id, kind, json_is_true(must_hit)};
    struct property *p = property_get(&in->set, &key);
    free(id);
    if (!p) {
        return; /* counted as refused */
    }
    describe(p, inner);
    if (!json_is_true(hit)) {
        p->declared = true;
        return;
    }
    bool good =
        kind == PROPERTY_REACHABLE || (kind != PROPERTY_UNREACHABLE && json_is_true(condition));
    struct property_example at = ingest_example(in, ev);
    at.command_id = command_id;
    at.details = details_text(json_object_get(inner, "details"));
    property_record(p, good, &at);
    free(at.details);
}

static bool numeric_operands(const json_t *data, double *left, double *right)
{
    return json_to_double(json_object_get(data, "left"), left) &&
           json_to_double(json_object_get(data, "right"), right);
}

static void boolean_operands(const json_t *data, double *left, double *right)
{
    const char *key;
    json_t *value;
    *left = 0;
    *right = (double)json_object_size(data);
    json_object_foreach((json_t *)(uintptr_t)data, key, value)
    {
        *left += json_is_true(value) ? 1 : 0;
    }
}

static void ingest_guidance(struct ingest *in, const struct event *ev, const json_t *inner)
{
    const char *word = json_text_member(inner, "guidance_type");
    enum guidance_type type = !word                          ? 0
                              : strcmp(word, "numeric") == 0 ? GUIDANCE_NUMERIC
                              : strcmp(word, "boolean") == 0 ? GUIDANCE_BOOLEAN
                              : strcmp(word, "json") == 0    ? GUIDANCE_JSON
                                                             : 0;
    char *id = identity(inner);
    if (!type || !id) {
        malformed(in, ev, "guidance without known guidance_type or id");
        free(id);
        return;
    }
    struct guidance *g =
        guidance_get(&in->set, id, type, json_is_true(json_object_get(inner, "maximize")));
    free(id);
    const json_t *data = json_object_get(inner, "guidance_data");
    if (!g || !json_is_true(json_object_get(inner, "hit")) || !json_is_object(data)) {
        return;
    }
    g->hits++;
    double left = 0;
    double right = 0;
    if (type == GUIDANCE_BOOLEAN) {
        boolean_operands(data, &left, &right);
    } else if (type != GUIDANCE_NUMERIC || !numeric_operands(data, &left, &right)) {
        return;
    }
    double gap = left - right;
    double best = g->left - g->right;
    if (!isnan(gap) && (!g->has_best || (g->maximize ? gap > best : gap < best))) {
        g->has_best = true;
        g->left = left;
        g->right = right;
        g->universe = in->universe;
        g->vtime_ns = ev->vtime_ns;
    }
}

static void ingest_banner(struct ingest *in, const struct event *ev, const json_t *inner)
{
    const json_t *language = json_object_get(inner, "language");
    const char *name = json_text_member(language, "name");
    const char *version = json_text_member(language, "version");
    const char *sdk = json_text_member(inner, "sdk_version");
    const char *protocol = json_text_member(inner, "protocol_version");
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "%s SDK %s (%s, protocol %s)", name ? name : "unnamed", sdk ? sdk : "?",
               version ? version : "?", protocol ? protocol : "?");
    note_add(&in->set, NOTE_SDK, text.data, 0, in->universe, ev->vtime_ns);
}

void ingest_sdk(struct ingest *in, const struct event *ev)
{
    struct event_output head;
    if (ev->length < sizeof head) {
        return;
    }
    memcpy(&head, ev->payload, sizeof head);
    bool cut = false;
    json_t *doc =
        json_lenient((const char *)ev->payload + sizeof head, ev->length - sizeof head, &cut);
    if (!json_is_object(doc)) {
        malformed(in, ev, "not a JSON object");
        json_decref(doc);
        return;
    }
    const json_t *inner;
    if (json_is_object(inner = json_object_get(doc, "antithesis_assert"))) {
        ingest_assert(in, ev, inner, head.command_id);
    } else if (json_is_object(inner = json_object_get(doc, "antithesis_guidance"))) {
        ingest_guidance(in, ev, inner);
    } else if (json_is_object(inner = json_object_get(doc, "antithesis_setup"))) {
        const char *status = json_text_member(inner, "status");
        in->setup_complete |= status && strcmp(status, "complete") == 0;
    } else if (json_is_object(inner = json_object_get(doc, "antithesis_sdk"))) {
        ingest_banner(in, ev, inner);
    } else if (json_object_get(doc, "antithesis_error")) {
        malformed(in, ev, "reported by the SDK");
    } else if (cut) {
        malformed(in, ev, "cut short");
    }
    json_decref(doc);
}
