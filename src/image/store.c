/* Directory, locks and atomic files of the image store. */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"

struct image_store {
    char *path;
    int dirfd;
};

static const char *const STORE_DIRS[] = {"blobs", "blobs/sha256", "data", "index",
                                         "refs",  "import",       "tmp"};

static char *default_path(struct err *err)
{
    static const struct {
        const char *var, *below;
    } places[] = {
        {"EVERETT_HOME", ""}, {"XDG_DATA_HOME", "/everett"}, {"HOME", "/.local/share/everett"}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *value = getenv(places[i].var);
        if (value && value[0] == '/') {
            struct buf path = {0};
            buf_printf(&path, "%s%s", value, places[i].below);
            return buf_steal(&path);
        }
    }
    err_set(err, ERR_USAGE, "no place for the image store: HOME is not set");
    err_hint(err, "set EVERETT_HOME to an absolute path");
    return NULL;
}

static int make_dirs(const char *path, struct err *err)
{
    cleanup_free char *copy = mem_strdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char end = *p;
        *p = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
            return err_errno(err, errno, "cannot create %s", copy);
        }
        if (!end) {
            return 0;
        }
        *p = end;
    }
}

struct image_store *image_store_open(const char *path, struct err *err)
{
    char *place = path ? mem_strdup(path) : default_path(err);
    if (!place) {
        return NULL;
    }
    struct image_store *s = mem_zalloc(sizeof *s);
    s->path = place;
    s->dirfd = -1;
    if (make_dirs(place, err) < 0) {
        image_store_close(s);
        return NULL;
    }
    s->dirfd = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->dirfd < 0) {
        err_errno(err, errno, "cannot open the image store %s", place);
        image_store_close(s);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(STORE_DIRS); i++) {
        if (mkdirat(s->dirfd, STORE_DIRS[i], 0755) < 0 && errno != EEXIST) {
            err_errno(err, errno, "cannot create %s/%s", place, STORE_DIRS[i]);
            image_store_close(s);
            return NULL;
        }
    }
    return s;
}

void image_store_close(struct image_store *store)
{
    if (!store) {
        return;
    }
    if (store->dirfd >= 0) {
        close(store->dirfd);
    }
    free(store->path);
    free(store);
}

const char *image_store_path(const struct image_store *store)
{
    return store->path;
}

int image_store_dirfd(const struct image_store *store)
{
    return store->dirfd;
}

/* Only called while no other process can be writing. */
static void sweep_tmp(struct image_store *store)
{
    int fd = openat(store->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] != '.') {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    closedir(dir);
}

static int wait_lock(int fd, int how)
{
    int r;
    do {
        r = flock(fd, how);
    } while (r < 0 && errno == EINTR);
    return r;
}

int image_store_lock(struct image_store *store, enum image_store_lock how, struct err *err)
{
    int fd = openat(store->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_errno(err, errno, "cannot open %s/lock", store->path);
    }
    bool alone = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!alone && how == IMAGE_STORE_EXCLUSIVE) {
        alone = wait_lock(fd, LOCK_EX) == 0;
        if (!alone) {
            err_errno(err, errno, "cannot lock %s/lock", store->path);
            close(fd);
            return -1;
        }
    }
    if (alone) {
        sweep_tmp(store);
    }
    if (how == IMAGE_STORE_SHARED && wait_lock(fd, LOCK_SH) < 0) {
        err_errno(err, errno, "cannot lock %s/lock", store->path);
        close(fd);
        return -1;
    }
    return fd;
}

int store_tmp_init(struct store_tmp *tmp, struct image_store *store, struct err *err)
{
    *tmp = (struct store_tmp){.store = store, .fd = -1};
    for (unsigned attempt = 0; attempt < 16; attempt++) {
        uint64_t nonce; /* only a name that lives for a moment; never seen by a guest */
        if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) {
            break;
        }
        snprintf(tmp->name, sizeof tmp->name, "tmp/%016llx", (unsigned long long)nonce);
        tmp->fd = openat(store->dirfd, tmp->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (tmp->fd >= 0) {
            return 0;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return err_errno(err, errno, "cannot create a file in %s/tmp", store->path);
}

static int sync_parent(struct image_store *store, const char *path, struct err *err)
{
    cleanup_free char *dir = mem_strdup(path);
    char *slash = strrchr(dir, '/');
    ASSERT(slash);
    *slash = '\0';
    cleanup_close int fd = openat(store->dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return err_errno(err, errno, "cannot write %s/%s", store->path, dir);
    }
    return 0;
}

int store_tmp_commit(struct store_tmp *tmp, const char *path, struct err *err)
{
    struct image_store *store = tmp->store;
    if (fchmod(tmp->fd, 0444) < 0 || fsync(tmp->fd) < 0 ||
        renameat(store->dirfd, tmp->name, store->dirfd, path) < 0) {
        err_errno(err, errno, "cannot write %s/%s", store->path, path);
        store_tmp_fini(tmp);
        return -1;
    }
    tmp->name[0] = '\0';
    store_tmp_fini(tmp);
    return sync_parent(store, path, err);
}

void store_tmp_fini(struct store_tmp *tmp)
{
    if (tmp->name[0]) {
        unlinkat(tmp->store->dirfd, tmp->name, 0);
        tmp->name[0] = '\0';
    }
    if (tmp->fd >= 0) {
        close(tmp->fd);
        tmp->fd = -1;
    }
}

char *store_tmp_path(const struct store_tmp *tmp)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", tmp->store->path, tmp->name);
    return buf_steal(&path);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int store_write_file(struct image_store *store, const char *path, const void *data, size_t len,
                     struct err *err)
{
    struct store_tmp tmp;
    if (store_tmp_init(&tmp, store, err) < 0) {
        return -1;
    }
    if (write_all(tmp.fd, data, len) < 0) {
        err_errno(err, errno, "cannot write %s/%s", store->path, path);
        store_tmp_fini(&tmp);
        return -1;
    }
    return store_tmp_commit(&tmp, path, err);
}

int store_put_blob(struct image_store *store, const void *data, size_t len, char hex[DIGEST_HEX],
                   struct err *err)
{
    uint8_t sum[DIGEST_LEN];
    char path[sizeof "blobs/sha256/" + DIGEST_HEX];
    digest_bytes(data, len, sum);
    digest_hex(sum, hex);
    snprintf(path, sizeof path, "blobs/sha256/%s", hex);
    return store_write_file(store, path, data, len, err);
}

int store_read_file(struct image_store *store, const char *path, struct buf *out, struct err *err)
{
    cleanup_close int fd = openat(store->dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open %s/%s", store->path, path);
    }
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            return 1;
        }
        if (n < 0 && errno != EINTR) {
            return err_errno(err, errno, "cannot read %s/%s", store->path, path);
        }
        if (n > 0) {
            buf_append(out, chunk, (size_t)n);
        }
    }
}

int store_remove_file(struct image_store *store, const char *path, struct err *err)
{
    if (unlinkat(store->dirfd, path, 0) < 0 && errno != ENOENT) {
        return err_errno(err, errno, "cannot remove %s/%s", store->path, path);
    }
    return 0;
}

bool store_has_file(struct image_store *store, const char *path, uint64_t *size)
{
    struct stat st;
    if (fstatat(store->dirfd, path, &st, 0) < 0 || !S_ISREG(st.st_mode)) {
        return false;
    }
    if (size) {
        *size = (uint64_t)st.st_size;
    }
    return true;
}
