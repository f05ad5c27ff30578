/* Which file an address of this process was loaded from. */
#ifndef EVERETT_SDK_MODULE_PATH_H
#define EVERETT_SDK_MODULE_PATH_H

#include <stddef.h>
#include <stdint.h>

/* Writes the path of the file whose mapping holds `address`, or precedes it without a gap (.bss
 * pages behind a data segment), as a terminated string of at most `size` bytes; else the program's
 * path; else "unknown". `size` is at least 16. Opens files, keeps none. */
void module_path(uintptr_t address, char *path, size_t size);

#endif
