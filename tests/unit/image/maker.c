#include "maker.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/mem.h"

/* Unlike ASSERT, for conditions that do something. */
#define must(cond)                                                                                 \
    do {                                                                                           \
        bool must_ok = (cond);                                                                     \
        if (!must_ok) {                                                                            \
            assert_failed(#cond, __FILE__, __LINE__);                                              \
        }                                                                                          \
    } while (0)

static struct {
    unsigned uid, gid;
    long mtime_s;
    const char *xattr, *value;
} next;

static la_ssize_t write_out(struct archive *a, void *closure, const void *data, size_t len)
{
    buf_append(closure, data, len);
    return (la_ssize_t)len;
}

void maker_begin(struct maker *m)
{
    *m = (struct maker){.a = archive_write_new()};
    must(archive_write_set_format_pax(m->a) == ARCHIVE_OK);
    must(archive_write_set_bytes_per_block(m->a, 512) == ARCHIVE_OK);
}

static void put(struct maker *m, struct archive_entry *e, const void *data, size_t len)
{
    /* libarchive writes UTF-8 names only in such a locale; the code under test must not need one.
     */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = uselocale(utf8);
    if (!m->out.data) {
        buf_reserve(&m->out, 1);
        must(archive_write_open(m->a, &m->out, NULL, write_out, NULL) == ARCHIVE_OK);
    }
    archive_entry_set_uid(e, next.uid);
    archive_entry_set_gid(e, next.gid);
    archive_entry_set_mtime(e, next.mtime_s ? next.mtime_s : 1000, 0);
    if (next.xattr) {
        archive_entry_xattr_add_entry(e, next.xattr, next.value, strlen(next.value));
    }
    memset(&next, 0, sizeof next);
    must(archive_write_header(m->a, e) == ARCHIVE_OK);
    must(!len || archive_write_data(m->a, data, len) == (la_ssize_t)len);
    must(archive_write_finish_entry(m->a) == ARCHIVE_OK);
    archive_entry_free(e);
    uselocale(before);
    freelocale(utf8);
}

static struct archive_entry *entry(const char *path, unsigned type, unsigned mode)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, (mode_t)mode);
    return e;
}

void maker_bytes(struct maker *m, const char *path, unsigned mode, const void *data, size_t len)
{
    struct archive_entry *e = entry(path, AE_IFREG, mode);
    archive_entry_set_size(e, (la_int64_t)len);
    put(m, e, data, len);
}

void maker_file(struct maker *m, const char *path, unsigned mode, const char *data)
{
    maker_bytes(m, path, mode, data, strlen(data));
}

void maker_dir(struct maker *m, const char *path, unsigned mode)
{
    put(m, entry(path, AE_IFDIR, mode), NULL, 0);
}

void maker_symlink(struct maker *m, const char *path, const char *target)
{
    struct archive_entry *e = entry(path, AE_IFLNK, 0777);
    archive_entry_set_symlink(e, target);
    put(m, e, NULL, 0);
}

void maker_hardlink(struct maker *m, const char *path, const char *target)
{
    struct archive_entry *e = entry(path, AE_IFREG, 0644);
    archive_entry_set_hardlink(e, target);
    put(m, e, NULL, 0);
}

void maker_device(struct maker *m, const char *path, unsigned major, unsigned minor)
{
    struct archive_entry *e = entry(path, AE_IFCHR, 0666);
    archive_entry_set_rdevmajor(e, major);
    archive_entry_set_rdevminor(e, minor);
    put(m, e, NULL, 0);
}

void maker_next(struct maker *m, unsigned uid, unsigned gid, long mtime_s, const char *xattr,
                const char *value)
{
    next.uid = uid;
    next.gid = gid;
    next.mtime_s = mtime_s;
    next.xattr = xattr;
    next.value = value;
}

void maker_sparse(struct maker *m, const char *path, size_t size, size_t at, const char *data)
{
    struct archive_entry *e = entry(path, AE_IFREG, 0644);
    char *all = mem_zalloc(size);
    memcpy(all + at, data, strlen(data));
    archive_entry_set_size(e, (la_int64_t)size);
    archive_entry_sparse_add_entry(e, (la_int64_t)at, (la_int64_t)strlen(data));
    put(m, e, all, size);
    free(all);
}

struct buf maker_end(struct maker *m)
{
    if (!m->out.data) {
        buf_reserve(&m->out, 1);
        must(archive_write_open(m->a, &m->out, NULL, write_out, NULL) == ARCHIVE_OK);
    }
    must(archive_write_close(m->a) == ARCHIVE_OK);
    archive_write_free(m->a);
    return m->out;
}

