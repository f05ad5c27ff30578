/* Loading: what all archive formats have in common. */
#include "image/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/data_file.h"
#include "image/index_write.h"
#include "image/layer.h"
#include "image/load_priv.h"
#include "image/record.h"
#include "image/refs.h"

void image_load_result_fini(struct image_load_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        image_strings_fini(&result->images[i].refs);
    }
    free(result->images);
    *result = (struct image_load_result){0};
}

void load_plan_fini(struct load_plan *plan)
{
    buf_free(&plan->config);
    buf_free(&plan->manifest);
    buf_free(&plan->list);
    for (size_t i = 0; i < plan->layer_count; i++) {
        free(plan->layers[i].member);
    }
    free(plan->layers);
    *plan = (struct load_plan){0};
}

json_t *load_json(struct load *load, const char *member, struct buf *text, struct err *err)
{
    if (source_read(load->src, member, text, err) < 0) {
        return NULL;
    }
    json_error_t why;
    json_t *root = json_loadb(text->data ? text->data : "", text->len, 0, &why);
    if (!root) {
        err_set(err, ERR_USAGE, "%s is not valid JSON: %s (line %d)", member, why.text, why.line);
    }
    return root;
}

/* An image in the making. */
struct packing {
    struct load *load;
    const struct load_plan *plan;
    struct image_config config;
    struct image_record record;
    struct tree tree;
    struct pack_data *data;
};

static int verify(const struct packing *p, size_t i, const struct layer *layer, struct err *err)
{
    const char *promised = p->plan->layers[i].digest;
    const char *diff = digest_parse(p->config.diff_ids.items[i]);
    if (promised[0] && strcmp(promised, layer->blob) != 0) {
        err_set(err, ERR_USAGE, "has digest sha256:%s, but the manifest says sha256:%s",
                layer->blob, promised);
        return err_hint(err, "the archive is damaged; save it again");
    }
    if (!diff || strcmp(diff, layer->diff) != 0) {
        err_set(err, ERR_USAGE, "unpacks to sha256:%s, but the image config says %s", layer->diff,
                p->config.diff_ids.items[i]);
        return err_hint(err, "the archive is damaged; save it again");
    }
    return 0;
}

static int pack_layer_into(struct packing *p, size_t i, struct store_tmp *tmp, struct err *err)
{
    struct load *load = p->load;
    struct layer layer = {0};
    struct data_file data;
    struct source_stream *st = source_stream_open(load->src, p->plan->layers[i].member, err);
    if (!st) {
        return -1;
    }
    data_file_init(&data, tmp->fd, load->limits.bytes_max);
    int r = layer_read(&layer, st, &data, (uint32_t)i, &load->limits, err);
    source_stream_close(st);
    r = r < 0 ? r : verify(p, i, &layer, err);
    r = r < 0 ? r : layer_apply(&layer, &p->tree, err);
    r = r < 0 ? r : data_file_seal(&data, &p->data[i], err);
    if (r == 0) {
        struct image_layer_record *rec = &p->record.layers[i];
        memcpy(rec->diff_id, layer.diff, DIGEST_HEX);
        memcpy(rec->digest, layer.blob, DIGEST_HEX);
        digest_hex(p->data[i].sha256, rec->data);
        rec->size = layer.blob_len;
        p->record.data_len += p->data[i].pages * PACK_PAGE;
    }
    data_file_fini(&data);
    layer_fini(&layer);
    return r;
}

static int pack_layer(struct packing *p, size_t i, struct err *err)
{
    struct store_tmp tmp;
    if (store_tmp_init(&tmp, p->load->store, err) < 0) {
        return -1;
    }
    if (pack_layer_into(p, i, &tmp, err) < 0) {
        store_tmp_fini(&tmp);
        return err_wrap(err, "layer %zu of %zu (%s)", i + 1, p->plan->layer_count,
                        p->plan->layers[i].member);
    }
    char path[DATA_PATH_LEN];
    data_file_path(p->data[i].sha256, path);
    return store_tmp_commit(&tmp, path, err);
}

static int check_platform(const struct image_config *c, struct err *err)
{
    if (strcmp(c->os, "linux") != 0 || strcmp(c->architecture, "amd64") != 0) {
        err_set(err, ERR_USAGE, "the image is for %s/%s; universes run linux/amd64",
                c->os[0] ? c->os : "?", c->architecture[0] ? c->architecture : "?");
        return err_hint(err, "build or pull it with --platform linux/amd64");
    }
    return 0;
}

static int check_plan(const struct packing *p, struct err *err)
{
    size_t layers = p->plan->layer_count;
    if (check_platform(&p->config, err) < 0) {
        return -1;
    }
    if (layers != p->config.diff_ids.count) {
        return err_set(err, ERR_USAGE, "the manifest has %zu layers, the image config %zu", layers,
                       p->config.diff_ids.count);
    }
    if (layers > p->load->limits.layers_max) {
        return err_set(err, ERR_USAGE, "%zu layers; at most %u are allowed", layers,
                       p->load->limits.layers_max);
    }
    return 0;
}

