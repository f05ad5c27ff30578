/* Calls that injected code (libvoidstar, the stop-faults helper) makes to the kernel. They are
 * ordinary `syscall` instructions with numbers Linux does not use; outside a universe Linux answers
 * ENOSYS, by which the caller knows where it is. */
#ifndef EVERETT_ABI_GUESTCALL_H
#define EVERETT_ABI_GUESTCALL_H

#define GUESTCALL_BASE 0x45560

enum guestcall {
    /* (uint64_t *value): draws from the universe's `sdk` stream. 0 or -EFAULT. */
    GUESTCALL_RANDOM = GUESTCALL_BASE + 0,
    /* (const char *json, size_t length): one JSON document. 0, -EFAULT, -E2BIG. */
    GUESTCALL_JSON = GUESTCALL_BASE + 1,
    /* (): everything sent so far is recorded. 0. */
    GUESTCALL_FLUSH = GUESTCALL_BASE + 2,
    /* (size_t edge_count, const char *symbol_file, uint64_t *offset): registers a module. */
    GUESTCALL_COVERAGE_MODULE = GUESTCALL_BASE + 3,
    /* (uint64_t edge_plus_module, uint64_t hits): first hit or lease renewal of an edge. Returns
     * the number of further hits that need not be reported (0: call every time). */
    GUESTCALL_COVERAGE_EDGE = GUESTCALL_BASE + 4,
    /* (uint64_t milliseconds): quiet period from now on; overlapping ones merge to the largest. */
    GUESTCALL_STOP_FAULTS = GUESTCALL_BASE + 5,
    /* (const char *name): names the caller in the log (legacy fuzz_set_source_name). */
    GUESTCALL_SOURCE_NAME = GUESTCALL_BASE + 6,
    GUESTCALL_END = GUESTCALL_BASE + 7,
};

/* Where everything injected appears inside a container. */
#define GUEST_LIBVOIDSTAR "/usr/lib/libvoidstar.so"
#define GUEST_STOP_FAULTS "/opt/everett/bin/stop-faults"
#define GUEST_OUTPUT_DIR  "/opt/everett/output"

#endif