struct buf maker_compress(const struct buf *plain, enum maker_filter filter)
{
    struct buf out = {0};
    buf_reserve(&out, 1);
    if (filter == MAKER_PLAIN) {
        buf_append(&out, plain->data, plain->len);
        return out;
    }
    struct archive *a = archive_write_new();
    must(archive_write_set_format_raw(a) == ARCHIVE_OK);
    must((filter == MAKER_GZIP ? archive_write_add_filter_gzip(a)
                               : archive_write_add_filter_zstd(a)) == ARCHIVE_OK);
    must(archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK);
    must(archive_write_open(a, &out, NULL, write_out, NULL) == ARCHIVE_OK);
    struct archive_entry *e = entry("layer", AE_IFREG, 0644);
    must(archive_write_header(a, e) == ARCHIVE_OK);
    must(archive_write_data(a, plain->data, plain->len) == (la_ssize_t)plain->len);
    archive_entry_free(e);
    must(archive_write_close(a) == ARCHIVE_OK);
    archive_write_free(a);
    return out;
}

static void hex_of(const struct buf *b, char hex[DIGEST_HEX])
{
    uint8_t sum[DIGEST_LEN];
    digest_bytes(b->data, b->len, sum);
    digest_hex(sum, hex);
}

static struct buf config_of(const struct maker_image *im)
{
    struct buf out = {0};
    buf_printf(&out,
               "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":%s,\"rootfs\":{\"type\":"
               "\"layers\",\"diff_ids\":[",
               im->architecture ? im->architecture : "amd64", im->config ? im->config : "{}");
    for (size_t i = 0; i < im->layer_count; i++) {
        char hex[DIGEST_HEX];
        hex_of(&im->layers[i], hex);
        hex[0] = im->wrong_diff_id ? (hex[0] == '0' ? '1' : '0') : hex[0];
        buf_printf(&out, "%s\"sha256:%s\"", i ? "," : "", hex);
    }
    buf_puts(&out, "]}}");
    return out;
}

static const char *ref_of(const struct maker_image *im)
{
    return im->ref ? im->ref : "app:v1";
}

void maker_docker(const struct maker_image *im, const char *path)
{
    struct maker m;
    struct buf config = config_of(im), manifest = {0};
    char hex[DIGEST_HEX], name[128], link[160];
    maker_begin(&m);
    hex_of(&config, hex);
    buf_printf(&manifest, "[{\"Config\":\"%s.json\",\"RepoTags\":[\"%s\"],\"Layers\":[", hex,
               ref_of(im));
    snprintf(name, sizeof name, "%s.json", hex);
    maker_bytes(&m, name, 0644, config.data, config.len);
    for (size_t i = 0; i < im->layer_count; i++) {
        hex_of(&im->layers[i], hex);
        snprintf(name, sizeof name, "%s.tar", hex);
        if (!im->missing_layer) {
            maker_bytes(&m, name, 0644, im->layers[i].data, im->layers[i].len);
        }
        snprintf(link, sizeof link, "../%s", name);
        snprintf(name, sizeof name, "id%zu/layer.tar", i);
        maker_symlink(&m, name, link);
        buf_printf(&manifest, "%s\"%s\"", i ? "," : "", name);
    }
    buf_puts(&manifest, "]}]");
    maker_bytes(&m, "manifest.json", 0644, manifest.data, manifest.len);
    struct buf all = maker_end(&m);
    maker_write(path, all.data, all.len);
    buf_free(&all);
    buf_free(&config);
    buf_free(&manifest);
}

/* Where the files of an OCI layout go. */
struct sink {
    struct maker m;  /* archive */
    const char *dir; /* directory, or NULL */
};

static void sink_put(struct sink *s, const char *name, const struct buf *b)
{
    if (!s->dir) {
        maker_bytes(&s->m, name, 0644, b->data, b->len);
        return;
    }
    char *path = maker_path(s->dir, name);
    maker_write(path, b->data, b->len);
    free(path);
}

/* Writes the blob and appends {"mediaType":...,"digest":...,"size":... without the brace. */
static void sink_blob(struct sink *s, const struct buf *b, const char *type, bool wrong,
                      struct buf *desc)
{
    char hex[DIGEST_HEX], name[128];
    hex_of(b, hex);
    hex[0] = wrong ? (hex[0] == '0' ? '1' : '0') : hex[0];
    snprintf(name, sizeof name, "blobs/sha256/%s", hex);
    sink_put(s, name, b);
    buf_printf(desc, "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu", type, hex,
               b->len);
}

