/* Reading of manifests and indexes. */
#include "server/registry/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool is_index_type(const char *type)
{
    return strcmp(type, TYPE_OCI_INDEX) == 0 || strcmp(type, TYPE_DOCKER_LIST) == 0;
}

static bool is_image_type(const char *type)
{
    return strcmp(type, TYPE_OCI_MANIFEST) == 0 || strcmp(type, TYPE_DOCKER_MANIFEST) == 0;
}

static const char *get_string(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return s ? s : "";
}

static int take_digest(const json_t *desc, const char *where, char out[CONTENT_DIGEST],
                       struct err *err)
{
    const char *digest = get_string(desc, "digest");
    if (!json_is_object(desc) || !name_is_digest(digest)) {
        return err_set(err, ERR_USAGE,
                       "%s has no digest of the form sha256:HEX or sha512:HEX (it has '%.80s')",
                       where, digest);
    }
    json_int_t size = json_integer_value(json_object_get(desc, "size"));
    if (!json_is_integer(json_object_get(desc, "size")) || size < 0) {
        return err_set(err, ERR_USAGE, "%s has no size in bytes", where);
    }
    snprintf(out, CONTENT_DIGEST, "%s", digest);
    return 0;
}

static int add_ref(struct manifest *m, const json_t *desc, const char *where, bool of_index,
                   struct err *err)
{
    char digest[CONTENT_DIGEST];
    if (take_digest(desc, where, digest, err) < 0) {
        return -1;
    }
    struct manifest_ref *ref = ARRAY_PUSH(m->refs, m->ref_count, m->ref_cap);
    snprintf(ref->digest, sizeof ref->digest, "%s", digest);
    ref->of_index = of_index;
    return 0;
}

/* Its bytes are not to be distributed: a client may leave them out. */
static bool lies_elsewhere(const json_t *layer)
{
    const char *type = get_string(layer, "mediaType");
    return strstr(type, "nondistributable") || strstr(type, ".foreign.");
}

static int read_image(const json_t *root, struct manifest *m, struct err *err)
{
    const json_t *layers = json_object_get(root, "layers");
    json_t *layer;
    size_t i;
    if (add_ref(m, json_object_get(root, "config"), "the config", false, err) < 0) {
        return -1;
    }
    if (!json_is_array(layers)) {
        return err_set(err, ERR_USAGE, "an image manifest needs a list 'layers'");
    }
    json_array_foreach(layers, i, layer)
    {
        if (!lies_elsewhere(layer) && add_ref(m, layer, "a layer", false, err) < 0) {
            return err_wrap(err, "layers[%zu]", i);
        }
    }
    return 0;
}

static int read_index(const json_t *root, struct manifest *m, struct err *err)
{
    const json_t *list = json_object_get(root, "manifests");
    json_t *entry;
    size_t i;
    if (!json_is_array(list)) {
        return err_set(err, ERR_USAGE, "an image index needs a list 'manifests'");
    }
    json_array_foreach(list, i, entry)
    {
        if (add_ref(m, entry, "an entry", true, err) < 0) {
            return err_wrap(err, "manifests[%zu]", i);
        }
    }
    return 0;
}

/* What a list of referrers says about this one. */
static int read_referrer(const json_t *root, struct manifest *m, struct err *err)
{
    const json_t *subject = json_object_get(root, "subject");
    const json_t *notes = json_object_get(root, "annotations");
    const char *type = get_string(root, "artifactType");
    if (subject && !json_is_null(subject) &&
        take_digest(subject, "the subject", m->subject, err) < 0) {
        return -1;
    }
    if (!*type && !m->is_index) {
        type = get_string(json_object_get(root, "config"), "mediaType");
    }
    m->artifact_type = *type ? mem_strdup(type) : NULL;
    if (json_is_object(notes) && json_object_size(notes)) {
        m->annotations = json_dumps(notes, JSON_COMPACT);
    }
    return 0;
}

/* The type without parameters ("; charset=utf-8"), which manifests have none of. */
static char *bare_type(const char *content_type)
{
    return mem_strndup(content_type, strcspn(content_type, "; \t"));
}

static int choose_type(const json_t *root, const char *content_type, struct manifest *m,
                       struct err *err)
{
    const char *own = get_string(root, "mediaType");
    m->media_type = bare_type(content_type && *content_type ? content_type : own);
    if (*own && strcmp(own, m->media_type) != 0) {
        return err_set(err, ERR_USAGE, "Content-Type is '%.255s' but mediaType is '%.255s'",
                       m->media_type, own);
    }
    m->is_index = is_index_type(m->media_type);
    if (strstr(m->media_type, "docker.distribution.manifest.v1")) {
        return err_set(err, ERR_USAGE,
                       "manifests of schema 1 are not taken: push with a client "
                       "of this decade (Docker 1.10 or later)");
    }
    if (!m->is_index && !is_image_type(m->media_type)) {
        return err_set(err, ERR_USAGE,
                       "'%.255s' is no type of manifest that is known here; known are %s, %s, %s, "
                       "%s",
                       m->media_type, TYPE_OCI_MANIFEST, TYPE_OCI_INDEX, TYPE_DOCKER_MANIFEST,
                       TYPE_DOCKER_LIST);
    }
    return 0;
}

static int read_root(const json_t *root, const char *content_type, struct manifest *m,
                     struct err *err)
{
    if (!json_is_object(root)) {
        return err_set(err, ERR_USAGE, "a manifest is a JSON object");
    }
    if (json_integer_value(json_object_get(root, "schemaVersion")) != 2) {
        return err_set(err, ERR_USAGE, "schemaVersion must be 2");
    }
    if (choose_type(root, content_type, m, err) < 0) {
        return -1;
    }
    /* Both at once would let two readers see two different things (CVE-2021-41190). */
    if (json_object_get(root, m->is_index ? "layers" : "manifests")) {
        return err_set(err, ERR_USAGE, "'layers' and 'manifests' do not go together");
    }
    int r = m->is_index ? read_index(root, m, err) : read_image(root, m, err);
    return r < 0 ? r : read_referrer(root, m, err);
}

int manifest_parse(const void *bytes, size_t len, const char *content_type, struct manifest *m,
                   struct err *err)
{
    json_error_t why;
    *m = (struct manifest){0};
    json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
    int r = root
                ? read_root(root, content_type, m, err)
                : err_set(err, ERR_USAGE, "line %d, column %d: %s", why.line, why.column, why.text);
    json_decref(root);
    if (r < 0) {
        manifest_fini(m);
    }
    return r;
}

void manifest_fini(struct manifest *m)
{
    free(m->media_type);
    free(m->refs);
    free(m->artifact_type);
    free(m->annotations);
    *m = (struct manifest){0};
}
