/* The launch form. */
#include "server/pages/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/text.h"
#include "server/pages/runs.h"
#include "server/queue/queue.h"
#include "server/server.h"

#define IMAGES_OFFERED 200u

enum field_kind { FIELD_TEXT, FIELD_IMAGE, FIELD_IMAGES, FIELD_NUMBER, FIELD_TICK };

static const struct field {
    const char *param, *label, *help, *first;
    enum field_kind kind;
    bool is_required;
} fields[LAUNCH_FIELDS] = {
    {"antithesis.config_image", "Config image", "holds /docker-compose.yaml", NULL, FIELD_IMAGE,
     true},
    {"antithesis.images", "Other images",
     "separated by semicolons; those that the compose file names are found without", NULL,
     FIELD_IMAGES, false},
    {"antithesis.duration", "Duration in minutes", "wall clock", "15", FIELD_NUMBER, true},
    {"antithesis.description", "Description", "shown in the list, the report and the mail", NULL,
     FIELD_TEXT, false},
    {"antithesis.source", "Source", "whose history this run belongs to, such as a branch", NULL,
     FIELD_TEXT, false},
    {"antithesis.test_name", "Test name", "what the run is called", NULL, FIELD_TEXT, false},
    {"antithesis.report.recipients", "Mail to", "addresses separated by semicolons", NULL,
     FIELD_TEXT, false},
    {"antithesis.filter_logs_matching", "Leave out log lines matching",
     "a regular expression; matching lines are not kept", NULL, FIELD_TEXT, false},
    {"antithesis.is_ephemeral", "Ephemeral", "leave this run out of its source's history", NULL,
     FIELD_TICK, false},
};

const char *launch_field_param(size_t field)
{
    return fields[field].param;
}

void launch_form_fini(struct launch_form *lf)
{
    for (size_t i = 0; i < LAUNCH_FIELDS; i++) {
        free(lf->values[i]);
    }
    free(lf->launcher);
    free(lf->more);
    *lf = (struct launch_form){0};
}

static const char *trim(const char *s, size_t *len)
{
    while (*len && strchr(" \t\r", *s)) {
        s++;
        --*len;
    }
    while (*len && strchr(" \t\r", s[*len - 1])) {
        --*len;
    }
    return s;
}

static int add_line(json_t *params, const char *line, size_t len, struct err *err)
{
    line = trim(line, &len);
    if (!len) {
        return 0;
    }
    const char *eq = memchr(line, '=', len);
    if (!eq || eq == line) {
        return err_set(err, ERR_USAGE, "more: `%.*s` is not of the form name=value", (int)len,
                       line);
    }
    size_t name_len = (size_t)(eq - line);
    size_t value_len = len - name_len - 1;
    const char *value = trim(eq + 1, &value_len);
    line = trim(line, &name_len);
    cleanup_free char *name = mem_strndup(line, name_len);
    json_t *text = json_stringn(value, value_len);
    return text && json_object_set_new(params, name, text) == 0
               ? 0
               : err_set(err, ERR_USAGE, "more: `%s` is not valid UTF-8", name);
}

json_t *launch_form_params(const struct launch_form *lf, struct err *err)
{
    json_t *params = json_object();
    for (size_t i = 0; i < LAUNCH_FIELDS; i++) {
        const char *value = lf->values[i];
        if (value && *value) {
            json_t *text = json_string(value);
            if (!text) {
                err_set(err, ERR_USAGE, "%s: not valid UTF-8", fields[i].param);
                json_decref(params);
                return NULL;
            }
            json_object_set_new(params, fields[i].param, text);
        }
    }
    for (const char *p = lf->more ? lf->more : ""; *p;) {
        size_t len = strcspn(p, "\n");
        if (add_line(params, p, len, err)) {
            json_decref(params);
            return NULL;
        }
        p += len + (p[len] == '\n');
    }
    return params;
}

void launch_form_curl(struct buf *b, const struct launch_form *lf)
{
    cleanup_err struct err ignored = {0}; /* said beside the field */
    json_t *params = launch_form_params(lf, &ignored);
    json_t *body = json_pack("{s:o}", "params", params ? params : json_object());
    cleanup_free char *text = json_dumps(body, JSON_PRESERVE_ORDER);
    json_decref(body);
    buf_printf(b, "curl --fail -u \"$USER:$PASSWORD\" -X POST %s/api/v1/launch/", lf->public_url);
    http_encode(b, lf->launcher && *lf->launcher ? lf->launcher : "basic_test");
    buf_puts(b, " -d '");
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '\'') {
            buf_puts(b, "'\\''");
        } else {
            buf_putc(b, *c);
        }
    }
    buf_putc(b, '\'');
}

