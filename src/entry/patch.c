/* Patching of system call sites, decided by the disassembly stored with each file (abi/pack.h).
 *
 * A site is patched the first time it traps. SHORT: the two bytes of `syscall` become a jump to
 * padding near by, which jumps to a trampoline; the call returns right behind the site. FORWARD:
 * five or more bytes from the site on become a jump to a trampoline, which ends with copies of the
 * displaced instructions. The kernel only ever sees the guest's own addresses: a frame's rip is the
 * one behind the site, and patch_forward sends it to the copies on the way back. */
#include <linux/mman.h>

#include "abi/pack.h"
#include "base/str.h"
#include "entry/engine.h"
#include "entry/host.h"
#include "kernel/alloc.h"
#include "kernel/machine.h"
#include "kernel/mm/mm.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/mapping.h"

struct patched {
    uint64_t site;   /* guest address of the 0f 05 */
    uint64_t copy;   /* FORWARD: where the displaced instructions are; 0 for SHORT */
    uint32_t length; /* FORWARD: bytes replaced */
};

struct patch_table {
    uint32_t count, cap;
    uint64_t used[3]; /* bytes used of each trampoline pool */
    struct patched items[];
};

static const uint64_t pools[3] = {TRAMPOLINE_LOW, TRAMPOLINE_PIE, TRAMPOLINE_HIGH};

#define TRAMPOLINE_BYTES 64

static struct patch_table *table_of(struct mm *mm)
{
    struct patch_table *t = mm->patches;
    if (!t || t->count == t->cap) {
        uint32_t cap = t ? t->cap * 2 : 64;
        t = krealloc(mm->m, t, sizeof *t + cap * sizeof(struct patched));
        t->cap = cap;
        mm->patches = t;
    }
    return t;
}

static bool reachable(uint64_t from, uint64_t to)
{
    int64_t d = (int64_t)(to - from);
    return d > -0x7fff0000ll && d < 0x7fff0000ll;
}

/* Room for one trampoline within reach of the site, or 0. */
static uint64_t trampoline_alloc(struct patch_table *t, uint64_t site)
{
    for (unsigned i = 0; i < ARRAY_LEN(pools); i++) {
        if (!reachable(site, pools[i]) || t->used[i] + TRAMPOLINE_BYTES > TRAMPOLINE_SIZE) {
            continue;
        }
        if (t->used[i] == 0 &&
            (uint64_t)host_mmap(pools[i], TRAMPOLINE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                                0) != pools[i]) {
            return 0;
        }
        uint64_t at = pools[i] + t->used[i];
        t->used[i] += TRAMPOLINE_BYTES;
        return at;
    }
    return 0;
}

static unsigned char *put_jump(unsigned char *p, uint64_t at, uint64_t target)
{
    int32_t rel = (int32_t)(target - (at + 5));
    *p++ = 0xe9;
    memcpy(p, &rel, 4);
    return p + 4;
}

/* movabs $back, %rcx; movabs $entry, %r11; jmp *%r11 -- neither changes the flags, and both
 * registers are what `syscall` destroys anyway. */
static unsigned char *put_entry(unsigned char *p, uint64_t back, void (*target)(void))
{
    uint64_t entry = (uint64_t)(uintptr_t)target;
    *p++ = 0x48;
    *p++ = 0xb9;
    memcpy(p, &back, 8);
    p += 8;
    *p++ = 0x49;
    *p++ = 0xbb;
    memcpy(p, &entry, 8);
    p += 8;
    *p++ = 0x41;
    *p++ = 0xff;
    *p++ = 0xe3;
    return p;
}

static bool write_code(const struct vma *v, uint64_t at, const unsigned char *code, size_t n)
{
    uint64_t page = round_down_u64(at, PAGE_SIZE);
    uint64_t len = round_up_u64(at + n, PAGE_SIZE) - page;
    if (at < v->start || at + n > v->end ||
        host3(__NR_mprotect, (long)page, (long)len, PROT_READ | PROT_WRITE | PROT_EXEC)) {
        return false;
    }
    memcpy((void *)(uintptr_t)at, code, n);
    host3(__NR_mprotect, (long)page, (long)len, v->prot);
    return true;
}

static uint64_t file_offset(const struct vma *v, uint64_t va)
{
    return (v->pgoff << PAGE_SHIFT) + (va - v->start);
}

