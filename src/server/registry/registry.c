/* The registry's start and end, its budget of bytes, collections of garbage. */
#include "server/registry/registry_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/config.h"
#include "server/registry/content.h"
#include "server/registry/rows.h"
#include "server/registry/upload.h"
#include "server/server.h"

#define BLOB_GRACE_S   3600        /* a client may still push the manifest */
#define UPLOAD_GRACE_S (24 * 3600) /* a client may still go on */
#define BATCH          256u

bool registry_reserve(struct registry *r, uint64_t len)
{
    uint64_t total = __atomic_add_fetch(&r->bytes, len, __ATOMIC_RELAXED);
    if (r->quota && total > r->quota) {
        registry_release(r, len);
        return false;
    }
    return true;
}

void registry_release(struct registry *r, uint64_t len)
{
    __atomic_sub_fetch(&r->bytes, len, __ATOMIC_RELAXED);
}

static int open_directory(struct registry *r, const char *server_dir, struct err *err)
{
    if (asprintf(&r->dir, "%s/registry", server_dir) < 0) {
        abort();
    }
    if (mkdir(r->dir, 0700) < 0 && errno != EEXIST) {
        return err_errno(err, errno, "creating %s", r->dir);
    }
    r->dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dirfd < 0) {
        return err_errno(err, errno, "opening %s", r->dir);
    }
    return content_prepare(r, err);
}

struct registry *registry_open(struct server *s, struct err *err)
{
    struct registry_totals totals;
    struct registry *r = mem_zalloc(sizeof *r);
    r->server = s;
    r->db = s->db;
    r->dirfd = -1;
    r->quota = s->config->registry_quota;
    r->blob_max = s->config->blob_max;
    list_init(&r->uploads);
    pthread_mutex_init(&r->publish, NULL);
    pthread_mutex_init(&r->uploads_lock, NULL);
    if (open_directory(r, s->dir, err) < 0 || upload_recover(r, err) < 0 ||
        rows_totals(r, &totals, err) < 0) {
        registry_close(r);
        return NULL;
    }
    r->bytes += totals.bytes;
    return r;
}

void registry_close(struct registry *r)
{
    if (!r) {
        return;
    }
    upload_forget_all(r);
    if (r->dirfd >= 0) {
        close(r->dirfd);
    }
    pthread_mutex_destroy(&r->publish);
    pthread_mutex_destroy(&r->uploads_lock);
    free(r->dir);
    free(r);
}

int registry_totals(struct registry *r, struct registry_totals *out, struct err *err)
{
    return rows_totals(r, out, err);
}

struct batch {
    char digests[BATCH][CONTENT_DIGEST];
    uint64_t sizes[BATCH];
    size_t count;
};

static int add_to_batch(void *ctx, const char *digest, uint64_t size, struct err *err)
{
    struct batch *b = ctx;
    snprintf(b->digests[b->count], CONTENT_DIGEST, "%s", digest);
    b->sizes[b->count++] = size;
    return 0;
}

/* 1 removed, 0 somebody needs it by now. */
static int remove_blob(struct registry *r, const char *digest, int64_t before_unix, struct err *err)
{
    pthread_mutex_lock(&r->publish);
    int removed = rows_blob_forget(r, digest, before_unix, err);
    if (removed == 1 && content_remove_blob(r, digest, err) < 0) {
        removed = -1;
    }
    pthread_mutex_unlock(&r->publish);
    return removed;
}

static int collect_blobs(struct registry *r, int64_t before_unix, struct registry_gc *out,
                         struct err *err)
{
    struct batch *b = mem_zalloc(sizeof *b);
    int result;
    do {
        b->count = 0;
        result = rows_each_garbage(r, before_unix, BATCH, add_to_batch, b, err);
        for (size_t i = 0; result >= 0 && i < b->count; i++) {
            result = remove_blob(r, b->digests[i], before_unix, err);
            if (result == 1) {
                registry_release(r, b->sizes[i]);
                out->blobs++;
                out->bytes += b->sizes[i];
            }
        }
    } while (result >= 0 && b->count);
    free(b);
    return result < 0 ? -1 : 0;
}

/* Files whose row a crash has kept from being written, or whose row went first. */
struct sweep {
    struct registry *r;
    const char *algorithm;
    int64_t before_unix;
    struct registry_gc *out;
};

static int sweep_file(void *ctx, const char *name, const struct stat *st, struct err *err)
{
    struct sweep *s = ctx;
    char digest[CONTENT_DIGEST];
    int len = snprintf(digest, sizeof digest, "%s:%s", s->algorithm, name);
    if (len < 0 || (size_t)len >= sizeof digest || !name_is_digest(digest) ||
        st->st_mtime >= s->before_unix) {
        return 0;
    }
    pthread_mutex_lock(&s->r->publish);
    int known = rows_blob_known(s->r, digest, err);
    int result = known ? known : content_remove_blob(s->r, digest, err);
    pthread_mutex_unlock(&s->r->publish);
    if (known == 0 && result == 0) {
        s->out->blobs++;
        s->out->bytes += (uint64_t)st->st_size;
    }
    return result < 0 ? -1 : 0;
}

static int sweep_folder(struct registry *r, const char *algorithm, int64_t before_unix,
                        struct registry_gc *out, struct err *err)
{
    struct sweep s = {.r = r, .algorithm = algorithm, .before_unix = before_unix, .out = out};
    char folder[32];
    snprintf(folder, sizeof folder, "blobs/%s", algorithm);
    return content_each(r, folder, sweep_file, &s, err);
}

int registry_collect(struct registry *r, struct registry_gc *out, struct err *err)
{
    int64_t now = time(NULL);
    *out = (struct registry_gc){0};
    if (collect_blobs(r, now - BLOB_GRACE_S, out, err) < 0 ||
        sweep_folder(r, "sha256", now - BLOB_GRACE_S, out, err) < 0 ||
        sweep_folder(r, "sha512", now - BLOB_GRACE_S, out, err) < 0 ||
        upload_expire(r, now - UPLOAD_GRACE_S, out, err) < 0) {
        return -1;
    }
    return rows_forget_empty_repositories(r, err);
}
