/* Reading the headers of an ELF file for the call-site scanner. */
#include "image/elf_file.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NEAR_SHIFT    6u   /* one bit covers 64 bytes */
#define NEAR_DISTANCE 192u /* a rel8 jump into 5 bytes of padding, and the longest window */
#define SEGMENTS_MAX  256u

void addr_set_add(struct addr_set *s, uint64_t addr)
{
    *ARRAY_PUSH(s->items, s->count, s->cap) = addr;
}

static int compare_addr(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void addr_set_seal(struct addr_set *s)
{
    if (!s->count) {
        return;
    }
    qsort(s->items, s->count, sizeof *s->items, compare_addr);
    size_t kept = 1;
    for (size_t i = 1; i < s->count; i++) {
        if (s->items[i] != s->items[kept - 1]) {
            s->items[kept++] = s->items[i];
        }
    }
    s->count = kept;
}

size_t addr_set_lower(const struct addr_set *s, uint64_t addr)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->items[mid] < addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

bool addr_set_hits(const struct addr_set *s, uint64_t from, uint64_t to)
{
    size_t i = addr_set_lower(s, from);
    return i < s->count && s->items[i] < to;
}

void addr_set_fini(struct addr_set *s)
{
    free(s->items);
    *s = (struct addr_set){0};
}

static bool inside(const struct elf_file *f, uint64_t off, uint64_t len)
{
    return off <= f->len && len <= f->len - off;
}

const struct elf_segment *elf_file_segment(const struct elf_file *f, uint64_t addr)
{
    for (size_t i = 0; i < f->segment_count; i++) {
        const struct elf_segment *s = &f->segments[i];
        if (addr >= s->vaddr && addr - s->vaddr < s->len) {
            return s;
        }
    }
    return NULL;
}

bool elf_file_near(const struct elf_file *f, uint64_t addr)
{
    for (size_t i = 0; i < f->segment_count; i++) {
        const struct elf_segment *s = &f->segments[i];
        if (s->near && addr >= s->vaddr && addr - s->vaddr < s->len) {
            uint64_t bit = (addr - s->vaddr) >> NEAR_SHIFT;
            return s->near[bit / 8] >> (bit % 8) & 1;
        }
    }
    return false;
}

static void mark_near(struct elf_segment *s, uint64_t pos)
{
    uint64_t from = pos > NEAR_DISTANCE ? pos - NEAR_DISTANCE : 0;
    uint64_t to = min_u64(pos + NEAR_DISTANCE, s->len - 1);
    for (uint64_t bit = from >> NEAR_SHIFT; bit <= to >> NEAR_SHIFT; bit++) {
        s->near[bit / 8] |= (uint8_t)(1u << (bit % 8));
    }
}

static void find_candidates(const struct elf_file *f, struct elf_segment *s)
{
    const uint8_t *base = f->data + s->off;
    const uint8_t *at = base;
    size_t left = s->len;
    while ((at = memmem(at, left, "\x0f\x05", 2))) {
        if (!s->near) {
            s->near = mem_zalloc((s->len >> NEAR_SHIFT) / 8 + 1);
        }
        s->candidates++;
        mark_near(s, (uint64_t)(at - base));
        at++;
        left = s->len - (size_t)(at - base);
    }
}

/* 0f c7 with a register as operand and /6 or /7: RDRAND, RDSEED, RDPID (Intel SDM, opcode map A-6,
 * group 9), with whatever prefixes stand before it. */
static void find_traps(const struct elf_file *f, struct elf_segment *s)
{
    const uint8_t *base = f->data + s->off;
    const uint8_t *at = base;
    while ((at = memmem(at, s->len - (size_t)(at - base), "\x0f\xc7", 2))) {
        uint64_t pos = (uint64_t)(at - base);
        if (pos + 2 < s->len && at[2] >= 0xf0) {
            addr_set_add(&s->traps, s->vaddr + pos);
        }
        at++;
    }
}

static bool read_segments(struct elf_file *f, const Elf64_Ehdr *eh)
{
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0 || eh->e_phnum > SEGMENTS_MAX ||
        !inside(f, eh->e_phoff, (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr))) {
        return false;
    }
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        Elf64_Phdr ph;
        memcpy(&ph, f->data + eh->e_phoff + i * sizeof ph, sizeof ph);
        if (ph.p_type != PT_LOAD || !ph.p_filesz || !inside(f, ph.p_offset, ph.p_filesz) ||
            ph.p_vaddr > UINT64_MAX / 2 || elf_file_segment(f, ph.p_vaddr)) {
            continue;
        }
        struct elf_segment *s = ARRAY_PUSH(f->segments, f->segment_count, f->segment_cap);
        s->vaddr = ph.p_vaddr;
        s->off = ph.p_offset;
        s->len = ph.p_filesz;
        s->exec = ph.p_flags & PF_X;
        if (s->exec) {
            find_candidates(f, s);
            find_traps(f, s);
        }
    }
    return f->segment_count > 0;
}

static void add_start(struct elf_file *f, uint64_t addr)
{
    const struct elf_segment *s = elf_file_segment(f, addr);
    if (s && s->exec) {
        addr_set_add(&f->starts, addr);
    }
}

static void add_range(struct elf_file *f, uint64_t from, uint64_t len)
{
    const struct elf_segment *s = elf_file_segment(f, from);
    if (s && (s->near || s->traps.count) && len && len <= s->len - (from - s->vaddr)) {
        *ARRAY_PUSH(f->ranges, f->range_count, f->range_cap) =
            (struct elf_range){.from = from, .to = from + len};
        add_start(f, from);
    }
}

