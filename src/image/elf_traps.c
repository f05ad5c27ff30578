#include "image/elf_traps.h"

#include <Zydis/Zydis.h>

#include "base/mem.h"
#include "image/elf_file.h"
#include "image/elfscan.h"

struct walk {
    const struct elf_file *f;
    struct elfscan *scan;
    ZydisDecoder decoder;
};

static bool must_trap(const ZydisDecodedInstruction *in)
{
    return in->mnemonic == ZYDIS_MNEMONIC_RDRAND || in->mnemonic == ZYDIS_MNEMONIC_RDSEED ||
           in->mnemonic == ZYDIS_MNEMONIC_RDPID;
}

/* One function, up to the last of the candidates that lie in it. */
static void walk_function(struct walk *w, const struct elf_segment *seg, uint64_t from, uint64_t to,
                          uint64_t last)
{
    size_t before = w->scan->patch_count;
    for (uint64_t at = from; at <= last;) {
        ZydisDecodedInstruction in;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
                &w->decoder, NULL, w->f->data + seg->off + (at - seg->vaddr), to - at, &in))) {
            w->scan->patch_count = before;
            return;
        }
        if (must_trap(&in)) {
            struct pack_patch *p =
                ARRAY_PUSH(w->scan->patches, w->scan->patch_count, w->scan->patch_cap);
            p->offset = seg->off + (at - seg->vaddr);
            p->form = PACK_PATCH_TRAP;
            p->length = in.length;
        }
        at += in.length;
    }
    w->scan->traps += w->scan->patch_count - before;
}

static void walk_range(struct walk *w, const struct elf_range *r)
{
    const struct elf_segment *seg = elf_file_segment(w->f, r->from);
    const struct addr_set *starts = &w->f->starts, *traps = &seg->traps;
    for (size_t i = addr_set_lower(traps, r->from); i < traps->count && traps->items[i] < r->to;) {
        size_t next = addr_set_lower(starts, traps->items[i] + 1);
        uint64_t from = next > 0 ? max_u64(starts->items[next - 1], r->from) : r->from;
        uint64_t to = next < starts->count ? min_u64(starts->items[next], r->to) : r->to;
        uint64_t last = traps->items[i];
        while (i < traps->count && traps->items[i] < to) {
            last = traps->items[i++];
        }
        walk_function(w, seg, from, to, last);
    }
}

void elf_traps_add(const struct elf_file *f, struct elfscan *scan)
{
    struct walk w = {.f = f, .scan = scan};
    ZydisDecoderInit(&w.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&w.decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    for (size_t i = 0; i < f->range_count; i++) {
        walk_range(&w, &f->ranges[i]);
    }
}
