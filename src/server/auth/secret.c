#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/random.h>

#include "server/auth/auth_priv.h"

/* RFC 7914. 32 MiB and about a tenth of a second. */
#define SCRYPT_N      (1u << 15)
#define SCRYPT_R      8
#define SCRYPT_P      1
#define SCRYPT_MEMORY (64ull * 1024 * 1024)

int secret_scrypt(const char *password, const uint8_t salt[AUTH_SALT_LEN],
                  uint8_t out[AUTH_HASH_LEN], struct err *err)
{
    if (EVP_PBE_scrypt(password, strlen(password), salt, AUTH_SALT_LEN, SCRYPT_N, SCRYPT_R,
                       SCRYPT_P, SCRYPT_MEMORY, out, AUTH_HASH_LEN) != 1) {
        return err_set(err, ERR_HOST, "scrypt failed: out of memory?");
    }
    return 0;
}

void secret_random(void *out, size_t len)
{
    ASSERT(len <= 256); /* up to here getrandom(2) is never cut short */
    ssize_t n = getrandom(out, len, 0);
    ASSERT(n == (ssize_t)len);
}

void secret_sha256(const char *text, uint8_t out[AUTH_HASH_LEN])
{
    SHA256((const unsigned char *)text, strlen(text), out);
}

void secret_text(struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t raw[33] = {0}; /* a byte of padding: 256 bits are 42 digits and 4 bits */
    secret_random(raw, 32);
    for (unsigned bit = 0; bit < 256; bit += 6) {
        unsigned pair = (unsigned)raw[bit / 8] << 8 | raw[bit / 8 + 1];
        buf_putc(out, digits[pair >> (10 - bit % 8) & 63]);
    }
    OPENSSL_cleanse(raw, sizeof raw);
}

bool secret_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
