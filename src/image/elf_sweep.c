/* Linear disassembly of the executable part of an ELF file (Zydis, minimal mode: lengths, mnemonics
 * and raw immediates are all that is needed). */
#include "image/elf_sweep.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Undecodable bytes cast doubt on what lies around them, because the sweep may have been out of
 * step before it noticed: up to the function start before and behind, at most this far. */
#define DOUBT_BYTES 4096u
/* Jump tables are read until an entry leaves the code. The budget bounds what a hostile file with
 * many overlapping tables can cost. */
#define TABLE_BUDGET (64u << 20)

struct sweeper {
    const struct elf_file *f;
    struct elf_sweep *out;
    ZydisDecoder decoder;
    struct addr_set tables; /* addresses the code takes: possible bases of relative jump tables */
    struct elf_padding pad; /* being collected; from == to: none */
    bool after_end;         /* the previous instruction was a `ret` or `jmp` */
};

static void add_target(struct sweeper *s, uint64_t addr)
{
    if (elf_file_near(s->f, addr)) {
        addr_set_add(&s->out->targets, addr);
    }
}

static bool is_padding(const ZydisDecodedInstruction *in)
{
    return in->mnemonic == ZYDIS_MNEMONIC_NOP || in->mnemonic == ZYDIS_MNEMONIC_INT3;
}

static bool is_end(const ZydisDecodedInstruction *in)
{
    return in->mnemonic == ZYDIS_MNEMONIC_RET || in->mnemonic == ZYDIS_MNEMONIC_JMP;
}

static void close_padding(struct sweeper *s)
{
    if (s->pad.to - s->pad.from >= 5 &&
        (elf_file_near(s->f, s->pad.from) || elf_file_near(s->f, s->pad.to - 1))) {
        *ARRAY_PUSH(s->out->paddings, s->out->padding_count, s->out->padding_cap) = s->pad;
    }
    s->pad = (struct elf_padding){0};
}

static void note_padding(struct sweeper *s, uint64_t addr, const ZydisDecodedInstruction *in)
{
    if (is_padding(in)) {
        if (s->pad.to == addr && s->pad.from != s->pad.to) {
            s->pad.to = addr + in->length;
        } else if (s->after_end) {
            s->pad = (struct elf_padding){.from = addr, .to = addr + in->length};
        }
        s->after_end = false;
        return;
    }
    close_padding(s);
    s->after_end = is_end(in);
}

static void note_targets(struct sweeper *s, uint64_t addr, const ZydisDecodedInstruction *in)
{
    uint64_t next = addr + in->length;
    for (unsigned i = 0; i < 2; i++) {
        if (!in->raw.imm[i].size) {
            continue;
        }
        if (in->raw.imm[i].is_relative) {
            add_target(s, next + in->raw.imm[i].value.u);
        } else if (s->f->fixed) {
            add_target(s, in->raw.imm[i].value.u);
        }
    }
    if (in->raw.disp.size != 32) {
        return;
    }
    bool rip = in->raw.modrm.mod == 0 && in->raw.modrm.rm == 5;
    if (rip || s->f->fixed) {
        uint64_t at = (rip ? next : 0) + (uint64_t)in->raw.disp.value;
        add_target(s, at);
        if (rip && in->mnemonic == ZYDIS_MNEMONIC_LEA) {
            addr_set_add(&s->tables, at);
        }
    }
}

static void add_doubt(struct sweeper *s, uint64_t addr, uint64_t from, uint64_t to)
{
    uint64_t lo = addr - min_u64(addr - from, DOUBT_BYTES);
    uint64_t hi = addr + min_u64(to - addr, DOUBT_BYTES);
    struct elf_sweep *out = s->out;
    if (out->doubt_count && out->doubts[out->doubt_count - 1].to >= lo) {
        out->doubts[out->doubt_count - 1].to = max_u64(out->doubts[out->doubt_count - 1].to, hi);
        return;
    }
    *ARRAY_PUSH(out->doubts, out->doubt_count, out->doubt_cap) =
        (struct elf_range){.from = lo, .to = hi};
}

