/* The engine's line to its runner: event ring, import mailbox, end and panic. Waiting here changes
 * nothing a guest can see. */
#include <linux/futex.h>

#include "base/str.h"
#include "entry/engine.h"
#include "entry/host.h"
#include "kernel/boot.h"
#include "kernel/machine.h"

static void notify_runner(struct control *c)
{
    __atomic_add_fetch(&c->notify, 1, __ATOMIC_RELEASE);
    host_futex(&c->notify, FUTEX_WAKE, 1);
}

static void ring_copy(struct control *c, uint64_t at, const unsigned char *src, size_t n)
{
    unsigned char *ring = (unsigned char *)c + c->ring_off;
    uint64_t pos = at & (c->ring_len - 1);
    size_t first = (size_t)min_u64(n, c->ring_len - pos);
    memcpy(ring + pos, src, first);
    memcpy(ring, src + first, n - first);
}

void port_emit(const void *record, size_t len)
{
    struct control *c = engine.control;
    ASSERT(len <= c->ring_len);
    for (;;) {
        uint32_t room_seen = __atomic_load_n(&c->ring_room, __ATOMIC_ACQUIRE);
        uint64_t used = c->ring_head - __atomic_load_n(&c->ring_tail, __ATOMIC_ACQUIRE);
        if (c->ring_len - used >= len) {
            ring_copy(c, c->ring_head, record, len);
            __atomic_store_n(&c->ring_head, c->ring_head + len, __ATOMIC_RELEASE);
            if (used < c->ring_len / 2 && used + len >= c->ring_len / 2) {
                notify_runner(c);
            }
            return;
        }
        notify_runner(c);
        host_futex(&c->ring_room, FUTEX_WAIT, room_seen);
    }
}

static bool answers(const struct import_answer *a, const struct import_request *req)
{
    return a->op == req->op && a->ino == req->ino && a->cursor == req->cursor &&
           a->name_len == req->name_len && memcmp(a + 1, req->name, a->name_len) == 0;
}

/* Takes the answer from those given ahead, if it is there. */
static bool take_ahead(struct control *c, const struct import_request *req,
                       struct import_response *resp)
{
    unsigned char *area = (unsigned char *)c + c->ahead_off;
    const struct import_ahead *ahead = (const struct import_ahead *)area;
    uint32_t slot = import_slot(req);
    for (; c->ahead_off && ahead->slots[slot]; slot = (slot + 1) & (IMPORT_AHEAD_SLOTS - 1)) {
        struct import_answer *a = (struct import_answer *)(area + 8ull * ahead->slots[slot]);
        if (answers(a, req)) {
            a->taken = 1;
            resp->result = a->result;
            resp->length = a->length;
            resp->cursor = a->next_cursor;
            resp->attr = a->attr;
            memcpy(resp->payload,
                   (const unsigned char *)(a + 1) + import_answer_name_room(a->name_len),
                   a->length);
            return true;
        }
    }
    return false;
}

void port_import(const struct import_request *req, struct import_response *resp)
{
    struct control *c = engine.control;
    if (take_ahead(c, req, resp)) {
        return;
    }
    c->import_request = *req;
    __atomic_store_n(&c->import_state, 1, __ATOMIC_RELEASE);
    notify_runner(c);
    while (__atomic_load_n(&c->import_state, __ATOMIC_ACQUIRE) != 2) {
        host_futex(&c->import_state, FUTEX_WAIT, 1);
    }
    /* Only what the answer uses of its 64 KiB. */
    uint64_t length = min_u64(c->import_response.length, IMPORT_PAYLOAD_MAX);
    memcpy(resp, &c->import_response, offsetof(struct import_response, payload) + length);
    c->import_state = 0;
}

_Noreturn void engine_over(enum control_over how)
{
    struct control *c = engine.control;
    c->vtime_ns = engine.machine ? engine.machine->clock.now : 0;
    __atomic_store_n(&c->over, (uint32_t)how, __ATOMIC_RELEASE);
    notify_runner(c);
    for (;;) { /* the runner ends every process of the universe */
        host_futex(&c->over, FUTEX_WAIT, (uint32_t)how);
    }
}

_Noreturn void engine_panic(const char *text)
{
    if (!engine.control) {
        host3(__NR_exit_group, 98, 0, 0);
    }
    str_copy(engine.control->panic_text, sizeof engine.control->panic_text, text);
    engine_over(CONTROL_PANIC);
}

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    char text[512];
    str_format(text, sizeof text, "assertion failed: %s at %s:%d", condition, file, line);
    engine_panic(text);
}
