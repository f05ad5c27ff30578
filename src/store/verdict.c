/* Verdicts: how the counts of a property over a whole run are judged. */
#include <string.h>

#include "store/property.h"

enum verdict property_verdict(const struct property *p)
{
    if (p->good + p->bad == 0) {
        return p->must_hit ? VERDICT_NEVER : VERDICT_PASSED;
    }
    switch (p->kind) {
    case PROPERTY_ALWAYS:
    case PROPERTY_UNREACHABLE:
        return p->bad ? VERDICT_FAILED : VERDICT_PASSED;
    case PROPERTY_SOMETIMES:
    case PROPERTY_REACHABLE:
        return p->good ? VERDICT_PASSED : VERDICT_FAILED;
    }
    ASSERT(!"property kind");
    return VERDICT_FAILED;
}

uint64_t property_failures(const struct property *p)
{
    return property_verdict(p) == VERDICT_FAILED ? p->bad : 0;
}

const char *verdict_word(enum verdict v)
{
    switch (v) {
    case VERDICT_PASSED:
        return "passed";
    case VERDICT_FAILED:
        return "failed";
    case VERDICT_NEVER:
        return "never reached";
    }
    ASSERT(!"verdict");
    return "";
}

const char *property_kind_word(enum property_kind kind)
{
    switch (kind) {
    case PROPERTY_ALWAYS:
        return "always";
    case PROPERTY_SOMETIMES:
        return "sometimes";
    case PROPERTY_REACHABLE:
    case PROPERTY_UNREACHABLE:
        return "reachability";
    }
    ASSERT(!"property kind");
    return "";
}

static bool is_sdk(const struct property *p)
{
    return !p->group || strcmp(p->group, "SDK") == 0;
}

bool property_is_shadowed(const struct property_set *set, const struct property *p)
{
    if (p->item || is_sdk(p)) {
        return false;
    }
    for (size_t i = 0; i < set->prop_count; i++) {
        const struct property *other = &set->props[i];
        if (other->item && !is_sdk(other) && strcmp(other->name, p->name) == 0) {
            return true;
        }
    }
    return false;
}

struct verdict_counts property_set_count(const struct property_set *set)
{
    struct verdict_counts counts = {0};
    for (size_t i = 0; i < set->prop_count; i++) {
        const struct property *p = &set->props[i];
        if (property_is_shadowed(set, p)) {
            continue;
        }
        switch (property_verdict(p)) {
        case VERDICT_PASSED:
            counts.passed++;
            break;
        case VERDICT_FAILED:
            counts.failed++;
            break;
        case VERDICT_NEVER:
            counts.never++;
            break;
        }
    }
    return counts;
}
