/* The API's routes, its version, and its description for programs. */
#include "server/api/api_priv.h"
#include "server/api/openapi_text.h"

void api_version(struct http_request *rq, struct http_response *rs)
{
    if (api_accepts(rq, rs, TYPE_JSON)) {
        buf_puts(&rs->body, "{\"latest_api_version\":\"" API_VERSION "\",\"release_version\":"
                            "\"" API_RELEASE "\",\"everett_version\":\"" EVERETT_VERSION "\"}\n");
        http_json(rs, 200);
    }
}

void api_openapi(struct http_request *rq, struct http_response *rs)
{
    if (api_accepts(rq, rs, TYPE_JSON)) {
        buf_append(&rs->body, openapi_text, openapi_text_len);
        http_json(rs, 200);
    }
}

#define GET(pattern, scope, handler)                                                               \
    {                                                                                              \
        HTTP_GET, pattern, FAMILY_API, scope, BODY_NONE, handler, NULL, NULL, NULL                 \
    }
#define POST(pattern, family, scope, handler)                                                      \
    {                                                                                              \
        HTTP_POST, pattern, family, scope, BODY_MEMORY, handler, NULL, NULL, NULL                  \
    }
#define RUN "/api/v0/runs/{run_id}"

/* Earlier rows win: the launchers with a meaning of their own come before the general one. */
const struct http_route api_routes[] = {
    GET("/api/version", SCOPE_PUBLIC, api_version),
    GET("/api/openapi.json", SCOPE_PUBLIC, api_openapi),
    POST("/api/v1/launch/debugging", FAMILY_LAUNCH, SCOPE_LAUNCH, api_launch_debugging),
    POST("/api/v1/launch/get_logs", FAMILY_LAUNCH, SCOPE_LAUNCH, api_launch_logs),
    POST("/api/v1/launch/{launcher_name}", FAMILY_LAUNCH, SCOPE_LAUNCH, api_launch),
    POST("/api/v1/launch_experiment/debugging", FAMILY_LAUNCH, SCOPE_LAUNCH, api_launch_debugging),
    POST("/api/v1/launch_experiment/get_logs", FAMILY_LAUNCH, SCOPE_LAUNCH, api_launch_logs),
    POST("/api/v1/launch_experiment/{launcher_name}", FAMILY_LAUNCH, SCOPE_LAUNCH, api_launch),
    GET("/api/v0/runs", SCOPE_READ, api_runs),
    GET(RUN, SCOPE_READ, api_run_detail),
    GET(RUN "/build_logs", SCOPE_READ, api_build_logs),
    GET(RUN "/properties", SCOPE_READ, api_properties),
    GET(RUN "/events", SCOPE_READ, api_events),
    POST(RUN "/events/search", FAMILY_API, SCOPE_READ, api_search),
    POST(RUN "/events/search/count", FAMILY_API, SCOPE_READ, api_search_count),
    GET(RUN "/logs", SCOPE_READ, api_logs),
    POST(RUN "/command", FAMILY_API, SCOPE_LAUNCH, api_command),
    POST(RUN "/execute_command", FAMILY_API, SCOPE_LAUNCH, api_execute_command),
    POST(RUN "/cancel", FAMILY_API, SCOPE_LAUNCH, api_cancel),
};
const size_t api_route_count = ARRAY_LEN(api_routes);
