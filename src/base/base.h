/* Leaf definitions shared by every layer: fixed-width types, containers of a member, rounding,
 * and assertions that never compile out. Free of libc. */
#ifndef EVERETT_BASE_BASE_H
#define EVERETT_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define container_of(ptr, type, member) ((type *)((char *)(uintptr_t)(ptr)-offsetof(type, member)))
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))

#define must_check              __attribute__((warn_unused_result))
#define printf_like(fmt, first) __attribute__((format(printf, fmt, first)))

static inline uint64_t round_up_u64(uint64_t x, uint64_t align)
{
    return (x + align - 1) & ~(align - 1);
}

static inline uint64_t round_down_u64(uint64_t x, uint64_t align)
{
    return x & ~(align - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Reports file, line and condition through the layer's own channel and never returns. Each final
 * link supplies one: the engine's ends the universe with its seed, a host program's aborts. */
_Noreturn void assert_failed(const char *condition, const char *file, int line);

/* One condition each; always on. Never put a side effect inside. */
#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0)) {                                                        \
            assert_failed(#cond, __FILE__, __LINE__);                                              \
        }                                                                                          \
    } while (0)

#endif
