#include "kernel/vfs/importfs.h"

#include "abi/import.h"
#include "abi/plan.h"
#include "base/str.h"
#include "kernel/machine.h"
#include "kernel/port.h"
#include "kernel/vfs/memfs.h"
#include "kernel/vfs/vfs_priv.h"

/* After so many questions about a directory its listing, which comes with attributes, answers
 * further ones. A question costs some 20 us, a listing 3 us for each entry, and there are thousands
 * of them in /usr/bin. */
#define QUESTIONS_BEFORE_LISTING 64u
/* New files of the overlay get numbers above all that host files will ever get. */
#define IMPORT_INO_MAX 0x7fffffffull

struct import_entry {
    uint64_t ino;
    uint32_t type, len;
    char *name;
};

/* What is known about one host file. Its inode number is its place among those that answers brought
 * up, so that it depends on the universe's own questions alone. */
struct import_node {
    struct import_attr attr;
    bool listed, loaded;
    uint32_t questions; /* look-ups that went to the runner */
    int list_error, load_error;
    struct import_entry *entries; /* by name */
    uint32_t entry_count, entry_cap;
    char *target; /* of a symbolic link, once asked */
    uint32_t target_len;
    uint64_t page; /* contents, in pages of the data file */
    struct pack_patch *patches;
    uint32_t patch_count;
};

struct importfs {
    struct machine *m;
    const struct plan_file *data; /* where contents arrive; NULL: no such file in the plan */
    uint32_t data_index;
    struct import_node **nodes; /* by number */
    uint32_t node_count, node_cap;
    uint32_t *numbers; /* by the runner's handle; 0: not met yet */
    uint32_t number_cap;
    struct import_request req;
    struct import_response resp;
};

static struct import_node *node_of(struct importfs *fs, uint64_t ino)
{
    ASSERT(ino >= IMPORT_ROOT_INO);
    ASSERT(ino <= fs->node_count);
    return fs->nodes[ino - 1];
}

/* Room for one more element; both arrays only grow. */
static void *grow(struct importfs *fs, void *array, uint32_t index, uint32_t *cap, size_t size)
{
    if (index < *cap) {
        return array;
    }
    uint32_t n = *cap ? *cap : 256;
    while (n <= index) {
        n *= 2;
    }
    *cap = n;
    return krealloc(fs->m, array, n * size);
}

/* The number of the file that an answer describes. */
static uint32_t meet(struct importfs *fs, const struct import_attr *a)
{
    fs->numbers = grow(fs, fs->numbers, a->ino, &fs->number_cap, sizeof *fs->numbers);
    uint32_t *number = &fs->numbers[a->ino];
    if (!*number) {
        fs->nodes = grow(fs, fs->nodes, fs->node_count, &fs->node_cap, sizeof *fs->nodes);
        fs->nodes[fs->node_count++] = KALLOC(fs->m, struct import_node);
        *number = fs->node_count;
        fs->nodes[*number - 1]->attr = *a;
    }
    return *number;
}

static int ask(struct importfs *fs, enum import_op op, uint64_t ino, uint64_t cursor)
{
    fs->req.op = op;
    fs->req.ino = fs->node_count ? node_of(fs, ino)->attr.ino : IMPORT_ROOT_INO;
    fs->req.cursor = cursor;
    fs->m->port->import(&fs->req, &fs->resp);
    return fs->resp.result;
}

static int ask_name(struct importfs *fs, uint64_t dir, const char *name, uint32_t len)
{
    memset(fs->req.name, 0, sizeof fs->req.name);
    memcpy(fs->req.name, name, len);
    fs->req.name_len = len;
    int r = ask(fs, IMPORT_LOOKUP, dir, 0);
    fs->req.name_len = 0;
    memset(fs->req.name, 0, len);
    return r;
}

static int import_inode(void *lower, uint64_t ino, struct lower_inode *out)
{
    const struct import_attr *a = &node_of(lower, ino)->attr;
    out->mode = a->mode;
    out->uid = a->uid;
    out->gid = a->gid;
    out->nlink = a->nlink;
    out->size = a->size;
    out->mtime = (struct abi_timespec){a->mtime_s, a->mtime_ns};
    out->rdev_major = a->rdev_major;
    out->rdev_minor = a->rdev_minor;
    return 0;
}

static void take_entries(struct importfs *fs, struct import_node *n)
{
    for (uint32_t at = 0; at + sizeof(struct import_dirent) <= fs->resp.length;) {
        const struct import_dirent *d = (const struct import_dirent *)(fs->resp.payload + at);
        if (n->entry_count == n->entry_cap) {
            n->entry_cap = n->entry_cap ? 2 * n->entry_cap : 16;
            n->entries = krealloc(fs->m, n->entries, n->entry_cap * sizeof *n->entries);
        }
        n->entries[n->entry_count++] =
            (struct import_entry){meet(fs, &d->attr), (uint32_t)d->type << 12, d->name_len,
                                  kstrdup(fs->m, d->name, d->name_len)};
        ASSERT(d->record_len >= sizeof *d);
        at += d->record_len;
    }
}

static void list(struct importfs *fs, uint64_t ino, struct import_node *n)
{
    uint64_t cursor = 0;
    n->listed = true;
    do {
        n->list_error = ask(fs, IMPORT_READDIR, ino, cursor);
        if (n->list_error) {
            return;
        }
        take_entries(fs, n);
        cursor = fs->resp.cursor;
    } while (cursor);
}

