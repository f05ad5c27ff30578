/* Instructions of an ELF file that ask the processor for what no universe could repeat: RDRAND and
 * RDSEED (random numbers), RDPID (the number of the host's processor). */
#ifndef EVERETT_IMAGE_ELF_TRAPS_H
#define EVERETT_IMAGE_ELF_TRAPS_H

struct elf_file;
struct elfscan;

/* Adds a PACK_PATCH_TRAP for each. Only the functions around their bytes are disassembled; one in
 * which something is no instruction is left alone, for it may hold data. */
void elf_traps_add(const struct elf_file *f, struct elfscan *scan);

#endif
