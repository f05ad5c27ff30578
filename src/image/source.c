#include "image/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define BLOCK_LEN    (128u << 10)
#define LINKS_MAX    16u
#define RATIO_EXEMPT (64u << 20)

struct member {
    char *name; /* without leading "./" or "/" */
    char *link; /* resolved name of the member meant, or NULL */
};

struct source {
    char *path;  /* of the archive to read, for opening again; NULL for a directory */
    char *shown; /* what the user named */
    int dirfd;   /* directory, else -1 */
    struct store_tmp spool;
    struct image_limits limits;
    struct member *members; /* in archive order */
    size_t count, cap;
};

struct source_stream {
    struct archive *a; /* archive */
    int fd;            /* directory */
    char *name;
    void *buffer;
    const void *memory; /* borrowed, `memory_len` bytes not yet given */
    size_t memory_len;
};

static int archive_fail(struct err *err, struct archive *a, const char *what, const char *name)
{
    const char *why = archive_error_string(a);
    return err_set(err, ERR_USAGE, "%s %s: %s", what, name, why ? why : "unreadable archive");
}

/* Brings a member name into normal form, resolving "." and ".." within the archive. `base` is the
 * member whose directory a relative name starts from, or NULL. */
static char *member_name(const char *base, const char *name)
{
    struct buf out = {0};
    const char *slash = base && name[0] != '/' ? strrchr(base, '/') : NULL;
    if (slash) {
        buf_append(&out, base, (size_t)(slash - base));
    }
    for (const char *at = name; *at;) {
        size_t len = strcspn(at, "/");
        if (len == 2 && memcmp(at, "..", 2) == 0) {
            while (out.len && out.data[--out.len] != '/') {
            }
            if (out.data) {
                out.data[out.len] = '\0';
            }
        } else if (len && !(len == 1 && *at == '.')) {
            if (out.len) {
                buf_putc(&out, '/');
            }
            buf_append(&out, at, len);
        }
        at += len;
        at += *at == '/';
    }
    return buf_steal(&out);
}

static struct archive *open_archive(const char *path, bool raw)
{
    struct archive *a = archive_read_new();
    ASSERT(a);
    if (raw) {
        archive_read_support_filter_gzip(a);
        archive_read_support_filter_zstd(a);
        archive_read_support_filter_bzip2(a);
        archive_read_support_filter_xz(a);
        archive_read_support_format_raw(a);
    } else {
        archive_read_support_format_tar(a);
    }
    archive_read_open_filename(a, path, BLOCK_LEN); /* a failure shows at the first header */
    return a;
}

/* Copies a pipe or decompresses an archive into the store's tmp/, so that members can be read in
 * any order. */
static int spool(struct source *src, struct archive *a, struct image_store *store, struct err *err)
{
    if (store_tmp_init(&src->spool, store, err) < 0) {
        return -1;
    }
    uint64_t total = 0;
    for (;;) {
        const void *block;
        size_t len;
        la_int64_t off;
        int r = archive_read_data_block(a, &block, &len, &off);
        if (r == ARCHIVE_EOF) {
            break;
        }
        if (r != ARCHIVE_OK) {
            return archive_fail(err, a, "cannot read", src->shown);
        }
        total += len;
        uint64_t packed = (uint64_t)archive_filter_bytes(a, -1);
        if (total > src->limits.bytes_max ||
            (total > RATIO_EXEMPT && total / src->limits.ratio_max > packed)) {
            return err_set(err, ERR_USAGE, "%s unpacks to far more than an image should",
                           src->shown);
        }
        for (size_t done = 0; done < len;) {
            ssize_t n = write(src->spool.fd, (const char *)block + done, len - done);
            if (n < 0 && errno != EINTR) {
                return err_errno(err, errno, "cannot unpack %s into the image store", src->shown);
            }
            done += n > 0 ? (size_t)n : 0;
        }
    }
    free(src->path);
    src->path = store_tmp_path(&src->spool);
    return 0;
}

static int spool_if_needed(struct source *src, struct image_store *store, bool regular,
                           struct err *err)
{
    struct archive *a = open_archive(src->path, true);
    struct archive_entry *e;
    int r = 0;
    if (archive_read_next_header(a, &e) != ARCHIVE_OK) {
        r = archive_fail(err, a, "cannot read", src->shown);
    } else if (!regular || archive_filter_code(a, 0) != ARCHIVE_FILTER_NONE) {
        r = spool(src, a, store, err);
    }
    archive_read_free(a);
    return r;
}

static int list_members(struct source *src, struct err *err)
{
    struct archive *a = open_archive(src->path, false);
    struct archive_entry *e;
    int r;
    while ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(e);
        const char *hard = archive_entry_hardlink(e), *soft = archive_entry_symlink(e);
        if (!name) {
            continue;
        }
        if (src->count >= src->limits.members_max) {
            archive_read_free(a);
            return err_set(err, ERR_USAGE, "%s has more than %u members", src->shown,
                           src->limits.members_max);
        }
        struct member *m = ARRAY_PUSH(src->members, src->count, src->cap);
        m->name = member_name(NULL, name);
        m->link = hard ? member_name(NULL, hard) : soft ? member_name(m->name, soft) : NULL;
    }
    int status = 0;
    if (r != ARCHIVE_EOF) {
        status = archive_fail(err, a, "cannot read", src->shown);
        err_hint(err,
                 "give the output of `docker save`, an OCI archive or an OCI layout directory");
    }
    archive_read_free(a);
    return status;
}

