/* Part of everett.h: details as typed pairs. Names and texts are borrowed. */
#ifndef EVERETT_IMPL_VALUE_H
#define EVERETT_IMPL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum everett_kind {
    EVERETT_END, /* first element of every list, so that an empty one is still an array */
    EVERETT_INT,
    EVERETT_UINT,
    EVERETT_DOUBLE,
    EVERETT_BOOL,
    EVERETT_STRING,
    EVERETT_JSON,
};

struct everett_value {
    int kind;
    int64_t i; /* INT, BOOL */
    uint64_t u;
    double d;
    const char *s; /* STRING, JSON; NULL is null */
};

struct everett_pair {
    const char *name;
    struct everett_value value;
};

static inline struct everett_pair everett_make_pair(const char *name, int kind, int64_t i,
                                                    uint64_t u, double d, const char *s)
{
    struct everett_pair pair = {name, {kind, i, u, d, s}};
    return pair;
}

static inline struct everett_pair everett_int(const char *name, int64_t value)
{
    return everett_make_pair(name, EVERETT_INT, value, 0, 0, NULL);
}

static inline struct everett_pair everett_uint(const char *name, uint64_t value)
{
    return everett_make_pair(name, EVERETT_UINT, 0, value, 0, NULL);
}

static inline struct everett_pair everett_double(const char *name, double value)
{
    return everett_make_pair(name, EVERETT_DOUBLE, 0, 0, value, NULL);
}

static inline struct everett_pair everett_bool(const char *name, bool value)
{
    return everett_make_pair(name, EVERETT_BOOL, value, 0, 0, NULL);
}

static inline struct everett_pair everett_str(const char *name, const char *value)
{
    return everett_make_pair(name, EVERETT_STRING, 0, 0, 0, value);
}

static inline struct everett_pair everett_json(const char *name, const char *text)
{
    return everett_make_pair(name, EVERETT_JSON, 0, 0, 0, text);
}

#endif
