#include "explorer/last_words.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct words {
    char *lines[LAST_WORDS_LINES]; /* owned; a ring */
    uint64_t count;
    bool died;
    int exit_code;
};

struct last_words {
    const char *const *names; /* borrowed */
    struct words *nodes;      /* owned */
    size_t count;
};

struct last_words *last_words_create(const char *const *names, size_t count)
{
    struct last_words *l = mem_zalloc(sizeof *l);
    l->names = names;
    l->count = count;
    l->nodes = mem_zalloc((count + 1) * sizeof *l->nodes);
    return l;
}

void last_words_destroy(struct last_words *l)
{
    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->count; i++) {
        for (size_t k = 0; k < LAST_WORDS_LINES; k++) {
            free(l->nodes[i].lines[k]);
        }
    }
    free(l->nodes);
    free(l);
}

static void add_line(struct words *w, const struct event *e)
{
    size_t head = sizeof(struct event_output);
    if (e->length < head) {
        return;
    }
    char **slot = &w->lines[w->count++ % LAST_WORDS_LINES];
    free(*slot);
    *slot = mem_strndup((const char *)e->payload + head,
                        (size_t)min_u64(e->length - head, LAST_WORDS_BYTES));
    for (char *p = *slot; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = ' '; /* these lines go to a terminal */
        }
    }
}

/* The code comes as a number or, in the platform's own logs, as text. */
static int code_of(const json_t *v)
{
    return json_is_string(v) ? atoi(json_string_value(v)) : (int)json_integer_value(v);
}

static void note_life(struct words *w, const struct event *e)
{
    json_t *doc = json_loadb((const char *)e->payload, e->length, 0, NULL);
    const char *what = json_string_value(json_object_get(doc, "event"));
    if (what && strcmp(what, "died") == 0) {
        w->died = true;
        w->exit_code = code_of(json_object_get(doc, "container_exit_code"));
    } else if (what && strcmp(what, "start") == 0) {
        w->died = false;
    }
    json_decref(doc);
}

void last_words_event(struct last_words *l, const struct event *e)
{
    if (e->node >= l->count) {
        return;
    }
    if (e->type == EVENT_OUTPUT) {
        add_line(&l->nodes[e->node], e);
    } else if (e->type == EVENT_CONTAINER) {
        note_life(&l->nodes[e->node], e);
    }
}

static void tell_lines(const struct words *w, struct buf *out)
{
    uint64_t first = w->count > LAST_WORDS_LINES ? w->count - LAST_WORDS_LINES : 0;
    for (uint64_t i = first; i < w->count; i++) {
        buf_printf(out, "\n    %s", w->lines[i % LAST_WORDS_LINES]);
    }
    if (w->count == 0) {
        buf_puts(out, "\n    (it printed nothing)");
    }
}

/* An init job that ended with 0 did its work. */
static bool failed(const struct words *w)
{
    return w->died && w->exit_code != 0;
}

void last_words_tell(const struct last_words *l, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < l->count; i++) {
        any |= failed(&l->nodes[i]);
    }
    for (size_t i = 0; i < l->count; i++) {
        const struct words *w = &l->nodes[i];
        if (any && !failed(w)) {
            continue;
        }
        buf_printf(out, "\n  %s ", l->names[i]);
        if (w->died) {
            buf_printf(out, "exited with code %d; its last lines:", w->exit_code);
        } else {
            buf_puts(out, "is running; its last lines:");
        }
        tell_lines(w, out);
    }
}
