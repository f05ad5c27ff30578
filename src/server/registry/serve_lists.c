/* Lists: repositories, tags, referrers. Each answers a page and the link to the next. */
#include "server/registry/routes_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/registry/answer.h"
#include "server/registry/manifest.h"
#include "server/registry/rows.h"

#define PAGE_DEFAULT 1000
#define PAGE_MAX     10000
#define REFERRERS    500        /* a page */
#define PAGE_BYTES   (4u << 20) /* referrers carry annotations: a page ends early behind so many */

void registry_ping(struct http_request *rq, struct http_response *rs)
{
    http_json(rs, 200);
    buf_puts(&rs->body, "{}\n");
}

/* A page in the making: one more than asked for is read, to know whether there is a next. */
struct page {
    struct buf *out;
    int64_t limit, count;
    char *last; /* owned: the last name of the page */
    bool has_more;
};

static void page_fini(struct page *p)
{
    free(p->last);
}

/* False when the element is beyond the page. */
static bool page_take(struct page *p, const char *name)
{
    if (p->count == p->limit || p->out->len > PAGE_BYTES) {
        p->has_more = true;
        return false;
    }
    if (p->count++) {
        buf_putc(p->out, ',');
    }
    free(p->last);
    p->last = mem_strdup(name);
    return true;
}

static int add_name(void *ctx, const char *name, struct err *err)
{
    struct page *p = ctx;
    if (page_take(p, name)) {
        buf_json_string(p->out, name, strlen(name));
    }
    return 0;
}

/* ?n=: false after an answer. */
static bool take_limit(struct http_request *rq, struct http_response *rs, int64_t *limit)
{
    uint64_t n = PAGE_DEFAULT;
    const char *text = http_query(rq, "n");
    if (text && !name_number(text, &n)) {
        http_error(rq, rs, 400, "n='%.40s' is no number of names", text);
        return false;
    }
    *limit = (int64_t)min_u64(n, PAGE_MAX);
    return true;
}

static void set_next(struct http_response *rs, const char *path, const struct page *p)
{
    if (!p->has_more || !p->last) {
        return;
    }
    struct buf last = {0};
    http_encode(&last, p->last);
    http_setf(rs, "Link", "<%s?n=%lld&last=%s>; rel=\"next\"", path, (long long)p->limit,
              last.data);
    buf_free(&last);
}

void registry_catalog(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct page page = {.out = &rs->body};
    if (!take_limit(rq, rs, &page.limit)) {
        return;
    }
    buf_puts(&rs->body, "{\"repositories\":[");
    if (rows_each_repository(answer_registry(rq), http_query(rq, "last"), page.limit + 1, add_name,
                             &page, &err) < 0) {
        http_fail(rq, rs, &err);
    } else {
        buf_puts(&rs->body, "]}\n");
        http_json(rs, 200);
        set_next(rs, "/v2/_catalog", &page);
    }
    page_fini(&page);
    err_clear(&err);
}

static int write_tags(struct http_request *rq, struct http_response *rs, const char *repository,
                      struct page *page, struct err *err)
{
    struct registry *r = answer_registry(rq);
    int exists = rows_repository_exists(r, repository, err);
    if (exists <= 0) {
        return exists;
    }
    buf_printf(&rs->body, "{\"name\":\"%s\",\"tags\":[", repository);
    int result =
        rows_each_tag(r, repository, http_query(rq, "last"), page->limit + 1, add_name, page, err);
    buf_puts(&rs->body, "]}\n");
    return result < 0 ? -1 : 1;
}

void registry_tags(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct page page = {.out = &rs->body};
    const char *repository = answer_repository(rq, rs);
    if (!repository || !take_limit(rq, rs, &page.limit)) {
        return;
    }
    int found = write_tags(rq, rs, repository, &page, &err);
    if (found == 1) {
        http_json(rs, 200);
        set_next(rs, rq->path, &page);
    } else if (found < 0) {
        http_fail(rq, rs, &err);
    } else {
        answer_error(rs, ANSWER_NAME_UNKNOWN, NULL, "there is no repository %s", repository);
    }
    page_fini(&page);
    err_clear(&err);
}

static int add_referrer(void *ctx, const struct referrer_row *row, struct err *err)
{
    struct page *p = ctx;
    if (!page_take(p, row->digest)) {
        return 0;
    }
    buf_printf(p->out, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu", row->media_type,
               row->digest, (unsigned long long)row->size);
    if (row->artifact_type) {
        buf_puts(p->out, ",\"artifactType\":");
        buf_json_string(p->out, row->artifact_type, strlen(row->artifact_type));
    }
    if (row->annotations) {
        buf_printf(p->out, ",\"annotations\":%s", row->annotations);
    }
    buf_putc(p->out, '}');
    return 0;
}

static void set_next_referrers(struct http_request *rq, struct http_response *rs,
                               const struct page *page, const char *type)
{
    if (!page->has_more) {
        return;
    }
    struct buf link = {0};
    buf_printf(&link, "<%s?last=%s", rq->path, page->last);
    if (type) {
        buf_puts(&link, "&artifactType=");
        http_encode(&link, type);
    }
    buf_puts(&link, ">; rel=\"next\"");
    http_set(rs, "Link", link.data);
    buf_free(&link);
}

void registry_referrers(struct http_request *rq, struct http_response *rs)
{
    struct err err = {0};
    struct page page = {.out = &rs->body, .limit = REFERRERS};
    const char *repository = answer_repository(rq, rs), *type = http_query(rq, "artifactType");
    const char *digest = repository ? answer_digest(rs, rq->vars[1]) : NULL;
    if (!digest) {
        return;
    }
    struct referrer_query q = {.repository = repository,
                               .subject = digest,
                               .artifact_type = type && *type ? type : NULL,
                               .last = http_query(rq, "last"),
                               .limit = page.limit + 1};
    buf_puts(&rs->body,
             "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_INDEX "\",\"manifests\":[");
    if (rows_each_referrer(answer_registry(rq), &q, add_referrer, &page, &err) < 0) {
        http_fail(rq, rs, &err);
    } else {
        buf_puts(&rs->body, "]}\n");
        rs->status = 200;
        http_set(rs, "Content-Type", TYPE_OCI_INDEX);
        if (q.artifact_type) {
            http_set(rs, "OCI-Filters-Applied", "artifactType");
        }
        set_next_referrers(rq, rs, &page, q.artifact_type);
    }
    page_fini(&page);
    err_clear(&err);
}
