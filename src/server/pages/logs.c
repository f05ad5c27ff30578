#include "server/pages/logs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/logs/event_view.h"
#include "server/logs/export.h"
#include "server/pages/moment.h"
#include "server/pages/run_store.h"
#include "server/queue/queue.h"
#include "server/server.h"
#include "store/store.h"

#define BUDGET_NS 120000000ull /* then the page is sent, and says where to go on */

/* --- the query from the address --------------------------------------------------------------- */

static const char *field(const struct http_request *rq, const char *name)
{
    const char *value = http_query(rq, name);
    return value ? value : "";
}

/* A row or clause that was filled into the form below the query; NULL with `err`. */
static struct search *add_typed(const struct http_request *rq, struct search *q, struct err *err)
{
    const char *const row[3] = {field(rq, "f"), field(rq, "o"), field(rq, "v")};
    const char *join = field(rq, "join");
    bool is_clause = strstr(join, "by") != NULL;
    if (is_clause && !q) {
        err_set(err, ERR_USAGE, "a clause needs a row that it is about");
        return NULL;
    }
    return is_clause ? search_clause(q, join, field(rq, "within"), row, err)
                     : search_add(q, strcmp(join, "or") == 0, row, err);
}

static struct search *read_query(const struct http_request *rq, const char *text, struct err *err)
{
    struct search *q = NULL;
    if (*text && !(q = search_parse(text, err))) {
        return NULL;
    }
    return *field(rq, "f") ? add_typed(rq, q, err) : q;
}

static uint64_t number(const struct http_request *rq, const char *name)
{
    return strtoull(field(rq, name), NULL, 10);
}

/* --- searching -------------------------------------------------------------------------------- */

struct gathering {
    struct logs_model *m;
    bool is_open;
    uint64_t universe, events, histories;
};

static void end_history(struct gathering *g)
{
    if (g->is_open) {
        logs_history_close(g->m, g->universe, g->events);
    }
    g->is_open = false;
}

static int take(void *ctx, struct event_view *v)
{
    struct gathering *g = ctx;
    uint64_t universe = event_view_universe(v);
    if (!g->is_open || g->universe != universe) {
        end_history(g);
        if (g->histories == LOGS_HISTORIES_MAX) {
            g->universe = universe;
            return 1;
        }
        g->histories++;
        g->universe = universe;
        g->events = 0;
        g->is_open = true;
        logs_history_open(g->m, universe, event_view_hash(v));
    }
    if (g->events++ < (g->m->is_tree ? LOGS_DOTS_MAX : LOGS_EVENTS_MAX)) {
        logs_event(g->m, v);
    }
    return 0;
}

static int search(struct logs_model *m, const struct search *q, struct store *s, struct err *err)
{
    struct gathering g = {.m = m};
    const struct search_range range = {.universe_from = m->from,
                                       .universe_to = UINT64_MAX,
                                       .deadline_ns = clock_host_ns() + BUDGET_NS};
    int r = search_run(q, s, &range, take, &g, &m->result, err);
    end_history(&g);
    if (r > 0) { /* the page is full: that history is not on it */
        m->result.next_universe = g.universe;
        m->result.histories--;
        m->result.hits--;
        m->result.universes--;
    }
    return r < 0 ? -1 : 0;
}

static int measure(void *ctx, const struct store_universe *u)
{
    struct logs_model *m = ctx;
    m->longest_ns = max_u64(m->longest_ns, u->virtual_ns);
    m->universes++;
    return 0;
}

/* --- handlers --------------------------------------------------------------------------------- */

static void redirect(const struct http_request *rq, struct http_response *rs,
                     const struct search *q, const char *view)
{
    cleanup_buf struct buf text = {0}, url = {0};
    search_text(q, &text);
    buf_printf(&url, "/runs/%s/logs?q=", rq->vars[0]);
    http_encode(&url, text.data);
    if (strcmp(view, "tree") == 0) {
        buf_puts(&url, "&view=tree");
    }
    http_redirect(rs, url.data);
}

