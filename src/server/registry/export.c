/* One image as an OCI layout, for the image store to load. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/registry/content.h"
#include "server/registry/hash.h"
#include "server/registry/manifest.h"
#include "server/registry/registry_priv.h"
#include "server/registry/rows.h"

#define INDEX_DEPTH_MAX 4u

struct export
{
    struct registry *r;
    int dirfd; /* of the layout */
    unsigned depth;
};

/* For a layout on another file system than the registry. */
static int copy(struct export *x, const char *path, struct err *err)
{
    cleanup_close int from = openat(x->r->dirfd, path, O_RDONLY | O_CLOEXEC);
    cleanup_close int to = openat(x->dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = from < 0 || to < 0 ? -1 : 1;
    while (n > 0) {
        n = copy_file_range(from, NULL, to, NULL, 1u << 30, 0);
    }
    return n < 0 ? err_errno(err, errno, "copying %s out of the registry", path) : 0;
}

static int link_blob(struct export *x, const char *digest, struct err *err)
{
    char path[CONTENT_PATH];
    if (hash_kind_of(digest) != HASH_SHA256) {
        err_set(err, ERR_USAGE, "%.20s... is no sha256 digest", digest);
        return err_hint(err, "push the image again with sha256 digests, the tools' default");
    }
    content_blob_path(digest, path);
    if (linkat(x->r->dirfd, path, x->dirfd, path, 0) == 0 || errno == EEXIST) {
        return 0;
    }
    if (errno == ENOENT) {
        err_set(err, ERR_USAGE, "the registry has no blob %s", digest);
        return err_hint(err, "push the image again");
    }
    return errno == EXDEV || errno == EMLINK || errno == EPERM
               ? copy(x, path, err)
               : err_errno(err, errno, "linking %s", path);
}

static int read_manifest(struct export *x, const char *digest, struct buf *out, struct err *err)
{
    uint64_t size = 0;
    cleanup_close int fd = content_open_blob(x->r, digest, &size, err);
    if (fd < 0) {
        return err->kind == ERR_NONE
                   ? err_set(err, ERR_USAGE, "the registry has no manifest %s", digest)
                   : -1;
    }
    if (size > MANIFEST_BYTES_MAX) {
        return err_set(err, ERR_USAGE, "%s is too long for a manifest", digest);
    }
    buf_reserve(out, size);
    for (ssize_t n; out->len < size; out->len += (size_t)n) {
        n = pread(fd, out->data + out->len, size - out->len, (off_t)out->len);
        if (n <= 0) {
            return err_errno(err, n < 0 ? errno : EIO, "reading manifest %s", digest);
        }
    }
    return 0;
}

static int export_manifest(struct export *x, const char *digest, const char *type, struct err *err);

static const char *get_string(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    return s ? s : "";
}

/* Entries without a platform may suit; the image store looks and chooses. */
static bool may_suit(const json_t *entry)
{
    const json_t *p = json_object_get(entry, "platform");
    return !json_is_object(p) || (strcmp(get_string(p, "os"), "linux") == 0 &&
                                  strcmp(get_string(p, "architecture"), "amd64") == 0);
}

static int export_entries(struct export *x, const json_t *index, struct err *err)
{
    size_t i, count = 0;
    json_t *entry;
    json_array_foreach(json_object_get(index, "manifests"), i, entry)
    {
        const char *digest = get_string(entry, "digest");
        if (!may_suit(entry)) {
            continue;
        }
        if (!name_is_digest(digest) ||
            export_manifest(x, digest, get_string(entry, "mediaType"), err) < 0) {
            return -1;
        }
        count++;
    }
    if (!count) {
        err_set(err, ERR_USAGE, "no image for linux/amd64");
        return err_hint(err, "build and push it with --platform linux/amd64");
    }
    return 0;
}

static int export_parsed(struct export *x, const struct manifest *m, const json_t *root,
                         struct err *err)
{
    if (m->is_index) {
        if (++x->depth > INDEX_DEPTH_MAX) {
            return err_set(err, ERR_USAGE, "image indexes are nested too deeply");
        }
        int result = export_entries(x, root, err);
        x->depth--;
        return result;
    }
    for (size_t i = 0; i < m->ref_count; i++) {
        if (link_blob(x, m->refs[i].digest, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int export_manifest(struct export *x, const char *digest, const char *type, struct err *err)
{
    struct buf text = {0};
    struct manifest m = {0};
    int result = read_manifest(x, digest, &text, err);
    result = result < 0 ? result : manifest_parse(text.data, text.len, type, &m, err);
    if (result == 0) {
        json_t *root = json_loadb(text.data, text.len, 0, NULL);
        result = export_parsed(x, &m, root, err);
        json_decref(root);
    }
    result = result < 0 ? result : link_blob(x, digest, err);
    manifest_fini(&m);
    buf_free(&text);
    return result;
}

static int write_file(struct export *x, const char *name, const struct buf *text, struct err *err)
{
    size_t done;
    cleanup_close int fd = openat(x->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "creating %s", name);
    }
    return content_write(fd, 0, text->data, text->len, &done, err);
}

static int write_index(struct export *x, const struct manifest_row *row, const char *ref,
                       struct err *err)
{
    cleanup_buf struct buf layout = {0}, index = {0};
    buf_puts(&layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
    buf_printf(&index,
               "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_OCI_INDEX "\",\"manifests\":[{"
               "\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu,\"annotations\":{"
               "\"org.opencontainers.image.ref.name\":",
               row->media_type, row->digest, (unsigned long long)row->size);
    buf_json_string(&index, ref, strlen(ref));
    buf_puts(&index, "}}]}");
    int result = write_file(x, "oci-layout", &layout, err);
    return result < 0 ? result : write_file(x, "index.json", &index, err);
}

static int make_layout(struct export *x, const char *dir, struct err *err)
{
    if (mkdir(dir, 0700) < 0) {
        return err_errno(err, errno, "creating %s", dir);
    }
    x->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->dirfd < 0 || mkdirat(x->dirfd, "blobs", 0700) < 0 ||
        mkdirat(x->dirfd, "blobs/sha256", 0700) < 0) {
        return err_errno(err, errno, "creating %s", dir);
    }
    return 0;
}

int registry_export(struct registry *r, const char *repository, const char *digest, const char *ref,
                    const char *dir, struct err *err)
{
    struct export x = {.r = r, .dirfd = -1};
    struct manifest_row row;
    int found = rows_manifest_find(r, repository, digest, &row, err);
    if (found == 0) {
        found = err_set(err, ERR_USAGE, "%s has no manifest %s", repository, digest);
    }
    int result = found < 0 ? -1 : make_layout(&x, dir, err);
    result = result < 0 ? result : export_manifest(&x, digest, row.media_type, err);
    result = result < 0 ? result : write_index(&x, &row, ref, err);
    if (x.dirfd >= 0) {
        close(x.dirfd);
    }
    manifest_row_fini(&row);
    return result < 0 ? err_wrap(err, "%s", ref) : 0;
}
