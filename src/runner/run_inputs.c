#include "runner/run_inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/store.h"

#define INPUTS_VERSION 1

static const char *const kind_words[] = {[SYSTEM_IMAGE_STORED] = "stored",
                                         [SYSTEM_IMAGE_BIND] = "bind",
                                         [SYSTEM_IMAGE_INJECTED] = "injected"};

/* --- identity --------------------------------------------------------------------------------- */

static int read_all(int fd, struct buf *out)
{
    for (;;) {
        buf_reserve(out, 65536);
        ssize_t n = pread(fd, out->data + out->len, out->cap - out->len - 1, (off_t)out->len);
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            out->data[out->len] = 0;
            return 0;
        }
        out->len += (size_t)n;
    }
}

static int read_path(const char *path, struct buf *out, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 || read_all(fd, out) ? err_errno(err, errno, "cannot read %s", path) : 0;
}

int run_identity_of(const struct compose_plan *cp, const char *engine_path,
                    struct run_identity *out, struct err *err)
{
    static const char domain[] = "everett run identity 1";
    cleanup_buf struct buf engine = {0};
    uint8_t sum[DIGEST_LEN];
    if (read_path(engine_path, &engine, err)) {
        return -1;
    }
    digest_bytes(engine.data, engine.len, sum);
    digest_hex(sum, out->engine);
    struct digest d;
    digest_init(&d);
    digest_update(&d, domain, sizeof domain);
    digest_update(&d, sum, sizeof sum);
    digest_update(&d, cp->builder.bytes.data, cp->builder.bytes.len);
    digest_final(&d, out->sum);
    digest_fini(&d);
    return 0;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static struct buf *add_input(struct run_inputs *in, const char *name)
{
    struct run_input *i = ARRAY_PUSH(in->items, in->count, in->cap);
    i->name = mem_strdup(name);
    return &i->data;
}

static void injected_name(char out[static 40], size_t image, const char *what)
{
    snprintf(out, 40, "injected-%zu.%s", image, what);
}

static int keep_injected(struct run_inputs *in, size_t at, const struct image *image,
                         struct err *err)
{
    char name[40];
    ASSERT(image->data_count == 1);
    injected_name(name, at, "index");
    if (read_all(image->index_fd, add_input(in, name))) {
        return err_errno(err, errno, "cannot read an injected image");
    }
    injected_name(name, at, "data");
    if (read_all(image->data_fds[0], add_input(in, name))) {
        return err_errno(err, errno, "cannot read an injected image");
    }
    return 0;
}

static json_t *describe_images(const struct system_images *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "kind", kind_words[s->items[i].kind],
                                        "name", s->items[i].name, "id", s->items[i].id));
    }
    return list;
}

int run_inputs_collect(const struct compose_plan *cp, const struct run_identity *id,
                       struct run_inputs *out, struct err *err)
{
    buf_append(add_input(out, "plan.bin"), cp->builder.bytes.data, cp->builder.bytes.len);
    json_t *doc = json_pack("{s:i, s:s, s:o}", "version", INPUTS_VERSION, "engine", id->engine,
                            "images", describe_images(&cp->images));
    char *text = json_dumps(doc, JSON_INDENT(2));
    json_decref(doc);
    ASSERT(text);
    buf_puts(add_input(out, "images.json"), text);
    free(text);
    for (size_t i = 0; i < cp->images.count; i++) {
        if (cp->images.items[i].kind == SYSTEM_IMAGE_INJECTED &&
            keep_injected(out, i, cp->images.items[i].image, err)) {
            return -1;
        }
    }
    return 0;
}

void run_inputs_fini(struct run_inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        free(in->items[i].name);
        buf_free(&in->items[i].data);
    }
    free(in->items);
    *in = (struct run_inputs){0};
}

/* --- reading back ----------------------------------------------------------------------------- */

static struct image *open_injected(const char *dir, size_t at, struct err *err)
{
    char index[40], data[40];
    cleanup_buf struct buf a = {0}, b = {0};
    injected_name(index, at, "index");
    injected_name(data, at, "data");
    buf_printf(&a, "%s/%s", dir, index);
    buf_printf(&b, "%s/%s", dir, data);
    int index_fd = open(a.data, O_RDONLY | O_CLOEXEC);
    int *data_fd = mem_zalloc(sizeof *data_fd);
    *data_fd = open(b.data, O_RDONLY | O_CLOEXEC);
    if (index_fd < 0 || *data_fd < 0) {
        err_errno(err, errno, "cannot read %s", index_fd < 0 ? a.data : b.data);
        if (index_fd >= 0) {
            close(index_fd);
        }
        free(data_fd);
        return NULL;
    }
    return image_adopt(index_fd, data_fd, 1, err);
}

