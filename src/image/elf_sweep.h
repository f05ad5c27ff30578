/* The linear sweep over the code of an ELF file: sites, padding and jump targets. */
#ifndef EVERETT_IMAGE_ELF_SWEEP_H
#define EVERETT_IMAGE_ELF_SWEEP_H

#include "image/elf_file.h"

/* Bytes of nop or int3 behind a `ret` or `jmp`. */
struct elf_padding {
    uint64_t from, to;
};

struct elf_sweep {
    struct addr_set sites;        /* `syscall` instructions, near candidates by construction */
    struct addr_set targets;      /* where control may arrive other than by falling through */
    struct elf_padding *paddings; /* ascending; only those near candidates */
    size_t padding_count, padding_cap;
    struct elf_range *doubts; /* ascending; where the sweep met bytes that are no code */
    size_t doubt_count, doubt_cap;
    bool targets_incomplete; /* a limit was hit: only forms that need no target list are safe */
};

void elf_sweep_init(struct elf_sweep *sweep, const struct elf_file *f);
void elf_sweep_fini(struct elf_sweep *sweep);
/* Whether [from, to) touches a doubtful stretch. */
bool elf_sweep_doubtful(const struct elf_sweep *sweep, uint64_t from, uint64_t to);

#endif
