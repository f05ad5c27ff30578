/* Event sets: a pipeline of verbs, `contains({output_text: "raft"}).not_matches({stream:
 * "error"})`, asked of one event after another. Served are the verbs that choose events: matches,
 * contains, not_matches, excludes, filter, union, intersect, difference, distinct_by_moment. Those
 * that make other events of them (map, fold, ...) or need neighbours are refused by name.
 *
 * An argument is an object: a key is a member of the event, a path "source.name", or a member of
 * its source; a nested object asks below. `contains` and `excludes` look for a part of the text,
 * without case; all members must hold, and an event that lacks the member is in no set. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "server/api/api_priv.h"
#include "server/api/lambda.h"

#define NESTING_MAX 20u
#define TEXT_MAX    (64u << 10)

enum verb {
    VERB_MATCHES,
    VERB_CONTAINS,
    VERB_NOT_MATCHES,
    VERB_EXCLUDES,
    VERB_FILTER,
    VERB_UNION,
    VERB_INTERSECT,
    VERB_DIFFERENCE,
    VERB_DISTINCT,
};

static const struct {
    const char *name;
    enum verb verb;
} verbs[] = {
    {"matches", VERB_MATCHES},
    {"contains", VERB_CONTAINS},
    {"not_matches", VERB_NOT_MATCHES},
    {"excludes", VERB_EXCLUDES},
    {"filter", VERB_FILTER},
    {"union", VERB_UNION},
    {"intersect", VERB_INTERSECT},
    {"difference", VERB_DIFFERENCE},
    {"distinct_by_moment", VERB_DISTINCT},
};

static const char *const refused[] = {"map", "flatmap", "fold", "narrow", "with_last", "with_next"};

struct step {
    enum verb verb;
    json_t *pattern;       /* owned; of the first four */
    struct event_set *set; /* owned; of the set operations */
    struct lambda *lambda; /* owned; of filter */
    char *moment;          /* owned; of distinct_by_moment: the last one that passed */
};

struct event_set {
    struct step *steps; /* owned */
    size_t count, cap;
};

void event_set_free(struct event_set *s)
{
    if (s) {
        for (size_t i = 0; i < s->count; i++) {
            json_decref(s->steps[i].pattern);
            event_set_free(s->steps[i].set);
            lambda_free(s->steps[i].lambda);
            free(s->steps[i].moment);
        }
        free(s->steps);
        free(s);
    }
}

/* --- reading ------------------------------------------------------------------------------------
 */

struct reader {
    const char *text, *at;
    unsigned depth;
    struct err *err;
};

static void skip_blank(struct reader *r)
{
    while (isspace((unsigned char)*r->at)) {
        r->at++;
    }
}

static int fail(struct reader *r, const char *expected)
{
    return err_set(r->err, ERR_USAGE, "at character %zu: expected %s",
                   (size_t)(r->at - r->text) + 1, expected);
}

static int take(struct reader *r, char c, const char *expected)
{
    skip_blank(r);
    if (*r->at != c) {
        return fail(r, expected);
    }
    r->at++;
    skip_blank(r);
    return 0;
}

static size_t word_length(const char *s)
{
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '$') {
        n++;
    }
    return n;
}

/* "...", '...' or `...` with backslashes. NULL after an error. */
static char *read_string(struct reader *r)
{
    static const char escapes[] = "n\nt\tr\rb\bf\f0\0";
    char quote = *r->at++;
    struct buf b = {0};
    while (*r->at && *r->at != quote) {
        char c = *r->at++;
        if (c == '\\' && *r->at) {
            c = *r->at++;
            for (size_t i = 0; i + 1 < sizeof escapes - 2; i += 2) {
                if (escapes[i] == c) {
                    c = escapes[i + 1];
                    break;
                }
            }
        }
        buf_putc(&b, c);
    }
    if (*r->at != quote) {
        buf_free(&b);
        fail(r, "the end of the text in quotes");
        return NULL;
    }
    r->at++;
    return buf_steal(&b);
}

static json_t *read_value(struct reader *r);

