/* Bounds-checked view of an x86-64 ELF file, as far as the call-site scanner needs it: where code
 * lies, where functions start, and which code addresses appear as data.
 *
 * Nothing in the file is trusted: every offset is checked against its length. */
#ifndef EVERETT_IMAGE_ELF_FILE_H
#define EVERETT_IMAGE_ELF_FILE_H

#include "base/base.h"

/* Sorted, duplicate-free after addr_set_seal. */
struct addr_set {
    uint64_t *items; /* owned */
    size_t count, cap;
};

void addr_set_add(struct addr_set *s, uint64_t addr);
void addr_set_seal(struct addr_set *s);
/* Index of the first item that is not below `addr` (count when there is none). */
size_t addr_set_lower(const struct addr_set *s, uint64_t addr);
/* Whether an item lies in [from, to). */
bool addr_set_hits(const struct addr_set *s, uint64_t from, uint64_t to);
void addr_set_fini(struct addr_set *s);

/* A loadable segment as far as the file backs it. */
struct elf_segment {
    uint64_t vaddr, off, len;
    bool exec;
    uint8_t *near; /* owned; exec with candidates only: a bit for each 64 bytes near a candidate */
    size_t candidates;     /* places of the byte pair 0f 05 */
    struct addr_set traps; /* exec: addresses of bytes that may be RDRAND and its like */
};

/* Code to be swept: an executable section, or a whole segment when there are no sections. */
struct elf_range {
    uint64_t from, to; /* addresses */
};

struct elf_file {
    const uint8_t *data; /* borrowed */
    size_t len;
    bool fixed; /* ET_EXEC: absolute addresses occur in the code */
    struct elf_segment *segments;
    size_t segment_count, segment_cap;
    struct elf_range *ranges; /* ascending, disjoint */
    size_t range_count, range_cap;
    struct addr_set starts; /* function and section starts: where the sweep finds its feet again */
};

/* False when the bytes are no ELF file for x86-64 Linux programs, or have no program headers within
 * their bounds; then nothing is held. */
bool elf_file_init(struct elf_file *f, const void *data, size_t len);
void elf_file_fini(struct elf_file *f);

/* The segment that holds `addr`, or NULL. */
const struct elf_segment *elf_file_segment(const struct elf_file *f, uint64_t addr);
/* Whether `addr` is code close enough to a candidate to matter. */
bool elf_file_near(const struct elf_file *f, uint64_t addr);
/* Adds every aligned 8-byte word outside the swept ranges that is such an address: absolute jump
 * tables, relocation addends, function pointers. */
void elf_file_data_words(const struct elf_file *f, struct addr_set *targets);

#endif
