#include "kernel/loader/vdso.h"

extern const unsigned char vdso_bytes[];
extern const size_t vdso_bytes_len;

const unsigned char *vdso_image(void)
{
    return vdso_bytes;
}

size_t vdso_image_len(void)
{
    return vdso_bytes_len;
}
