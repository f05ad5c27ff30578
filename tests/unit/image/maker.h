/* Makes layers and images for tests, in memory and on disk. Everything aborts on failure. */
#ifndef EVERETT_TESTS_IMAGE_MAKER_H
#define EVERETT_TESTS_IMAGE_MAKER_H

#include "base/buf.h"
#include "image/digest.h"

struct archive;

/* A tar archive being written. */
struct maker {
    struct archive *a;
    struct buf out;
};

void maker_begin(struct maker *m);
void maker_file(struct maker *m, const char *path, unsigned mode, const char *data);
void maker_bytes(struct maker *m, const char *path, unsigned mode, const void *data, size_t len);
void maker_dir(struct maker *m, const char *path, unsigned mode);
void maker_symlink(struct maker *m, const char *path, const char *target);
void maker_hardlink(struct maker *m, const char *path, const char *target);
void maker_device(struct maker *m, const char *path, unsigned major, unsigned minor);
/* Owner, time and an attribute for the next entry. */
void maker_next(struct maker *m, unsigned uid, unsigned gid, long mtime_s, const char *xattr,
                const char *value);
/* `size` bytes, of which only "data" at `at` is no hole. */
void maker_sparse(struct maker *m, const char *path, size_t size, size_t at, const char *data);
/* Gives the archive to the caller, who frees it. */
struct buf maker_end(struct maker *m);

enum maker_filter { MAKER_PLAIN, MAKER_GZIP, MAKER_ZSTD };
struct buf maker_compress(const struct buf *plain, enum maker_filter filter);

/* An image to be written down; zeroed fields mean the ordinary. */
struct maker_image {
    const struct buf *layers; /* uncompressed, lowest first */
    size_t layer_count;
    enum maker_filter filter; /* OCI only */
    const char *ref;          /* default "app:v1" */
    const char *architecture; /* default "amd64" */
    const char *config;       /* JSON object, default {} */
    const char *layer_type;   /* media type of the layers, default by filter */
    bool wrong_diff_id, wrong_digest, missing_layer;
    bool index; /* OCI: reach the manifest through an image index with other platforms in it */
};

/* A docker save archive; layers are reached through symbolic links, manifest.json comes last. */
void maker_docker(const struct maker_image *image, const char *path);
/* An OCI layout directory (made) / archive, with index.json last. `with_docker`: also
 * manifest.json, as Docker 25 writes it. */
void maker_oci_dir(const struct maker_image *image, const char *path);
void maker_oci_archive(const struct maker_image *image, const char *path, bool with_docker);

void maker_write(const char *path, const void *data, size_t len);
/* A directory for the test; maker_temp_end removes it with everything in it. */
char *maker_temp(void);
void maker_temp_end(char *path);
/* "dir/name"; the caller frees it. */
char *maker_path(const char *dir, const char *name);

#endif
