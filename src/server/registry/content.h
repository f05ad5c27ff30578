/* Files of the registry: blobs/ALGORITHM/HEX and uploads/NAME below its directory.
 *
 * Errors: ERR_HOST with the path. All calls may wait for the disk. */
#ifndef EVERETT_SERVER_REGISTRY_CONTENT_H
#define EVERETT_SERVER_REGISTRY_CONTENT_H

#include "base/err.h"
#include "server/registry/names.h"

struct registry;

#define CONTENT_PATH 160u

/* "blobs/sha256/HEX"; `digest` is valid. */
void content_blob_path(const char *digest, char path[CONTENT_PATH]);
void content_upload_path(const char *name, char path[CONTENT_PATH]);

/* Creates the directories. */
int content_prepare(struct registry *r, struct err *err) must_check;
/* A descriptor for reading and the size; -1 with ERR_NONE left in `err` when there is no such
 * file. */
int content_open_blob(struct registry *r, const char *digest, uint64_t *size, struct err *err);
/* 1, 0 no such file, -1. */
int content_blob_exists(struct registry *r, const char *digest, struct err *err) must_check;
/* Random, 32 hexadecimal digits. */
int content_new_name(char name[UPLOAD_ID_CHARS + 1], struct err *err) must_check;
/* An empty uploads/NAME, open for reading and writing. */
int content_create_upload(struct registry *r, const char *name, struct err *err) must_check;
/* -1 with ERR_NONE left in `err` when there is no such file. */
int content_open_upload(struct registry *r, const char *name, struct err *err);
/* Gives uploads/NAME, already durable, its place among the blobs, durably. The caller holds
 * r->publish. */
int content_publish(struct registry *r, const char *name, const char *digest,
                    struct err *err) must_check;
/* A missing file is fine. */
int content_remove_upload(struct registry *r, const char *name, struct err *err) must_check;
int content_remove_blob(struct registry *r, const char *digest, struct err *err) must_check;
/* Writes all of it. ERR_HOST with the errno. *done counts what was written in any case. */
int content_write(int fd, uint64_t at, const void *data, size_t len, size_t *done,
                  struct err *err) must_check;

/* Visits the files of a directory below the registry's ("uploads", "blobs/sha256"); a negative
 * answer ends the visit. */
struct stat;
typedef int content_fn(void *ctx, const char *name, const struct stat *st, struct err *err);
int content_each(struct registry *r, const char *folder, content_fn *fn, void *ctx,
                 struct err *err) must_check;

#endif
