/* Shares a message, and so its first evaluations, with sdk_sample.c. */
#include <everett/everett.h>

_Static_assert(sizeof(struct everett_pair) == sizeof(const char *) + sizeof(struct everett_value),
               "C and C++ agree on the layout");

void sample_other(int value);

void sample_other(int value)
{
    EVERETT_SOMETIMES(value > 3, "x is above 3", everett_int("x", value));
    EVERETT_ALWAYS(value >= 0, "Only in the other unit");
}