/* ---- drawing ---- */

/* The part of the trouble that belongs to this field, or NULL. */
static const char *trouble_of(const struct launch_form *lf, const char *param)
{
    size_t len = strlen(param);
    if (!lf->trouble || strncmp(lf->trouble, param, len) != 0) {
        return NULL;
    }
    const char *rest = lf->trouble + len;
    return *rest == ':' ? rest + 2 : *rest == ' ' ? rest + 1 : NULL;
}

static void field_error(struct buf *b, const char *id, const char *text)
{
    if (text) {
        buf_printf(b, "<span class=\"field-error\" id=\"error-%s\">", id);
        text_html(b, text);
        buf_puts(b, "</span>");
    }
}

static void field_html(struct buf *b, const struct launch_form *lf, size_t i)
{
    const struct field *fd = &fields[i];
    const char *value = lf->values[i] ? lf->values[i] : "";
    const char *error = trouble_of(lf, fd->param);
    bool tick = fd->kind == FIELD_TICK;
    buf_printf(
        b, "<p class=\"field%s\"><label for=\"f%zu\">%s%s</label><input id=\"f%zu\" name=\"%s\"",
        tick ? " tick" : "", i, fd->label, fd->is_required ? " <small>needed</small>" : "", i,
        fd->param);
    buf_printf(b, " aria-describedby=\"help-f%zu%s", i, error ? " error-f" : "");
    if (error) {
        buf_printf(b, "%zu\" aria-invalid=\"true", i);
    }
    buf_puts(b, "\"");
    buf_puts(b, fd->is_required ? " required" : "");
    buf_puts(b, fd->kind == FIELD_IMAGE ? " list=\"images\" autocomplete=\"off\"" : "");
    buf_puts(b, fd->kind == FIELD_NUMBER ? " inputmode=\"decimal\"" : "");
    if (tick) {
        buf_printf(b, " type=\"checkbox\" value=\"true\"%s>",
                   strcmp(value, "true") == 0 ? " checked" : "");
    } else {
        buf_puts(b, " value=\"");
        text_html(b, value);
        buf_puts(b, "\">");
    }
    buf_printf(b, "<small id=\"help-f%zu\">%s \xc2\xb7 <code>%s</code></small>", i, fd->help,
               fd->param);
    char id[24];
    snprintf(id, sizeof id, "f%zu", i);
    field_error(b, id, error);
    buf_puts(b, "</p>\n");
}

static void offered(struct buf *b, const struct launch_form *lf)
{
    const struct images_model *m = lf->images;
    buf_puts(b, "<datalist id=\"images\">");
    for (size_t i = 0; m && i < m->count; i++) {
        buf_puts(b, "<option value=\"");
        text_html(b, m->rows[i].repository);
        buf_putc(b, ':');
        text_html(b, m->rows[i].tag);
        buf_puts(b, "\"></option>");
    }
    buf_puts(b, "</datalist>\n");
    if (!m || !m->count) {
        buf_puts(b, "<p class=\"note\">No image has been pushed yet: the <a href=\"/registry\">"
                    "registry</a> page says how.</p>\n");
        return;
    }
    buf_puts(b, "<details class=\"keys\"><summary>Images in the registry <b>");
    text_count(b, m->count);
    buf_puts(b, m->has_more ? "</b>, the newest</summary><ul>" : "</b></summary><ul>");
    for (size_t i = 0; i < m->count; i++) {
        buf_puts(b, "<li><code>");
        text_html(b, m->rows[i].repository);
        buf_putc(b, ':');
        text_html(b, m->rows[i].tag);
        buf_puts(b, "</code> pushed ");
        frame_time(b, m->rows[i].updated * 1000);
        buf_puts(b, "</li>\n");
    }
    buf_puts(b, "</ul></details>\n");
}

static bool is_of_a_field(const struct launch_form *lf)
{
    for (size_t i = 0; i < LAUNCH_FIELDS; i++) {
        if (trouble_of(lf, fields[i].param)) {
            return true;
        }
    }
    return trouble_of(lf, "more") != NULL;
}

