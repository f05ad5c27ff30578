/* Which uploads are in memory, how they get there and how they leave.
 *
 * An upload that nobody uses right now keeps its running digest in memory but no open file; of such
 * at most IDLE_MAX are kept, the least recently used leave first and are found again by their row
 * and file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/registry/content.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"
#include "server/registry/upload.h"

#define IDLE_MAX 1024u

static struct upload *upload_create(const char *id, const char *repository, int fd)
{
    struct upload *up = mem_zalloc(sizeof *up);
    memcpy(up->id, id, sizeof up->id);
    up->repository = mem_strdup(repository);
    up->fd = fd;
    up->refs = 1;
    list_init(&up->link);
    pthread_mutex_init(&up->lock, NULL);
    return up;
}

static void upload_destroy(struct upload *up)
{
    if (up->fd >= 0) {
        close(up->fd);
    }
    hash_fini(&up->hash);
    pthread_mutex_destroy(&up->lock);
    free(up->repository);
    free(up);
}

/* The caller holds uploads_lock. */
static void table_add(struct registry *r, struct upload *up)
{
    list_add_tail(&r->uploads, &up->link);
    r->upload_count++;
}

static void table_remove(struct registry *r, struct upload *up)
{
    list_del(&up->link);
    r->upload_count--;
}

static struct upload *table_find(struct registry *r, const char *id)
{
    struct upload *up;
    list_for_each_entry (up, &r->uploads, link) {
        if (strcmp(up->id, id) == 0) {
            return up;
        }
    }
    return NULL;
}

/* Makes room by forgetting the digest of uploads that lie idle. */
static void table_trim(struct registry *r)
{
    struct upload *up, *next;
    list_for_each_entry_safe (up, next, &r->uploads, link) {
        if (r->upload_count <= IDLE_MAX) {
            return;
        }
        if (!up->refs) {
            table_remove(r, up);
            upload_destroy(up);
        }
    }
}

int upload_start(struct registry *r, const char *repository, int64_t account, enum hash_kind kind,
                 struct upload **out, struct err *err)
{
    char id[UPLOAD_ID_CHARS + 1];
    int fd = content_new_name(id, err) < 0 ? -1 : content_create_upload(r, id, err);
    if (fd < 0) {
        return -1;
    }
    if (rows_upload_add(r, id, repository, account, err) < 0) {
        struct err ignored = {0};
        close(fd);
        if (content_remove_upload(r, id, &ignored) < 0) {
            err_clear(&ignored); /* the next start removes it */
        }
        return -1;
    }
    *out = upload_create(id, repository, fd);
    hash_init(&(*out)->hash, kind);
    pthread_mutex_lock(&r->uploads_lock);
    table_add(r, *out);
    table_trim(r);
    pthread_mutex_unlock(&r->uploads_lock);
    return 0;
}

/* Finds an upload by row and file: after a restart, or when the table had forgotten it. */
static int read_back(struct registry *r, const char *id, const char *repository,
                     struct upload **out, struct err *err)
{
    struct stat st;
    int found = rows_upload_exists(r, id, repository, err);
    if (found <= 0) {
        return found;
    }
    int fd = content_open_upload(r, id, err);
    if (fd < 0) {
        return err->kind == ERR_NONE ? 0 : -1;
    }
    if (fstat(fd, &st) < 0) {
        close(fd);
        return err_errno(err, errno, "looking at an upload");
    }
    *out = upload_create(id, repository, fd);
    (*out)->size = (uint64_t)st.st_size;
    table_add(r, *out);
    return 1;
}

static int take_known(struct registry *r, struct upload *up, const char *repository,
                      struct err *err)
{
    if (strcmp(up->repository, repository) != 0) {
        return 0;
    }
    if (up->fd < 0 && (up->fd = content_open_upload(r, up->id, err)) < 0) {
        return err->kind == ERR_NONE ? 0 : -1;
    }
    up->refs++;
    list_del(&up->link);
    list_add_tail(&r->uploads, &up->link);
    return 1;
}

