/* FP state in signal frames: the XSAVE image in standard format, the software header at byte 464
 * and the second magic behind it (arch/x86/kernel/fpu/signal.c).
 *
 * Which components a CPU reports as "in their initial state" is its own affair, so images are made
 * canonical: towards the guest every component is present and written out; from the guest,
 * components that are all zero are marked initial again. An image from the guest is checked for all
 * that would make XRSTOR fault (Intel SDM vol. 1, 13.8.1). */
#include "kernel/signal/signal_priv.h"

#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/mm/usercopy.h"
#include "kernel/port.h"
#include "kernel/task/regs.h"
#include "kernel/task/task.h"

#define FEATURE_FP   1ull
#define FEATURE_SSE  2ull
#define FEATURE_AVX  4ull
#define FEATURE_PKRU (1ull << 9)

#define FCW_INIT           0x37fu
#define MXCSR_INIT         0x1f80u
#define MXCSR_OFFSET       24
#define MXCSR_MASK_OFFSET  28
#define MXCSR_MASK_DEFAULT 0xffbfu
#define XMM_OFFSET         160
#define XMM_END            416
#define AVX_OFFSET         576u /* fixed by the architecture for component 2 */
#define AVX_SIZE           256u

struct component {
    uint32_t offset, size;
};

struct fp_layout {
    struct component components[63];
};

/* CPUID is slow under a hypervisor, so it is asked once. */
static struct component component_of(struct machine *m, unsigned i)
{
    if (i == 2) {
        return (struct component){AVX_OFFSET, AVX_SIZE};
    }
    if (!m->fp_layout) {
        m->fp_layout = KALLOC(m, struct fp_layout);
        for (unsigned k = 2; k < ARRAY_LEN(m->fp_layout->components); k++) {
            uint32_t eax = 0xd, ebx, ecx = k, edx;
            __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
            m->fp_layout->components[k] = (struct component){ebx, eax};
        }
    }
    return m->fp_layout->components[i];
}

static uint64_t header_bv(const unsigned char *image)
{
    uint64_t bv;
    memcpy(&bv, image + ABI_XSAVE_HDR, sizeof bv);
    return bv;
}

static void set_header_bv(unsigned char *image, uint64_t bv)
{
    memcpy(image + ABI_XSAVE_HDR, &bv, sizeof bv);
}

static bool component_in(struct machine *m, uint64_t set, unsigned i, struct component *c)
{
    if (!(set >> i & 1)) {
        return false;
    }
    *c = component_of(m, i);
    return c->size != 0 && (uint64_t)c->offset + c->size <= fp_area_size(m);
}

/* Writes out what the CPU left in its initial state. */
static void spell_out(struct machine *m, unsigned char *image)
{
    uint64_t features = fp_features(m);
    uint64_t missing = features & ~header_bv(image);
    if (missing & FEATURE_FP) {
        uint16_t fcw = FCW_INIT;
        memset(image, 0, MXCSR_OFFSET);
        memset(image + 32, 0, XMM_OFFSET - 32);
        memcpy(image, &fcw, sizeof fcw);
    }
    if (missing & FEATURE_SSE) {
        memset(image + XMM_OFFSET, 0, XMM_END - XMM_OFFSET);
    }
    for (unsigned i = 2; i < 63; i++) {
        struct component c;
        if (component_in(m, missing, i, &c)) {
            memset(image + c.offset, 0, c.size);
        }
    }
    memset(image + ABI_XSAVE_HDR, 0, ABI_XSAVE_MIN - ABI_XSAVE_HDR);
    set_header_bv(image, features);
}

static bool all_zero(const unsigned char *p, uint32_t n)
{
    unsigned char seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        seen |= p[i];
    }
    return seen == 0;
}

static void mark_initial(struct machine *m, unsigned char *image)
{
    uint64_t bv = header_bv(image);
    for (unsigned i = 2; i < 63; i++) {
        struct component c;
        if (component_in(m, bv, i, &c) && all_zero(image + c.offset, c.size)) {
            bv &= ~(1ull << i);
        }
    }
    set_header_bv(image, bv);
}

static void reset_image(unsigned char *image)
{
    uint32_t mxcsr = MXCSR_INIT, mask;
    memcpy(&mask, image + MXCSR_MASK_OFFSET, sizeof mask);
    memset(image, 0, ABI_XSAVE_MIN);
    uint16_t fcw = FCW_INIT;
    memcpy(image, &fcw, sizeof fcw);
    memcpy(image + MXCSR_OFFSET, &mxcsr, sizeof mxcsr);
    memcpy(image + MXCSR_MASK_OFFSET, &mask, sizeof mask);
}

