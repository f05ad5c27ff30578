/* What the mail about a run says: the same in plain text and in HTML, as pieces that are written
 * to both. */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "report/text.h"
#include "server/notify/notify_priv.h"

#define FINDINGS_SHOWN 50u
#define TEXT_SHOWN     4000u

struct letter {
    struct buf text, html;
    const struct run_summary *run;
    const char *run_url;
};

static void add_html(struct buf *b, const char *s)
{
    text_html_n(b, s, strlen(s), TEXT_SHOWN);
}

static void add_clean(struct buf *b, const char *s)
{
    text_clean(b, s, strlen(s), TEXT_SHOWN);
}

static void paragraph(struct letter *l, const char *text)
{
    add_clean(&l->text, text);
    buf_puts(&l->text, "\n\n");
    buf_puts(&l->html, "<p>");
    add_html(&l->html, text);
    buf_puts(&l->html, "</p>\n");
}

static void add_title(struct letter *l)
{
    static const char *const marks[] = {"\xe2\x9c\x93", "\xe2\x9c\x97", "!", "!"};
    static const char *const colours[] = {"#0b6e5c", "#b4340a", "#8a5a00", "#555555"};
    enum outcome o = summary_outcome(l->run);
    cleanup_buf struct buf title = {0};
    buf_printf(&title, "%s ", marks[o]);
    summary_name(l->run, &title);
    buf_puts(&title, ": ");
    summary_outcome_text(l->run, &title);
    add_clean(&l->text, title.data);
    buf_puts(&l->text, "\n\n");
    buf_printf(&l->html, "<h2 style=\"color:%s;margin:0 0 12px\">", colours[o]);
    add_html(&l->html, title.data);
    buf_puts(&l->html, "</h2>\n");
}

static void add_facts(struct letter *l)
{
    const struct run_summary *r = l->run;
    cleanup_buf struct buf b = {0};
    const char *source = summary_text(r, "source"), *commit = summary_text(r, "commit_id");
    buf_printf(&b, "Run by %s on ", summary_text(r, "creator_name"));
    int64_t at = summary_number(r, "started_ms");
    text_date(&b, (at ? at : summary_number(r, "created_ms")) * 1000000);
    if (source) {
        buf_printf(&b, " \xc2\xb7 source %s", source);
    }
    if (commit) {
        buf_printf(&b, " \xc2\xb7 commit %s", commit);
    }
    paragraph(l, b.data);
    if (summary_text(r, "description")) {
        paragraph(l, summary_text(r, "description"));
    }
    if (summary_text(r, "error")) {
        paragraph(l, summary_text(r, "error"));
    }
}

static void add_counts(struct letter *l)
{
    const struct run_summary *r = l->run;
    cleanup_buf struct buf b = {0};
    if (!summary_text(r, "verdict")) {
        return;
    }
    buf_printf(
        &b,
        "%lld new, %lld resolved, and %lld rare findings seen this run. %lld ongoing "
        "issues.",
        (long long)summary_number(r, "found_new"), (long long)summary_number(r, "found_resolved"),
        (long long)summary_number(r, "found_rare"), (long long)summary_number(r, "found_ongoing"));
    paragraph(l, b.data);
}

static void add_finding(struct letter *l, const struct finding_line *f)
{
    bool has_page = f->failing > 0;
    buf_printf(&l->text, "[%s] ", f->word);
    add_clean(&l->text, f->name);
    buf_printf(&l->html, "<li style=\"margin:0 0 8px\"><b>[%s]</b> ", f->word);
    if (has_page) {
        buf_printf(&l->html, "<a href=\"%s/failure/%lld\">", l->run_url, (long long)f->number);
    }
    add_html(&l->html, f->name);
    buf_puts(&l->html, has_page ? "</a>" : "");
    if (has_page) {
        cleanup_buf struct buf b = {0};
        buf_printf(&b, "fails in %lld of ", (long long)f->failing);
        text_plural(&b, (uint64_t)f->of, "universe", "universes");
        if (f->first_time) {
            buf_printf(&b, ", first at %s", f->first_time);
        }
        if (f->minimal) {
            buf_printf(&b, "; enough for it: %s", f->minimal);
        }
        buf_puts(&l->text, "\n      ");
        add_clean(&l->text, b.data);
        buf_printf(&l->text, "\n      %s/failure/%lld", l->run_url, (long long)f->number);
        buf_puts(&l->html, "<br><span style=\"color:#555555\">");
        add_html(&l->html, b.data);
        buf_puts(&l->html, "</span>");
    }
    buf_puts(&l->text, "\n");
    buf_puts(&l->html, "</li>\n");
}

