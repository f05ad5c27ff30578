/* junit.xml: one test case per property, so that any CI shows the verdict. A property never reached
 * is a failure too: the run did not test what it was meant to. */
#include <inttypes.h>
#include <string.h>

#include "report/report.h"
#include "report/text.h"
#include "store/moment.h"

static void attribute(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, " %s=\"", name);
    text_html(b, value);
    buf_putc(b, '"');
}

static int failure(struct buf *b, struct report *r, const struct report_property *rp,
                   struct err *err)
{
    const struct property *p = rp->p;
    cleanup_buf struct buf message = {0};
    cleanup_buf struct buf body = {0};
    const struct property_example *x = report_first_failure(rp);
    buf_puts(&message, "fails in ");
    text_count(&message, p->universes_bad);
    buf_puts(&message, " of ");
    text_plural(&message, r->totals.universes, "universe", "universes");
    if (x) {
        char clock[VTIME_TEXT_MAX];
        vtime_clock(x->vtime_ns, clock);
        buf_printf(&body, "first at %s in universe %" PRIu64, clock, x->universe);
        if (x->node != EVENT_NO_NODE) {
            buf_printf(&body, " on %s", store_node_name(r->store, x->node));
        }
        buf_putc(&body, '\n');
        if (p->file) {
            buf_printf(&body, "%s:%" PRId64 "\n", p->file, p->line);
        }
        if (x->details) {
            buf_printf(&body, "details: %s\n", x->details);
        }
        buf_puts(&body, "replay: ");
        if (report_replay_command(r, x->universe, x->vtime_ns, &body, err)) {
            return -1;
        }
        buf_putc(&body, '\n');
    }
    buf_puts(b, ">\n    <failure");
    attribute(b, "type", "failed");
    attribute(b, "message", message.data);
    buf_putc(b, '>');
    text_html(b, body.data);
    buf_puts(b, "</failure>\n  </testcase>\n");
    return 0;
}

static int test_case(struct buf *b, struct report *r, const struct report_property *rp,
                     struct err *err)
{
    cleanup_buf struct buf name = {0};
    report_property_name(&name, rp->p);
    buf_puts(b, "  <testcase");
    attribute(b, "classname", rp->p->group ? rp->p->group : "SDK");
    attribute(b, "name", name.data);
    if (rp->p->file) {
        attribute(b, "file", rp->p->file);
    }
    switch (rp->verdict) {
    case VERDICT_FAILED:
        return failure(b, r, rp, err);
    case VERDICT_NEVER:
        buf_puts(b, ">\n    <failure type=\"never reached\" message=\"declared, never reached in ");
        text_plural(b, r->totals.universes, "universe", "universes");
        buf_puts(b, "\"/>\n  </testcase>\n");
        break;
    case VERDICT_PASSED:
        buf_puts(b, "/>\n");
        break;
    }
    return 0;
}

int report_junit(struct report *r, struct buf *out, struct err *err)
{
    cleanup_buf struct buf counts = {0};
    buf_printf(&counts,
               " tests=\"%zu\" failures=\"%" PRIu64 "\" errors=\"%d\" time=\"%" PRIu64 ".%03" PRIu64
               "\"",
               r->prop_count, r->counts.failed + r->counts.never, r->run.status == RUN_INCOMPLETE,
               r->run.wall_ns / 1000000000, r->run.wall_ns / 1000000 % 1000);
    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    buf_append(out, counts.data, counts.len);
    buf_puts(out, ">\n <testsuite");
    attribute(out, "name", r->run.name ? r->run.name : "everett");
    buf_append(out, counts.data, counts.len);
    buf_puts(out, ">\n");
    if (r->run.status == RUN_INCOMPLETE) {
        buf_puts(out, "  <system-err>run incomplete: ");
        text_html(out, r->run.status_text ? r->run.status_text : "no reason was recorded");
        buf_puts(out, "</system-err>\n");
    }
    for (size_t i = 0; i < r->prop_count; i++) {
        if (test_case(out, r, &r->props[i], err)) {
            return -1;
        }
    }
    buf_puts(out, " </testsuite>\n</testsuites>\n");
    return 0;
}
