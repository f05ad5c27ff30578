/* OCI image layout: index.json leads to manifests (through image indexes), these to blobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/load_priv.h"

#define INDEX_DEPTH_MAX 4u

static const char *const INDEX_TYPES[] = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
};
static const char *const MANIFEST_TYPES[] = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
};
static const char *const CONFIG_TYPES[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
};
static const char *const LAYER_TYPES[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
};

struct walk {
    struct load *load;
    unsigned depth;
    const struct buf *list; /* bytes of the outermost image index passed, or NULL */
    const char *name;       /* annotation that names what is being loaded, or NULL */
    unsigned others;        /* manifests left out: other platforms, attestations */
    struct buf other_names;
};

static const char *get_string(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return s ? s : "";
}

static bool one_of(const char *s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(s, list[i]) == 0) {
            return true;
        }
    }
    return false;
}
#define ONE_OF(s, list) one_of((s), (list), ARRAY_LEN(list))

#define MEMBER_LEN (sizeof "blobs/sha256/" + DIGEST_HEX)

/* Member name of a descriptor's blob. */
static int blob_member(const json_t *desc, char member[MEMBER_LEN], struct err *err)
{
    const char *hex = digest_parse(get_string(desc, "digest"));
    if (!hex) {
        return err_set(err, ERR_USAGE, "digest '%s' is not sha256 and 64 digits",
                       get_string(desc, "digest"));
    }
    snprintf(member, MEMBER_LEN, "blobs/sha256/%s", hex);
    return 0;
}

static int read_blob(struct load *load, const json_t *desc, struct buf *out, struct err *err)
{
    char member[MEMBER_LEN], hex[DIGEST_HEX];
    uint8_t sum[DIGEST_LEN];
    if (blob_member(desc, member, err) < 0 || source_read(load->src, member, out, err) < 0) {
        return -1;
    }
    digest_bytes(out->data, out->len, sum);
    digest_hex(sum, hex);
    if (strcmp(hex, member + strlen("blobs/sha256/")) != 0) {
        err_set(err, ERR_USAGE, "%s has digest sha256:%s", member, hex);
        return err_hint(err, "the archive is damaged; save it again");
    }
    return 0;
}

static int check_layer(const json_t *desc, size_t number, struct err *err)
{
    const char *type = get_string(desc, "mediaType");
    if (strstr(type, "foreign") || strstr(type, "nondistributable")) {
        err_set(err, ERR_USAGE, "layer %zu is foreign (%s): its contents lie elsewhere", number,
                type);
        return err_hint(err, "pull the image with its foreign layers and save it again");
    }
    if (strstr(type, "+encrypted")) {
        err_set(err, ERR_USAGE, "layer %zu is encrypted", number);
        return err_hint(err, "decrypt the image first (skopeo copy --decryption-key)");
    }
    if (!ONE_OF(type, LAYER_TYPES)) {
        return err_set(err, ERR_USAGE, "layer %zu has the unknown type '%s'", number, type);
    }
    return 0;
}

static int read_layers(const json_t *manifest, struct load_plan *plan, struct err *err)
{
    json_t *layers = json_object_get(manifest, "layers"), *desc;
    size_t i;
    if (!json_is_array(layers)) {
        return err_set(err, ERR_USAGE, "the manifest has no list of layers");
    }
    json_array_foreach(layers, i, desc)
    {
        char member[MEMBER_LEN];
        if (check_layer(desc, i + 1, err) < 0 || blob_member(desc, member, err) < 0) {
            return -1;
        }
        struct load_layer *l = ARRAY_PUSH(plan->layers, plan->layer_count, plan->layer_cap);
        l->member = mem_strdup(member);
        memcpy(l->digest, member + strlen("blobs/sha256/"), DIGEST_HEX);
    }
    return 0;
}

static int name_image(struct walk *w, struct image_loaded *image, struct err *err)
{
    return w->name ? load_name(w->load, image, w->name, err) : 0;
}

static int load_manifest(struct walk *w, const json_t *desc, struct err *err)
{
    struct load_plan plan = {0};
    json_error_t why;
    json_t *manifest = NULL;
    struct image_loaded *image = NULL;
    int r = read_blob(w->load, desc, &plan.manifest, err);
    if (r == 0 && !(manifest = json_loadb(plan.manifest.data, plan.manifest.len, 0, &why))) {
        r = err_set(err, ERR_USAGE, "manifest is not valid JSON: %s", why.text);
    }
    const json_t *config = json_object_get(manifest, "config");
    if (r == 0 && !ONE_OF(get_string(config, "mediaType"), CONFIG_TYPES)) {
        r = err_set(err, ERR_USAGE, "the manifest is of something else than a container image (%s)",
                    get_string(config, "mediaType"));
    }
    r = r < 0 ? r : read_blob(w->load, config, &plan.config, err);
    r = r < 0 ? r : read_layers(manifest, &plan, err);
    if (r == 0 && w->list) {
        buf_append(&plan.list, w->list->data, w->list->len);
    }
    image = r < 0 ? NULL : load_plan_run(w->load, &plan, err);
    r = image ? name_image(w, image, err) : -1;
    json_decref(manifest);
    load_plan_fini(&plan);
    return r < 0 && w->name ? err_wrap(err, "%s", w->name) : r;
}

/* How well a descriptor suits: 0 not at all, 1 no platform given, 2 a later amd64 level, 3 exactly
 * linux/amd64. Later levels (v2, v3) may need instructions that the host lacks. */
