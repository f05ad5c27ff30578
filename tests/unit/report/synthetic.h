/* Makes a run directory as a real run of three etcd members and two clients would leave it: some
 * hundred events in each of several universes, partitions and kills, one property that fails, one
 * never reached, and log lines that try to break out of the report. */
#ifndef EVERETT_TESTS_SYNTHETIC_H
#define EVERETT_TESTS_SYNTHETIC_H

#include "base/err.h"

#define SYNTHETIC_UNIVERSES 12u
#define LOST                "Counter never loses an acknowledged increment"

enum synthetic_kind {
    SYNTHETIC_FAILING, /* the run of today */
    SYNTHETIC_EARLIER, /* an earlier run of the same source, in which another property failed */
    SYNTHETIC_EMPTY,   /* nothing has finished yet */
    SYNTHETIC_SETUP_FAILED, /* set-up never completed */
    SYNTHETIC_PASSING,
};

int synthetic_run(const char *dir, enum synthetic_kind kind, struct err *err) must_check;

#endif
