/* Everett's SDK for C and C++: say what must hold, draw randomness that a universe decides, and
 * report when the system is ready. One header for C11 and C++11, GCC or Clang on Linux; nothing to
 * link (old glibc: -ldl).
 *
 *     #include <everett/everett.h>
 *
 *     EVERETT_ALWAYS(balance >= 0, "Balance is never negative", everett_int("balance", balance));
 *     EVERETT_SOMETIMES(retries > 3, "A request needs many retries");
 *     EVERETT_SETUP_COMPLETE(everett_str("by", "health checker"));
 *
 * The message must be a string literal and is the identity of the property: the same message at two
 * places is one property. Every assertion compiled into a program is declared before main, so that
 * one which is never reached is known too. Per process and property only the first evaluation that
 * is true and the first that is false are sent; the others cost a load and a branch. None of these
 * macros ends or slows the program, whatever the outcome, and all are safe in any thread.
 *
 * Where the messages go, decided once a process: to /usr/lib/libvoidstar.so when it can be loaded
 * (inside Everett and compatible platforms); straight to the universe when a static program cannot
 * load it; else appended to the file named by ANTITHESIS_SDK_LOCAL_OUTPUT, or to sdk.jsonl in the
 * directory ANTITHESIS_OUTPUT_DIR; else nowhere. They are the JSON documents that the SDKs of other
 * languages send. EVERETT_NO_DLOPEN leaves the first step out. */
#ifndef EVERETT_EVERETT_H
#define EVERETT_EVERETT_H

#include "everett/impl/assert.h"

/* --- Details: name and value pairs behind any message -------------------------------------
 * everett_int(name, v)  everett_uint(name, v)  everett_double(name, v)  everett_bool(name, v)
 * everett_str(name, v)  (NULL gives null)      everett_json(name, text) (text is valid JSON)
 * Names and values are borrowed until the macro is done. */

/* --- Assertions --------------------------------------------------------------------------- */

/* Holds every time it is reached, and is reached at least once. */
#define EVERETT_ALWAYS(condition, message, ...)                                                    \
    EVERETT_ASSERT_(EVERETT_SITE_ALWAYS, condition, message, ##__VA_ARGS__)

/* Holds every time it is reached, if ever. */
#define EVERETT_ALWAYS_OR_UNREACHABLE(condition, message, ...)                                     \
    EVERETT_ASSERT_(EVERETT_SITE_ALWAYS_OR_UNREACHABLE, condition, message, ##__VA_ARGS__)

/* Holds at least once over a whole run. */
#define EVERETT_SOMETIMES(condition, message, ...)                                                 \
    EVERETT_ASSERT_(EVERETT_SITE_SOMETIMES, condition, message, ##__VA_ARGS__)

/* This line runs at least once / never over a whole run. */
#define EVERETT_REACHABLE(message, ...)                                                            \
    EVERETT_ASSERT_(EVERETT_SITE_REACHABLE, true, message, ##__VA_ARGS__)
#define EVERETT_UNREACHABLE(message, ...)                                                          \
    EVERETT_ASSERT_(EVERETT_SITE_UNREACHABLE, false, message, ##__VA_ARGS__)

/* --- Comparisons, which also tell the explorer how near a value came ------------------------
 * Operands: any integer or floating type; each is evaluated once. Both appear in the details as
 * `left` and `right`. The flag says where the explorer is to push left - right, up or down:
 * towards breaking an "always", towards fulfilling a "sometimes". */
#define EVERETT_ALWAYS_GREATER_THAN(left, right, message, ...)                                     \
    EVERETT_COMPARE_(EVERETT_SITE_ALWAYS, EVERETT_GT, false, left, right, message, ##__VA_ARGS__)
#define EVERETT_ALWAYS_GREATER_THAN_OR_EQUAL_TO(left, right, message, ...)                         \
    EVERETT_COMPARE_(EVERETT_SITE_ALWAYS, EVERETT_GE, false, left, right, message, ##__VA_ARGS__)
#define EVERETT_ALWAYS_LESS_THAN(left, right, message, ...)                                        \
    EVERETT_COMPARE_(EVERETT_SITE_ALWAYS, EVERETT_LT, true, left, right, message, ##__VA_ARGS__)
#define EVERETT_ALWAYS_LESS_THAN_OR_EQUAL_TO(left, right, message, ...)                            \
    EVERETT_COMPARE_(EVERETT_SITE_ALWAYS, EVERETT_LE, true, left, right, message, ##__VA_ARGS__)
#define EVERETT_SOMETIMES_GREATER_THAN(left, right, message, ...)                                  \
    EVERETT_COMPARE_(EVERETT_SITE_SOMETIMES, EVERETT_GT, true, left, right, message, ##__VA_ARGS__)
#define EVERETT_SOMETIMES_GREATER_THAN_OR_EQUAL_TO(left, right, message, ...)                      \
    EVERETT_COMPARE_(EVERETT_SITE_SOMETIMES, EVERETT_GE, true, left, right, message, ##__VA_ARGS__)
#define EVERETT_SOMETIMES_LESS_THAN(left, right, message, ...)                                     \
    EVERETT_COMPARE_(EVERETT_SITE_SOMETIMES, EVERETT_LT, false, left, right, message, ##__VA_ARGS__)
#define EVERETT_SOMETIMES_LESS_THAN_OR_EQUAL_TO(left, right, message, ...)                         \
    EVERETT_COMPARE_(EVERETT_SITE_SOMETIMES, EVERETT_LE, false, left, right, message, ##__VA_ARGS__)

/* --- Named conditions, in parentheses -------------------------------------------------------
 *     EVERETT_SOMETIMES_ALL((everett_bool("acked", a), everett_bool("durable", d)), "Both");
 * At least one holds every time / all hold together at least once. */
#define EVERETT_ALWAYS_SOME(conditions, message, ...)                                              \
    EVERETT_NAMED_(EVERETT_SITE_ALWAYS, everett_any, false, conditions, message, ##__VA_ARGS__)
#define EVERETT_SOMETIMES_ALL(conditions, message, ...)                                            \
    EVERETT_NAMED_(EVERETT_SITE_SOMETIMES, everett_all, true, conditions, message, ##__VA_ARGS__)

/* --- Life cycle --------------------------------------------------------------------------- */

/* The system under test is ready: testing and faults start. The first call of any process counts;
 * call it from a container's own program, never from a test command. */
#define EVERETT_SETUP_COMPLETE(...) EVERETT_MESSAGE_(everett_send_setup, NULL, ##__VA_ARGS__)

/* Any event worth finding in the log: {"name": {details}}. The name is borrowed. */
#define EVERETT_SEND_EVENT(name, ...) EVERETT_MESSAGE_(everett_send_event, name, ##__VA_ARGS__)

/* --- Randomness ---------------------------------------------------------------------------
 * Decided by the universe, which may branch at each draw: use values at once, and never seed a
 * generator of your own with them. Outside, the machine's randomness. */

static inline uint64_t everett_random(void)
{
    return everett_sink_random();
}

/* An index below `count`, which must not be 0. */
static inline size_t everett_random_index(size_t count)
{
    return (size_t)(everett_sink_random() % count);
}

/* An element of an array (not of a pointer), as an lvalue. */
#define EVERETT_RANDOM_CHOICE(array)                                                               \
    ((array)[everett_random_index(sizeof(array) / sizeof((array)[0]))])

#endif
