/* Part of everett.h: how a macro use becomes a declared site, in C and in C++. */
#ifndef EVERETT_IMPL_SITE_H
#define EVERETT_IMPL_SITE_H

#include "everett/impl/evaluate.h"

/* Positional, since designated initialisers are not C++11; `row` is an EVERETT_SITE_ row. */
#define EVERETT_SITE_INIT_(message, guidance, maximize, function, ...)                             \
    {                                                                                              \
        "" message, __VA_ARGS__, maximize, guidance, __FILE__, function, __LINE__, 0, 0, 0, NULL,  \
            NULL                                                                                   \
    }

#ifdef __cplusplus

/* Reading `done` instantiates it, and its initialiser runs before main. */
template <class Site> struct everett_before_main {
    static const int done;
};
template <class Site>
const int everett_before_main<Site>::done = everett_declare(Site::everett_site_of());

static inline void everett_keep(const int *)
{
}

#define EVERETT_SITE_(guidance, maximize, message, ...)                                            \
    static const char *const everett_function = __func__;                                          \
    struct everett_local {                                                                         \
        static struct everett_site *everett_site_of()                                              \
        {                                                                                          \
            static struct everett_site site =                                                      \
                EVERETT_SITE_INIT_(message, guidance, maximize, everett_function, __VA_ARGS__);    \
            return &site;                                                                          \
        }                                                                                          \
    };                                                                                             \
    everett_keep(&everett_before_main<everett_local>::done);                                       \
    struct everett_site *const everett_here = everett_local::everett_site_of();

static inline struct everett_pair everett_operand(const char *name, double v)
{
    return everett_double(name, v);
}
static inline struct everett_pair everett_operand(const char *name, float v)
{
    return everett_double(name, (double)v);
}
static inline struct everett_pair everett_operand(const char *name, unsigned long long v)
{
    return everett_uint(name, v);
}
static inline struct everett_pair everett_operand(const char *name, unsigned long v)
{
    return everett_uint(name, v);
}
static inline struct everett_pair everett_operand(const char *name, unsigned v)
{
    return everett_uint(name, v);
}
static inline struct everett_pair everett_operand(const char *name, long long v)
{
    return everett_int(name, v);
}
static inline struct everett_pair everett_operand(const char *name, long v)
{
    return everett_int(name, v);
}
static inline struct everett_pair everett_operand(const char *name, int v)
{
    return everett_int(name, v);
}

#define EVERETT_OPERAND_(name, value) everett_operand(name, value)

#else /* C */

extern struct everett_site *__start_everett_sites[] __attribute__((weak, visibility("hidden")));
extern struct everett_site *__stop_everett_sites[] __attribute__((weak, visibility("hidden")));

/* Once per translation unit; all but the first walk only finds sites that are declared. */
__attribute__((constructor)) static void everett_declare_all(void)
{
    for (struct everett_site **site = __start_everett_sites; site < __stop_everett_sites; site++) {
        everett_declare(*site);
    }
}

#define EVERETT_SITE_(guidance, maximize, message, ...)                                            \
    static struct everett_site everett_site =                                                      \
        EVERETT_SITE_INIT_(message, guidance, maximize, __func__, __VA_ARGS__);                    \
    static struct everett_site *everett_here __attribute__((section("everett_sites"), used)) =     \
        &everett_site;

#define EVERETT_OPERAND_(name, value)                                                              \
    _Generic((value), double                                                                       \
             : everett_double, float                                                               \
             : everett_double, long double                                                         \
             : everett_double, unsigned long                                                       \
             : everett_uint, unsigned long long                                                    \
             : everett_uint, unsigned                                                              \
             : everett_uint, default                                                               \
             : everett_int)(name, value)

#endif

#define EVERETT_LIST_(pairs) everett_make_list(pairs, sizeof(pairs) / sizeof((pairs)[0]))
#define EVERETT_END_PAIR_    everett_make_pair(NULL, EVERETT_END, 0, 0, 0, NULL)
#define EVERETT_UNWRAP_(...) __VA_ARGS__

/* Details are computed only when the outcome is news. */
#define EVERETT_ASSERT_(row, condition, message, ...)                                              \
    do {                                                                                           \
        EVERETT_SITE_(EVERETT_NO_GUIDANCE, false, message, row)                                    \
        const bool everett_condition = (condition);                                                \
        if (everett_is_news(everett_here, everett_condition)) {                                    \
            const struct everett_pair everett_details[] = {EVERETT_END_PAIR_, ##__VA_ARGS__};      \
            everett_evaluate(everett_here, everett_condition, everett_make_list(NULL, 0),          \
                             EVERETT_LIST_(everett_details));                                      \
        }                                                                                          \
    } while (0)

#define EVERETT_COMPARE_(row, op, maximize, left, right, message, ...)                             \
    do {                                                                                           \
        EVERETT_SITE_(EVERETT_NUMERIC, maximize, message, row)                                     \
        const struct everett_pair everett_operands[] = {EVERETT_OPERAND_("left", left),            \
                                                        EVERETT_OPERAND_("right", right)};         \
        const struct everett_pair everett_details[] = {EVERETT_END_PAIR_, ##__VA_ARGS__};          \
        everett_compare(everett_here, op, everett_operands, EVERETT_LIST_(everett_details));       \
    } while (0)

#define EVERETT_NAMED_(row, judge, maximize, conditions, message, ...)                             \
    do {                                                                                           \
        EVERETT_SITE_(EVERETT_BOOLEAN, maximize, message, row)                                     \
        const struct everett_pair everett_names[] = {EVERETT_UNWRAP_ conditions};                  \
        const struct everett_pair everett_details[] = {EVERETT_END_PAIR_, ##__VA_ARGS__};          \
        everett_named(everett_here, judge(EVERETT_LIST_(everett_names)),                           \
                      EVERETT_LIST_(everett_names), EVERETT_LIST_(everett_details));               \
    } while (0)

#define EVERETT_MESSAGE_(send, name, ...)                                                          \
    do {                                                                                           \
        const struct everett_pair everett_details[] = {EVERETT_END_PAIR_, ##__VA_ARGS__};          \
        send(name, EVERETT_LIST_(everett_details));                                                \
    } while (0)

#endif
