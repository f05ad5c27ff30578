/* libvoidstar: coverage.
 *
 * The universe answers every report with a lease: so many further hits of this edge need not be
 * told. A caller of interface 2 counts its lease down in a word of its own. For SanitizerCoverage
 * guards we count in the guard itself:
 *
 *     bit 31     armed; a zero guard is switched off for good
 *     30..16     hits the current lease granted
 *     15..0      hits it still covers
 *
 * A guard's edge id is its position in the module's guard array, found by address. Counting is not
 * atomic: when threads race on one guard a hit may be lost, which costs a count but never an edge.
 */
#include "sdk/libvoidstar/voidstar.h"

#include "abi/guestcall.h"
#include "sdk/common/rawcall.h"
#include "sdk/libvoidstar/module_path.h"

#define OUTSIDE_MODULE_OFFSET ((size_t)1 << 32)
#define LEASE_HITS_MAX        UINT64_C(0xFFFFF)
#define GUARD_ARMED           UINT32_C(0x80000000)
#define GUARD_HITS_MAX        UINT64_C(0x7FFF)

enum { MODULES_MAX = 1024, PATH_BYTES = 4096, ABI_VERSION_MAX = 2 };

struct module {
    uint32_t *start, *stop;
    size_t offset;
    uint32_t ready; /* set last, with release order */
};

static struct module modules[MODULES_MAX];
static uint32_t modules_claimed;
static uint64_t abi_granted;
/* Leases end by running out: the universe never revokes one, so the epoch stays 0. */
static const volatile uint64_t lease_generation;

size_t init_coverage_module(size_t edge_count, const char *symbol_file_name)
{
    uint64_t offset = 0;
    const char *name = symbol_file_name != NULL ? symbol_file_name : "";
    long result = raw_call3(GUESTCALL_COVERAGE_MODULE, (long)edge_count, raw_pointer(name),
                            raw_pointer(&offset));
    return result == 0 ? (size_t)offset : OUTSIDE_MODULE_OFFSET;
}

/* Hits that need not be reported from now on. Any refusal counts as the largest lease: outside a
 * universe nobody listens, and inside one a refused edge will not be accepted later either. */
static uint64_t report(size_t edge, uint64_t hits)
{
    long result = raw_call2(GUESTCALL_COVERAGE_EDGE, (long)edge, (long)hits);
    if (result < 0 || (uint64_t)result > LEASE_HITS_MAX) {
        return LEASE_HITS_MAX;
    }
    return (uint64_t)result;
}

bool notify_coverage(size_t edge_plus_module)
{
    /* This interface has no counter: only a lease that counts as endless may end the calls. */
    return report(edge_plus_module, 0) < LEASE_HITS_MAX;
}

uint64_t notify_coverage_v2(size_t edge_plus_module, uint64_t hit_since_last_call)
{
    uint64_t lease = report(edge_plus_module, hit_since_last_call);
    return lease << 20 | lease;
}

const uint64_t *coverage_lease_generation_addr(void)
{
    return (const uint64_t *)(uintptr_t)&lease_generation;
}

uint64_t instrumentation_max_abi_version(void)
{
    return ABI_VERSION_MAX;
}

uint64_t instrumentation_request_abi_version(uint64_t requested)
{
    uint64_t grant = requested >= ABI_VERSION_MAX ? ABI_VERSION_MAX : 1;
    uint64_t earlier = 0;
    if (__atomic_compare_exchange_n(&abi_granted, &earlier, grant, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        return grant;
    }
    return earlier;
}

void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop)
{
    static const char too_many[] =
        "{\"antithesis_error\":{\"message\":\"libvoidstar: too many instrumented modules; the "
        "coverage of one is not counted\",\"code\":24}}";
    if (start == stop || *start != 0 || raw_call1(GUESTCALL_FLUSH, 0) == -RAW_ENOSYS) {
        return;
    }
    uint32_t slot = __atomic_fetch_add(&modules_claimed, 1, __ATOMIC_RELAXED);
    if (slot >= MODULES_MAX) {
        __atomic_store_n(&modules_claimed, MODULES_MAX, __ATOMIC_RELAXED);
        fuzz_json_data(too_many, sizeof(too_many) - 1);
        return;
    }
    char path[PATH_BYTES];
    module_path((uintptr_t)start, path, sizeof(path));
    struct module *module = &modules[slot];
    module->start = start;
    module->stop = stop;
    module->offset = init_coverage_module((size_t)(stop - start), path);
    __atomic_store_n(&module->ready, 1, __ATOMIC_RELEASE);
    for (uint32_t *guard = start; guard < stop; guard++) {
        *guard = GUARD_ARMED;
    }
}

/* The newest module wins: an unloaded one may have left its range to a later one. */
static const struct module *module_of(const uint32_t *guard)
{
    uint32_t n = __atomic_load_n(&modules_claimed, __ATOMIC_RELAXED);
    for (uint32_t i = n < MODULES_MAX ? n : MODULES_MAX; i > 0; i--) {
        const struct module *module = &modules[i - 1];
        if (__atomic_load_n(&module->ready, __ATOMIC_ACQUIRE) != 0 && guard >= module->start &&
            guard < module->stop) {
            return module;
        }
    }
    return NULL;
}

/* Edge ids of a module are 1-based, as in symbol files. */
static uint32_t guard_renew(uint32_t *guard, uint32_t word)
{
    const struct module *module = module_of(guard);
    if (module == NULL) {
        return 0; /* armed by another library: not ours to report */
    }
    size_t edge = module->offset + (size_t)(guard - module->start) + 1;
    uint64_t lease = report(edge, word >> 16 & GUARD_HITS_MAX);
    if (lease == LEASE_HITS_MAX) {
        return 0;
    }
    if (lease > GUARD_HITS_MAX) {
        lease = GUARD_HITS_MAX;
    }
    return GUARD_ARMED | (uint32_t)lease << 16 | (uint32_t)lease;
}

void __sanitizer_cov_trace_pc_guard(uint32_t *guard)
{
    uint32_t word = __atomic_load_n(guard, __ATOMIC_RELAXED);
    if (word == 0) {
        return;
    }
    word = (word & 0xffff) != 0 ? word - 1 : guard_renew(guard, word);
    __atomic_store_n(guard, word, __ATOMIC_RELAXED);
}

void __sanitizer_cov_trace_pc_guard_internal(uint32_t *guard, uint64_t edge)
{
    __sanitizer_cov_trace_pc_guard(guard);
}