/* The first patch at or above a file offset. */
static uint32_t patch_position(const struct pack_patch *p, uint32_t n, uint64_t off)
{
    uint32_t lo = 0;
    for (uint32_t hi = n; lo < hi;) {
        uint32_t mid = (lo + hi) / 2;
        if (p[mid].offset < off) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static const struct pack_patch *find_patch(const struct vma *v, uint64_t site)
{
    const struct pack_patch *p;
    uint32_t n = inode_patches(v->file->inode, &p);
    uint64_t off = file_offset(v, site);
    uint32_t i = patch_position(p, n, off);
    return i < n && p[i].offset == off ? &p[i] : NULL;
}

/* Both places are written at once, with what lies between them: making code writable and back is
 * what patching costs. */
static bool patch_short(struct patch_table *t, const struct vma *v, uint64_t site,
                        const struct pack_patch *p)
{
    uint64_t pad = site + 2 + (uint64_t)(int64_t)p->delta;
    uint64_t start = min_u64(site, pad), end = max_u64(site + 2, pad + 5);
    uint64_t tramp = trampoline_alloc(t, site);
    unsigned char code[160];
    if (!tramp || end - start > sizeof code ||
        usercopy_bytes(code, (const void *)(uintptr_t)start, end - start)) {
        return false;
    }
    put_entry((unsigned char *)(uintptr_t)tramp, site + 2, entry_patched);
    put_jump(code + (pad - start), pad, tramp);
    code[site - start] = 0xeb;
    code[site - start + 1] = (unsigned char)p->delta;
    if (!write_code(v, start, code, end - start)) {
        return false;
    }
    t->items[t->count++] = (struct patched){.site = site};
    return true;
}

static bool patch_long(struct patch_table *t, const struct vma *v, uint64_t site,
                       const struct pack_patch *p)
{
    uint64_t tramp = trampoline_alloc(t, site);
    unsigned char old[32], code[32];
    if (!tramp || p->length < 5 || p->length > 20 ||
        usercopy_bytes(old, (const void *)(uintptr_t)site, p->length)) {
        return false;
    }
    unsigned char *q =
        put_entry((unsigned char *)(uintptr_t)tramp, site + 2, entry_patched_forward);
    uint64_t copy = (uint64_t)(uintptr_t)q;
    memcpy(q, old + 2, p->length - 2u);
    q += p->length - 2u;
    put_jump(q, (uint64_t)(uintptr_t)q, site + p->length);
    put_jump(code, site, tramp);
    memset(code + 5, 0xcc, p->length - 5u);
    if (!write_code(v, site, code, p->length)) {
        return false;
    }
    t->items[t->count++] = (struct patched){site, copy, p->length};
    return true;
}

void patch_site(struct machine *m, struct task *t, uint64_t site)
{
    struct vma *v = mm_find(t->mm, site);
    unsigned char bytes[2];
    if (m->plan->no_patch || !v || v->backing != VMA_FILE || v->flags & MAP_SHARED) {
        return;
    }
    const struct pack_patch *p = find_patch(v, site);
    if (!p || usercopy_bytes(bytes, (const void *)(uintptr_t)site, 2) || bytes[0] != 0x0f ||
        bytes[1] != 0x05) {
        return;
    }
    struct patch_table *table = table_of(t->mm);
    if (p->form == PACK_PATCH_SHORT) {
        patch_short(table, v, site, p);
    } else if (p->form == PACK_PATCH_FORWARD) {
        patch_long(table, v, site, p);
    }
}

/* 0f c7 becomes 0f 0b; what stands before and behind it goes on saying which register is meant. */
static void make_trap(const struct vma *v, uint64_t site, unsigned length)
{
    unsigned char code[PACK_TRAP_MAX];
    if (length > sizeof code || usercopy_bytes(code, (const void *)(uintptr_t)site, length)) {
        return;
    }
    for (unsigned i = 0; i + 1 < length; i++) {
        if (code[i] == 0x0f && code[i + 1] == 0xc7) {
            code[i + 1] = 0x0b;
            write_code(v, site, code, length);
            return;
        }
    }
}

void patch_code_mapped(const struct vma *v, uint64_t start, uint64_t end)
{
    const struct pack_patch *p;
    uint32_t n = inode_patches(v->file->inode, &p);
    uint64_t last = file_offset(v, end);
    for (uint32_t i = patch_position(p, n, file_offset(v, start)); i < n && p[i].offset < last;
         i++) {
        if (p[i].form == PACK_PATCH_TRAP) {
            make_trap(v, v->start + (p[i].offset - (v->pgoff << PAGE_SHIFT)), p[i].length);
        }
    }
}

bool patch_is_trap(const struct mm *mm, uint64_t rip)
{
    const struct vma *v = mm_find((struct mm *)(uintptr_t)mm, rip);
    const struct pack_patch *p =
        v && v->backing == VMA_FILE && !(v->flags & MAP_SHARED) ? find_patch(v, rip) : NULL;
    return p && p->form == PACK_PATCH_TRAP;
}

uint64_t patch_forward(const struct task *t, uint64_t rip)
{
    const struct patch_table *table = t->mm->patches;
    for (uint32_t i = 0; table && i < table->count; i++) {
        const struct patched *p = &table->items[i];
        if (p->copy && rip > p->site && rip < p->site + p->length) {
            return p->copy + (rip - p->site - 2);
        }
    }
    return rip;
}

bool patch_covers(uint64_t rip)
{
    for (unsigned i = 0; i < ARRAY_LEN(pools); i++) {
        if (rip >= pools[i] && rip < pools[i] + TRAMPOLINE_SIZE) {
            return true;
        }
    }
    return false;
}

uint64_t patch_original(const struct task *t, uint64_t rip)
{
    const struct patch_table *table = t->mm->patches;
    for (uint32_t i = 0; table && i < table->count; i++) {
        const struct patched *p = &table->items[i];
        if (p->copy && rip >= p->copy && rip < p->copy + p->length - 2) {
            return p->site + 2 + (rip - p->copy);
        }
    }
    return rip;
}
