/* What a run says in the terminal. */
#include "report/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/report.h"
#include "report/text.h"
#include "store/moment.h"

#define RED      "31"
#define YELLOW   "33"
#define GREEN    "36" /* blue-green: told from red by everyone */
#define DIM      "2"
#define DOT      " \xc2\xb7 "
#define FOLD     10u
#define NAME_COL 11u

struct terminal_style terminal_style_of(int fd)
{
    struct terminal_style style = {.columns = 80};
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    bool dumb = !term || strcmp(term, "dumb") == 0;
    struct winsize size;
    if (isatty(fd) && !dumb) {
        style.live = true;
        style.color = !no_color || !*no_color; /* no-color.org: set and not empty */
        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) {
            style.columns = size.ws_col;
        }
    }
    return style;
}

static void paint(struct buf *b, const struct terminal_style *style, const char *color,
                  const char *text)
{
    if (style->color) {
        buf_printf(b, "\033[%sm%s\033[0m", color, text);
    } else {
        buf_puts(b, text);
    }
}

static void facts(struct buf *b, const struct terminal_numbers *now)
{
    text_plural(b, now->universes, "universe", "universes");
    buf_puts(b, DOT);
    text_duration(b, now->virtual_ns);
    buf_puts(b, " tested in ");
    text_duration(b, now->wall_ns);
    buf_puts(b, DOT);
    text_count(b, now->properties_seen);
    buf_puts(b, " of ");
    text_plural(b, now->properties, "property seen", "properties seen");
    buf_puts(b, DOT);
    text_plural(b, now->failures, "failure", "failures");
}

void terminal_live(struct buf *b, const struct terminal_style *style,
                   const struct terminal_numbers *now)
{
    cleanup_buf struct buf line = {0};
    text_clean(&line, now->name, strlen(now->name), 200);
    buf_puts(&line, "  \xe2\x96\xb8 ");
    facts(&line, now);
    cleanup_buf struct buf workers = {0};
    buf_printf(&workers, "   [%" PRIu32 " worker%s]", now->workers, now->workers == 1 ? "" : "s");
    if (text_width(line.data) + text_width(workers.data) <= style->columns) {
        buf_append(&line, workers.data, workers.len);
    }
    cleanup_buf struct buf cut = {0};
    text_fit(&cut, line.data, style->columns);
    if (now->failures) {
        paint(b, style, RED, cut.data);
    } else {
        buf_append(b, cut.data, cut.len);
    }
}

void terminal_change(struct buf *b, const struct terminal_numbers *last,
                     const struct terminal_numbers *now)
{
    if (last->properties_seen != now->properties_seen || last->properties != now->properties ||
        last->failures != now->failures) {
        text_clean(b, now->name, strlen(now->name), 200);
        buf_puts(b, ": ");
        facts(b, now);
        buf_putc(b, '\n');
    }
}

#define NEXT_LINE "\n           "

#define RULE_WIDTH_MIN 12u

/* Cuts the rule rather than its item, which is what tells it from its neighbours. */
static size_t fit_name(struct buf *b, const struct property *p, const char *name, size_t width)
{
    const char *arrow = p->item ? strstr(name, " \xe2\x86\x92 ") : NULL;
    size_t item = arrow ? text_width(arrow) : 0;
    if (!arrow || item + RULE_WIDTH_MIN > width) {
        return text_fit(b, name, width);
    }
    cleanup_buf struct buf rule = {0};
    buf_append(&rule, name, (size_t)(arrow - name));
    size_t used = text_fit(b, rule.data, width - item);
    buf_puts(b, arrow);
    return used + item;
}

/* Name and fact, the fact flush right. What failed keeps its whole name, over lines if need be,
 * broken before its item. */
static void name_and_fact(struct buf *b, size_t room, const struct property *p, const char *fact)
{
    cleanup_buf struct buf name = {0};
    report_property_name(&name, p);
    const char *rest = name.data;
    size_t left = room - min_u64(room, text_width(fact) + 2);
    bool whole = property_verdict(p) != VERDICT_PASSED;
    const char *arrow = p->item ? strstr(rest, " \xe2\x86\x92 ") : NULL;
    if (whole && arrow && text_width(rest) > left) {
        buf_append(b, rest, (size_t)(arrow - rest));
        buf_puts(b, NEXT_LINE);
        rest = arrow + 1;
    }
    size_t width = text_width(rest);
    if (width <= left) {
        buf_puts(b, rest);
    } else if (whole) {
        buf_puts(b, rest);
        buf_puts(b, NEXT_LINE);
        width = 0;
    } else {
        width = fit_name(b, p, rest, left);
    }
    for (size_t i = width; i < left + 2; i++) {
        buf_putc(b, ' ');
    }
    buf_puts(b, fact);
    buf_putc(b, '\n');
}

