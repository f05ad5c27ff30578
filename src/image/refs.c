#include "image/refs.h"

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
#include "image/record.h"

#define REF_PATH_LEN   (sizeof "refs/" + DIGEST_HEX)
#define ID_PREFIX_MIN  12u
#define SUGGESTION_MAX 20u

static void name_path(const char *ref, char path[REF_PATH_LEN])
{
    uint8_t sum[DIGEST_LEN];
    char hex[DIGEST_HEX];
    digest_bytes(ref, strlen(ref), sum);
    digest_hex(sum, hex);
    snprintf(path, REF_PATH_LEN, "refs/%s", hex);
}

static int compare_name(const void *a, const void *b)
{
    return strcmp(((const struct image_name *)a)->ref, ((const struct image_name *)b)->ref);
}

static int read_name(struct image_store *store, const char *file, struct image_names *names,
                     struct err *err)
{
    char path[REF_PATH_LEN];
    snprintf(path, sizeof path, "refs/%s", file);
    cleanup_buf struct buf text = {0};
    int r = store_read_file(store, path, &text, err);
    if (r <= 0) {
        return r; /* removed meanwhile */
    }
    json_error_t why;
    json_t *root = json_loadb(text.data ? text.data : "", text.len, 0, &why);
    const char *ref, *id;
    if (!root || json_unpack(root, "{s:s, s:s}", "ref", &ref, "id", &id) < 0 ||
        !digest_is_hex(id)) {
        json_decref(root);
        err_set(err, ERR_HOST, "%s/%s is damaged", image_store_path(store), path);
        return err_hint(err, "remove the file and load the image again");
    }
    struct image_name *n = ARRAY_PUSH(names->items, names->count, names->cap);
    n->ref = mem_strdup(ref);
    memcpy(n->id, id, DIGEST_HEX);
    json_decref(root);
    return 0;
}

int image_names_read(struct image_store *store, struct image_names *names, struct err *err)
{
    *names = (struct image_names){0};
    int fd = openat(image_store_dirfd(store), "refs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        return err_errno(err, errno, "cannot open %s/refs", image_store_path(store));
    }
    for (struct dirent *e; (e = readdir(dir));) {
        if (digest_is_hex(e->d_name) && read_name(store, e->d_name, names, err) < 0) {
            image_names_fini(names);
            return -1;
        }
    }
    if (names->count) {
        qsort(names->items, names->count, sizeof *names->items, compare_name);
    }
    return 0;
}

void image_names_fini(struct image_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i].ref);
    }
    free(names->items);
    *names = (struct image_names){0};
}

int image_name_set(struct image_store *store, const char *ref, const char *id, struct err *err)
{
    struct image_ref parsed;
    if (image_ref_init(&parsed, ref, err) < 0) {
        return -1;
    }
    char path[REF_PATH_LEN];
    name_path(parsed.normal, path);
    json_t *root = json_pack("{s:s, s:s}", "ref", parsed.normal, "id", id);
    ASSERT(root);
    cleanup_free char *text = json_dumps(root, JSON_SORT_KEYS);
    json_decref(root);
    image_ref_fini(&parsed);
    ASSERT(text);
    return store_write_file(store, path, text, strlen(text), err);
}

int image_name_remove(struct image_store *store, const struct image_name *name, struct err *err)
{
    char path[REF_PATH_LEN];
    name_path(name->ref, path);
    return store_remove_file(store, path, err);
}

/* 1 found, 0 not, -1. `digits`: a whole digest or the head of an id. */
static int resolve_digits(struct image_store *store, const char *digits, char id[DIGEST_HEX],
                          struct err *err)
{
    struct image_strings ids = {0};
    size_t len = strlen(digits);
    int found = image_record_list(store, &ids, err);
    for (size_t i = 0; found >= 0 && i < ids.count; i++) {
        bool hit = strncmp(ids.items[i], digits, len) == 0;
        struct image_record rec = {0};
        if (!hit && len == DIGEST_HEX - 1) {
            cleanup_err struct err ignored = {0}; /* a damaged record only hides itself */
            hit = image_record_read(store, ids.items[i], &rec, &ignored) > 0 &&
                  (strcmp(rec.manifest, digits) == 0 || strcmp(rec.list, digits) == 0);
            image_record_fini(&rec);
        }
        if (hit && found) {
            found = err_set(err, ERR_USAGE, "more than one image has an id that starts with %s",
                            digits);
        } else if (hit) {
            memcpy(id, ids.items[i], DIGEST_HEX);
            found = 1;
        }
    }
    image_strings_fini(&ids);
    return found;
}

