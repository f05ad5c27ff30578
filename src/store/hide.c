#include "store/hide.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

/* Steps of one match: a pattern that explodes on some line keeps that line. */
#define MATCH_STEPS_MAX 1000000u
#define HIDDEN          2u /* in event_output.partial */

struct hide {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static bool matches(struct hide *h, const char *text, size_t len)
{
    return pcre2_match(h->code, (PCRE2_SPTR)text, len, 0, 0, h->data, h->context) >= 0;
}

static int compile(struct hide *h, const char *pattern, struct err *err)
{
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR why[128];
    h->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code,
                            &at, NULL);
    if (!h->code) {
        pcre2_get_error_message(code, why, sizeof why);
        err_set(err, ERR_USAGE, "the pattern `%s` is not right at character %zu: %s", pattern,
                (size_t)at + 1, (char *)why);
        return err_hint(err, "it is a regular expression: put a backslash before . [ ( * + ? | ^ $ "
                             "that are meant as they stand");
    }
    h->data = pcre2_match_data_create_from_pattern(h->code, NULL);
    h->context = pcre2_match_context_create(NULL);
    ASSERT(h->data);
    ASSERT(h->context);
    pcre2_set_match_limit(h->context, MATCH_STEPS_MAX);
    if (matches(h, "", 0)) {
        err_set(err, ERR_USAGE, "the pattern `%s` matches the empty line, so it hides every line",
                pattern);
        return err_hint(err, "let it demand at least one character");
    }
    return 0;
}

struct hide *hide_create(const char *pattern, struct err *err)
{
    if (strlen(pattern) > HIDE_PATTERN_MAX) {
        err_set(err, ERR_USAGE, "the pattern has more than %u bytes", HIDE_PATTERN_MAX);
        return NULL;
    }
    struct hide *h = mem_zalloc(sizeof *h);
    if (compile(h, pattern, err)) {
        hide_destroy(h);
        return NULL;
    }
    return h;
}

void hide_destroy(struct hide *h)
{
    if (h) {
        pcre2_match_data_free(h->data);
        pcre2_match_context_free(h->context);
        pcre2_code_free(h->code);
        free(h);
    }
}

bool hide_can(const struct event *e)
{
    return e->type == EVENT_OUTPUT && e->length >= sizeof(struct event_output);
}

bool hide_matches(struct hide *h, const struct event *e)
{
    size_t head = sizeof(struct event_output);
    return h && hide_can(e) && matches(h, (const char *)e->payload + head, e->length - head);
}

void hide_record(const struct event *e, struct buf *out)
{
    struct event_output o;
    struct event head = *e;
    ASSERT(hide_can(e));
    memcpy(&o, e->payload, sizeof o);
    o.partial |= HIDDEN;
    head.length = sizeof o;
    head.size = (uint32_t)round_up_u64(sizeof head + sizeof o, 8);
    buf_reset(out);
    buf_append(out, &head, sizeof head);
    buf_append(out, &o, sizeof o);
    ASSERT(out->len == head.size);
}

bool hide_is_hidden(const struct event *e)
{
    struct event_output o;
    if (e->type != EVENT_OUTPUT || e->length != sizeof o) {
        return false;
    }
    memcpy(&o, e->payload, sizeof o);
    return o.partial & HIDDEN;
}
