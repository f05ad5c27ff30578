/* POST command and execute_command: one more command at a moment of a history, on a fresh branch.
 * The command runs in a replay by `everett shell`; what it prints becomes the lines of the answer:
 * events, as the logs have them, for `command`; for `execute_command`, which is older, records of
 * their own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/api/api_priv.h"
#include "server/queue/spawn.h"
#include "server/server.h"
#include "store/moment.h"
#include "store/store.h"

#define SCRIPT_MAX   100000 /* bytes: it is one argument of a program */
#define SECONDS_MAX  86400
#define HOST_NODE    "_ANTITHESIS_HOST" /* where there is a host beside the containers */
#define BUSY_RETRY_S "10"

struct command {
    struct queue *queue;
    bool as_events;
    struct spawned child;
    struct buf line; /* what came of the next line */
    struct buf next; /* a line that was read before the answer began */
    struct partial {
        struct buf text; /* what a stream has printed since its last line's end */
        json_t *moment;  /* owned: of its last part */
    } partial[2];        /* stdout, stderr */
};

/* --- lines --------------------------------------------------------------------------------------
 */

/* One line without its end. False: there is none any more. */
static bool read_line(struct command *c, struct buf *line)
{
    for (;;) {
        const char *end = c->line.len ? memchr(c->line.data, '\n', c->line.len) : NULL;
        if (end) {
            size_t n = (size_t)(end - c->line.data);
            buf_append(line, c->line.data, n);
            memmove(c->line.data, end + 1, c->line.len - n - 1);
            c->line.len -= n + 1;
            return true;
        }
        char chunk[65536];
        ssize_t n = read(c->child.out, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        buf_append(&c->line, chunk, (size_t)n);
    }
}

static void put_line(struct command *c, size_t stream, const char *text, size_t len,
                     struct buf *out)
{
    buf_puts(out, "{\"moment\":");
    api_put_json(out, c->partial[stream].moment);
    if (c->as_events) {
        buf_printf(out,
                   ",\"source\":{\"stream\":\"%s\"},\"output_text\":", stream ? "error" : "info");
    } else {
        buf_printf(
            out, ",\"type\":\"output\",\"stream\":\"%s\",\"text\":", stream ? "stderr" : "stdout");
    }
    buf_json_string(out, text, len);
    buf_puts(out, "}\n");
}

/* Bytes come as they were written; the answer has lines. */
static void take_output(struct command *c, const json_t *body, struct buf *out)
{
    const char *stream = json_string_value(json_object_get(body, "stream"));
    const char *text = json_string_value(json_object_get(body, "text"));
    size_t n = stream && strcmp(stream, "stderr") == 0;
    struct partial *p = &c->partial[n];
    json_decref(p->moment);
    p->moment = json_incref(json_object_get(body, "moment"));
    while (text && *text) {
        size_t len = strcspn(text, "\n");
        buf_append(&p->text, text, len);
        text += len;
        if (*text) {
            put_line(c, n, p->text.data ? p->text.data : "", p->text.len, out);
            buf_reset(&p->text);
            text++;
        }
    }
}

static void flush_output(struct command *c, struct buf *out)
{
    for (size_t i = 0; i < 2; i++) {
        if (c->partial[i].text.len) {
            put_line(c, i, c->partial[i].text.data, c->partial[i].text.len, out);
            buf_reset(&c->partial[i].text);
        }
    }
}

/* {"exited":{...}} -> {"type":"exited",...}; what is none of ours is an error line. */
static void translate(struct command *c, const char *line, struct buf *out)
{
    json_t *doc = json_loads(line, JSON_ALLOW_NUL, NULL);
    json_t *output = json_object_get(doc, "output"), *exited = json_object_get(doc, "exited");
    const char *error = json_string_value(json_object_get(doc, "error"));
    if (output) {
        take_output(c, output, out);
        json_decref(doc);
        return;
    }
    flush_output(c, out);
    const char *kind = c->as_events ? "status" : "type";
    if (exited) {
        json_object_set_new(exited, kind, json_string("exited"));
        api_put_json(out, exited);
    } else if (json_object_get(doc, "timed_out")) {
        buf_printf(out, "{\"%s\":\"timed_out\"}", kind);
    } else {
        buf_puts(out, "{\"error\":");
        api_put_text(out, error ? error : line);
        buf_putc(out, '}');
    }
    buf_putc(out, '\n');
    json_decref(doc);
}

static bool fill_lines(void *ctx, struct buf *out)
{
    struct command *c = ctx;
    cleanup_buf struct buf line = {0};
    if (c->next.len) {
        translate(c, c->next.data, out);
        buf_reset(&c->next);
        return true;
    }
    if (!read_line(c, &line)) {
        flush_output(c, out);
        return out->len > 0;
    }
    buf_append(&line, "", 0);
    translate(c, line.data ? line.data : "", out);
    return true;
}

static void close_command(void *ctx)
{
    struct command *c = ctx;
    spawn_end(&c->child);
    queue_give_shell(c->queue);
    buf_free(&c->line);
    buf_free(&c->next);
    for (size_t i = 0; i < 2; i++) {
        buf_free(&c->partial[i].text);
        json_decref(c->partial[i].moment);
    }
    free(c);
}

/* --- requests -----------------------------------------------------------------------------------
 */

struct asked {
    char moment[MOMENT_TEXT_MAX];
    const char *script, *node;
    char timeout[32];
    bool as_events;
};

/* A string, or a number (vtime: both forms are in use). */
static void put_scalar(struct buf *b, const json_t *v)
{
    if (json_is_string(v)) {
        buf_puts(b, json_string_value(v));
    } else if (v) {
        api_put_json(b, v);
    }
}

static bool read_moment(const struct http_request *rq, struct http_response *rs, const json_t *body,
                        struct asked *a)
{
    const json_t *moment = json_object_get(body, "moment");
    cleanup_buf struct buf text = {0};
    cleanup_err struct err err = {0};
    struct moment m;
    put_scalar(&text, json_object_get(moment, "input_hash"));
    buf_putc(&text, '@');
    put_scalar(&text, json_object_get(moment, "vtime"));
    if (!json_is_object(moment) || moment_parse(text.data, &m, &err)) {
        http_error(rq, rs, 400,
                   "moment must be {\"input_hash\": TEXT, \"vtime\": TEXT}, as events "
                   "have it");
        return false;
    }
    moment_text(&m, a->moment);
    return true;
}

static bool read_asked(const struct http_request *rq, struct http_response *rs, const json_t *body,
                       struct asked *a)
{
    const json_t *timeout = json_object_get(body, "timeout_seconds");
    const json_t *node = json_object_get(body, "container");
    json_int_t seconds = timeout ? json_integer_value(timeout) : 30;
    a->script = json_string_value(json_object_get(body, "script"));
    a->node = json_string_value(node);
    if (!a->script || strlen(a->script) > SCRIPT_MAX) {
        http_error(rq, rs, 400, "script must be a text of at most %d bytes", SCRIPT_MAX);
        return false;
    }
    if ((timeout && !json_is_integer(timeout)) || seconds < 0 || seconds > SECONDS_MAX) {
        http_error(rq, rs, 400, "timeout_seconds must be a whole number between 0 and %d",
                   SECONDS_MAX);
        return false;
    }
    if (node && !a->node) {
        http_error(rq, rs, 400, "container must be the name of one");
        return false;
    }
    snprintf(a->timeout, sizeof a->timeout, "%" PRId64 "%s", seconds ? (int64_t)seconds : 1,
             seconds ? "s" : "ns");
    return read_moment(rq, rs, body, a);
}

static int start(struct http_request *rq, const struct launch *l, const struct asked *a,
                 struct command *c, struct err *err)
{
    cleanup_free char *dir = queue_run_dir(rq->server->queue, l->id);
    cleanup_buf struct buf run = {0};
    buf_printf(&run, "%s/run", dir);
    const char *words[] = {rq->server->everett,
                           "shell",
                           run.data,
                           a->moment,
                           "--json",
                           "--script",
                           a->script,
                           "--timeout",
                           a->timeout,
                           a->node ? "--node" : NULL,
                           a->node,
                           NULL};
    char *argv[ARRAY_LEN(words)];
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        argv[i] = (char *)(uintptr_t)words[i];
    }
    return spawn_start(&c->child, rq->server->dir, argv, err);
}