/* "  FAILED   name ........ fact" */
static void entry(struct buf *b, const struct terminal_style *style, const char *color,
                  const char *word, const struct property *p, const char *fact)
{
    buf_puts(b, "  ");
    paint(b, style, color, word);
    for (size_t i = strlen(word); i < NAME_COL - 2; i++) {
        buf_putc(b, ' ');
    }
    name_and_fact(b, style->columns - NAME_COL, p, fact);
}

static int failed(struct buf *b, const struct terminal_style *style, struct report *r,
                  const struct report_property *rp, struct err *err)
{
    const struct property *p = rp->p;
    cleanup_buf struct buf fact = {0};
    text_count(&fact, p->universes_bad);
    buf_puts(&fact, " of ");
    text_plural(&fact, r->totals.universes, "universe", "universes");
    entry(b, style, RED, "FAILED", p, fact.data);
    const struct property_example *x = report_first_failure(rp);
    if (!x) {
        return 0;
    }
    char clock[VTIME_TEXT_MAX];
    vtime_clock(x->vtime_ns, clock);
    const struct store_confirmation *c = rp->confirmation;
    buf_printf(b, "           first at %s in universe %" PRIu64, clock, x->universe);
    if (c && c->fault_count >= 0) {
        buf_puts(b, DOT "minimal: ");
        text_plural(b, (uint64_t)c->fault_count, "fault", "faults");
        if (c->minimal && *c->minimal) {
            buf_puts(b, " (");
            text_clean(b, c->minimal, strlen(c->minimal), 200);
            buf_putc(b, ')');
        }
    }
    buf_puts(b, NEXT_LINE);
    if (report_replay_command(r, x->universe, x->vtime_ns, b, err)) {
        return -1;
    }
    buf_putc(b, '\n');
    return 0;
}

static void never(struct buf *b, const struct terminal_style *style, const struct property *p)
{
    entry(b, style, YELLOW, "NEVER", p, "never reached");
}

static void passed(struct buf *b, const struct terminal_style *style, const struct property *p)
{
    cleanup_buf struct buf fact = {0};
    if (p->kind == PROPERTY_SOMETIMES || p->kind == PROPERTY_REACHABLE) {
        buf_puts(&fact, "reached ");
        text_plural(&fact, p->good, "time", "times");
    } else if (p->good == 0) {
        buf_puts(&fact, "not violated");
    } else {
        text_plural(&fact, p->good, "check", "checks");
    }
    entry(b, style, GREEN, "passed", p, fact.data);
}

static void totals(struct buf *b, const struct terminal_style *style, const struct report *r)
{
    const struct verdict_counts *c = &r->counts;
    cleanup_buf struct buf left = {0};
    cleanup_buf struct buf right = {0};
    buf_printf(&left,
               "  %" PRIu64 " failed" DOT "%" PRIu64 " passed" DOT "%" PRIu64 " never reached",
               c->failed, c->passed, c->never);
    text_plural(&right, r->totals.universes, "universe", "universes");
    buf_puts(&right, ", ");
    text_duration(&right, r->totals.virtual_ns);
    buf_puts(&right, " tested in ");
    text_duration(&right, r->run.wall_ns);
    if (r->run.workers) {
        buf_puts(&right, " on ");
        text_plural(&right, r->run.workers, "core", "cores");
    }
    buf_putc(b, '\n');
    paint(b, style, c->failed ? RED : c->never ? YELLOW : GREEN, left.data);
    size_t used = text_width(left.data) + text_width(right.data);
    if (used + 2 > style->columns) {
        buf_puts(b, "\n  ");
    }
    for (size_t i = used; used + 2 <= style->columns && i < style->columns; i++) {
        buf_putc(b, ' ');
    }
    buf_puts(b, right.data);
    buf_putc(b, '\n');
}

int terminal_summary(struct buf *b, const struct terminal_style *style, struct report *r,
                     struct err *err)
{
    uint64_t shown = 0;
    for (size_t i = 0; i < r->prop_count; i++) {
        const struct report_property *rp = &r->props[i];
        if (rp->verdict == VERDICT_FAILED) {
            if (failed(b, style, r, rp, err)) {
                return -1;
            }
        } else if (rp->verdict == VERDICT_NEVER) {
            never(b, style, rp->p);
        } else if (shown++ < FOLD) {
            passed(b, style, rp->p);
        }
    }
    if (shown > FOLD) {
        cleanup_buf struct buf more = {0};
        buf_printf(&more, "  \xe2\x80\xa6 and %" PRIu64 " more passed", shown - FOLD);
        paint(b, style, DIM, more.data);
        buf_putc(b, '\n');
    }
    if (r->run.status == RUN_INCOMPLETE || r->run.status == RUN_CANCELLED) {
        buf_printf(b, "\n  run %s: ", r->run.status == RUN_CANCELLED ? "cancelled" : "incomplete");
        const char *why = r->run.status_text ? r->run.status_text : "no reason was recorded";
        text_clean(b, why, strlen(why), 2000);
        buf_putc(b, '\n');
    }
    totals(b, style, r);
    buf_printf(b, "  report: %s/report.html\n", r->run_path);
    return 0;
}
