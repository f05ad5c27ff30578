#include "server/queue/params.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/ref.h"
#include "store/hide.h"

#define VALUE_MAX          (64u << 10)
#define NAME_MAX_BYTES     200u
#define PARAMS_MAX         500u
#define DEFAULT_DURATION_S (30.0 * 60)
#define INTEGRATIONS       "antithesis.integrations."
#define HIDDEN_VALUE       "[not shown]"

const char *param_text(const json_t *params, const char *name)
{
    const char *s = json_string_value(json_object_get(params, name));
    return s && *s ? s : NULL;
}

/* 1 true, 0 false, -1 neither. */
static int truth(const char *s)
{
    static const char *const words[][4] = {{"false", "0", "no", "off"}, {"true", "1", "yes", "on"}};
    for (int value = 0; s && value < 2; value++) {
        for (size_t i = 0; i < 4; i++) {
            if (strcasecmp(s, words[value][i]) == 0) {
                return value;
            }
        }
    }
    return -1;
}

bool param_bool(const json_t *params, const char *name, bool otherwise)
{
    int value = truth(param_text(params, name));
    return value < 0 ? otherwise : value;
}

int param_each_word(const char *list, const char *separators, param_word_fn *fn, void *ctx,
                    struct err *err)
{
    while (list && *list) {
        size_t len = strcspn(list, separators), lead = strspn(list, " \t\r\n");
        lead = lead < len ? lead : len;
        size_t end = len;
        while (end > lead && isspace((unsigned char)list[end - 1])) {
            end--;
        }
        cleanup_free char *word = mem_strndup(list + lead, end - lead);
        if (*word) {
            int r = fn(ctx, word, err);
            if (r) {
                return r;
            }
        }
        list += len + (list[len] != 0);
    }
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static json_t *as_text(const json_t *v)
{
    char number[40];
    switch (json_typeof(v)) {
    case JSON_STRING:
        return json_string(json_string_value(v));
    case JSON_TRUE:
        return json_string("true");
    case JSON_FALSE:
        return json_string("false");
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return json_string(number);
    case JSON_REAL:
        snprintf(number, sizeof number, "%.15g", json_real_value(v));
        return json_string(number);
    default:
        break;
    }
    char *dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    json_t *text = json_string(dump ? dump : "");
    free(dump);
    return text;
}

static bool is_secret(const char *name)
{
    const char *dot = strrchr(name, '.');
    return strncmp(name, INTEGRATIONS, strlen(INTEGRATIONS)) == 0 && dot &&
           (strcmp(dot, ".token") == 0 || strcmp(dot, ".callback_url") == 0);
}

static int take(struct launch_params *p, const char *name, const json_t *value, struct err *err)
{
    if (!*name || strlen(name) > NAME_MAX_BYTES) {
        return err_set(err, ERR_USAGE, "a parameter's name has from 1 to %u bytes", NAME_MAX_BYTES);
    }
    if (json_is_null(value)) {
        return 0;
    }
    json_t *text = as_text(value);
    if (!text || json_string_length(text) > VALUE_MAX ||
        strlen(json_string_value(text)) != json_string_length(text)) {
        json_decref(text);
        return err_set(err, ERR_USAGE, "%s: longer than %u bytes, or with a NUL in it", name,
                       VALUE_MAX);
    }
    if (is_secret(name)) {
        json_object_set_new(p->secrets, name, text);
        text = json_string(HIDDEN_VALUE);
    }
    json_object_set_new(p->shown, name, text);
    return 0;
}

static int check_image(void *ctx, const char *word, struct err *err)
{
    struct image_ref ref;
    if (image_ref_init(&ref, word, err)) {
        return err_wrap(err, "%s", (const char *)ctx);
    }
    image_ref_fini(&ref);
    return 0;
}

static int check_images(const struct launch_params *p, struct err *err)
{
    char config[] = PARAM_CONFIG_IMAGE, images[] = PARAM_IMAGES;
    const char *one = param_text(p->shown, config), *list = param_text(p->shown, images);
    if (!one) {
        err_set(err, ERR_USAGE, "%s is missing", config);
        return err_hint(err, "give the image that holds /docker-compose.yaml, for example "
                             "\"etcd-config:v2\"");
    }
    if (list && strchr(list, ',')) {
        err_set(err, ERR_USAGE, "%s: images are separated by semicolons, not commas", images);
        return -1;
    }
    return check_image(config, one, err) || param_each_word(list, ";", check_image, images, err)
               ? -1
               : 0;
}

/* ^[0-9]+(\.[0-9]+)?$ minutes. */
static int check_duration(struct launch_params *p, uint64_t max_minutes, struct err *err)
{
    static const char name[] = "antithesis.duration";
    const char *text = param_text(p->shown, name);
    p->duration_s = DEFAULT_DURATION_S;
    if (!text) {
        return 0;
    }
    size_t whole = strspn(text, "0123456789");
    const char *rest = text + whole;
    size_t part = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
    if (!whole || (*rest && (!part || rest[1 + part]))) {
        err_set(err, ERR_USAGE, "%s: `%s` is not a number of minutes", name, text);
        return err_hint(err, "write for example \"30\" or \"0.5\"");
    }
    double minutes = strtod(text, NULL);
    p->duration_s = minutes < 1e9 ? (double)(int64_t)(minutes * 60 + 0.5) : minutes * 60;
    if (!(p->duration_s >= 1)) {
        return err_set(err, ERR_USAGE, "%s: %s minutes test nothing", name, text);
    }
    if (minutes > (double)max_minutes) {
        err_set(err, ERR_USAGE, "%s: %s minutes are more than this server allows (%llu)", name,
                text, (unsigned long long)max_minutes);
        return err_hint(err, "ask its administrator to raise duration_max_minutes");
    }
    return 0;
}

static int check_rest(struct launch_params *p, struct err *err)
{
    static const char ephemeral[] = "antithesis.is_ephemeral";
    const char *text = param_text(p->shown, ephemeral);
    if (text && truth(text) < 0) {
        return err_set(err, ERR_USAGE, "%s: `%s` is neither \"true\" nor \"false\"", ephemeral,
                       text);
    }
    p->is_ephemeral = param_bool(p->shown, ephemeral, false);
    const char *filter = param_text(p->shown, PARAM_FILTER);
    struct hide *h = filter ? hide_create(filter, err) : NULL;
    if (filter && !h) {
        return err_wrap(err, PARAM_FILTER);
    }
    hide_destroy(h);
    return 0;
}

int launch_params_read(struct launch_params *p, const json_t *in, uint64_t duration_max_minutes,
                       struct err *err)
{
    *p = (struct launch_params){.shown = json_object(), .secrets = json_object()};
    const char *name;
    json_t *value;
    if (!json_is_object(in)) {
        return err_set(err, ERR_USAGE, "`params` is no JSON object of parameters");
    }
    if (json_object_size(in) > PARAMS_MAX) {
        return err_set(err, ERR_USAGE, "more than %u parameters", PARAMS_MAX);
    }
    json_object_foreach((json_t *)(uintptr_t)in, name, value)
    {
        if (take(p, name, value, err)) {
            return -1;
        }
    }
    return check_images(p, err) || check_duration(p, duration_max_minutes, err) ||
                   check_rest(p, err)
               ? -1
               : 0;
}

void launch_params_fini(struct launch_params *p)
{
    json_decref(p->shown);
    json_decref(p->secrets);
    *p = (struct launch_params){0};
}

/* --- what follows from them ------------------------------------------------------------------- */

void param_run_name(const json_t *params, struct buf *out)
{
    const char *name = param_text(params, "antithesis.test_name");
    const char *image = param_text(params, PARAM_CONFIG_IMAGE);
    cleanup_err struct err ignored = {0};
    struct image_ref ref;
    if (name || !image || image_ref_init(&ref, image, &ignored)) {
        buf_puts(out, name ? name : "run");
        return;
    }
    buf_puts(out, image_ref_last_part(&ref));
    image_ref_fini(&ref);
}

static int add_name(void *ctx, const char *word, struct err *err)
{
    (void)err;
    json_array_append_new(ctx, json_string(word));
    return 0;
}

static void exclude(json_t *doc, const char *fault, const char *list)
{
    cleanup_err struct err ignored = {0};
    json_t *all = json_object_get(doc, "exclude");
    json_t *names = json_object_get(all, fault);
    if (!names) {
        names = json_array();
        json_object_set_new(all, fault, names);
    }
    int r = param_each_word(list, ",;", add_name, names, &ignored);
    (void)r; /* add_name never fails */
}

void param_faults(const json_t *params, struct buf *out)
{
    static const struct {
        const char *name;
        const char *faults[3];
    } exclusions[] = {
        {"custom.network_fault_exclusion", {"network"}},
        {"custom.container_faults_kill_exclusion", {"kill"}},
        {"custom.container_faults_pause_exclusion", {"pause"}},
        {"custom.container_faults_stop_exclusion", {"stop"}},
        {"custom.container_faults_exclusion", {"kill", "pause", "stop"}},
    };
    static const struct {
        const char *name;
        const char *faults[4];
    } switches[] = {
        {"custom.faults_enabled", {"partition", "clog", "pause", "kill"}},
        {"custom.container_faults_enable", {"pause", "kill"}},
    };
    json_t *doc = json_pack("{s:{}}", "exclude");
    for (size_t i = 0; i < ARRAY_LEN(exclusions); i++) {
        const char *list = param_text(params, exclusions[i].name);
        for (size_t k = 0; list && k < 3 && exclusions[i].faults[k]; k++) {
            exclude(doc, exclusions[i].faults[k], list);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        for (size_t k = 0; k < 4 && switches[i].faults[k]; k++) {
            if (!param_bool(params, switches[i].name, true)) {
                json_object_set_new(doc, switches[i].faults[k], json_string("off"));
            }
        }
    }
    if (json_object_size(json_object_get(doc, "exclude")) == 0) {
        json_object_del(doc, "exclude");
    }
    char *text = json_object_size(doc) ? json_dumps(doc, JSON_COMPACT) : NULL;
    buf_puts(out, text ? text : "");
    free(text);
    json_decref(doc);
}
