/* The timeline of a scene: a row a node; faults as bands, commands as bars, assertions as dots.
 *
 * Everything horizontal is in per cent of the time shown, so that the picture fits any width and a
 * script can zoom by widening it; everything vertical is in pixels, so that text keeps its size. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/text.h"
#include "store/moment.h"

#define LABEL_H 18u
#define LANE_H  9u
#define DOTS_H  12u
#define GAP_H   6u
#define AXIS_H  22u
#define TICKS   7u

#define LABEL_COLUMNS 40u

struct picture {
    struct buf *b;
    struct report *r;
    const struct scene *sc;
    size_t rows;
    unsigned *top, *height; /* of each row, px; owned */
    unsigned total;
};

static double percent(const struct picture *p, uint64_t t)
{
    const struct scene *sc = p->sc;
    uint64_t clamped = t < sc->from_ns ? sc->from_ns : min_u64(t, sc->to_ns);
    uint64_t length = sc->to_ns > sc->from_ns ? sc->to_ns - sc->from_ns : 1;
    return 100.0 * (double)(clamped - sc->from_ns) / (double)length;
}

static void place_rows(struct picture *p)
{
    store_nodes(p->r->store, &p->rows);
    p->top = mem_zalloc(p->rows * sizeof *p->top);
    p->height = mem_zalloc(p->rows * sizeof *p->height);
    unsigned y = 0;
    for (size_t i = 0; i < p->rows; i++) {
        unsigned lanes = 0;
        bool dots = false;
        for (size_t k = 0; k < p->sc->span_count; k++) {
            const struct scene_span *s = &p->sc->spans[k];
            if (!s->is_fault && s->node == i && s->lane + 1 > lanes) {
                lanes = s->lane + 1;
            }
        }
        for (size_t k = 0; k < p->sc->dot_count; k++) {
            dots |= p->sc->dots[k].node == i;
        }
        p->top[i] = y;
        p->height[i] = LABEL_H + lanes * LANE_H + (dots ? DOTS_H : 0);
        y += p->height[i] + GAP_H;
    }
    p->total = y;
}

static void title(struct picture *p, uint64_t from_ns, uint64_t to_ns, const char *text)
{
    char a[VTIME_TEXT_MAX];
    char z[VTIME_TEXT_MAX];
    vtime_clock(from_ns, a);
    vtime_clock(to_ns, z);
    buf_printf(p->b, "<title>%s%s%s  ", a, to_ns > from_ns ? " to " : "", to_ns > from_ns ? z : "");
    text_html_n(p->b, text, strlen(text), 300);
    buf_puts(p->b, "</title>");
}

static void rect(struct picture *p, const struct scene_span *s, const char *class, unsigned y,
                 unsigned h)
{
    double x = percent(p, s->from_ns);
    double w = percent(p, s->to_ns) - x;
    buf_printf(p->b, "<rect class=\"%s\" x=\"%.3f%%\" y=\"%u\" width=\"%.3f%%\" height=\"%u\">",
               class, x, y, w < 0.25 ? 0.25 : w, h);
    title(p, s->from_ns, s->to_ns, s->text);
    buf_puts(p->b, "</rect>\n");
}

static void bands(struct picture *p)
{
    for (size_t i = 0; i < p->sc->span_count; i++) {
        const struct scene_span *s = &p->sc->spans[i];
        const char *class = s->is_down ? "band down" : "band";
        for (size_t row = 0; s->is_fault && row < p->rows; row++) {
            if (s->node == row || s->node == EVENT_NO_NODE) {
                rect(p, s, class, p->top[row], p->height[row]);
            }
        }
    }
}

static void bars(struct picture *p)
{
    for (size_t i = 0; i < p->sc->span_count; i++) {
        const struct scene_span *s = &p->sc->spans[i];
        if (!s->is_fault && s->node < p->rows) {
            rect(p, s, s->has_failed ? "bar bad" : "bar",
                 p->top[s->node] + LABEL_H + s->lane * LANE_H + 1, LANE_H - 3);
        }
    }
}

static void dots(struct picture *p)
{
    for (size_t i = 0; i < p->sc->dot_count; i++) {
        const struct scene_dot *d = &p->sc->dots[i];
        if (d->node >= p->rows) {
            continue;
        }
        unsigned y = p->top[d->node] + p->height[d->node] - DOTS_H / 2;
        buf_printf(p->b, "<circle class=\"%s\" cx=\"%.3f%%\" cy=\"%u\" r=\"%s\">",
                   d->is_moment ? "adot bad here"
                   : d->holds   ? "adot"
                                : "adot bad",
                   percent(p, d->vtime_ns), y, d->is_moment ? "5" : "3");
        title(p, d->vtime_ns, d->vtime_ns, d->text);
        buf_puts(p->b, "</circle>\n");
    }
}

