#include "cli/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/log_lines.h"
#include "explorer/strategy.h"
#include "image/store.h"
#include "runner/run_inputs.h"
#include "runner/universe.h"
#include "store/files.h"
#include "store/hide.h"

static int remember(void *ctx, const struct event *e)
{
    struct history *h = ctx;
    struct history_record *r = ARRAY_PUSH(h->stored, h->stored_count, h->stored_cap);
    digest_bytes(e, e->size, r->sum);
    r->is_hidden = hide_is_hidden(e);
    universe_note_spin(e, &h->spins, &h->spin_count, &h->spin_cap);
    h->stored_end_ns = e->vtime_ns;
    return 0;
}

/* The store that the run used, while it is there: a copied run is content with any that has the
 * same images. */
static struct image_store *open_images(const char *inputs, struct err *err)
{
    cleanup_buf struct buf path = {0}, kept = {0}, index = {0};
    cleanup_err struct err missing = {0};
    buf_printf(&path, "%s/" IMAGE_STORE_INPUT, inputs);
    if (files_read(path.data, &kept, &missing) == 0) {
        buf_printf(&index, "%s/index", kept.data);
    }
    return image_store_open(index.len && access(index.data, W_OK) == 0 ? kept.data : NULL, err);
}

static int load_inputs(struct history *h, const char *run, struct err *err)
{
    cleanup_buf struct buf dir = {0};
    char engine[DIGEST_HEX];
    buf_printf(&dir, "%s/inputs", run);
    h->images = h->engine ? open_images(dir.data, err) : NULL;
    if (!h->images || run_inputs_load(dir.data, h->images, &h->plan, engine, err) ||
        run_identity_of(&h->plan, h->engine, h->identity, err)) {
        return -1;
    }
    if (strcmp(engine, h->identity->engine) != 0) {
        fprintf(stderr,
                "warning: another engine build made this run (sha256:%.12s, this one is "
                "sha256:%.12s); histories may differ\n",
                engine, h->identity->engine);
    }
    return 0;
}

int history_open(struct history *h, const char *run, const char *moment, const char *engine,
                 struct err *err)
{
    *h = (struct history){0};
    h->identity = mem_zalloc(sizeof *h->identity);
    h->engine = engine ? mem_strdup(engine) : cli_companion("everett-engine", err);
    h->store = h->engine ? store_open(run, err) : NULL;
    if (!h->store || log_find(h->store, moment, &h->universe, &h->at_ns, err) ||
        load_inputs(h, run, err)) {
        return -1;
    }
    h->is_cut = h->universe.end_reason == END_STOPPED || h->universe.end_reason == END_WALL_LIMIT;
    if (store_each_event(h->store, h->universe.number, 0, UINT64_MAX, remember, h, err) < 0) {
        return -1;
    }
    struct strategy s = strategy_of(h->identity, h->universe.seed);
    s.input_hash = h->universe.input_hash; /* the run's, also where the engine differs */
    strategy_apply(&s, plan_head(&h->plan.builder));
    return 0;
}

void history_fini(struct history *h)
{
    compose_plan_fini(&h->plan);
    if (h->images) {
        image_store_close(h->images);
    }
    store_universe_free(&h->universe);
    store_close(h->store);
    free(h->identity);
    free(h->engine);
    free(h->stored);
    free(h->spins);
}

bool history_has(const struct history *h, size_t at, const struct event *e)
{
    uint8_t sum[DIGEST_LEN];
    cleanup_buf struct buf stub = {0};
    if (at >= h->stored_count) {
        return false;
    }
    if (h->stored[at].is_hidden && hide_can(e)) {
        hide_record(e, &stub);
        e = (const struct event *)(const void *)stub.data;
    }
    digest_bytes(e, e->size, sum);
    return memcmp(sum, h->stored[at].sum, sizeof sum) == 0;
}
