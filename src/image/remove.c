/* Removing images, and with them every file of the store that no image needs any more. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "image/list.h"
#include "image/refs.h"

/* Digits of all files that stored images need, sorted; one list for each kind. */
struct live {
    struct image_strings index, data, blobs;
};

static int compare_string(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add(struct image_strings *s, const char *hex)
{
    if (*hex) {
        image_strings_add(s, hex, strlen(hex));
    }
}

static void sort(struct image_strings *s)
{
    if (s->count) {
        qsort(s->items, s->count, sizeof *s->items, compare_string);
    }
}

static bool has(const struct image_strings *s, const char *hex)
{
    return s->count && bsearch(&hex, s->items, s->count, sizeof *s->items, compare_string);
}

static int collect(struct image_store *store, struct live *live, struct err *err)
{
    int r = image_record_list(store, &live->index, err);
    for (size_t i = 0; r >= 0 && i < live->index.count; i++) {
        struct image_record rec;
        r = image_record_read(store, live->index.items[i], &rec, err);
        if (r <= 0) {
            continue; /* packed by another version: its data goes, loading brings it back */
        }
        add(&live->blobs, rec.id);
        add(&live->blobs, rec.manifest);
        add(&live->blobs, rec.list);
        for (size_t k = 0; k < rec.layer_count; k++) {
            add(&live->data, rec.layers[k].data);
        }
        image_record_fini(&rec);
    }
    sort(&live->data);
    sort(&live->blobs);
    return r < 0 ? -1 : 0;
}

static int sweep(struct image_store *store, const char *where, const struct image_strings *keep,
                 struct err *err)
{
    int fd = openat(image_store_dirfd(store), where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        return err_errno(err, errno, "cannot open %s/%s", image_store_path(store), where);
    }
    for (struct dirent *e; (e = readdir(dir));) {
        char hex[DIGEST_HEX];
        snprintf(hex, sizeof hex, "%.64s", e->d_name);
        if (digest_is_hex(hex) && !has(keep, hex) && unlinkat(dirfd(dir), e->d_name, 0) < 0) {
            return err_errno(err, errno, "cannot remove %s/%s/%s", image_store_path(store), where,
                             e->d_name);
        }
    }
    return 0;
}

static int sweep_all(struct image_store *store, struct err *err)
{
    struct live live = {0};
    int r = collect(store, &live, err);
    r = r < 0 ? r : sweep(store, "index", &live.index, err);
    r = r < 0 ? r : sweep(store, "data", &live.data, err);
    r = r < 0 ? r : sweep(store, "blobs/sha256", &live.blobs, err);
    image_strings_fini(&live.index);
    image_strings_fini(&live.data);
    image_strings_fini(&live.blobs);
    return r;
}

/* Removes the name that `ref` is, or all names of `id` when it is none. Returns how many are left
 * of that image. */
static int remove_names(struct image_store *store, const char *ref, const char *id, struct err *err)
{
    struct image_names names;
    struct image_ref parsed = {0};
    cleanup_err struct err ignored = {0}; /* "sha256:..." is no name */
    if (image_names_read(store, &names, err) < 0) {
        return -1;
    }
    bool by_name = image_ref_init(&parsed, ref, &ignored) == 0 && !parsed.digest[0];
    const struct image_name *exact = NULL, *loose = NULL;
    int left = 0;
    for (size_t i = 0; i < names.count; i++) {
        const struct image_name *n = &names.items[i];
        if (strcmp(n->id, id) != 0) {
            continue;
        }
        left++;
        struct image_ref other;
        if (by_name && image_ref_init(&other, n->ref, &ignored) == 0) {
            exact = strcmp(n->ref, parsed.normal) == 0 ? n : exact;
            bool same = strcmp(image_ref_last_part(&other), image_ref_last_part(&parsed)) == 0 &&
                        strcmp(other.tag, parsed.tag) == 0;
            loose = same ? n : loose;
            image_ref_fini(&other);
        }
    }
    const struct image_name *only = exact ? exact : loose;
    int r = only ? image_name_remove(store, only, err) : 0;
    for (size_t i = 0; r == 0 && !only && i < names.count; i++) {
        if (strcmp(names.items[i].id, id) == 0) {
            r = image_name_remove(store, &names.items[i], err);
        }
    }
    image_ref_fini(&parsed);
    image_names_fini(&names);
    return r < 0 ? -1 : only ? left - 1 : 0;
}

int image_rm(struct image_store *store, const char *ref, struct err *err)
{
    char id[DIGEST_HEX], path[INDEX_PATH_LEN];
    cleanup_close int lock = image_store_lock(store, IMAGE_STORE_EXCLUSIVE, err);
    if (lock < 0 || image_resolve(store, ref, id, err) < 0) {
        return -1;
    }
    int left = remove_names(store, ref, id, err);
    if (left != 0) {
        return left < 0 ? -1 : 0;
    }
    snprintf(path, sizeof path, "index/%s.json", id);
    if (store_remove_file(store, path, err) < 0) {
        return -1;
    }
    return sweep_all(store, err);
}
