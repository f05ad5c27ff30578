/* Mounts of a container: what the compose file and the image ask for, and what Everett adds. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/guestcall.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "runner/compose_plan_priv.h"

/* A mount with its target still as text, for sorting. */
struct draft {
    struct plan_mount m;
    const char *target; /* borrowed */
    char *subpath;      /* owned or NULL */
    size_t order;       /* of two at one target the later one lies on top */
};

struct drafts {
    struct draft *items;
    size_t count, cap;
};

static struct draft *draft(struct drafts *d, uint32_t kind, const char *target)
{
    struct draft *x = ARRAY_PUSH(d->items, d->count, d->cap);
    x->m.kind = kind;
    x->target = target;
    x->order = d->count;
    return x;
}

/* --- binds ------------------------------------------------------------------------------------ */

/* realpath(3) of a bind must stay below that of the compose directory: packing follows only links
 * inside the tree it packs, and must not begin outside. */
static char *bind_path(const struct composing *c, const char *source)
{
    cleanup_buf struct buf path = {0};
    buf_printf(&path, "%s/%s", c->r->dir, source);
    cleanup_free char *base = realpath(c->r->dir, NULL);
    char *full = realpath(path.data, NULL);
    if (!base || !full) {
        err_errno(c->err, errno, "bind %s", source);
        free(full);
        return NULL;
    }
    size_t n = strlen(base);
    if (strncmp(full, base, n) != 0 || (full[n] && full[n] != '/')) {
        err_set(c->err, ERR_USAGE, "bind %s leads out of the compose directory (to %s)", source,
                full);
        err_hint(c->err, "copy the files beside the compose file");
        free(full);
        return NULL;
    }
    return full;
}

static int pack_bind(struct composing *c, const struct compose_mount *m)
{
    if (m->type != COMPOSE_MOUNT_BIND || m->empty_source ||
        system_images_find(&c->out->images, SYSTEM_IMAGE_BIND, m->source) != SIZE_MAX) {
        return 0;
    }
    cleanup_free char *path = bind_path(c, m->source);
    struct image *image = path ? image_pack_dir(c->r->store, path, NULL, c->err) : NULL;
    if (!image) {
        return err_wrap(c->err, "bind %s", m->source);
    }
    system_images_add(&c->out->images, SYSTEM_IMAGE_BIND, m->source, image);
    return 0;
}

int composing_pack_binds(struct composing *c)
{
    for (size_t i = 0; i < c->p->container_count; i++) {
        const struct compose_service *s = &c->p->services[c->p->containers[i].service];
        for (size_t k = 0; k < s->mount_count; k++) {
            if (pack_bind(c, &s->mounts[k])) {
                return -1;
            }
        }
    }
    return 0;
}

/* A single file is packed as a root directory with that file in it. */
static char *bind_subpath(const struct composing *c, const struct compose_mount *m)
{
    cleanup_free char *path = bind_path(c, m->source);
    struct stat st;
    if (!path || stat(path, &st) || S_ISDIR(st.st_mode)) {
        return NULL;
    }
    struct buf b = {0};
    buf_printf(&b, "/%s", strrchr(path, '/') + 1);
    return buf_steal(&b);
}

/* --- volumes ---------------------------------------------------------------------------------- */

static uint32_t add_volume(struct composing *c, const char *name)
{
    uint32_t index = (uint32_t)c->volume_count;
    plan_str s = plan_put_str(&c->out->builder, name);
    ARRAY_PUSH(c->volumes, c->volume_count, c->volume_cap)->name = s;
    return index;
}

/* A fresh volume of one container; the name only shows in messages. */
static uint32_t add_anonymous(struct composing *c, const struct node_source *s, const char *target)
{
    cleanup_buf struct buf name = {0};
    buf_printf(&name, "%s:%s", s->container->name, target);
    return add_volume(c, name.data);
}

static uint32_t named_volume(const struct compose_project *p, const char *key)
{
    for (size_t i = 0; i < p->volume_count; i++) {
        if (strcmp(p->volumes[i].key, key) == 0) {
            return (uint32_t)i; /* the project's volumes come first in the plan */
        }
    }
    ASSERT(!"a volume that the project does not have");
    return 0;
}

/* --- drafts ----------------------------------------------------------------------------------- */

static void draft_volume(struct composing *c, struct drafts *d, const struct node_source *s,
                         const struct compose_mount *m)
{
    if (m->no_copy) {
        composing_warn(c, "service %s: volume %s is filled from the image although `nocopy` is set",
                       s->service->name, m->target);
    }
    struct draft *x = draft(d, PLAN_MOUNT_VOLUME, m->target);
    x->m.source = m->type == COMPOSE_MOUNT_VOLUME ? named_volume(c->p, m->source)
                                                  : add_anonymous(c, s, m->target);
    x->subpath = m->subpath ? mem_strdup(m->subpath) : NULL;
    x->m.read_only = m->read_only;
}