uint32_t signal_fp_frame_size(const struct task *t)
{
    return fp_area_size(t->m) + (uint32_t)sizeof(uint32_t);
}

int signal_fp_push(struct task *t, uint64_t addr)
{
    uint32_t size = fp_area_size(t->m);
    uint64_t features = fp_features(t->m);
    unsigned char *image = task_fp_area(t);
    t->m->port->fp_save(t);
    spell_out(t->m, image);
    struct abi_fpx_sw sw = {.magic1 = ABI_FP_MAGIC1,
                            .extended_size = size + 4u,
                            .xfeatures = features,
                            .xstate_size = size};
    memcpy(image + ABI_FPX_SW_OFFSET, &sw, sizeof sw);
    if (user_write(t, gaddr_of(addr), image, size) ||
        user_write_u32(t, gaddr_of(addr + size), ABI_FP_MAGIC2)) {
        return -EFAULT; /* the registers are untouched: nothing to restore */
    }
    reset_image(image); /* handlers start with initial FP registers */
    t->m->port->fp_restore(t);
    return 0;
}

/* The software header announces an XSAVE image that fits; else only FXSAVE state is there. */
static bool has_xstate(struct task *t, uint64_t addr, uint32_t size, struct abi_fpx_sw *sw)
{
    uint32_t magic2;
    if (sw->magic1 != ABI_FP_MAGIC1 || sw->xstate_size < ABI_XSAVE_MIN || sw->xstate_size > size ||
        sw->xstate_size > sw->extended_size) {
        return false;
    }
    return user_read_u32(t, &magic2, gaddr_of(addr + sw->xstate_size)) == 0 &&
           magic2 == ABI_FP_MAGIC2;
}

/* False if XRSTOR would fault on the header or on MXCSR. */
static bool image_ok(const unsigned char *image, uint64_t features, uint32_t mxcsr_mask)
{
    uint32_t mxcsr;
    memcpy(&mxcsr, image + MXCSR_OFFSET, sizeof mxcsr);
    return !(header_bv(image) & ~features) && all_zero(image + ABI_XSAVE_HDR + 8, 16) &&
           !(mxcsr & ~mxcsr_mask);
}

int signal_fp_pop(struct task *t, uint64_t addr)
{
    unsigned char *image = task_fp_area(t);
    uint32_t size = fp_area_size(t->m);
    uint64_t features = fp_features(t->m);
    uint32_t mask;
    t->m->port->fp_save(t);
    memcpy(&mask, image + MXCSR_MASK_OFFSET, sizeof mask);
    if (mask == 0) {
        mask = MXCSR_MASK_DEFAULT;
    }
    reset_image(image);
    if (addr == 0) {
        t->m->port->fp_restore(t);
        return 0;
    }
    struct abi_fpx_sw sw;
    if (user_read(t, image, gaddr_of(addr), ABI_FXSAVE_SIZE)) {
        goto bad;
    }
    memcpy(&sw, image + ABI_FPX_SW_OFFSET, sizeof sw);
    if (has_xstate(t, addr, size, &sw)) {
        if (user_read(t, image, gaddr_of(addr), sw.xstate_size)) {
            goto bad;
        }
        if (!image_ok(image, features, mask)) {
            goto bad;
        }
        memset(image + sw.xstate_size, 0, size - sw.xstate_size);
        /* Protection keys are refused (pkey_alloc), and PKRU could lock the kernel out. */
        set_header_bv(image, header_bv(image) & sw.xfeatures & ~FEATURE_PKRU);
        mark_initial(t->m, image);
    } else {
        memset(image + ABI_XSAVE_HDR, 0, size - ABI_XSAVE_HDR);
        set_header_bv(image, FEATURE_FP | FEATURE_SSE);
        if (!image_ok(image, features, mask)) {
            goto bad;
        }
    }
    memset(image + ABI_XSAVE_HDR + 8, 0, ABI_XSAVE_MIN - ABI_XSAVE_HDR - 8);
    memcpy(image + MXCSR_MASK_OFFSET, &mask, sizeof mask);
    t->m->port->fp_restore(t);
    return 0;
bad:
    memset(image, 0, ABI_XSAVE_MIN);
    reset_image(image);
    t->m->port->fp_restore(t);
    return -EFAULT;
}
