/* Which faults a run injects, how often and for how long: `--faults FILE|none`.
 *
 * The file is YAML (or JSON), a mapping from fault to its numbers; faults that are not named keep
 * their defaults:
 *
 *     partition: {every: 10s, for: [500ms, 8s]}   # nodes split into groups
 *     clog:      {every: 10s, for: [200ms, 6s]}   # links of some nodes disturbed
 *     pause:     off                              # all processes of a node frozen
 *     kill:      {every: 30s, for: [1s, 5s]}      # node crashes, restarts after `for`
 *     link:      {latency: 200us, jitter: 300us, loss: 0.0001}   # between nodes, always
 *
 * `every` is the mean of the exponential interval between two faults of a kind; `for` one duration
 * or the bounds of a uniform one. Times are virtual. */
#ifndef EVERETT_RUNNER_FAULT_CONFIG_H
#define EVERETT_RUNNER_FAULT_CONFIG_H

#include "abi/plan.h"
#include "base/err.h"

struct buf;

struct fault_config {
    struct plan_faults faults;
    struct plan_link link;
};

void fault_config_default(struct fault_config *c);
/* No faults; links keep their base quality. */
void fault_config_none(struct fault_config *c);
/* ERR_USAGE with `file:line:col` and a caret. */
int fault_config_read(struct fault_config *c, const char *path, struct err *err) must_check;
/* As a JSON object in the file's own form. */
void fault_config_json(const struct fault_config *c, struct buf *out);

#endif
