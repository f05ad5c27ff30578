/* What a run keeps so that every one of its universes can be run again, bit for bit:
 *
 *   plan.bin           the boot plan with seed, input_hash and preempt_mean_calls zero
 *   images.json        engine build, and the images of the plan in its order, by id
 *   injected-N.index/.data   image N of the plan, when it lies in no image store
 *   image-store        path of the image store that the others came from
 *
 * The identity of a run hashes plan (which names images by digest) and engine build; together with
 * a seed it decides a history. */
#ifndef EVERETT_RUNNER_RUN_INPUTS_H
#define EVERETT_RUNNER_RUN_INPUTS_H

#include "base/buf.h"
#include "runner/compose_plan.h"

#define IMAGE_STORE_INPUT "image-store"

struct run_identity {
    uint8_t sum[DIGEST_LEN];
    char engine[DIGEST_HEX]; /* SHA-256 of the engine executable */
};

/* Of a finished plan whose seed, input_hash and preempt_mean_calls are zero. */
int run_identity_of(const struct compose_plan *cp, const char *engine_path,
                    struct run_identity *out, struct err *err) must_check;

struct run_input {
    char *name; /* owned */
    struct buf data;
};

struct run_inputs {
    struct run_input *items; /* owned */
    size_t count, cap;
};

int run_inputs_collect(const struct compose_plan *cp, const struct run_identity *id,
                       struct run_inputs *out, struct err *err) must_check;
void run_inputs_fini(struct run_inputs *in);

/* Reads them back from the directory `dir` into a plan ready to run; images come from `store`.
 * `engine` is the build that made the run. ERR_USAGE names images that are gone. */
int run_inputs_load(const char *dir, struct image_store *store, struct compose_plan *cp,
                    char engine[DIGEST_HEX], struct err *err) must_check;

#endif