static int put_blobs(const struct packing *p, struct err *err)
{
    const struct buf *all[] = {&p->plan->config, &p->plan->manifest, &p->plan->list};
    char hex[DIGEST_HEX];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->len &&
            store_put_blob(p->load->store, all[i]->data, all[i]->len, hex, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int pack_image(struct packing *p, struct err *err)
{
    char path[INDEX_PATH_LEN];
    cleanup_buf struct buf index = {0};
    if (check_plan(p, err) < 0) {
        return -1;
    }
    p->record.layer_count = p->plan->layer_count;
    p->record.layers = mem_zalloc(p->record.layer_count * sizeof *p->record.layers);
    p->data = mem_zalloc(p->record.layer_count * sizeof *p->data);
    for (size_t i = 0; i < p->record.layer_count; i++) {
        if (pack_layer(p, i, err) < 0) {
            return -1;
        }
    }
    image_index_path(p->record.id, path);
    if (index_write(&p->tree, p->data, p->record.layer_count, &index, err) < 0 ||
        put_blobs(p, err) < 0 ||
        store_write_file(p->load->store, path, index.data, index.len, err) < 0) {
        return -1;
    }
    return image_record_write(p->load->store, &p->record, err);
}

/* Whether the image and all its files are here already, packed by this version. */
static int is_stored(struct packing *p, struct err *err)
{
    struct image_record old;
    char path[INDEX_PATH_LEN];
    int found = image_record_read(p->load->store, p->record.id, &old, err);
    if (found <= 0) {
        return found;
    }
    image_index_path(old.id, path);
    bool whole = store_has_file(p->load->store, path, NULL);
    for (size_t i = 0; i < old.layer_count; i++) {
        char data[DATA_PATH_LEN];
        snprintf(data, sizeof data, "data/%s.data", old.layers[i].data);
        whole = whole && store_has_file(p->load->store, data, NULL);
    }
    if (whole && p->plan->manifest.len &&
        (strcmp(old.manifest, p->record.manifest) != 0 || strcmp(old.list, p->record.list) != 0)) {
        /* The same image under another manifest (compressed anew, say): the latest one counts. */
        memcpy(old.manifest, p->record.manifest, DIGEST_HEX);
        memcpy(old.list, p->record.list, DIGEST_HEX);
        whole = put_blobs(p, err) == 0 && image_record_write(p->load->store, &old, err) == 0;
        found = whole ? found : -1;
    }
    image_record_fini(&old);
    return found < 0 ? -1 : whole;
}

static void buf_digest(const struct buf *b, char hex[DIGEST_HEX])
{
    uint8_t sum[DIGEST_LEN];
    if (b->len) {
        digest_bytes(b->data, b->len, sum);
        digest_hex(sum, hex);
    }
}

static struct image_loaded *find_loaded(struct load *load, const char *id)
{
    for (size_t i = 0; i < load->result->count; i++) {
        if (strcmp(load->result->images[i].id, id) == 0) {
            return &load->result->images[i];
        }
    }
    return NULL;
}

struct image_loaded *load_plan_run(struct load *load, const struct load_plan *plan, struct err *err)
{
    struct packing p = {.load = load, .plan = plan};
    const char *json = plan->config.data ? plan->config.data : "";
    buf_digest(&plan->config, p.record.id);
    buf_digest(&plan->manifest, p.record.manifest);
    buf_digest(&plan->list, p.record.list);
    if (image_config_init(&p.config, json, plan->config.len, err) < 0) {
        return NULL;
    }
    tree_init(&p.tree);
    int r = is_stored(&p, err);
    r = r == 0 ? pack_image(&p, err) : r;
    tree_fini(&p.tree);
    free(p.data);
    image_config_fini(&p.config);
    struct image_loaded *out = r < 0 ? NULL : find_loaded(load, p.record.id);
    if (r >= 0 && !out) {
        out = ARRAY_PUSH(load->result->images, load->result->count, load->result->cap);
        memcpy(out->id, p.record.id, DIGEST_HEX);
    }
    image_record_fini(&p.record);
    return out;
}

int load_name(struct load *load, struct image_loaded *image, const char *text, struct err *err)
{
    struct image_ref ref;
    if (image_ref_init(&ref, text, err) < 0) {
        return -1;
    }
    int r = image_name_set(load->store, ref.normal, image->id, err);
    bool known = false;
    for (size_t i = 0; i < image->refs.count; i++) {
        known = known || strcmp(image->refs.items[i], ref.normal) == 0;
    }
    if (r == 0 && !known) {
        image_strings_add(&image->refs, ref.normal, strlen(ref.normal));
    }
    image_ref_fini(&ref);
    return r;
}

static int load_source(struct load *load, struct err *err)
{
    bool oci = source_has(load->src, "index.json") && source_has(load->src, "oci-layout");
    bool docker = source_has(load->src, "manifest.json");
    if (oci) {
        return load_oci(load, err) < 0 ? -1 : docker ? load_docker_names(load, err) : 0;
    }
    if (docker) {
        return load_docker(load, err);
    }
    err_set(err, ERR_USAGE, "no image inside: neither manifest.json nor index.json is there");
    return err_hint(err,
                    "give the output of `docker save` (not `docker export`), an OCI archive or "
                    "an OCI layout directory");
}

int image_load(struct image_store *store, const char *path, const struct image_limits *limits,
               struct image_load_result *result, struct err *err)
{
    struct load load = {.store = store, .result = result};
    *result = (struct image_load_result){0};
    load.limits = limits ? *limits : image_limits_default();
    cleanup_close int lock = image_store_lock(store, IMAGE_STORE_SHARED, err);
    if (lock < 0) {
        return -1;
    }
    load.src = source_open(strcmp(path, "-") == 0 ? "/dev/stdin" : path, store, &load.limits, err);
    if (!load.src) {
        return -1;
    }
    int r = load_source(&load, err);
    source_close(load.src);
    if (r < 0) {
        image_load_result_fini(result);
        return err_wrap(err, "%s", path);
    }
    return 0;
}
