#include "image/config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void image_strings_add(struct image_strings *s, const char *item, size_t len)
{
    *ARRAY_PUSH(s->items, s->count, s->cap) = mem_strndup(item, len);
}

void image_strings_fini(struct image_strings *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i]);
    }
    free(s->items);
    *s = (struct image_strings){0};
}

static int wrong(struct err *err, const char *field, const char *want)
{
    return err_set(err, ERR_USAGE, "image config: %s must be %s", field, want);
}

static int read_strings(const json_t *obj, const char *field, struct image_strings *out,
                        struct err *err)
{
    json_t *list = json_object_get(obj, field), *item;
    size_t i;
    if (!list || json_is_null(list)) {
        return 0;
    }
    if (!json_is_array(list)) {
        return wrong(err, field, "a list of strings");
    }
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item)) {
            return wrong(err, field, "a list of strings");
        }
        image_strings_add(out, json_string_value(item), json_string_length(item));
    }
    return 0;
}

static int read_string(const json_t *obj, const char *field, const char *missing, char **out,
                       struct err *err)
{
    json_t *v = json_object_get(obj, field);
    if (v && !json_is_null(v) && !json_is_string(v)) {
        return wrong(err, field, "a string");
    }
    const char *s = json_is_string(v) ? json_string_value(v) : "";
    *out = mem_strdup(*s ? s : missing);
    return 0;
}

static int compare_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Objects used as sets: {"/data": {}}. */
static int read_keys(const json_t *obj, const char *field, struct image_strings *out,
                     struct err *err)
{
    json_t *set = json_object_get(obj, field), *value;
    const char *key;
    if (!set || json_is_null(set)) {
        return 0;
    }
    if (!json_is_object(set)) {
        return wrong(err, field, "an object");
    }
    json_object_foreach(set, key, value)
    {
        image_strings_add(out, key, strlen(key));
    }
    if (out->count) {
        qsort(out->items, out->count, sizeof *out->items, compare_string);
    }
    return 0;
}

static int compare_label(const void *a, const void *b)
{
    return strcmp(((const struct image_label *)a)->key, ((const struct image_label *)b)->key);
}

static int read_labels(const json_t *obj, struct image_config *c, struct err *err)
{
    json_t *set = json_object_get(obj, "Labels"), *value;
    const char *key;
    if (!set || json_is_null(set)) {
        return 0;
    }
    if (!json_is_object(set)) {
        return wrong(err, "Labels", "an object of strings");
    }
    json_object_foreach(set, key, value)
    {
        if (!json_is_string(value)) {
            return wrong(err, "Labels", "an object of strings");
        }
        struct image_label *l = ARRAY_PUSH(c->labels, c->label_count, c->label_cap);
        l->key = mem_strdup(key);
        l->value = mem_strdup(json_string_value(value));
    }
    if (c->label_count) {
        qsort(c->labels, c->label_count, sizeof *c->labels, compare_label);
    }
    return 0;
}

static int read_healthcheck(const json_t *obj, struct image_healthcheck *h, struct err *err)
{
    json_t *hc = json_object_get(obj, "Healthcheck");
    const struct {
        const char *field;
        int64_t *out;
    } numbers[] = {{"Interval", &h->interval_ns},
                   {"Timeout", &h->timeout_ns},
                   {"StartPeriod", &h->start_period_ns},
                   {"StartInterval", &h->start_interval_ns},
                   {"Retries", &h->retries}};
    if (!hc || json_is_null(hc)) {
        return 0;
    }
    if (!json_is_object(hc)) {
        return wrong(err, "Healthcheck", "an object");
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_t *v = json_object_get(hc, numbers[i].field);
        if (v && (!json_is_integer(v) || json_integer_value(v) < 0)) {
            return wrong(err, numbers[i].field, "a whole number, not negative");
        }
        *numbers[i].out = v ? json_integer_value(v) : 0;
    }
    return read_strings(hc, "Test", &h->test, err);
}

static int read_all(struct image_config *c, const json_t *root, struct err *err)
{
    const json_t *run = json_object_get(root, "config");
    const json_t *rootfs = json_object_get(root, "rootfs");
    if (run && !json_is_null(run) && !json_is_object(run)) {
        return wrong(err, "config", "an object");
    }
    if (read_string(root, "architecture", "", &c->architecture, err) < 0 ||
        read_string(root, "os", "", &c->os, err) < 0 ||
        read_string(root, "created", "", &c->created, err) < 0 ||
        read_strings(rootfs, "diff_ids", &c->diff_ids, err) < 0 ||
        read_strings(run, "Entrypoint", &c->entrypoint, err) < 0 ||
        read_strings(run, "Cmd", &c->cmd, err) < 0 || read_strings(run, "Env", &c->env, err) < 0 ||
        read_string(run, "WorkingDir", "/", &c->workdir, err) < 0 ||
        read_string(run, "User", "", &c->user, err) < 0 ||
        read_string(run, "StopSignal", "SIGTERM", &c->stop_signal, err) < 0 ||
        read_keys(run, "Volumes", &c->volumes, err) < 0 ||
        read_keys(run, "ExposedPorts", &c->ports, err) < 0 || read_labels(run, c, err) < 0) {
        return -1;
    }
    return read_healthcheck(run, &c->healthcheck, err);
}

int image_config_init(struct image_config *config, const char *json, size_t len, struct err *err)
{
    *config = (struct image_config){0};
    json_error_t why;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        return err_set(err, ERR_USAGE, "image config: %s (line %d)", why.text, why.line);
    }
    int r = json_is_object(root) ? read_all(config, root, err)
                                 : wrong(err, "the document", "an object");
    json_decref(root);
    if (r < 0) {
        image_config_fini(config);
    }
    return r;
}

void image_config_fini(struct image_config *c)
{
    image_strings_fini(&c->entrypoint);
    image_strings_fini(&c->cmd);
    image_strings_fini(&c->env);
    image_strings_fini(&c->volumes);
    image_strings_fini(&c->ports);
    image_strings_fini(&c->healthcheck.test);
    image_strings_fini(&c->diff_ids);
    for (size_t i = 0; i < c->label_count; i++) {
        free(c->labels[i].key);
        free(c->labels[i].value);
    }
    free(c->labels);
    free(c->workdir);
    free(c->user);
    free(c->stop_signal);
    free(c->architecture);
    free(c->os);
    free(c->created);
    *c = (struct image_config){0};
}
