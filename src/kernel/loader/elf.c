/* ELF loading: segments, interpreter, stack with auxiliary vector (System V ABI x86-64, elf(5),
 * getauxval(3)). */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "abi/layout.h"
#include "abi/time_page.h"
#include "base/str.h"
#include "base/stream.h"
#include "kernel/alloc.h"
#include "kernel/loader/exec.h"
#include "kernel/loader/vdso.h"
#include "kernel/machine.h"
#include "kernel/mm/mm_ops.h"
#include "kernel/port.h"
#include "kernel/task/cred.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/vfs.h"

#define PHDRS_MAX 128
#ifndef RLIMIT_STACK
#define RLIMIT_STACK 3
#endif

/* What AT_HWCAP tells: CPUID.1:EDX of a plain x86-64; AT_HWCAP2 bit 1: FSGSBASE is usable. */
#define HWCAP  0x178bfbffu
#define HWCAP2 0x2u

struct image {
    uint64_t base; /* load bias */
    uint64_t entry, phdr, phnum;
    uint64_t low, high; /* loaded range */
    uint64_t code_start, code_end, data_start, data_end;
};

static int read_exact(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    int64_t n = file_read_kernel(f, buf, len, off);
    return n < 0 ? (int)n : (uint64_t)n == len ? 0 : -ENOEXEC;
}

static int read_headers(struct file *f, Elf64_Ehdr *eh, Elf64_Phdr *ph)
{
    int err = read_exact(f, eh, sizeof *eh, 0);
    if (err) {
        return err;
    }
    if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
        eh->e_machine != EM_X86_64 || (eh->e_type != ET_EXEC && eh->e_type != ET_DYN) ||
        eh->e_phentsize != sizeof *ph || eh->e_phnum == 0 || eh->e_phnum > PHDRS_MAX) {
        return -ENOEXEC;
    }
    return read_exact(f, ph, eh->e_phnum * sizeof *ph, eh->e_phoff);
}

int elf_probe(struct file *f, char *interp, size_t cap)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph[PHDRS_MAX];
    interp[0] = 0;
    int err = read_headers(f, &eh, ph);
    if (err) {
        return err;
    }
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        if (ph[i].p_type != PT_INTERP) {
            continue;
        }
        if (ph[i].p_filesz < 2 || ph[i].p_filesz > cap) {
            return -ENOEXEC;
        }
        err = read_exact(f, interp, ph[i].p_filesz, ph[i].p_offset);
        if (err || interp[ph[i].p_filesz - 1] != 0) {
            return err ? err : -ENOEXEC;
        }
        break;
    }
    return 0;
}

static uint32_t segment_prot(const Elf64_Phdr *p)
{
    return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
           (p->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The zeroes behind the file's part: the rest of its last page, then anonymous pages. */
static int map_bss(struct task *t, const Elf64_Phdr *p, uint64_t va)
{
    uint64_t file_end = va + p->p_filesz, mem_end = va + p->p_memsz;
    uint64_t page_end = round_up_u64(file_end, PAGE_SIZE);
    if (p->p_filesz == 0) {
        page_end = round_down_u64(va, PAGE_SIZE);
    } else if (page_end > file_end && p->p_flags & PF_W) {
        int err = user_zero(t, gaddr_of(file_end), page_end - file_end);
        if (err) {
            return err;
        }
    }
    if (round_up_u64(mem_end, PAGE_SIZE) <= page_end) {
        return 0;
    }
    struct map_request r = {.addr = page_end,
                            .len = round_up_u64(mem_end, PAGE_SIZE) - page_end,
                            .prot = segment_prot(p),
                            .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                            .backing = VMA_ANON};
    int64_t addr = mm_map(t, &r);
    return addr < 0 ? (int)addr : 0;
}

static int map_segment(struct task *t, struct file *f, const Elf64_Phdr *p, uint64_t va)
{
    uint64_t start = round_down_u64(va, PAGE_SIZE);
    if (p->p_filesz > 0) {
        struct map_request r = {.addr = start,
                                .len = round_up_u64(va + p->p_filesz, PAGE_SIZE) - start,
                                .prot = segment_prot(p),
                                .flags = MAP_PRIVATE | MAP_FIXED,
                                .backing = VMA_FILE,
                                .file = f,
                                .pgoff = (p->p_offset - (va - start)) >> PAGE_SHIFT};
        int64_t addr = mm_map(t, &r);
        if (addr < 0) {
            return (int)addr;
        }
    }
    return p->p_memsz > p->p_filesz ? map_bss(t, p, va) : 0;
}

static int load_range(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, uint64_t *low, uint64_t *high)
{
    *low = UINT64_MAX;
    *high = 0;
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        const Elf64_Phdr *p = &ph[i];
        uint64_t end;
        if (p->p_type != PT_LOAD || p->p_memsz == 0) {
            continue;
        }
        if (p->p_filesz > p->p_memsz || __builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) ||
            ((p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1) && p->p_filesz)) {
            return -ENOEXEC;
        }
        *low = min_u64(*low, round_down_u64(p->p_vaddr, PAGE_SIZE));
        *high = max_u64(*high, end);
    }
    return *high > *low ? 0 : -ENOEXEC;
}

