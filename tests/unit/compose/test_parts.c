/* The leaf parts: words, units, addresses, paths, variables and .env files, each by a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "compose/addr.h"
#include "compose/diag.h"
#include "compose/dotenv.h"
#include "compose/interp.h"
#include "compose/paths.h"
#include "compose/pool.h"
#include "compose/service.h"
#include "compose/units.h"
#include "compose/words.h"

static void words(void **state)
{
    static const struct {
        const char *text;
        const char *joined; /* words, each followed by '|' */
    } cases[] = {
        {"", ""},
        {"sleep infinity", "sleep|infinity|"},
        {"  a\t b\nc ", "a|b|c|"},
        {"'a b' \"c d\"e", "a b|c de|"},
        {"'' \"\"", "||"},
        {"a\\ b 'it''s'", "a b|its|"},
        {"\"a\\\"b\\\\c\\nd\\$e\"", "a\"b\\c\\nd$e|"},
        {"'a\\b'", "a\\b|"},
        {"a \\\n b\\\nc", "a|bc|"},
        {"sh -c 'x && y'", "sh|-c|x && y|"},
        {"a#b #c", "a#b|#c|"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pool pool = {0};
        struct compose_strings out = {0};
        const char *op = NULL;
        char joined[128] = "";
        assert_int_equal(words_split(&pool, cases[i].text, &out, &op), WORDS_OK);
        for (size_t k = 0; k < out.n; k++) {
            strcat(strcat(joined, out.v[k]), "|");
        }
        assert_string_equal(joined, cases[i].joined);
        assert_true(!out.v || out.v[out.n] == NULL);
        pool_fini(&pool);
    }
}

static void words_errors_and_operators(void **state)
{
    struct pool pool = {0};
    struct compose_strings out = {0};
    const char *op = NULL;
    assert_int_equal(words_split(&pool, "a 'b", &out, &op), WORDS_OPEN_QUOTE);
    assert_int_equal(words_split(&pool, "a \"b", &out, &op), WORDS_OPEN_QUOTE);
    assert_int_equal(words_split(&pool, "a\\", &out, &op), WORDS_TRAILING_ESCAPE);
    assert_int_equal(words_split(&pool, "a 2>&1", &out, &op), WORDS_OK);
    assert_string_equal(op, "2>&1");
    assert_int_equal(words_split(&pool, "a '|' \"&&\" 22", &out, &op), WORDS_OK);
    assert_null(op);
    pool_fini(&pool);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
        const char *back;
    } good[] = {
        {"0", 0, "0s"},
        {"0s", 0, "0s"},
        {"10s", 10000000000u, "10s"},
        {"1m30s", 90000000000u, "1m30s"},
        {"1.5h", 5400000000000u, "1h30m"},
        {"2.5ms", 2500000u, "2ms500us"},
        {"3us", 3000u, "3us"},
        {"3\xc2\xb5s", 3000u, "3us"},
        {"7ns", 7u, "7ns"},
        {"1d", 86400000000000u, "24h"},
        {".5s", 500000000u, "500ms"},
    };
    static const char *const bad[] = {
        "",    "5",    "s",    "-1s",           "1 s",
        "1sx", "1e3s", "1.s2", "999999999999h", "99999999999999999999s",
        "1m30"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t ns = 1;
        char text[DURATION_TEXT_MAX];
        assert_int_equal(parse_duration(good[i].text, &ns), 0);
        assert_true(ns == good[i].ns);
        format_duration(ns, text);
        assert_string_equal(text, good[i].back);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t ns = 77;
        assert_int_equal(parse_duration(bad[i], &ns), -1);
        assert_true(ns == 77);
    }
    char text[DURATION_TEXT_MAX];
    format_duration(UINT64_MAX, text); /* the longest text fits */
}

static void sizes_and_numbers(void **state)
{
    uint64_t size = 0;
    int64_t n = 0;
    uint32_t mode = 0;
    int sig = 0;
    bool on = false;
    assert_true(parse_size("64m", &size) == 0 && size == 64u << 20);
    assert_true(parse_size("1.5GB", &size) == 0 && size == 3u << 29);
    assert_true(parse_size("10 kib", &size) == 0 && size == 10240);
    assert_true(parse_size("512", &size) == 0 && size == 512);
    assert_true(parse_size("12x", &size) && parse_size("", &size) && parse_size("-1", &size));
    assert_true(parse_size("99999999999t", &size));
    assert_true(parse_integer("-3", -5, 5, &n) == 0 && n == -3);
    assert_true(parse_integer("6", -5, 5, &n) && parse_integer("1.0", 0, 5, &n));
    assert_true(parse_integer(" 1", 0, 5, &n) && parse_integer("1_0", 0, 50, &n));
    assert_true(parse_mode("0440", &mode) == 0 && mode == 0440);
    assert_true(parse_mode("0o755", &mode) == 0 && mode == 0755);
    assert_true(parse_mode("0999", &mode) && parse_mode("", &mode) && parse_mode("77777", &mode));
    assert_true(parse_bool("Yes", &on) == 0 && on);
    assert_true(parse_bool("off", &on) == 0 && !on && parse_bool("maybe", &on));
    assert_true(parse_signal("SIGTERM", &sig) == 0 && sig == 15);
    assert_true(parse_signal("quit", &sig) == 0 && sig == 3);
    assert_true(parse_signal("SIGRTMIN+3", &sig) == 0 && sig == 37);
    assert_true(parse_signal("RTMAX", &sig) == 0 && sig == 64);
    assert_true(parse_signal("0", &sig) && parse_signal("65", &sig) && parse_signal("", &sig));
    assert_true(parse_signal("SIG", &sig) && parse_signal("RTMIN-1", &sig));
}

