/* From the names in a launch to a compose directory and images in the store. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "compose/compose.h"
#include "image/extract.h"
#include "image/image.h"
#include "image/ref.h"
#include "image/refs.h"
#include "server/queue/params.h"
#include "server/queue/queue_priv.h"
#include "server/registry/registry.h"
#include "server/server.h"
#include "store/files.h"

/* A config image holds text. */
static const struct image_extract_limits config_limits = {256u << 20, 20000};

struct preparing {
    struct job *j;
    struct image_store *store;
    char **loaded; /* owned: what was loaded by this launch, as "REF" */
    size_t loaded_count, loaded_cap;
    struct buf pins;
    json_t *resolved; /* owned: what the API says of the images */
};

/* --- one image ----------------------------------------------------------------------------------
 */

struct loading {
    struct job *j;
    struct buf complaint;
};

static void on_load_line(void *ctx, const char *text, bool is_error)
{
    struct loading *l = ctx;
    if (is_error) {
        buf_printf(&l->complaint, "%s%s", l->complaint.len ? "\n" : "", text);
    }
    build_log_put(l->j->log, is_error, "%s", text);
}

/* In a process of its own: an image that breaks the loader takes nothing else with it. */
static int load_layout(struct job *j, const char *layout, struct err *err)
{
    char image[] = "image", load[] = "load";
    char *argv[] = {j->q->server->everett, image, load, (char *)(uintptr_t)layout, NULL};
    struct loading l = {.j = j};
    struct child c = {.argv = argv, .line = on_load_line, .ctx = &l};
    int r = child_run(j, &c, err);
    if (r == 0 && (!WIFEXITED(c.status) || WEXITSTATUS(c.status))) {
        r = err_set(err, ERR_USAGE, "%s",
                    l.complaint.len ? l.complaint.data : "the image could not be loaded");
    }
    buf_free(&l.complaint);
    return r;
}

/* The manifest that the layout names: of an index its linux/amd64 entry. */
static int layout_manifest(const char *layout, struct buf *digest, struct err *err)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/index.json", layout);
    json_t *doc = json_load_file(path.data, 0, NULL);
    const json_t *first = json_array_get(json_object_get(doc, "manifests"), 0);
    const char *text = json_string_value(json_object_get(first, "digest"));
    buf_puts(digest, text ? text : "");
    json_decref(doc);
    return text ? 0 : err_set(err, ERR_ENGINE, "%s names no manifest", path.data);
}

/* Loads it unless the very manifest is in the store; `id` is what the store calls it. */
static int load_exported(struct preparing *p, const char *layout, const char *ref,
                         char id[DIGEST_HEX], struct err *err)
{
    cleanup_buf struct buf manifest = {0};
    cleanup_err struct err unknown = {0};
    if (layout_manifest(layout, &manifest, err)) {
        return -1;
    }
    if (image_resolve(p->store, manifest.data, id, &unknown) == 0) {
        build_log_put(p->j->log, false, "%s: loaded before", ref);
        return 0;
    }
    build_log_put(p->j->log, false, "%s: loading", ref);
    if (load_layout(p->j, layout, err)) {
        return err_wrap(err, "image %s", ref);
    }
    return image_resolve(p->store, manifest.data, id, err);
}

/* As GET runs/{id} lists it. */
static void note_image(struct preparing *p, const char *repository, const char *tag,
                       const char *digest)
{
    const char *slash = strrchr(repository, '/');
    const char *url = p->j->q->server->public_url, *host = strstr(url, "://");
    cleanup_buf struct buf full = {0};
    buf_printf(&full, "%s/%s@%s", host ? host + 3 : url, repository, digest);
    json_array_append_new(p->resolved,
                          json_pack("{s:s, s:s, s:s}", "name", slash ? slash + 1 : repository,
                                    "image", full.data, "tag", tag));
}

static int load_from_registry(struct preparing *p, const char *ref, const char *repository,
                              const char *digest, char id[DIGEST_HEX], struct err *err)
{
    struct image_ref parsed;
    cleanup_buf struct buf name = {0};
    if (image_ref_init(&parsed, ref, err)) {
        return -1;
    }
    cleanup_free char *parsed_tag = mem_strdup(parsed.tag);
    buf_printf(&name, "%s:%s", repository, parsed_tag);
    image_ref_fini(&parsed);
    build_log_put(p->j->log, false, "%s: %s@%s in the registry", ref, repository, digest);
    cleanup_free char *layout = job_path(p->j, "layout");
    int r = files_remove_tree(layout) ? err_errno(err, errno, "cannot remove %s", layout)
                                      : registry_export(p->j->q->server->registry, repository,
                                                        digest, name.data, layout, err);
    r = r ? r : load_exported(p, layout, ref, id, err);
    if (r == 0) {
        note_image(p, repository, parsed_tag, digest);
    }
    int removed = files_remove_tree(layout);
    (void)removed; /* the next launch of this run would do it */
    return r;
}

