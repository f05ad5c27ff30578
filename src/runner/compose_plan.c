#include "runner/compose_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runner/compose_plan_priv.h"
#include "runner/exec_plan.h"

void composing_warn(struct composing *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = mem_vprintf(fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < c->out->warning_count; i++) {
        if (strcmp(c->out->warnings[i], text) == 0) { /* replicas say the same */
            free(text);
            return;
        }
    }
    *ARRAY_PUSH(c->out->warnings, c->out->warning_count, c->out->warning_cap) = text;
}

static void hex_to_bytes(const char *hex, uint8_t out[DIGEST_LEN])
{
    for (size_t i = 0; i < DIGEST_LEN; i++) {
        unsigned byte = 0;
        int n = sscanf(hex + 2 * i, "%2x", &byte);
        ASSERT(n == 1);
        out[i] = (uint8_t)byte;
    }
}

static struct plan_list put_images(struct composing *c)
{
    const struct system_images *s = &c->out->images;
    struct plan_image *v = mem_zalloc((s->count + 1) * sizeof *v);
    for (size_t i = 0; i < s->count; i++) {
        v[i] = plan_image_of(&c->out->builder, s->items[i].image, s->items[i].name);
        hex_to_bytes(s->items[i].id, v[i].id);
    }
    struct plan_list out = plan_put_list(&c->out->builder, v, s->count, sizeof *v);
    free(v);
    return out;
}

static struct plan_list put_networks(struct composing *c)
{
    struct plan_network *v = mem_zalloc((c->p->network_count + 1) * sizeof *v);
    for (size_t i = 0; i < c->p->network_count; i++) {
        const struct compose_network *n = &c->p->networks[i];
        v[i].name = plan_put_str(&c->out->builder, n->name);
        v[i].internal = n->internal;
        if (n->v4.base.family) {
            memcpy(v[i].subnet4, n->v4.base.bytes, sizeof v[i].subnet4);
            memcpy(v[i].gateway4, n->gateway4.bytes, sizeof v[i].gateway4);
            v[i].prefix4 = n->v4.prefix;
        }
        if (n->v6.base.family) {
            memcpy(v[i].subnet6, n->v6.base.bytes, sizeof v[i].subnet6);
            memcpy(v[i].gateway6, n->gateway6.bytes, sizeof v[i].gateway6);
            v[i].prefix6 = n->v6.prefix;
        }
    }
    struct plan_list out = plan_put_list(&c->out->builder, v, c->p->network_count, sizeof *v);
    free(v);
    return out;
}

/* Named volumes first, in the project's order: mounts refer to them by that position. */
static void begin_volumes(struct composing *c)
{
    for (size_t i = 0; i < c->p->volume_count; i++) {
        plan_str name = plan_put_str(&c->out->builder, c->p->volumes[i].name);
        ARRAY_PUSH(c->volumes, c->volume_count, c->volume_cap)->name = name;
    }
}

static int put_node(struct composing *c, size_t index, struct plan_node *n)
{
    const struct compose_container *container = &c->p->containers[index];
    const struct compose_service *service = &c->p->services[container->service];
    size_t at = system_images_find(&c->out->images, SYSTEM_IMAGE_STORED, service->image);
    ASSERT(at != SIZE_MAX);
    struct node_source s = {index, container, service, c->out->images.items[at].image, {0}};
    const char *user = service->user ? service->user : s.image->config.user;
    if (image_user_init(&s.user, s.image, user ? user : "", c->err)) {
        return err_wrap(c->err, "service %s: user", service->name);
    }
    int r = composing_node(c, &s, n);
    image_user_fini(&s.user);
    return r;
}

static int put_nodes(struct composing *c, struct plan_list *out)
{
    size_t count = c->p->container_count;
    struct plan_node *v = mem_zalloc((count + 1) * sizeof *v);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = put_node(c, i, &v[i]);
    }
    *out = plan_put_list(&c->out->builder, v, count, sizeof *v);
    free(v);
    return r;
}

static int build(struct composing *c)
{
    const struct compose_plan_request *r = c->r;
    struct plan_builder *b = &c->out->builder;
    struct plan_list nodes;
    if (system_images_open(&c->out->images, r->store, r->pins, c->p, c->err) ||
        composing_pack_binds(c) || composing_inject(c)) {
        return -1;
    }
    plan_set_defaults(plan_head(b), 0);
    struct plan_list images = put_images(c);
    struct plan_list networks = put_networks(c);
    begin_volumes(c);
    if (put_nodes(c, &nodes)) {
        return -1;
    }
    struct plan_list volumes = plan_put_list(b, c->volumes, c->volume_count, sizeof *c->volumes);
    plan_str template_only = plan_put_str(b, r->template_only);
    struct plan *p = plan_head(b);
    p->images = images;
    p->networks = networks;
    p->nodes = nodes;
    p->volumes = volumes;
    p->template_only = template_only;
    p->compose_test = 1;
    p->duration_ns = r->length_ns;
    p->setup_limit_ns = r->setup_limit_ns;
    p->link = r->faults->link;
    p->faults = r->faults->faults;
    plan_finish(b);
    return 0;
}

int compose_plan_build(struct compose_plan *cp, const struct compose_plan_request *r,
                       struct err *err)
{
    *cp = (struct compose_plan){0};
    plan_builder_init(&cp->builder);
    struct composing c = {.out = cp, .r = r, .p = r->project, .err = err};
    int status = build(&c);
    free(c.volumes);
    return status;
}

void compose_plan_fini(struct compose_plan *cp)
{
    plan_builder_fini(&cp->builder);
    system_images_fini(&cp->images);
    for (size_t i = 0; i < cp->warning_count; i++) {
        free(cp->warnings[i]);
    }
    free(cp->warnings);
    *cp = (struct compose_plan){0};
}
