/* What hostimport.c keeps; shared with hostimport_record.c only. */
#ifndef EVERETT_IMAGE_HOSTIMPORT_PRIV_H
#define EVERETT_IMAGE_HOSTIMPORT_PRIV_H

#include <sys/types.h>
#include <time.h>

#include "image/hostimport.h"
#include "image/import_cache.h"

/* One answer to "what is NAME in that directory"; kept for good. */
struct import_memo {
    uint32_t dir;
    char *name;               /* owned */
    struct import_node *node; /* NULL: result says why */
    int result;
};

/* One host file that was mentioned. */
struct import_node {
    dev_t dev;
    ino_t host_ino;
    struct timespec host_mtim;
    char *path; /* owned; below the root, without leading slash */
    struct import_attr attr;

    bool listed; /* directory: the fields below are filled */
    int list_result;
    struct import_memo **listing; /* owned; memos borrowed; by name */
    size_t listing_count, listing_cap;

    char *target; /* symbolic link: owned once read */
    int link_result;

    bool copied; /* regular file: `file` is filled */
    int data_result;
    struct import_file file;
};

struct import_excluded {
    bool known;
    dev_t dev;
    ino_t ino;
};

struct hostimport {
    int rootfd;
    struct import_cache *cache;
    struct import_node **nodes; /* by number; element 0 is inode 1 */
    size_t node_count, node_cap;
    void *by_host; /* tsearch tree of nodes by host identity; only looked up */
    void *memos;   /* tsearch tree by (dir, name) */
    struct import_excluded excluded[6];
    char *trouble;
};

struct import_node *hostimport_node(struct hostimport *h, uint32_t ino);
/* The descriptor, or -1 with errno. */
int hostimport_open(struct hostimport *h, const struct import_node *n, int flags);
void hostimport_note(struct hostimport *h, const struct import_node *n, const char *what);
int hostimport_errno(struct hostimport *h, const struct import_node *n, int host_errno);

#endif
