/* The registry as people see it: repositories, their tags, digests and sizes. Read-only. */
#ifndef EVERETT_SERVER_PAGES_IMAGES_H
#define EVERETT_SERVER_PAGES_IMAGES_H

#include "server/pages/frame.h"

struct db_pool;

struct image_row {
    char *repository, *tag, *digest; /* owned; tag NULL in a list of repositories */
    int64_t size;                    /* bytes of the blobs it names, or of all in the repository */
    int64_t tags, updated;           /* Unix seconds */
};
struct images_model {
    struct image_row *rows; /* owned */
    size_t count, cap;
    bool has_more;
    const char *repository, *text, *after; /* borrowed; repository NULL: the list of all */
    const char *public_url;
};
void images_model_fini(struct images_model *m);
/* Newest tags first, over all repositories: what a launch form offers. */
int images_recent(struct db_pool *pool, struct images_model *m, unsigned limit,
                  struct err *err) must_check;

void images_html(struct buf *b, const struct frame *f, const struct images_model *m);
/* "12.4 MB" */
void images_size(struct buf *b, int64_t bytes);

http_handler page_registry, page_repository;

#endif