static void draw(struct http_request *rq, struct http_response *rs, const struct logs_model *m)
{
    static const char *const scripts[] = {"logs.js", NULL}, *const styles[] = {"logs.css", NULL};
    cleanup_buf struct buf title = {0};
    buf_printf(&title, "Logs of %s", m->title);
    struct frame f = frame_for(rq, PLACE_RUNS, title.data);
    f.scripts = scripts;
    f.styles = styles;
    if (m->is_part) {
        logs_html(&rs->body, m);
        http_html(rs, 200);
        return;
    }
    frame_open(&rs->body, &f);
    logs_html(&rs->body, m);
    frame_close(&rs->body, &f);
    frame_send(rs, m->error ? 400 : 200);
}

static void show(struct http_request *rq, struct http_response *rs, struct run_store *run)
{
    cleanup_err struct err err = {0};
    struct logs_model m = {.run_id = rq->vars[0],
                           .title = run->title,
                           .text = field(rq, "q"),
                           .is_tree = strcmp(field(rq, "view"), "tree") == 0,
                           .is_part = *field(rq, "part"),
                           .is_running = run->is_running,
                           .from = number(rq, "from")};
    struct search *q = read_query(rq, m.text, &err);
    if (q && *field(rq, "f")) {
        redirect(rq, rs, q, field(rq, "view"));
    } else {
        bool failed = run->store && (store_each_universe(run->store, measure, &m, &err) ||
                                     (q && search(&m, q, run->store, &err)));
        if (failed && err.kind != ERR_USAGE) {
            http_fail(rq, rs, &err);
        } else {
            m.error = err.msg;
            m.hint = err.hint;
            draw(rq, rs, &m);
        }
    }
    search_free(q);
    buf_free(&m.hits);
}

static void logs_page(struct http_request *rq, struct http_response *rs)
{
    struct run_store run;
    if (run_store_open(&run, rq, rs)) {
        show(rq, rs, &run);
        run_store_close(&run);
    }
}

static const struct {
    const char *name, *type, *suffix;
    enum export_format format;
} formats[] = {{"json", "application/x-ndjson", "ndjson", EXPORT_JSON},
               {"text", "text/plain; charset=utf-8", "txt", EXPORT_TEXT},
               {"csv", "text/csv; charset=utf-8", "csv", EXPORT_CSV}};

static void logs_export(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    struct run_store run;
    if (!run_store_open(&run, rq, rs)) {
        return;
    }
    size_t i = 0;
    while (i < ARRAY_LEN(formats) - 1 && strcmp(formats[i].name, field(rq, "format")) != 0) {
        i++;
    }
    const char *text = field(rq, "q");
    struct search *q = *text ? search_parse(text, &err) : search_plain("");
    if (!q || !run.store) {
        search_free(q);
        http_error(rq, rs, q ? 404 : 400, "%s", q ? "this run has no logs yet" : err.msg);
    } else {
        uint64_t only = number(rq, "universe");
        bool is_one = *field(rq, "universe");
        const struct export_options o = {formats[i].format, 0, is_one ? only : 0,
                                         is_one ? only : UINT64_MAX};
        rs->read = search_export_read;
        rs->close = search_export_close;
        rs->read_ctx = search_export_create(q, run.store, &o);
        run.store = NULL;
        http_set(rs, "Content-Type", formats[i].type);
        http_setf(rs, "Content-Disposition", "attachment; filename=\"%s.%s\"", rq->vars[0],
                  formats[i].suffix);
    }
    run_store_close(&run);
}

const struct http_route logs_routes[] = {
    {.methods = HTTP_GET,
     .pattern = "/runs/{id}/logs",
     .family = FAMILY_PAGE,
     .scope = SCOPE_READ,
     .handle = logs_page},
    {.methods = HTTP_GET,
     .pattern = "/runs/{id}/logs/export",
     .family = FAMILY_PAGE,
     .scope = SCOPE_READ,
     .handle = logs_export},
    {.methods = HTTP_GET,
     .pattern = "/runs/{id}/moment/{moment}",
     .family = FAMILY_PAGE,
     .scope = SCOPE_READ,
     .handle = moment_page},
};
const size_t logs_route_count = ARRAY_LEN(logs_routes);