static unsigned suits(const json_t *desc)
{
    const json_t *p = json_object_get(desc, "platform");
    if (!json_is_object(p)) {
        return 1;
    }
    if (strcmp(get_string(p, "os"), "linux") != 0 ||
        strcmp(get_string(p, "architecture"), "amd64") != 0) {
        return 0;
    }
    const char *variant = get_string(p, "variant");
    return !*variant || strcmp(variant, "v1") == 0 ? 3 : 2;
}

static void note_other(struct walk *w, const json_t *desc)
{
    const json_t *p = json_object_get(desc, "platform");
    if (strcmp(get_string(p, "os"), "unknown") == 0) {
        return; /* attestation of buildx */
    }
    buf_printf(&w->other_names, "%s%s/%s", w->others ? ", " : "", get_string(p, "os"),
               get_string(p, "architecture"));
    w->others++;
}

static int load_descriptor(struct walk *w, const json_t *desc, struct err *err);

static int no_platform(struct walk *w, struct err *err)
{
    err_set(err, ERR_USAGE, "%s%sno image for linux/amd64%s%s", w->name ? w->name : "",
            w->name ? ": " : "", w->others ? "; there is " : "",
            w->others ? w->other_names.data : "");
    return err_hint(err, "build or pull it with --platform linux/amd64");
}

/* The one image of an image index that runs here. */
static int load_best(struct walk *w, const json_t *list, struct err *err)
{
    const json_t *best = NULL;
    json_t *desc;
    size_t i;
    json_array_foreach(list, i, desc)
    {
        if (!suits(desc)) {
            note_other(w, desc);
        } else if (!best || suits(desc) > suits(best)) {
            best = desc;
        }
    }
    return best ? load_descriptor(w, best, err) : no_platform(w, err);
}

static int load_index(struct walk *w, const json_t *desc, struct err *err)
{
    struct buf text = {0};
    json_error_t why;
    json_t *root = NULL;
    int r = read_blob(w->load, desc, &text, err);
    if (r == 0 && !(root = json_loadb(text.data, text.len, 0, &why))) {
        r = err_set(err, ERR_USAGE, "image index is not valid JSON: %s", why.text);
    }
    const json_t *list = json_object_get(root, "manifests");
    if (r == 0 && !json_is_array(list)) {
        r = err_set(err, ERR_USAGE, "the image index has no list of manifests");
    }
    if (r == 0 && ++w->depth > INDEX_DEPTH_MAX) {
        r = err_set(err, ERR_USAGE, "image indexes are nested too deeply");
    }
    if (r == 0) {
        const struct buf *outer = w->list;
        w->list = outer ? outer : &text;
        r = load_best(w, list, err);
        w->list = outer;
        w->depth--;
    }
    json_decref(root);
    buf_free(&text);
    return r;
}

static int load_descriptor(struct walk *w, const json_t *desc, struct err *err)
{
    const char *type = get_string(desc, "mediaType");
    if (ONE_OF(type, INDEX_TYPES)) {
        return load_index(w, desc, err);
    }
    if (ONE_OF(type, MANIFEST_TYPES)) {
        return load_manifest(w, desc, err);
    }
    return err_set(err, ERR_USAGE, "manifest of the unknown type '%s'", type);
}

/* containerd writes the whole name in its own annotation and only the tag in the standard one;
 * skopeo and buildah write the name (or nothing) in the standard one. */
static const char *descriptor_name(const json_t *desc)
{
    const json_t *notes = json_object_get(desc, "annotations");
    const char *name = get_string(notes, "io.containerd.image.name");
    if (*name) {
        return name;
    }
    name = get_string(notes, "org.opencontainers.image.ref.name");
    return strpbrk(name, "/:") ? name : NULL;
}

/* Top-level descriptors with one name are one image for several platforms. */
static bool better_twin(const json_t *list, size_t index, const json_t *desc)
{
    const char *name = descriptor_name(desc);
    json_t *other;
    size_t i;
    json_array_foreach(list, i, other)
    {
        const char *twin = descriptor_name(other);
        bool same = name && twin ? strcmp(name, twin) == 0 : name == twin;
        if (i != index && same && json_object_get(other, "platform") &&
            (suits(other) > suits(desc) || (i < index && name && suits(other) == suits(desc))) &&
            suits(other) > 1) {
            return true;
        }
    }
    return false;
}

static int load_top(struct load *load, const json_t *list, struct err *err)
{
    struct walk w = {.load = load};
    json_t *desc;
    size_t i, tried = 0;
    int r = 0;
    json_array_foreach(list, i, desc)
    {
        if (!suits(desc)) {
            note_other(&w, desc);
        } else if (r == 0 && !(suits(desc) > 1 && better_twin(list, i, desc))) {
            w.name = descriptor_name(desc);
            r = load_descriptor(&w, desc, err);
            tried++;
        }
    }
    w.name = NULL;
    r = tried ? r : no_platform(&w, err);
    buf_free(&w.other_names);
    return r;
}

int load_oci(struct load *load, struct err *err)
{
    struct buf text = {0};
    json_t *root = load_json(load, "index.json", &text, err);
    buf_free(&text);
    if (!root) {
        return -1;
    }
    const json_t *list = json_object_get(root, "manifests");
    int r = json_is_array(list) ? load_top(load, list, err)
                                : err_set(err, ERR_USAGE, "index.json has no list of manifests");
    json_decref(root);
    return r;
}