static int note_stored(struct preparing *p, const char *ref, const char *id, struct err *err)
{
    struct image_ref parsed;
    cleanup_buf struct buf full = {0};
    if (image_ref_init(&parsed, ref, err)) {
        return -1;
    }
    buf_printf(&full, "%s@sha256:%s", parsed.name, id);
    json_array_append_new(p->resolved,
                          json_pack("{s:s, s:s, s:s}", "name", image_ref_last_part(&parsed),
                                    "image", full.data, "tag", parsed.tag));
    image_ref_fini(&parsed);
    return 0;
}

/* What to type for an image that nobody has. `host` is where this server's registry is. */
static int not_found(const struct preparing *p, const char *ref, const char *wanted_by,
                     struct err *err)
{
    struct image_ref parsed;
    if (image_ref_init(&parsed, ref, err)) {
        return -1;
    }
    const char *url = p->j->q->server->public_url;
    const char *host = strstr(url, "://") ? strstr(url, "://") + 3 : url;
    const char *last = image_ref_last_part(&parsed);
    err_set(err, ERR_USAGE,
            "image %s with tag %s (%s) is neither in the registry nor in the "
            "image store",
            parsed.name, parsed.tag, wanted_by);
    err_hint(err, "push it: docker tag %s %s/%s:%s && docker push %s/%s:%s", ref, host, last,
             parsed.tag, host, last, parsed.tag);
    image_ref_fini(&parsed);
    return -1;
}

/* `wanted_by`: "service etcd0", for messages. */
static int resolve_image(struct preparing *p, const char *ref, const char *wanted_by,
                         char id[DIGEST_HEX], struct err *err)
{
    cleanup_buf struct buf repository = {0}, digest = {0};
    cleanup_err struct err unknown = {0};
    if (job_must_end(p->j)) {
        return err_set(err, ERR_SETUP, "interrupted");
    }
    int found = registry_resolve(p->j->q->server->registry, ref, &repository, &digest, err);
    if (found < 0) {
        return err_wrap(err, "image %s (%s)", ref, wanted_by);
    }
    if (found) {
        return load_from_registry(p, ref, repository.data, digest.data, id, err);
    }
    if (image_resolve(p->store, ref, id, &unknown) == 0) {
        build_log_put(p->j->log, false, "%s: sha256:%.12s in the image store", ref, id);
        return note_stored(p, ref, id, err);
    }
    return not_found(p, ref, wanted_by, err);
}

/* --- the config image ---------------------------------------------------------------------------
 */

static int check_contents(const struct image *image, const char *ref, struct err *err)
{
    bool compose = image_lookup(image, "/docker-compose.yaml", true) != 0;
    bool manifests = image_lookup(image, "/manifests", true) != 0;
    if (compose && !manifests) {
        return 0;
    }
    if (compose) {
        err_set(err, ERR_USAGE, "config image %s has both /docker-compose.yaml and /manifests",
                ref);
        return err_hint(err, "leave one of them out");
    }
    if (manifests) {
        err_set(err, ERR_USAGE,
                "config image %s holds Kubernetes manifests, which Everett does "
                "not run",
                ref);
        return err_hint(err, "describe the system in /docker-compose.yaml");
    }
    err_set(err, ERR_USAGE, "config image %s has no /docker-compose.yaml", ref);
    return err_hint(err, image_lookup(image, "/docker-compose.yml", true)
                             ? "it has /docker-compose.yml: give it the ending .yaml"
                             : "build it FROM scratch with COPY docker-compose.yaml "
                               "/docker-compose.yaml");
}

static int unpack(struct preparing *p, const struct image *image, struct err *err)
{
    cleanup_free char *input = job_path(p->j, "input"), *part = job_path(p->j, "input.part");
    if (files_remove_tree(input) || files_remove_tree(part) || mkdir(part, 0755)) {
        return files_errno(err, errno, "cannot make %s", part);
    }
    cleanup_close int fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || image_extract(image, fd, &config_limits, err)) {
        return fd < 0 ? err_errno(err, errno, "cannot open %s", part) : -1;
    }
    return rename(part, input) ? err_errno(err, errno, "cannot rename %s", part) : 0;
}

static int prepare_config(struct preparing *p, struct err *err)
{
    char id[DIGEST_HEX];
    const char *ref = param_text(p->j->params, PARAM_CONFIG_IMAGE);
    if (!ref) {
        return err_set(err, ERR_USAGE, PARAM_CONFIG_IMAGE " is missing");
    }
    if (resolve_image(p, ref, PARAM_CONFIG_IMAGE, id, err)) {
        return -1;
    }
    struct image *image = image_open_id(p->store, id, err);
    if (!image) {
        return err_wrap(err, "config image %s", ref);
    }
    int r = check_contents(image, ref, err) || unpack(p, image, err) ? -1 : 0;
    image_close(image);
    if (r == 0) {
        build_log_put(p->j->log, false, "%s: unpacked", ref);
    }
    return r;
}

