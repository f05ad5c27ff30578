/* The registry's pages. */
#include "server/pages/images.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/text.h"
#include "server/db/db.h"
#include "server/server.h"

#define ROWS_MAX 100u

void images_model_fini(struct images_model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->rows[i].repository);
        free(m->rows[i].tag);
        free(m->rows[i].digest);
    }
    free(m->rows);
    *m = (struct images_model){0};
}

/* Columns: repository, tag, digest, size, tags, updated. */
static int read_rows(struct db *db, sqlite3_stmt *st, size_t limit, struct images_model *m,
                     struct err *err)
{
    int rc;
    while ((rc = db_step(db, st, err)) == 1) {
        if (m->count == limit) {
            m->has_more = true;
            continue; /* to the end, which resets the statement: one row more */
        }
        struct image_row *row = ARRAY_PUSH(m->rows, m->count, m->cap);
        *row = (struct image_row){.repository = db_column_dup(st, 0),
                                  .tag = db_column_dup(st, 1),
                                  .digest = db_column_dup(st, 2),
                                  .size = db_column_i64(st, 3),
                                  .tags = db_column_i64(st, 4),
                                  .updated = db_column_i64(st, 5)};
    }
    return rc;
}

#define TAG_SIZE                                                                                   \
    "(SELECT coalesce(sum(b.size), 0) FROM manifest_blob mb JOIN blob b ON b.digest = mb.digest "  \
    "WHERE mb.repository = t.repository AND mb.manifest = t.digest)"

int images_recent(struct db_pool *pool, struct images_model *m, unsigned limit, struct err *err)
{
    struct db *db = db_get(pool);
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT r.name, t.name, t.digest, 0, 1, t.updated FROM tag t "
                                  "JOIN repository r ON r.id = t.repository "
                                  "ORDER BY t.updated DESC, r.name, t.name LIMIT ?",
                                  err);
    int rc = -1;
    if (st) {
        db_i64(st, 1, limit);
        rc = read_rows(db, st, limit, m, err);
    }
    db_put(pool, db);
    return rc;
}

static int load_repositories(struct db *db, struct images_model *m, struct err *err)
{
    sqlite3_stmt *st = db_prepare(
        db,
        "SELECT r.name, NULL, NULL, (SELECT coalesce(sum(b.size), 0) FROM repository_blob rb "
        "JOIN blob b ON b.digest = rb.digest WHERE rb.repository = r.id), count(t.name), "
        "coalesce(max(t.updated), 0) FROM repository r LEFT JOIN tag t ON t.repository = r.id "
        "WHERE r.name > ? AND instr(r.name, ?) GROUP BY r.id ORDER BY r.name LIMIT ?",
        err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, m->after ? m->after : "");
    db_text(st, 2, m->text ? m->text : "");
    db_i64(st, 3, ROWS_MAX + 1);
    return read_rows(db, st, ROWS_MAX, m, err);
}

static int load_tags(struct db *db, struct images_model *m, struct err *err)
{
    sqlite3_stmt *st = db_prepare(db,
                                  "SELECT r.name, t.name, t.digest, " TAG_SIZE ", 1, t.updated "
                                  "FROM tag t JOIN repository r ON r.id = t.repository "
                                  "WHERE r.name = ? AND t.name > ? AND instr(t.name, ?) "
                                  "ORDER BY t.name LIMIT ?",
                                  err);
    if (!st) {
        return -1;
    }
    db_text(st, 1, m->repository);
    db_text(st, 2, m->after ? m->after : "");
    db_text(st, 3, m->text ? m->text : "");
    db_i64(st, 4, ROWS_MAX + 1);
    return read_rows(db, st, ROWS_MAX, m, err);
}

/* ---- drawing ---- */

void images_size(struct buf *b, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
        n /= 1000;
        unit++;
    }
    buf_printf(b, unit == 0 || n >= 99.5 ? "%.0f %s" : "%.1f %s", n, units[unit]);
}

static void host_of(struct buf *b, const char *public_url)
{
    const char *host = strstr(public_url, "://");
    buf_puts(b, host ? host + 3 : public_url);
}

static void repository_row(struct buf *b, const struct image_row *row)
{
    buf_puts(b, "<tr><td><a href=\"/registry/");
    text_html(b, row->repository);
    buf_puts(b, "\">");
    text_html(b, row->repository);
    buf_puts(b, "</a></td><td class=\"n\">");
    text_count(b, (uint64_t)row->tags);
    buf_puts(b, "</td><td class=\"n\">");
    images_size(b, row->size);
    buf_puts(b, "</td><td>");
    frame_time(b, row->updated * 1000);
    buf_puts(b, "</td></tr>\n");
}