int upload_get(struct registry *r, const char *id, const char *repository, struct upload **out,
               struct err *err)
{
    *out = NULL;
    if (!name_is_upload(id)) {
        return 0;
    }
    pthread_mutex_lock(&r->uploads_lock);
    struct upload *known = table_find(r, id);
    int found =
        known ? take_known(r, known, repository, err) : read_back(r, id, repository, out, err);
    if (known && found == 1) {
        *out = known;
    }
    pthread_mutex_unlock(&r->uploads_lock);
    return found;
}

void upload_put(struct registry *r, struct upload *up)
{
    if (!up) {
        return;
    }
    pthread_mutex_lock(&r->uploads_lock);
    if (--up->refs == 0) {
        if (up->is_over) {
            table_remove(r, up);
            upload_destroy(up);
        } else {
            close(up->fd);
            up->fd = -1;
            table_trim(r);
        }
    }
    pthread_mutex_unlock(&r->uploads_lock);
}

void upload_forget_all(struct registry *r)
{
    struct upload *up, *next;
    list_for_each_entry_safe (up, next, &r->uploads, link) {
        ASSERT(!up->refs);
        table_remove(r, up);
        upload_destroy(up);
    }
}

/* A file without a row is a manifest that was being written, or an upload whose row was lost with
 * the transaction that should have made it. */
static int recover_file(void *ctx, const char *name, const struct stat *st, struct err *err)
{
    struct registry *r = ctx;
    if (!name_is_upload(name)) {
        return 0;
    }
    int found = rows_upload_exists(r, name, NULL, err);
    if (found == 0) {
        return content_remove_upload(r, name, err);
    }
    r->bytes += found > 0 ? (uint64_t)st->st_size : 0;
    return found < 0 ? -1 : 0;
}

struct lost {
    struct registry *r;
    struct buf ids; /* each with a NUL */
};

/* A row without a file: the blob had its place already when the row's end was cut. */
static int recover_row(void *ctx, const char *id, struct err *err)
{
    struct lost *lost = ctx;
    int fd = name_is_upload(id) ? content_open_upload(lost->r, id, err) : -1;
    if (fd >= 0) {
        close(fd);
    } else if (err->kind == ERR_NONE) {
        buf_append(&lost->ids, id, strlen(id) + 1);
    } else {
        return -1;
    }
    return 0;
}

int upload_recover(struct registry *r, struct err *err)
{
    struct lost lost = {.r = r};
    int result = content_each(r, "uploads", recover_file, r, err);
    result = result < 0 ? result : rows_each_upload(r, recover_row, &lost, err);
    for (size_t at = 0; result >= 0 && at < lost.ids.len; at += strlen(lost.ids.data + at) + 1) {
        result = rows_upload_delete(r, lost.ids.data + at, err);
    }
    buf_free(&lost.ids);
    return result;
}

struct expiry {
    struct registry *r;
    int64_t before_unix;
    struct registry_gc *gc;
};

static int expire_file(void *ctx, const char *name, const struct stat *st, struct err *err)
{
    struct expiry *x = ctx;
    struct registry *r = x->r;
    int result = 0;
    if (!name_is_upload(name) || st->st_mtime >= x->before_unix) {
        return 0;
    }
    pthread_mutex_lock(&r->uploads_lock);
    struct upload *up = table_find(r, name);
    if (!up || !up->refs) {
        result = content_remove_upload(r, name, err);
        result = result < 0 ? result : rows_upload_delete(r, name, err);
        registry_release(r, (uint64_t)st->st_size);
        x->gc->blobs++;
        x->gc->bytes += (uint64_t)st->st_size;
        if (up) {
            table_remove(r, up);
            upload_destroy(up);
        }
    }
    pthread_mutex_unlock(&r->uploads_lock);
    return result;
}

int upload_expire(struct registry *r, int64_t before_unix, struct registry_gc *gc, struct err *err)
{
    struct expiry x = {.r = r, .before_unix = before_unix, .gc = gc};
    return content_each(r, "uploads", expire_file, &x, err);
}
