/* SHA-256 for content addressing (libcrypto). */
#ifndef EVERETT_IMAGE_DIGEST_H
#define EVERETT_IMAGE_DIGEST_H

#include "base/base.h"

#define DIGEST_LEN 32u
#define DIGEST_HEX 65u /* 64 digits and a NUL */

struct digest {
    void *ctx; /* owned */
};

/* Aborts when libcrypto has no memory. */
void digest_init(struct digest *d);
void digest_update(struct digest *d, const void *data, size_t len);
/* May be called once; `d` then needs digest_fini only. */
void digest_final(struct digest *d, uint8_t out[DIGEST_LEN]);
void digest_fini(struct digest *d);

void digest_bytes(const void *data, size_t len, uint8_t out[DIGEST_LEN]);
void digest_hex(const uint8_t sum[DIGEST_LEN], char hex[DIGEST_HEX]);
/* The 64 digits behind "sha256:", or NULL when `s` is not exactly that (lower case). */
const char *digest_parse(const char *s);
bool digest_is_hex(const char *s);

#endif
