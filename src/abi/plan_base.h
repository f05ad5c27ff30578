/* How the boot plan refers to its parts. */
#ifndef EVERETT_ABI_PLAN_BASE_H
#define EVERETT_ABI_PLAN_BASE_H

#include <stdint.h>

typedef uint32_t plan_str; /* offset of a string */

struct plan_list {
    uint32_t off; /* of the first element */
    uint32_t count;
};

#endif