static void addresses(void **state)
{
    struct compose_subnet net = {0};
    struct compose_ip ip = {0};
    bool host_bits = false;
    char text[IP_TEXT_MAX];
    assert_int_equal(subnet_parse("10.0.3.7/22", &net, &host_bits), 0);
    assert_true(host_bits);
    subnet_format(&net, text);
    assert_string_equal(text, "10.0.0.0/22");
    ip = subnet_nth(&net, 258);
    ip_format(&ip, text);
    assert_string_equal(text, "10.0.1.2");
    ip = subnet_last(&net);
    ip_format(&ip, text);
    assert_string_equal(text, "10.0.3.255");
    ip = subnet_nth(&net, 1024);
    assert_int_equal(ip.family, 0);
    assert_int_equal(ip_parse("10.0.4.0", &ip), 0);
    assert_false(subnet_contains(&net, &ip));
    assert_int_equal(subnet_parse("0.0.0.0/0", &net, &host_bits), 0);
    assert_true(subnet_contains(&net, &ip) && !host_bits);
    assert_int_equal(subnet_parse("fd00::1:0/112", &net, &host_bits), 0);
    ip = subnet_nth(&net, 0xffff);
    ip_format(&ip, text);
    assert_string_equal(text, "fd00::1:ffff");
    ip = subnet_nth(&net, 0x10000);
    assert_int_equal(ip.family, 0);
    assert_int_equal(subnet_parse("255.255.255.255/32", &net, &host_bits), 0);
    ip = subnet_nth(&net, 1);
    assert_int_equal(ip.family, 0);
    static const char *const bad[] = {"10.0.0.0",    "10.0.0.0/33", "10.0.0/8", "::/129",
                                      "10.0.0.0/-1", "/8",          "",         "x/8"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(subnet_parse(bad[i], &net, &host_bits), -1);
    }
}

static void paths(void **state)
{
    struct pool pool = {0};
    assert_string_equal(path_normalise(&pool, "//a/./b/../c/"), "/a/c");
    assert_string_equal(path_normalise(&pool, "/../.."), "/");
    assert_string_equal(path_below(&pool, "./a//b/"), "a/b");
    assert_string_equal(path_below(&pool, "a/.."), ".");
    assert_string_equal(path_below(&pool, "a/../b"), "b");
    assert_null(path_below(&pool, "../a"));
    assert_null(path_below(&pool, "a/../../b"));
    assert_int_equal(dir_check(-1, "x") < 0, true);
    pool_fini(&pool);
}

static void suggestions(void **state)
{
    static const char *const names[] = {"image", "init", "depends_on"};
    assert_string_equal(suggest_name("imgae", names, 3, sizeof names[0]), "image");
    assert_string_equal(suggest_name("depend_on", names, 3, sizeof names[0]), "depends_on");
    assert_null(suggest_name("xyz", names, 3, sizeof names[0]));
    assert_null(suggest_name("anything", names, 0, sizeof names[0]));
}

struct bench {
    struct pool pool;
    struct diags diags;
    struct env env;
    struct interp in;
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->diags.pool = &b->pool;
    b->in = (struct interp){.pool = &b->pool, .diags = &b->diags, .first = &b->env};
    env_put(&b->pool, &b->env, "SET", "value");
    env_put(&b->pool, &b->env, "EMPTY", "");
    env_put(&b->pool, &b->env, "DOLLAR", "$SET");
}

