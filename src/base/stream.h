/* Named random streams: the only source of freedom in a universe.
 *
 * A stream is counter-based: draw i is a pure function of (seed, stream, node, i), so a draw added
 * in one place never shifts another stream. Two multiply-xorshift rounds (the finaliser of
 * SplitMix64, Steele et al. 2014) over key and counter. Not for cryptography. */
#ifndef EVERETT_BASE_STREAM_H
#define EVERETT_BASE_STREAM_H

#include "base/base.h"

enum stream_id {
    STREAM_SCHED = 1,
    STREAM_NET = 2,
    STREAM_DISK = 3,
    STREAM_FAULT = 4,
    STREAM_COMPOSER = 5,
    STREAM_SDK = 6,
    STREAM_ENTROPY = 7, /* getrandom, /dev/urandom, AT_RANDOM */
    STREAM_COUNT = 8,
};

struct stream {
    uint64_t key;
    uint64_t count; /* draws so far */
};

static inline uint64_t stream_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    x ^= x >> 31;
    return x;
}

static inline void stream_init(struct stream *s, uint64_t seed, uint32_t id, uint32_t node)
{
    uint64_t k = stream_mix(seed + 0x9e3779b97f4a7c15ull);
    k = stream_mix(k ^ ((uint64_t)id << 32 | node) * 0xd6e8feb86659fd93ull);
    s->key = stream_mix(k + 0x2545f4914f6cdd1dull);
    s->count = 0;
}

static inline uint64_t stream_next(struct stream *s)
{
    uint64_t x = s->key + s->count * 0x9e3779b97f4a7c15ull;
    s->count++;
    return stream_mix(stream_mix(x) ^ s->key);
}

/* Uniform in [0, n); n > 0. Multiply-shift (Lemire 2019); the bias is below 2^-32 for n < 2^32. */
static inline uint64_t stream_below(struct stream *s, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)stream_next(s) * n) >> 64);
}

static inline uint64_t stream_range(struct stream *s, uint64_t low, uint64_t high)
{
    return low + stream_below(s, high - low + 1);
}

static inline bool stream_chance_ppm(struct stream *s, uint32_t ppm)
{
    return stream_below(s, 1000000) < ppm;
}

void stream_bytes(struct stream *s, void *dst, size_t n);

#endif