static void read_symbols(struct elf_file *f, const Elf64_Shdr *sh)
{
    if (sh->sh_entsize != sizeof(Elf64_Sym) || !inside(f, sh->sh_offset, sh->sh_size)) {
        return;
    }
    for (uint64_t i = 0; i < sh->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym sym;
        memcpy(&sym, f->data + sh->sh_offset + i * sizeof sym, sizeof sym);
        unsigned type = ELF64_ST_TYPE(sym.st_info);
        if (sym.st_shndx != SHN_UNDEF && sym.st_shndx < SHN_LORESERVE &&
            (type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC)) {
            add_start(f, sym.st_value);
        }
    }
}

static void read_sections(struct elf_file *f, const Elf64_Ehdr *eh)
{
    if (eh->e_shentsize != sizeof(Elf64_Shdr) ||
        !inside(f, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(Elf64_Shdr))) {
        return;
    }
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        Elf64_Shdr sh;
        memcpy(&sh, f->data + eh->e_shoff + i * sizeof sh, sizeof sh);
        if (sh.sh_type == SHT_SYMTAB || sh.sh_type == SHT_DYNSYM) {
            read_symbols(f, &sh);
        } else if (sh.sh_type == SHT_PROGBITS && (sh.sh_flags & SHF_EXECINSTR) &&
                   (sh.sh_flags & SHF_ALLOC)) {
            add_range(f, sh.sh_addr, sh.sh_size);
        }
    }
}

/* The sorted table of .eh_frame_hdr (LSB Core, "Exception Frames"): the starts of all functions
 * with unwind information, present in stripped files as well. Only the encoding that linkers write
 * (32-bit signed, relative to the header) is read. */
static void read_unwind_table(struct elf_file *f, const Elf64_Phdr *ph)
{
    const unsigned char *h = f->data + ph->p_offset;
    if (!inside(f, ph->p_offset, ph->p_filesz) || ph->p_filesz < 12 || h[0] != 1 || h[1] != 0x1b ||
        h[2] != 0x03 || h[3] != 0x3b) {
        return;
    }
    uint32_t count;
    memcpy(&count, h + 8, sizeof count);
    if (count > (ph->p_filesz - 12) / 8) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t rel;
        memcpy(&rel, h + 12 + (size_t)i * 8, sizeof rel);
        add_start(f, ph->p_vaddr + (uint64_t)(int64_t)rel);
    }
}

static int compare_range(const void *a, const void *b)
{
    return compare_addr(&((const struct elf_range *)a)->from, &((const struct elf_range *)b)->from);
}

/* Makes the ranges ascending and disjoint; a hostile file may overlap them. */
static void settle_ranges(struct elf_file *f)
{
    if (!f->range_count) {
        for (size_t i = 0; i < f->segment_count; i++) {
            add_range(f, f->segments[i].vaddr, f->segments[i].len);
        }
    }
    if (f->range_count) {
        qsort(f->ranges, f->range_count, sizeof *f->ranges, compare_range);
    }
    size_t kept = 0;
    for (size_t i = 0; i < f->range_count; i++) {
        struct elf_range r = f->ranges[i];
        if (kept && r.from < f->ranges[kept - 1].to) {
            r.from = f->ranges[kept - 1].to;
        }
        if (r.from < r.to) {
            f->ranges[kept++] = r;
        }
    }
    f->range_count = kept;
}

bool elf_file_init(struct elf_file *f, const void *data, size_t len)
{
    *f = (struct elf_file){.data = data, .len = len};
    Elf64_Ehdr eh;
    if (len < sizeof eh) {
        return false;
    }
    memcpy(&eh, data, sizeof eh);
    if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64 ||
        (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)) {
        return false;
    }
    f->fixed = eh.e_type == ET_EXEC;
    if (!read_segments(f, &eh)) {
        elf_file_fini(f);
        return false;
    }
    add_start(f, eh.e_entry);
    read_sections(f, &eh);
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr ph;
        memcpy(&ph, f->data + eh.e_phoff + i * sizeof ph, sizeof ph);
        if (ph.p_type == PT_GNU_EH_FRAME && inside(f, ph.p_offset, ph.p_filesz)) {
            read_unwind_table(f, &ph);
        }
    }
    settle_ranges(f);
    addr_set_seal(&f->starts);
    return true;
}

void elf_file_fini(struct elf_file *f)
{
    for (size_t i = 0; i < f->segment_count; i++) {
        free(f->segments[i].near);
        addr_set_fini(&f->segments[i].traps);
    }
    free(f->segments);
    free(f->ranges);
    addr_set_fini(&f->starts);
    *f = (struct elf_file){0};
}

static bool in_ranges(const struct elf_file *f, uint64_t addr)
{
    for (size_t i = 0; i < f->range_count; i++) {
        if (addr >= f->ranges[i].from && addr < f->ranges[i].to) {
            return true;
        }
    }
    return false;
}

void elf_file_data_words(const struct elf_file *f, struct addr_set *targets)
{
    uint64_t lo = UINT64_MAX, hi = 0; /* cheap first filter: nearly all words fail it */
    for (size_t i = 0; i < f->segment_count; i++) {
        const struct elf_segment *s = &f->segments[i];
        if (s->near) {
            lo = min_u64(lo, s->vaddr);
            hi = max_u64(hi, s->vaddr + s->len);
        }
    }
    for (size_t i = 0; i < f->segment_count; i++) {
        const struct elf_segment *s = &f->segments[i];
        uint64_t skip = round_up_u64(s->vaddr, 8) - s->vaddr;
        for (uint64_t at = skip; at + 8 <= s->len; at += 8) {
            uint64_t word;
            memcpy(&word, f->data + s->off + at, sizeof word);
            if (word >= lo && word < hi && elf_file_near(f, word) &&
                !(s->exec && in_ranges(f, s->vaddr + at))) {
                addr_set_add(targets, word);
            }
        }
    }
}
