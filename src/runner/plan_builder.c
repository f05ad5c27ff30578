#include "runner/plan_builder.h"

#include <stdlib.h>
#include <string.h>

#include "abi/layout.h"
#include "base/mem.h"

void plan_builder_init(struct plan_builder *b)
{
    struct plan head = {.magic = PLAN_MAGIC};
    *b = (struct plan_builder){.next_map = ENGINE_PACKS};
    buf_append(&b->bytes, &head, sizeof head);
}

void plan_builder_fini(struct plan_builder *b)
{
    buf_free(&b->bytes);
    free(b->fds);
    free(b->files);
    *b = (struct plan_builder){0};
}

struct plan *plan_head(struct plan_builder *b)
{
    return (struct plan *)(void *)b->bytes.data;
}

uint32_t plan_put(struct plan_builder *b, const void *data, size_t len)
{
    static const char zero[8];
    buf_append(&b->bytes, zero, (size_t)(round_up_u64(b->bytes.len, 8) - b->bytes.len));
    uint32_t off = (uint32_t)b->bytes.len;
    buf_append(&b->bytes, data, len);
    return off;
}

plan_str plan_put_str(struct plan_builder *b, const char *s)
{
    return s ? plan_put(b, s, strlen(s) + 1) : 0;
}

struct plan_list plan_put_list(struct plan_builder *b, const void *items, size_t count, size_t size)
{
    return (struct plan_list){count ? plan_put(b, items, count * size) : 0, (uint32_t)count};
}

struct plan_list plan_put_strs(struct plan_builder *b, char *const *strs, size_t count)
{
    plan_str *refs = mem_zalloc(count * sizeof *refs);
    for (size_t i = 0; i < count; i++) {
        refs[i] = plan_put_str(b, strs[i]);
    }
    struct plan_list list = plan_put_list(b, refs, count, sizeof *refs);
    free(refs);
    return list;
}

uint32_t plan_add_file(struct plan_builder *b, int fd, bool is_data, uint64_t length,
                       uint64_t reserve)
{
    uint32_t index = (uint32_t)b->file_count;
    struct plan_file *f = ARRAY_PUSH(b->files, b->file_count, b->file_cap);
    f->fd = ENGINE_FD_PACKS + (int32_t)index;
    f->is_data = is_data;
    f->map_addr = b->next_map;
    f->length = reserve > length ? reserve : length;
    b->next_map += round_up_u64(f->length, 2ul << 20) + (2ul << 20);
    *ARRAY_PUSH(b->fds, b->fd_count, b->fd_cap) = fd;
    return index;
}

void plan_finish(struct plan_builder *b)
{
    struct plan_list files = plan_put_list(b, b->files, b->file_count, sizeof *b->files);
    plan_head(b)->files = files;
    plan_head(b)->length = b->bytes.len;
}
