#include "image/import_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "image/data_file.h"
#include "image/elfscan.h"

#define COPY_LEN     (256u << 10)
#define FILE_MAX     (16ull << 30)
#define CACHE_MAX    (64ull << 30) /* emptied beyond this, when nobody uses it */
#define BATCH        64u
#define BUSY_WAIT_MS 10000
#define NOTE_PATH    24u
#define NOTE_MAX     (1 << 20)
#define NOTES_MAX    512u

/* A copy that the table does not know yet. */
struct pending {
    struct stat st;
    struct import_file file; /* owns its patches */
};

/* One read transaction lasts from opening to closing but for the flushes: beginning one anew for
 * every file costs nine system calls. The write-ahead log keeps it from holding up other writers */
struct import_cache {
    char *dir;
    int lock_fd; /* shared for as long as the cache is in use */
    int data_fd;
    int notes_fd; /* folder */
    sqlite3 *db;
    sqlite3_stmt *select, *insert;
    struct pending *pending;
    size_t pending_count, pending_cap;
    void *buffer;
};

static int db_fail(struct import_cache *c, struct err *err)
{
    return err_set(err, ERR_HOST, "%s/cache.db: %s", c->dir,
                   c->db ? sqlite3_errmsg(c->db) : "out of memory");
}

static int exec(struct import_cache *c, const char *sql, struct err *err)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(c, err);
}

static int prepare(struct import_cache *c, struct err *err)
{
    static const char select[] =
        "SELECT page, sha256, patches FROM files WHERE dev = ?1 AND ino = ?2 AND size = ?3 AND "
        "mtime_s = ?4 AND mtime_ns = ?5 AND ctime_s = ?6 AND ctime_ns = ?7 AND scan = ?8";
    static const char insert[] =
        "INSERT OR IGNORE INTO files (dev, ino, size, mtime_s, mtime_ns, ctime_s, ctime_ns, scan, "
        "page, sha256, patches) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    if (sqlite3_prepare_v2(c->db, select, -1, &c->select, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->db, insert, -1, &c->insert, NULL) != SQLITE_OK) {
        return db_fail(c, err);
    }
    return 0;
}

