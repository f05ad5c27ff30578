/* POST launch/...: starting runs, and what comes after them. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/api/api_priv.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/queue/params.h"
#include "server/server.h"
#include "store/moment.h"

#define DEBUGGING "antithesis.debugging."

/* --- errors and answers -------------------------------------------------------------------------
 */

static void accepted(struct http_response *rs, const char *run_id, const char *link_name,
                     const char *link)
{
    http_json(rs, 202);
    buf_puts(&rs->body, "{\"runId\":");
    api_put_text(&rs->body, run_id);
    buf_puts(&rs->body, ",\"statusCode\":202,\"links\":{");
    api_put_text(&rs->body, link_name);
    buf_putc(&rs->body, ':');
    api_put_text(&rs->body, link);
    buf_puts(&rs->body, "}}\n");
}

/* The "params" of the body; NULL: answered. */
static json_t *read_params(struct http_request *rq, struct http_response *rs)
{
    json_t *body = api_accepts(rq, rs, TYPE_JSON) ? api_body(rq, rs) : NULL;
    json_t *params = json_incref(json_object_get(body, "params"));
    if (body && !json_is_object(params)) {
        http_error(rq, rs, 400, "the body has no object `params`: {\"params\": {...}}");
        json_decref(params);
        params = NULL;
    }
    json_decref(body);
    return params;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static int same_word(void *ctx, const char *word, struct err *err)
{
    (void)err;
    return strcmp(word, "*") == 0 || strcmp(word, ctx) == 0;
}

static bool knows_launcher(const struct http_request *rq, const char *name)
{
    cleanup_err struct err ignored = {0};
    return strcmp(name, "basic_test") == 0 ||
           param_each_word(rq->server->config->launchers, ";", same_word, (char *)(uintptr_t)name,
                           &ignored) == 1;
}

void api_launch(struct http_request *rq, struct http_response *rs)
{
    const char *launcher = rq->vars[0];
    json_t *params = read_params(rq, rs);
    if (!params) {
        return;
    }
    cleanup_err struct err err = {0};
    cleanup_buf struct buf id = {0}, link = {0};
    if (strcmp(launcher, "basic_k8s_test") == 0 || strcmp(launcher, "k8s_test") == 0) {
        http_error(rq, rs, 400,
                   "Everett runs compose files, not Kubernetes manifests: launch "
                   "basic_test with a config image that has /docker-compose.yaml");
    } else if (!knows_launcher(rq, launcher)) {
        http_error(rq, rs, 404,
                   "there is no launcher %s: use basic_test, or have the server's "
                   "administrator add it to `launchers`",
                   launcher);
    } else if (queue_launch(rq->server->queue, launcher, params, &rq->who, &id, &err) == 0) {
        buf_printf(&link, "%s/runs/%s", rq->server->public_url, id.data);
        accepted(rs, id.data, "run", link.data);
    } else if (err.kind == ERR_SETUP) {
        http_error(rq, rs, 429, "%s", err.msg);
        http_set(rs, "Retry-After", "60");
    } else {
        http_fail(rq, rs, &err);
    }
    json_decref(params);
}

void api_cancel(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    if (!api_accepts(rq, rs, TYPE_JSON)) {
        return;
    }
    int r = queue_cancel(rq->server->queue, rq->vars[0], &err);
    if (r < 0 && err.kind == ERR_USAGE) {
        http_error(rq, rs, 404, "Run not found: %s", rq->vars[0]);
    } else if (r < 0) {
        http_fail(rq, rs, &err);
    } else if (r == 0) {
        http_error(rq, rs, 409, "Run %s has already ended", rq->vars[0]);
    } else {
        char peer[64];
        http_peer(rq, peer, sizeof peer);
        auth_audit(rq->server->db, &rq->who, peer, "run.cancel", rq->vars[0], NULL);
        http_json(rs, 200);
        buf_puts(&rs->body, "{\"run_id\":");
        api_put_text(&rs->body, rq->vars[0]);
        buf_puts(&rs->body, ",\"cancelled\":true}\n");
    }
}

/* --- moments of runs ----------------------------------------------------------------------------
 */

static const char *debug_param(const json_t *params, const char *name)
{
    cleanup_buf struct buf whole = {0};
    buf_printf(&whole, DEBUGGING "%s", name);
    return param_text(params, whole.data);
}

/* Numbers are as good as strings. */
static json_t *as_strings(const json_t *params)
{
    json_t *out = json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)params, name, value)
    {
        cleanup_buf struct buf b = {0};
        if (json_is_string(value)) {
            json_object_set(out, name, value);
        } else if (!json_is_null(value)) {
            api_put_json(&b, value);
            json_object_set_new(out, name, json_string(b.data));
        }
    }
    return out;
}

/* "HASH@SECONDS" and the run of launch/debugging's parameters. False: answered. */
static bool read_moment(struct http_request *rq, struct http_response *rs, const json_t *params,
                        const char **run_id, struct buf *text)
{
    cleanup_err struct err err = {0};
    const char *run = debug_param(params, "run_id"), *session = debug_param(params, "session_id");
    const char *hash = debug_param(params, "input_hash"), *vtime = debug_param(params, "vtime");
    struct moment m;
    *run_id = run ? run : session;
    if (!run == !session) {
        http_error(rq, rs, 400,
                   "give exactly one of " DEBUGGING "run_id and " DEBUGGING "session_id");
        return false;
    }
    if (!hash || !vtime) {
        http_error(rq, rs, 400, DEBUGGING "%s is missing", hash ? "vtime" : "input_hash");
        return false;
    }
    buf_printf(text, "%s@%s", hash, vtime);
    if (moment_parse(text->data, &m, &err)) {
        http_fail(rq, rs, &err);
        return false;
    }
    return true;
}

/* Nothing has to be started: every moment of a run can be looked at and branched from at any time.
 * The answer says where. */
static void open_moment(struct http_request *rq, struct http_response *rs, const char *link_name)
{
    json_t *given = read_params(rq, rs);
    if (!given) {
        return;
    }
    json_t *params = as_strings(given);
    cleanup_err struct err err = {0};
    cleanup_buf struct buf text = {0}, link = {0};
    struct launch l = {0};
    const char *run_id;
    if (read_moment(rq, rs, params, &run_id, &text)) {
        int found = queue_find(rq->server->queue, run_id, &l, &err);
        if (found < 0) {
            http_fail(rq, rs, &err);
        } else if (found == 0) {
            http_error(rq, rs, 404, "Run not found: %s", run_id);
        } else {
            buf_printf(&link, "%s/runs/%s/logs?moment=", rq->server->public_url, l.id);
            http_encode(&link, text.data);
            accepted(rs, l.id, link_name, link.data);
        }
    }
    launch_fini(&l);
    json_decref(params);
    json_decref(given);
}

void api_launch_debugging(struct http_request *rq, struct http_response *rs)
{
    open_moment(rq, rs, "debugging");
}

void api_launch_logs(struct http_request *rq, struct http_response *rs)
{
    open_moment(rq, rs, "logs");
}