static void more_html(struct buf *b, const struct launch_form *lf)
{
    const char *error = trouble_of(lf, "more");
    buf_printf(
        b,
        "<p class=\"field\"><label for=\"more\">More parameters</label><textarea id=\"more\" "
        "name=\"more\" rows=\"4\" spellcheck=\"false\" aria-describedby=\"help-more%s\"%s>",
        error ? " error-more" : "", error ? " aria-invalid=\"true\"" : "");
    text_html(b, lf->more);
    buf_puts(b,
             "</textarea><small id=\"help-more\">one <code>name=value</code> a line; names we do "
             "not know are kept</small>");
    field_error(b, "more", error);
    buf_puts(b, "</p>\n");
}

void launch_form_html(struct buf *b, const struct frame *f, const struct launch_form *lf)
{
    cleanup_buf struct buf curl = {0};
    launch_form_curl(&curl, lf);
    buf_puts(b, "<div class=\"wrap\"><h1>Launch a run</h1>\n");
    if (lf->trouble) {
        buf_puts(b, "<p class=\"banner bad\" role=\"alert\"><b>The run was not launched.</b> ");
        text_html(b, is_of_a_field(lf) ? "The field below says why." : lf->trouble);
        buf_puts(b, "</p>\n");
    }
    buf_puts(b, "<form method=\"post\" action=\"/launch\" class=\"form launch\" data-api=\"");
    text_html(b, lf->public_url);
    buf_puts(b, "\">\n");
    frame_csrf(b, f);
    for (size_t i = 0; i < LAUNCH_FIELDS; i++) {
        field_html(b, lf, i);
    }
    more_html(b, lf);
    buf_puts(b, "<p class=\"field\"><label for=\"launcher\">Launcher</label><input id=\"launcher\" "
                "name=\"launcher\" value=\"");
    text_html(b, lf->launcher && *lf->launcher ? lf->launcher : "basic_test");
    buf_puts(b, "\"></p>\n<p><button class=\"primary\">Launch</button></p>\n</form>\n");
    offered(b, lf);
    buf_puts(b, "<h2>The same by curl</h2>\n<p class=\"curl\">");
    html_copy(b, curl.data);
    buf_puts(b, "</p>\n</div>\n");
}

/* ---- requests ---- */

static void answer(struct http_request *rq, struct http_response *rs, struct launch_form *lf,
                   unsigned status)
{
    cleanup_err struct err err = {0};
    struct images_model images = {0};
    if (images_recent(rq->server->db, &images, IMAGES_OFFERED, &err)) {
        http_fail(rq, rs, &err);
    } else {
        struct frame f = frame_for(rq, PLACE_LAUNCH, "Launch a run");
        f.styles = (const char *const[]){"report.css", NULL};
        f.scripts = (const char *const[]){"launch.js", NULL};
        lf->images = &images;
        lf->public_url = rq->server->public_url;
        frame_open(&rs->body, &f);
        launch_form_html(&rs->body, &f, lf);
        frame_close(&rs->body, &f);
        frame_send(rs, status);
    }
    images_model_fini(&images);
}

void page_launch(struct http_request *rq, struct http_response *rs)
{
    struct launch_form lf = {0};
    for (size_t i = 0; i < LAUNCH_FIELDS; i++) {
        const char *value = http_query(rq, fields[i].param);
        value = value ? value : fields[i].first;
        lf.values[i] = value ? mem_strdup(value) : NULL;
    }
    answer(rq, rs, &lf, 200);
    launch_form_fini(&lf);
}

void page_launch_post(struct http_request *rq, struct http_response *rs)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf id = {0};
    cleanup_buf struct buf to = {0};
    struct launch_form lf = {0};
    for (size_t i = 0; i < LAUNCH_FIELDS; i++) {
        lf.values[i] = http_form(rq, fields[i].param);
    }
    lf.launcher = http_form(rq, "launcher");
    lf.more = http_form(rq, "more");
    json_t *params = launch_form_params(&lf, &err);
    const char *launcher = lf.launcher && *lf.launcher ? lf.launcher : "basic_test";
    int rc = params ? queue_launch(rq->server->queue, launcher, params, &rq->who, &id, &err) : -1;
    json_decref(params);
    if (rc == 0) {
        run_url(&to, id.data, "");
        http_redirect(rs, to.data);
    } else if (err.kind == ERR_USAGE || err.kind == ERR_SETUP) {
        lf.trouble = err.msg;
        answer(rq, rs, &lf, err.kind == ERR_USAGE ? 400 : 503);
    } else {
        http_fail(rq, rs, &err);
    }
    launch_form_fini(&lf);
}
