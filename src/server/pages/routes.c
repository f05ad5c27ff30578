/* The routes of all pages. */

#include "server/pages/accounts.h"
#include "server/pages/assets.h"
#include "server/pages/compare.h"
#include "server/pages/images.h"
#include "server/pages/launch.h"
#include "server/pages/report_page.h"
#include "server/pages/run.h"
#include "server/pages/runs.h"

static void page_home(struct http_request *rq, struct http_response *rs)
{
    (void)rq;
    http_redirect(rs, "/runs");
}

static void page_static(struct http_request *rq, struct http_response *rs)
{
    const struct asset *a = asset_at(rq->vars[0]);
    if (!a) {
        http_error(rq, rs, 404, "there is no such file");
        return;
    }
    rs->status = 200;
    http_set(rs, "Content-Type", a->type);
    http_set(rs, "Cache-Control", "public, max-age=31536000, immutable");
    buf_append(&rs->body, a->data, a->len);
}

#define PAGE(path, needs, fn)                                                                      \
    {                                                                                              \
        .methods = HTTP_GET, .pattern = (path), .family = FAMILY_PAGE, .scope = (needs),           \
        .body = BODY_NONE, .handle = (fn)                                                          \
    }
#define FORM(path, needs, fn)                                                                      \
    {                                                                                              \
        .methods = HTTP_POST, .pattern = (path), .family = FAMILY_PAGE, .scope = (needs),          \
        .body = BODY_MEMORY, .handle = (fn)                                                        \
    }

const struct http_route pages_routes[] = {
    PAGE("/", SCOPE_PUBLIC, page_home),
    PAGE("/static/{file}", SCOPE_PUBLIC, page_static),
    PAGE("/login", SCOPE_PUBLIC, page_login),
    FORM("/login", SCOPE_PUBLIC, page_login_post),
    FORM("/logout", SCOPE_PUBLIC, page_logout),
    PAGE("/runs", SCOPE_READ, page_runs),
    PAGE("/runs/live", SCOPE_READ, page_runs_live),
    PAGE("/runs/compare", SCOPE_READ, page_compare),
    PAGE("/runs/{id}", SCOPE_READ, page_run),
    PAGE("/runs/{id}/live", SCOPE_READ, page_run_live),
    PAGE("/runs/{id}/report", SCOPE_READ, page_report),
    PAGE("/runs/{id}/report.html", SCOPE_READ, page_report_file),
    PAGE("/runs/{id}/failure/{n}", SCOPE_READ, page_failure),
    FORM("/runs/{id}/cancel", SCOPE_LAUNCH, page_cancel),
    PAGE("/launch", SCOPE_LAUNCH, page_launch),
    FORM("/launch", SCOPE_LAUNCH, page_launch_post),
    PAGE("/registry", SCOPE_READ, page_registry),
    PAGE("/registry/{name...}", SCOPE_READ, page_repository),
    PAGE("/accounts", SCOPE_ADMIN, page_accounts),
    FORM("/accounts/tokens/{id}/revoke", SCOPE_ADMIN, page_revoke),
};
const size_t pages_route_count = ARRAY_LEN(pages_routes);