static const struct import_entry *listed_entry(const struct import_node *n, const char *name,
                                               uint32_t len)
{
    uint32_t lo = 0, hi = n->entry_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = str_cmp(n->entries[mid].name, n->entries[mid].len, name, len);
        if (order == 0) {
            return &n->entries[mid];
        }
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return NULL;
}

static int import_lookup(void *lower, uint64_t dir, const char *name, uint32_t len, uint64_t *ino)
{
    struct importfs *fs = lower;
    struct import_node *d = node_of(fs, dir);
    if (len > IMPORT_NAME_MAX) {
        return -ENAMETOOLONG;
    }
    if (!d->listed && d->questions >= QUESTIONS_BEFORE_LISTING) {
        list(fs, dir, d);
    }
    if (d->listed && !d->list_error) {
        const struct import_entry *e = listed_entry(d, name, len);
        *ino = e ? e->ino : 0;
        return e ? 0 : -ENOENT;
    }
    d->questions++;
    int r = ask_name(fs, dir, name, len);
    if (r) {
        return r;
    }
    *ino = meet(fs, &fs->resp.attr);
    return 0;
}

static bool import_dirent_at(void *lower, uint64_t dir, uint32_t index, struct lower_dirent *out)
{
    struct importfs *fs = lower;
    struct import_node *n = node_of(fs, dir);
    if (!n->listed) {
        list(fs, dir, n);
    }
    if (index >= n->entry_count) {
        return false;
    }
    const struct import_entry *e = &n->entries[index];
    *out = (struct lower_dirent){e->name, e->len, e->type, e->ino};
    return true;
}

static int64_t import_readlink(void *lower, uint64_t ino, char *buf, uint64_t cap)
{
    struct importfs *fs = lower;
    struct import_node *n = node_of(fs, ino);
    if (!n->target) {
        int r = ask(fs, IMPORT_READLINK, ino, 0);
        if (r) {
            return r;
        }
        n->target_len = fs->resp.length;
        n->target = kstrdup(fs->m, (const char *)fs->resp.payload, n->target_len);
    }
    uint64_t len = min_u64(cap, n->target_len);
    memcpy(buf, n->target, len);
    return (int64_t)len;
}

/* One answer to IMPORT_DATA: where the contents are and some of the call sites. */
static void take_data(struct importfs *fs, struct import_node *n, uint32_t *have)
{
    const struct import_data *d = (const struct import_data *)fs->resp.payload;
    n->page = d->page;
    if (!n->patches && d->patch_count) {
        n->patch_count = d->patch_count;
        n->patches = kalloc(fs->m, d->patch_count * sizeof *n->patches);
    }
    ASSERT(*have + d->patches_here <= n->patch_count);
    memcpy(n->patches + *have, d + 1, d->patches_here * sizeof *n->patches);
    *have += d->patches_here;
}

static void load(struct importfs *fs, uint64_t ino, struct import_node *n)
{
    uint64_t cursor = 0;
    uint32_t have = 0;
    n->loaded = true;
    do {
        n->load_error = ask(fs, IMPORT_DATA, ino, cursor);
        if (n->load_error) {
            return;
        }
        take_data(fs, n, &have);
        cursor = fs->resp.cursor;
    } while (cursor);
}

static int import_load(void *lower, uint64_t ino, struct lower_inode *out)
{
    struct importfs *fs = lower;
    struct import_node *n = node_of(fs, ino);
    import_inode(fs, ino, out);
    if (n->attr.size == 0) {
        return 0;
    }
    if (!fs->data) {
        return -EIO;
    }
    if (!n->loaded) {
        load(fs, ino, n);
    }
    if (n->load_error) {
        return n->load_error;
    }
    out->file = fs->data_index;
    out->offset = n->page * PACK_PAGE;
    ASSERT(out->offset + n->attr.size <= fs->data->length);
    out->contents = (const unsigned char *)(uintptr_t)(fs->data->map_addr + out->offset);
    return 0;
}

static uint32_t import_patches(void *lower, uint64_t ino, const struct pack_patch **first)
{
    const struct import_node *n = node_of(lower, ino);
    *first = n->patches;
    return n->patch_count;
}

static const struct lower_ops import_lower = {
    .lookup = import_lookup,
    .inode = import_inode,
    .dirent = import_dirent_at,
    .readlink = import_readlink,
    .load = import_load,
    .patches = import_patches,
};

void importfs_attach(struct superblock *sb, const struct pack *p)
{
    struct machine *m = sb->m;
    struct importfs *fs = KALLOC(m, struct importfs);
    fs->m = m;
    if (p->image->data_files.count > 0) {
        fs->data_index = *PLAN_AT(m->plan, p->image->data_files, uint32_t, 0);
        fs->data = PLAN_AT(m->plan, m->plan->files, struct plan_file, fs->data_index);
    }
    int r = ask_name(fs, IMPORT_ROOT_INO, ".", 1);
    if (r) {
        machine_end(m, END_SETUP_FAILED, "the host's root cannot be read: errno %d", -r);
        return;
    }
    uint32_t root = meet(fs, &fs->resp.attr);
    memfs_set_lower(sb, &import_lower, fs, root, IMPORT_INO_MAX + 1);
}
