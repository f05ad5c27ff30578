/* Everything libvoidstar.so exports: the C interface through which SDKs, instrumented programs and
 * old-style harnesses talk to the universe around them.
 *
 * The library needs no libc (so it loads beside glibc, musl or nothing), takes no lock and owns no
 * state but its own zeroed data, so every function may be called from any thread, from signal
 * handlers, and on both sides of fork. Nothing is buffered: what was sent is recorded when the call
 * returns. Outside a universe the kernel answers ENOSYS and each function does what its comment
 * says after "outside". */
#ifndef EVERETT_SDK_VOIDSTAR_H
#define EVERETT_SDK_VOIDSTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOIDSTAR_EXPORT __attribute__((visibility("default")))

/* --- Interface 1: randomness and messages ------------------------------------------------- */

/* 64 random bits decided by the universe. Outside: getrandom(2); ends the process with status 1
 * when even that fails. */
VOIDSTAR_EXPORT uint64_t fuzz_get_random(void);

/* One JSON document of `length` bytes of UTF-8, no terminator needed. Borrows. A document longer
 * than the universe takes is replaced by an `antithesis_error` that says so. Outside: nothing. */
VOIDSTAR_EXPORT void fuzz_json_data(const char *message, size_t length);

/* Returns when everything sent before is recorded. Outside: nothing. */
VOIDSTAR_EXPORT void fuzz_flush(void);

/* --- Interface 1: coverage ---------------------------------------------------------------- */

/* Registers a module with `edge_count` edges; the symbol file's name is borrowed and may be NULL.
 * Returns the offset to add to its edge ids (0..edge_count). Outside: 1 << 32. */
VOIDSTAR_EXPORT size_t init_coverage_module(size_t edge_count, const char *symbol_file_name);

/* Reports a hit. False: never call again for this edge. Outside: false. */
VOIDSTAR_EXPORT bool notify_coverage(size_t edge_plus_module);

/* SanitizerCoverage: gives every guard of a module its first lease. Calling again for the same
 * range does nothing. Outside: leaves the guards 0, which switches them off. */
VOIDSTAR_EXPORT void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop);
VOIDSTAR_EXPORT void __sanitizer_cov_trace_pc_guard(uint32_t *guard);
/* `edge` is the caller's return address. It is not needed: an edge is known by its guard. */
VOIDSTAR_EXPORT void __sanitizer_cov_trace_pc_guard_internal(uint32_t *guard, uint64_t edge);

/* --- Interface 2: coverage with leases ---------------------------------------------------- */

/* Returns a lease: bits 63..40 epoch, 39..20 hits granted, 19..0 hits remaining. The caller counts
 * down by itself while the epoch equals the generation word, then calls again with the number of
 * hits the old lease covered. Outside: the largest lease. */
VOIDSTAR_EXPORT uint64_t notify_coverage_v2(size_t edge_plus_module, uint64_t hit_since_last_call);

/* The generation word; it lives as long as the library. Read it volatile. */
VOIDSTAR_EXPORT const uint64_t *coverage_lease_generation_addr(void);

VOIDSTAR_EXPORT uint64_t instrumentation_max_abi_version(void);

/* The first request is granted for the life of the process: min(requested, 2), but at least 1. */
VOIDSTAR_EXPORT uint64_t instrumentation_request_abi_version(uint64_t requested);

/* --- The older interface ------------------------------------------------------------------ */

/* One byte of input (0..255), after a flush. Outside: a random byte. */
VOIDSTAR_EXPORT int fuzz_getchar(void);
VOIDSTAR_EXPORT bool fuzz_coin_flip(void);
/* Fills the buffer with input bytes and returns their number, which is `buffer_size`. */
VOIDSTAR_EXPORT size_t fuzz_getblob(void *buffer, size_t buffer_size);

/* Names this process in the log; at most 64 bytes count. Outside: nothing, as for all below. */
VOIDSTAR_EXPORT void fuzz_set_source_name(const char *name);

/* Each becomes one JSON document with a single key: {"fuzz_info":{"message":"..."}}, fuzz_error;
 * {"fuzz_png":{"base64":"..."}}, fuzz_bytes; {"fuzz_kv32_pairs":{"pairs":[[k,v],...]}}.
 * `length` of fuzz_kv32_pairs counts array elements, twice the pairs; an odd last one is left out.
 * Bytes that are no UTF-8 become U+FFFD in messages. */
VOIDSTAR_EXPORT void fuzz_info_message(const char *message);
VOIDSTAR_EXPORT void fuzz_error_message(const char *message);
VOIDSTAR_EXPORT void fuzz_info_data(const char *message, size_t length);
VOIDSTAR_EXPORT void fuzz_error_data(const char *message, size_t length);
VOIDSTAR_EXPORT void fuzz_png(const void *png, size_t length);
VOIDSTAR_EXPORT void fuzz_bytes(const void *bytes, size_t length);
VOIDSTAR_EXPORT void fuzz_kv32_pairs(const uint32_t *pair_arr, size_t length);

/* Sends {"fuzz_exit":{"code":N}} and ends the process without any clean-up. Outside: the latter. */
VOIDSTAR_EXPORT void fuzz_exit(int exit_code);

#endif