static int read_member(struct reader *r, json_t *object)
{
    cleanup_free char *key = NULL;
    skip_blank(r);
    if (*r->at && strchr("\"'`", *r->at)) {
        key = read_string(r);
    } else if (word_length(r->at)) {
        key = mem_strndup(r->at, word_length(r->at));
        r->at += strlen(key);
    } else {
        fail(r, "the name of a member");
    }
    if (!key || take(r, ':', "`:`")) {
        return -1;
    }
    json_t *value = read_value(r);
    return value ? json_object_set_new(object, key, value) : -1;
}

static json_t *read_object(struct reader *r)
{
    json_t *object = json_object();
    int bad = ++r->depth > NESTING_MAX ? fail(r, "less nesting") : take(r, '{', "`{`");
    bool more = !bad && *r->at != '}';
    while (more && !bad) {
        bad = read_member(r, object);
        skip_blank(r);
        more = !bad && *r->at == ',';
        r->at += more;
        skip_blank(r);
        more = more && *r->at != '}'; /* a comma may stand behind the last one, too */
    }
    bad = bad ? bad : take(r, '}', "`}`, or `,` and another member");
    r->depth--;
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *read_value(struct reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    skip_blank(r);
    if (*r->at == '{') {
        return read_object(r);
    }
    if (*r->at && strchr("\"'`", *r->at)) {
        cleanup_free char *text = read_string(r);
        json_t *v = text ? json_string(text) : NULL;
        if (text && !v) {
            fail(r, "text in UTF-8");
        }
        return v;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (word_length(r->at) == strlen(words[i]) &&
            strncmp(r->at, words[i], strlen(words[i])) == 0) {
            r->at += strlen(words[i]);
            return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
        }
    }
    char *end;
    double number = strtod(r->at, &end);
    if (end == r->at || !(number > -1e300 && number < 1e300)) {
        fail(r, "a text in quotes, a number, true, false, null or an object");
        return NULL;
    }
    r->at = end;
    return json_real(number);
}

static struct event_set *read_set(struct reader *r);

static int read_lambda(struct reader *r, struct step *s)
{
    const char *expected = NULL;
    s->lambda = lambda_parse(&r->at, &expected);
    return s->lambda ? 0 : fail(r, expected);
}

static int read_arguments(struct reader *r, struct step *s)
{
    if (take(r, '(', "`(`")) {
        return -1;
    }
    switch (s->verb) {
    case VERB_DISTINCT:
        return take(r, ')', "`)`");
    case VERB_FILTER:
        return read_lambda(r, s) ? -1 : take(r, ')', "`)`");
    case VERB_UNION:
    case VERB_INTERSECT:
    case VERB_DIFFERENCE:
        s->set = read_set(r);
        break;
    default:
        s->pattern = read_object(r);
        break;
    }
    return s->set || s->pattern ? take(r, ')', "`)`") : -1;
}

static int unknown_verb(struct reader *r, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (strlen(refused[i]) == len && strncmp(refused[i], r->at, len) == 0) {
            err_set(r->err, ERR_USAGE, "the verb `%s` is not served here", refused[i]);
            return err_hint(r->err,
                            "use matches, contains, not_matches, excludes, filter, "
                            "union, intersect, difference or distinct_by_moment, or a "
                            "query such as: text contains \"timeout\" preceded by fault is kill");
        }
    }
    return fail(r, "a verb such as matches or contains");
}

static int read_step(struct reader *r, struct event_set *s)
{
    skip_blank(r);
    size_t len = word_length(r->at);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strlen(verbs[i].name) == len && strncmp(verbs[i].name, r->at, len) == 0) {
            struct step *step = ARRAY_PUSH(s->steps, s->count, s->cap);
            step->verb = verbs[i].verb;
            r->at += len;
            return read_arguments(r, step);
        }
    }
    return unknown_verb(r, len);
}

static struct event_set *read_set(struct reader *r)
{
    struct event_set *s = mem_zalloc(sizeof *s);
    int bad = ++r->depth > NESTING_MAX ? fail(r, "less nesting") : read_step(r, s);
    while (!bad && *r->at == '.') {
        r->at++;
        bad = read_step(r, s);
    }
    r->depth--;
    if (bad) {
        event_set_free(s);
        return NULL;
    }
    return s;
}