/* What went wrong before the command could say anything is an answer of its own. */
static bool begins_well(struct http_request *rq, struct http_response *rs, struct command *c)
{
    if (!read_line(c, &c->next) || strncmp(c->next.data, "{\"error\"", 8) == 0) {
        json_t *doc = c->next.len ? json_loads(c->next.data, 0, NULL) : NULL;
        const char *error = json_string_value(json_object_get(doc, "error"));
        siginfo_t info = {0};
        waitid(P_PID, (id_t)c->child.pid, &info, WEXITED | WNOWAIT);
        bool is_users = info.si_code == CLD_EXITED && info.si_status == 2;
        http_error(rq, rs, is_users ? 400 : 500, "%s",
                   error ? error : "the replay ended without a word");
        json_decref(doc);
        return false;
    }
    return true;
}

/* What `command` may ask for besides. */
static bool read_more(const struct http_request *rq, struct http_response *rs, const json_t *body,
                      struct asked *a)
{
    const char *source = json_string_value(json_object_get(body, "source_run_id"));
    if (json_is_true(json_object_get(body, "include_system_logs"))) {
        http_error(rq, rs, 400,
                   "include_system_logs is not served: only the command's own output "
                   "is");
        return false;
    }
    if (source && strcmp(source, rq->vars[0]) != 0) {
        http_error(rq, rs, 400, "a moment belongs to its own run: ask run %.80s", source);
        return false;
    }
    if (a->node && strcmp(a->node, HOST_NODE) == 0) {
        http_error(rq, rs, 400,
                   "a universe has no host beside its containers: name one of them "
                   "as `container`");
        return false;
    }
    return true;
}