static bool same_last_part(const struct image_ref *want, const char *have)
{
    struct image_ref ref;
    cleanup_err struct err ignored = {0};
    if (image_ref_init(&ref, have, &ignored) < 0) {
        return false;
    }
    bool same = strcmp(image_ref_last_part(want), image_ref_last_part(&ref)) == 0 &&
                strcmp(want->tag, ref.tag) == 0;
    image_ref_fini(&ref);
    return same;
}

static int not_found(const struct image_names *names, const char *text, struct err *err)
{
    err_set(err, ERR_USAGE, "no image '%s' in the store", text);
    if (!names->count) {
        return err_hint(err, "load one: everett image load FILE");
    }
    struct buf list = {0};
    for (size_t i = 0; i < names->count && i < SUGGESTION_MAX; i++) {
        buf_printf(&list, "%s%s", i ? ", " : "", names->items[i].ref);
    }
    err_hint(err, "the store has %s%s", list.data, names->count > SUGGESTION_MAX ? ", ..." : "");
    buf_free(&list);
    return -1;
}

static bool resolve_exact(const struct image_names *names, const struct image_ref *ref,
                          char id[DIGEST_HEX])
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].ref, ref->normal) == 0) {
            memcpy(id, names->items[i].id, DIGEST_HEX);
            return true;
        }
    }
    return false;
}

static int resolve_last_part(const struct image_names *names, const struct image_ref *ref,
                             const char *text, char id[DIGEST_HEX], struct err *err)
{
    const struct image_name *hit = NULL;
    for (size_t i = 0; i < names->count; i++) {
        const struct image_name *n = &names->items[i];
        if (!same_last_part(ref, n->ref)) {
            continue;
        }
        if (hit && strcmp(hit->id, n->id) != 0) {
            err_set(err, ERR_USAGE, "'%s' could mean %s or %s", text, hit->ref, n->ref);
            return err_hint(err, "write the whole name");
        }
        hit = n;
    }
    if (!hit) {
        return not_found(names, text, err);
    }
    memcpy(id, hit->id, DIGEST_HEX);
    return 0;
}

static int resolve(struct image_store *store, const struct image_names *names, const char *text,
                   char id[DIGEST_HEX], struct err *err)
{
    const char *digits = digest_parse(text);
    struct image_ref ref = {0};
    if (!digits && image_ref_init(&ref, text, err) < 0) {
        return -1;
    }
    bool pinned = digits || ref.digest[0];
    bool prefix = strlen(text) >= ID_PREFIX_MIN && strlen(text) < DIGEST_HEX &&
                  strspn(text, "0123456789abcdef") == strlen(text);
    int r = !pinned && resolve_exact(names, &ref, id);
    if (r == 0 && (pinned || prefix)) {
        r = resolve_digits(store, digits ? digits : ref.digest[0] ? ref.digest : text, id, err);
    }
    if (r == 0) {
        /* A pinned digest that is not here must not turn into another image of that name. */
        r = pinned ? not_found(names, text, err) : resolve_last_part(names, &ref, text, id, err);
    }
    image_ref_fini(&ref);
    return r < 0 ? -1 : 0;
}

int image_resolve(struct image_store *store, const char *text, char id[DIGEST_HEX], struct err *err)
{
    struct image_names names = {0};
    int r = image_names_read(store, &names, err);
    r = r < 0 ? r : resolve(store, &names, text, id, err);
    image_names_fini(&names);
    return r;
}
