#include "fixture.h"

#include <linux/fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/pack.h"
#include "kernel/vfs/special/cgroupfs.h"
#include "kernel/vfs/special/dev.h"
#include "kernel/vfs/special/epoll.h"
#include "kernel/vfs/special/pipe.h"
#include "kernel/vfs/vfs.h"
#include "kernel/vfs/vfs_priv.h"

struct fake_machine *fixture;

static _Alignas(4096) unsigned char index_bytes[8192], data_bytes[5 * 4096];

unsigned char image_sh_byte(uint32_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static uint64_t strings_len;

static uint64_t add_string(const char *s)
{
    struct pack_header *h = (struct pack_header *)index_bytes;
    uint64_t off = strings_len;
    memcpy(index_bytes + h->strings_off + off, s, strlen(s) + 1);
    strings_len += strlen(s) + 1;
    return off;
}

static void add_file(struct pack_inode *i, const char *text, uint64_t page)
{
    i->mode = ABI_S_IFREG | 0644;
    i->nlink = 1;
    i->size = strlen(text);
    i->reg.page = page;
    memcpy(data_bytes + page * 4096, text, strlen(text));
}

static void add_dir(struct pack_inode *i, uint32_t mode, uint32_t first, uint32_t count)
{
    i->mode = ABI_S_IFDIR | mode;
    i->nlink = 2;
    i->dir.first = first;
    i->dir.count = count;
}

static void build_image(void)
{
    static const struct {
        const char *name;
        uint32_t ino;
    } dirents[] = {
        {"bin", 2},  {"data", 4}, {"etc", 6},  {"hard1", 9}, {"hard2", 9},
        {"tmp", 10}, {"sh", 3},   {"seed", 5}, {"link", 7},  {"passwd", 8},
    };
    memset(index_bytes, 0, sizeof index_bytes);
    memset(data_bytes, 0, sizeof data_bytes);
    strings_len = 0;
    struct pack_header *h = (struct pack_header *)index_bytes;
    memcpy(h->magic, PACK_MAGIC, 8);
    h->inode_count = IMAGE_INODES;
    h->dirent_count = ARRAY_LEN(dirents);
    h->data_count = 1;
    h->inodes_off = 96;
    h->dirents_off = h->inodes_off + IMAGE_INODES * sizeof(struct pack_inode);
    h->xattrs_off = h->patches_off = h->data_off = h->strings_off = 4096;
    struct pack_inode *i = (struct pack_inode *)(index_bytes + h->inodes_off) - 1; /* 1-based */
    add_dir(&i[1], 0755, 0, 6);
    i[1].nlink = 6;
    add_dir(&i[2], 0755, 6, 1);
    add_file(&i[3], "", 0);
    i[3].mode = ABI_S_IFREG | 0755;
    i[3].size = SH_BYTES;
    for (uint32_t k = 0; k < SH_BYTES; k++) {
        data_bytes[k] = image_sh_byte(k);
    }
    add_dir(&i[4], 0750, 7, 1);
    i[4].uid = 7;
    add_file(&i[5], "seed\n", 3);
    add_dir(&i[6], 0755, 8, 2);
    i[7].mode = ABI_S_IFLNK | 0777;
    i[7].nlink = 1;
    i[7].size = 6;
    i[7].link.off = add_string("passwd");
    add_file(&i[8], "root:x:0:0\n", 4);
    add_file(&i[9], "hard", 3); /* shares a page with seed: only the prefix matters */
    memcpy(data_bytes + 3 * 4096, "seed\n", 5);
    i[9].nlink = 2;
    i[9].size = 4;
    add_dir(&i[10], 01777, 0, 0);
    struct pack_dirent *d = (struct pack_dirent *)(index_bytes + h->dirents_off);
    for (uint32_t k = 0; k < ARRAY_LEN(dirents); k++) {
        d[k].name_off = add_string(dirents[k].name);
        d[k].name_len = (uint32_t)strlen(dirents[k].name);
        d[k].ino = dirents[k].ino;
    }
    h->strings_len = strings_len;
    h->total_len = h->strings_off + strings_len;
}

static void build_plan(struct fake_machine *fm, const struct fixture_mount *mounts, uint32_t count,
                       uint32_t volumes)
{
    struct plan *plan = fake_plan(fm);
    struct plan_file files[2] = {
        {.fd = -1, .map_addr = (uint64_t)index_bytes, .length = sizeof index_bytes},
        {.fd = -1, .is_data = 1, .map_addr = (uint64_t)data_bytes, .length = sizeof data_bytes},
    };
    plan->files = (struct plan_list){fake_plan_put(fm, files, sizeof files), 2};
    uint32_t data_file = 1;
    struct plan_image image = {.name = fake_plan_str(fm, "test:1"), .index_file = 0};
    image.data_files = (struct plan_list){fake_plan_put(fm, &data_file, sizeof data_file), 1};
    plan->images = (struct plan_list){fake_plan_put(fm, &image, sizeof image), 1};
    struct plan_volume volume = {fake_plan_str(fm, "vol")};
    plan->volumes.count = volumes;
    for (uint32_t i = 0; i < volumes; i++) {
        uint32_t off = fake_plan_put(fm, &volume, sizeof volume);
        plan->volumes.off = i ? plan->volumes.off : off;
    }
    struct plan_mount pm[8] = {0};
    for (uint32_t i = 0; i < count; i++) {
        pm[i].kind = mounts[i].kind;
        pm[i].source = mounts[i].source;
        pm[i].target = fake_plan_str(fm, mounts[i].target);
        pm[i].subpath = mounts[i].subpath ? fake_plan_str(fm, mounts[i].subpath) : 0;
        pm[i].read_only = mounts[i].read_only;
        pm[i].size_bytes = mounts[i].size_bytes;
    }
    struct plan_node node = {.name = fake_plan_str(fm, "node"), .image = 0};
    node.mounts = (struct plan_list){fake_plan_put(fm, pm, count * sizeof *pm), count};
    plan->nodes = (struct plan_list){fake_plan_put(fm, &node, sizeof node), 1};
    fm->node.plan = PLAN_AT(plan, plan->nodes, struct plan_node, 0);
}

static void node_up(struct fake_machine *fm)
{
    char err[256] = "";
    int r = vfs_node_up(&fm->node, err, sizeof err);
    if (r) {
        fprintf(stderr, "vfs_node_up: %d %s\n", r, err);
        abort();
    }
    fm->task.fs = fs_context_create(&fm->node, "/", 022);
}

struct fake_machine *fixture_create_with(const struct fixture_mount *mounts, uint32_t count,
                                         uint32_t volumes)
{
    struct fake_machine *fm = fake_machine_create();
    fixture = fm;
    build_image();
    build_plan(fm, mounts, count, volumes);
    vfs_boot(&fm->m);
    fm->task.fds = fd_table_create(&fm->m);
    node_up(fm);
    return fm;
}

struct fake_machine *fixture_create(void)
{
    return fixture_create_with(NULL, 0, 0);
}

void fixture_restart(struct fake_machine *fm)
{
    fd_table_put(&fm->task, fm->task.fds);
    fs_context_put(&fm->m, fm->task.fs);
    vfs_node_down(&fm->node);
    fm->task.fds = fd_table_create(&fm->m);
    node_up(fm);
}

void fixture_destroy(struct fake_machine *fm)
{
    fd_table_put(&fm->task, fm->task.fds);
    fs_context_put(&fm->m, fm->task.fs);
    vfs_node_down(&fm->node);
    fake_machine_destroy(fm);
    fixture = NULL;
}

int open_file(const char *path, int flags, int mode)
{
    return (int)CALL(openat, (uint64_t)AT_FDCWD, STR(path), (uint64_t)flags, (uint64_t)mode);
}

static gaddr scratch(size_t n)
{
    return fake_guest(fixture, n);
}

int64_t write_fd(int fd, const void *data, size_t n)
{
    gaddr g = scratch(n);
    memcpy(fake_ptr(g), data, n);
    return CALL(write, (uint64_t)fd, g.va, n);
}

int64_t read_fd(int fd, void *data, size_t n)
{
    gaddr g = scratch(n);
    int64_t r = CALL(read, (uint64_t)fd, g.va, n);
    memcpy(data, fake_ptr(g), r > 0 ? (size_t)r : 0);
    return r;
}

int64_t pread_fd(int fd, void *data, size_t n, uint64_t off)
{
    gaddr g = scratch(n);
    int64_t r = CALL(pread64, (uint64_t)fd, g.va, n, off);
    memcpy(data, fake_ptr(g), r > 0 ? (size_t)r : 0);
    return r;
}

int64_t pwrite_fd(int fd, const void *data, size_t n, uint64_t off)
{
    gaddr g = scratch(n);
    memcpy(fake_ptr(g), data, n);
    return CALL(pwrite64, (uint64_t)fd, g.va, n, off);
}

int stat_path(const char *path, struct stat *out)
{
    gaddr g = scratch(sizeof *out);
    int64_t r = CALL(lstat, STR(path), g.va);
    memcpy(out, fake_ptr(g), sizeof *out);
    return (int)r;
}

const char *list_dir(const char *path)
{
    static char names[65536];
    gaddr g = scratch(1024);
    int fd = open_file(path, O_RDONLY | O_DIRECTORY, 0);
    names[0] = '\0';
    if (fd < 0) {
        return "?";
    }
    int64_t n;
    while ((n = CALL(getdents64, (uint64_t)fd, g.va, 1024)) > 0) {
        for (int64_t at = 0; at < n;) {
            const char *record = (const char *)fake_ptr(g) + at;
            const char *name = record + 19;
            if (strcmp(name, ".") && strcmp(name, "..")) {
                strcat(strcat(names, names[0] ? " " : ""), name);
            }
            at += *(const uint16_t *)(record + 16);
        }
    }
    CALL(close, (uint64_t)fd);
    return n < 0 ? "!" : names;
}

/* --- what other parts of the kernel provide and these tests do not exercise ------------------- */

static struct superblock *empty_fs(struct node *n, struct inode **root)
{
    struct superblock *sb = tmpfs_create(n->m, "tmpfs", 0755, 1 << 20);
    *root = inode_get(sb->root->inode);
    dentry_put(sb->root);
    sb->root = NULL;
    return sb;
}

struct superblock *procfs_create(struct node *n, struct inode **root)
{
    return empty_fs(n, root);
}

struct superblock *sysfs_create(struct node *n, struct inode **root)
{
    return empty_fs(n, root);
}

struct superblock *devfs_create(struct node *n, struct inode **root)
{
    return empty_fs(n, root);
}

struct superblock *devptsfs_create(struct node *n, struct inode **root)
{
    return empty_fs(n, root);
}

struct superblock *cgroupfs_create(struct node *n, struct inode **root)
{
    return empty_fs(n, root);
}

int fifo_open(struct task *t, struct inode *inode, struct file *f)
{
    return -ENXIO;
}

void fifo_evict(struct inode *inode)
{
}

int64_t pipe_get_size(const struct file *f)
{
    return -EBADF;
}

int64_t pipe_set_size(struct task *t, struct file *f, uint64_t bytes)
{
    return -EBADF;
}

int device_open(struct task *t, struct inode *inode, struct file *f)
{
    return -ENXIO;
}

void epoll_file_released(struct file *f)
{
    abort();
}

void sdk_file_written(struct node *n, uint64_t ino, uint64_t off, const void *data, size_t len)
{
    printf("sdk %lu %lu %.*s\n", ino, off, (int)len, (const char *)data);
}

void machine_end(struct machine *m, enum event_end_reason reason, const char *fmt, ...)
{
    fprintf(stderr, "machine_end: %s\n", fmt);
    abort();
}
