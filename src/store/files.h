/* File helpers of the run directory: whole writes, durable creation, and errors that say what to do
 * when the disk is full. */
#ifndef EVERETT_STORE_FILES_H
#define EVERETT_STORE_FILES_H

#include "base/buf.h"
#include "base/err.h"

/* 0, or -1 with errno. */
int files_write_all(int fd, const void *data, size_t len) must_check;
/* Replaces `path` by the bytes: a reader sees the old file or the whole new one; synced. */
int files_replace(const char *path, const void *data, size_t len, struct err *err) must_check;
int files_read(const char *path, struct buf *out, struct err *err) must_check;
/* Removes a file, or a directory with all in it; links are not followed. 0 also when there is
 * nothing; -1 with errno. */
int files_remove_tree(const char *path) must_check;
/* Makes a rename or creation in the file's directory durable. */
int files_sync_parent(const char *path, struct err *err) must_check;
/* As err_errno, with the hint about space when the host is out of it. Returns -1. */
int files_errno(struct err *err, int host_errno, const char *fmt, ...) printf_like(3, 4);

#endif
