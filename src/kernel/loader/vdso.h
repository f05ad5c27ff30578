/* The shared object every guest finds through AT_SYSINFO_EHDR; built from sdk/vdso and linked in */
#ifndef EVERETT_KERNEL_LOADER_VDSO_H
#define EVERETT_KERNEL_LOADER_VDSO_H

#include "base/base.h"

const unsigned char *vdso_image(void);
size_t vdso_image_len(void);

#endif
