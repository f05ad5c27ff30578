/* Host files for a universe: names, attributes, listings, links. Contents come from the import
 * cache. Everything answered is remembered, so that the universe's view cannot change. */
#include "image/hostimport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "image/hostimport_priv.h"

/* Directories whose contents belong to the running host, not to its files. */
static const char *const EXCLUDED[] = {"/proc", "/sys", "/dev", "/run", "/var/run"};

static const long KERNEL_FILE_SYSTEMS[] = {
    PROC_SUPER_MAGIC, SYSFS_MAGIC,        CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
    TRACEFS_MAGIC,    DEVPTS_SUPER_MAGIC, SECURITYFS_MAGIC,   BPF_FS_MAGIC,        EFIVARFS_MAGIC,
    PSTOREFS_MAGIC,   NSFS_MAGIC,         SELINUX_MAGIC,      BINFMTFS_MAGIC,
};

int hostimport_open(struct hostimport *h, const struct import_node *n, int flags)
{
    struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
                           .resolve =
                               RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH};
    return (int)syscall(SYS_openat2, h->rootfd, *n->path ? n->path : ".", &how, sizeof how);
}

struct import_node *hostimport_node(struct hostimport *h, uint32_t ino)
{
    return ino >= 1 && ino <= h->node_count ? h->nodes[ino - 1] : NULL;
}

void hostimport_note(struct hostimport *h, const struct import_node *n, const char *what)
{
    if (!h->trouble) {
        struct buf b = {0};
        buf_printf(&b, "/%s: %s", n->path, what);
        h->trouble = buf_steal(&b);
    }
}

/* Errors that say something about the file pass; everything else is the host's own trouble. */
int hostimport_errno(struct hostimport *h, const struct import_node *n, int host_errno)
{
    if (host_errno == EACCES || host_errno == EPERM) {
        return -EACCES;
    }
    if (host_errno == ENOENT || host_errno == ENOTDIR) {
        return -host_errno;
    }
    hostimport_note(h, n, strerror(host_errno));
    return -EIO;
}

static int compare_node(const void *a, const void *b)
{
    const struct import_node *x = a, *y = b;
    if (x->dev != y->dev) {
        return x->dev < y->dev ? -1 : 1;
    }
    return (x->host_ino > y->host_ino) - (x->host_ino < y->host_ino);
}

static int compare_memo(const void *a, const void *b)
{
    const struct import_memo *x = a, *y = b;
    if (x->dir != y->dir) {
        return x->dir < y->dir ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static bool is_kernel_fs(int dirfd, const char *name)
{
    struct statfs fs;
    cleanup_close int fd =
        openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(KERNEL_FILE_SYSTEMS); i++) {
        if ((long)fs.f_type == KERNEL_FILE_SYSTEMS[i]) {
            return true;
        }
    }
    return false;
}

static bool is_excluded(const struct hostimport *h, const struct import_node *dir, int dirfd,
                        const char *name, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(h->excluded); i++) {
        if (h->excluded[i].known && st->st_dev == h->excluded[i].dev &&
            st->st_ino == h->excluded[i].ino) {
            return true;
        }
    }
    return dir && st->st_dev != dir->dev && is_kernel_fs(dirfd, name);
}

static void fill_attr(struct import_node *n, const struct stat *st, bool excluded)
{
    struct import_attr *a = &n->attr;
    bool dir = S_ISDIR(st->st_mode);
    a->mode = excluded ? S_IFDIR | 0755 : st->st_mode;
    a->uid = excluded ? 0 : st->st_uid;
    a->gid = excluded ? 0 : st->st_gid;
    a->nlink = dir ? 1 : (uint32_t)st->st_nlink;
    a->flags = excluded ? IMPORT_EXCLUDED : 0;
    a->size = dir ? PACK_PAGE : (uint64_t)st->st_size;
    a->mtime_s = excluded ? 0 : st->st_mtim.tv_sec;
    a->mtime_ns = excluded ? 0 : (uint32_t)st->st_mtim.tv_nsec;
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        a->rdev_major = major(st->st_rdev);
        a->rdev_minor = minor(st->st_rdev);
        a->size = 0;
    }
}

