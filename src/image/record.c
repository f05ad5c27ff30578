#include "image/record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "image/config.h"
#include "image/elfscan.h"

/* Raised whenever the same image may be packed differently. */
#define PACKER_VERSION (1u * 1000 + ELFSCAN_VERSION)

void image_record_fini(struct image_record *r)
{
    free(r->layers);
    *r = (struct image_record){0};
}

void image_index_path(const char *id, char path[INDEX_PATH_LEN])
{
    snprintf(path, INDEX_PATH_LEN, "index/%s.idx", id);
}

static void record_path(const char *id, char path[INDEX_PATH_LEN])
{
    snprintf(path, INDEX_PATH_LEN, "index/%s.json", id);
}

int image_record_write(struct image_store *store, const struct image_record *r, struct err *err)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < r->layer_count; i++) {
        const struct image_layer_record *l = &r->layers[i];
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:s, s:I}", "diff_id", l->diff_id, "digest",
                                        l->digest, "data", l->data, "size", (json_int_t)l->size));
    }
    json_t *root =
        json_pack("{s:s, s:i, s:s, s:s, s:b, s:I, s:o}", "id", r->id, "packer", (int)PACKER_VERSION,
                  "manifest", r->manifest, "list", r->list, "directory", (int)r->directory,
                  "data_len", (json_int_t)r->data_len, "layers", layers);
    ASSERT(root);
    cleanup_free char *text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(root);
    ASSERT(text);
    char path[INDEX_PATH_LEN];
    record_path(r->id, path);
    return store_write_file(store, path, text, strlen(text), err);
}

static bool copy_hex(char out[DIGEST_HEX], const char *hex, bool may_be_empty)
{
    if (!digest_is_hex(hex) && !(may_be_empty && !*hex)) {
        return false;
    }
    memcpy(out, hex, strlen(hex) + 1);
    return true;
}

static bool decode_layers(const json_t *list, struct image_record *r)
{
    json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *diff_id, *digest, *data;
        json_int_t size;
        struct image_layer_record *l = ARRAY_PUSH(r->layers, r->layer_count, r->layer_cap);
        if (json_unpack(item, "{s:s, s:s, s:s, s:I}", "diff_id", &diff_id, "digest", &digest,
                        "data", &data, "size", &size) < 0 ||
            !copy_hex(l->diff_id, diff_id, true) || !copy_hex(l->digest, digest, true) ||
            !copy_hex(l->data, data, false) || size < 0) {
            return false;
        }
        l->size = (uint64_t)size;
    }
    return true;
}

/* 1, 0 (another version), -1. */
static int decode(const json_t *root, struct image_record *r)
{
    const char *id, *manifest, *list;
    int packer, directory;
    json_int_t data_len;
    const json_t *layers;
    if (json_unpack((json_t *)(uintptr_t)root, "{s:s, s:i, s:s, s:s, s:b, s:I, s:o}", "id", &id,
                    "packer", &packer, "manifest", &manifest, "list", &list, "directory",
                    &directory, "data_len", &data_len, "layers", &layers) < 0 ||
        !copy_hex(r->id, id, false) || !copy_hex(r->manifest, manifest, true) ||
        !copy_hex(r->list, list, true) || data_len < 0 || !decode_layers(layers, r)) {
        return -1;
    }
    r->directory = directory;
    r->data_len = (uint64_t)data_len;
    return packer == (int)PACKER_VERSION;
}

int image_record_read(struct image_store *store, const char *id, struct image_record *r,
                      struct err *err)
{
    *r = (struct image_record){0};
    char path[INDEX_PATH_LEN];
    record_path(id, path);
    cleanup_buf struct buf text = {0};
    int found = store_read_file(store, path, &text, err);
    if (found <= 0) {
        return found;
    }
    json_error_t why;
    json_t *root = json_loadb(text.data ? text.data : "", text.len, 0, &why);
    found = root ? decode(root, r) : -1;
    json_decref(root);
    if (found <= 0) {
        image_record_fini(r);
    }
    if (found < 0) {
        err_set(err, ERR_HOST, "%s/%s is damaged", image_store_path(store), path);
        err_hint(err, "remove the file and load the image again");
    }
    return found;
}

static int compare_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int image_record_list(struct image_store *store, struct image_strings *ids, struct err *err)
{
    int fd = openat(image_store_dirfd(store), "index", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        return err_errno(err, errno, "cannot open %s/index", image_store_path(store));
    }
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len == DIGEST_HEX - 1 + strlen(".json") && strcmp(e->d_name + len - 5, ".json") == 0) {
            image_strings_add(ids, e->d_name, DIGEST_HEX - 1);
        }
    }
    if (ids->count) {
        qsort(ids->items, ids->count, sizeof *ids->items, compare_string);
    }
    return 0;
}