static void note_segment(struct image *im, const Elf64_Phdr *p, uint64_t va)
{
    if (p->p_flags & PF_X) {
        im->code_start = im->code_start ? min_u64(im->code_start, va) : va;
        im->code_end = max_u64(im->code_end, va + p->p_filesz);
    }
    if (p->p_flags & PF_W) {
        im->data_start = im->data_start ? min_u64(im->data_start, va) : va;
        im->data_end = max_u64(im->data_end, va + p->p_filesz);
    }
}

/* base: where an ET_DYN goes; 0 lets mmap choose (the interpreter). */
static int load_image(struct task *t, struct file *f, uint64_t base, struct image *im)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph[PHDRS_MAX];
    uint64_t low, high;
    *im = (struct image){0};
    int err = read_headers(f, &eh, ph);
    if (err == 0) {
        err = load_range(&eh, ph, &low, &high);
    }
    if (err) {
        return err;
    }
    if (eh.e_type == ET_DYN) {
        uint64_t len = round_up_u64(high - low, PAGE_SIZE);
        if (!base) {
            base = mm_free_range(t->mm, len);
        }
        im->base = base - low;
    }
    im->low = low + im->base;
    im->high = high + im->base;
    if (!gaddr_range_ok(gaddr_of(im->low), high - low) || im->low < GUEST_LOW_START) {
        return -ENOMEM;
    }
    im->entry = eh.e_entry + im->base;
    im->phnum = eh.e_phnum;
    for (unsigned i = 0; i < eh.e_phnum; i++) {
        const Elf64_Phdr *p = &ph[i];
        uint64_t va = p->p_vaddr + im->base;
        if (p->p_type != PT_LOAD || p->p_memsz == 0) {
            continue;
        }
        err = map_segment(t, f, p, va);
        if (err) {
            return err;
        }
        if (eh.e_phoff >= p->p_offset && eh.e_phoff < p->p_offset + p->p_filesz) {
            im->phdr = va + (eh.e_phoff - p->p_offset);
        }
        note_segment(im, p, va);
    }
    return 0;
}

/* --- the first stack -------------------------------------------------------------------------- */

struct stack {
    struct task *t;
    uint64_t sp;
    int err;
};

static uint64_t push(struct stack *s, const void *data, size_t len, uint64_t align)
{
    s->sp = round_down_u64(s->sp - len, align);
    if (!s->err) {
        s->err = user_write(s->t, gaddr_of(s->sp), data, len);
    }
    return s->sp;
}

struct auxv {
    uint64_t pairs[64];
    uint32_t n;
};

static void aux(struct auxv *v, uint64_t type, uint64_t value)
{
    ASSERT(v->n + 2 <= ARRAY_LEN(v->pairs));
    v->pairs[v->n++] = type;
    v->pairs[v->n++] = value;
}

static void fill_auxv(struct auxv *v, struct task *t, const struct image *im, uint64_t interp_base,
                      bool secure)
{
    aux(v, AT_SYSINFO_EHDR, GUEST_VDSO);
    aux(v, AT_HWCAP, HWCAP);
    aux(v, AT_PAGESZ, PAGE_SIZE);
    aux(v, AT_CLKTCK, 100);
    aux(v, AT_PHDR, im->phdr);
    aux(v, AT_PHENT, sizeof(Elf64_Phdr));
    aux(v, AT_PHNUM, im->phnum);
    aux(v, AT_BASE, interp_base);
    aux(v, AT_FLAGS, 0);
    aux(v, AT_ENTRY, im->entry);
    aux(v, AT_UID, t->cred.uid);
    aux(v, AT_EUID, t->cred.euid);
    aux(v, AT_GID, t->cred.gid);
    aux(v, AT_EGID, t->cred.egid);
    aux(v, AT_SECURE, secure);
    aux(v, AT_HWCAP2, HWCAP2);
    aux(v, 51 /* AT_MINSIGSTKSZ */, round_up_u64(t->m->port->fp_size + 1024, 16));
}

static void write_vectors(struct stack *s, const struct exec_plan *p, uint64_t strings,
                          const struct auxv *v)
{
    struct machine *m = s->t->m;
    uint64_t words = 1 + p->argc + 1 + p->envc + 1 + v->n;
    uint64_t *w = kalloc(m, words * sizeof *w), n = 0, at = 0;
    w[n++] = p->argc;
    for (uint32_t i = 0; i < p->argc + p->envc; i++) {
        if (i == p->argc) {
            w[n++] = 0;
        }
        w[n++] = strings + at;
        at += str_len(p->strings + at) + 1;
    }
    if (p->envc == 0) {
        w[n++] = 0;
    }
    w[n++] = 0;
    memcpy(w + n, v->pairs, v->n * sizeof *w);
    s->sp = round_down_u64(s->sp, 16);
    if (words % 2) {
        s->sp -= 8; /* the stack pointer is 16-byte aligned at entry */
    }
    push(s, w, words * sizeof *w, 8);
    kfree(m, w);
}