static int open_db(struct import_cache *c, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/cache.db", c->dir);
    int rc = sqlite3_open_v2(
        path.data, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    buf_free(&path);
    if (rc != SQLITE_OK) {
        return db_fail(c, err);
    }
    sqlite3_busy_timeout(c->db, BUSY_WAIT_MS);
    if (exec(c,
             "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS files (dev INTEGER, ino "
             "INTEGER, size INTEGER, "
             "mtime_s INTEGER, mtime_ns INTEGER, ctime_s INTEGER, ctime_ns INTEGER, scan INTEGER, "
             "page INTEGER NOT NULL, sha256 BLOB NOT NULL, patches BLOB NOT NULL, "
             "PRIMARY KEY (dev, ino, size, mtime_s, mtime_ns, ctime_s, ctime_ns, scan)) "
             "WITHOUT ROWID",
             err) < 0) {
        return -1;
    }
    return prepare(c, err);
}

/* Called only by a process that is alone with the cache. The table is emptied first: rows must
 * never point behind the end of the data. */
static int trim(struct import_cache *c, struct err *err)
{
    struct stat st;
    if (fstat(c->data_fd, &st) < 0) {
        return err_errno(err, errno, "cannot read %s/files.data", c->dir);
    }
    if ((uint64_t)st.st_size <= CACHE_MAX) {
        return 0;
    }
    if (exec(c, "DELETE FROM files", err) < 0) {
        return -1;
    }
    return ftruncate(c->data_fd, 0) < 0
               ? err_errno(err, errno, "cannot empty %s/files.data", c->dir)
               : 0;
}

static int open_cache(struct import_cache *c, int storefd, struct err *err)
{
    c->lock_fd = openat(storefd, "import/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    c->data_fd = openat(storefd, "import/files.data", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    c->notes_fd = openat(storefd, "import/notes", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c->notes_fd < 0 && mkdirat(storefd, "import/notes", 0755) == 0) {
        c->notes_fd = openat(storefd, "import/notes", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (c->lock_fd < 0 || c->data_fd < 0) {
        return err_errno(err, errno, "cannot open %s", c->dir);
    }
    bool alone = flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (open_db(c, err) < 0 || (alone && trim(c, err) < 0)) {
        return -1;
    }
    while (flock(c->lock_fd, LOCK_SH) < 0) {
        if (errno != EINTR) {
            return err_errno(err, errno, "cannot lock %s", c->dir);
        }
    }
    return exec(c, "BEGIN", err);
}

struct import_cache *import_cache_create(struct image_store *store, struct err *err)
{
    struct import_cache *c = mem_zalloc(sizeof *c);
    struct buf dir = {0};
    buf_printf(&dir, "%s/import", image_store_path(store));
    c->dir = buf_steal(&dir);
    c->lock_fd = c->data_fd = c->notes_fd = -1;
    c->buffer = mem_zalloc(COPY_LEN);
    if (open_cache(c, image_store_dirfd(store), err) < 0) {
        import_cache_destroy(c);
        return NULL;
    }
    return c;
}

void import_cache_destroy(struct import_cache *cache)
{
    if (!cache) {
        return;
    }
    cleanup_err struct err ignored = {0}; /* without the rows, later runs copy again */
    if (cache->insert) {
        import_cache_flush(cache, &ignored);
    }
    for (size_t i = 0; i < cache->pending_count; i++) {
        free(cache->pending[i].file.patches);
    }
    free(cache->pending);
    sqlite3_finalize(cache->select);
    sqlite3_finalize(cache->insert);
    sqlite3_close(cache->db);
    if (cache->data_fd >= 0) {
        close(cache->data_fd);
    }
    if (cache->notes_fd >= 0) {
        close(cache->notes_fd);
    }
    if (cache->lock_fd >= 0) {
        close(cache->lock_fd);
    }
    free(cache->buffer);
    free(cache->dir);
    free(cache);
}

int import_cache_fd(const struct import_cache *cache)
{
    return cache->data_fd;
}

static void bind_key(sqlite3_stmt *s, const struct stat *st)
{
    sqlite3_bind_int64(s, 1, (sqlite3_int64)st->st_dev);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)st->st_ino);
    sqlite3_bind_int64(s, 3, st->st_size);
    sqlite3_bind_int64(s, 4, st->st_mtim.tv_sec);
    sqlite3_bind_int64(s, 5, st->st_mtim.tv_nsec);
    sqlite3_bind_int64(s, 6, st->st_ctim.tv_sec);
    sqlite3_bind_int64(s, 7, st->st_ctim.tv_nsec);
    sqlite3_bind_int(s, 8, (int)ELFSCAN_VERSION);
}

static void copy_patches(struct import_file *file, const void *patches, size_t bytes)
{
    file->patch_count = bytes / sizeof *file->patches;
    file->patches = NULL;
    if (file->patch_count) {
        file->patches = mem_zalloc(bytes);
        memcpy(file->patches, patches, bytes);
    }
}

/* Whether the pages of a row are really there; a cache that was damaged must not be believed. */
static bool in_data(const struct import_cache *c, uint64_t page, uint64_t size)
{
    struct stat st;
    return fstat(c->data_fd, &st) == 0 && page <= UINT64_MAX / PACK_PAGE / 2 &&
           page * PACK_PAGE + round_up_u64(size, PACK_PAGE) <= (uint64_t)st.st_size;
}

static bool find_row(struct import_cache *c, const struct stat *st, struct import_file *file)
{
    bool found = false;
    bind_key(c->select, st);
    if (sqlite3_step(c->select) == SQLITE_ROW &&
        sqlite3_column_bytes(c->select, 1) == (int)DIGEST_LEN) {
        size_t bytes = (size_t)sqlite3_column_bytes(c->select, 2);
        file->page = (uint64_t)sqlite3_column_int64(c->select, 0);
        memcpy(file->sha256, sqlite3_column_blob(c->select, 1), DIGEST_LEN);
        found =
            bytes % sizeof(struct pack_patch) == 0 && in_data(c, file->page, (uint64_t)st->st_size);
        if (found) {
            copy_patches(file, sqlite3_column_blob(c->select, 2), bytes);
        }
    }
    sqlite3_reset(c->select);
    return found;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool find_pending(struct import_cache *c, const struct stat *st, struct import_file *file)
{
    for (size_t i = 0; i < c->pending_count; i++) {
        const struct pending *p = &c->pending[i];
        if (same_state(&p->st, st)) {
            *file = p->file;
            copy_patches(file, p->file.patches, p->file.patch_count * sizeof *p->file.patches);
            return true;
        }
    }
    return false;
}

bool import_cache_find(struct import_cache *cache, const struct stat *st, struct import_file *file)
{
    *file = (struct import_file){0};
    return find_pending(cache, st, file) || find_row(cache, st, file);
}

static int copy_bytes(struct import_cache *c, int fd, uint64_t size, struct data_file *data,
                      struct import_file *file, struct err *err)
{
    struct digest digest;
    int r = 0;
    digest_init(&digest);
    for (uint64_t off = 0; r == 0 && off < size;) {
        ssize_t n = pread(fd, c->buffer, min_u64(COPY_LEN, size - off), (off_t)off);
        if (n < 0 && errno != EINTR) {
            r = err_errno(err, errno, "cannot read");
        } else if (n == 0) {
            r = err_set(err, ERR_HOST, "became shorter while it was read");
        } else if (n > 0) {
            digest_update(&digest, c->buffer, (size_t)n);
            r = data_file_write(data, off, c->buffer, (size_t)n, err);
            off += (uint64_t)n;
        }
    }
    if (r == 0) {
        digest_final(&digest, file->sha256);
    }
    digest_fini(&digest);
    return r;
}

/* Appends at the end of files.data, whose lock is held. */
static int append(struct import_cache *c, int fd, const struct stat *st, struct import_file *file,
                  struct err *err)
{
    struct stat end;
    struct data_file data;
    struct pack_data ignored;
    if (fstat(c->data_fd, &end) < 0) {
        return err_errno(err, errno, "cannot read %s/files.data", c->dir);
    }
    uint64_t size = (uint64_t)st->st_size;
    data_file_init(&data, c->data_fd, UINT64_MAX / 2);
    data.pages = round_up_u64((uint64_t)end.st_size, PACK_PAGE) / PACK_PAGE;
    struct tree_inode *inode = tree_inode_create(S_IFREG);
    int r = data_file_begin(&data, size, err);
    r = r < 0 ? r : copy_bytes(c, fd, size, &data, file, err);
    r = r < 0 ? r : data_file_end(&data, inode, err);
    r = r < 0 ? r : data_file_seal(&data, &ignored, err);
    if (r == 0) {
        file->page = inode->page;
        copy_patches(file, inode->patches, inode->patch_count * sizeof *inode->patches);
    }
    tree_inode_put(inode);
    data_file_fini(&data);
    return r;
}

static int copy_file(struct import_cache *c, int fd, const struct stat *st,
                     struct import_file *file, struct err *err)
{
    struct stat after;
    if ((uint64_t)st->st_size > FILE_MAX) {
        return err_set(err, ERR_USAGE, "is larger than %llu bytes", FILE_MAX);
    }
    while (flock(c->data_fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return err_errno(err, errno, "cannot lock %s/files.data", c->dir);
        }
    }
    int r = append(c, fd, st, file, err);
    flock(c->data_fd, LOCK_UN);
    if (r == 0 && (fstat(fd, &after) < 0 || !same_state(st, &after))) {
        free(file->patches);
        file->patches = NULL;
        r = err_set(err, ERR_HOST, "changed while it was read");
    }
    return r;
}

int import_cache_get(struct import_cache *cache, int fd, const struct stat *st,
                     struct import_file *file, struct err *err)
{
    if (import_cache_find(cache, st, file)) {
        return 0;
    }
    if (copy_file(cache, fd, st, file, err) < 0) {
        return -1;
    }
    struct pending *p = ARRAY_PUSH(cache->pending, cache->pending_count, cache->pending_cap);
    p->st = *st;
    p->file = *file;
    copy_patches(&p->file, file->patches, file->patch_count * sizeof *file->patches);
    /* A cache that cannot be written costs time in later runs, nothing else; a caller that wants to
     * know asks with import_cache_flush. */
    cleanup_err struct err ignored = {0};
    if (cache->pending_count >= BATCH) {
        import_cache_flush(cache, &ignored);
    }
    return 0;
}

static int insert_row(struct import_cache *c, const struct pending *p, struct err *err)
{
    sqlite3_stmt *s = c->insert;
    bind_key(s, &p->st);
    sqlite3_bind_int64(s, 9, (sqlite3_int64)p->file.page);
    sqlite3_bind_blob(s, 10, p->file.sha256, DIGEST_LEN, SQLITE_STATIC);
    sqlite3_bind_blob64(s, 11, p->file.patches ? (const void *)p->file.patches : "",
                        p->file.patch_count * sizeof *p->file.patches, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    int r = rc == SQLITE_DONE ? 0 : db_fail(c, err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return r;
}

/* Leaves the read transaction for a write transaction, and back. */
static int begin_writing(struct import_cache *c, struct err *err)
{
    if (!sqlite3_get_autocommit(c->db) && exec(c, "COMMIT", err) < 0) {
        return -1;
    }
    return exec(c, "BEGIN IMMEDIATE", err);
}

static int end_writing(struct import_cache *c, bool keep, struct err *err)
{
    if (!keep || exec(c, "COMMIT; BEGIN", err) < 0) {
        sqlite3_exec(c->db, "ROLLBACK; BEGIN", NULL, NULL, NULL);
        return -1;
    }
    return 0;
}

int import_cache_flush(struct import_cache *c, struct err *err)
{
    if (!c->pending_count) {
        return 0;
    }
    if (fdatasync(c->data_fd) < 0) {
        return err_errno(err, errno, "cannot write %s/files.data", c->dir);
    }
    if (begin_writing(c, err) < 0) {
        return -1;
    }
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->pending_count; i++) {
        r = insert_row(c, &c->pending[i], err);
    }
    if (end_writing(c, r == 0, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < c->pending_count; i++) {
        free(c->pending[i].file.patches);
    }
    c->pending_count = 0;
    return 0;
}

/* A note is a file by the hash of its key: the key's length, the key, the value. Nothing is synced:
 * a note that was cut off gives a shorter value, and a program asks for what it is not given. */
static void note_path(const struct buf *key, char path[NOTE_PATH])
{
    uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */
    for (size_t i = 0; i < key->len; i++) {
        h = (h ^ (unsigned char)key->data[i]) * 0x100000001b3ull;
    }
    snprintf(path, NOTE_PATH, "%016llx", (unsigned long long)h);
}

bool import_cache_recall(struct import_cache *cache, const struct buf *key, struct buf *out)
{
    char path[NOTE_PATH];
    struct stat st;
    uint64_t key_len;
    note_path(key, path);
    cleanup_close int fd = openat(cache->notes_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > NOTE_MAX) {
        return false;
    }
    cleanup_buf struct buf all = {0};
    buf_reserve(&all, (size_t)st.st_size + 1);
    ssize_t n = read(fd, all.data, (size_t)st.st_size);
    size_t head = sizeof key_len + key->len;
    if (n < (ssize_t)head) {
        return false;
    }
    memcpy(&key_len, all.data, sizeof key_len);
    if (key_len != key->len || memcmp(all.data + sizeof key_len, key->data, key->len) != 0) {
        return false;
    }
    buf_append(out, all.data + head, (size_t)n - head);
    return true;
}

/* Empties the folder when it is full: commands that still run are soon known again. */
static void drop_notes(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    size_t count = 0;
    while (dir && readdir(dir)) {
        count++;
    }
    if (dir && count > NOTES_MAX) {
        rewinddir(dir);
        for (const struct dirent *e; (e = readdir(dir));) {
            unlinkat(dirfd, e->d_name, 0);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

void import_cache_note(struct import_cache *cache, const struct buf *key, const struct buf *value)
{
    char path[NOTE_PATH], temp[NOTE_PATH + 16];
    uint64_t key_len = key->len;
    cleanup_buf struct buf all = {0};
    note_path(key, path);
    snprintf(temp, sizeof temp, "%s.%d", path, (int)getpid());
    drop_notes(cache->notes_fd);
    buf_append(&all, &key_len, sizeof key_len);
    buf_append(&all, key->data, key->len);
    buf_append(&all, value->data, value->len);
    cleanup_close int fd =
        openat(cache->notes_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, all.data, all.len) != (ssize_t)all.len ||
        renameat(cache->notes_fd, temp, cache->notes_fd, path) < 0) {
        unlinkat(cache->notes_fd, temp, 0);
    }
}
