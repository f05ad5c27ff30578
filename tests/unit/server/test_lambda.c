/* Lambdas of event sets: what JavaScript answers for the same text and event. */
#include "server/api/lambda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char event_text[] =
    "{\"output_text\":\"Raft leader 42 elected \xc3\xa9\xf0\x9f\x98\x80!\",\"n\":3,\"zero\":0,"
    "\"empty\":\"\",\"yes\":true,\"nil\":null,\"list\":[1,\"two\",[3,4],null],"
    "\"source\":{\"name\":\"etcd0\",\"container\":\"etcd0\",\"stream\":\"error\"},"
    "\"moment\":{\"input_hash\":\"-3625518438076122494\",\"vtime\":\"398.4898056755774\"}}";

static bool holds(const char *text)
{
    const char *at = text, *expected = NULL;
    struct lambda *l = lambda_parse(&at, &expected);
    if (!l || *at) {
        print_error("%s: expected %s at '%s'\n", text, expected ? expected : "the end", at);
    }
    assert_non_null(l);
    assert_string_equal(at, "");
    json_t *event = json_loads(event_text, 0, NULL);
    assert_non_null(event);
    bool first = lambda_holds(l, event);
    assert_int_equal(lambda_holds(l, event), first); /* one evaluation leaves nothing behind */
    json_decref(event);
    lambda_free(l);
    return first;
}

static void check(const char *text, bool wanted)
{
    if (holds(text) != wanted) {
        print_error("%s\n", text);
        fail();
    }
}

static void truths(void **state)
{
    static const char *const yes[] = {
        "ev => true",
        "(ev) => ev.n === 3",
        "ev => ev.n == '3' && ev.n !== '3'",
        "ev => ev.nil == undefined && ev.nil !== undefined && ev.nil === null",
        "ev => ev.missing === undefined && typeof ev.missing == 'undefined'",
        "ev => ev.zero ?? true ? false : true",
        "ev => ev.zero || ev.empty || ev.yes",
        "ev => !(ev.zero && ev.yes)",
        "ev => ev.n * 2 + 1 == 7 && 7 % 4 == 3 && -ev.n < 0 && 10 / 4 == 2.5 && 1 - 2 - 3 == -4",
        "ev => 'a' < 'b' && 'a' <= 'a' && 'b' > 'a' && 'ab' > 'a' && '10' < '9' && 10 > 9",
        "ev => ev.output_text.includes('leader')",
        "ev => ev.output_text.toLowerCase().includes(\"raft\")",
        "ev => ev.output_text.startsWith('Raft') && ev.output_text.endsWith('!')",
        "ev => ev.output_text.indexOf('leader') === 5 && ev.output_text.indexOf('x') === -1",
        "ev => ev.output_text.slice(5, 11) === 'leader' && ev.output_text.slice(-1) == '!'",
        "ev => ev.output_text.substring(11, 5) === 'leader'",
        "ev => ev.output_text.length === 27", /* as JavaScript counts: the smiley is two */
        "ev => ev.output_text.slice(-4, -1) == '\\u00e9\xf0\x9f\x98\x80'",
        "ev => /leader \\d+/.test(ev.output_text)",
        "ev => !/^leader/.test(ev.output_text) && /LEADER/i.test(ev.output_text)",
        "ev => /[/]/.test('a/b') && /a\\/b/.test('a/b')",
        "ev => ev.output_text.match(/elected/) && !ev.output_text.match(/nothing/)",
        "ev => ev.source?.name === 'etcd0' && ev.absent?.name === undefined",
        "ev => ev.absent?.name.first.toString() === undefined",
        "ev => (ev.absent?.deep.deeper ?? 'none') === 'none'",
        "ev => ev['source']['stream'] === 'error' && ev.list[0] === 1 && ev.list[9] === undefined",
        "ev => ev.absent?.['x'] === undefined && ev.list?.[1] === 'two'",
        "ev => ev.list.length === 4 && Array.isArray(ev.list) && !Array.isArray(ev)",
        "ev => ev.list.includes('two') && !ev.list.includes('2') && ev.list.indexOf('two') == 1",
        "ev => [1, 2, 3].every(x => x < 4) && [1, 2, 3].some((x, i) => x === 3 && i === 2)",
        "ev => [1, 2, 3].filter(x => x > 1).map(x => x * 10)[1] === 30",
        "ev => [1, 2, 3].find(x => x > 1) === 2 && [].every(x => false) && ![].some(x => true)",
        "ev => `${ev.source.name}: ${ev.n + 1}` === 'etcd0: 4'",
        "ev => String(ev.n) === '3' && String(null) === 'null' && Number('4') === 4",
        "ev => String([1, [2, 3], null]) === '1,2,3,'",
        "ev => '' + 0.1 === '0.1' && '' + 100 === '100' && 'a' + 1 + 2 === 'a12'",
        "ev => 'a,b,c'.split(',').length === 3 && 'a,b,c'.split(',')[2] === 'c'",
        "ev => 'a\\0b'.length === 3 && ('a\\0b' + 'c').length === 4 && `\\0${1}`.length === 2",
        "ev => ' x '.trim() === 'x' && 'x'.toUpperCase() === 'X' && (5).toString() === '5'",
        "ev => { const a = ev.n; let b = a + 1; return b === 4; }",
        "ev => { if (ev.n > 5) return false; else if (ev.n > 2) { return true } return false }",
        "ev => ((a, b) => a + b)(1, 2) === 3",
        "ev => { const twice = f => x => f(f(x)); return twice(x => x * 3)(1) === 9 }",
        "ev => ev.moment.input_hash == \"-3625518438076122494\"",
        "ev => Number(ev.moment.vtime) > 398.4 && ev.moment.vtime > 398",
        "ev /* all */ => // to the end\n true",
    };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        check(yes[i], true);
    }
}