static uint64_t tick_step(uint64_t length_ns)
{
    static const uint64_t steps_ms[] = {1,      2,       5,       10,      20,      50,
                                        100,    200,     500,     1000,    2000,    5000,
                                        10000,  20000,   30000,   60000,   120000,  300000,
                                        600000, 1800000, 3600000, 7200000, 21600000};
    for (size_t i = 0; i < ARRAY_LEN(steps_ms); i++) {
        if (length_ns / (steps_ms[i] * 1000000) < TICKS) {
            return steps_ms[i] * 1000000;
        }
    }
    return max_u64(length_ns / TICKS, 1);
}

static void axis(struct picture *p)
{
    const struct scene *sc = p->sc;
    uint64_t step = tick_step(sc->to_ns - sc->from_ns);
    uint64_t first = (sc->from_ns + step - 1) / step * step;
    for (uint64_t t = first; t <= sc->to_ns; t += step) {
        double x = percent(p, t);
        char clock[VTIME_TEXT_MAX];
        vtime_clock(t, clock);
        if (step >= 1000000000) {
            *strchr(clock, '.') = 0;
        }
        const char *text = strncmp(clock, "00:", 3) == 0 ? clock + 3 : clock;
        buf_printf(p->b, "<line class=\"tick\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"0\" y2=\"%u\"/>", x,
                   x, p->total);
        buf_printf(p->b, "<text class=\"%s\" x=\"%.3f%%\" y=\"%u\">%s</text>\n",
                   x > 95  ? "ticktext end"
                   : x < 4 ? "ticktext start"
                           : "ticktext",
                   x, p->total + 14, text);
    }
    double here = percent(p, sc->moment_ns);
    buf_printf(p->b, "<line class=\"playhead\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"0\" y2=\"%u\"/>\n",
               here, here, p->total);
}

/* Over the picture, so that they stay while it scrolls. */
static void labels(struct picture *p)
{
    size_t count;
    const struct store_node *nodes = store_nodes(p->r->store, &count);
    buf_printf(p->b, "<svg class=\"tl-labels\" aria-hidden=\"true\" width=\"100%%\" height=\"%u\">",
               p->total);
    for (size_t i = 0; i < p->rows; i++) {
        cleanup_buf struct buf clean = {0};
        cleanup_buf struct buf fit = {0};
        text_clean(&clean, nodes[i].name, strlen(nodes[i].name), 400);
        text_fit(&fit, clean.data ? clean.data : "", LABEL_COLUMNS);
        buf_printf(p->b, "<text x=\"6\" y=\"%u\">", p->top[i] + 13);
        text_html(p->b, fit.data);
        buf_puts(p->b, "</text>");
    }
    buf_puts(p->b, "</svg>");
}

static void row_backs(struct picture *p)
{
    for (size_t i = 0; i < p->rows; i++) {
        buf_printf(p->b, "<rect class=\"row\" x=\"0\" y=\"%u\" width=\"100%%\" height=\"%u\"/>",
                   p->top[i], p->height[i]);
    }
}

void html_timeline(struct buf *b, struct report *r, const struct scene *sc)
{
    struct picture p = {.b = b, .r = r, .sc = sc};
    place_rows(&p);
    buf_puts(b, "<figure class=\"timeline\"><figcaption>");
    html_part_heading(b, sc, "Timeline");
    buf_puts(b, "<span class=\"key\"><i class=\"k-band\"></i>fault</span>"
                "<span class=\"key\"><i class=\"k-down\"></i>node down</span>"
                "<span class=\"key\"><i class=\"k-bar\"></i>command</span>"
                "<span class=\"key\"><i class=\"k-ok\"></i>assertion true</span>"
                "<span class=\"key\"><i class=\"k-bad\"></i>false</span>"
                "<span class=\"js zoom\"><button type=\"button\" data-zoom=\"0.5\" "
                "aria-label=\"Zoom out\">\xe2\x88\x92</button><button type=\"button\" "
                "data-zoom=\"2\" aria-label=\"Zoom in\">+</button></span></figcaption>"
                "<div class=\"tl-box\">");
    labels(&p);
    buf_printf(b,
               "<div class=\"tl-scroll\" tabindex=\"0\" role=\"group\" "
               "aria-label=\"Timeline, scrolls sideways when zoomed\">"
               "<svg role=\"img\" aria-label=\"What each node did over time\" "
               "data-from=\"%" PRIu64 "\" data-to=\"%" PRIu64 "\" width=\"100%%\" "
               "height=\"%u\">\n",
               sc->from_ns, sc->to_ns, p.total + AXIS_H);
    row_backs(&p);
    bands(&p);
    axis(&p);
    bars(&p);
    dots(&p);
    buf_puts(b, "</svg></div></div></figure>\n");
    free(p.top);
    free(p.height);
}
