/* Which `syscall` instructions of an ELF file may be patched, and how. */
#include "image/elfscan.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/elf_file.h"
#include "image/elf_sweep.h"
#include "image/elf_traps.h"

#define SITE_LEN    2u /* 0f 05 */
#define JUMP_LEN    5u /* e9 rel32 */
#define FORWARD_MAX 20u

/* Five bytes of padding that can hold one jump. */
struct slot {
    uint64_t addr;
    bool taken;
};

struct decision {
    uint64_t addr;
    uint8_t forward;   /* bytes of the FORWARD window, 0 when there is none */
    struct slot *slot; /* SHORT */
};

struct planner {
    const struct elf_file *f;
    const struct elf_sweep *sweep;
    ZydisDecoder decoder;
    struct slot *slots; /* ascending */
    size_t slot_count, slot_cap;
    struct decision *sites; /* ascending */
    size_t site_count;
};

bool elfscan_is_elf(const void *head, size_t len)
{
    return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

/* Cuts paddings into slots, leaving out everything that a jump can reach. */
static void make_slots(struct planner *p)
{
    const struct elf_sweep *sweep = p->sweep;
    for (size_t i = 0; i < sweep->padding_count; i++) {
        uint64_t at = sweep->paddings[i].from;
        while (at + JUMP_LEN <= sweep->paddings[i].to) {
            size_t hit = addr_set_lower(&sweep->targets, at);
            if (hit < sweep->targets.count && sweep->targets.items[hit] < at + JUMP_LEN) {
                /* From a target on the rest can be reached by falling through. */
                break;
            }
            if (elf_sweep_doubtful(sweep, at, at + JUMP_LEN)) {
                break;
            }
            *ARRAY_PUSH(p->slots, p->slot_count, p->slot_cap) = (struct slot){.addr = at};
            at += JUMP_LEN;
        }
    }
}

/* Whether an instruction does the same when it is executed at another address, and falls through
 * to the next one. */
static bool is_movable(const ZydisDecodedInstruction *in)
{
    if (in->attributes & (ZYDIS_ATTRIB_IS_RELATIVE | ZYDIS_ATTRIB_IS_PRIVILEGED |
                          ZYDIS_ATTRIB_HAS_EVEX | ZYDIS_ATTRIB_HAS_MVEX)) {
        return false;
    }
    switch (in->meta.category) {
    case ZYDIS_CATEGORY_BINARY:
    case ZYDIS_CATEGORY_BITBYTE:
    case ZYDIS_CATEGORY_CMOV:
    case ZYDIS_CATEGORY_CONVERT:
    case ZYDIS_CATEGORY_DATAXFER:
    case ZYDIS_CATEGORY_FLAGOP:
    case ZYDIS_CATEGORY_LOGICAL:
    case ZYDIS_CATEGORY_LOGICAL_FP:
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_ROTATE:
    case ZYDIS_CATEGORY_SEMAPHORE:
    case ZYDIS_CATEGORY_SETCC:
    case ZYDIS_CATEGORY_SHIFT:
    case ZYDIS_CATEGORY_SSE:
    case ZYDIS_CATEGORY_MISC:
        break;
    default:
        return false;
    }
    /* LEA is in MISC; the others there (cpuid, pause, ud2 ...) stay where they are. */
    return in->meta.category != ZYDIS_CATEGORY_MISC || in->mnemonic == ZYDIS_MNEMONIC_LEA;
}

/* Length of the FORWARD window at `site`, or 0. */
static uint8_t forward_window(const struct planner *p, uint64_t site)
{
    const struct elf_segment *seg = elf_file_segment(p->f, site);
    const uint8_t *code = p->f->data + seg->off;
    uint64_t start = site - seg->vaddr, at = start + SITE_LEN;
    if (p->sweep->targets_incomplete) {
        return 0;
    }
    while (at - start < JUMP_LEN) {
        ZydisDecodedInstruction in;
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeInstruction(&p->decoder, NULL, code + at, seg->len - at, &in)) ||
            !is_movable(&in)) {
            return 0;
        }
        at += in.length;
    }
    uint64_t len = at - start;
    if (len > FORWARD_MAX || addr_set_hits(&p->sweep->targets, site + 1, site + len) ||
        elf_sweep_doubtful(p->sweep, site, site + len)) {
        return 0;
    }
    return (uint8_t)len;
}

