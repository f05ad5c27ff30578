/* Finds the `syscall` instructions of an ELF file and decides how each may be patched; and those
 * that read a random or processor number, which must trap (elf_traps.h).
 *
 * The whole executable part is disassembled linearly, finding its feet again at every known
 * function start; all addresses that control can reach other than by falling through (direct jumps
 * and calls, jump tables, relocations, symbols, unwind starts) are collected first, because looking
 * only at the bytes around a site is unsound (glibc's _Fork jumps right behind a `syscall`).
 * Errs on the side of not patching: a site without a form keeps its trap. */
#ifndef EVERETT_IMAGE_ELFSCAN_H
#define EVERETT_IMAGE_ELFSCAN_H

#include "abi/pack.h"
#include "base/base.h"

/* Raised whenever the same file may get another answer; part of every cache key. */
#define ELFSCAN_VERSION 2u

struct elfscan {
    struct pack_patch *patches; /* owned; ascending by offset */
    size_t patch_count, patch_cap;
    size_t sites;      /* syscall instructions found, with a form or without */
    size_t traps;      /* how many of the patches are PACK_PATCH_TRAP */
    size_t short_form; /* how many of the patches are PACK_PATCH_SHORT */
};

/* Whether the file is worth scanning at all; `len` bytes of its head are enough from 4 on. */
bool elfscan_is_elf(const void *head, size_t len);
/* A file that is not ELF for x86-64 has no sites. Never fails; malformed files have fewer sites. */
void elfscan_init(struct elfscan *scan, const void *data, size_t len);
void elfscan_fini(struct elfscan *scan);

#endif
