/* What happened, and the log around the moment. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/counterpart.h"
#include "report/html_parts.h"
#include "report/text.h"
#include "store/moment.h"

/* "18.402" below a minute reads badly beside "01:02.000": always minutes, hours when needed. */
static void short_clock(struct buf *b, uint64_t vtime_ns)
{
    char clock[VTIME_TEXT_MAX];
    vtime_clock(vtime_ns, clock);
    buf_puts(b, strncmp(clock, "00:", 3) == 0 ? clock + 3 : clock);
}

static bool is_in_log(const struct scene *sc, uint64_t seq)
{
    for (size_t i = 0; i < sc->log_count; i++) {
        if (sc->log[i].seq == seq) {
            return true;
        }
    }
    return false;
}

static void sentence(struct buf *b, struct report *r, const struct scene *sc,
                     const struct scene_line *l, const char *anchor)
{
    bool here = l->seq == sc->moment_seq;
    bool link = is_in_log(sc, l->seq);
    buf_printf(b, "<li class=\"%s%s\">", event_class_name(l->class), here ? " here" : "");
    if (link) {
        buf_printf(b, "<a href=\"#l%s-%" PRIu64 "\">", anchor, l->seq);
    }
    buf_puts(b, "<time>");
    short_clock(b, l->vtime_ns);
    buf_printf(b, "</time>%s<span>", link ? "</a>" : "");
    if (l->class == CLASS_FAULT) {
        buf_puts(b, "fault: ");
    }
    const char *node = store_node_name(r->store, l->node);
    if (*node && l->class != CLASS_CONTAINER && l->class != CLASS_FAULT) {
        text_html(b, node);
        buf_puts(b, ": ");
    }
    text_html_n(b, l->text, strlen(l->text), 400);
    buf_printf(b, "%s</span></li>\n", here ? " <em>\xe2\x86\x90 violated here</em>" : "");
}

/* The node of the event that the scene is about. */
static uint16_t moment_node(const struct scene *sc)
{
    uint16_t node = EVENT_NO_NODE;
    for (size_t i = 0; i < sc->story_count; i++) {
        if (sc->story[i].seq == sc->moment_seq) {
            node = sc->story[i].node;
        }
    }
    return node;
}

/* The last of each kind, and of commands those beside the failure: a story of three hundred
 * sentences is none. */
static void choose(const struct scene *sc, bool *chosen)
{
    uint16_t node = moment_node(sc);
    size_t room[CLASS_ENGINE + 1] = {[CLASS_FAULT] = 8,
                                     [CLASS_CONTAINER] = 6,
                                     [CLASS_COMMAND] = 3,
                                     [CLASS_CRASH] = 4,
                                     [CLASS_VIOLATION] = 3};
    for (size_t i = sc->story_count; i-- > 0;) {
        const struct scene_line *l = &sc->story[i];
        bool aside = l->class == CLASS_COMMAND && l->node != node;
        chosen[i] = l->seq == sc->moment_seq || (room[l->class] > 0 && !aside);
        if (chosen[i] && room[l->class] > 0) {
            room[l->class]--;
        }
    }
}

void html_story(struct buf *b, struct report *r, const struct scene *sc, const char *anchor)
{
    bool *chosen = mem_zalloc(sc->story_count * sizeof *chosen);
    choose(sc, chosen);
    size_t left_out = 0;
    html_part_heading(b, sc, "What happened");
    buf_puts(b, "\n<ol class=\"story\">\n");
    for (size_t i = 0; i < sc->story_count; i++) {
        if (chosen[i]) {
            sentence(b, r, sc, &sc->story[i], anchor);
        } else {
            left_out++;
        }
    }
    buf_puts(b, "</ol>\n");
    if (left_out) {
        buf_puts(b, "<p class=\"note\">");
        text_plural(b, left_out, "earlier event is", "earlier events are");
        buf_puts(b, " left out here; the timeline shows them.</p>\n");
    }
    free(chosen);
}

/* Time, node, text. */
static void line_cells(struct buf *b, struct report *r, const struct scene_line *l)
{
    buf_puts(b, "<time>");
    short_clock(b, l->vtime_ns);
    buf_puts(b, "</time><b class=\"node\"");
    if (l->node != EVENT_NO_NODE) {
        buf_printf(b, " data-node=\"%u\"", l->node % 6u);
    }
    buf_putc(b, '>');
    const char *node = store_node_name(r->store, l->node);
    text_html(b, l->class == CLASS_FAULT ? "fault" : *node ? node : "universe");
    buf_puts(b, "</b><span>");
    text_html(b, l->text);
    buf_puts(b, "</span>");
}