/* Sweeps from one known start to the next. */
static void sweep_function(struct sweeper *s, uint64_t from, uint64_t to)
{
    const struct elf_segment *seg = elf_file_segment(s->f, from);
    const uint8_t *code = s->f->data + seg->off + (from - seg->vaddr);
    uint64_t at = from;
    while (at < to) {
        ZydisDecodedInstruction in;
        ZyanStatus st =
            ZydisDecoderDecodeInstruction(&s->decoder, NULL, code + (at - from), to - at, &in);
        if (!ZYAN_SUCCESS(st)) {
            add_doubt(s, at, from, to);
            close_padding(s);
            s->after_end = false;
            at++;
            continue;
        }
        note_padding(s, at, &in);
        note_targets(s, at, &in);
        if (in.mnemonic == ZYDIS_MNEMONIC_SYSCALL && in.length == 2) {
            addr_set_add(&s->out->sites, at);
        }
        at += in.length;
    }
}

static void sweep_range(struct sweeper *s, const struct elf_range *r)
{
    const struct addr_set *starts = &s->f->starts;
    uint64_t from = r->from;
    s->after_end = false;
    for (size_t i = addr_set_lower(starts, r->from + 1); from < r->to; i++) {
        uint64_t to = i < starts->count ? min_u64(starts->items[i], r->to) : r->to;
        sweep_function(s, from, to);
        from = to;
    }
    close_padding(s);
}

/* gcc and clang store switch tables of position-independent code as 32-bit offsets from the table's
 * own address, which the code takes with `lea`. Reading every such address as a table finds all
 * case labels (and a few targets that are none, which only costs a form). */
static void read_tables(struct sweeper *s)
{
    size_t budget = TABLE_BUDGET;
    addr_set_seal(&s->tables);
    for (size_t i = 0; i < s->tables.count; i++) {
        uint64_t base = s->tables.items[i];
        const struct elf_segment *seg = elf_file_segment(s->f, base);
        for (uint64_t at = seg ? base - seg->vaddr : 0; seg && at + 4 <= seg->len; at += 4) {
            int32_t rel;
            memcpy(&rel, s->f->data + seg->off + at, sizeof rel);
            uint64_t target = base + (uint64_t)(int64_t)rel;
            const struct elf_segment *hit = elf_file_segment(s->f, target);
            if (!hit || !hit->exec) {
                break;
            }
            if (!budget--) {
                s->out->targets_incomplete = true;
                return;
            }
            add_target(s, target);
        }
    }
}

void elf_sweep_init(struct elf_sweep *sweep, const struct elf_file *f)
{
    *sweep = (struct elf_sweep){0};
    struct sweeper s = {.f = f, .out = sweep};
    ZydisDecoderInit(&s.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&s.decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    for (size_t i = 0; i < f->range_count; i++) {
        if (elf_file_segment(f, f->ranges[i].from)->near) {
            sweep_range(&s, &f->ranges[i]);
        }
    }
    for (size_t i = 0; i < f->starts.count; i++) {
        add_target(&s, f->starts.items[i]);
    }
    read_tables(&s);
    elf_file_data_words(f, &sweep->targets);
    addr_set_seal(&sweep->sites);
    addr_set_seal(&sweep->targets);
    addr_set_fini(&s.tables);
}

void elf_sweep_fini(struct elf_sweep *sweep)
{
    addr_set_fini(&sweep->sites);
    addr_set_fini(&sweep->targets);
    free(sweep->paddings);
    free(sweep->doubts);
    *sweep = (struct elf_sweep){0};
}

bool elf_sweep_doubtful(const struct elf_sweep *sweep, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < sweep->doubt_count; i++) {
        if (sweep->doubts[i].from < to && from < sweep->doubts[i].to) {
            return true;
        }
    }
    return false;
}
