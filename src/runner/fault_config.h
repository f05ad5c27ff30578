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
 *     exclude:   {network: [etcd0], kill: ["client*"]}           # nodes a fault never strikes
 *
 * `every` is the mean of the exponential interval between two faults of a kind; `for` one duration
 * or the bounds of a uniform one. Times are virtual. `exclude` maps network, pause, kill, stop or
 * all to names of containers or services, as shell patterns; it adds to the compose label
 * com.antithesis.exclude_from_faults. */
#ifndef EVERETT_RUNNER_FAULT_CONFIG_H
#define EVERETT_RUNNER_FAULT_CONFIG_H

#include "abi/plan.h"
#include "base/err.h"

struct buf;

struct fault_exclusion {
    char *pattern; /* owned; as fnmatch(3) */
    uint32_t bits; /* PLAN_EXCLUDE_* */
};

struct fault_config {
    struct plan_faults faults;
    struct plan_link link;
    struct fault_exclusion *exclusions; /* owned */
    size_t exclusion_count, exclusion_cap;
};

/* The first two initialise; the third, called on a zeroed or filled one, frees what it holds. */
void fault_config_default(struct fault_config *c);
/* No faults; links keep their base quality. */
void fault_config_none(struct fault_config *c);
void fault_config_fini(struct fault_config *c);
/* ERR_USAGE with `file:line:col` and a caret. */
int fault_config_read(struct fault_config *c, const char *path, struct err *err) must_check;
/* PLAN_EXCLUDE_* bits of a container; each name may be NULL. */
uint32_t fault_config_excluded(const struct fault_config *c, const char *container,
                               const char *service);
/* PLAN_EXCLUDE_* of "network", "pause", "kill", "stop", "all"; 0 for any other word. */
uint32_t fault_exclude_bits(const char *word);
/* As a JSON object in the file's own form. */
void fault_config_json(const struct fault_config *c, struct buf *out);

#endif
