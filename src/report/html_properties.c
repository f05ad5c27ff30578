/* The properties tree, and one failure told to people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/html_parts.h"
#include "report/text.h"
#include "store/moment.h"

/* Limits that keep the file small enough to mail. What is left out is named where it would be. */
#define SECOND            UINT64_C(1000000000)
#define OPEN_FAILURES_MAX 3u  /* failing properties that are unfolded */
#define FULL_SCENES_MAX   3u  /* counterexamples of a property with story, timeline and log */
#define SCENES_TOTAL_MAX  40u /* of a report */
#define PASSED_LOGS_MAX   60u /* examples of passing properties with a log */

static const struct scene_limits full_limits = {2 * SECOND, 250, 60, false};
static const struct scene_limits short_limits = {1 * SECOND, 24, 8, true};

struct drawing {
    struct report *r;
    size_t scenes, logs, opened; /* used so far */
};

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

static void sure(struct buf *b, const struct store_confirmation *c)
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

/* "universe 7 at 00:00:18.402 on client1" */
static void place(struct buf *b, struct report *r, const struct property_example *x)
{
    char clock[VTIME_TEXT_MAX];
    vtime_clock(x->vtime_ns, clock);
    buf_printf(b, "universe %" PRIu64 " at %s", x->universe, clock);
    if (x->node != EVENT_NO_NODE) {
        buf_puts(b, " on ");
        text_html(b, store_node_name(r->store, x->node));
    }
}

static int example_head(struct buf *b, struct report *r, const struct property_example *x,
                        bool with_place, struct err *err)
{
    char moment[MOMENT_TEXT_MAX];
    if (moment_of(r, x, moment, err)) {
        return -1;
    }
    buf_puts(b, "<p class=\"where\">");
    if (with_place) {
        buf_puts(b, "<b>");
        place(b, r, x);
        buf_puts(b, "</b> ");
    }
    buf_puts(b, "<span class=\"label\">moment</span> ");
    html_copy(b, moment);
    buf_puts(b, "</p>\n");
    if (x->details) {
        buf_puts(b, "<pre class=\"details\">");
        text_html_n(b, x->details, strlen(x->details), 4000);
        buf_puts(b, "</pre>\n");
    }
    return 0;
}

static int replay(struct buf *b, struct report *r, const struct property_example *x,
                  struct err *err)
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

/* Story, timeline, log. */
static int full_scene(struct buf *b, struct drawing *d, const struct property_example *x,
                      const struct report_property *rp, const char *anchor, struct err *err)
{
    struct scene sc;
    d->scenes++;
    int rc = scene_load(&sc, d->r, x, &full_limits, err);
    if (rc == 0) {
        html_story(b, d->r, &sc, anchor);
        if (rp->confirmation || x == report_first_failure(rp)) {
            sure(b, rp->confirmation);
        }
        rc = replay(b, d->r, x, err);
        html_timeline(b, d->r, &sc);
        html_log(b, d->r, &sc, anchor);
    }
    scene_fini(&sc);
    return rc;
}

static int short_log(struct buf *b, struct drawing *d, const struct property_example *x,
                     const char *anchor, struct err *err)
{
    struct scene sc;
    d->logs++;
    int rc = scene_load(&sc, d->r, x, &short_limits, err);
    if (rc == 0) {
        html_log(b, d->r, &sc, anchor);
    }
    scene_fini(&sc);
    return rc;
}

static int counterexample(struct buf *b, struct drawing *d, const struct report_property *rp,
                          size_t i, struct err *err)
{
    const struct property_example *x = &rp->p->counterexamples.item[i];
    char anchor[48];
    snprintf(anchor, sizeof anchor, "%zu-%zu", rp->number, i);
    buf_printf(b, "<details class=\"example bad\"%s><summary>",
               x == report_first_failure(rp) ? " open" : "");
    place(b, d->r, x);
    buf_puts(b, "</summary>\n");
    int rc = example_head(b, d->r, x, false, err);
    if (rc == 0 && i < FULL_SCENES_MAX && d->scenes < SCENES_TOTAL_MAX) {
        rc = full_scene(b, d, x, rp, anchor, err);
    } else if (rc == 0) {
        rc = replay(b, d->r, x, err);
        buf_puts(b, "<p class=\"empty\">The log of this one is left out to keep the report small; "
                    "the command above shows it.</p>\n");
    }
    buf_puts(b, "</details>\n");
    return rc;
}

