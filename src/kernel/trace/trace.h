/* Events and digest. Every record goes to the runner through the port and into the digest, except
 * EVENT_STRACE and EVENT_DIAGNOSTIC. */
#ifndef EVERETT_KERNEL_TRACE_TRACE_H
#define EVERETT_KERNEL_TRACE_TRACE_H

#include "abi/event.h"
#include "base/base.h"

struct machine;
struct node;
struct task;

struct trace_part {
    const void *data;
    size_t len;
};

/* Emits a record whose payload is the parts in sequence. node may be NULL. */
void trace_event(struct machine *m, enum event_type type, const struct node *node, uint32_t pid,
                 const struct trace_part *parts, unsigned nparts);
/* A text payload (JSON objects, diagnostics). */
void trace_text(struct machine *m, enum event_type type, const struct node *node, const char *text,
                size_t len);
/* Something not covered: `what` like "ioctl" or "socket option"; says it once per (what, number,
 * detail). `answered` is the negative errno given. */
void trace_unknown(struct task *t, const char *what, uint64_t number, uint64_t detail,
                   int answered);
/* A draw that shaped the history. */
void trace_decision(struct machine *m, uint32_t stream, const struct node *node, uint64_t index,
                    uint64_t value, const char *what);
/* Folds words into the digest without a record: system calls, switches. */
void trace_mix(struct machine *m, uint64_t a, uint64_t b);

/* A small JSON writer into a fixed buffer, for kernel-side records. Truncation is an engine error.
 * Strings are escaped; bytes that are not UTF-8 become U+FFFD. */
struct json {
    char *buf;
    size_t cap, len;
    bool comma; /* a value precedes at this level */
};

void json_init(struct json *j, char *buf, size_t cap);
void json_open(struct json *j, const char *key_or_null, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);                         /* '}' or ']' */
void json_str(struct json *j, const char *key_or_null, const char *s, size_t len);
void json_cstr(struct json *j, const char *key_or_null, const char *s);
void json_int(struct json *j, const char *key_or_null, int64_t v);
void json_bool(struct json *j, const char *key_or_null, bool v);
/* Fixed-point seconds with `digits` decimals from nanoseconds: no floating point here. */
void json_seconds(struct json *j, const char *key_or_null, uint64_t ns, unsigned digits);

#endif
