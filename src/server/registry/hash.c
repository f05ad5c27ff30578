/* Content digests over OpenSSL's EVP. */
#include "server/registry/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define READ_BYTES (256u << 10)

enum hash_kind hash_kind_of(const char *digest)
{
    return strncmp(digest, "sha512:", strlen("sha512:")) == 0 ? HASH_SHA512 : HASH_SHA256;
}

void hash_init(struct hash *h, enum hash_kind kind)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx);
    int ok = EVP_DigestInit_ex(ctx, kind == HASH_SHA512 ? EVP_sha512() : EVP_sha256(), NULL);
    ASSERT(ok == 1);
    h->kind = kind;
    h->ctx = ctx;
}

void hash_update(struct hash *h, const void *data, size_t len)
{
    int ok = EVP_DigestUpdate(h->ctx, data, len);
    ASSERT(ok == 1);
}

void hash_final(struct hash *h, char digest[CONTENT_DIGEST])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int ok = EVP_DigestFinal_ex(h->ctx, sum, &len);
    ASSERT(ok == 1);
    int at = snprintf(digest, CONTENT_DIGEST, "%s:", h->kind == HASH_SHA512 ? "sha512" : "sha256");
    for (unsigned i = 0; i < len; i++) {
        at += snprintf(digest + at, CONTENT_DIGEST - (size_t)at, "%02x", sum[i]);
    }
}

void hash_fini(struct hash *h)
{
    EVP_MD_CTX_free(h->ctx);
    h->ctx = NULL;
}

void hash_bytes(enum hash_kind kind, const void *data, size_t len, char digest[CONTENT_DIGEST])
{
    struct hash h;
    hash_init(&h, kind);
    hash_update(&h, data, len);
    hash_final(&h, digest);
    hash_fini(&h);
}

int hash_file(struct hash *h, int fd, uint64_t from, uint64_t to, struct err *err)
{
    cleanup_free char *bytes = mem_zalloc(READ_BYTES);
    while (from < to) {
        ssize_t n = pread(fd, bytes, min_u64(READ_BYTES, to - from), (off_t)from);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? err_errno(err, errno, "reading content to digest it")
                         : err_errno(err, EIO, "content ends %llu bytes too early",
                                     (unsigned long long)(to - from));
        }
        hash_update(h, bytes, (size_t)n);
        from += (uint64_t)n;
    }
    return 0;
}
