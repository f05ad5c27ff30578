/* The report: golden parts of JSON, JUnit and terminal text; hostile text; every state of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "event_builder.h"
#include "report/counterpart.h"
#include "report/report.h"
#include "report/terminal.h"
#include "report/text.h"
#include "synthetic.h"

static char base[64];

static int make_dir(void **state)
{
    snprintf(base, sizeof base, "/tmp/everett-report.XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

struct made {
    struct store *store;
    struct report *report;
};

static struct made make(enum synthetic_kind kind)
{
    cleanup_err struct err err = {0};
    char dir[128];
    struct report_options options = {.run_path = "runs/r 1"};
    snprintf(dir, sizeof dir, "%s/now", base);
    if (synthetic_run(dir, kind, &err)) {
        fail_msg("%s", err.msg);
    }
    struct made m = {.store = store_open(dir, &err)};
    assert_non_null(m.store);
    m.report = report_create(m.store, &options, &err);
    assert_non_null(m.report);
    return m;
}

static void drop(struct made *m)
{
    report_destroy(m->report);
    store_close(m->store);
}

static json_t *named(const json_t *root, const char *name)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(root, "properties"), i, p)
    {
        if (strcmp(json_string_value(json_object_get(p, "name")), name) == 0) {
            return p;
        }
    }
    return NULL;
}

static const char *text_at(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "(null)";
}

static void test_json(void **state)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf out = {0};
    struct made m = make(SYNTHETIC_FAILING);
    assert_int_equal(report_json(m.report, &out, &err), 0);
    json_t *root = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    const json_t *verdict = json_object_get(root, "verdict");
    /* the counter; and its check command, which then exits with 1 */
    assert_int_equal(json_integer_value(json_object_get(verdict, "failed")), 2);
    assert_int_equal(json_integer_value(json_object_get(verdict, "never_reached")), 1);
    const json_t *p = named(root, LOST);
    assert_string_equal(text_at(p, "verdict"), "failed");
    assert_string_equal(text_at(p, "finding"), "new");
    assert_int_equal(json_integer_value(json_object_get(p, "universes_failing")), 2);
    const json_t *x = json_array_get(json_object_get(p, "counterexamples"), 0);
    assert_int_equal(json_integer_value(json_object_get(x, "universe")), 2);
    assert_string_equal(text_at(x, "time"), "00:00:09.481");
    assert_string_equal(text_at(json_object_get(x, "moment"), "input_hash"), "4354685564936845355");
    assert_string_equal(text_at(json_object_get(x, "moment"), "vtime"), "9.480999999912456");
    assert_string_equal(text_at(x, "replay"),
                        "everett replay 'runs/r 1' --moment 4354685564936845355@9.481");
    assert_string_equal(text_at(named(root, "Client can recover from a full disk"), "verdict"),
                        "never_reached");
    json_decref(root);
    drop(&m);
}

static void test_junit(void **state)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf out = {0};
    struct made m = make(SYNTHETIC_FAILING);
    assert_int_equal(report_junit(m.report, &out, &err), 0);
    assert_non_null(strstr(out.data, " failures=\"3\" errors=\"0\" time=\"60.000\">"));
    assert_non_null(strstr(out.data, "<testcase classname=\"SDK\" name=\"" LOST "\" "
                                     "file=\"/app/x.py\">\n    <failure type=\"failed\" "
                                     "message=\"fails in 2 of 12 universes\">first at "
                                     "00:00:09.481 in universe 2 on client1\n/app/x.py:42\n"
                                     "details: {&quot;expected&quot;:42,&quot;read&quot;:41,"));
    char path[96];
    snprintf(path, sizeof path, "%s/junit.xml", base);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(out.data, 1, out.len, f);
    fclose(f);
    char command[256];
    snprintf(command, sizeof command,
             "python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' %s", path);
    assert_int_equal(system(command), 0);
    drop(&m);
}

static void test_terminal(void **state)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf out = {0};
    struct terminal_style style = {.columns = 80};
    struct made m = make(SYNTHETIC_FAILING);
    assert_int_equal(terminal_summary(&out, &style, m.report, &err), 0);
    static const char start[] =
        "  FAILED   " LOST "       2 of 12 universes\n"
        "           first at 00:00:09.481 in universe 2 \xc2\xb7 minimal: 1 fault (kill etcd0)\n"
        "           everett replay 'runs/r 1' --moment 4354685564936845355@9.481\n";
    assert_true(out.len > sizeof start);
    assert_memory_equal(out.data, start, sizeof start - 1);
    assert_non_null(strstr(out.data, "\n  NEVER    Client can recover from a full disk"));
    assert_non_null(strstr(out.data, "\n  2 failed \xc2\xb7 9 passed \xc2\xb7 1 never reached"));
    assert_non_null(strstr(out.data, "\n  report: runs/r 1/report.html\n"));
    assert_null(strchr(out.data, '\033'));
    for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(text_width(line) <= 80 || strstr(line, "everett replay"));
    }
    drop(&m);
}

