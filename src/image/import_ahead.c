#include "image/import_ahead.h"

#include <string.h>

void import_ahead_init(struct import_ahead_writer *w, void *area)
{
    *w = (struct import_ahead_writer){.area = area, .used = sizeof(struct import_ahead)};
}

uint64_t import_ahead_put(struct import_ahead_writer *w, const struct import_request *q,
                          const struct import_response *r)
{
    uint64_t name_room = import_answer_name_room(q->name_len);
    uint64_t need =
        sizeof(struct import_answer) + name_room + round_up_u64(r->length, sizeof(uint64_t));
    if (!w->area || w->count >= IMPORT_AHEAD_SLOTS / 2 || need > IMPORT_AHEAD_BYTES - w->used) {
        return 0;
    }
    uint64_t at = w->used;
    struct import_answer a = {.op = q->op,
                              .ino = q->ino,
                              .cursor = q->cursor,
                              .name_len = q->name_len,
                              .result = r->result,
                              .length = r->length,
                              .next_cursor = r->cursor,
                              .attr = r->attr};
    memcpy(w->area + at, &a, sizeof a);
    memcpy(w->area + at + sizeof a, q->name, q->name_len);
    memcpy(w->area + at + sizeof a + name_room, r->payload, r->length);
    uint32_t slot = import_slot(q);
    while (w->slots[slot]) {
        slot = (slot + 1) & (IMPORT_AHEAD_SLOTS - 1);
    }
    w->slots[slot] = (uint32_t)(at / 8);
    struct import_ahead *table = (struct import_ahead *)(void *)w->area;
    __atomic_store_n(&table->slots[slot], w->slots[slot], __ATOMIC_RELEASE);
    w->used += need;
    w->count++;
    return at;
}

bool import_ahead_taken(const struct import_ahead_writer *w, uint64_t at)
{
    const struct import_answer *a = (const struct import_answer *)(const void *)(w->area + at);
    return w->area && __atomic_load_n(&a->taken, __ATOMIC_RELAXED) != 0;
}
