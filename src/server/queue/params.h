/* The parameters of a launch (the names users know): checked, made strings, secrets taken out. */
#ifndef EVERETT_SERVER_QUEUE_PARAMS_H
#define EVERETT_SERVER_QUEUE_PARAMS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define PARAM_CONFIG_IMAGE "antithesis.config_image"
#define PARAM_IMAGES       "antithesis.images"
#define PARAM_FILTER       "antithesis.filter_logs_matching"
#define PARAM_RECIPIENTS   "antithesis.report.recipients"

struct launch_params {
    json_t *shown;   /* owned: every parameter as a string, without secrets */
    json_t *secrets; /* owned: tokens and callback URLs, same names; may be empty */
    double duration_s;
    bool is_ephemeral;
};

/* `in` is the request's "params". Numbers and truth values become their text, null is as if it were
 * absent, unknown parameters are kept. ERR_USAGE names the parameter, what is wrong and the fix. */
int launch_params_read(struct launch_params *p, const json_t *in, uint64_t duration_max_minutes,
                       struct err *err) must_check;
void launch_params_fini(struct launch_params *p);

/* Of stored parameters; NULL when absent. Borrowed. */
const char *param_text(const json_t *params, const char *name);
/* "true", "1", "yes", "on" and their opposites in any case; `otherwise` for anything else. */
bool param_bool(const json_t *params, const char *name, bool otherwise);
/* Visits the words of a list between any of `separators`, without blanks around them. */
typedef int param_word_fn(void *ctx, const char *word, struct err *err);
int param_each_word(const char *list, const char *separators, param_word_fn *fn, void *ctx,
                    struct err *err);

/* "etcd-config": test_name, else the last part of the config image's name. Appends. */
void param_run_name(const json_t *params, struct buf *out);
/* What the parameters exclude from faults, as a file for `everett run --faults`; appends nothing
 * when they say nothing. */
void param_faults(const json_t *params, struct buf *out);

#endif
