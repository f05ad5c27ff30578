/* Address spaces. One mm is one host process; threads and vfork children share it. */
#ifndef EVERETT_KERNEL_MM_MM_H
#define EVERETT_KERNEL_MM_MM_H

#include "base/list.h"
#include "kernel/mm/usercopy.h"

struct file;
struct inode;
struct machine;
struct task;

enum vma_backing {
    VMA_ANON,    /* private zero pages */
    VMA_FILE,    /* a file's pages, private or shared */
    VMA_STACK,   /* grows down within its reserved range */
    VMA_SPECIAL, /* vDSO and time page */
};

/* Never overlap; sorted by start. */
struct vma {
    uint64_t start, end; /* page-aligned */
    uint32_t prot;       /* PROT_* */
    uint32_t max_prot;   /* shared file mappings of read-only files: no PROT_WRITE */
    uint32_t flags;      /* MAP_SHARED or MAP_PRIVATE, MAP_NORESERVE, MAP_GROWSDOWN */
    enum vma_backing backing;
    struct file *file;                 /* VMA_FILE: holds a reference */
    uint64_t pgoff;                    /* VMA_FILE: file page of `start` */
    const char *name;                  /* "[heap]", "[stack]", "[vdso]", or NULL */
    bool locked, dontfork, wipeonfork; /* mlock(2), madvise(2) */
    bool shrunk;                       /* the host still maps pages that the file lost: */
    uint64_t shrunk_from;              /* from this file page on */
};

enum mm_host {
    MM_HOST_NONE, /* no host process yet: the zygote makes one at the first switch to it */
    MM_HOST_ALIVE,
};

struct mm {
    struct machine *m;
    uint32_t slot; /* in machine->mms and in the control page */
    uint32_t refs; /* tasks */
    enum mm_host host;
    bool shrunk; /* some mapping is; the host process catches up before it runs again */
    struct vma **vmas;
    uint32_t vma_count, vma_cap;
    uint64_t brk_start, brk;
    uint64_t code_start, code_end, data_start, data_end, stack_start;
    uint64_t arg_start, arg_end, env_start, env_end;
    uint64_t auxv[64]; /* pairs, for /proc/PID/auxv */
    uint32_t auxv_count;
    uint64_t total_pages;  /* mapped, for rlimits and statm */
    uint32_t kstack_count; /* slots ever used */
    uint32_t *kstack_free; /* LIFO of freed slots */
    uint32_t kstack_free_count, kstack_free_cap;
    uint32_t patch_count;
    void *patches; /* entry layer: call sites patched in this address space */
};

/* The file ends before page `end` now: what maps pages behind it faults there from now on. */
void mm_file_shrunk(struct machine *m, const struct inode *inode, uint64_t end);
/* The host process of `mm` runs again: does to its memory what others asked for meanwhile. */
void mm_catch_up(struct mm *mm);

/* The mapping that contains va, or NULL. */
struct vma *mm_find(struct mm *mm, uint64_t va);

#endif
