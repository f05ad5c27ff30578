/* Uses all of everett.h; check_sdk_output.py knows what must come out. Compiled as C11, as gnu17
 * and, through sdk_sample_cpp.cc, as C++11. `sample_other` is another translation unit. */
#include <everett/everett.h>

#include <pthread.h>

#ifdef __cplusplus
extern "C"
#endif
    void
    sample_other(int value);

static int helper(int x)
{
    EVERETT_SOMETIMES(x > 3, "x is above 3", everett_int("x", x));
    return x;
}

static inline void never_called(void)
{
    EVERETT_REACHABLE("Never reached");
}

static void comparisons(void)
{
    static const int distances[] = {10, 12, 4, 4, 9, -1, 0};
    for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
        EVERETT_ALWAYS_GREATER_THAN(distances[i], 3, "Always above 3", everett_uint("i", i));
        EVERETT_SOMETIMES_GREATER_THAN_OR_EQUAL_TO(distances[i], 12L, "Sometimes 12");
    }
    EVERETT_ALWAYS_LESS_THAN(-1, 18446744073709551615ull, "Signs do not confuse");
    EVERETT_ALWAYS_LESS_THAN_OR_EQUAL_TO(9223372036854775807ll, 9223372036854775808ull,
                                         "Large values compare exactly");
    EVERETT_SOMETIMES_LESS_THAN(1.5, 2u, "Kinds mix");
    EVERETT_SOMETIMES_LESS_THAN_OR_EQUAL_TO(2.5f, 2.5, "Equal counts");
    volatile double zero = 0;
    EVERETT_ALWAYS_GREATER_THAN_OR_EQUAL_TO(zero / zero, 1, "NaN is in no order");
}

static void *race(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        EVERETT_ALWAYS(true, "Seen by many threads");
    }
    return NULL;
}

int main(int argc, char **argv)
{
    volatile double zero = 0;
    (void)argv;
    for (int i = 0; i < 6; i++) {
        helper(i);
        sample_other(i);
    }
    if (argc > 5) {
        never_called();
    }
    EVERETT_ALWAYS(argc < 9, "One message, two places");
    EVERETT_ALWAYS(argc > 9, "One message, two places");
    EVERETT_ALWAYS_OR_UNREACHABLE(true, "May be unreachable");
    EVERETT_UNREACHABLE("Reached all the same", everett_str("text", "a\"\\\n\x01\xff\xc3\xa9"),
                        everett_str("none", NULL), everett_bool("yes", true));
    EVERETT_REACHABLE("Numbers", everett_double("tenth", 0.1), everett_double("inf", -1 / zero),
                      everett_uint("most", UINT64_MAX), everett_int("least", INT64_MIN),
                      everett_json("list", "[1, {\"a\": null}]"));
    comparisons();
    EVERETT_ALWAYS_SOME((everett_bool("a", true), everett_bool("b", false)), "Always some");
    EVERETT_SOMETIMES_ALL((everett_bool("a", true), everett_bool("b", false)), "Sometimes all",
                          everett_int("n", 1));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, race, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    EVERETT_SETUP_COMPLETE();
    EVERETT_SETUP_COMPLETE(everett_str("by", "sample"));
    EVERETT_SEND_EVENT("my event", everett_int("k", 1));
    const char *choices[] = {"a", "b", "c"};
    const char *choice = EVERETT_RANDOM_CHOICE(choices);
    return choice[0] >= 'a' && choice[0] <= 'c' && everett_random() != everett_random() ? 0 : 1;
}