static void test_live_line(void **state)
{
    struct terminal_numbers now = {
        "etcd-tutorial", 38, UINT64_C(41) * 60 * 1000000000, UINT64_C(58) * 1000000000, 5, 7, 0, 2};
    struct terminal_numbers none = {.name = "etcd-tutorial"};
    struct terminal_style wide = {.columns = 120};
    struct terminal_style narrow = {.columns = 50};
    cleanup_buf struct buf out = {0};
    terminal_live(&out, &wide, &now);
    assert_string_equal(out.data, "etcd-tutorial  \xe2\x96\xb8 38 universes \xc2\xb7 41 min tested "
                                  "in 58 s \xc2\xb7 5 of 7 properties seen \xc2\xb7 0 failures   "
                                  "[2 workers]");
    buf_reset(&out);
    terminal_live(&out, &narrow, &now);
    assert_int_equal(text_width(out.data), 50);
    buf_reset(&out);
    terminal_change(&out, &now, &now);
    assert_int_equal(out.len, 0);
    terminal_change(&out, &none, &now);
    assert_non_null(strstr(out.data, "0 failures\n"));
}

/* Nothing a program printed may become markup, and nothing may be fetched. */
static void check_page(const struct buf *out)
{
    static const char *const forbidden[] = {"<script>document", "<img",     "\" onmouseover=\"",
                                            "http://",          "https://", "url(",
                                            "@import",          "\033",     "\xff",
                                            "\xe2\x80\xae"};
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        if (strstr(out->data, forbidden[i])) {
            fail_msg("the page holds %s", forbidden[i]);
        }
    }
    assert_non_null(strstr(out->data, "</html>"));
}

static void test_html(void **state)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf out = {0};
    cleanup_buf struct buf again = {0};
    struct made m = make(SYNTHETIC_FAILING);
    assert_int_equal(report_html(m.report, &out, &err), 0);
    check_page(&out);
    assert_non_null(strstr(out.data, "&lt;script&gt;document.title"));
    assert_non_null(strstr(out.data, "violated here"));
    assert_non_null(strstr(out.data, "fault: etcd0 is killed"));
    assert_int_equal(report_html(m.report, &again, &err), 0);
    assert_int_equal(out.len, again.len); /* the same store, the same page */
    assert_memory_equal(out.data, again.data, out.len);
    assert_true(out.len < 2u << 20);
    drop(&m);
}

static void test_history(void **state)
{
    cleanup_err struct err err = {0};
    char dir[128];
    snprintf(dir, sizeof dir, "%s/before", base);
    assert_int_equal(synthetic_run(dir, SYNTHETIC_EARLIER, &err), 0);
    struct made m = make(SYNTHETIC_FAILING);
    assert_int_equal(m.report->history_count, 1);
    assert_int_equal(m.report->findings[FINDING_NEW], 2);
    assert_int_equal(m.report->findings[FINDING_RARE], 1); /* failed in 1 of 12, not seen now */
    assert_int_equal(m.report->findings[FINDING_RESOLVED], 0);
    drop(&m);
}

static void check_state(enum synthetic_kind kind, const char *words)
{
    cleanup_err struct err err = {0};
    cleanup_buf struct buf html = {0};
    cleanup_buf struct buf text = {0};
    struct terminal_style style = {.columns = 80, .color = true};
    struct made m = make(kind);
    assert_int_equal(report_write(m.report, &err), 0);
    assert_int_equal(report_html(m.report, &html, &err), 0);
    assert_int_equal(terminal_summary(&text, &style, m.report, &err), 0);
    check_page(&html);
    assert_non_null(strstr(html.data, words));
    drop(&m);
}

static void test_empty(void **state)
{
    check_state(SYNTHETIC_EMPTY, "No universe has finished yet");
}

static void test_setup_failed(void **state)
{
    check_state(SYNTHETIC_SETUP_FAILED, "container etcd2 exited with code 2 during set-up");
}

static void test_passing(void **state)
{
    check_state(SYNTHETIC_PASSING, "No property fails");
}

