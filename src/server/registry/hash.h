/* Digests of content as the registry writes them, "sha256:HEX" or "sha512:HEX" (libcrypto). */
#ifndef EVERETT_SERVER_REGISTRY_HASH_H
#define EVERETT_SERVER_REGISTRY_HASH_H

#include "base/err.h"
#include "server/registry/names.h"

enum hash_kind { HASH_SHA256, HASH_SHA512 };

struct hash {
    enum hash_kind kind;
    void *ctx; /* owned */
};

/* The kind that a valid digest names. */
enum hash_kind hash_kind_of(const char *digest);
/* Aborts when libcrypto has no memory. */
void hash_init(struct hash *h, enum hash_kind kind);
void hash_update(struct hash *h, const void *data, size_t len);
/* May be called once; `h` then needs hash_fini only. */
void hash_final(struct hash *h, char digest[CONTENT_DIGEST]);
void hash_fini(struct hash *h); /* harmless on a zeroed struct */

void hash_bytes(enum hash_kind kind, const void *data, size_t len, char digest[CONTENT_DIGEST]);
/* Feeds bytes [from, to) of a file. ERR_HOST; a file that is shorter is one too. Blocks. */
int hash_file(struct hash *h, int fd, uint64_t from, uint64_t to, struct err *err) must_check;

#endif
