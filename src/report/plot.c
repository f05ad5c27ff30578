/* Small plots: behaviours found over time, failures over runs, probability over virtual time. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "report/html_parts.h"
#include "report/text.h"
#include "store/json_lenient.h"
#include "store/moment.h"

/* Stretched to its box; strokes keep their width by vector-effect (report.css). */
static void open_plot(struct buf *b, const char *label)
{
    buf_printf(b,
               "<svg class=\"plot\" viewBox=\"0 0 1000 200\" preserveAspectRatio=\"none\" "
               "role=\"img\" aria-label=\"%s\">"
               "<line class=\"grid\" x1=\"0\" x2=\"1000\" y1=\"199\" y2=\"199\"/>"
               "<line class=\"grid\" x1=\"0\" x2=\"1000\" y1=\"100\" y2=\"100\"/>"
               "<line class=\"grid\" x1=\"0\" x2=\"1000\" y1=\"1\" y2=\"1\"/>",
               label);
}

void plot_progress(struct buf *b, const struct store_progress *points, size_t count)
{
    if (count < 2) {
        buf_puts(b, "<p class=\"empty\">Too short to plot what was found over time.</p>\n");
        return;
    }
    uint64_t x_max = 1;
    uint64_t y_max = 1;
    for (size_t i = 0; i < count; i++) {
        x_max = max_u64(x_max, points[i].virtual_ns);
        y_max = max_u64(y_max, points[i].behaviours);
    }
    buf_puts(b, "<figure class=\"plotbox\"><figcaption>Behaviours found, over tested time"
                "</figcaption><div class=\"plotrow\"><div class=\"y\"><span>");
    text_count(b, y_max);
    buf_puts(b, "</span><span>0</span></div>");
    open_plot(b, "Distinct behaviours found, over tested time");
    buf_puts(b, "<polyline class=\"curve\" points=\"0,199 ");
    for (size_t i = 0; i < count; i++) {
        const struct store_progress *p = &points[i];
        buf_printf(b, "%.1f,%.1f ", 1000.0 * (double)p->virtual_ns / (double)x_max,
                   199.0 - 198.0 * (double)p->behaviours / (double)y_max);
    }
    buf_puts(b, "\"/></svg></div><div class=\"x\"><span>0</span><span>");
    text_duration(b, x_max);
    buf_puts(b, "</span></div></figure>\n");
}

void plot_history(struct buf *b, const struct report_property *rp, size_t runs)
{
    if (runs == 0) {
        buf_puts(b, "<span class=\"history\"></span>");
        return;
    }
    buf_printf(b,
               "<span class=\"history\"><svg width=\"%zu\" height=\"16\" role=\"img\" "
               "aria-label=\"Failures in the last %zu runs, this one last\">",
               (runs + 1) * 5, runs + 1);
    for (size_t i = 0; i <= runs; i++) {
        double share = rp->history[i];
        if (share < 0) {
            continue; /* the property was not in that run */
        }
        double h = share > 0 ? 4 + 12 * share : 2;
        buf_printf(b, "<rect class=\"%s\" x=\"%zu\" y=\"%.1f\" width=\"4\" height=\"%.1f\"/>",
                   share > 0 ? "hbad" : "hok", i * 5, 16 - h, h);
    }
    buf_puts(b, "</svg></span>");
}

static bool curve_point(const json_t *points, size_t i, double *x, double *y)
{
    const json_t *point = json_array_get(points, i);
    return json_to_double(json_array_get(point, 0), x) &&
           json_to_double(json_array_get(point, 1), y) && *y >= 0 && *y <= 1;
}

void plot_curve(struct buf *b, const char *curve_json, uint64_t inevitable_ns)
{
    bool cut;
    json_t *points = json_lenient(curve_json, strlen(curve_json), &cut);
    size_t count = json_array_size(points);
    double first = 0;
    double last = 0;
    double y = 0;
    if (count < 2 || !curve_point(points, 0, &first, &y) ||
        !curve_point(points, count - 1, &last, &y) || !(last > first)) {
        json_decref(points);
        return;
    }
    buf_puts(b, "<figure class=\"plotbox small\"><figcaption>Probability that it fails, from each "
                "moment on</figcaption><div class=\"plotrow\"><div class=\"y\"><span>100 %</span>"
                "<span>0</span></div>");
    open_plot(b, "Probability that the property fails, over virtual time");
    buf_puts(b, "<polyline class=\"curve bad\" points=\"");
    for (size_t i = 0; i < count; i++) {
        double x = 0;
        if (curve_point(points, i, &x, &y)) {
            buf_printf(b, "%.1f,%.1f ", 1000 * (x - first) / (last - first), 199 - 198 * y);
        }
    }
    buf_puts(b, "\"/>");
    double at = (double)inevitable_ns / 1e9;
    if (at > first && at < last) {
        double x = 1000 * (at - first) / (last - first);
        buf_printf(b, "<line class=\"playhead\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"200\"/>", x,
                   x);
    }
    buf_printf(b,
               "</svg></div><div class=\"x\"><span>%.1f s</span><span>%.1f s</span></div>"
               "</figure>\n",
               first, last);
    json_decref(points);
}