static int examples(struct buf *b, struct drawing *d, const struct report_property *rp,
                    struct err *err)
{
    const struct property *p = rp->p;
    bool failed = rp->verdict == VERDICT_FAILED;
    if (failed && p->counterexamples.count) {
        buf_printf(b, "<h4>Counterexamples <small>%zu of ", p->counterexamples.count);
        text_count(b, p->bad);
        buf_puts(b, "</small></h4>\n");
    }
    for (size_t i = 0; failed && i < p->counterexamples.count; i++) {
        if (counterexample(b, d, rp, i, err)) {
            return -1;
        }
    }
    if (p->examples.count == 0) {
        return 0;
    }
    buf_printf(b, "<details class=\"example\"%s><summary>%s <small>%zu of ", failed ? "" : " open",
               failed ? "Examples where it held" : "Examples", p->examples.count);
    text_count(b, p->good);
    buf_puts(b, "</small></summary>\n");
    for (size_t i = 0; i < p->examples.count && i < 3; i++) {
        char anchor[48];
        snprintf(anchor, sizeof anchor, "%zu-g%zu", rp->number, i);
        if (example_head(b, d->r, &p->examples.item[i], true, err)) {
            return -1;
        }
        if (i == 0 && !failed && d->logs < PASSED_LOGS_MAX &&
            short_log(b, d, &p->examples.item[i], anchor, err)) {
            return -1;
        }
    }
    buf_puts(b, "</details>\n");
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

static void about(struct buf *b, struct report *r, const struct report_property *rp)
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

static void numbers(struct buf *b, const struct report_property *rp)
{
    const struct property *p = rp->p;
    buf_puts(b, "<span class=\"num\">");
    text_count(b, p->good + p->bad);
    buf_puts(b, "<small> hits</small></span><span class=\"num bad\">");
    if (rp->verdict == VERDICT_FAILED) {
        text_count(b, p->universes_bad);
        buf_puts(b, "<small> of ");
        text_plural(b, p->universes, "universe", "universes");
        buf_puts(b, "</small>");
    }
    buf_puts(b, "</span>");
}

static int property(struct buf *b, struct drawing *d, const struct report_property *rp,
                    struct err *err)
{
    const struct property *p = rp->p;
    bool open = rp->verdict == VERDICT_FAILED && d->opened++ < OPEN_FAILURES_MAX;
    buf_printf(b,
               "<details class=\"prop %s\" id=\"p%zu\"%s><summary><span class=\"mark\" "
               "aria-hidden=\"true\">%s</span><span class=\"name\">",
               html_verdict_class(rp->verdict), rp->number, open ? " open" : "",
               html_mark(rp->verdict));
    cleanup_buf struct buf name = {0};
    report_property_name(&name, p);
    text_html(b, name.data);
    buf_printf(b, "<small class=\"word\">%s", verdict_word(rp->verdict));
    if (rp->finding) {
        buf_printf(b, ", %s", finding_word(rp->finding));
    }
    buf_puts(b, "</small></span>");
    numbers(b, rp);
    plot_history(b, rp, d->r->history_count);
    buf_puts(b, "</summary>\n<div class=\"body\">\n");
    about(b, d->r, rp);
    int rc = examples(b, d, rp, err);
    buf_puts(b, "</div>\n</details>\n");
    return rc;
}

static const char *group_of(const struct property *p)
{
    return p->group ? p->group : "SDK";
}

static int group(struct buf *b, struct drawing *d, const char *name, struct err *err)
{
    buf_puts(b, "<div class=\"group\"><h3>");
    text_html(b, name);
    buf_puts(b, "</h3>\n");
    for (size_t i = 0; i < d->r->prop_count; i++) {
        if (strcmp(group_of(d->r->props[i].p), name) == 0 && property(b, d, &d->r->props[i], err)) {
            return -1;
        }
    }
    buf_puts(b, "</div>\n");
    return 0;
}

static void tab(struct buf *b, const char *id, const char *label, uint64_t count, bool checked)
{
    buf_printf(b,
               "<input type=\"radio\" name=\"show\" id=\"show-%s\"%s><label for=\"show-%s\">"
               "%s <b>%" PRIu64 "</b></label>",
               id, checked ? " checked" : "", id, label, count);
}

int html_properties(struct buf *b, struct report *r, struct err *err)
{
    static const char *const groups[] = {"SDK",     "Commands", "Containers",
                                         "Crashes", "Set-up",   "Engine"};
    struct drawing d = {.r = r};
    buf_puts(b, "<section id=\"properties\" aria-labelledby=\"h-properties\">\n"
                "<h2 id=\"h-properties\">Properties</h2>\n<div class=\"props\">\n");
    tab(b, "all", "all", r->prop_count, true);
    tab(b, "failed", "failed", r->counts.failed, false);
    tab(b, "never", "never reached", r->counts.never, false);
    tab(b, "passed", "passed", r->counts.passed, false);
    buf_puts(b, "<input type=\"search\" class=\"js search\" placeholder=\"search\" "
                "aria-label=\"Search properties\">\n<div class=\"tree\">\n");
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        bool any = false;
        for (size_t k = 0; k < r->prop_count; k++) {
            any |= strcmp(group_of(r->props[k].p), groups[i]) == 0;
        }
        if (any && group(b, &d, groups[i], err)) {
            return -1;
        }
    }
    buf_puts(b, "<p class=\"empty none\">No property is like that.</p>\n</div>\n</div>\n"
                "</section>\n");
    return 0;
}
