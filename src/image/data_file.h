/* A DATA file in the making (abi/pack.h): contents of regular files, page by page.
 *
 * Contents arrive in order. ELF files are scanned for call sites as they end. Pages of zeros become
 * holes of the host file. */
#ifndef EVERETT_IMAGE_DATA_FILE_H
#define EVERETT_IMAGE_DATA_FILE_H

#include "image/store.h"
#include "image/tree.h"

struct data_file {
    int fd; /* borrowed; read and write; holds `pages` pages at the beginning (normally none) */
    struct digest digest; /* of the pages written here */
    uint64_t pages;       /* finished */
    uint64_t len_max;     /* whole file, bytes */
    uint64_t first;       /* page of the current file */
    uint64_t size, pos;   /* of the current file */
    uint8_t head[4];
};

void data_file_init(struct data_file *d, int fd, uint64_t len_max);
void data_file_fini(struct data_file *d);

/* One file: begin, writes at rising offsets (gaps are zeros), end. */
int data_file_begin(struct data_file *d, uint64_t size, struct err *err);
int data_file_write(struct data_file *d, uint64_t off, const void *data, size_t len,
                    struct err *err);
/* Fills page, size and patches of `inode`. */
int data_file_end(struct data_file *d, struct tree_inode *inode, struct err *err);

/* Gives the host file its final length and the digest. */
int data_file_seal(struct data_file *d, struct pack_data *out, struct err *err);

/* Path below the store of a data file. */
#define DATA_PATH_LEN (sizeof "data/.data" + DIGEST_HEX)
void data_file_path(const uint8_t sum[DIGEST_LEN], char path[DATA_PATH_LEN]);

#endif
