/* A lambda's life: its tree, and the memory of one evaluation. */
#include "server/api/lambda.h"

#include <stdlib.h>

#include "base/mem.h"
#include "server/api/lambda_priv.h"

#define CHUNK_BYTES (16u << 10)

/* Memory that goes all at once, when the event has been asked. */
struct chunk {
    struct chunk *next;
    size_t size;
    char data[];
};

struct arena {
    struct chunk *chunks; /* the newest first; one is kept from event to event */
    size_t used;          /* of the newest */
    size_t total;
};

static struct chunk *chunk_create(struct chunk *next, size_t size)
{
    struct chunk *c = mem_zalloc(sizeof *c + size);
    c->next = next;
    c->size = size;
    return c;
}

static void arena_reset(struct arena *a, bool all)
{
    while (a->chunks && (all || a->chunks->next)) {
        struct chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
    a->used = 0;
    a->total = a->chunks ? a->chunks->size : 0;
}

void *run_alloc(struct run *r, size_t size)
{
    struct arena *a = r->lambda->arena;
    size = round_up_u64(size, sizeof(max_align_t));
    if (size > LAMBDA_MEMORY_MAX || a->total > LAMBDA_MEMORY_MAX) {
        run_fail(r);
        return NULL;
    }
    if (!a->chunks || a->chunks->size - a->used < size) {
        size_t bytes = max_u64(size, CHUNK_BYTES);
        a->chunks = chunk_create(a->chunks, bytes);
        a->used = 0;
        a->total += bytes;
    }
    void *p = a->chunks->data + a->used;
    a->used += size;
    return p;
}

struct value run_fail(struct run *r)
{
    r->has_failed = true;
    return (struct value){0};
}

bool lambda_holds(struct lambda *l, const json_t *event)
{
    struct run r = {.lambda = l, .steps = LAMBDA_STEPS_MAX};
    if (!l->arena) {
        l->arena = mem_zalloc(sizeof *l->arena);
    }
    struct value v = lambda_evaluate(&r, event);
    bool holds = !r.has_failed && value_truth(v);
    arena_reset(l->arena, false);
    return holds;
}

void lambda_free(struct lambda *l)
{
    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->count; i++) {
        struct node *n = l->nodes[i];
        for (unsigned k = 0; k < n->param_count; k++) {
            free(n->params[k]);
        }
        pcre2_code_free(n->regex);
        free(n->text);
        free(n->kids);
        free(n);
    }
    if (l->arena) {
        arena_reset(l->arena, true);
        free(l->arena);
    }
    free(l->nodes);
    free(l);
}
