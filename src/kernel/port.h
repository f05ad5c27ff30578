/* What the kernel asks of the host. The only seam: the engine's entry code implements it for real,
 * unit tests with a fake. None of these may change anything a guest can see except as said. */
#ifndef EVERETT_KERNEL_PORT_H
#define EVERETT_KERNEL_PORT_H

#include "base/base.h"

struct machine;
struct mm;
struct task;
struct vma;

struct time_page;
struct import_request;
struct import_response;

enum port_map_store {
    PORT_MAP_ANON,
    PORT_MAP_PACK, /* `file`: index in plan->files */
    PORT_MAP_DATA,
};

struct port {
    /* --- guest memory of the current host process; page-aligned; 0 or -ENOMEM --- */
    int (*map)(uint64_t va, uint64_t len, uint32_t prot, enum port_map_store store, uint32_t file,
               uint64_t offset, bool shared);
    int (*unmap)(uint64_t va, uint64_t len);
    int (*protect)(uint64_t va, uint64_t len, uint32_t prot);
    int (*move)(uint64_t old_va, uint64_t old_len, uint64_t new_va, uint64_t new_len);
    int (*discard)(uint64_t va, uint64_t len); /* MADV_DONTNEED on private memory */

    /* --- guest memory access with fault fixup; returns bytes NOT copied --- */
    size_t (*copy_in)(void *dst, uint64_t src, size_t n);
    size_t (*copy_out)(uint64_t dst, const void *src, size_t n);
    size_t (*zero_out)(uint64_t dst, size_t n);

    /* --- file data store: pages [first, first + n) read as zero again and use no memory --- */
    void (*data_discard)(uint64_t first_page, uint64_t pages);
    unsigned char *data_base; /* where the store is mapped */

    /* --- host processes and contexts --- */
    void (*switch_to)(struct machine *m, struct task *prev, struct task *next);
    /* Clones the current host process for `child`'s mm; the parent gets 0 or -errno. */
    int (*fork_mm)(struct machine *m, struct task *parent, struct task *child);
    /* Prepares the fresh kernel stack of a task in an existing mm from the parent's registers. */
    void (*prepare_thread)(struct machine *m, struct task *parent, struct task *child);
    /* The current host process has no guest task left: hands over to `next` and ends. */
    void (*exit_mm)(struct machine *m, struct task *next);
    /* The current task, about to return to the guest, executes `n` instructions one by one; then,
     * unless it enters the kernel before, spin_slice_end is called. */
    void (*single_step)(struct task *t, uint32_t n);
    /* A system call site was trapped at `site` (address of the 0f 05): may patch it. */
    void (*site_trapped)(struct machine *m, struct task *t, uint64_t site);
    /* File pages [start, end) of `v` were mapped fresh, or may be executed from now on. */
    void (*code_mapped)(const struct vma *v, uint64_t start, uint64_t end);

    unsigned char *kstacks; /* kernel stack slots of the current host process */
    uint32_t fp_size;       /* XSAVE area */
    uint64_t fp_mask;
    /* FP registers <-> the current task's FP area. */
    void (*fp_save)(struct task *t);
    void (*fp_restore)(struct task *t);
    /* FS and GS base of the running task. */
    uint64_t (*get_fs)(void);
    void (*set_fs)(uint64_t base);
    uint64_t (*get_gs)(void);
    void (*set_gs)(uint64_t base);

    /* --- time page read by the vDSO; NULL in tests without one --- */
    struct time_page *time_page;

    /* --- the runner --- */
    void (*emit)(const void *record, size_t len); /* waits for ring space; never drops */
    void (*import)(const struct import_request *req, struct import_response *resp);
    void (*universe_over)(struct machine *m); /* never returns in the engine */
    void (*panic)(const char *text);          /* engine error; never returns */
};

#endif
