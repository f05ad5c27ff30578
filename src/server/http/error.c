/* Errors in the shape each family of routes has. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/http/http_priv.h"
#include "server/log.h"
#include "server/pages/frame.h"

static const char *reason(unsigned status)
{
    const char *text = MHD_get_reason_phrase_for(status);
    return text ? text : "Error";
}

/* OCI distribution specification 1.1, "Error Codes", for what no handler named better. */
static const char *registry_code(unsigned status)
{
    switch (status) {
    case 401:
        return "UNAUTHORIZED";
    case 403:
        return "DENIED";
    case 404:
        return "NAME_UNKNOWN";
    case 413:
        return "SIZE_INVALID";
    case 429:
        return "TOOMANYREQUESTS";
    case 400:
    case 405:
        return "UNSUPPORTED";
    default:
        return "UNKNOWN";
    }
}

static void page_error(struct http_response *rs, unsigned status, const char *text)
{
    const struct frame f = {.title = reason(status)};
    frame_open(&rs->body, &f);
    buf_puts(&rs->body, "<div class=\"wrap\"><h1>");
    buf_html(&rs->body, f.title, strlen(f.title));
    buf_puts(&rs->body, "</h1>\n<p>");
    const char first = (char)toupper((unsigned char)*text); /* a sentence, here */
    buf_html(&rs->body, &first, *text != 0);
    buf_html(&rs->body, text + (*text != 0), strlen(text + (*text != 0)));
    buf_puts(&rs->body, "</p>\n<p><a href=\"/runs\">All runs</a></p></div>\n");
    frame_close(&rs->body, &f);
    frame_send(rs, status);
}

void http_error_code(struct http_response *rs, unsigned status, const char *code,
                     const char *message)
{
    buf_reset(&rs->body);
    buf_puts(&rs->body, "{\"errors\":[{\"code\":");
    buf_json_string(&rs->body, code, strlen(code));
    buf_puts(&rs->body, ",\"message\":");
    buf_json_string(&rs->body, message, strlen(message));
    buf_puts(&rs->body, ",\"detail\":null}]}\n");
    http_json(rs, status);
}

void error_fill(enum http_family family, struct http_response *rs, unsigned status,
                const char *text)
{
    buf_reset(&rs->body);
    switch (family) {
    case FAMILY_PAGE:
        page_error(rs, status, text);
        break;
    case FAMILY_REGISTRY:
        http_error_code(rs, status, registry_code(status), text);
        break;
    case FAMILY_LAUNCH:
        buf_printf(&rs->body, "{\"statusCode\":%u,\"runId\":null,\"message\":", status);
        buf_json_string(&rs->body, text, strlen(text));
        buf_puts(&rs->body, "}\n");
        http_json(rs, status);
        break;
    case FAMILY_API:
        buf_puts(&rs->body, "{\"message\":");
        buf_json_string(&rs->body, text, strlen(text));
        buf_puts(&rs->body, "}\n");
        http_json(rs, status);
        break;
    }
}

void http_error(const struct http_request *rq, struct http_response *rs, unsigned status,
                const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = mem_vprintf(fmt, ap);
    va_end(ap);
    error_fill(rq->family, rs, status, text);
}

void http_fail(const struct http_request *rq, struct http_response *rs, const struct err *err)
{
    if (err->kind == ERR_USAGE) {
        cleanup_buf struct buf text = {0};
        buf_puts(&text, err->msg);
        if (err->hint) {
            buf_printf(&text, " (%s)", err->hint);
        }
        error_fill(rq->family, rs, 400, text.data);
        return;
    }
    cleanup_buf struct buf line = {0};
    log_begin(&line, LOG_LEVEL_ERROR, "request_failed");
    buf_printf(&line, " id=%016llx", (unsigned long long)rq->id);
    log_pair(&line, "message", err->msg ? err->msg : "unknown error");
    log_end(&line);
    if (err->kind == ERR_HOST && err->host_errno == ENOSPC) {
        error_fill(rq->family, rs, 507, "the server's disk is full");
    } else {
        error_fill(rq->family, rs, 500, "the server could not do this; its log says why");
    }
}