/* The node of a host file, with the next number when it is new. `dir` NULL: the root. */
static struct import_node *intern(struct hostimport *h, const struct import_node *dir, int dirfd,
                                  const char *name, const struct stat *st)
{
    struct import_node key = {.dev = st->st_dev, .host_ino = st->st_ino};
    void *hit = tfind(&key, &h->by_host, compare_node);
    if (hit) {
        return *(struct import_node **)hit;
    }
    struct import_node *n = mem_zalloc(sizeof *n);
    n->dev = st->st_dev;
    n->host_ino = st->st_ino;
    n->host_mtim = st->st_mtim;
    n->host_ctim = st->st_ctim;
    struct buf path = {0};
    buf_printf(&path, "%s%s%s", dir ? dir->path : "", dir && *dir->path ? "/" : "", name);
    n->path = buf_steal(&path);
    fill_attr(n, st, is_excluded(h, dir, dirfd, name, st));
    *ARRAY_PUSH(h->nodes, h->node_count, h->node_cap) = n;
    n->attr.ino = (uint32_t)h->node_count;
    tsearch(n, &h->by_host, compare_node);
    return n;
}

struct import_memo *hostimport_memo(struct hostimport *h, uint32_t dir, const char *name)
{
    struct import_memo key = {.dir = dir, .name = (char *)(uintptr_t)name};
    void *hit = tfind(&key, &h->memos, compare_memo);
    return hit ? *(struct import_memo **)hit : NULL;
}

static struct import_memo *add_memo(struct hostimport *h, uint32_t dir, const char *name,
                                    struct import_node *node, int result)
{
    struct import_memo *m = mem_zalloc(sizeof *m);
    m->dir = dir;
    m->name = mem_strdup(name);
    m->node = node;
    m->result = result;
    tsearch(m, &h->memos, compare_memo);
    *ARRAY_PUSH(h->memo_list, h->memo_count, h->memo_cap) = m;
    if (node && !node->memo && node->attr.ino != IMPORT_ROOT_INO) {
        node->memo = m;
    }
    return m;
}

/* A descriptor of the directory for calls that take one, kept open for the next. -1 with errno. */
static int dir_fd(struct hostimport *h, struct import_node *dir)
{
    if (dir->dir_slot) {
        return h->dirs[dir->dir_slot - 1].fd;
    }
    int fd = hostimport_open(h, dir, O_PATH | O_DIRECTORY);
    if (fd < 0) {
        return -1;
    }
    uint32_t slot = h->next_dir++ % IMPORT_DIR_FDS;
    if (h->dirs[slot].node) {
        h->dirs[slot].node->dir_slot = 0;
        close(h->dirs[slot].fd);
    }
    h->dirs[slot].node = dir;
    h->dirs[slot].fd = fd;
    dir->dir_slot = slot + 1;
    return fd;
}

struct import_memo *hostimport_look(struct hostimport *h, struct import_node *dir, int dirfd,
                                    const char *name)
{
    struct import_memo *m = hostimport_memo(h, dir->attr.ino, name);
    struct stat st;
    if (m) {
        return m;
    }
    if (dir->attr.flags & IMPORT_EXCLUDED) {
        return add_memo(h, dir->attr.ino, name, NULL, -ENOENT);
    }
    int at = dirfd < 0 ? dir_fd(h, dir) : dirfd;
    if (at < 0 || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return add_memo(h, dir->attr.ino, name, NULL, hostimport_errno(h, dir, errno));
    }
    return add_memo(h, dir->attr.ino, name, intern(h, dir, at, name, &st), 0);
}

static void serve_lookup(struct hostimport *h, struct import_node *dir,
                         const struct import_request *q, struct import_response *r)
{
    if (q->name_len == 0 || q->name_len > IMPORT_NAME_MAX || q->name[q->name_len] != '\0' ||
        strlen(q->name) != q->name_len || strchr(q->name, '/') || strcmp(q->name, "..") == 0) {
        r->result = -EINVAL;
        return;
    }
    if (strcmp(q->name, ".") == 0) {
        r->attr = dir->attr;
        return;
    }
    if (!S_ISDIR(dir->attr.mode)) {
        r->result = -ENOTDIR;
        return;
    }
    const struct import_memo *m = hostimport_look(h, dir, -1, q->name);
    r->result = m->result;
    if (m->node) {
        r->attr = m->node->attr;
    }
}

static int not_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Reads the directory once; entries that vanish meanwhile are left out for good. */
static int read_listing(struct hostimport *h, struct import_node *dir)
{
    struct dirent **list = NULL;
    dir->listed = true;
    if (dir->attr.flags & IMPORT_EXCLUDED) {
        return 0;
    }
    cleanup_close int fd = hostimport_open(h, dir, O_RDONLY | O_DIRECTORY);
    int count = fd < 0 ? -1 : scandirat(fd, ".", &list, not_dots, by_name);
    if (count < 0) {
        return hostimport_errno(h, dir, errno);
    }
    for (int i = 0; i < count; i++) {
        struct import_memo *m = hostimport_look(h, dir, fd, list[i]->d_name);
        if (m->node) {
            *ARRAY_PUSH(dir->listing, dir->listing_count, dir->listing_cap) = m;
        }
        free(list[i]);
    }
    free(list);
    return 0;
}

