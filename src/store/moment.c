/* Moments and the written forms of virtual time. */
#include "store/moment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define NS_PER_S UINT64_C(1000000000)

uint64_t vtime_ticks(uint64_t vtime_ns)
{
    uint64_t s = vtime_ns / NS_PER_S;
    uint64_t rest = vtime_ns % NS_PER_S;
    return (s << 32) + ((rest << 32) + NS_PER_S / 2) / NS_PER_S;
}

uint64_t vtime_from_ticks(uint64_t ticks)
{
    uint64_t rest = ticks & 0xffffffffu;
    return (ticks >> 32) * NS_PER_S + (rest * NS_PER_S + (1ull << 31)) / (1ull << 32);
}

/* Expands "d.ddde[+-]xx" (from %e) to plain decimal, as `{}` of Rust and Go's 'f' with -1 do. */
static void plain_decimal(const char *sci, char out[static VTIME_TEXT_MAX])
{
    char digits[32];
    size_t count = 0;
    const char *p = sci;
    for (; *p && *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            digits[count++] = *p;
        }
    }
    int point = *p == 'e' ? atoi(p + 1) + 1 : 1; /* digits before the decimal point */
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    size_t n = 0;
    if (point <= 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = point; i < 0 && n < 24; i++) {
            out[n++] = '0';
        }
        memcpy(out + n, digits, count);
        n += count;
    } else {
        for (int i = 0; i < point || (size_t)i < count; i++) {
            if (i == point) {
                out[n++] = '.';
            }
            out[n++] = (size_t)i < count ? digits[i] : '0';
        }
    }
    out[n] = 0;
}

void vtime_json(uint64_t vtime_ns, char out[static VTIME_TEXT_MAX])
{
    double value = (double)vtime_ticks(vtime_ns) / 4294967296.0;
    if (vtime_ns == 0) {
        memcpy(out, "0", 2);
        return;
    }
    char sci[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(sci, sizeof sci, "%.*e", precision, value);
        double back = strtod(sci, NULL);
        if (memcmp(&back, &value, sizeof value) == 0) {
            break;
        }
    }
    plain_decimal(sci, out);
}

void vtime_clock(uint64_t vtime_ns, char out[static VTIME_TEXT_MAX])
{
    uint64_t ms = vtime_ns / 1000000;
    snprintf(out, VTIME_TEXT_MAX, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64,
             ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

void vtime_seconds(uint64_t vtime_ns, char out[static VTIME_TEXT_MAX])
{
    int n = snprintf(out, VTIME_TEXT_MAX, "%" PRIu64 ".%09" PRIu64, vtime_ns / NS_PER_S,
                     vtime_ns % NS_PER_S);
    while (n > 0 && out[n - 1] == '0') {
        out[--n] = 0;
    }
    if (n > 0 && out[n - 1] == '.') {
        out[n - 1] = 0;
    }
}

void moment_text(const struct moment *m, char out[static MOMENT_TEXT_MAX])
{
    char seconds[VTIME_TEXT_MAX];
    vtime_seconds(m->vtime_ns, seconds);
    snprintf(out, MOMENT_TEXT_MAX, "%" PRId64 "@%s", m->input_hash, seconds);
}

/* Decimal seconds to nanoseconds by integer arithmetic; digits past the tenth cannot matter. */
static int parse_seconds(const char *p, uint64_t *out)
{
    if (*p < '0' || *p > '9') {
        return -1;
    }
    errno = 0;
    char *end = NULL;
    uint64_t s = strtoull(p, &end, 10);
    if (errno || s > UINT64_MAX / NS_PER_S - 1) {
        return -1;
    }
    uint64_t ns = 0;
    uint64_t scale = NS_PER_S;
    bool round_up = false;
    if (*end == '.') {
        end++;
        for (; *end >= '0' && *end <= '9'; end++) {
            if (scale == 1) {
                round_up = *end >= '5';
                scale = 0;
            } else if (scale > 1) {
                scale /= 10;
                ns += (uint64_t)(*end - '0') * scale;
            }
        }
    }
    *out = s * NS_PER_S + ns + (round_up ? 1 : 0);
    return *end == 0 ? 0 : -1;
}

void moment_put_json(struct buf *b, int64_t input_hash, uint64_t vtime_ns)
{
    char vtime[VTIME_TEXT_MAX];
    vtime_json(vtime_ns, vtime);
    buf_printf(b, "{\"input_hash\":\"%" PRId64 "\",\"vtime\":\"%s\"}", input_hash, vtime);
}

int moment_parse(const char *text, struct moment *out, struct err *err)
{
    errno = 0;
    char *end = NULL;
    long long hash = strtoll(text, &end, 10);
    if (end == text || errno || *end != '@' || parse_seconds(end + 1, &out->vtime_ns)) {
        err_set(err, ERR_USAGE, "moment \"%s\": expected INPUT_HASH@SECONDS", text);
        return err_hint(err, "copy a moment from the report, for example 7402112918@18.402");
    }
    out->input_hash = hash;
    return 0;
}
