/* Durations, sizes, numbers and truth values as compose files write them. Each returns -1 when the
 * text is not of its kind or out of range, and leaves `*out` alone then. */
#ifndef EVERETT_COMPOSE_UNITS_H
#define EVERETT_COMPOSE_UNITS_H

#include "base/base.h"

/* "1m30s", "1.5h", "100ms", "0": units ns us ms s m h d w. Never negative. */
int parse_duration(const char *s, uint64_t *out_ns);
/* "64m", "1.5gb", "512": binary units b k m g t, optionally followed by b or ib. */
int parse_size(const char *s, uint64_t *out_bytes);
/* Whole decimal number with optional sign. */
int parse_integer(const char *s, int64_t min, int64_t max, int64_t *out);
/* File mode: "0440", "0o440", "440". Always octal. */
int parse_mode(const char *s, uint32_t *out);
/* true false yes no on off y n t f 1 0, in any case. */
int parse_bool(const char *s, bool *out);
/* "SIGTERM", "TERM", "15", "SIGRTMIN+3": the Linux x86-64 number, 1..64. */
int parse_signal(const char *s, int *out);
/* "500ms", "1m30s": shortest exact form into `text`. */
enum { DURATION_TEXT_MAX = 32 };
void format_duration(uint64_t ns, char text[DURATION_TEXT_MAX]);

#endif
