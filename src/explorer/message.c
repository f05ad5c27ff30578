#include "explorer/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "explorer/wire.h"

/* The numbers of a universe, in one order for both directions. */
enum { NUMBER_COUNT = 14 };

static void numbers_of(const struct store_universe *u, uint64_t v[NUMBER_COUNT])
{
    const uint64_t all[NUMBER_COUNT] = {u->number,
                                        u->seed,
                                        (uint64_t)u->input_hash,
                                        (uint64_t)u->parent,
                                        u->branch_vtime_ns,
                                        u->virtual_ns,
                                        u->wall_ns,
                                        u->end_reason,
                                        u->digest[0],
                                        u->digest[1],
                                        u->calls,
                                        u->switches,
                                        u->draws,
                                        u->setup_complete};
    memcpy(v, all, sizeof all);
}

static void universe_from(const uint64_t v[NUMBER_COUNT], struct store_universe *u)
{
    u->number = v[0];
    u->seed = v[1];
    u->input_hash = (int64_t)v[2];
    u->parent = (int64_t)v[3];
    u->branch_vtime_ns = v[4];
    u->virtual_ns = v[5];
    u->wall_ns = v[6];
    u->end_reason = (uint32_t)v[7];
    u->digest[0] = v[8];
    u->digest[1] = v[9];
    u->calls = v[10];
    u->switches = v[11];
    u->draws = v[12];
    u->setup_complete = v[13] != 0;
}

void message_put_result(struct buf *b, const struct worker_result *r)
{
    uint64_t v[NUMBER_COUNT];
    numbers_of(&r->universe, v);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        wire_put_u64(b, v[i]);
    }
    wire_put_str(b, r->universe.end_text);
    wire_put_str(b, r->universe.engine_error);
    wire_put_str(b, r->setup_words);
    wire_put_set(b, &r->found);
    wire_put_u64(b, r->behaviour_count);
    buf_append(b, r->behaviours, r->behaviour_count * sizeof *r->behaviours);
}

bool message_get_result(const char *data, size_t len, struct worker_result *r)
{
    struct wire w = {.data = data, .len = len};
    uint64_t v[NUMBER_COUNT];
    *r = (struct worker_result){0};
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        v[i] = wire_u64(&w);
    }
    universe_from(v, &r->universe);
    r->universe.end_text = wire_str(&w);
    r->universe.engine_error = wire_str(&w);
    r->setup_words = wire_str(&w);
    wire_set(&w, &r->found);
    uint64_t count = wire_u64(&w);
    if (!w.bad && count == (w.len - w.at) / sizeof *r->behaviours) {
        r->behaviours = mem_zalloc((count + 1) * sizeof *r->behaviours);
        r->behaviour_count = (size_t)count;
        memcpy(r->behaviours, data + w.at, (size_t)count * sizeof *r->behaviours);
        return true;
    }
    worker_result_fini(r);
    return false;
}

void worker_result_fini(struct worker_result *r)
{
    free((void *)(uintptr_t)r->universe.end_text);
    free((void *)(uintptr_t)r->universe.engine_error);
    free(r->setup_words);
    property_set_fini(&r->found);
    free(r->behaviours);
    *r = (struct worker_result){0};
}

static int send_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int message_send(int fd, enum message_type type, const void *data, size_t len)
{
    struct message_head head = {type, len};
    return send_all(fd, &head, sizeof head) || send_all(fd, data, len) ? -1 : 0;
}