static void serve_readdir(struct hostimport *h, struct import_node *dir,
                          const struct import_request *q, struct import_response *r)
{
    if (!S_ISDIR(dir->attr.mode)) {
        r->result = -ENOTDIR;
        return;
    }
    if (!dir->listed) {
        dir->list_result = read_listing(h, dir);
    }
    r->result = dir->list_result;
    for (uint64_t i = q->cursor; r->result == 0 && i < dir->listing_count; i++) {
        const struct import_memo *m = dir->listing[i];
        struct import_dirent d = {.attr = m->node->attr,
                                  .type = (uint8_t)((m->node->attr.mode & S_IFMT) >> 12),
                                  .name_len = (uint8_t)strlen(m->name)};
        d.record_len = (uint16_t)round_up_u64(sizeof d + d.name_len + 1u, 8);
        if (r->length + d.record_len > IMPORT_PAYLOAD_MAX) {
            r->cursor = i;
            return;
        }
        memcpy(r->payload + r->length, &d, sizeof d);
        memcpy(r->payload + r->length + sizeof d, m->name, d.name_len);
        r->length += d.record_len;
    }
}

static int read_target(struct hostimport *h, struct import_node *n)
{
    char target[4096];
    cleanup_close int fd = hostimport_open(h, n, O_PATH);
    ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof target);
    if (len < 0) {
        return hostimport_errno(h, n, errno);
    }
    if (len == 0 || len >= (ssize_t)sizeof target) {
        hostimport_note(h, n, "link target is empty or too long");
        return -EIO;
    }
    n->target = mem_strndup(target, (size_t)len);
    return 0;
}

static void serve_readlink(struct hostimport *h, struct import_node *n, struct import_response *r)
{
    if (!S_ISLNK(n->attr.mode)) {
        r->result = -EINVAL;
        return;
    }
    if (!n->target && !n->link_result) {
        n->link_result = read_target(h, n);
    }
    r->result = n->link_result;
    if (n->target) {
        r->length = (uint32_t)strlen(n->target);
        memcpy(r->payload, n->target, r->length);
    }
}

static int read_data(struct hostimport *h, struct import_node *n)
{
    struct stat st;
    cleanup_err struct err err = {0};
    cleanup_close int fd = hostimport_open(h, n, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return hostimport_errno(h, n, errno);
    }
    if (!S_ISREG(st.st_mode) || st.st_dev != n->dev || st.st_ino != n->host_ino ||
        (uint64_t)st.st_size != n->attr.size || st.st_mtim.tv_sec != n->host_mtim.tv_sec ||
        st.st_mtim.tv_nsec != n->host_mtim.tv_nsec) {
        hostimport_note(h, n, "changed on the host since the universe first saw it");
        return -EIO;
    }
    if (import_cache_get(h->cache, fd, &st, &n->file, &err) < 0) {
        hostimport_note(h, n, err.msg);
        return -EIO;
    }
    n->copied = true;
    return 0;
}

static void serve_data(struct hostimport *h, struct import_node *n, const struct import_request *q,
                       struct import_response *r)
{
    if (!S_ISREG(n->attr.mode)) {
        r->result = -EINVAL;
        return;
    }
    if (!n->copied && !n->data_result) {
        n->data_result = read_data(h, n);
    }
    r->result = n->data_result;
    if (!n->copied || q->cursor > n->file.patch_count) {
        r->result = r->result ? r->result : -EINVAL;
        return;
    }
    size_t left = n->file.patch_count - q->cursor;
    size_t room = (IMPORT_PAYLOAD_MAX - sizeof(struct import_data)) / sizeof(struct pack_patch);
    size_t here = min_u64(left, room);
    struct import_data d = {.page = n->file.page,
                            .patch_count = (uint32_t)n->file.patch_count,
                            .patches_here = (uint32_t)here};
    memcpy(d.sha256, n->file.sha256, sizeof d.sha256);
    memcpy(r->payload, &d, sizeof d);
    if (here) {
        memcpy(r->payload + sizeof d, n->file.patches + q->cursor,
               here * sizeof(struct pack_patch));
    }
    r->length = (uint32_t)(sizeof d + here * sizeof(struct pack_patch));
    r->cursor = here < left ? q->cursor + here : 0;
    r->attr = n->attr;
}