struct source *source_open(const char *path, struct image_store *store,
                           const struct image_limits *limits, struct err *err)
{
    struct source *src = mem_zalloc(sizeof *src);
    struct stat st;
    src->dirfd = -1;
    src->spool.fd = -1;
    src->limits = *limits;
    src->shown = mem_strdup(path);
    int r;
    if (stat(path, &st) < 0) {
        r = err_errno(err, errno, "cannot open %s", path);
    } else if (S_ISDIR(st.st_mode)) {
        src->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = src->dirfd < 0 ? err_errno(err, errno, "cannot open %s", path) : 0;
    } else {
        src->path = mem_strdup(path);
        r = spool_if_needed(src, store, S_ISREG(st.st_mode), err);
        r = r < 0 ? r : list_members(src, err);
    }
    if (r < 0) {
        source_close(src);
        return NULL;
    }
    return src;
}

void source_close(struct source *src)
{
    if (!src) {
        return;
    }
    for (size_t i = 0; i < src->count; i++) {
        free(src->members[i].name);
        free(src->members[i].link);
    }
    free(src->members);
    store_tmp_fini(&src->spool);
    if (src->dirfd >= 0) {
        close(src->dirfd);
    }
    free(src->path);
    free(src->shown);
    free(src);
}

/* Position of the member that `name` finally means, or -1. A later member of the same name replaces
 * an earlier one, as in any tar archive. */
static ssize_t find_member(const struct source *src, const char *name)
{
    for (unsigned hops = 0; hops < LINKS_MAX; hops++) {
        size_t i = src->count;
        while (i > 0 && strcmp(src->members[i - 1].name, name) != 0) {
            i--;
        }
        if (i == 0) {
            return -1;
        }
        if (!src->members[i - 1].link) {
            return (ssize_t)(i - 1);
        }
        name = src->members[i - 1].link;
    }
    return -1;
}

static int open_below(const struct source *src, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, src->dirfd, name, &how, sizeof how);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

bool source_has(struct source *src, const char *name)
{
    cleanup_free char *normal = member_name(NULL, name);
    if (src->dirfd < 0) {
        return find_member(src, normal) >= 0;
    }
    cleanup_close int fd = open_below(src, normal);
    return fd >= 0;
}

struct source_stream *source_stream_open(struct source *src, const char *name, struct err *err)
{
    struct source_stream *st = mem_zalloc(sizeof *st);
    st->fd = -1;
    st->name = member_name(NULL, name);
    if (src->dirfd >= 0) {
        st->fd = open_below(src, st->name);
        st->buffer = mem_zalloc(BLOCK_LEN);
        if (st->fd < 0) {
            err_errno(err, errno, "%s: cannot open %s", src->shown, st->name);
            source_stream_close(st);
            return NULL;
        }
        return st;
    }
    ssize_t index = find_member(src, st->name);
    if (index < 0) {
        err_set(err, ERR_USAGE, "%s: %s is missing", src->shown, st->name);
        source_stream_close(st);
        return NULL;
    }
    st->a = open_archive(src->path, false);
    struct archive_entry *e;
    for (ssize_t i = 0; i <= index; i++) {
        if (archive_read_next_header(st->a, &e) != ARCHIVE_OK) {
            archive_fail(err, st->a, "cannot read", src->shown);
            source_stream_close(st);
            return NULL;
        }
    }
    return st;
}

struct source_stream *source_stream_memory(const void *data, size_t len)
{
    struct source_stream *st = mem_zalloc(sizeof *st);
    st->fd = -1;
    st->memory = data;
    st->memory_len = len;
    return st;
}

ssize_t source_stream_next(struct source_stream *st, const void **block, struct err *err)
{
    if (st->fd >= 0) {
        ssize_t n;
        do {
            n = read(st->fd, st->buffer, BLOCK_LEN);
        } while (n < 0 && errno == EINTR);
        *block = st->buffer;
        return n < 0 ? err_errno(err, errno, "cannot read %s", st->name) : n;
    }
    if (!st->a) {
        size_t given = st->memory_len;
        *block = st->memory;
        st->memory_len = 0;
        return (ssize_t)given;
    }
    size_t len;
    la_int64_t off;
    int r;
    do {
        r = archive_read_data_block(st->a, block, &len, &off);
    } while (r == ARCHIVE_OK && len == 0);
    if (r == ARCHIVE_EOF) {
        return 0;
    }
    return r == ARCHIVE_OK ? (ssize_t)len : archive_fail(err, st->a, "cannot read", st->name);
}

void source_stream_close(struct source_stream *st)
{
    if (!st) {
        return;
    }
    if (st->a) {
        archive_read_free(st->a);
    }
    if (st->fd >= 0) {
        close(st->fd);
    }
    free(st->buffer);
    free(st->name);
    free(st);
}

int source_read(struct source *src, const char *name, struct buf *out, struct err *err)
{
    struct source_stream *st = source_stream_open(src, name, err);
    if (!st) {
        return -1;
    }
    const void *block;
    ssize_t n;
    uint64_t total = 0;
    int r = 0;
    while (r == 0 && (n = source_stream_next(st, &block, err)) != 0) {
        total += n > 0 ? (uint64_t)n : 0;
        if (n < 0) {
            r = -1;
        } else if (total > src->limits.json_max) {
            r = err_set(err, ERR_USAGE, "%s: %s is larger than %llu bytes", src->shown, name,
                        (unsigned long long)src->limits.json_max);
        } else {
            buf_append(out, block, (size_t)n);
        }
    }
    source_stream_close(st);
    return r;
}