static struct buf layer_descriptors(const struct maker_image *im, struct sink *s)
{
    static const char *const types[] = {"application/vnd.oci.image.layer.v1.tar",
                                        "application/vnd.oci.image.layer.v1.tar+gzip",
                                        "application/vnd.oci.image.layer.v1.tar+zstd"};
    struct buf out = {0};
    for (size_t i = 0; i < im->layer_count; i++) {
        struct buf blob = maker_compress(&im->layers[i], im->filter);
        buf_puts(&out, i ? "," : "");
        sink_blob(s, &blob, im->layer_type ? im->layer_type : types[im->filter], im->wrong_digest,
                  &out);
        buf_puts(&out, "}");
        buf_free(&blob);
    }
    return out;
}

static void put_docker_manifest(const struct maker_image *im, struct sink *s,
                                const struct buf *config)
{
    struct buf out = {0};
    char hex[DIGEST_HEX];
    hex_of(config, hex);
    buf_printf(&out, "[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"%s\"],\"Layers\":[]}]", hex,
               ref_of(im));
    sink_put(s, "manifest.json", &out);
    buf_free(&out);
}

static void put_index(const struct maker_image *im, struct sink *s, const struct buf *manifest,
                      bool named)
{
    struct buf top = {0}, index = {0};
    buf_puts(&index, "{\"schemaVersion\":2,\"manifests\":[");
    if (im->index) {
        static const char other[] =
            "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:"
            "00000000000000000000000000000000000000000000000000000000000000aa\",\"size\":2,"
            "\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\"}},";
        buf_printf(&index, other, "linux", "arm64");
        buf_printf(&index, other, "unknown", "unknown");
    }
    sink_blob(s, manifest, "application/vnd.oci.image.manifest.v1+json", false, &index);
    if (im->index) {
        buf_puts(&index, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}");
        buf_puts(&top, "{\"schemaVersion\":2,\"manifests\":[");
        sink_blob(s, &index, "application/vnd.oci.image.index.v1+json", false, &top);
    } else {
        top = index;
        index = (struct buf){0};
    }
    if (named) {
        buf_printf(&top, ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}",
                   ref_of(im));
    }
    buf_puts(&top, "}]}");
    sink_put(s, "index.json", &top);
    buf_free(&top);
    buf_free(&index);
}

static void put_oci(const struct maker_image *im, struct sink *s, bool with_docker)
{
    struct buf config = config_of(im), manifest = {0}, layout = {0};
    struct buf layers = layer_descriptors(im, s);
    buf_puts(&manifest, "{\"schemaVersion\":2,\"config\":");
    sink_blob(s, &config, "application/vnd.oci.image.config.v1+json", false, &manifest);
    buf_printf(&manifest, "},\"layers\":[%s]}", layers.len ? layers.data : "");
    put_index(im, s, &manifest, !with_docker);
    if (with_docker) {
        put_docker_manifest(im, s, &config);
    }
    buf_puts(&layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
    sink_put(s, "oci-layout", &layout);
    buf_free(&layout);
    buf_free(&layers);
    buf_free(&config);
    buf_free(&manifest);
}

void maker_oci_dir(const struct maker_image *im, const char *path)
{
    struct sink s = {.dir = path};
    char *blobs = maker_path(path, "blobs"), *sha = maker_path(path, "blobs/sha256");
    must(mkdir(path, 0755) == 0);
    must(mkdir(blobs, 0755) == 0);
    must(mkdir(sha, 0755) == 0);
    put_oci(im, &s, false);
    free(blobs);
    free(sha);
}

void maker_oci_archive(const struct maker_image *im, const char *path, bool with_docker)
{
    struct sink s = {0};
    maker_begin(&s.m);
    put_oci(im, &s, with_docker);
    struct buf all = maker_end(&s.m);
    maker_write(path, all.data, all.len);
    buf_free(&all);
}

void maker_write(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd >= 0);
    ssize_t n = write(fd, data, len);
    must(n == (ssize_t)len);
    close(fd);
}

char *maker_path(const char *dir, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s", dir, name);
    return buf_steal(&b);
}

char *maker_temp(void)
{
    char *path = mem_strdup("/tmp/everett-test-XXXXXX");
    char *made = mkdtemp(path);
    must(made);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

void maker_temp_end(char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}
