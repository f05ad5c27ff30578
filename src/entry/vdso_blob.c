#include "kernel/loader/vdso.h"

extern const unsigned char vdso_blob[], vdso_blob_end[];

const unsigned char *vdso_image(void)
{
    return vdso_blob;
}

size_t vdso_image_len(void)
{
    return (size_t)(vdso_blob_end - vdso_blob);
}