static void add_findings(struct letter *l)
{
    size_t count = l->run->finding_count;
    size_t shown = count < FINDINGS_SHOWN ? count : FINDINGS_SHOWN;
    if (count == 0) {
        return;
    }
    buf_puts(&l->html, "<ul style=\"padding-left:20px\">\n");
    for (size_t i = 0; i < shown; i++) {
        add_finding(l, &l->run->findings[i]);
    }
    buf_puts(&l->html, "</ul>\n");
    buf_puts(&l->text, "\n");
    if (count > shown) {
        cleanup_buf struct buf more = {0};
        buf_printf(&more, "... and %zu more in the report.", count - shown);
        paragraph(l, more.data);
    }
}

static void add_foot(struct letter *l)
{
    const struct run_summary *r = l->run;
    const char *id = summary_text(r, "id");
    bool has_report = r->report != NULL;
    buf_printf(&l->text, "View %s - %s:\n%s%s\n", has_report ? "report" : "run", id, l->run_url,
               has_report ? "/report" : "");
    buf_printf(&l->html, "<p><a href=\"%s%s\">View %s</a> - %s</p>\n", l->run_url,
               has_report ? "/report" : "", has_report ? "report" : "run", id);
    if (summary_number(r, "universes") > 0) {
        cleanup_buf struct buf b = {0};
        text_plural(&b, (uint64_t)summary_number(r, "universes"), "universe", "universes");
        buf_puts(&b, ", ");
        text_duration(&b, (uint64_t)summary_number(r, "virtual_ns"));
        buf_puts(&b, " tested in ");
        text_duration(&b, (uint64_t)summary_number(r, "wall_ns"));
        buf_printf(&l->text, "\n%s\n", b.data);
        buf_printf(&l->html, "<p style=\"color:#555555\">%s</p>\n", b.data);
    }
}

static void hex_digest(const char *a, const char *b, char out[33])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    cleanup_buf struct buf text = {0};
    buf_printf(&text, "%s\n%s", a, b);
    SHA256((unsigned char *)text.data, text.len, hash);
    for (unsigned i = 0; i < 16; i++) {
        out[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    out[32] = 0;
}

/* RFC 5322 section 3.6.4: ids that stay the same however often a mail is sent, and one for the
 * source, that all its mails refer to. */
static void add_ids(json_t *mail, const struct run_summary *r, const char *from, const char *to)
{
    const char *at = strchr(from, '@'), *source = summary_text(r, "source");
    const char *domain = at ? at + 1 : "everett.invalid";
    size_t len = strcspn(domain, "> ");
    char digest[33];
    cleanup_buf struct buf name = {0};
    summary_name(r, &name);
    hex_digest(summary_text(r, "id"), to, digest);
    json_object_set_new(mail, "id", json_sprintf("<run.%s@%.*s>", digest, (int)len, domain));
    hex_digest(source ? source : name.data, source ? "source" : "name", digest);
    json_object_set_new(mail, "thread", json_sprintf("<source.%s@%.*s>", digest, (int)len, domain));
}

static void add_subject(json_t *mail, const struct run_summary *r)
{
    cleanup_buf struct buf b = {0}, clean = {0};
    const char *source = summary_text(r, "source");
    buf_puts(&b, "[Everett] ");
    summary_name(r, &b);
    if (source) {
        buf_printf(&b, " (%s)", source);
    }
    buf_puts(&b, ": ");
    summary_outcome_text(r, &b);
    text_clean(&clean, b.data, b.len, 300);
    for (char *p = clean.data; *p; p++) {
        *p = *p == '\n' ? ' ' : *p;
    }
    json_object_set_new(mail, "subject", json_string(clean.data));
}

json_t *mail_compose(const struct run_summary *r, const char *public_url, const char *from,
                     const char *to)
{
    cleanup_buf struct buf url = {0};
    buf_printf(&url, "%s/runs/%s", public_url, summary_text(r, "id"));
    struct letter l = {.run = r, .run_url = url.data};
    buf_puts(&l.html, "<!doctype html>\n<html><head><meta charset=\"utf-8\"></head>"
                      "<body style=\"font:15px/1.5 system-ui,sans-serif\">\n");
    add_title(&l);
    add_facts(&l);
    add_counts(&l);
    add_findings(&l);
    add_foot(&l);
    buf_puts(&l.html, "</body></html>\n");
    json_t *mail = json_object();
    add_subject(mail, r);
    add_ids(mail, r, from, to);
    json_object_set_new(mail, "text", json_string(l.text.data));
    json_object_set_new(mail, "html", json_string(l.html.data));
    buf_free(&l.text);
    buf_free(&l.html);
    return mail;
}
