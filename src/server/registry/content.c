/* The registry's files. */
#include "server/registry/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "server/registry/registry_priv.h"

static const char *const FOLDERS[] = {"uploads", "blobs", "blobs/sha256", "blobs/sha512"};

void content_blob_path(const char *digest, char path[CONTENT_PATH])
{
    ASSERT(name_is_digest(digest));
    snprintf(path, CONTENT_PATH, "blobs/%.6s/%s", digest, digest + strlen("sha256:"));
}

void content_upload_path(const char *name, char path[CONTENT_PATH])
{
    ASSERT(name_is_upload(name));
    snprintf(path, CONTENT_PATH, "uploads/%s", name);
}

static int fail(struct registry *r, const char *what, const char *path, struct err *err)
{
    return err_errno(err, errno, "%s %s/%s", what, r->dir, path);
}

static int sync_folder(struct registry *r, const char *folder, struct err *err)
{
    cleanup_close int fd = openat(r->dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return fail(r, "making durable", folder, err);
    }
    return 0;
}

int content_prepare(struct registry *r, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        if (mkdirat(r->dirfd, FOLDERS[i], 0700) < 0 && errno != EEXIST) {
            return fail(r, "creating", FOLDERS[i], err);
        }
    }
    return sync_folder(r, "blobs", err);
}

int content_open_blob(struct registry *r, const char *digest, uint64_t *size, struct err *err)
{
    char path[CONTENT_PATH];
    struct stat st;
    content_blob_path(digest, path);
    int fd = openat(r->dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd < 0 && errno == ENOENT) {
            return -1;
        }
        int result = fail(r, "opening", path, err);
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

int content_blob_exists(struct registry *r, const char *digest, struct err *err)
{
    char path[CONTENT_PATH];
    content_blob_path(digest, path);
    if (faccessat(r->dirfd, path, F_OK, 0) == 0) {
        return 1;
    }
    return errno == ENOENT ? 0 : fail(r, "looking for", path, err);
}

int content_new_name(char name[UPLOAD_ID_CHARS + 1], struct err *err)
{
    uint8_t bytes[UPLOAD_ID_CHARS / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return err_errno(err, errno, "getrandom");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(name + 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

int content_create_upload(struct registry *r, const char *name, struct err *err)
{
    char path[CONTENT_PATH];
    content_upload_path(name, path);
    int fd = openat(r->dirfd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? fail(r, "creating", path, err) : fd;
}

int content_open_upload(struct registry *r, const char *name, struct err *err)
{
    char path[CONTENT_PATH];
    content_upload_path(name, path);
    int fd = openat(r->dirfd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) {
        return fail(r, "opening", path, err);
    }
    return fd;
}

int content_publish(struct registry *r, const char *name, const char *digest, struct err *err)
{
    char from[CONTENT_PATH], to[CONTENT_PATH];
    content_upload_path(name, from);
    content_blob_path(digest, to);
    if (renameat(r->dirfd, from, r->dirfd, to) < 0) {
        return fail(r, "moving an upload to", to, err);
    }
    return sync_folder(
        r, strncmp(digest, "sha512:", strlen("sha512:")) == 0 ? "blobs/sha512" : "blobs/sha256",
        err);
}

static int remove_file(struct registry *r, const char *path, struct err *err)
{
    if (unlinkat(r->dirfd, path, 0) < 0 && errno != ENOENT) {
        return fail(r, "removing", path, err);
    }
    return 0;
}

int content_remove_upload(struct registry *r, const char *name, struct err *err)
{
    char path[CONTENT_PATH];
    content_upload_path(name, path);
    return remove_file(r, path, err);
}

int content_remove_blob(struct registry *r, const char *digest, struct err *err)
{
    char path[CONTENT_PATH];
    content_blob_path(digest, path);
    return remove_file(r, path, err);
}

int content_write(int fd, uint64_t at, const void *data, size_t len, size_t *done, struct err *err)
{
    *done = 0;
    while (*done < len) {
        ssize_t n = pwrite(fd, (const char *)data + *done, len - *done, (off_t)(at + *done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(err, errno, "writing an upload");
        }
        *done += (size_t)n;
    }
    return 0;
}

int content_each(struct registry *r, const char *folder, content_fn *fn, void *ctx, struct err *err)
{
    int fd = openat(r->dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int result = fail(r, "reading", folder, err);
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    for (struct dirent *e; (errno = 0, e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            continue; /* removed meanwhile */
        }
        if (fn(ctx, e->d_name, &st, err) < 0) {
            return -1;
        }
    }
    return errno ? fail(r, "reading", folder, err) : 0;
}