void hostimport_answer(struct hostimport *h, const struct import_request *q,
                       struct import_response *response)
{
    memset(response, 0, offsetof(struct import_response, payload));
    struct import_node *n = hostimport_node(h, q->ino);
    if (!n) {
        response->result = -EINVAL;
        return;
    }
    switch (q->op) {
    case IMPORT_LOOKUP:
        serve_lookup(h, n, q, response);
        break;
    case IMPORT_READDIR:
        serve_readdir(h, n, q, response);
        break;
    case IMPORT_READLINK:
        serve_readlink(h, n, response);
        break;
    case IMPORT_DATA:
        serve_data(h, n, q, response);
        break;
    default:
        response->result = -EINVAL;
    }
}

void hostimport_serve(struct hostimport *h, const struct import_request *request,
                      struct import_response *response)
{
    static const uint8_t bits[] = {
        [IMPORT_READDIR] = ASKED_LIST, [IMPORT_READLINK] = ASKED_LINK, [IMPORT_DATA] = ASKED_DATA};
    /* The request lies in shared memory: it must not change between check and use. */
    struct import_request q = *request;
    hostimport_answer(h, &q, response);
    struct import_node *n = hostimport_node(h, q.ino);
    if (!n) {
        return;
    }
    if (q.op != IMPORT_LOOKUP) {
        n->asked |= q.op < ARRAY_LEN(bits) ? bits[q.op] : 0;
        return;
    }
    q.name[IMPORT_NAME_MAX] = '\0';
    struct import_memo *m = hostimport_memo(h, q.ino, q.name);
    if (m) {
        m->asked = ASKED_NAME;
        if (m->node) {
            hostimport_follow(h, m->node);
        }
    }
}

static void note_excluded(struct hostimport *h, size_t slot, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        h->excluded[slot] =
            (struct import_excluded){.known = true, .dev = st.st_dev, .ino = st.st_ino};
    }
}

static int open_root(struct hostimport *h, const char *root, struct err *err)
{
    struct stat st;
    h->rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (h->rootfd < 0 || fstat(h->rootfd, &st) < 0) {
        return err_errno(err, errno, "cannot open %s", root);
    }
    intern(h, NULL, -1, "", &st);
    return 0;
}

struct hostimport *hostimport_create(struct image_store *store, const char *root, struct err *err)
{
    struct hostimport *h = mem_zalloc(sizeof *h);
    _Static_assert(ARRAY_LEN(EXCLUDED) + 1 == ARRAY_LEN(((struct hostimport *)0)->excluded),
                   "a slot for each excluded directory and for the store");
    h->rootfd = -1;
    for (size_t i = 0; i < ARRAY_LEN(EXCLUDED); i++) {
        note_excluded(h, i, EXCLUDED[i]);
    }
    note_excluded(h, ARRAY_LEN(EXCLUDED), image_store_path(store));
    h->cache = import_cache_create(store, err);
    if (!h->cache || open_root(h, root, err) < 0) {
        hostimport_destroy(h);
        return NULL;
    }
    return h;
}

static void free_memo(void *p)
{
    struct import_memo *m = p;
    free(m->name);
    free(m);
}

static void free_nothing(void *p)
{
    (void)p; /* nodes are freed by number */
}

void hostimport_destroy(struct hostimport *h)
{
    if (!h) {
        return;
    }
    hostimport_unshare(h);
    for (size_t i = 0; i < IMPORT_DIR_FDS; i++) {
        if (h->dirs[i].node) {
            close(h->dirs[i].fd);
        }
    }
    buf_free(&h->key);
    buf_free(&h->hints);
    free(h->scratch);
    free(h->givens);
    free(h->memo_list);
    tdestroy(h->memos, free_memo);
    tdestroy(h->by_host, free_nothing);
    for (size_t i = 0; i < h->node_count; i++) {
        struct import_node *n = h->nodes[i];
        free(n->path);
        free(n->target);
        free(n->listing);
        free(n->file.patches);
        free(n);
    }
    free(h->nodes);
    import_cache_destroy(h->cache);
    if (h->rootfd >= 0) {
        close(h->rootfd);
    }
    free(h->trouble);
    free(h);
}

int hostimport_data_fd(const struct hostimport *h)
{
    return import_cache_fd(h->cache);
}

const char *hostimport_trouble(const struct hostimport *h)
{
    return h->trouble;
}

int hostimport_flush(struct hostimport *h, struct err *err)
{
    return import_cache_flush(h->cache, err);
}
