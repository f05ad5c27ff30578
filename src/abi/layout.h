/* Address space of a guest process. The kernel chooses every address, so nothing of the host's
 * layout leaks. Page numbers and sizes in bytes. */
#ifndef EVERETT_ABI_LAYOUT_H
#define EVERETT_ABI_LAYOUT_H

#define PAGE_SIZE  4096ul
#define PAGE_SHIFT 12

/* What a guest may map: two ranges with the engine between them. */
#define GUEST_LOW_START  0x000000010000ul
#define GUEST_LOW_END    0x5ffffffff000ul
#define GUEST_HIGH_START 0x700000000000ul
#define GUEST_HIGH_END   0x7ffffffff000ul

#define GUEST_PIE_BASE  0x555555554000ul /* ET_DYN programs, as Linux without ASLR */
#define GUEST_MMAP_TOP  0x7ffff7ff0000ul /* mmap goes down from here */
#define GUEST_VVAR      0x7ffff7ffa000ul /* time page, read and counted by the vDSO */
#define GUEST_VDSO      0x7ffff7ffb000ul
#define GUEST_STACK_TOP 0x7ffffffff000ul
#define GUEST_STACK_MAX (8ul << 20)

/* Pools of trampolines for patched call sites: one within 2 GiB of each place code usually is. They
 * belong to the engine and are no part of the guest's mappings. */
#define TRAMPOLINE_SIZE 0x100000ul
#define TRAMPOLINE_LOW  0x00006ff00000ul
#define TRAMPOLINE_PIE  0x555550000000ul
#define TRAMPOLINE_HIGH 0x7ffff8000000ul

#define ENGINE_TEXT    0x600000000000ul /* the engine's ELF segments */
#define ENGINE_PRIVATE 0x608000000000ul /* kernel stacks and FP areas; private to the process */
#define ENGINE_ARENA   0x610000000000ul /* all kernel state; shared by the universe */
#define ENGINE_DATA    0x620000000000ul /* contents of writable files; shared */
#define ENGINE_PACKS   0x630000000000ul /* image indexes and layer data; read-only */
#define ENGINE_CONTROL 0x650000000000ul /* batons, event ring, plan; shared with the runner */

#define ARENA_MAX_BYTES (4ul << 30)
#define DATA_MAX_BYTES  (1ul << 40)
#define PACKS_MAX_BYTES (2ul << 40)

#define KSTACK_SIZE 32768ul /* FP area at the bottom, stack above it */
#define KSTACK_MAX  16384u  /* threads of one process */

#endif
