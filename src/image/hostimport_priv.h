/* What hostimport.c keeps; shared with hostimport_ahead.c and hostimport_record.c only. */
#ifndef EVERETT_IMAGE_HOSTIMPORT_PRIV_H
#define EVERETT_IMAGE_HOSTIMPORT_PRIV_H

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "image/hostimport.h"
#include "image/import_ahead.h"
#include "image/import_cache.h"

#define IMPORT_DIR_FDS 32u

/* What the universe asked, as opposed to what was only found out on the way or given ahead in vain.
 */
enum import_asked {
    ASKED_NAME = 1,
    ASKED_LIST = 2,
    ASKED_LINK = 4,
    ASKED_DATA = 8,
};

/* One answer to "what is NAME in that directory"; kept for good. */
struct import_memo {
    uint32_t dir;
    char *name;               /* owned */
    struct import_node *node; /* NULL: result says why */
    int result;
    uint8_t asked, given; /* ASKED_NAME or 0 */
    uint32_t line;        /* while hints are written */
};

/* One host file that was mentioned. */
struct import_node {
    dev_t dev;
    ino_t host_ino;
    struct timespec host_mtim, host_ctim;
    const struct import_memo *memo; /* the name it was first seen by; NULL: the root */
    uint8_t asked, given;           /* enum import_asked */
    uint32_t dir_slot;              /* 1 + place in hostimport.dirs; 0: none */
    char *path;                     /* owned; below the root, without leading slash */
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

/* An answer given ahead: of a name (`memo`) or of a file (`node`). */
struct import_given {
    uint64_t at;
    struct import_memo *memo;
    struct import_node *node;
    uint8_t bit;
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
    void *by_host;                  /* tsearch tree of nodes by host identity; only looked up */
    void *memos;                    /* tsearch tree by (dir, name) */
    struct import_memo **memo_list; /* all, in the order in which they were made; borrowed */
    size_t memo_count, memo_cap;
    struct {
        struct import_node *node; /* NULL: free */
        int fd;
    } dirs[IMPORT_DIR_FDS]; /* directories opened last */
    uint32_t next_dir;

    struct import_ahead_writer *ahead; /* NULL: nothing is given ahead */
    struct import_given *givens;
    size_t given_count, given_cap;
    struct import_response *scratch; /* an answer being made to be given ahead */
    struct buf key, hints;           /* what the last universe of this key asked */
    struct import_excluded excluded[6];
    char *trouble;
};

/* The answer to a question, without taking note that it was asked. */
void hostimport_answer(struct hostimport *h, const struct import_request *q,
                       struct import_response *response);
struct import_memo *hostimport_look(struct hostimport *h, struct import_node *dir, int dirfd,
                                    const char *name);
struct import_memo *hostimport_memo(struct hostimport *h, uint32_t dir, const char *name);
/* After a question about a name was answered: what will be asked next. */
void hostimport_follow(struct hostimport *h, struct import_node *n);
struct import_node *hostimport_node(struct hostimport *h, uint32_t ino);
/* The descriptor, or -1 with errno. */
int hostimport_open(struct hostimport *h, const struct import_node *n, int flags);
void hostimport_note(struct hostimport *h, const struct import_node *n, const char *what);
int hostimport_errno(struct hostimport *h, const struct import_node *n, int host_errno);

#endif