static void falsehoods(void **state)
{
    static const char *const no[] = {
        "ev => false",
        "ev => {}",
        "ev => ev.empty",
        "ev => ev.zero",
        "ev => 0 / 0",
        "ev => ev.absent.name === undefined", /* TypeError */
        "ev => nobody",                       /* ReferenceError */
        "ev => ev.n.includes('3')",           /* no such method of a number */
        "ev => ev.n === '3'",
        "ev => (ev.absent?.deep).deeper === undefined",       /* parentheses end the chain */
        "ev => { const f = g => g(g); return f(f) || true }", /* for ever */
        "ev => ev.yes ? false : true",
    };
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        check(no[i], false);
    }
}

/* What the published command line sends for a search of several words. */
static void words_search(void **state)
{
    static const char query[] =
        "ev => ev.source?.name !== \"bootstrap\" && ((ev, needles) => {   const m = (s, needle) => "
        "s != null && String(s).toLowerCase().includes(needle);   const assert_hit = "
        "ev.antithesis_assert?.hit === true;   const not_catalog = !ev.antithesis_assert || "
        "ev.antithesis_assert.hit !== false;   const composer = ev.source?.name === "
        "\"antithesis_test_composer\"     || "
        "/^antithesis\\/pods\\/.*\\/commands/.test(ev.source?.name ?? \"\");   const has = "
        "(needle) =>     (not_catalog && m(ev.output_text, needle))     || (assert_hit       && "
        "(m(ev.antithesis_assert.message, needle)         || "
        "m(ev.antithesis_assert.location?.function, needle)))     || (composer       && "
        "(m(ev.source?.name, needle)         || m(ev.command, needle)         || "
        "m(ev.started_task, needle)));   return needles.every(has); })(ev, [\"raft\", \"%s\"])";
    char text[2048];
    snprintf(text, sizeof text, query, "elected");
    check(text, true);
    snprintf(text, sizeof text, query, "nothing");
    check(text, false);
}

static void refused(void **state)
{
    static const char *const rows[] = {
        "",
        "ev",
        "ev =>",
        "ev => (",
        "ev => ev.",
        "ev => ev.output_text.replaceAll('a', 'b')",
        "ev => fetch.get('x')",
        "ev => 'abc",
        "ev => `abc",
        "ev => `${1`",
        "ev => /abc",
        "ev => /(/",
        "ev => {",
        "ev => { const = 1 }",
        "ev => [1, 2",
        "ev => 1 +",
        "ev => a ? b",
        "ev => '\\u12'",
        "ev => { if true }",
        "function (ev) { return 1 }",
        "(a, b, c, d, e) => 1",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = rows[i], *expected = NULL;
        struct lambda *l = lambda_parse(&at, &expected);
        if (l) {
            print_error("%s\n", rows[i]);
        }
        assert_null(l);
        assert_non_null(expected);
        assert_true(at >= rows[i] && at <= rows[i] + strlen(rows[i]));
    }
}

/* Deep texts end in an error, whatever is nested. */
static void deep(void **state)
{
    static const char *const units[] = {"(", "[", "!", "x => ", "`${", "a ? ", "-", "{ if (1) "};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t len = strlen(units[i]), count = 20000;
        char *text = malloc(5 + len * count + 1);
        assert_non_null(text);
        strcpy(text, "ev =>");
        for (size_t k = 0; k < count; k++) {
            memcpy(text + 5 + k * len, units[i], len);
        }
        text[5 + len * count] = 0;
        const char *at = text, *expected = NULL;
        assert_null(lambda_parse(&at, &expected));
        assert_non_null(expected);
        free(text);
    }
}

/* Work and memory for one event are limited. */
static void limits(void **state)
{
    check("ev => { const a = [1,2,3,4,5,6,7,8,9,10]; const f = g => a.map(x => a.map(y => "
          "a.map(z => a.map(v => a.map(w => a.map(u => 1)))))); f(1); return true }",
          false);
    check("ev => { const d = s => s + s; const e = s => d(d(d(d(s)))); "
          "return e(e(e(e(e(e(e('x'))))))).length > 0 }",
          false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truths),  cmocka_unit_test(falsehoods), cmocka_unit_test(words_search),
        cmocka_unit_test(refused), cmocka_unit_test(deep),       cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
