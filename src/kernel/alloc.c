#include "kernel/alloc.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/port.h"

/* Every block is preceded by 16 bytes: its class and the size asked for. Classes are powers of two
 * and the halves between (32, 48, 64, 96, ...), the header included. */
struct block {
    uint32_t class;
    uint32_t magic;
    uint64_t size;
};

#define BLOCK_LIVE  0x4c495645u
#define BLOCK_FREE  0x46524545u
#define CLASS_FIRST 32u

static uint64_t class_bytes(uint32_t class)
{
    uint64_t power = (uint64_t)CLASS_FIRST << (class / 2);
    return class % 2 ? power + power / 2 : power;
}

static uint32_t class_of(uint64_t bytes)
{
    if (bytes <= CLASS_FIRST) {
        return 0;
    }
    uint32_t log = 63u - (uint32_t)__builtin_clzll(bytes - 1); /* floor(log2(bytes - 1)) */
    uint32_t class = (log - 5) * 2;
    while (class_bytes(class) < bytes) {
        class ++;
    }
    return class;
}

void arena_init(struct arena *a, void *base, uint64_t length)
{
    *a = (struct arena){0};
    a->base = round_up_u64((uint64_t)(uintptr_t)base, 64);
    a->end = (uint64_t)(uintptr_t)base + length;
    a->brk = a->base;
}

void *arena_alloc(struct arena *a, size_t size)
{
    uint32_t class = class_of(size + sizeof(struct block));
    if (class >= ARRAY_LEN(a->free_list)) {
        return NULL;
    }
    struct block *b = (struct block *)(uintptr_t)a->free_list[class];
    if (b) {
        ASSERT(b->magic == BLOCK_FREE);
        a->free_list[class] = *(uint64_t *)(b + 1);
        memset(b + 1, 0, size > 8 ? size : 8);
    } else {
        uint64_t bytes = class_bytes(class);
        if (a->end - a->brk < bytes) {
            return NULL;
        }
        b = (struct block *)(uintptr_t)a->brk; /* never used before: the store hands out zeroes */
        a->brk += bytes;
    }
    *b = (struct block){class, BLOCK_LIVE, size};
    a->bytes_live += size;
    a->objects_live++;
    return b + 1;
}

void arena_free(struct arena *a, void *p)
{
    struct block *b = (struct block *)p - 1;
    ASSERT(b->magic == BLOCK_LIVE);
    b->magic = BLOCK_FREE;
    a->bytes_live -= b->size;
    a->objects_live--;
    *(uint64_t *)(b + 1) = a->free_list[b->class];
    a->free_list[b->class] = (uint64_t)(uintptr_t)b;
}

size_t arena_size(const void *p)
{
    const struct block *b = (const struct block *)p - 1;
    return (size_t)class_bytes(b->class) - sizeof *b;
}

void *kalloc(struct machine *m, size_t size)
{
    void *p = arena_alloc(&m->arena, size);
    if (!p) {
        m->port->panic("kernel memory of the universe is exhausted");
        __builtin_unreachable();
    }
    return p;
}

void *krealloc(struct machine *m, void *p, size_t size)
{
    if (!p) {
        return kalloc(m, size);
    }
    struct block *b = (struct block *)p - 1;
    ASSERT(b->magic == BLOCK_LIVE);
    if (size <= arena_size(p)) {
        if (size > b->size) {
            memset((char *)p + b->size, 0, size - b->size);
        }
        m->arena.bytes_live += size - b->size;
        b->size = size;
        return p;
    }
    void *n = kalloc(m, size);
    memcpy(n, p, b->size);
    kfree(m, p);
    return n;
}

void kfree(struct machine *m, void *p)
{
    if (p) {
        arena_free(&m->arena, p);
    }
}

char *kstrdup(struct machine *m, const char *s, size_t len)
{
    char *d = kalloc(m, len + 1);
    memcpy(d, s, len);
    return d;
}