static void respond(struct http_request *rq, struct http_response *rs, const struct launch *l,
                    const struct asked *a)
{
    cleanup_err struct err err = {0};
    if (!queue_take_shell(rq->server->queue)) {
        http_error(rq, rs, 429, "as many commands as this server runs at a time are running");
        http_set(rs, "Retry-After", BUSY_RETRY_S);
        return;
    }
    struct command *c = mem_zalloc(sizeof *c);
    c->queue = rq->server->queue;
    c->as_events = a->as_events;
    if (start(rq, l, a, c, &err)) {
        http_fail(rq, rs, &err);
        queue_give_shell(c->queue);
        free(c);
        return;
    }
    if (!begins_well(rq, rs, c)) {
        close_command(c);
        return;
    }
    struct api_stream *s = mem_zalloc(sizeof *s);
    *s = (struct api_stream){.fill = fill_lines, .close = close_command, .ctx = c};
    api_respond(rs, s, TYPE_NDJSON);
}

static void answer(struct http_request *rq, struct http_response *rs, bool as_events)
{
    struct launch l = {0};
    struct asked a = {.as_events = as_events};
    json_t *body = NULL;
    bool missing;
    if (api_accepts(rq, rs, TYPE_NDJSON) && api_run(rq, rs, &l) && (body = api_body(rq, rs)) &&
        read_asked(rq, rs, body, &a) && (!as_events || read_more(rq, rs, body, &a))) {
        struct store *s = api_store(rq, rs, &l, &missing);
        store_close(s);
        if (s) {
            respond(rq, rs, &l, &a);
        } else if (missing) {
            http_error(rq, rs, 400, "Run %s has no histories yet", l.id);
        }
    }
    json_decref(body);
    launch_fini(&l);
}

void api_command(struct http_request *rq, struct http_response *rs)
{
    answer(rq, rs, true);
}

void api_execute_command(struct http_request *rq, struct http_response *rs)
{
    answer(rq, rs, false);
}