static uint64_t env_offset(const struct exec_plan *p)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < p->argc; i++) {
        at += str_len(p->strings + at) + 1;
    }
    return at;
}

static int64_t build_stack(struct task *t, const struct exec_plan *p, const struct image *im,
                           uint64_t interp_base, bool secure)
{
    struct mm *mm = t->mm;
    uint64_t limit = min_u64(rlimit_soft(t->process, RLIMIT_STACK), GUEST_STACK_MAX);
    uint64_t size = round_up_u64(max_u64(limit, LIMIT_ARG_BYTES + (128 << 10)), PAGE_SIZE);
    struct map_request r = {.addr = GUEST_STACK_TOP - size,
                            .len = size,
                            .prot = PROT_READ | PROT_WRITE,
                            .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
                            .backing = VMA_STACK,
                            .name = "[stack]"};
    int64_t addr = mm_map(t, &r);
    if (addr < 0) {
        return addr;
    }
    struct stack s = {t, GUEST_STACK_TOP, 0};
    unsigned char random[16];
    push(&s, "\0\0\0\0\0\0\0", 8, 8);
    uint64_t execfn = push(&s, p->filename, str_len(p->filename) + 1, 1);
    uint64_t strings = push(&s, p->strings, p->strings_len, 1);
    stream_bytes(&t->process->entropy, random, sizeof random);
    uint64_t rnd = push(&s, random, sizeof random, 16);
    uint64_t platform = push(&s, "x86_64", 7, 16);
    struct auxv v = {.n = 0};
    fill_auxv(&v, t, im, interp_base, secure);
    aux(&v, AT_RANDOM, rnd);
    aux(&v, AT_EXECFN, execfn);
    aux(&v, AT_PLATFORM, platform);
    aux(&v, AT_NULL, 0);
    write_vectors(&s, p, strings, &v);
    mm->stack_start = s.sp;
    mm->arg_start = strings;
    mm->arg_end = mm->env_start = strings + env_offset(p);
    mm->env_end = strings + p->strings_len;
    memcpy(mm->auxv, v.pairs, sizeof mm->auxv);
    mm->auxv_count = v.n;
    return s.err ? s.err : (int64_t)s.sp;
}

/* --- vDSO, registers -------------------------------------------------------------------------- */

static int map_vdso(struct task *t)
{
    uint64_t len = round_up_u64(vdso_image_len(), PAGE_SIZE);
    struct map_request r = {.addr = GUEST_VDSO,
                            .len = len,
                            .prot = PROT_READ | PROT_WRITE,
                            .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                            .backing = VMA_SPECIAL,
                            .name = "[vdso]"};
    int64_t addr = mm_map(t, &r);
    if (addr < 0) {
        return (int)addr;
    }
    int err = user_write(t, gaddr_of(GUEST_VDSO), vdso_image(), vdso_image_len());
    return err ? err : mm_protect(t, GUEST_VDSO, len, PROT_READ | PROT_EXEC);
}

/* x87 and SSE as after FNINIT and at reset (Intel SDM vol. 1, 8.1.5 and 11.6.4). */
static void reset_fp(struct task *t)
{
    unsigned char *fp = task_fp_area(t);
    memset(fp, 0, fp_area_size(t->m));
    uint16_t fcw = 0x37f;
    uint32_t mxcsr = 0x1f80;
    memcpy(fp, &fcw, sizeof fcw);
    memcpy(fp + 24, &mxcsr, sizeof mxcsr);
    t->m->port->fp_restore(t);
}

static void set_registers(struct task *t, uint64_t entry, uint64_t sp)
{
    struct guest_regs *r = task_regs(t);
    *r = (struct guest_regs){.orig_rax = ~0ull,
                             .rip = entry,
                             .cs = GUEST_CS,
                             .rflags = GUEST_FLAGS_FIXED,
                             .rsp = sp,
                             .ss = GUEST_SS};
    t->m->port->set_fs(0);
    t->m->port->set_gs(0);
    reset_fp(t);
}

int elf_load(struct task *t, const struct exec_plan *p)
{
    struct mm *mm = t->mm;
    struct image im, interp = {0};
    bool secure = cred_exec(t, p->euid == UINT32_MAX ? t->cred.euid : p->euid,
                            p->egid == UINT32_MAX ? t->cred.egid : p->egid);
    int err = load_image(t, p->exe, GUEST_PIE_BASE, &im);
    if (err) {
        return err;
    }
    mm->code_start = im.code_start;
    mm->code_end = im.code_end;
    mm->data_start = im.data_start;
    mm->data_end = im.data_end;
    mm->brk_start = mm->brk = round_up_u64(im.high, PAGE_SIZE);
    err = map_vdso(t);
    if (err == 0 && p->interp) {
        err = load_image(t, p->interp, 0, &interp);
    }
    if (err) {
        return err;
    }
    int64_t sp = build_stack(t, p, &im, interp.base, secure);
    if (sp < 0) {
        return (int)sp;
    }
    set_registers(t, p->interp ? interp.entry : im.entry, (uint64_t)sp);
    return 0;
}
