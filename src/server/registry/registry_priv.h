/* What the registry's files share. */
#ifndef EVERETT_SERVER_REGISTRY_REGISTRY_PRIV_H
#define EVERETT_SERVER_REGISTRY_REGISTRY_PRIV_H

#include <pthread.h>

#include "base/list.h"
#include "server/registry/names.h"
#include "server/registry/registry.h"

struct db_pool;

struct registry {
    struct server *server;
    struct db_pool *db; /* of the server */
    char *dir;          /* DIR/registry */
    int dirfd;
    uint64_t quota, blob_max; /* bytes; quota 0: none */
    /* Files below blobs/ and their rows change together under this lock: a collection would
     * otherwise remove the file that a push has just put back. */
    pthread_mutex_t publish;
    pthread_mutex_t uploads_lock;
    struct list_head uploads; /* struct upload, least recently used first */
    unsigned upload_count;
    uint64_t bytes; /* of all blobs and uploads; atomic */
};

/* Takes `len` more bytes into account; false when the quota forbids it. */
bool registry_reserve(struct registry *r, uint64_t len);
void registry_release(struct registry *r, uint64_t len);

#endif