static void draft_bind(const struct composing *c, struct drafts *d, const struct compose_mount *m)
{
    size_t image = system_images_find(&c->out->images, SYSTEM_IMAGE_BIND, m->source);
    struct draft *x = draft(d, m->empty_source ? PLAN_MOUNT_EMPTY : PLAN_MOUNT_PACK, m->target);
    if (!m->empty_source) {
        ASSERT(image != SIZE_MAX);
        x->m.source = (uint32_t)image;
        x->subpath = bind_subpath(c, m);
    }
    x->m.read_only = m->read_only;
}

static void draft_tmpfs(struct composing *c, struct drafts *d, const struct node_source *s,
                        const struct compose_mount *m)
{
    struct draft *x = draft(d, PLAN_MOUNT_TMPFS, m->target);
    x->m.mode = m->mode;
    x->m.size_bytes = m->size;
    x->m.read_only = m->read_only;
    if (m->uid || m->gid) {
        composing_warn(c, "service %s: tmpfs %s belongs to root (uid %u, gid %u asked)",
                       s->service->name, m->target, m->uid, m->gid);
    }
}

static int draft_service(struct composing *c, struct drafts *d, const struct node_source *s)
{
    for (size_t i = 0; i < s->service->mount_count; i++) {
        const struct compose_mount *m = &s->service->mounts[i];
        switch (m->type) {
        case COMPOSE_MOUNT_VOLUME:
        case COMPOSE_MOUNT_ANONYMOUS:
            draft_volume(c, d, s, m);
            break;
        case COMPOSE_MOUNT_BIND:
            draft_bind(c, d, m);
            break;
        case COMPOSE_MOUNT_TMPFS:
            draft_tmpfs(c, d, s, m);
            break;
        }
    }
    for (size_t i = 0; i < s->service->file_count; i++) {
        struct draft *x = draft(d, PLAN_MOUNT_PACK, s->service->files[i].target);
        x->m.source = (uint32_t)c->injected_image;
        x->subpath = injected_file_path(s->service->name, i);
        x->m.read_only = 1;
    }
    return 0;
}

static bool is_target(const struct drafts *d, const char *path)
{
    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(d->items[i].target, path) == 0) {
            return true;
        }
    }
    return false;
}

/* VOLUME in an image makes an anonymous volume wherever the compose file mounts nothing. */
static void draft_image_volumes(struct composing *c, struct drafts *d, const struct node_source *s)
{
    for (size_t i = 0; i < s->image->config.volumes.count; i++) {
        const char *target = s->image->config.volumes.items[i];
        if (target[0] == '/' && target[1] && !is_target(d, target)) {
            draft(d, PLAN_MOUNT_VOLUME, target)->m.source = add_anonymous(c, s, target);
        }
    }
}

static void draft_injected(const struct composing *c, struct drafts *d)
{
    static const char *const files[] = {GUEST_LIBVOIDSTAR, GUEST_STOP_FAULTS};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct draft *x = draft(d, PLAN_MOUNT_PACK, files[i]);
        x->m.source = (uint32_t)c->injected_image;
        x->subpath = mem_strdup(files[i]);
        x->m.read_only = 1;
    }
    draft(d, PLAN_MOUNT_SDK, GUEST_OUTPUT_DIR)->m.mode = 01777;
}

/* Bytewise by target puts "/a" before "/a/b", which is all that mounting needs. */
static int by_target(const void *pa, const void *pb)
{
    const struct draft *a = pa, *b = pb;
    int r = strcmp(a->target, b->target);
    return r ? r : a->order < b->order ? -1 : 1;
}

static struct plan_list put_drafts(struct composing *c, struct drafts *d)
{
    struct plan_mount *list = mem_zalloc((d->count + 1) * sizeof *list);
    qsort(d->items, d->count, sizeof *d->items, by_target);
    for (size_t i = 0; i < d->count; i++) {
        list[i] = d->items[i].m;
        list[i].target = plan_put_str(&c->out->builder, d->items[i].target);
        list[i].subpath = plan_put_str(&c->out->builder, d->items[i].subpath);
    }
    struct plan_list out = plan_put_list(&c->out->builder, list, d->count, sizeof *list);
    free(list);
    return out;
}

int composing_mounts(struct composing *c, const struct node_source *s, struct plan_list *out)
{
    struct drafts d = {0};
    int r = draft_service(c, &d, s);
    if (r == 0) {
        draft_image_volumes(c, &d, s);
        draft_injected(c, &d);
        *out = put_drafts(c, &d);
    }
    for (size_t i = 0; i < d.count; i++) {
        free(d.items[i].subpath);
    }
    free(d.items);
    return r;
}
