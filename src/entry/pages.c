/* Guest memory and file data of the current host process: the port's mapping operations. */
#include "entry/pages.h"

#include <linux/falloc.h>
#include <linux/mman.h>

#include "entry/engine.h"
#include "entry/host.h"
#include "kernel/machine.h"

static int map(uint64_t va, uint64_t len, uint32_t prot, enum port_map_store store, uint32_t file,
               uint64_t offset, bool shared)
{
    uint32_t flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE;
    int fd = -1;
    if (store == PORT_MAP_ANON) {
        flags |= MAP_ANONYMOUS;
        offset = 0;
    } else if (store == PORT_MAP_DATA) {
        fd = engine.control->data_fd;
    } else {
        const struct plan *plan = engine.machine->plan;
        fd = PLAN_AT(plan, plan->files, struct plan_file, file)->fd;
    }
    return (uint64_t)host_mmap(va, len, prot, flags, fd, offset) == va ? 0 : -12;
}

static int unmap(uint64_t va, uint64_t len)
{
    return host3(__NR_munmap, (long)va, (long)len, 0) ? -12 : 0;
}

static int protect(uint64_t va, uint64_t len, uint32_t prot)
{
    return host3(__NR_mprotect, (long)va, (long)len, prot) ? -12 : 0;
}

static int move(uint64_t old_va, uint64_t old_len, uint64_t new_va, uint64_t new_len)
{
    long r = host6(__NR_mremap, (long)old_va, (long)old_len, (long)new_len,
                   MREMAP_MAYMOVE | MREMAP_FIXED, (long)new_va, 0);
    return (uint64_t)r == new_va ? 0 : -12;
}

static int discard(uint64_t va, uint64_t len)
{
    return (int)host3(__NR_madvise, (long)va, (long)len, MADV_DONTNEED);
}

static size_t copy_in(void *dst, uint64_t src, size_t n)
{
    return usercopy_bytes(dst, (const void *)(uintptr_t)src, n);
}

/* From so many bytes on, contents of a pack are read from its file. Copying from the mapping costs
 * a fault for each 64 KiB, with 16 page table entries to fill in that nobody may need again:
 * together more than twenty host calls. */
#define READ_FROM_FILE_MIN 4096u

/* Bytes read, as many as could be; the rest is for the ordinary way, which knows what to do. */
static size_t read_pack(uint64_t dst, uint64_t src, size_t n)
{
    const struct plan *plan = engine.machine->plan;
    for (uint32_t i = 0; i < plan->files.count; i++) {
        const struct plan_file *f = PLAN_AT(plan, plan->files, struct plan_file, i);
        if (src >= f->map_addr && src - f->map_addr < f->length) {
            long got =
                host6(__NR_pread64, f->fd, (long)dst, (long)n, (long)(src - f->map_addr), 0, 0);
            return got > 0 ? (size_t)got : 0;
        }
    }
    return 0;
}

static size_t copy_out(uint64_t dst, const void *src, size_t n)
{
    uint64_t from = (uint64_t)(uintptr_t)src;
    size_t done = 0;
    if (n >= READ_FROM_FILE_MIN && from >= ENGINE_PACKS && from < ENGINE_PACKS + PACKS_MAX_BYTES) {
        done = read_pack(dst, from, n);
    }
    return usercopy_bytes((void *)(uintptr_t)(dst + done), (const char *)src + done, n - done);
}

static size_t zero_out(uint64_t dst, size_t n)
{
    return userzero_bytes((void *)(uintptr_t)dst, n);
}

static void data_discard(uint64_t first_page, uint64_t pages)
{
    long r =
        host6(__NR_fallocate, engine.control->data_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
              (long)(first_page << PAGE_SHIFT), (long)(pages << PAGE_SHIFT), 0, 0);
    if (r) {
        engine_panic("the host refused to free file pages");
    }
}

void pages_init(struct port *p)
{
    p->map = map;
    p->unmap = unmap;
    p->protect = protect;
    p->move = move;
    p->discard = discard;
    p->copy_in = copy_in;
    p->copy_out = copy_out;
    p->zero_out = zero_out;
    p->data_discard = data_discard;
    p->data_base = (unsigned char *)ENGINE_DATA;
}
