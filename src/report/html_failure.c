/* One failure told to people: the sentence, the rule, the moment, how sure it is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/html_parts.h"
#include "report/text.h"
#include "store/json_lenient.h"
#include "store/moment.h"

static int moment_of(struct report *r, const struct property_example *x,
                     char out[static MOMENT_TEXT_MAX], struct err *err)
{
    struct store_universe u;
    int rc = store_universe(r->store, x->universe, &u, err);
    if (rc <= 0) {
        return rc < 0 ? -1 : err_set(err, ERR_HOST, "universe %" PRIu64 " is missing", x->universe);
    }
    struct moment m = {u.input_hash, x->vtime_ns};
    moment_text(&m, out);
    store_universe_free(&u);
    return 0;
}

void html_sure(struct buf *b, const struct store_confirmation *c)
{
    buf_puts(b, "<p class=\"sure\"><b>How sure</b> ");
    if (!c) {
        buf_puts(b, "not replayed yet; the command below shows it again.</p>\n");
        return;
    }
    buf_printf(b, "fails in %" PRIu32 " of %" PRIu32 " replays", c->reproduced, c->replays);
    if (c->fault_count >= 0) {
        buf_puts(b, "; ");
        text_plural(b, (uint64_t)c->fault_count, "fault is", "faults are");
        buf_puts(b, " enough");
        if (c->minimal && *c->minimal) {
            buf_puts(b, " (");
            text_html(b, c->minimal);
            buf_putc(b, ')');
        }
    }
    if (c->inevitable_ns) {
        char clock[VTIME_TEXT_MAX];
        vtime_clock(c->inevitable_ns, clock);
        buf_printf(b, "; becomes inevitable at %s", clock);
    }
    buf_puts(b, ".</p>\n");
    if (c->curve) {
        plot_curve(b, c->curve, c->inevitable_ns);
    }
}

void html_place(struct buf *b, struct report *r, const struct property_example *x)
{
    char clock[VTIME_TEXT_MAX];
    vtime_clock(x->vtime_ns, clock);
    buf_printf(b, "universe %" PRIu64 " at %s", x->universe, clock);
    if (x->node != EVENT_NO_NODE) {
        buf_puts(b, " on ");
        text_html(b, store_node_name(r->store, x->node));
    }
}

int html_moment(struct buf *b, struct report *r, const struct property_example *x, struct err *err)
{
    char moment[MOMENT_TEXT_MAX];
    if (moment_of(r, x, moment, err)) {
        return -1;
    }
    buf_puts(b, "<p class=\"where\"><span class=\"label\">moment</span> ");
    html_copy(b, moment);
    buf_puts(b, "</p>\n");
    if (x->details) {
        buf_puts(b, "<pre class=\"details\">");
        text_html_n(b, x->details, strlen(x->details), 4000);
        buf_puts(b, "</pre>\n");
    }
    return 0;
}

int html_replay(struct buf *b, struct report *r, const struct property_example *x, struct err *err)
{
    cleanup_buf struct buf command = {0};
    if (report_replay_command(r, x->universe, x->vtime_ns, &command, err)) {
        return -1;
    }
    buf_puts(b, "<p class=\"replay\"><span class=\"label\">replay</span> ");
    html_copy(b, command.data);
    buf_puts(b, "</p>\n");
    return 0;
}

/* What the rule is, in a sentence, because a name alone may not say it. */
static const char *rule_text(const struct property *p)
{
    switch (p->kind) {
    case PROPERTY_ALWAYS:
        return p->must_hit ? "must be true every time it is evaluated, and be evaluated at least "
                             "once"
                           : "must be true every time it is evaluated";
    case PROPERTY_SOMETIMES:
        return "must be true at least once in the run";
    case PROPERTY_REACHABLE:
        return "must be reached at least once in the run";
    case PROPERTY_UNREACHABLE:
        return "must never happen";
    }
    return "";
}

