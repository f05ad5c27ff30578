#include "image/data_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/elfscan.h"

static const uint8_t ZEROS[PACK_PAGE * 16];

void data_file_init(struct data_file *d, int fd, uint64_t len_max)
{
    *d = (struct data_file){.fd = fd, .len_max = len_max};
    digest_init(&d->digest);
}

void data_file_fini(struct data_file *d)
{
    digest_fini(&d->digest);
}

int data_file_begin(struct data_file *d, uint64_t size, struct err *err)
{
    uint64_t used = d->pages * PACK_PAGE;
    if (size > d->len_max || used > d->len_max - size) {
        err_set(err, ERR_USAGE, "more than %llu bytes of file contents",
                (unsigned long long)d->len_max);
        return err_hint(err, "if the image is meant to be that large, raise the limit on its size");
    }
    d->first = d->pages;
    d->size = size;
    d->pos = 0;
    memset(d->head, 0, sizeof d->head);
    return 0;
}

static void hash_zeros(struct data_file *d, uint64_t len)
{
    while (len) {
        size_t n = min_u64(len, sizeof ZEROS);
        digest_update(&d->digest, ZEROS, n);
        len -= n;
    }
}

static int write_at(struct data_file *d, const uint8_t *data, size_t len, struct err *err)
{
    uint64_t at = d->first * PACK_PAGE + d->pos;
    while (len) {
        ssize_t n = pwrite(d->fd, data, len, (off_t)at);
        if (n < 0 && errno != EINTR) {
            return err_errno(err, errno, "cannot write file contents to the image store");
        }
        if (n > 0) {
            data += n;
            at += (uint64_t)n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static bool all_zero(const uint8_t *data, size_t len)
{
    return len && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

int data_file_write(struct data_file *d, uint64_t off, const void *data, size_t len,
                    struct err *err)
{
    const uint8_t *bytes = data;
    if (off < d->pos || off > d->size || len > d->size - off) {
        return err_set(err, ERR_USAGE, "file contents out of order or beyond the stated size");
    }
    hash_zeros(d, off - d->pos);
    d->pos = off;
    for (uint64_t i = off; i < sizeof d->head && i - off < len; i++) {
        d->head[i] = bytes[i - off];
    }
    digest_update(&d->digest, bytes, len);
    while (len) {
        size_t n = min_u64(len, PACK_PAGE - d->pos % PACK_PAGE);
        bool hole = n == PACK_PAGE && all_zero(bytes, n);
        if (!hole) {
            /* As many pages as do not turn into holes go in one write. */
            while (len - n >= PACK_PAGE && !all_zero(bytes + n, PACK_PAGE)) {
                n += PACK_PAGE;
            }
            if (write_at(d, bytes, n, err) < 0) {
                return -1;
            }
        }
        d->pos += n;
        bytes += n;
        len -= n;
    }
    return 0;
}

static int scan_patches(struct data_file *d, struct tree_inode *inode, struct err *err)
{
    if (!elfscan_is_elf(d->head, sizeof d->head) || d->size > SIZE_MAX / 2) {
        return 0;
    }
    /* The length may end in a hole that the host file does not reach yet. */
    if (ftruncate(d->fd, (off_t)((d->first + d->size / PACK_PAGE + 1) * PACK_PAGE)) < 0) {
        return err_errno(err, errno, "cannot extend a file in the image store");
    }
    void *map = mmap(NULL, d->size, PROT_READ, MAP_SHARED, d->fd, (off_t)(d->first * PACK_PAGE));
    if (map == MAP_FAILED) {
        return err_errno(err, errno, "cannot map a file in the image store");
    }
    struct elfscan scan;
    elfscan_init(&scan, map, d->size);
    munmap(map, d->size);
    inode->patches = scan.patches;
    inode->patch_count = scan.patch_count;
    return 0;
}

int data_file_end(struct data_file *d, struct tree_inode *inode, struct err *err)
{
    uint64_t end = round_up_u64(d->size, PACK_PAGE);
    hash_zeros(d, end - d->pos);
    inode->size = d->size;
    inode->page = d->size ? d->first : 0;
    if (scan_patches(d, inode, err) < 0) {
        return -1;
    }
    d->pages = d->first + end / PACK_PAGE;
    return 0;
}

int data_file_seal(struct data_file *d, struct pack_data *out, struct err *err)
{
    *out = (struct pack_data){.pages = d->pages};
    if (ftruncate(d->fd, (off_t)(d->pages * PACK_PAGE)) < 0) {
        return err_errno(err, errno, "cannot finish a file in the image store");
    }
    digest_final(&d->digest, out->sha256);
    return 0;
}

void data_file_path(const uint8_t sum[DIGEST_LEN], char path[DATA_PATH_LEN])
{
    char hex[DIGEST_HEX];
    digest_hex(sum, hex);
    snprintf(path, DATA_PATH_LEN, "data/%s.data", hex);
}