struct event_set *event_set_parse(const char *text, struct err *err)
{
    struct reader r = {.text = text, .at = text, .err = err};
    if (strlen(text) > TEXT_MAX) {
        err_set(err, ERR_USAGE, "longer than %u bytes", TEXT_MAX);
        return NULL;
    }
    struct event_set *s = read_set(&r);
    if (s && *r.at) {
        fail(&r, "`.` and another verb, or the end");
        event_set_free(s);
        return NULL;
    }
    return s;
}

bool event_set_is(const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t n = word_length(text);
    return n && text[n + strspn(text + n, " \t\r\n")] == '(';
}

/* --- asking -------------------------------------------------------------------------------------
 */

static const json_t *member(const json_t *object, const char *key)
{
    const json_t *direct = json_object_get(object, key);
    const char *dot = strchr(key, '.');
    if (direct || !dot) {
        return direct;
    }
    cleanup_free char *head = mem_strndup(key, (size_t)(dot - key));
    return member(json_object_get(object, head), dot + 1);
}

static bool text_of(const json_t *v, struct buf *b)
{
    if (json_is_string(v)) {
        buf_puts(b, json_string_value(v));
        return true;
    }
    api_put_json(b, v);
    return v != NULL;
}

static bool equal(const json_t *want, const json_t *have)
{
    if (json_is_number(want) && json_is_number(have)) {
        return json_number_value(want) == json_number_value(have);
    }
    if (json_is_number(want) && json_is_string(have)) {
        char *end;
        double n = strtod(json_string_value(have), &end);
        return end != json_string_value(have) && !*end && n == json_number_value(want);
    }
    return json_equal(want, have);
}

static bool holds(const json_t *want, const json_t *have, bool is_part)
{
    if (!is_part) {
        return equal(want, have);
    }
    cleanup_buf struct buf a = {0}, b = {0};
    return text_of(want, &a) && text_of(have, &b) &&
           strcasestr(b.data ? b.data : "", a.data ? a.data : "") != NULL;
}

/* 1 all members hold, 0 one does not, -1 one is missing. */
static int ask_object(const json_t *pattern, const json_t *event, const json_t *source,
                      bool is_part)
{
    const char *key;
    json_t *want;
    int all = 1;
    json_object_foreach((json_t *)(uintptr_t)pattern, key, want)
    {
        const json_t *have = member(event, key);
        have = have ? have : member(source, key);
        int one = !have                  ? -1
                  : json_is_object(want) ? ask_object(want, have, NULL, is_part)
                                         : holds(want, have, is_part);
        all = one < all ? one : all;
    }
    return all;
}

/* Events of one moment follow each other. */
static bool is_new_moment(struct step *s, const json_t *event)
{
    struct buf b = {0};
    api_put_json(&b, json_object_get(event, "moment"));
    bool fresh = !s->moment || strcmp(s->moment, b.data) != 0;
    free(s->moment);
    s->moment = buf_steal(&b);
    return fresh;
}

static bool ask_step(struct step *s, const json_t *event, bool in)
{
    const json_t *source = json_object_get(event, "source");
    switch (s->verb) {
    case VERB_MATCHES:
        return in && ask_object(s->pattern, event, source, false) == 1;
    case VERB_CONTAINS:
        return in && ask_object(s->pattern, event, source, true) == 1;
    case VERB_NOT_MATCHES:
        return in && ask_object(s->pattern, event, source, false) == 0;
    case VERB_EXCLUDES:
        return in && ask_object(s->pattern, event, source, true) == 0;
    case VERB_FILTER:
        return in && lambda_holds(s->lambda, event);
    case VERB_UNION:
        return event_set_has(s->set, event) || in;
    case VERB_INTERSECT:
        return event_set_has(s->set, event) && in;
    case VERB_DIFFERENCE:
        return !event_set_has(s->set, event) && in;
    case VERB_DISTINCT:
        return in && is_new_moment(s, event);
    }
    return false;
}

bool event_set_has(struct event_set *s, const json_t *event)
{
    bool in = true;
    for (size_t i = 0; i < s->count; i++) {
        in = ask_step(&s->steps[i], event, in);
    }
    return in;
}

void event_set_begin(struct event_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->steps[i].moment);
        s->steps[i].moment = NULL;
        if (s->steps[i].set) {
            event_set_begin(s->steps[i].set);
        }
    }
}
