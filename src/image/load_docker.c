/* docker-archive: manifest.json lists images, their config and their layers by member name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/load_priv.h"

static int malformed(struct err *err)
{
    return err_set(err, ERR_USAGE, "manifest.json is not what `docker save` writes");
}

/* Archives name the config after its digest; an archive that was damaged shows here. */
static int check_config_name(const char *member, const struct buf *config, struct err *err)
{
    const char *slash = strrchr(member, '/');
    const char *name = slash ? slash + 1 : member;
    uint8_t sum[DIGEST_LEN];
    char hex[DIGEST_HEX];
    size_t len = strcspn(name, ".");
    char *stem = mem_strndup(name, len);
    bool named = digest_is_hex(stem);
    digest_bytes(config->data, config->len, sum);
    digest_hex(sum, hex);
    bool same = strcmp(stem, hex) == 0;
    free(stem);
    if (named && !same) {
        return err_set(err, ERR_USAGE, "config %s has digest sha256:%s", member, hex);
    }
    return 0;
}

static int read_plan(struct load *load, const json_t *entry, struct load_plan *plan,
                     struct err *err)
{
    const char *config = json_string_value(json_object_get(entry, "Config"));
    json_t *layers = json_object_get(entry, "Layers"), *layer;
    size_t i;
    if (!config || (layers && !json_is_array(layers) && !json_is_null(layers))) {
        return malformed(err);
    }
    if (source_read(load->src, config, &plan->config, err) < 0 ||
        check_config_name(config, &plan->config, err) < 0) {
        return -1;
    }
    json_array_foreach(layers, i, layer)
    {
        if (!json_is_string(layer)) {
            return malformed(err);
        }
        struct load_layer *l = ARRAY_PUSH(plan->layers, plan->layer_count, plan->layer_cap);
        l->member = mem_strdup(json_string_value(layer));
    }
    return 0;
}

static int add_names(struct load *load, const json_t *entry, struct image_loaded *image,
                     struct err *err)
{
    json_t *tags = json_object_get(entry, "RepoTags"), *tag;
    size_t i;
    json_array_foreach(tags, i, tag)
    {
        if (!json_is_string(tag)) {
            return malformed(err);
        }
        if (load_name(load, image, json_string_value(tag), err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int load_entry(struct load *load, const json_t *entry, struct err *err)
{
    struct load_plan plan = {0};
    int r = read_plan(load, entry, &plan, err);
    struct image_loaded *image = r < 0 ? NULL : load_plan_run(load, &plan, err);
    load_plan_fini(&plan);
    if (!image) {
        const json_t *tag = json_array_get(json_object_get(entry, "RepoTags"), 0);
        return json_is_string(tag) ? err_wrap(err, "%s", json_string_value(tag)) : -1;
    }
    return add_names(load, entry, image, err);
}

int load_docker(struct load *load, struct err *err)
{
    struct buf text = {0};
    json_t *root = load_json(load, "manifest.json", &text, err), *entry;
    size_t i;
    buf_free(&text);
    if (!root) {
        return -1;
    }
    int r = json_is_array(root) && json_array_size(root) ? 0 : malformed(err);
    if (r == 0) {
        json_array_foreach(root, i, entry)
        {
            r = r < 0 ? r : load_entry(load, entry, err);
        }
    }
    json_decref(root);
    return r;
}

static int name_entry(struct load *load, const json_t *entry, struct err *err)
{
    const char *config = json_string_value(json_object_get(entry, "Config"));
    struct buf bytes = {0};
    if (!config || !source_has(load->src, config)) {
        return 0; /* an image of another platform, left out of the archive */
    }
    int r = source_read(load->src, config, &bytes, err);
    char hex[DIGEST_HEX];
    uint8_t sum[DIGEST_LEN];
    digest_bytes(bytes.data, bytes.len, sum);
    digest_hex(sum, hex);
    buf_free(&bytes);
    for (size_t i = 0; r == 0 && i < load->result->count; i++) {
        if (strcmp(load->result->images[i].id, hex) == 0) {
            return add_names(load, entry, &load->result->images[i], err);
        }
    }
    return r;
}

int load_docker_names(struct load *load, struct err *err)
{
    struct buf text = {0};
    json_t *root = load_json(load, "manifest.json", &text, err), *entry;
    size_t i;
    buf_free(&text);
    if (!root) {
        return -1;
    }
    int r = json_is_array(root) ? 0 : malformed(err);
    if (r == 0) {
        json_array_foreach(root, i, entry)
        {
            r = r < 0 ? r : name_entry(load, entry, err);
        }
    }
    json_decref(root);
    return r;
}
