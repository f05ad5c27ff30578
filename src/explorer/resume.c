#include "explorer/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "explorer/novelty.h"
#include "store/ingest.h"
#include "store/store.h"

struct reading {
    struct store *store;
    struct resumed *out;
    struct novelty *seen;
    const char **names;
    size_t name_count;
    uint64_t *numbers; /* owned */
    size_t count, cap;
};

static int count(void *ctx, const struct store_universe *u)
{
    struct reading *r = ctx;
    struct resumed *out = r->out;
    *ARRAY_PUSH(r->numbers, r->count, r->cap) = u->number;
    out->universes++;
    out->setups += u->setup_complete;
    out->virtual_ns += u->virtual_ns;
    out->engine_errors += u->engine_error != NULL;
    out->next_number = max_u64(out->next_number, u->number + 1);
    if (u->number == 0) {
        memcpy(out->digest, u->digest, sizeof out->digest);
    }
    return 0;
}

static int last_wall(void *ctx, const struct store_progress *p)
{
    struct resumed *out = ctx;
    out->wall_ns = max_u64(out->wall_ns, p->wall_ns);
    return 0;
}

struct universe_behaviours {
    struct ingest *ingest;
    struct novelty own;
};

static int take_event(void *ctx, const struct event *e)
{
    struct universe_behaviours *b = ctx;
    ingest_event(b->ingest, e);
    novelty_event(&b->own, e);
    return 0;
}

/* The same sum as when it ran: its own set first, then that into the run's. */
static int add_behaviours(struct reading *r, uint64_t number, struct err *err)
{
    struct universe_behaviours b = {.ingest = ingest_create(number, r->names, r->name_count)};
    int status = store_each_event(r->store, number, 0, UINT64_MAX, take_event, &b, err);
    if (status == 0) {
        ingest_finish(b.ingest, NULL);
        novelty_properties(&b.own, ingest_set(b.ingest));
    }
    for (size_t i = 0; status == 0 && i < b.own.cap; i++) {
        if (b.own.table[i]) {
            novelty_add(r->seen, b.own.table[i]);
        }
    }
    novelty_fini(&b.own);
    ingest_destroy(b.ingest);
    return status;
}

int resume_read(struct store *s, struct resumed *out, struct novelty *seen, struct err *err)
{
    struct reading r = {.store = s, .out = out, .seen = seen};
    *out = (struct resumed){0};
    if (store_each_universe(s, count, &r, err) || store_each_progress(s, last_wall, out, err)) {
        free(r.numbers);
        return -1;
    }
    const struct store_node *nodes = store_nodes(s, &r.name_count);
    r.names = mem_zalloc((r.name_count + 1) * sizeof *r.names);
    for (size_t i = 0; i < r.name_count; i++) {
        r.names[i] = nodes[i].name;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < r.count; i++) {
        status = add_behaviours(&r, r.numbers[i], err);
    }
    free(r.names);
    free(r.numbers);
    return status;
}