static void log_line(struct buf *b, struct report *r, const struct scene *sc,
                     const struct scene_line *l, const char *anchor)
{
    buf_printf(b, "<li id=\"l%s-%" PRIu64 "\" class=\"%s%s\" data-t=\"%" PRIu64 "\">", anchor,
               l->seq, event_class_name(l->class), l->seq == sc->moment_seq ? " here" : "",
               l->vtime_ns);
    line_cells(b, r, l);
    buf_puts(b, "</li>\n");
}

static void left_out(struct buf *b, uint64_t count, const char *side)
{
    if (count) {
        buf_puts(b, "<li class=\"cut\">");
        text_plural(b, count, "line", "lines");
        buf_printf(b, " %s left out</li>\n", side);
    }
}

void html_log(struct buf *b, struct report *r, const struct scene *sc, const char *anchor)
{
    struct store_universe u;
    struct err err = {0};
    int64_t hash = 0;
    if (store_universe(r->store, sc->universe, &u, &err) == 1) {
        hash = u.input_hash;
        store_universe_free(&u);
    }
    err_clear(&err);
    buf_puts(b, "<div class=\"logbox\"><div class=\"logbar\">");
    html_part_heading(b, sc, "Log, all nodes");
    buf_puts(b, "<span class=\"logcount\" role=\"status\"></span><input type=\"search\" class=\"js "
                "logfilter\" placeholder=\"filter (regex)\" "
                "aria-label=\"Filter log lines\"></div>\n");
    buf_printf(b,
               "<ol class=\"log\" tabindex=\"0\" aria-label=\"Log around the moment\" "
               "data-hash=\"%" PRId64 "\">\n",
               hash);
    left_out(b, sc->log_before, "before");
    for (size_t i = 0; i < sc->log_count; i++) {
        log_line(b, r, sc, &sc->log[i], anchor);
    }
    left_out(b, sc->log_after, "after");
    if (sc->log_count == 0) {
        buf_puts(b, "<li class=\"cut\">nothing was printed around this moment</li>\n");
    }
    buf_puts(b, "</ol></div>\n");
}

/* ---- side by side ---- */

static void side_lines(struct buf *b, struct report *r, const struct counterpart_side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        const struct scene_line *l = &side->lines[i];
        buf_printf(b, "<li class=\"%s\">", event_class_name(l->class));
        line_cells(b, r, l);
        buf_puts(b, "</li>\n");
    }
    left_out(b, side->left_out, "after");
    if (side->count == 0) {
        buf_puts(b, "<li class=\"cut\">nothing more: the history ends here</li>\n");
    }
}

static void column(struct buf *b, struct report *r, const struct counterpart_side *side,
                   uint64_t universe, const char *what)
{
    buf_printf(b,
               "<div><p class=\"part\">Universe %" PRIu64
               ": %s</p><ol class=\"log\" tabindex=\"0\" "
               "aria-label=\"Universe %" PRIu64 ": %s\">\n",
               universe, what, universe, what);
    side_lines(b, r, side);
    buf_puts(b, "</ol></div>\n");
}

void html_counterpart(struct buf *b, struct report *r, const struct scene *sc,
                      const struct counterpart *c)
{
    char clock[VTIME_TEXT_MAX];
    vtime_clock(c->differs_ns, clock);
    buf_puts(b, "<section class=\"counterpart\">");
    html_part_heading(b, sc, "The same history without the failure");
    buf_puts(b, "\n<p>");
    buf_printf(b,
               c->has_common_past
                   ? "Universe %" PRIu64 " shares its past with this one and does not fail. "
                   : "Universe %" PRIu64 " began with other choices and does not fail; of all that "
                     "did not, it is the nearest. ",
               c->universe);
    buf_printf(b, "The first difference is at %s.</p>\n", clock);
    if (c->common.count) {
        buf_puts(b, "<ol class=\"log common\" aria-label=\"Last lines that both have\">\n");
        side_lines(b, r, &c->common);
        buf_puts(b, "</ol>\n");
    }
    buf_puts(b, "<div class=\"sides\">\n");
    column(b, r, &c->failing, sc->universe, "fails");
    column(b, r, &c->other, c->universe, "does not fail");
    buf_puts(b, "</div></section>\n");
}
