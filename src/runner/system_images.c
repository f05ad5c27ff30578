#include "runner/system_images.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "compose/compose.h"
#include "image/image.h"
#include "image/refs.h"
#include "runner/image_pins.h"

size_t system_images_find(const struct system_images *s, enum system_image_kind kind,
                          const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].kind == kind && strcmp(s->items[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t system_images_add(struct system_images *s, enum system_image_kind kind, const char *name,
                         struct image *image)
{
    size_t at = s->count;
    struct system_image *i = ARRAY_PUSH(s->items, s->count, s->cap);
    i->kind = kind;
    i->name = mem_strdup(name);
    i->image = image;
    if (image->record.id[0]) {
        memcpy(i->id, image->record.id, sizeof i->id);
    } else {
        uint8_t sum[DIGEST_LEN];
        digest_bytes(image->index, image->index_len, sum);
        digest_hex(sum, i->id);
    }
    return at;
}

void system_images_fini(struct system_images *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].name);
        if (s->items[i].image) {
            image_close(s->items[i].image);
        }
    }
    free(s->items);
    *s = (struct system_images){0};
}

/* "etcd0, etcd1": the containers' services that want `ref`, each once (containers are ordered by
 * service). */
static void put_wanting(struct buf *b, const struct compose_project *p, const char *ref)
{
    const char *last = NULL;
    for (size_t i = 0; i < p->container_count; i++) {
        const struct compose_service *s = &p->services[p->containers[i].service];
        if (strcmp(s->image, ref) == 0 && (!last || strcmp(last, s->name) != 0)) {
            buf_printf(b, "%s%s", last ? ", " : "", s->name);
            last = s->name;
        }
    }
}

struct missing {
    struct buf list;
    size_t count;
};

static void note_missing(struct missing *m, const struct compose_project *p, const char *ref,
                         const struct err *why)
{
    m->count++;
    buf_printf(&m->list, "\n  %s (", ref);
    put_wanting(&m->list, p, ref);
    buf_printf(&m->list, "): %s", why->msg ? why->msg : "not found");
}

static int check_platform(const struct image *image, const char *ref, struct err *err)
{
    const struct image_config *c = &image->config;
    bool known = c->architecture && c->architecture[0] && c->os && c->os[0];
    if (known && (strcmp(c->architecture, "amd64") != 0 || strcmp(c->os, "linux") != 0)) {
        err_set(err, ERR_USAGE, "image %s is for %s/%s, and a universe runs linux/amd64", ref,
                c->os, c->architecture);
        return err_hint(err, "build it with --platform linux/amd64");
    }
    return 0;
}

struct opening {
    struct image_store *store;
    const struct image_pins *pins;
    const struct compose_project *project;
};

/* 0 opened, 1 missing (noted), -1 error. */
static int open_one(struct system_images *s, const struct opening *o, const char *ref,
                    struct missing *missing, struct err *err)
{
    cleanup_err struct err why = {0};
    char found[DIGEST_HEX];
    const char *id = image_pins_find(o->pins, ref);
    if (!id && image_resolve(o->store, ref, found, &why)) {
        if (why.kind != ERR_USAGE) {
            return err_set(err, why.kind, "image %s: %s", ref, why.msg ? why.msg : "");
        }
        note_missing(missing, o->project, ref, &why);
        return 1;
    }
    struct image *image = image_open_id(o->store, id ? id : found, err);
    if (!image) {
        return err_wrap(err, "image %s", ref);
    }
    if (check_platform(image, ref, err)) {
        image_close(image);
        return -1;
    }
    system_images_add(s, SYSTEM_IMAGE_STORED, ref, image);
    return 0;
}

static bool asked_before(const struct compose_project *p, size_t container, const char *ref)
{
    for (size_t i = 0; i < container; i++) {
        if (strcmp(p->services[p->containers[i].service].image, ref) == 0) {
            return true;
        }
    }
    return false;
}

int system_images_open(struct system_images *s, struct image_store *store,
                       const struct image_pins *pins, const struct compose_project *project,
                       struct err *err)
{
    const struct opening o = {store, pins, project};
    struct missing missing = {0};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < project->container_count; i++) {
        const char *ref = project->services[project->containers[i].service].image;
        if (!asked_before(project, i, ref)) {
            r = open_one(s, &o, ref, &missing, err);
        }
    }
    if (r >= 0 && missing.count) {
        err_set(err, ERR_USAGE, "%zu image%s of the compose file %s not in the image store:%s",
                missing.count, missing.count == 1 ? "" : "s", missing.count == 1 ? "is" : "are",
                missing.list.data);
        r = err_hint(err, "save each with `docker save IMAGE -o FILE.tar` and type: everett image "
                          "load FILE.tar");
    }
    buf_free(&missing.list);
    return r < 0 ? -1 : 0;
}
