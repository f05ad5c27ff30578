#include "image/digest.h"

#include <openssl/evp.h>
#include <string.h>

void digest_init(struct digest *d)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx);
    int ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    ASSERT(ok == 1);
    d->ctx = ctx;
}

void digest_update(struct digest *d, const void *data, size_t len)
{
    int ok = EVP_DigestUpdate(d->ctx, data, len);
    ASSERT(ok == 1);
}

void digest_final(struct digest *d, uint8_t out[DIGEST_LEN])
{
    unsigned len = 0;
    int ok = EVP_DigestFinal_ex(d->ctx, out, &len);
    ASSERT(ok == 1);
    ASSERT(len == DIGEST_LEN);
}

void digest_fini(struct digest *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}

void digest_bytes(const void *data, size_t len, uint8_t out[DIGEST_LEN])
{
    struct digest d;
    digest_init(&d);
    digest_update(&d, data, len);
    digest_final(&d, out);
    digest_fini(&d);
}

void digest_hex(const uint8_t sum[DIGEST_LEN], char hex[DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < DIGEST_LEN; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[DIGEST_HEX - 1] = '\0';
}

bool digest_is_hex(const char *s)
{
    return strlen(s) == DIGEST_HEX - 1 && strspn(s, "0123456789abcdef") == DIGEST_HEX - 1;
}

const char *digest_parse(const char *s)
{
    if (strncmp(s, "sha256:", 7) != 0 || !digest_is_hex(s + 7)) {
        return NULL;
    }
    return s + 7;
}
