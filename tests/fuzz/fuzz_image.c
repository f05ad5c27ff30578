/* libFuzzer target for everything images are read from. The first byte says what the rest is:
 *
 *   'i' an index file       'e' an ELF file      'c' an image config    'r' an image name
 *   'a' an image archive    'l' a layer (any compression)
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/fuzz_image.c \
 *       src/image/[a-z]*.c src/base/{assert_host,buf,err,mem}.c \
 *       -lZydis -larchive -ljansson -lcrypto -lsqlite3 -o fuzz_image
 *   ./fuzz_image corpus/ tests/fuzz/regress/image/
 *
 * Inputs that once failed stay in tests/fuzz/regress/image; `make check` replays them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "image/data_file.h"
#include "image/elfscan.h"
#include "image/image.h"
#include "image/index_write.h"
#include "image/layer.h"
#include "image/load.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_index(const uint8_t *data, size_t len)
{
    cleanup_err struct err err = {0};
    char *copy = malloc(len ? len : 1); /* aligned as a mapping is, and exactly as long */
    ASSERT(copy);
    memcpy(copy, data, len);
    struct image image = {.index = copy, .index_len = len};
    if (image_check(copy, len, &err) == 0) {
        /* What passed must be safe to walk; the sanitizers judge. */
        image_lookup(&image, "/a/../b/./c", true);
        image_lookup(&image, "link/link", false);
    } else {
        ASSERT(err.msg);
    }
    free(copy);
}

static void fuzz_elf(const uint8_t *data, size_t len)
{
    struct elfscan scan, again;
    elfscan_init(&scan, data, len);
    elfscan_init(&again, data, len);
    ASSERT(scan.patch_count <= scan.sites);
    ASSERT(scan.patch_count == again.patch_count);
    for (size_t i = 0; i < scan.patch_count; i++) {
        const struct pack_patch *p = &scan.patches[i];
        ASSERT(p->offset + 2 <= len);
        ASSERT(memcmp(data + p->offset, "\x0f\x05", 2) == 0);
        int64_t from = (int64_t)p->offset + (p->form == PACK_PATCH_SHORT ? 2 + p->delta : 0);
        ASSERT(from >= 0);
        ASSERT((uint64_t)from + (p->length ? p->length : 5) <= len);
    }
    elfscan_fini(&scan);
    elfscan_fini(&again);
}

static void fuzz_config(const char *data, size_t len)
{
    cleanup_err struct err err = {0};
    struct image_config config;
    if (image_config_init(&config, data, len, &err) == 0) {
        ASSERT(config.workdir[0]);
        image_config_fini(&config);
    } else {
        ASSERT(err.msg);
    }
}

static void fuzz_ref(const char *data, size_t len)
{
    cleanup_err struct err err = {0};
    struct image_ref ref, again;
    char *text = strndup(data, len);
    if (image_ref_init(&ref, text, &err) == 0) {
        /* A normal form is its own normal form. */
        ASSERT(image_ref_init(&again, ref.normal, &err) == 0);
        ASSERT(strcmp(ref.normal, again.normal) == 0);
        image_ref_fini(&again);
        image_ref_fini(&ref);
    }
    free(text);
}

static int memory_file(const void *data, size_t len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    ASSERT(fd >= 0);
    ssize_t n = write(fd, data, len);
    ASSERT(n == (ssize_t)len);
    return fd;
}

static struct image_limits small_limits(void)
{
    struct image_limits limits = image_limits_default();
    limits.bytes_max = 8 << 20;
    limits.entries_max = 10000;
    return limits;
}

/* One store for the whole process: what an input loads must not disturb the next one. */
static struct image_store *fuzz_store(void)
{
    static struct image_store *store;
    static char path[] = "/tmp/everett-fuzz-XXXXXX";
    cleanup_err struct err err = {0};
    if (!store) {
        char *made = mkdtemp(path);
        ASSERT(made);
        store = image_store_open(path, &err);
        ASSERT(store);
    }
    return store;
}

static void fuzz_archive(const char *data, size_t len)
{
    cleanup_err struct err err = {0};
    struct image_limits limits = small_limits();
    struct image_load_result result;
    char path[32];
    int fd = memory_file(data, len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int r = image_load(fuzz_store(), path, &limits, &result, &err);
    ASSERT((r < 0) == (err.msg != NULL));
    for (size_t i = 0; i < result.count; i++) {
        struct image *image = image_open_id(fuzz_store(), result.images[i].id, &err);
        ASSERT(image);
        image_close(image);
    }
    image_load_result_fini(&result);
    close(fd);
}

/* A layer that is accepted gives an index that is accepted. */
static void fuzz_layer(const char *data, size_t len)
{
    cleanup_err struct err err = {0};
    struct image_limits limits = small_limits();
    struct layer layer = {0};
    struct data_file file;
    struct pack_data sealed;
    cleanup_buf struct buf index = {0};
    struct tree tree;
    struct source_stream *st = source_stream_memory(data, len);
    int fd = memfd_create("fuzz-data", MFD_CLOEXEC);
    ASSERT(fd >= 0);
    data_file_init(&file, fd, limits.bytes_max);
    tree_init(&tree);
    int r = layer_read(&layer, st, &file, 0, &limits, &err);
    r = r < 0 ? r : layer_apply(&layer, &tree, &err);
    r = r < 0 ? r : data_file_seal(&file, &sealed, &err);
    r = r < 0 ? r : index_write(&tree, &sealed, 1, &index, &err);
    ASSERT((r < 0) == (err.msg != NULL));
    if (r == 0 && image_check(index.data, index.len, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    tree_fini(&tree);
    data_file_fini(&file);
    layer_fini(&layer);
    source_stream_close(st);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    switch (data[0]) {
    case 'i':
        fuzz_index(data + 1, size - 1);
        break;
    case 'e':
        fuzz_elf(data + 1, size - 1);
        break;
    case 'c':
        fuzz_config(text, size - 1);
        break;
    case 'r':
        fuzz_ref(text, size - 1);
        break;
    case 'a':
        fuzz_archive(text, size - 1);
        break;
    case 'l':
        fuzz_layer(text, size - 1);
        break;
    default:
        break;
    }
    return 0;
}