static void test_text(void **state)
{
#define BAD "\xef\xbf\xbd"
    static const char in[] = "a\033[1;31mb\033]0;t\007c\td\r\x01\xed\xa0\x80!";
    cleanup_buf struct buf b = {0};
    text_clean(&b, in, sizeof in - 1, 1000);
    assert_string_equal(b.data, "abc    d" BAD BAD BAD BAD "!");
    buf_reset(&b);
    text_clean(&b, "\033[", 2, 1000); /* a sequence cut short */
    text_clean(&b, "\033", 1, 1000);
    text_clean(&b, "12345", 5, 3);
    assert_string_equal(b.data, "123\xe2\x80\xa6");
#undef BAD
}

static void test_numbers(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{400000000, "0.4 s"},
                 {58000000000, "58 s"},
                 {2460000000000, "41 min"},
                 {12660000000000, "3 h 31 min"},
                 {3600000000000 * 53, "2 d 5 h"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cleanup_buf struct buf b = {0};
        text_duration(&b, cases[i].ns);
        assert_string_equal(b.data, cases[i].text);
    }
    cleanup_buf struct buf b = {0};
    text_count(&b, 9204);
    buf_putc(&b, ' ');
    text_count(&b, UINT64_MAX);
    assert_string_equal(b.data, "9,204 18,446,744,073,709,551,615");
    buf_reset(&b);
    assert_int_equal(text_fit(&b, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5), 5);
    assert_string_equal(b.data, "\xe6\x97\xa5\xe6\x9c\xac\xe2\x80\xa6");
}

/* One root and two branches of it: the one that branches at 2 s fails, the one at 3 s does not. */
static void add_branch(struct store *s, uint64_t number, uint64_t branch_ns, bool holds)
{
    cleanup_err struct err err = {0};
    struct event_builder b = {0};
    struct store_universe u = {.number = number,
                               .seed = number,
                               .input_hash = (int64_t)number + 1,
                               .parent = number ? 0 : -1,
                               .branch_vtime_ns = branch_ns};
    struct store_writer *w = store_universe_begin(s, &u, &err);
    assert_non_null(w);
    for (unsigned second = 1; second < 5; second++) {
        build_at(&b, second * UINT64_C(1000000000));
        build_output(&b, 0, 1, 1, 0, second == 4 && !holds ? "too late" : "a line");
        if (b.vtime_ns <= branch_ns) {
            buf_reset(&b.out); /* its parent's */
        }
    }
    build_assert(&b, 0, 1, "It holds", "always", true, true, holds, "{}");
    build_end(&b, END_TIME_LIMIT, true, "");
    assert_int_equal(store_universe_append(w, b.out.data, b.out.len, &err), 0);
    buf_free(&b.out);
    assert_int_equal(store_universe_commit(w, 1000, NULL, NULL, &err), 0);
}

static void test_counterpart(void **state)
{
    cleanup_err struct err err = {0};
    char dir[128];
    const struct store_node node = {.name = "a", .service = "a", .hostname = "a"};
    const struct store_run run = {.name = "branches"};
    struct report_options options = {.no_history = true};
    snprintf(dir, sizeof dir, "%s/now", base);
    struct store *s = store_create(dir, &run, &node, 1, &err);
    assert_non_null(s);
    add_branch(s, 0, 0, true);
    add_branch(s, 1, UINT64_C(2000000000), false);
    add_branch(s, 2, UINT64_C(3000000000), true);
    struct report *r = report_create(s, &options, &err);
    assert_non_null(r);
    const struct report_property *rp = &r->props[0];
    assert_string_equal(rp->p->name, "It holds");
    struct counterpart c;
    assert_int_equal(counterpart_find(&c, r, rp, report_first_failure(rp), &err), 1);
    assert_true(c.has_common_past);
    assert_int_equal(c.universe, 0); /* as much in common as universe 2, and seen first */
    assert_int_equal(c.differs_seq, 3);
    assert_true(c.differs_ns == UINT64_C(4000000000));
    assert_int_equal(c.common.count, 3);
    assert_string_equal(c.failing.lines[0].text, "too late");
    assert_string_equal(c.other.lines[0].text, "a line");
    counterpart_fini(&c);
    report_destroy(r);
    store_close(s);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_json),
        CASE(test_junit),
        CASE(test_terminal),
        CASE(test_live_line),
        CASE(test_html),
        CASE(test_history),
        CASE(test_empty),
        CASE(test_setup_failed),
        CASE(test_passing),
        CASE(test_counterpart),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