/* --- the images of the system -------------------------------------------------------------------
 */

struct override {
    const struct image_ref *wanted;
    char *with; /* owned, or NULL */
};

/* Of antithesis.images: same last part of the name and same tag; a digest stands for any tag. */
static int find_override(void *ctx, const char *word, struct err *err)
{
    struct override *o = ctx;
    struct image_ref ref;
    if (image_ref_init(&ref, word, err)) {
        return -1;
    }
    const char *slash = strrchr(word, '/');
    bool has_tag = strchr(slash ? slash : word, ':') && !ref.digest[0];
    bool same = strcmp(image_ref_last_part(&ref), image_ref_last_part(o->wanted)) == 0 &&
                (!has_tag || strcmp(ref.tag, o->wanted->tag) == 0) && !o->wanted->digest[0];
    image_ref_fini(&ref);
    if (same) {
        o->with = mem_strdup(word);
    }
    return same;
}

/* The reference to look up for one of the compose file; the caller frees it. NULL on error. */
static char *chosen_reference(const struct preparing *p, const char *ref, struct err *err)
{
    struct image_ref parsed;
    if (image_ref_init(&parsed, ref, err)) {
        return NULL;
    }
    struct override o = {.wanted = &parsed};
    int r = param_each_word(param_text(p->j->params, PARAM_IMAGES), ";", find_override, &o, err);
    image_ref_fini(&parsed);
    if (r < 0) {
        return NULL;
    }
    return o.with ? o.with : mem_strdup(ref);
}

static bool was_loaded(const struct preparing *p, const char *ref)
{
    for (size_t i = 0; i < p->loaded_count; i++) {
        if (strcmp(p->loaded[i], ref) == 0) {
            return true;
        }
    }
    return false;
}

static int pin(struct preparing *p, const char *ref, const char *service, struct err *err)
{
    char id[DIGEST_HEX];
    cleanup_buf struct buf who = {0};
    if (was_loaded(p, ref)) {
        return 0;
    }
    cleanup_free char *chosen = chosen_reference(p, ref, err);
    buf_printf(&who, "service %s", service);
    if (!chosen || resolve_image(p, chosen, who.data, id, err)) {
        return -1;
    }
    *ARRAY_PUSH(p->loaded, p->loaded_count, p->loaded_cap) = mem_strdup(ref);
    if (strcmp(chosen, ref) != 0) {
        *ARRAY_PUSH(p->loaded, p->loaded_count, p->loaded_cap) = mem_strdup(chosen);
    }
    buf_printf(&p->pins, "%s sha256:%s\n", ref, id);
    return 0;
}

static int pin_services(struct preparing *p, struct err *err)
{
    cleanup_free char *input = job_path(p->j, "input");
    struct compose_project *project = NULL;
    if (compose_load(input, NULL, &project, err)) {
        return -1;
    }
    int r = 0;
    for (size_t i = 0; r == 0 && i < project->container_count; i++) {
        const struct compose_service *s = &project->services[project->containers[i].service];
        r = pin(p, s->image, s->name, err);
    }
    compose_destroy(project);
    return r;
}

/* Images that no service names are looked up too: a wrong name is better told at once. */
static int load_listed(void *ctx, const char *word, struct err *err)
{
    struct preparing *p = ctx;
    char id[DIGEST_HEX];
    return was_loaded(p, word) ? 0 : resolve_image(p, word, PARAM_IMAGES, id, err);
}

static int prepare_all(struct preparing *p, struct err *err)
{
    cleanup_free char *pins = job_path(p->j, "images"), *list = job_path(p->j, "images.json");
    if (prepare_config(p, err) || pin_services(p, err) ||
        param_each_word(param_text(p->j->params, PARAM_IMAGES), ";", load_listed, p, err)) {
        return -1;
    }
    cleanup_free char *resolved = json_dumps(p->resolved, JSON_COMPACT);
    ASSERT(resolved);
    /* The pins last: they say that all is there. */
    return files_replace(list, resolved, strlen(resolved), err) ||
                   files_replace(pins, p->pins.data ? p->pins.data : "", p->pins.len, err)
               ? -1
               : 0;
}

int job_prepare(struct job *j, struct err *err)
{
    cleanup_free char *pins = job_path(j, "images");
    cleanup_buf struct buf home = {0};
    if (access(pins, F_OK) == 0) {
        return 0;
    }
    buf_printf(&home, "%s/images", j->q->server->dir);
    struct preparing p = {
        .j = j, .store = image_store_open(home.data, err), .resolved = json_array()};
    int r = p.store ? prepare_all(&p, err) : -1;
    if (p.store) {
        image_store_close(p.store);
    }
    for (size_t i = 0; i < p.loaded_count; i++) {
        free(p.loaded[i]);
    }
    free(p.loaded);
    buf_free(&p.pins);
    json_decref(p.resolved);
    return r;
}
