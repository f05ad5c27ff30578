/* Builds the boot plan (abi/plan.h): one block of bytes with offsets inside. */
#ifndef EVERETT_RUNNER_PLAN_BUILDER_H
#define EVERETT_RUNNER_PLAN_BUILDER_H

#include "abi/plan.h"
#include "base/base.h"
#include "base/buf.h"

struct plan_builder {
    struct buf bytes; /* the plan so far; struct plan at its start */
    int *fds;         /* descriptors the engine inherits, in order of plan files; borrowed */
    size_t fd_count, fd_cap;
    struct plan_file *files;
    size_t file_count, file_cap;
    uint64_t next_map; /* next free address for pack files */
};

/* Descriptor numbers inside the engine: fixed, so that nothing depends on the runner's own. */
#define ENGINE_FD_CONTROL 900
#define ENGINE_FD_ARENA   901
#define ENGINE_FD_DATA    902
#define ENGINE_FD_PACKS   903

void plan_builder_init(struct plan_builder *b);
void plan_builder_fini(struct plan_builder *b);

/* The plan's head; the pointer is valid until the next put. */
struct plan *plan_head(struct plan_builder *b);
uint32_t plan_put(struct plan_builder *b, const void *data, size_t len); /* 8-byte aligned offset */
plan_str plan_put_str(struct plan_builder *b, const char *s);            /* NULL gives 0 */
struct plan_list plan_put_list(struct plan_builder *b, const void *items, size_t count,
                               size_t size);
struct plan_list plan_put_strs(struct plan_builder *b, char *const *strs, size_t count);

/* Adds a host file the engine maps; `reserve` bytes of address space (>= its length). Returns its
 * index in the plan's files. The descriptor stays the caller's. */
uint32_t plan_add_file(struct plan_builder *b, int fd, bool is_data, uint64_t length,
                       uint64_t reserve);
/* Writes the file list and the total length. Call last. */
void plan_finish(struct plan_builder *b);

#endif
