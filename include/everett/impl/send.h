/* Part of everett.h: sending one document, drawing one number. */
#ifndef EVERETT_IMPL_SEND_H
#define EVERETT_IMPL_SEND_H

#include "everett/impl/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

void everett_sink_send(const char *json, size_t length);
uint64_t everett_sink_random(void);

/* One write a document keeps lines of several processes whole (O_APPEND, write(2)); what a full
 * disk or a signal cut off is completed or given up, since the program under test goes first. */
static inline void everett_write(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, bytes, length);
        if (done <= 0) {
            return;
        }
        bytes += done;
        length -= (size_t)done;
    }
}

/* `json` is one document of `length` bytes, followed by a newline that belongs to files only. */
static inline void everett_put(const struct everett_sink *sink, int kind, const char *json,
                               size_t length)
{
    if (kind == EVERETT_SINK_LIBRARY) {
        sink->json_data(json, length);
        sink->flush();
    } else if (kind == EVERETT_SINK_UNIVERSE) {
        everett_guestcall(EVERETT_GUESTCALL_JSON, json, length);
        everett_guestcall(EVERETT_GUESTCALL_FLUSH, NULL, 0);
    } else if (kind == EVERETT_SINK_FILE) {
        everett_write(sink->fd, json, length + 1);
    }
}

EVERETT_SHARED void everett_sink_send(const char *json, size_t length)
{
    struct everett_sink *sink = &everett_the_sink;
    int kind = everett_sink_resolve();
    if (kind != EVERETT_SINK_NONE &&
        !__atomic_exchange_n(&sink->banner_sent, 1, __ATOMIC_RELAXED)) {
        char banner[256];
        int n = snprintf(banner, sizeof(banner),
                         "{\"antithesis_sdk\":{\"language\":{\"name\":\"%s\",\"version\":\"%ld\"},"
                         "\"sdk_version\":\"%s\",\"protocol_version\":\"1.1.0\"}}\n",
                         EVERETT_LANGUAGE, (long)EVERETT_LANGUAGE_LONG, EVERETT_SDK_VERSION);
        everett_put(sink, kind, banner, (size_t)n - 1);
    }
    everett_put(sink, kind, json, length);
}

EVERETT_SHARED uint64_t everett_sink_random(void)
{
    uint64_t value = 0;
    int kind = everett_sink_resolve();
    if (kind == EVERETT_SINK_LIBRARY) {
        return everett_the_sink.get_random();
    }
    if (kind == EVERETT_SINK_UNIVERSE &&
        everett_guestcall(EVERETT_GUESTCALL_RANDOM, &value, 0) == 0) {
        return value;
    }
    if (everett_guestcall(EVERETT_GETRANDOM, &value, sizeof(value)) == (long)sizeof(value)) {
        return value;
    }
    int fd = open("/dev/urandom", O_RDONLY);
    if (fd < 0 || read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value)) {
        abort(); /* a constant in place of randomness would hide the failure */
    }
    close(fd);
    return value;
}

#ifdef __cplusplus
}
#endif

#endif