static void tag_row(struct buf *b, const struct images_model *m, const struct image_row *row)
{
    cleanup_buf struct buf ref = {0};
    host_of(&ref, m->public_url);
    buf_printf(&ref, "/%s:%s", row->repository, row->tag);
    buf_puts(b, "<tr><td><b>");
    text_html(b, row->tag);
    buf_puts(b, "</b></td><td>");
    html_copy(b, ref.data);
    buf_puts(b, "</td><td class=\"mono digest\">");
    text_html(b, row->digest);
    buf_puts(b, "</td><td class=\"n\">");
    if (row->size) {
        images_size(b, row->size);
    } else {
        buf_puts(b, "\xe2\x80\x94"); /* an index: its images have the layers */
    }
    buf_puts(b, "</td><td>");
    frame_time(b, row->updated * 1000);
    buf_puts(b, "</td></tr>\n");
}

static void how_to_push(struct buf *b, const struct images_model *m)
{
    cleanup_buf struct buf host = {0};
    host_of(&host, m->public_url);
    buf_puts(b, "<section class=\"first\"><h2>Push an image</h2><pre>docker login ");
    text_html(b, host.data);
    buf_puts(b, "\ndocker tag my-image:latest ");
    text_html(b, host.data);
    buf_puts(b, "/my-image:latest\ndocker push ");
    text_html(b, host.data);
    buf_puts(b, "/my-image:latest</pre><p>Podman, buildah and skopeo do as well. The name and "
                "password are those of an account, or a token with the scope <code>push</code>."
                "</p></section>\n");
}

static void search(struct buf *b, const struct images_model *m)
{
    buf_puts(b, "<form class=\"filters\" method=\"get\" role=\"search\"><label>Search "
                "<input type=\"search\" name=\"q\" value=\"");
    text_html(b, m->text);
    buf_printf(b, "\"></label><button>Search</button></form>\n");
}

static void more(struct buf *b, const struct images_model *m)
{
    if (!m->has_more || !m->count) {
        return;
    }
    const struct image_row *last = &m->rows[m->count - 1];
    buf_puts(b, "<p class=\"pager\"><a rel=\"next\" href=\"?q=");
    http_encode(b, m->text ? m->text : "");
    buf_puts(b, "&amp;after=");
    http_encode(b, m->repository ? last->tag : last->repository);
    buf_puts(b, "\">next</a></p>\n");
}

void images_html(struct buf *b, const struct frame *f, const struct images_model *m)
{
    buf_puts(b, "<div class=\"wrap\">\n");
    if (m->repository) {
        buf_puts(b, "<p class=\"crumbs\">");
        frame_crumb(b, "/registry", "Registry");
        buf_puts(b, "</p>");
    }
    buf_puts(b, "<h1>");
    text_html(b, m->repository ? m->repository : "Registry");
    buf_puts(b, "</h1>\n");
    search(b, m);
    if (m->count) {
        buf_puts(b, "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Images\">"
                    "<table><thead><tr>");
        buf_puts(b, m->repository ? "<th>tag</th><th>reference</th><th>digest</th>"
                                  : "<th>repository</th><th class=\"n\">tags</th>");
        buf_puts(b, "<th class=\"n\">size</th><th>pushed</th></tr></thead><tbody>\n");
    }
    for (size_t i = 0; i < m->count; i++) {
        if (m->repository) {
            tag_row(b, m, &m->rows[i]);
        } else {
            repository_row(b, &m->rows[i]);
        }
    }
    buf_puts(b, m->count              ? "</tbody></table></div>\n"
                : m->text && *m->text ? "<p class=\"empty\">Nothing has such a name.</p>\n"
                                      : "<p class=\"empty\">Nothing has been pushed yet.</p>\n");
    more(b, m);
    if (!m->repository && frame_may(f, SCOPE_READ)) {
        how_to_push(b, m);
    }
    buf_puts(b, "</div>\n");
}

static void answer(struct http_request *rq, struct http_response *rs, const char *repository)
{
    cleanup_err struct err err = {0};
    struct images_model m = {.repository = repository,
                             .text = http_query(rq, "q"),
                             .after = http_query(rq, "after"),
                             .public_url = rq->server->public_url};
    struct db *db = db_get(rq->server->db);
    int rc = repository ? load_tags(db, &m, &err) : load_repositories(db, &m, &err);
    db_put(rq->server->db, db);
    if (rc) {
        http_fail(rq, rs, &err);
    } else {
        struct frame f = frame_for(rq, PLACE_REGISTRY, repository ? repository : "Registry");
        frame_open(&rs->body, &f);
        images_html(&rs->body, &f, &m);
        frame_close(&rs->body, &f);
        frame_send(rs, 200);
    }
    images_model_fini(&m);
}

void page_registry(struct http_request *rq, struct http_response *rs)
{
    answer(rq, rs, NULL);
}

void page_repository(struct http_request *rq, struct http_response *rs)
{
    answer(rq, rs, rq->vars[0]);
}
