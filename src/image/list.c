#include "image/list.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/refs.h"

static void info_fini(struct image_info *info)
{
    image_record_fini(&info->record);
    image_strings_fini(&info->refs);
    free(info->created);
}

void image_infos_fini(struct image_infos *infos)
{
    for (size_t i = 0; i < infos->count; i++) {
        info_fini(&infos->items[i]);
    }
    free(infos->items);
    *infos = (struct image_infos){0};
}

static int read_created(struct image_store *store, struct image_info *info, struct err *err)
{
    char path[sizeof "blobs/sha256/" + DIGEST_HEX];
    cleanup_buf struct buf text = {0};
    struct image_config config;
    snprintf(path, sizeof path, "blobs/sha256/%s", info->record.id);
    if (info->record.directory || store_read_file(store, path, &text, err) == 0) {
        info->created = mem_strdup("");
        return 0;
    }
    if (!text.data || image_config_init(&config, text.data, text.len, err) < 0) {
        return -1;
    }
    info->created = mem_strdup(config.created);
    image_config_fini(&config);
    return 0;
}

static int compare_info(const void *a, const void *b)
{
    const struct image_info *x = a, *y = b;
    if (!x->refs.count != !y->refs.count) {
        return x->refs.count ? -1 : 1;
    }
    const char *p = x->refs.count ? x->refs.items[0] : x->record.id;
    const char *q = y->refs.count ? y->refs.items[0] : y->record.id;
    int order = strcmp(p, q);
    return order ? order : strcmp(x->record.id, y->record.id);
}

static int add_info(struct image_store *store, const char *id, const struct image_names *names,
                    struct image_infos *infos, struct err *err)
{
    struct image_info info = {0};
    int found = image_record_read(store, id, &info.record, err);
    if (found <= 0) {
        return found;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].id, id) == 0) {
            image_strings_add(&info.refs, names->items[i].ref, strlen(names->items[i].ref));
        }
    }
    if (read_created(store, &info, err) < 0) {
        info_fini(&info);
        return -1;
    }
    *ARRAY_PUSH(infos->items, infos->count, infos->cap) = info;
    return 0;
}

int image_list(struct image_store *store, struct image_infos *infos, struct err *err)
{
    struct image_names names = {0};
    struct image_strings ids = {0};
    *infos = (struct image_infos){0};
    int r = image_names_read(store, &names, err);
    r = r < 0 ? r : image_record_list(store, &ids, err);
    for (size_t i = 0; r >= 0 && i < ids.count; i++) {
        r = add_info(store, ids.items[i], &names, infos, err);
    }
    if (r < 0) {
        image_infos_fini(infos);
    } else if (infos->count) {
        qsort(infos->items, infos->count, sizeof *infos->items, compare_info);
    }
    image_strings_fini(&ids);
    image_names_fini(&names);
    return r < 0 ? -1 : 0;
}

static json_t *text_json(const char *s)
{
    json_t *v = json_string(s);
    return v ? v : json_string("(not valid UTF-8)"); /* cannot come from a JSON config */
}

static json_t *strings_json(const struct image_strings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        json_array_append_new(list, text_json(s->items[i]));
    }
    return list;
}

static json_t *digest_json(const char *hex)
{
    return *hex ? json_sprintf("sha256:%s", hex) : json_null();
}

static void dump(json_t *root, struct buf *out)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(root);
    ASSERT(text);
    buf_puts(out, text);
    buf_putc(out, '\n');
    free(text);
}

int image_list_json(struct image_store *store, struct buf *out, struct err *err)
{
    struct image_infos infos;
    if (image_list(store, &infos, err) < 0) {
        return -1;
    }
    json_t *root = json_array();
    for (size_t i = 0; i < infos.count; i++) {
        const struct image_info *info = &infos.items[i];
        json_array_append_new(root, json_pack("{s:o, s:o, s:s, s:I, s:i, s:o, s:b}", "id",
                                              digest_json(info->record.id), "refs",
                                              strings_json(&info->refs), "created", info->created,
                                              "size", (json_int_t)info->record.data_len, "layers",
                                              (int)info->record.layer_count, "manifest",
                                              digest_json(info->record.manifest), "directory",
                                              (int)info->record.directory));
    }
    image_infos_fini(&infos);
    dump(root, out);
    return 0;
}

static json_t *config_json(const struct image_config *c)
{
    json_t *labels = json_object();
    for (size_t i = 0; i < c->label_count; i++) {
        json_object_set_new(labels, c->labels[i].key, text_json(c->labels[i].value));
    }
    const struct image_healthcheck *h = &c->healthcheck;
    json_t *health =
        h->test.count
            ? json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "test", strings_json(&h->test),
                        "interval_ns", (json_int_t)h->interval_ns, "timeout_ns",
                        (json_int_t)h->timeout_ns, "start_period_ns",
                        (json_int_t)h->start_period_ns, "start_interval_ns",
                        (json_int_t)h->start_interval_ns, "retries", (json_int_t)h->retries)
            : json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "entrypoint",
                     strings_json(&c->entrypoint), "cmd", strings_json(&c->cmd), "env",
                     strings_json(&c->env), "workdir", text_json(c->workdir), "user",
                     text_json(c->user), "volumes", strings_json(&c->volumes), "ports",
                     strings_json(&c->ports), "stop_signal", text_json(c->stop_signal), "labels",
                     labels, "healthcheck", health);
}

static json_t *layers_json(const struct image_record *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->layer_count; i++) {
        const struct image_layer_record *l = &r->layers[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:I, s:o}", "diff_id", digest_json(l->diff_id),
                                        "digest", digest_json(l->digest), "size",
                                        (json_int_t)l->size, "data", digest_json(l->data)));
    }
    return list;
}

static json_t *contents_json(const struct image *image)
{
    const struct pack_header *h = image_header(image);
    json_int_t files = 0, elf = 0;
    for (uint32_t ino = 1; ino <= h->inode_count; ino++) {
        const struct pack_inode *i = image_inode(image, ino);
        files += S_ISREG(i->mode);
        elf += i->patch_count > 0;
    }
    return json_pack("{s:I, s:I, s:I, s:I}", "inodes", (json_int_t)h->inode_count, "files", files,
                     "files_with_call_sites", elf, "call_sites", (json_int_t)h->patch_count);
}

int image_inspect_json(struct image_store *store, const char *ref, struct buf *out, struct err *err)
{
    struct image_names names = {0};
    struct image *image = image_open(store, ref, err);
    if (!image) {
        return -1;
    }
    if (image_names_read(store, &names, err) < 0) {
        image_close(image);
        return -1;
    }
    const struct image_record *r = &image->record;
    json_t *refs = json_array();
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i].id, r->id) == 0) {
            json_array_append_new(refs, text_json(names.items[i].ref));
        }
    }
    dump(json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "id",
                   digest_json(r->id), "refs", refs, "manifest", digest_json(r->manifest), "index",
                   digest_json(r->list), "created", text_json(image->config.created),
                   "architecture", text_json(image->config.architecture), "os",
                   text_json(image->config.os), "size", (json_int_t)r->data_len, "contents",
                   contents_json(image), "config", config_json(&image->config), "layers",
                   layers_json(r)),
         out);
    image_names_fini(&names);
    image_close(image);
    return 0;
}
