#include "server/logs/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/text.h"
#include "server/logs/event_view.h"
#include "server/logs/search.h"
#include "store/moment.h"
#include "store/store.h"

#define LINE_MAX_BYTES (64u << 10)

struct search_export {
    struct search *q;
    struct store *store;
    enum export_format format;
    uint64_t left;       /* events that may still be written */
    uint64_t next, last; /* universes */
    bool is_over;
    struct buf out;
    size_t given; /* bytes of `out` that the reader has */
};

struct search_export *search_export_create(struct search *q, struct store *s,
                                           const struct export_options *o)
{
    struct search_export *x = mem_zalloc(sizeof *x);
    *x = (struct search_export){.q = q,
                                .store = s,
                                .format = o->format,
                                .left = o->limit ? o->limit : UINT64_MAX,
                                .next = o->universe_from,
                                .last = o->universe_to};
    if (x->format == EXPORT_CSV) {
        buf_puts(&x->out, "universe,input_hash,vtime,container,type,text\r\n");
    }
    return x;
}

/* A cell that begins like a formula is kept from being one (OWASP, CSV injection). */
static void put_cell(struct buf *b, const char *s, size_t len)
{
    cleanup_buf struct buf clean = {0};
    if (len && strchr("=+-@", s[0])) {
        buf_putc(&clean, '\'');
    }
    text_clean(&clean, s, len, LINE_MAX_BYTES);
    buf_puts(b, ",\"");
    for (size_t i = 0; i < clean.len; i++) {
        buf_puts(b, clean.data[i] == '"' ? "\"" : "");
        buf_putc(b, clean.data[i]);
    }
    buf_putc(b, '"');
}

static void put_csv(struct event_view *v, struct buf *b)
{
    static const enum event_field fields[] = {FIELD_CONTAINER, FIELD_TYPE, FIELD_TEXT};
    char vtime[VTIME_TEXT_MAX];
    vtime_seconds(event_view_event(v)->vtime_ns, vtime);
    buf_printf(b, "%" PRIu64 ",%" PRId64 ",%s", event_view_universe(v), event_view_hash(v), vtime);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct text t = event_view_field(v, fields[i]);
        put_cell(b, t.data, t.len);
    }
    buf_puts(b, "\r\n");
}

static void put_text(struct event_view *v, struct buf *b)
{
    char clock[VTIME_TEXT_MAX];
    struct text node = event_view_field(v, FIELD_CONTAINER), t = event_view_field(v, FIELD_TEXT);
    vtime_clock(event_view_event(v)->vtime_ns, clock);
    buf_printf(b, "%6" PRIu64 "  %s  %-12.*s | ", event_view_universe(v), clock, (int)node.len,
               node.data ? node.data : "");
    text_clean(b, t.data ? t.data : "", t.len, LINE_MAX_BYTES);
    buf_putc(b, '\n');
}

static int put_hit(void *ctx, struct event_view *v)
{
    struct search_export *x = ctx;
    if (x->left == 0) {
        return 1;
    }
    x->left--;
    switch (x->format) {
    case EXPORT_JSON:
        event_view_json(v, &x->out);
        buf_putc(&x->out, '\n');
        break;
    case EXPORT_CSV:
        put_csv(v, &x->out);
        break;
    case EXPORT_TEXT:
        put_text(v, &x->out);
        break;
    }
    return 0;
}

static void put_error(struct search_export *x, const struct err *err)
{
    if (x->format == EXPORT_JSON) {
        buf_puts(&x->out, "{\"error\":");
        buf_json_string(&x->out, err->msg, strlen(err->msg));
        buf_puts(&x->out, "}\n");
    } else {
        buf_printf(&x->out, "error: %s\n", err->msg);
    }
}

/* One universe further. */
static void advance(struct search_export *x)
{
    cleanup_err struct err err = {0};
    struct search_result result;
    const struct search_range range = {
        .universe_from = x->next, .universe_to = x->last, .deadline_ns = 1};
    int r = search_run(x->q, x->store, &range, put_hit, x, &result, &err);
    if (r < 0) {
        put_error(x, &err);
    }
    x->next = result.next_universe;
    x->is_over = r != 0 || x->next == UINT64_MAX || x->left == 0;
}

ssize_t search_export_read(void *export, char *out, size_t len)
{
    struct search_export *x = export;
    while (x->given == x->out.len && !x->is_over) {
        buf_reset(&x->out);
        x->given = 0;
        advance(x);
    }
    size_t n = min_u64(len, x->out.len - x->given);
    if (n) {
        memcpy(out, x->out.data + x->given, n);
        x->given += n;
    }
    return (ssize_t)n;
}

void search_export_close(void *export)
{
    struct search_export *x = export;
    search_free(x->q);
    store_close(x->store);
    buf_free(&x->out);
    free(x);
}
