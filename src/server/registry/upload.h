/* Uploads in progress: an id, a file that grows, the digest of what came so far.
 *
 * The file is the truth about how much has arrived, so an upload survives a restart; the running
 * digest does not, and is then taken from the file when the upload is finished. One request writes
 * at a time: a later one takes over from an earlier one whose client has gone (claim), so that
 * nobody waits for a half-open connection. */
#ifndef EVERETT_SERVER_REGISTRY_UPLOAD_H
#define EVERETT_SERVER_REGISTRY_UPLOAD_H

#include <pthread.h>

#include "base/list.h"
#include "server/registry/hash.h"
#include "server/registry/registry.h"

struct registry;

struct upload {
    char id[UPLOAD_ID_CHARS + 1];
    char *repository;      /* owned */
    struct list_head link; /* in registry->uploads, under its lock, as is `refs` */
    unsigned refs;
    int fd;               /* open while refs > 0 */
    pthread_mutex_t lock; /* of everything below */
    uint64_t size;
    struct hash hash; /* of the first `hashed` bytes; ctx NULL: unknown */
    uint64_t hashed;
    uint64_t claims; /* the last one given */
    bool is_over;    /* finished or cancelled */
};

enum upload_result {
    UPLOAD_OK,
    UPLOAD_GONE,     /* finished, cancelled, or taken over by another request */
    UPLOAD_BIG,      /* more than config->blob_max: the upload has been removed */
    UPLOAD_QUOTA,    /* config->registry_quota */
    UPLOAD_MISMATCH, /* another digest than promised: the upload has been removed */
    UPLOAD_FAILED,   /* `err` says why */
};

/* Both give a reference to be given back by upload_put. `kind` is a guess of the digest that will
 * be asked for. Block on the disk. */
int upload_start(struct registry *r, const char *repository, int64_t account, enum hash_kind kind,
                 struct upload **out, struct err *err) must_check;
/* 1, 0 no such upload in this repository, -1. */
int upload_get(struct registry *r, const char *id, const char *repository, struct upload **out,
               struct err *err) must_check;
void upload_put(struct registry *r, struct upload *up); /* accepts NULL */

/* Makes the caller the one writer; *size is what has arrived. */
uint64_t upload_claim(struct upload *up, uint64_t *size);
enum upload_result upload_write(struct registry *r, struct upload *up, uint64_t claim,
                                const void *data, size_t len, struct err *err) must_check;
uint64_t upload_size(struct upload *up);
/* Verifies the digest, makes the blob durable and visible in the upload's repository. */
enum upload_result upload_finish(struct registry *r, struct upload *up, uint64_t claim,
                                 const char *digest, struct err *err) must_check;
enum upload_result upload_cancel(struct registry *r, struct upload *up, struct err *err) must_check;

/* At the start: removes files without a row and rows without a file; counts the bytes. */
int upload_recover(struct registry *r, struct err *err) must_check;
/* Removes uploads that nobody uses and that were last written before `before_unix`. */
int upload_expire(struct registry *r, int64_t before_unix, struct registry_gc *gc,
                  struct err *err) must_check;
/* Frees what is in memory; files and rows stay. */
void upload_forget_all(struct registry *r);

#endif
