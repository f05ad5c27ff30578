/* Shared by the files that implement compose_plan.h; for them only. */
#ifndef EVERETT_RUNNER_COMPOSE_PLAN_PRIV_H
#define EVERETT_RUNNER_COMPOSE_PLAN_PRIV_H

#include "compose/compose.h"
#include "image/image.h"
#include "image/packdir.h"
#include "runner/compose_plan.h"

/* An injected pack in the making: files collected first, packed once. */
struct injected {
    struct image_pack_file *files;
    size_t count, cap;
    struct buf *contents; /* parallel to files */
    size_t content_count, content_cap;
};

struct composing {
    struct compose_plan *out;
    const struct compose_plan_request *r;
    const struct compose_project *p;
    struct err *err;
    size_t injected_image;       /* position in out->images once packed */
    struct plan_volume *volumes; /* owned */
    size_t volume_count, volume_cap;
};

/* One container. */
struct node_source {
    size_t index;
    const struct compose_container *container;
    const struct compose_service *service;
    const struct image *image;
    struct image_user user;
};

void composing_warn(struct composing *c, const char *fmt, ...) printf_like(2, 3);

/* compose_inject.c: packs what Everett and the project's configs and secrets put into containers.
 */
int composing_inject(struct composing *c) must_check;
/* "/files/SERVICE/N": where configs and secrets lie in the injected pack. The caller frees it. */
char *injected_file_path(const char *service, size_t n);

/* compose_mounts.c: packs the binds of all containers; then mounts, parents before children. */
int composing_pack_binds(struct composing *c) must_check;
int composing_mounts(struct composing *c, const struct node_source *s,
                     struct plan_list *out) must_check;

/* compose_node.c */
int composing_node(struct composing *c, const struct node_source *s,
                   struct plan_node *n) must_check;

#endif
