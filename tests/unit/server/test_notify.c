/* What notifications are made of: addresses that may be talked to, recipients, headers, delays. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/notify/notify_priv.h"
#include "server/server.h"

static bool is_public(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return address_is_public((struct sockaddr *)&in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_is_public((struct sockaddr *)&in6);
}

static void test_addresses(void **state)
{
    static const char *const refused[] = {
        "0.0.0.0",         "0.1.2.3",          "10.0.0.1",     "10.255.255.255",
        "100.64.0.1",      "100.127.255.255",  "127.0.0.1",    "127.255.0.1",
        "169.254.169.254", "172.16.0.1",       "172.31.255.1", "192.0.0.8",
        "192.0.2.1",       "192.168.1.1",      "198.18.0.1",   "198.19.255.1",
        "198.51.100.7",    "203.0.113.9",      "224.0.0.1",    "239.1.1.1",
        "240.0.0.1",       "255.255.255.255",  "::",           "::1",
        "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1",  "64:ff9b::127.0.0.1",
        "64:ff9b:1::1",    "fc00::1",          "fd12:3456::1", "fe80::1",
        "fec0::1",         "ff02::1",          "2001:db8::1",  "2001::1",
        "2002:7f00:1::1",  "2002:a00:1::1",    "4000::1",      "100::1",
    };
    static const char *const fine[] = {
        "1.1.1.1",         "9.255.255.255", "11.0.0.0",     "100.63.255.255", "100.128.0.0",
        "172.15.255.255",  "172.32.0.0",    "192.0.1.0",    "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "140.82.112.3",  "2606:50c0::1", "2a00:1450::1",   "::ffff:1.1.1.1",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (is_public(refused[i])) {
            fail_msg("%s counts as public", refused[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        if (!is_public(fine[i])) {
            fail_msg("%s does not count as public", fine[i]);
        }
    }
}

static void test_urls(void **state)
{
    static const char *const refused[] = {
        "",
        "x",
        "/path",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://example.org/",
        "dict://example.org:11111/",
        "javascript:alert(1)",
        "http://",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://localhost:8080/",
        "http://LOCALHOST/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1%25eth0]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user@example.org/",
        "http://user:password@example.org/",
        "http://example.org@127.0.0.1/",
        "http://exa mple.org/",
        "http://example.org:99999/",
    };
    struct server_config config = {0};
    struct server server = {.config = &config};
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (notify_check_callback(&server, refused[i], &err) == 0) {
            fail_msg("%s is accepted", refused[i]);
        }
        assert_int_equal(err.kind, ERR_USAGE);
        err_clear(&err);
    }
    assert_int_equal(notify_check_callback(&server, "https://hooks.example.org/x?y", &err), 0);
    assert_int_equal(notify_check_callback(&server, "http://8.8.8.8:8080/x", &err), 0);
    config.callback_allow = (char *)(uintptr_t) "127.0.0.1";
    assert_int_equal(notify_check_callback(&server, "http://127.0.0.1/", &err), 0);
}

static void test_display_hides(void **state)
{
    struct buf b = {0};
    (void)state;
    callback_display("slack", "https://hooks.slack.com/services/T0/B0/secret", &b);
    assert_string_equal(b.data, "https://hooks.slack.com/\xe2\x80\xa6");
    buf_reset(&b);
    callback_display("github", "https://api.github.com/repos/o/r/statuses/abc?access_token=s", &b);
    assert_string_equal(b.data, "https://api.github.com/repos/o/r/statuses/abc");
    buf_free(&b);
}

static void test_recipients(void **state)
{
    static const char *const bad[] = {
        "x",     "@x.org",          "a@",   "a@b@c",  "a b@c", "a@b,c@d", "<a@b>",
        "a@b\n", "a@b\r\nBcc: x@y", "a@.b", "a@b..c", "a\"@b", "a:b@c",   "\xc3\xa9@x.org",
    };
    struct err err = {0};
    struct buf many = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool is_fine = notify_check_recipients(bad[i], &err) == 0;
        /* A line end only separates; what is behind it must be an address as well. */
        if (is_fine && strcmp(bad[i], "a@b\n") != 0) {
            fail_msg("%s is accepted", bad[i]);
        }
        err_clear(&err);
    }
    assert_int_equal(notify_check_recipients("", &err), 0);
    assert_int_equal(notify_check_recipients("a@x.org", &err), 0);
    assert_int_equal(notify_check_recipients(" a.b+c@x.org ; d@y-z.org;", &err), 0);
    for (int i = 0; i < 51; i++) {
        buf_printf(&many, "a%d@x.org;", i);
    }
    assert_int_equal(notify_check_recipients(many.data, &err), -1);
    assert_non_null(strstr(err.msg, "more than 50"));
    err_clear(&err);
    buf_free(&many);
}

static void expect_header(const char *text, const char *want)
{
    struct buf b = {0};
    mail_header_text(&b, text);
    assert_string_equal(b.data, want);
    buf_free(&b);
}

static void test_header_text(void **state)
{
    (void)state;
    expect_header("plain text: 1 new", "plain text: 1 new");
    expect_header("\xc3\xa9", "=?utf-8?B?w6k=?=");
    expect_header("a\nb", "=?utf-8?B?YQpi?=");
    /* 30 times two bytes: cut between characters. */
    char text[61] = {0};
    for (int i = 0; i < 30; i++) {
        text[2 * i] = '\xc3';
        text[2 * i + 1] = '\xa9';
    }
    struct buf b = {0};
    mail_header_text(&b, text);
    assert_non_null(strstr(b.data, "?= =?utf-8?B?"));
    for (const char *p = strtok(b.data, " "); p; p = strtok(NULL, " ")) {
        assert_in_range(strlen(p), 1, 75); /* RFC 2047 section 2 */
    }
    buf_free(&b);
}

static void test_delays(void **state)
{
    (void)state;
    assert_int_equal(notify_retry_delay(1), 30);
    assert_int_equal(notify_retry_delay(2), 60);
    assert_int_equal(notify_retry_delay(7), 1920);
    assert_int_equal(notify_retry_delay(8), 3600);
    assert_int_equal(notify_retry_delay(1000000), 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_urls),
        cmocka_unit_test(test_display_hides), cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_header_text),   cmocka_unit_test(test_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