void html_rule(struct buf *b, struct report *r, const struct report_property *rp)
{
    const struct property *p = rp->p;
    buf_puts(b, "<p class=\"about\"><span class=\"type\">");
    text_html(b, p->display_type ? p->display_type : "");
    buf_printf(b, ":</span> %s.", rule_text(p));
    if (p->file) {
        buf_puts(b, " <code>");
        text_html(b, p->file);
        buf_printf(b, ":%" PRId64 "</code>", p->line);
        if (p->function) {
            buf_puts(b, " in <code>");
            text_html(b, p->function);
            buf_puts(b, "</code>");
        }
    }
    buf_puts(b, "</p>\n");
    if (rp->verdict == VERDICT_NEVER) {
        buf_puts(b, "<p class=\"about\">It was declared, and no universe of this run came to it. "
                    "Give the run more time, or let a test command lead there.</p>\n");
    } else if (p->good + p->bad == 0) {
        buf_puts(b, "<p class=\"about\">Nothing spoke against it in ");
        text_plural(b, r->totals.universes, "universe", "universes");
        buf_puts(b, ".</p>\n");
    }
}

/* ---- the sentence ---- */

/* " (expected 42, read 41)", when the program said little enough to fit a sentence. */
static void values(struct buf *b, const struct property_example *x)
{
    bool cut;
    json_t *doc = x->details ? json_lenient(x->details, strlen(x->details), &cut) : NULL;
    const char *key;
    json_t *value;
    const char *comma = " (";
    bool few = json_object_size(doc) <= 4 && strlen(x->details ? x->details : "") <= 160;
    json_object_foreach(doc, key, value)
    {
        char *text = !few || json_is_object(value) || json_is_array(value)
                         ? NULL
                         : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(16));
        if (text) {
            buf_puts(b, comma);
            text_html(b, key);
            buf_putc(b, ' ');
            text_html(b, text);
            comma = ", ";
        }
        free(text);
    }
    buf_puts(b, *comma == ',' ? ")" : "");
    json_decref(doc);
}

static const struct scene_line *moment_line(const struct scene *sc)
{
    for (size_t i = 0; sc && i < sc->story_count; i++) {
        if (sc->story[i].seq == sc->moment_seq) {
            return &sc->story[i];
        }
    }
    return NULL;
}

/* ", 0.300 s after etcd0 is killed": the last thing that disturbed the system. */
static void cause(struct buf *b, const struct scene *sc)
{
    const struct scene_line *fault = NULL;
    for (size_t i = 0; sc && i < sc->story_count; i++) {
        const struct scene_line *l = &sc->story[i];
        fault = l->class == CLASS_FAULT && l->seq < sc->moment_seq ? l : fault;
    }
    if (fault) {
        buf_puts(b, ", ");
        html_seconds(b, sc->moment_ns - fault->vtime_ns);
        buf_puts(b, " after this fault: ");
        text_html_n(b, fault->text, strlen(fault->text), 200);
    }
}

void html_violation(struct buf *b, struct report *r, const struct report_property *rp,
                    const struct property_example *x, const struct scene *sc)
{
    const struct scene_line *line = moment_line(sc);
    bool from_sdk = !rp->p->group || strcmp(rp->p->group, "SDK") == 0;
    if (!from_sdk && line) {
        text_html_n(b, line->text, strlen(line->text), 300);
    } else {
        cleanup_buf struct buf name = {0};
        report_property_name(&name, rp->p);
        buf_puts(b, "\xe2\x80\x9c");
        text_html(b, name.data);
        buf_puts(b, rp->p->kind == PROPERTY_UNREACHABLE
                        ? "\xe2\x80\x9d happened, which must never be,"
                        : "\xe2\x80\x9d was false");
    }
    if (x->node != EVENT_NO_NODE) {
        buf_puts(b, " on ");
        text_html(b, store_node_name(r->store, x->node));
    }
    buf_puts(b, " at ");
    html_seconds(b, x->vtime_ns);
    if (from_sdk) {
        values(b, x);
    }
    cause(b, sc);
    buf_puts(b, ".");
}