/* Gives each wanted site the lowest free slot in reach. All reaches are equally long, so taking
 * sites in ascending order serves as many as can be served. */
static void assign_slots(struct planner *p, bool with_forward)
{
    size_t low = 0;
    for (size_t i = 0; i < p->site_count; i++) {
        struct decision *d = &p->sites[i];
        if (d->slot || (d->forward != 0) != with_forward) {
            continue;
        }
        const struct elf_segment *seg = elf_file_segment(p->f, d->addr);
        uint64_t from = d->addr + SITE_LEN;
        while (low < p->slot_count && p->slots[low].addr + 128 < from) {
            low++;
        }
        for (size_t k = low; k < p->slot_count && p->slots[k].addr <= from + 127; k++) {
            if (!p->slots[k].taken && elf_file_segment(p->f, p->slots[k].addr) == seg) {
                p->slots[k].taken = true;
                d->slot = &p->slots[k];
                break;
            }
        }
    }
}

static void emit(const struct planner *p, struct elfscan *scan)
{
    for (size_t i = 0; i < p->site_count; i++) {
        const struct decision *d = &p->sites[i];
        if (!d->slot && !d->forward) {
            continue;
        }
        const struct elf_segment *seg = elf_file_segment(p->f, d->addr);
        struct pack_patch *out = ARRAY_PUSH(scan->patches, scan->patch_count, scan->patch_cap);
        out->offset = seg->off + (d->addr - seg->vaddr);
        if (d->slot) {
            out->form = PACK_PATCH_SHORT;
            out->delta = (int8_t)(int64_t)(d->slot->addr - (d->addr + SITE_LEN));
            scan->short_form++;
        } else {
            out->form = PACK_PATCH_FORWARD;
            out->length = d->forward;
        }
    }
}

static int compare_patch(const void *a, const void *b)
{
    uint64_t x = ((const struct pack_patch *)a)->offset, y = ((const struct pack_patch *)b)->offset;
    return (x > y) - (x < y);
}

/* Two segments of a hostile or odd file may show the same bytes; a site must be named once. */
static void settle_patches(struct elfscan *scan)
{
    if (!scan->patch_count) {
        return;
    }
    qsort(scan->patches, scan->patch_count, sizeof *scan->patches, compare_patch);
    for (size_t i = 1; i < scan->patch_count; i++) {
        if (scan->patches[i].offset - scan->patches[i - 1].offset < SITE_LEN) {
            scan->patch_count = scan->short_form = scan->traps = 0;
            return;
        }
    }
}

static void plan(const struct elf_file *f, const struct elf_sweep *sweep, struct elfscan *scan)
{
    struct planner p = {.f = f, .sweep = sweep, .site_count = sweep->sites.count};
    p.sites = mem_zalloc(p.site_count * sizeof *p.sites);
    ZydisDecoderInit(&p.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (size_t i = 0; i < p.site_count; i++) {
        p.sites[i].addr = sweep->sites.items[i];
    }
    make_slots(&p);
    size_t certain = 0;
    for (size_t i = 0; i < p.site_count; i++) {
        /* In doubt even the site itself may be data. */
        if (!elf_sweep_doubtful(sweep, p.sites[i].addr, p.sites[i].addr + SITE_LEN)) {
            p.sites[certain] = p.sites[i];
            p.sites[certain].forward = forward_window(&p, p.sites[i].addr);
            certain++;
        }
    }
    p.site_count = certain;
    assign_slots(&p, false); /* who has no other form comes first */
    assign_slots(&p, true);
    emit(&p, scan);
    free(p.sites);
    free(p.slots);
}

void elfscan_init(struct elfscan *scan, const void *data, size_t len)
{
    *scan = (struct elfscan){0};
    struct elf_file f;
    if (!elfscan_is_elf(data, len) || !elf_file_init(&f, data, len)) {
        return;
    }
    if (f.range_count) {
        struct elf_sweep sweep;
        elf_sweep_init(&sweep, &f);
        scan->sites = sweep.sites.count;
        plan(&f, &sweep, scan);
        elf_traps_add(&f, scan);
        settle_patches(scan);
        elf_sweep_fini(&sweep);
    }
    elf_file_fini(&f);
}

void elfscan_fini(struct elfscan *scan)
{
    free(scan->patches);
    *scan = (struct elfscan){0};
}
