#include "compose/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Longer names first where one starts another. */
static const struct unit time_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},
    {"\xce\xbcs", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60000000000},
    {"h", 3600000000000},
    {"d", 86400000000000},
    {"w", 604800000000000},
};

static const struct unit size_units[] = {
    {"", 1},           {"b", 1},          {"k", 1024},        {"kb", 1024},        {"kib", 1024},
    {"m", 1u << 20},   {"mb", 1u << 20},  {"mib", 1u << 20},  {"g", 1u << 30},     {"gb", 1u << 30},
    {"gib", 1u << 30}, {"t", 1ull << 40}, {"tb", 1ull << 40}, {"tib", 1ull << 40},
};

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

struct decimal {
    uint64_t whole;
    uint64_t fraction; /* of 10^9 */
};

/* Reads "12" or "12.5"; digits behind the ninth are cut. Returns the end, or NULL. */
static const char *read_decimal(const char *s, struct decimal *out)
{
    *out = (struct decimal){0};
    const char *start = s;
    for (; digit(*s); s++) {
        if (__builtin_mul_overflow(out->whole, (uint64_t)10, &out->whole) ||
            __builtin_add_overflow(out->whole, (uint64_t)(*s - '0'), &out->whole)) {
            return NULL;
        }
    }
    bool any = s > start;
    if (*s == '.') {
        uint64_t scale = 100000000;
        for (s++; digit(*s); s++) {
            out->fraction += (uint64_t)(*s - '0') * scale;
            scale /= 10;
            any = true;
        }
    }
    return any ? s : NULL;
}

/* whole * factor + fraction * factor / 10^9, added to *sum. */
static int add_scaled(const struct decimal *d, uint64_t factor, uint64_t *sum)
{
    uint64_t whole;
    if (__builtin_mul_overflow(d->whole, factor, &whole)) {
        return -1;
    }
    uint64_t part = (uint64_t)((unsigned __int128)d->fraction * factor / 1000000000u);
    if (__builtin_add_overflow(*sum, whole, sum) || __builtin_add_overflow(*sum, part, sum)) {
        return -1;
    }
    return *sum > INT64_MAX ? -1 : 0;
}

int parse_duration(const char *s, uint64_t *out_ns)
{
    if (strcmp(s, "0") == 0) {
        *out_ns = 0;
        return 0;
    }
    uint64_t sum = 0;
    do {
        struct decimal d;
        s = read_decimal(s, &d);
        if (!s) {
            return -1;
        }
        const struct unit *unit = NULL;
        for (size_t i = 0; i < ARRAY_LEN(time_units) && !unit; i++) {
            size_t len = strlen(time_units[i].name);
            if (strncmp(s, time_units[i].name, len) == 0) {
                unit = &time_units[i];
                s += len;
            }
        }
        if (!unit || add_scaled(&d, unit->factor, &sum)) {
            return -1;
        }
    } while (*s);
    *out_ns = sum;
    return 0;
}

int parse_size(const char *s, uint64_t *out_bytes)
{
    struct decimal d;
    s = read_decimal(s, &d);
    if (!s) {
        return -1;
    }
    while (*s == ' ') {
        s++;
    }
    for (size_t i = 0; i < ARRAY_LEN(size_units); i++) {
        if (strcasecmp(s, size_units[i].name) == 0) {
            uint64_t sum = 0;
            if (add_scaled(&d, size_units[i].factor, &sum)) {
                return -1;
            }
            *out_bytes = sum;
            return 0;
        }
    }
    return -1;
}

int parse_integer(const char *s, int64_t min, int64_t max, int64_t *out)
{
    const char *digits = s + (*s == '-' || *s == '+');
    if (!digit(*digits)) {
        return -1;
    }
    errno = 0;
    char *end = NULL;
    long long v = strtoll(s, &end, 10);
    if (errno || *end || v < min || v > max) {
        return -1;
    }
    *out = v;
    return 0;
}

int parse_mode(const char *s, uint32_t *out)
{
    if (s[0] == '0' && (s[1] == 'o' || s[1] == 'O')) {
        s += 2;
    }
    uint32_t v = 0;
    size_t n = 0;
    for (; s[n] >= '0' && s[n] <= '7' && n < 6; n++) {
        v = v * 8 + (uint32_t)(s[n] - '0');
    }
    if (n == 0 || s[n] || v > 07777) {
        return -1;
    }
    *out = v;
    return 0;
}

int parse_bool(const char *s, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "y", "t", "1"};
    static const char *const no[] = {"false", "no", "off", "n", "f", "0"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcasecmp(s, yes[i]) == 0 || strcasecmp(s, no[i]) == 0) {
            *out = strcasecmp(s, yes[i]) == 0;
            return 0;
        }
    }
    return -1;
}

int parse_signal(const char *s, int *out)
{
    /* Linux x86-64 numbers (signal(7)), index = number. */
    static const char *const names[] = {
        "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
        "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
        "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
    int64_t n = 0;
    if (parse_integer(s, 1, 64, &n) == 0) {
        *out = (int)n;
        return 0;
    }
    if (strncasecmp(s, "SIG", 3) == 0) {
        s += 3;
    }
    for (size_t i = 1; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(s, names[i]) == 0) {
            *out = (int)i;
            return 0;
        }
    }
    /* SIGRTMIN is 34 for programs: glibc and musl keep 32 and 33 (signal(7)). */
    bool min = strncasecmp(s, "RTMIN", 5) == 0;
    if (!min && strncasecmp(s, "RTMAX", 5) != 0) {
        return -1;
    }
    int64_t offset = 0;
    s += 5;
    if (*s && (*s != (min ? '+' : '-') || parse_integer(s, -30, 30, &offset))) {
        return -1;
    }
    *out = (int)((min ? 34 : 64) + offset);
    return 0;
}

void format_duration(uint64_t ns, char text[DURATION_TEXT_MAX])
{
    static const struct unit parts[] = {{"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
                                        {"ms", 1000000},      {"us", 1000},       {"ns", 1}};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t n = ns / parts[i].factor;
        ns %= parts[i].factor;
        if (n) {
            len += (size_t)snprintf(text + len, DURATION_TEXT_MAX - len, "%" PRIu64 "%s", n,
                                    parts[i].name);
            ASSERT(len < DURATION_TEXT_MAX);
        }
    }
    if (len == 0) {
        snprintf(text, DURATION_TEXT_MAX, "0s");
    }
}