static int open_recorded(struct compose_plan *cp, const char *dir, struct image_store *store,
                         const json_t *entry, struct err *err)
{
    const char *kind = json_string_value(json_object_get(entry, "kind"));
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *id = json_string_value(json_object_get(entry, "id"));
    if (!kind || !name || !id || !digest_is_hex(id)) {
        return err_set(err, ERR_USAGE, "%s/images.json is damaged", dir);
    }
    enum system_image_kind k = SYSTEM_IMAGE_STORED;
    while (k < SYSTEM_IMAGE_INJECTED && strcmp(kind_words[k], kind) != 0) {
        k++;
    }
    struct image *image = k == SYSTEM_IMAGE_INJECTED ? open_injected(dir, cp->images.count, err)
                                                     : image_open_id(store, id, err);
    if (!image) {
        err_wrap(err, "image %s (sha256:%.12s) of the run", name, id);
        return err_hint(err, "load the very same image again: everett image load FILE.tar");
    }
    size_t at = system_images_add(&cp->images, k, name, image);
    return strcmp(cp->images.items[at].id, id) == 0
               ? 0
               : err_set(err, ERR_USAGE, "image %s is not the one of the run any more", name);
}

static void push_fd(struct plan_builder *b, int fd)
{
    *ARRAY_PUSH(b->fds, b->fd_count, b->fd_cap) = fd;
}

/* The plan says which files it wants in which order; they must be as long as it says. */
static int attach_files(struct compose_plan *cp, const char *dir, struct err *err)
{
    struct plan_builder *b = &cp->builder;
    const struct plan *p = plan_head(b);
    for (size_t i = 0; i < cp->images.count; i++) {
        const struct image *image = cp->images.items[i].image;
        push_fd(b, image->index_fd);
        for (size_t k = 0; k < image->data_count; k++) {
            push_fd(b, image->data_fds[k]);
        }
    }
    bool same = b->fd_count == p->files.count;
    for (size_t i = 0; same && i < b->fd_count; i++) {
        struct stat st;
        same = fstat(b->fds[i], &st) == 0 &&
               (uint64_t)st.st_size == PLAN_AT(p, p->files, struct plan_file, i)->length;
    }
    return same ? 0 : err_set(err, ERR_USAGE, "%s: the images do not fit the plan of the run", dir);
}

/* Only what this reader relies on; the engine checks the plan as it uses it. */
static bool plan_is_sound(const struct buf *bytes)
{
    const struct plan *p = (const struct plan *)(const void *)bytes->data;
    return bytes->len >= sizeof *p && p->magic == PLAN_MAGIC && p->length == bytes->len &&
           p->files.off <= bytes->len &&
           p->files.count <= (bytes->len - p->files.off) / sizeof(struct plan_file);
}

static int load_plan(struct compose_plan *cp, const char *dir, struct err *err)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/plan.bin", dir);
    buf_reset(&cp->builder.bytes);
    if (read_path(path.data, &cp->builder.bytes, err)) {
        return -1;
    }
    return plan_is_sound(&cp->builder.bytes)
               ? 0
               : err_set(err, ERR_USAGE, "%s is no boot plan of this version", path.data);
}

int run_inputs_load(const char *dir, struct image_store *store, struct compose_plan *cp,
                    char engine[DIGEST_HEX], struct err *err)
{
    *cp = (struct compose_plan){0};
    plan_builder_init(&cp->builder);
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/images.json", dir);
    json_error_t why;
    json_t *doc = json_load_file(path.data, 0, &why);
    const char *build = json_string_value(json_object_get(doc, "engine"));
    const json_t *images = json_object_get(doc, "images");
    int r = 0;
    if (!build || !digest_is_hex(build) || !json_is_array(images) ||
        json_integer_value(json_object_get(doc, "version")) != INPUTS_VERSION) {
        r = err_set(err, ERR_USAGE, "%s: %s", path.data,
                    doc ? "not written by this version" : why.text);
    } else {
        memcpy(engine, build, DIGEST_HEX);
        r = load_plan(cp, dir, err);
    }
    for (size_t i = 0; r == 0 && i < json_array_size(images); i++) {
        r = open_recorded(cp, dir, store, json_array_get(images, i), err);
    }
    r = r ? r : attach_files(cp, dir, err);
    json_decref(doc);
    return r;
}