static void variables(void **state)
{
    static const struct {
        const char *text, *result; /* NULL: an error */
        size_t warnings;
    } cases[] = {
        {"plain", "plain", 0},
        {"$SET ${SET}", "value value", 0},
        {"${SET}x$SET.y", "valuexvalue.y", 0},
        {"$$SET $${SET}", "$SET ${SET}", 0},
        {"$UNSET|${UNSET}", "|", 2},
        {"${UNSET:-d}${EMPTY:-d}${SET:-d}", "ddvalue", 0},
        {"${UNSET-d}${EMPTY-d}", "d", 0},
        {"${UNSET:+o}${EMPTY:+o}${SET:+o}", "o", 0},
        {"${UNSET+o}${EMPTY+o}${SET+o}", "oo", 0},
        {"${SET:?e}${SET?e}${EMPTY?e}", "valuevalue", 0},
        {"${UNSET:?e}", NULL, 0},
        {"${EMPTY:?e}", NULL, 0},
        {"${UNSET?e}", NULL, 0},
        {"${UNSET:-${SET:+${EMPTY:-deep}}}", "deep", 0},
        {"${SET:-${UNSET:?never looked at}}", "value", 0},
        {"${UNSET:-a$$b}", "a$b", 0},
        {"$DOLLAR", "$SET", 0}, /* values are not expanded again */
        {"$1 $ 5$ $(cmd) $-", "$1 $ 5$ $(cmd) $-", 0},
        {"${SET", NULL, 0},
        {"${}", NULL, 0},
        {"${1}", NULL, 0},
        {"${SET/a/b}", NULL, 0},
        {"${SET:x}", NULL, 0},
        {"${UNSET:-}", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        bench_init(&b);
        const char *got = interpolate(&b.in, (struct mark){0}, cases[i].text);
        if (cases[i].result) {
            assert_non_null(got);
            assert_string_equal(got, cases[i].result);
            assert_int_equal(b.diags.n, cases[i].warnings);
        } else {
            assert_null(got);
            assert_int_equal(b.diags.errors, 1);
        }
        pool_fini(&b.pool);
    }
}

static int parse_env(struct bench *b, const char *text, enum dotenv_format format)
{
    struct source *src = pool_zalloc(&b->pool, sizeof *src);
    *src = (struct source){"e.env", text, strlen(text)};
    return dotenv_parse(src, format, &b->in, &b->env);
}

static void env_files(void **state)
{
    static const struct {
        const char *text, *value; /* of V */
    } cases[] = {
        {"V=VAL", "VAL"},
        {"V=\"VAL\"", "VAL"},
        {"V='VAL'", "VAL"},
        {"V=VAL # comment", "VAL"},
        {"V=VAL# not a comment", "VAL# not a comment"},
        {"V=\"VAL # not a comment\"", "VAL # not a comment"},
        {"V=\"VAL\" # comment", "VAL"},
        {"V='$SET'", "$SET"},
        {"V=$SET", "value"},
        {"V=\"${SET}\"", "value"},
        {"V=\"\\$SET\"", "$SET"},
        {"V='Let\\'s go!'", "Let's go!"},
        {"V=\"{\\\"hello\\\": \\\"json\\\"}\"", "{\"hello\": \"json\"}"},
        {"V=\"some\\tvalue\"", "some\tvalue"},
        {"V='some\\tvalue'", "some\\tvalue"},
        {"V=some\\tvalue", "some\\tvalue"},
        {"V=\"two\nlines\"", "two\nlines"},
        {"V=", ""},
        {"V=#x", ""},
        {"V", NULL},
        {"export V = spaced \r\n", "spaced"},
        {"# V=1\n\n  V=2\n", "2"},
        {"V=1\nV=2", "2"},
        {"W=1\nV=${W}2", "12"},
        {"V: yaml", "yaml"},
        {"\xef\xbb\xbfV=bom", "bom"},
        {"V=a=b", "a=b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        bench_init(&b);
        assert_int_equal(parse_env(&b, cases[i].text, DOTENV_COMPOSE), 0);
        const struct env_entry *e = env_find(&b.env, "V");
        assert_non_null(e);
        if (cases[i].value) {
            assert_non_null(e->value);
            assert_string_equal(e->value, cases[i].value);
        } else {
            assert_null(e->value);
        }
        pool_fini(&b.pool);
    }
}

static void env_file_errors(void **state)
{
    static const char *const bad[] = {"=x",       "1A=x", "A B=1",      "A=\"x", "A='x",
                                      "A=\"x\"y", "A=${", "A=${X:?no}", "A-=\n/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct bench b;
        bench_init(&b);
        assert_int_equal(parse_env(&b, bad[i], DOTENV_COMPOSE), -1);
        assert_true(b.diags.errors > 0);
        pool_fini(&b.pool);
    }
    struct bench b;
    bench_init(&b);
    assert_int_equal(parse_env(&b, "V=\"$SET\" # x\r\nW\n", DOTENV_RAW), 0);
    assert_string_equal(env_find(&b.env, "V")->value, "\"$SET\" # x");
    assert_null(env_find(&b.env, "W")->value);
    pool_fini(&b.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),       cmocka_unit_test(words_errors_and_operators),
        cmocka_unit_test(durations),   cmocka_unit_test(sizes_and_numbers),
        cmocka_unit_test(addresses),   cmocka_unit_test(paths),
        cmocka_unit_test(suggestions), cmocka_unit_test(variables),
        cmocka_unit_test(env_files),   cmocka_unit_test(env_file_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
